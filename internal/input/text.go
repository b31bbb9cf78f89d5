package input

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

const (
	edgeBytes = 1024     // of a file, which say which it is
	maxTitles = 64 << 10 // bytes of lines that say what columns are
)

// form is how a file holds its text.
type form uint8

const (
	plain   form = iota
	packed       // gzip
	decoded      // by Decode
)

// sniff finds out how a file holds its text.
func (f *file) sniff() error {
	b := make([]byte, magicBytes)
	n, err := f.f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading an input: %w", err)
	}
	switch f.form = plain; {
	case bytes.HasPrefix(b, gzipMagic):
		f.form = packed
	case formOf(b[:n]) != nil:
		f.form = decoded
	}
	return nil
}

// from is the text of a file from a place on, as it was at the last look.
func (f *file) from(offset int64) (io.Reader, error) {
	if f.form == plain {
		return io.NewSectionReader(f.f, offset, f.size-offset), nil
	}
	text := bufio.NewReaderSize(io.NewSectionReader(f.f, 0, f.size), readSize)
	if f.form == packed {
		z, err := gzip.NewReader(text)
		if err != nil {
			return nil, fmt.Errorf("unpacking an input: %w", err)
		}
		text = bufio.NewReaderSize(z, readSize)
	}
	head, err := text.Peek(magicBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading an input: %w", err)
	}
	var r io.Reader = text
	if lines, unread, err := Decode(head, text); err != nil {
		return nil, err
	} else if lines != nil {
		r, f.unread = lines, unread
	}
	if _, err := io.CopyN(io.Discard, r, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("unpacking an input: %w", err)
	}
	return r, nil
}

// head is the first bytes of a file's text.
func (f *file) head() ([]byte, error) {
	r, err := f.from(0)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, edgeBytes))
	if err != nil {
		return nil, fmt.Errorf("reading an input: %w", err)
	}
	return b, nil
}

// before is the text before a place, or before the end of a shorter text, and where that is.
func (f *file) before(offset int64) (text []byte, n int64, err error) {
	if f.form == plain {
		n = max(0, min(offset, f.size)-edgeBytes)
	}
	r, err := f.from(n)
	if err != nil {
		return nil, 0, err
	}
	r = io.LimitReader(r, offset-n)
	for buf := make([]byte, 16<<10); ; {
		got, err := r.Read(buf)
		n += int64(got)
		text = ending(text, buf[:got])
		if errors.Is(err, io.EOF) {
			return text, n, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("reading an input: %w", err)
		}
	}
}

// ending is the end of a text after more of it, as far as it says which file this is.
func ending(text, more []byte) []byte {
	text = append(text, more[max(0, len(more)-edgeBytes):]...)
	return append(text[:0], text[max(0, len(text)-edgeBytes):]...)
}

func edgeOf(b []byte) edge {
	b = b[max(0, len(b)-edgeBytes):]
	sum := sha256.Sum256(b)
	return edge{int64(len(b)), hex.EncodeToString(sum[:])}
}

// of says whether a text begins with the edge.
func (e edge) of(b []byte) bool { return int64(len(b)) >= e.Size && edgeOf(b[:e.Size]) == e }

// first gives the first lines of a file, as far as they begin with #.
func (f *file) first() [][]byte {
	lines := [][]byte{}
	if f.form == decoded {
		return lines
	}
	was := f.unread
	r, err := f.from(0)
	if f.unread = was; err != nil {
		return lines // it cannot be read, which is told where its lines are
	}
	for b := bufio.NewReaderSize(io.LimitReader(r, maxTitles), maxTitles); ; {
		if c, err := b.Peek(1); err != nil || c[0] != '#' {
			return lines
		}
		line, err := b.ReadBytes('\n')
		if err != nil {
			return lines
		}
		lines = append(lines, bytes.TrimRight(line, "\r\n"))
	}
}
