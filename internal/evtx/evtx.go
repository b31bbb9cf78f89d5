// Package evtx reads event logs of Windows in their own form, EVTX, and gives of each record one line of flat JSON: what the system says of the event under its own
// names (Channel, EventID, Computer, Provider_Name …) beside the members of its EventData or UserData, as Windows itself writes them: numbers in hexadecimal as 0x3e7, GUIDs in
// braces, SIDs as S-1-5-18.
//
// The form is a file header, then chunks of 64 KiB that stand for themselves, each with records of binary XML whose templates and names are shared within the chunk ([MS-EVEN6],
// section 2.2.12 for the XML; what is around it has been described by those who examined it). Nothing that a file says is trusted: what cannot be is left out and counted.
package evtx

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Magic is what a file begins with.
const Magic = "ElfFile\x00"

const (
	headerSize = 4096
	chunkMagic = "ElfChnk\x00"
	chunkSize  = 1 << 16
	chunkHead  = 0x200
	recordHead = 24
	maxLine    = 1 << 20   // bytes of JSON of one record
	maxWork    = 1_000_000 // tokens and values that are looked at for one chunk
	maxDepth   = 24        // elements in each other
)

// Counts are what was read, and what could not be.
type Counts struct {
	Records uint64
	Damaged uint64 // records that could not be read
	Chunks  uint64 // that could not be read, or not to their end
}

// Error says that something is no event log.
type Error struct{ Why string }

func (e *Error) Error() string { return e.Why }

// Reader reads one file.
type Reader struct {
	Counts Counts

	r       io.Reader
	left    int  // chunks that there should be
	end     bool // of the file
	c       chunk
	at      int // of the next record in the chunk
	line    []byte
	unread  []byte // of the line, by Read
	scratch []byte
}

// NewReader reads the header of a file. A file that does not begin as one gives an [*Error].
func NewReader(r io.Reader) (*Reader, error) {
	b := make([]byte, headerSize)
	if n, err := io.ReadFull(r, b); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		if b = b[:n]; n < 128 || string(b[:len(Magic)]) != Magic {
			return nil, &Error{"this is no Windows event log: it is shorter than its header"}
		}
	} else if err != nil {
		return nil, fmt.Errorf("reading an event log: %w", err)
	}
	if string(b[:len(Magic)]) != Magic {
		return nil, &Error{"this is no Windows event log: it does not begin with ElfFile"}
	}
	if major := binary.LittleEndian.Uint16(b[38:]); major != 3 {
		return nil, &Error{fmt.Sprintf("this is a Windows event log of version %d; version 3 is known", major)}
	}
	return &Reader{r: r, at: -1, left: int(binary.LittleEndian.Uint16(b[42:]))}, nil
}

// Next gives the line of the next record, without an end of line. It is valid until the next call. The error is [io.EOF] at the end, or that of reading the file.
func (r *Reader) Next() ([]byte, error) {
	for {
		if r.at < 0 {
			if r.end {
				return nil, io.EOF
			}
			if err := r.chunk(); err != nil {
				return nil, err
			}
			continue
		}
		record, ok := r.record()
		if !ok {
			r.at = -1
			continue
		}
		r.line = append(r.line[:0], '{')
		line, err := r.c.event(r.line, record)
		if err != nil {
			r.Counts.Damaged++
			continue
		}
		r.line = line
		r.Counts.Records++
		return append(line, '}'), nil
	}
}

// Read implements [io.Reader] over the lines, each with an end of line.
func (r *Reader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(r.unread) == 0 {
			line, err := r.Next()
			if err != nil {
				if n > 0 && errors.Is(err, io.EOF) {
					return n, nil
				}
				return n, err
			}
			r.scratch = append(append(r.scratch[:0], line...), '\n')
			r.unread = r.scratch
		}
		k := copy(p[n:], r.unread)
		n, r.unread = n+k, r.unread[k:]
	}
	return n, nil
}

// chunk reads the next one.
func (r *Reader) chunk() error {
	if r.c.b == nil {
		r.c.b = make([]byte, chunkSize)
	}
	r.left--
	n, err := io.ReadFull(r.r, r.c.b)
	switch {
	case errors.Is(err, io.EOF):
		r.end = true
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF): // the file was cut off
		r.end = true
		clear(r.c.b[n:])
		r.Counts.Chunks++
	case err != nil:
		return fmt.Errorf("reading an event log: %w", err)
	}
	if string(r.c.b[:8]) != chunkMagic {
		if r.left >= 0 && !r.end { // else nobody says that it was ever used
			r.Counts.Chunks++
		}
		return nil
	}
	r.c.reset()
	r.at = chunkHead
	return nil
}

// record finds the next one in the chunk. False: there is none.
func (r *Reader) record() (body span, ok bool) {
	b, end := r.c.b, r.c.used()
	if r.at+recordHead+4 > end {
		return span{}, false
	}
	begins := func(at int) bool { return bytes.HasPrefix(b[at:end], recordMagic) }
	at := r.at
	size := int(binary.LittleEndian.Uint32(b[at+4:]))
	if begins(at) && size >= recordHead+4 && size <= chunkSize-at {
		r.at += size
		return span{at + recordHead, at + size - 4}, true
	}
	whole := begins(at) // its size is not sound: it goes up to the next
	if next := bytes.Index(b[at+1:end], recordMagic); next >= 0 {
		r.at += 1 + next
	} else {
		r.at = end
	}
	if !whole || r.at < at+recordHead+4 {
		r.Counts.Damaged++
		return r.record()
	}
	return span{at + recordHead, r.at - 4}, true
}

var recordMagic = []byte{0x2a, 0x2a, 0, 0}

// epoch is 1970 in the units of Windows: 100 ns since 1601.
const epoch = 116_444_736_000_000_000

// fileTime writes a time of Windows; false: it is none.
func fileTime(to []byte, t uint64) ([]byte, bool) {
	if t > 1<<62 {
		return to, false
	}
	d := int64(t) - epoch
	at := time.Unix(d/10_000_000, d%10_000_000*100).UTC()
	if at.Year() > 9999 {
		return to, false
	}
	return at.AppendFormat(to, "2006-01-02T15:04:05.0000000Z"), true
}
