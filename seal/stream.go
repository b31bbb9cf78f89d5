package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"time"
)

// ChunkSize is the bytes of every chunk but the last, before they are sealed.
const ChunkSize = 1 << 20

// MaxRecipients bounds who one stream is sealed to.
const MaxRecipients = 64

const (
	magic     = "entente-seal/1\n"
	maxChunks = 1 << 32 // random nonces of 96 bits under one key (NIST SP 800-38D, section 8.3)
)

// Header is what stands in clear before a sealed stream.
type Header struct {
	Keys []KeyID // of the recipients, in their order
}

// Writer seals what is written to it. It is for one goroutine at a time.
type Writer struct {
	w      io.Writer
	aead   cipher.AEAD
	aad    additional
	plain  []byte // less than a chunk, or one that may be the last
	sealed []byte
	err    error
}

// Seal begins a stream that each of the recipients can open, in that realm and for that purpose. Their keys must count at the time. Close ends the stream; one
// that was not closed opens for nobody to its end. What it needs of memory is two chunks.
func Seal(w io.Writer, realm, purpose string, recipients []*Statement, at time.Time) (*Writer, error) {
	if len(recipients) == 0 || len(recipients) > MaxRecipients {
		return nil, refuse("seal.recipient", "a stream is sealed to 1 to %d recipients, not %d", MaxRecipients, len(recipients))
	}
	var key [32]byte
	rand.Read(key[:])
	header := append([]byte(magic), byte(len(recipients)))
	seen := map[KeyID]bool{}
	for _, s := range recipients {
		id := s.ID()
		if seen[id] {
			return nil, refuse("seal.recipient", "a recipient's key is named twice")
		}
		seen[id] = true
		if err := s.At(at); err != nil {
			return nil, err
		}
		wrapped, err := Wrap(key, s, realm, purpose)
		if err != nil {
			return nil, err
		}
		header = append(append(header, id[:]...), wrapped...)
	}
	aead, err := gcm(key)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(header); err != nil {
		return nil, err
	}
	return &Writer{w: w, aead: aead, aad: newAdditional(header), plain: make([]byte, 0, ChunkSize)}, nil
}

// Write implements io.Writer.
func (w *Writer) Write(b []byte) (n int, err error) {
	for n < len(b) && w.err == nil {
		if len(w.plain) == ChunkSize {
			w.chunk(false)
			continue
		}
		take := min(len(b)-n, ChunkSize-len(w.plain))
		w.plain = append(w.plain, b[n:n+take]...)
		n += take
	}
	return n, w.err
}

var errClosed = &Error{"seal.form", "the stream is closed"}

// Close seals what is left, as the last chunk. It does not close what it writes to.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	if w.chunk(true); w.err != nil {
		return w.err
	}
	w.err = errClosed
	return nil
}

func (w *Writer) chunk(last bool) {
	if w.aad.number >= maxChunks {
		w.err = refuse("seal.size", "a stream has at most %d chunks", int64(maxChunks))
		return
	}
	if w.sealed == nil {
		w.sealed = make([]byte, 0, ChunkSize+overhead)
	}
	w.sealed = w.aead.Seal(w.sealed[:0], nil, w.plain, w.aad.next(last))
	w.plain = w.plain[:0]
	_, w.err = w.w.Write(w.sealed)
}

// additional is what a chunk is sealed with: the hash of the header, its number, and whether it is the last.
type additional struct {
	bytes  [sha256.Size + 8 + 1]byte
	number uint64
}

func newAdditional(header []byte) (a additional) {
	sum := sha256.Sum256(header)
	copy(a.bytes[:], sum[:])
	return a
}

func (a *additional) next(last bool) []byte {
	binary.BigEndian.PutUint64(a.bytes[sha256.Size:], a.number)
	a.bytes[sha256.Size+8] = 0
	if last {
		a.bytes[sha256.Size+8] = 1
	}
	a.number++
	return a.bytes[:]
}

// Open reads the head of a sealed stream and gives a reader of what is inside. find gives the own key of an id, or nil. Not a byte is given that was not
// verified, and the end is io.EOF only where the sealer ended the stream: until then, what was read may be the beginning of something else. What it needs of
// memory is two chunks.
func Open(r io.Reader, realm, purpose string, find func(KeyID) *Private) (io.Reader, Header, error) {
	head := make([]byte, len(magic)+1)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, Header{}, short(err)
	}
	n := int(head[len(magic)])
	if string(head[:len(magic)]) != magic {
		return nil, Header{}, refuse("seal.form", "this is no sealed stream of version 1")
	}
	if n == 0 || n > MaxRecipients {
		return nil, Header{}, refuse("seal.size", "a stream is sealed to 1 to %d recipients, not %d", MaxRecipients, n)
	}
	const each = len(KeyID{}) + WrapSize
	head = append(head, make([]byte, n*each)...)
	recipients := head[len(magic)+1:]
	if _, err := io.ReadFull(r, recipients); err != nil {
		return nil, Header{}, short(err)
	}
	var h Header
	var own *Private
	var wrapped []byte
	for at := range n {
		part := recipients[at*each:][:each]
		id := KeyID(part)
		h.Keys = append(h.Keys, id)
		if own != nil {
			continue
		}
		if p := find(id); p != nil && p.id == id {
			own, wrapped = p, part[len(id):]
		}
	}
	if own == nil {
		return nil, h, refuse("seal.recipient", "no key that is here opens this: it is sealed to others, in another realm, or to a key that was destroyed")
	}
	key, err := own.Unwrap(wrapped, realm, purpose)
	if err != nil {
		return nil, h, err
	}
	aead, err := gcm(key)
	if err != nil {
		return nil, h, err
	}
	return &reader{r: r, aead: aead, aad: newAdditional(head), sealed: make([]byte, 0, sealedChunk+1)}, h, nil
}

const sealedChunk = ChunkSize + overhead

type reader struct {
	r      io.Reader
	aead   cipher.AEAD
	aad    additional
	sealed []byte // what was read; one byte more than a chunk tells whether another follows
	plain  []byte
	rest   []byte // of plain, still to be given
	err    error
}

func (r *reader) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for len(r.rest) == 0 && r.err == nil {
		r.err = r.chunk()
	}
	if len(r.rest) == 0 {
		return 0, r.err
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// chunk opens the next chunk. After the last it gives io.EOF, with what the chunk held.
func (r *reader) chunk() error {
	have := len(r.sealed)
	n, err := io.ReadFull(r.r, r.sealed[have:sealedChunk+1])
	r.sealed = r.sealed[:have+n]
	last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	switch {
	case err != nil && !last:
		return err
	case len(r.sealed) < overhead:
		return short(io.ErrUnexpectedEOF)
	case r.aad.number >= maxChunks:
		return refuse("seal.size", "a stream has at most %d chunks", int64(maxChunks))
	case last && r.aad.number > 0 && len(r.sealed) == overhead:
		return refuse("seal.form", "an empty chunk follows others")
	}
	whole := r.sealed[:min(len(r.sealed), sealedChunk)]
	if r.plain == nil {
		r.plain = make([]byte, 0, len(whole)-overhead)
	}
	number := r.aad.number
	if r.plain, err = r.aead.Open(r.plain[:0], nil, whole, r.aad.next(last)); err != nil {
		r.plain = nil
		if last {
			return refuse("seal.short", "the stream was cut off or changed in chunk %d, the last that is here: fetch it again", number)
		}
		return refuse("seal.broken", "chunk %d is not what was sealed there: it was changed, moved or put in", number)
	}
	r.rest = r.plain
	if last {
		return io.EOF
	}
	r.sealed[0] = r.sealed[sealedChunk]
	r.sealed = r.sealed[:1]
	return nil
}

func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return refuse("seal.short", "the stream was cut off: fetch it again")
	}
	return err
}
