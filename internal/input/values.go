package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// recordsMagic begins what AWS CloudTrail delivers: one object with all events in it.
const recordsMagic = `{"Records":[`

// jsonValues tells whether a text that begins so is JSON other than one object a line: an array of events, as programs export it, an object that goes on in the next line, or
// events under Records.
func jsonValues(head []byte) bool {
	head = bytes.TrimPrefix(head, byteOrderMark)
	rest := bytes.TrimLeft(head, " \t\r\n")
	switch {
	case len(rest) == 0:
		return false
	case rest[0] == '[':
		next := bytes.TrimLeft(rest[1:], " \t\r\n")
		return len(next) == 0 || next[0] == '{' || next[0] == ']'
	case rest[0] == '{':
		space := rest[1 : len(rest)-len(bytes.TrimLeft(rest[1:], " \t\r\n"))]
		return bytes.IndexByte(space, '\n') >= 0 || bytes.HasPrefix(rest, []byte(recordsMagic))
	}
	return false
}

// values gives each object of a JSON text as a line of its own: those that stand one after the other, and those in arrays.
type values struct {
	d      *jsontext.Decoder
	line   []byte // what is left of the one that is being given
	unread uint64 // values that are no objects
	began  bool
}

func newValues(r io.Reader) *values {
	in := &fenced{r: r}
	v := &values{d: jsontext.NewDecoder(in, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))}
	in.done = v.d.InputOffset
	return v
}

// fenced gives no more than a longest line beyond what the decoder is done with: no value makes it keep more.
type fenced struct {
	r    io.Reader
	done func() int64
	read int64
	bom  bool // was looked for
}

var errLong = fmt.Errorf("one value is longer than %d bytes", MaxLine)

func (f *fenced) Read(b []byte) (int, error) {
	if f.read-f.done() > MaxLine {
		return 0, errLong
	}
	n, err := f.r.Read(b)
	if !f.bom && n >= 3 {
		if bytes.HasPrefix(b[:n], byteOrderMark) {
			copy(b, "   ") // a space for each byte keeps the places in errors
		}
	}
	f.bom = f.bom || n > 0
	f.read += int64(n)
	return n, err
}

func (v *values) Read(b []byte) (int, error) {
	for len(v.line) == 0 {
		if err := v.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, v.line)
	v.line = v.line[n:]
	return n, nil
}

// next goes one step on: into or out of what holds objects, or to the next object.
func (v *values) next() error {
	kind, first := v.d.PeekKind(), !v.began
	v.began = true
	switch holder, _ := v.d.StackIndex(v.d.StackDepth()); {
	case kind == ']', kind == '}', v.d.StackDepth() == 0 && (kind == '[' || kind == '{' && first && v.wrapped()):
		_, err := v.d.ReadToken()
		return v.wrong(err)
	case holder == '{': // all that is in it but the events is of no use
		name, err := v.d.ReadToken()
		if records := err == nil && name.String() == "Records"; records && v.d.PeekKind() == '[' {
			_, err = v.d.ReadToken()
		} else if err == nil {
			err = v.d.SkipValue()
		}
		return v.wrong(err)
	}
	text, err := v.d.ReadValue()
	if err != nil {
		return v.wrong(err)
	}
	if kind != '{' {
		v.unread++
		return nil
	}
	if err := text.Compact(); err != nil {
		return v.wrong(err)
	}
	v.line = append(append(v.line[:0], text...), '\n')
	return nil
}

// wrapped tells whether the object that begins is one with all events in it.
func (v *values) wrapped() bool {
	return bytes.HasPrefix(bytes.TrimLeft(v.d.UnreadBuffer(), " \t\r\n"), []byte(recordsMagic))
}

func (v *values) wrong(err error) error {
	if err == nil || errors.Is(err, io.EOF) && v.d.StackDepth() == 0 {
		return err
	}
	return fmt.Errorf("the JSON cannot be read beyond byte %d: %w", v.d.InputOffset(), err)
}
