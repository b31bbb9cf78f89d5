// Package state writes down what is to outlive a process, and reads it again: numbers of variable length, and texts after their lengths. What is read may be anything: nothing of it
// makes a [Reader] fail in another way than by its error, or take more memory than there is to read.
package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"entente/internal/fault"
)

// Writer gathers what is written. The zero value is empty.
type Writer struct{ b []byte }

// Uint writes a number that is not negative.
func (w *Writer) Uint(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

// Int writes a whole number.
func (w *Writer) Int(n int64) { w.b = binary.AppendVarint(w.b, n) }

// Word writes a number that takes 8 bytes, whatever it is.
func (w *Writer) Word(n uint64) { w.b = binary.LittleEndian.AppendUint64(w.b, n) }

// Text writes a text.
func (w *Writer) Text(s string) {
	w.Uint(uint64(len(s)))
	w.b = append(w.b, s...)
}

// Data writes bytes.
func (w *Writer) Data(b []byte) {
	w.Uint(uint64(len(b)))
	w.b = append(w.b, b...)
}

// Bytes is what was written. It is the writer's, as long as nothing more is written.
func (w *Writer) Bytes() []byte { return w.b }

// Len is how many bytes were written.
func (w *Writer) Len() int { return len(w.b) }

// Reset forgets what was written.
func (w *Writer) Reset() { w.b = w.b[:0] }

// Seal is what was written, and its SHA-256 behind it, for [Open].
func (w *Writer) Seal() []byte {
	sum := sha256.Sum256(w.b)
	return append(w.b, sum[:]...)
}

// Reader reads what a [Writer] wrote, one thing after the other. After the first that cannot be, everything is 0 and [Reader.Err] says what.
type Reader struct {
	b   []byte
	err error
}

// NewReader reads what was written and not sealed.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Open reads what was sealed. Where the seal is not right, nothing can be read.
func Open(sealed []byte) *Reader {
	r := &Reader{}
	body := sealed[:max(0, len(sealed)-sha256.Size)]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], sealed[len(body):]) {
		r.Fail("its checksum is wrong")
		return r
	}
	r.b = body
	return r
}

// Err is what was wrong first; nil: nothing was. It is of package fault.
func (r *Reader) Err() error { return r.err }

// Fail says that what was read cannot be.
func (r *Reader) Fail(why string) {
	if r.err == nil {
		r.err = fault.New(fault.Invalid, "state", "what was kept is damaged: %s", why).Try("begin without it: what was seen by then is forgotten")
		r.b = nil
	}
}

// End says that nothing more may follow.
func (r *Reader) End() {
	if len(r.b) > 0 {
		r.Fail("something stands behind it")
	}
}

// Rest is how many bytes are left.
func (r *Reader) Rest() int { return len(r.b) }

func (r *Reader) take(n int) {
	if n <= 0 {
		r.Fail("it ends too early")
		return
	}
	r.b = r.b[n:]
}

// Uint reads what Uint wrote, as the others do.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.take(n); n <= 0 {
		return 0
	}
	return v
}

// Int reads a whole number.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.b)
	if r.take(n); n <= 0 {
		return 0
	}
	return v
}

// Word reads a number of 8 bytes.
func (r *Reader) Word() (v uint64) {
	if len(r.b) < 8 {
		r.Fail("it ends too early")
		return 0
	}
	v = binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

// Count reads how many of something follow, each of which takes a byte at least.
func (r *Reader) Count() int {
	n := r.Uint()
	if n > uint64(len(r.b)) {
		r.Fail("it says that there is more of something than there is")
		return 0
	}
	return int(n)
}

// Data reads bytes. They are a part of what is being read.
func (r *Reader) Data() []byte {
	n := r.Count()
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// Text reads a text.
func (r *Reader) Text() string { return string(r.Data()) }

// Expect reads a text that must be this one: what begins with another is something else, or of another version.
func (r *Reader) Expect(text string) {
	if r.Text() != text {
		r.Fail("it begins as none does")
	}
}
