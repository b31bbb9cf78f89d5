package input

import (
	"bytes"
	"fmt"
	"io"

	"entente/internal/evtx"
	"entente/internal/flow"
)

// magicBytes is how much of a file says in what form it is.
const magicBytes = 512

// gzipMagic begins what gzip has packed (RFC 1952, 2.3.1).
var gzipMagic = []byte{0x1f, 0x8b}

// Decode gives the lines of what begins so and is in a form of its own: a Windows event log (EVTX), flows of Argus, or JSON that is not one event a line. Unread is how much of
// it could not be read, so far. Text is nil where it is plain. What has no lines is an error that says what to do with it.
func Decode(head []byte, r io.Reader) (text io.Reader, unread func() uint64, err error) {
	open := formOf(head)
	if open == nil {
		return nil, nil, nil
	}
	return open(r)
}

type opener func(io.Reader) (text io.Reader, unread func() uint64, err error)

// formOf is what opens a text that begins so; nil: it is lines as it stands.
func formOf(head []byte) opener {
	switch {
	case bytes.HasPrefix(head, []byte(evtx.Magic)):
		return func(r io.Reader) (io.Reader, func() uint64, error) {
			l, err := evtx.NewReader(r)
			if err != nil {
				return nil, nil, fmt.Errorf("reading an event log: %w", err)
			}
			return l, func() uint64 { return l.Counts.Damaged + l.Counts.Chunks }, nil
		}
	case bytes.HasPrefix(head, []byte(flow.ArgusMagic)):
		return func(r io.Reader) (io.Reader, func() uint64, error) {
			a, err := flow.NewArgus(r)
			if err != nil {
				return nil, nil, err
			}
			return a, func() uint64 { return a.Unread }, nil
		}
	case jsonValues(head):
		return func(r io.Reader) (io.Reader, func() uint64, error) {
			v := newValues(r)
			return v, func() uint64 { return v.unread }, nil
		}
	}
	for _, s := range strangers {
		if len(head) >= s.at && bytes.HasPrefix(head[s.at:], []byte(s.magic)) {
			return func(io.Reader) (io.Reader, func() uint64, error) {
				return nil, nil, fmt.Errorf("it is %s: %s", s.what, s.todo)
			}
		}
	}
	return nil
}

// strangers are forms of files that stand beside logs and have no lines.
var strangers = []struct {
	at                int
	magic, what, todo string
}{
	{0, "\x0c\xa5", "a file of nfdump", "nfreplay sends it to an input of kind netflow"},
	{0, "\xd4\xc3\xb2\xa1", "a capture of packets", captured},
	{0, "\xa1\xb2\xc3\xd4", "a capture of packets", captured},
	{0, "\x4d\x3c\xb2\xa1", "a capture of packets", captured},
	{0, "\x0a\x0d\x0d\x0a", "a capture of packets", captured},
	{257, "ustar", "an archive (tar)", "unpack it"},
	{0, "PK\x03\x04", "an archive (ZIP)", "unpack it"},
	{0, "\x28\xb5\x2f\xfd", "packed (zstd)", unpack},
	{0, "\xfd7zXZ\x00", "packed (xz)", unpack},
	{4, "1AY&SY", "packed (bzip2)", unpack},
	{0, "SQLite format 3\x00", "a database", "export its rows as JSON lines"},
}

const (
	captured = "have Zeek or Suricata read it, and give their logs"
	unpack   = "unpack it, or pack it with gzip"
)
