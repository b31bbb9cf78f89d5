package input

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"
)

// file is one that is read.
type file struct {
	f       *os.File
	mark    mark // without an ID nobody knows yet which it is
	form    form
	size    int64         // of the file at the last look
	changed time.Time     // when it was written to last, by then
	still   bool          // it was the same at the one before
	text    io.Reader     // of one that is not plain, at read
	unread  func() uint64 // of it, so far
	over    bool          // of one that is not plain: it was read to its end
	failed  int64         // the size at which it could not be read
	err     error         // why it cannot be read now
	behind  bool          // it was cut off, and had more than was read
	waits   string        // the ID of the file that it is a copy of, while that one is being read
	waited  int           // looks at which it had not grown and was a copy
	idle    int           // looks since something came
	rest    []byte        // of the line that has not ended
	begin   int64         // of that line in the text
	read    int64         // bytes of the text, the rest among them
	tail    []byte        // the text before begin, as far as it says which file this is
	titles  [][]byte      // its first lines, as far as they begin with #; nil: they were not looked for
	long    bool          // the line that is being read is too long: it is left out up to its end
	current bool          // it stands where a pattern names it
	stray   bool          // no pattern named it: it is read only if it is known
	quiet   int           // looks at which nothing more came, since it does not
}

// reach opens a file, unless it is open.
func (s *Files) reach(f *file) error {
	if f.f != nil {
		return nil
	}
	h, err := os.OpenFile(f.mark.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe that came to be there meanwhile does not hold it up
	if err != nil {
		return fmt.Errorf("opening an input: %w", err)
	}
	info, err := h.Stat()
	if err == nil {
		if is, ok := identityOf(f.mark.Path, info); !ok || is.file() != f.mark.file() {
			err = errMoved
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("opening an input: %w", err), h.Close())
	}
	f.f = h
	s.handles++
	return nil
}

var errMoved = fmt.Errorf("another file came in its place: %w", os.ErrNotExist)

// shut closes a file.
func (s *Files) shut(f *file) error {
	if f.f == nil {
		return nil
	}
	h := f.f
	f.f = nil
	s.handles--
	if err := h.Close(); err != nil {
		return fmt.Errorf("closing an input: %w", err)
	}
	return nil
}

// spare closes a file that can be opened again, where too many are open.
func (s *Files) spare(f *file) error {
	if s.handles <= maxHandles || !f.current || f.text != nil {
		return nil
	}
	return s.shut(f)
}

// fill reads more of a file's text after what is left of it; 0: nothing more is there.
func (s *Files) fill(f *file) (b []byte, n int, err error) {
	if want := len(f.rest) + readSize; cap(s.buf) < want {
		s.buf = make([]byte, want)
	}
	b = s.buf[:len(f.rest)+readSize]
	copy(b, f.rest)
	if f.form == plain {
		most := min(readSize, max(0, f.size-f.read)) // what came since is read when the file is known by it
		n, err = f.f.ReadAt(b[len(f.rest):len(f.rest)+int(most)], f.read)
	} else if f.text == nil {
		f.text, err = f.from(f.read)
	}
	if f.form != plain && err == nil {
		if n, err = io.ReadFull(f.text, b[len(f.rest):]); n > 0 {
			err = nil
		}
	}
	switch {
	case n > 0:
		f.read += int64(n)
		return b[:len(f.rest)+n], n, nil
	case errors.Is(err, io.EOF):
		f.over = f.form != plain
		return nil, 0, nil
	case err != nil:
		f.failed, f.text = f.size, nil
		return nil, 0, fmt.Errorf("reading an input: %w", err)
	}
	return nil, 0, nil
}

// drain gives what a file has, as far as lines end, and how many those are.
func (s *Files) drain(ctx context.Context, f *file, take func(*Batch) error) (lines int, err error) {
	if f.mark.ID == "" || f.mark.Left != 0 || f.over || f.form != plain && (!f.still || f.failed == f.size) || f.f == nil && f.read >= f.size && f.form == plain {
		return 0, nil
	}
	if err := s.reach(f); err != nil {
		if errors.Is(err, os.ErrNotExist) { // it was moved meanwhile: the next look says where to
			return 0, nil
		}
		s.trouble(f, err)
		if !s.Follow {
			return 0, err
		}
		return 0, nil
	}
	for ctx.Err() == nil {
		b, n, err := s.fill(f)
		if err != nil {
			s.trouble(f, err)
			if !s.Follow {
				return lines, err
			}
			return lines, nil
		}
		f.err = nil
		if f.form == plain {
			s.lag.Add(-int64(n))
		}
		if n == 0 {
			if f.over {
				if f.unread != nil {
					s.Counts(func(c *Counts) { c.Unread += f.unread() })
				}
				return lines, errors.Join(s.finish(f, take, true), s.shut(f))
			}
			return lines, nil
		}
		got, err := s.split(f, b, take)
		lines += got
		if err != nil {
			return lines, err
		}
	}
	return lines, nil
}

var byteOrderMark = []byte("\ufeff")

// batch begins one at the line that is being read.
func (f *file) batch() *Batch {
	if f.begin > 0 && f.titles == nil {
		f.titles = f.first()
	}
	return &Batch{Source: f.mark.Path, Block: f.mark.ID + "/" + strconv.FormatInt(f.begin>>blockBits, 10), Head: f.titles}
}

// split gives the lines that end in what was read, which begins where a line does.
func (s *Files) split(f *file, b []byte, take func(*Batch) error) (lines int, err error) {
	start := f.read - int64(len(b)) // in the text
	batch, size, at, from := f.batch(), 0, 0, 0
	give := func(last bool) error {
		f.note(b[from:at])
		from = at
		if len(batch.Lines) > 0 || last {
			if err := s.give(f, batch, last, take); err != nil {
				return err
			}
			lines += len(batch.Lines)
		}
		batch, size = f.batch(), 0
		return nil
	}
	for {
		if hole := len(b) - at - len(bytes.TrimLeft(b[at:], "\x00")); hole > 0 && !f.long {
			at += hole // whoever goes on writing to a file that was cut off leaves one before the line
		} else {
			end := bytes.IndexByte(b[at:], '\n')
			if end < 0 {
				break
			}
			line := bytes.TrimSuffix(b[at:at+end], []byte{'\r'})
			if at += end + 1; f.begin == 0 {
				line = bytes.TrimPrefix(line, byteOrderMark)
			}
			switch {
			case f.long:
				f.long = false
			case len(line) > MaxLine:
				s.Counts(func(c *Counts) { c.Long++ })
			case len(line) > 0:
				batch.Lines = append(batch.Lines, line)
				size += len(line)
			}
		}
		next := start + int64(at)
		last := next>>blockBits != f.begin>>blockBits
		f.begin = next
		if last || len(batch.Lines) >= maxBatch || size >= maxBytes {
			if err := give(last); err != nil {
				return lines, err
			}
		}
	}
	if from < at {
		if err := give(false); err != nil {
			return lines, err
		}
	}
	if f.rest = append(f.rest[:0], b[at:]...); len(f.rest) > MaxLine || f.long {
		if !f.long {
			s.Counts(func(c *Counts) { c.Long++ })
		}
		f.note(f.rest)
		f.rest, f.long = nil, true
	}
	return lines, nil
}

// note keeps the end of the text that goes on so.
func (f *file) note(b []byte) {
	f.tail = ending(f.tail, b)
}

// give gives a batch; the last of a block with what is kept when it is done with.
func (s *Files) give(f *file, b *Batch, last bool, take func(*Batch) error) error {
	if last {
		f.mark.Offset, f.mark.Tail = f.begin, edgeOf(f.tail)
		b.Last = true
		if m := f.mark; s.Marks != nil {
			b.Done = func() error { return s.Marks.keep(m) }
		}
	}
	if err := take(b); err != nil {
		return err
	}
	size := 0
	for _, l := range b.Lines {
		size += len(l)
	}
	s.Counts(func(c *Counts) { c.Lines += uint64(len(b.Lines)); c.Bytes += uint64(size) })
	return nil
}

// finish gives the last line of a file that does not go on, though no end of line follows it. With a file that is left its block ends.
func (s *Files) finish(f *file, take func(*Batch) error, left bool) error {
	if f.mark.ID == "" || f.mark.Left != 0 {
		return nil
	}
	b := f.batch()
	if len(f.rest) > 0 {
		b.Lines = append(b.Lines, f.rest)
		s.Counts(func(c *Counts) { c.Partial++ })
	}
	if left {
		if f.long {
			f.begin = f.read
		}
		f.note(f.rest)
		f.begin += int64(len(f.rest))
		f.mark.Left = time.Now().Unix()
		s.ended[f.mark.ID] = true
	}
	f.rest = nil
	if len(b.Lines) == 0 && !left {
		return nil
	}
	return s.give(f, b, left, take)
}
