package blob

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"io"
)

// A container is a head and then chunks, each sealed with AES-256-GCM under the blob's own random key. Every chunk but the last holds
// chunkSize bytes; only an empty blob has an empty one. The number of a chunk and whether it is the last are authenticated with it, so
// that chunks cannot be left out, repeated, moved or cut off (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015).
// The nonces are random and stand before their chunks: with them the sealing is allowed where only approved modes are.
const (
	head      = "entblob\x01"
	chunkSize = 64 << 10
	chunkMore = 12 + 16 // nonce and tag
	keySize   = 32
)

// errDamaged says that a container is not what was written, or that the key is another's.
var errDamaged = errors.New("the container is damaged or its key is not the right one")

type chunks struct {
	aead cipher.AEAD
	aad  [len(head) + 9]byte // head, number of the chunk, whether it is the last
}

func newChunks(key []byte) (chunks, error) {
	block, err := aes.NewCipher(key)
	if err != nil || len(key) != keySize {
		return chunks{}, errDamaged
	}
	c := chunks{}
	copy(c.aad[:], head)
	c.aead, err = cipher.NewGCMWithRandomNonce(block)
	return c, err
}

// next is what is authenticated with the chunk of the given number.
func (c *chunks) next(n uint64, last bool) []byte {
	binary.BigEndian.PutUint64(c.aad[len(head):], n)
	c.aad[len(c.aad)-1] = 0
	if last {
		c.aad[len(c.aad)-1] = 1
	}
	return c.aad[:]
}

// sealer writes a container. What was written is whole only after Close.
type sealer struct {
	chunks
	w     io.Writer
	n     uint64
	plain []byte // less than or just one chunk: a full one waits until it is known whether it is the last
	out   []byte
}

func newSealer(w io.Writer, key []byte) (*sealer, error) {
	c, err := newChunks(key)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(w, head); err != nil {
		return nil, err
	}
	return &sealer{chunks: c, w: w, plain: make([]byte, 0, chunkSize), out: make([]byte, 0, chunkSize+chunkMore)}, nil
}

func (s *sealer) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		if len(s.plain) == chunkSize {
			if err := s.flush(false); err != nil {
				return n, err
			}
		}
		k := min(len(b), chunkSize-len(s.plain))
		s.plain = append(s.plain, b[:k]...)
		b = b[k:]
		n += k
	}
	return n, nil
}

func (s *sealer) flush(last bool) error {
	s.out = s.aead.Seal(s.out[:0], nil, s.plain, s.next(s.n, last))
	s.n++
	clear(s.plain)
	s.plain = s.plain[:0]
	_, err := s.w.Write(s.out)
	return err
}

// Close writes the last chunk. It does not close what is below.
func (s *sealer) Close() error { return s.flush(true) }

// opener reads a container. It hands out only bytes that are authentic, and io.EOF only when the last chunk was.
type opener struct {
	chunks
	r     *bufio.Reader
	n     uint64
	plain []byte
	buf   []byte
	err   error // after what is in plain
}

func newOpener(r io.Reader, key []byte) (*opener, error) {
	c, err := newChunks(key)
	if err != nil {
		return nil, err
	}
	o := &opener{chunks: c, r: bufio.NewReaderSize(r, chunkSize+chunkMore+1), buf: make([]byte, 0, chunkSize)}
	var h [len(head)]byte
	if _, err := io.ReadFull(o.r, h[:]); err != nil || string(h[:]) != head {
		return nil, broken(err)
	}
	return o, nil
}

func (o *opener) Read(b []byte) (int, error) {
	for len(o.plain) == 0 {
		if o.err != nil {
			return 0, o.err
		}
		o.fill()
	}
	n := copy(b, o.plain)
	o.plain = o.plain[n:]
	return n, nil
}

// fill opens the next chunk. It is the last when no byte follows it.
func (o *opener) fill() {
	ahead, err := o.r.Peek(chunkSize + chunkMore + 1)
	last := err != nil
	if last && err != io.EOF {
		o.err = err
		return
	}
	sealed := ahead[:min(len(ahead), chunkSize+chunkMore)]
	plain, err := o.aead.Open(o.buf[:0], nil, sealed, o.next(o.n, last))
	if err != nil || len(plain) == 0 && o.n > 0 {
		o.err = errDamaged
		return
	}
	o.r.Discard(len(sealed)) // cannot fail: it was peeked
	o.plain = plain
	o.n++
	if last {
		o.err = io.EOF
	}
}

// broken is a failure to read as it is, and an end that came too soon as damage.
func broken(err error) error {
	if err == nil || err == io.EOF || err == io.ErrUnexpectedEOF {
		return errDamaged
	}
	return err
}
