package indicator

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"entente/internal/fault"

	"entente/internal/disk"
)

// mapping is a file's octets in memory. They are given back when nothing leads to it any more, so that no reader is left without them.
type mapping struct{ data []byte }

// keep holds the octets in memory until the caller returns: call it deferred wherever sections are read.
func (s *Snapshot) keep() { runtime.KeepAlive(s) }

// Open maps a snapshot file into memory and looks at all of it. Where the system maps no files it is read. A file that is missing is NotFound, a
// damaged one Invalid. A file in use is replaced by WriteFile and never written to.
func Open(path string) (s *Snapshot, err error) {
	m, err := mapFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(fault.NotFound, "indicator.snapshot.missing", "there is no snapshot of indicators here").Because(err)
	case err != nil:
		return nil, fault.New(fault.Internal, "indicator.snapshot", "the snapshot of indicators cannot be read").Because(err)
	}
	// A disk that fails under a mapped file is a fault of memory. Read is the one that touches every octet.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			fault, ok := r.(interface {
				error
				Addr() uintptr
			})
			if !ok {
				panic(r)
			}
			s, err = nil, damaged("it cannot be read to its end").Because(fault)
		}
	}()
	s, err = Read(m.data)
	if err != nil {
		return nil, err
	}
	s.file = m
	s.settle()
	return s, nil
}

// settle moves what every lookup touches out of the file into large pages, where the system has them: a lookup goes to places far apart, and
// small pages cost it more than the reading. Values and metas, which only hits need, stay in the file.
func (s *Snapshot) settle() {
	hot := []int{secDirectory4, secLow4, secFilter, secDirectory, secSuffix, secNets}
	n := 0
	for _, i := range hot {
		n += aligned(len(s.sec[i]))
	}
	if s.hot = largePages(n); s.hot == nil {
		return
	}
	room := s.hot.data
	for _, i := range hot {
		have := s.sec[i]
		copy(room, have)
		s.sec[i], room = room[:len(have):len(have)], room[aligned(len(have)):]
	}
}

// WriteFile writes a snapshot to a file that is there as a whole or not at all. It is for the owner's eyes: the key stands in it.
func (s *Snapshot) WriteFile(path string) (err error) {
	defer s.keep()
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return unwritten(err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			err = unwritten(err)
		}
	}()
	var padding [align]byte
	for _, b := range append([][]byte{s.header()}, s.sec[:]...) {
		if _, err = f.Write(b); err != nil {
			return err
		}
		if _, err = f.Write(padding[:aligned(len(b))-len(b)]); err != nil {
			return err
		}
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return disk.Sync(filepath.Dir(path))
}

func unwritten(err error) error {
	return fault.New(fault.Full, "indicator.snapshot.unwritten", "the snapshot of indicators could not be written").Try("make room on the disk").Because(err)
}
