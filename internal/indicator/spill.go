package indicator

import (
	"errors"
	"os"
	"runtime"
	"slices"

	"entente/internal/fault"
)

// spillSize is how much is collected in memory before it goes to a file, in octets.
const spillSize = 1 << 20

// spill is a file to which a builder puts what it will not look at again.
type spill struct {
	file *os.File
	size int
	data *mapping
}

func (s *spill) close() {
	if s != nil && s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
		s.file = nil
	}
}

// put writes octets to the file once there are enough of them, or all, and gives those that stay.
func (s *spill) put(b []byte, all bool) ([]byte, error) {
	if s == nil || len(b) < spillSize && !all {
		return b, nil
	}
	n, err := s.file.Write(b)
	s.size += n
	return b[:0], err
}

// before is how many octets went to the file.
func (s *spill) before() int {
	if s == nil || s.data != nil { // all of them are read
		return 0
	}
	return s.size
}

// Spill makes ready for about n entries, and has what is longest of them, values, texts and metas, collected in files of a directory instead of in memory. Such a builder ends with WriteFile, and is closed.
func (b *Builder) Spill(dir string, n int) error {
	for _, to := range []**spill{&b.spilled.metas, &b.spilled.octets, &b.spilled.blob} {
		f, err := os.CreateTemp(dir, ".spill-*")
		if err != nil {
			b.Close()
			return unwritten(err)
		}
		*to = &spill{file: f}
	}
	b.long, b.texts.ends = slices.Grow(b.long, n), slices.Grow(b.texts.ends, n)
	return nil
}

// Close takes the files of Spill away.
func (b *Builder) Close() {
	b.spilled.metas.close()
	b.spilled.octets.close()
	b.spilled.blob.close()
}

// spills writes what has been collected to the files, where there are some.
func (b *Builder) spills(all bool) {
	var err, err2, err3 error
	b.metas, err = b.spilled.metas.put(b.metas, all)
	b.texts.octets, err2 = b.spilled.octets.put(b.texts.octets, all)
	b.blob, err3 = b.spilled.blob.put(b.blob, all)
	b.spilled.err = errors.Join(b.spilled.err, err, err2, err3)
}

// WriteFile makes the index of what was added, and writes it to a file that is there as a whole or not at all. The builder is spent by it.
func (b *Builder) WriteFile(path string, cursor int64) error {
	defer b.Close()
	metas, octets, blob := b.spilled.metas, b.spilled.octets, b.spilled.blob
	if metas != nil {
		b.fold()
		if b.spills(true); b.spilled.err != nil {
			return unwritten(b.spilled.err)
		}
		var err, err2, err3 error
		b.metas, err = metas.read()
		b.texts.octets, err2 = octets.read()
		b.blob, err3 = blob.read()
		if err = errors.Join(err, err2, err3); err != nil {
			return err
		}
	}
	err := b.Snapshot(cursor).WriteFile(path)
	runtime.KeepAlive(metas)
	runtime.KeepAlive(octets)
	runtime.KeepAlive(blob)
	return err
}

// read is all that was put into the file.
func (s *spill) read() ([]byte, error) {
	defer s.close()
	if s.size == 0 {
		return nil, nil
	}
	m, err := mapFile(s.file.Name())
	if err == nil && len(m.data) != s.size {
		err = fault.New(fault.Internal, "indicator.spill", "%d octets of %d are there", len(m.data), s.size)
	}
	if err != nil {
		return nil, unwritten(err)
	}
	s.data = m
	return m.data, nil
}
