package input

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// Reader gives the lines of something that can be read once: the standard input. It ends with it.
type Reader struct {
	Name   string
	In     io.Reader
	Counts func(func(*Counts))
}

// Run implements Source. When the context ends while nothing comes, what waits for the next line is left to wait.
func (s *Reader) Run(ctx context.Context, take func(*Batch) error) error {
	if s.Counts == nil {
		s.Counts = counter(new(Counts))
	}
	g := newGather(s.Name, s.Counts, take)
	inner, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- s.read(inner, g) }()
	go func() { defer stop(); g.run(inner) }()
	select {
	case err := <-done:
		return errors.Join(err, g.flush(true))
	case <-inner.Done():
		return g.flush(true)
	}
}

func (s *Reader) read(ctx context.Context, g *gather) error {
	r := bufio.NewReaderSize(s.In, readSize)
	var line []byte
	long := false
	for ctx.Err() == nil {
		part, err := r.ReadSlice('\n')
		if !long {
			line = append(line, part...)
			if long = len(line) > MaxLine+2; long {
				s.Counts(func(c *Counts) { c.Long++ })
			}
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		ends := bytes.HasSuffix(line, []byte{'\n'})
		if text := bytes.TrimRight(line, "\r\n"); !long && len(text) > 0 && ctx.Err() == nil {
			if !ends {
				s.Counts(func(c *Counts) { c.Partial++ })
			}
			if err := g.add(text); err != nil {
				return err
			}
		}
		line, long = line[:0], false
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			s.Counts(func(c *Counts) { c.Errors++ })
			return fmt.Errorf("reading %s: %w", s.Name, err)
		}
	}
	return nil
}
