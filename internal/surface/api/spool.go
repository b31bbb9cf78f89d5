package api

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"entente/internal/fault"
)

// spool keeps the objects of an import until all of them are here: in memory as long as they are few, else in a file that has no
// name any more, so that nothing is left when the process ends.
type spool struct {
	dir   string
	limit int64 // bytes of all objects
	size  int64
	mem   []byte
	file  *os.File
	w     *bufio.Writer
}

const (
	spoolMemory = 8 << 20
	frameHead   = 5 // kind, length
)

// add appends one object of a kind. The bytes are copied.
func (s *spool) add(kind byte, raw []byte) error {
	if s.size += int64(len(raw)) + frameHead; s.size > s.limit {
		return fault.New(fault.TooLarge, "import.size", "the import has more than %d bytes", s.limit).Try("import it in parts")
	}
	if s.file == nil && len(s.mem)+len(raw)+frameHead > spoolMemory {
		if err := s.spill(); err != nil {
			return err
		}
	}
	var head [frameHead]byte
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(len(raw)))
	if s.file == nil {
		s.mem = append(append(s.mem, head[:]...), raw...)
		return nil
	}
	s.w.Write(head[:])
	_, err := s.w.Write(raw)
	return spoolFault(err)
}

func (s *spool) spill() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return spoolFault(err)
	}
	f, err := os.CreateTemp(s.dir, "import-")
	if err != nil {
		return spoolFault(err)
	}
	os.Remove(f.Name()) // where an open file cannot be removed, close does it
	s.file, s.w = f, bufio.NewWriterSize(f, 256<<10)
	_, err = s.w.Write(s.mem)
	s.mem = nil
	return spoolFault(err)
}

// each reads the objects of one kind in the order they came. The bytes belong to fn.
func (s *spool) each(kind byte, fn func(raw []byte) error) error {
	var in *bufio.Reader
	if s.file == nil {
		return eachFrame(s.mem, kind, fn)
	}
	if err := s.w.Flush(); err != nil {
		return spoolFault(err)
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return spoolFault(err)
	}
	in = bufio.NewReaderSize(s.file, 256<<10)
	var head [frameHead]byte
	for {
		if _, err := io.ReadFull(in, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return spoolFault(err)
		}
		n := int(binary.BigEndian.Uint32(head[1:]))
		if head[0] != kind {
			if _, err := in.Discard(n); err != nil {
				return spoolFault(err)
			}
			continue
		}
		raw := make([]byte, n)
		if _, err := io.ReadFull(in, raw); err != nil {
			return spoolFault(err)
		}
		if err := fn(raw); err != nil {
			return err
		}
	}
}

func eachFrame(b []byte, kind byte, fn func(raw []byte) error) error {
	for len(b) >= frameHead {
		n := int(binary.BigEndian.Uint32(b[1:]))
		if b[0] == kind {
			if err := fn(b[frameHead : frameHead+n : frameHead+n]); err != nil {
				return err
			}
		}
		b = b[frameHead+n:]
	}
	return nil
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
	}
	s.mem = nil
}

func spoolFault(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fault.New(fault.Full, "import.spool", "there is no room for the import").Because(err)
	}
	return fault.New(fault.Internal, "import.spool", "the import cannot be kept").Because(fmt.Errorf("spool: %w", err))
}
