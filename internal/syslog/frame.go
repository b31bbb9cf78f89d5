package syslog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Frames reads messages from a stream: with their length before them, or each on its line (RFC 6587, sections 3.4.1 and 3.4.2). Which it is, each message says by how it
// begins.
type Frames struct {
	Long uint64 // messages that were longer than they may be: left out

	r   *bufio.Reader
	max int
	buf []byte
}

// NewFrames reads messages of at most so many bytes.
func NewFrames(r io.Reader, most int) *Frames {
	return &Frames{r: bufio.NewReaderSize(r, 64<<10), max: most}
}

// ErrFrame says that a stream is not one of messages: there is no telling where the next begins.
var ErrFrame = errors.New("what comes is no syslog: the length of a message cannot be")

// Next gives the next message, which is valid until the next call. [io.EOF]: the stream ended between two messages.
func (f *Frames) Next() ([]byte, error) {
	for {
		c, err := f.r.ReadByte()
		if err != nil {
			return nil, err
		}
		switch {
		case c == '\n' || c == '\r' || c == 0 || c == ' ':
			continue
		case c >= '1' && c <= '9':
			if msg, ok, err := f.counted(c); ok || err != nil {
				return msg, err
			}
			continue
		}
		if err := f.r.UnreadByte(); err != nil {
			return nil, fmt.Errorf("reading syslog: %w", err)
		}
		msg, long, err := f.line()
		if long {
			f.Long++
			if err != nil {
				return nil, err
			}
			continue
		}
		if len(msg) > 0 {
			return msg, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// counted reads a message whose length begins with a digit. False: it was too long.
func (f *Frames) counted(c byte) ([]byte, bool, error) {
	n := int(c - '0')
	for i := 0; ; i++ {
		c, err := f.r.ReadByte()
		if err != nil {
			return nil, false, unexpected(err)
		}
		if c == ' ' {
			break
		}
		if c < '0' || c > '9' || i > 7 {
			return nil, false, ErrFrame
		}
		n = 10*n + int(c-'0')
	}
	if n > f.max {
		f.Long++
		if _, err := f.r.Discard(n); err != nil {
			return nil, false, unexpected(err)
		}
		return nil, false, nil
	}
	if cap(f.buf) < n {
		f.buf = make([]byte, n)
	}
	if _, err := io.ReadFull(f.r, f.buf[:n]); err != nil {
		return nil, false, unexpected(err)
	}
	return f.buf[:n], true, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// line reads a message up to the end of its line, or to a zero, as some end them.
func (f *Frames) line() (msg []byte, long bool, err error) {
	f.buf = f.buf[:0]
	for {
		part, err := f.r.ReadSlice('\n')
		if !long {
			f.buf = append(f.buf, part...)
			long = len(f.buf) > f.max+2
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			for len(f.buf) > 0 && (f.buf[len(f.buf)-1] == '\n' || f.buf[len(f.buf)-1] == '\r' || f.buf[len(f.buf)-1] == 0) {
				f.buf = f.buf[:len(f.buf)-1]
			}
			return f.buf, long, err
		}
	}
}
