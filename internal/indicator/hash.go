package indicator

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
)

// Key is the secret of a node's index. Who does not know it cannot make values that share a place, and so cannot make lookups slow.
type Key [32]byte

// NewKey is a random key.
func NewKey() (k Key) {
	_, _ = rand.Read(k[:]) // never fails
	return k
}

// hasher gives 64 bits to a value: a chain of 64 by 64 bit multiplications, folded, under four secret words.
type hasher struct{ start, chain, last, close uint64 }

func newHasher(k Key) hasher {
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(k[8*i:]) }
	return hasher{start: word(0), chain: word(1) | 1, last: word(2), close: word(3) | 1}
}

func fold64(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// step takes in up to eight octets.
func (h *hasher) step(state, chunk uint64, n int) uint64 {
	return fold64(state^chunk, h.chain^uint64(n)<<1) + h.last
}

func (h *hasher) finish(state uint64, k Kind) uint64 {
	return fold64(state^h.last, h.close^uint64(k)<<1)
}

// sum is the hash of a key of any kind but a domain.
func (h *hasher) sum(k Kind, key []byte) uint64 {
	state := h.start ^ uint64(len(key))
	for len(key) >= 8 {
		state = h.step(state, binary.LittleEndian.Uint64(key), 8)
		key = key[8:]
	}
	chunk := uint64(0)
	for i := len(key) - 1; i >= 0; i-- {
		chunk = chunk<<8 | uint64(key[i])
	}
	return h.finish(h.step(state, chunk, len(key)), k)
}

// A nameWalk goes through a domain name from its end and stops at every label: one pass hashes the name and all its parents.
type nameWalk struct {
	h     *hasher
	name  []byte
	at    int // where the last suffix begins
	state uint64
}

func (h *hasher) walk(name []byte) nameWalk {
	return nameWalk{h: h, name: name, at: len(name) + 1, state: h.start}
}

// lowered is every octet in lower case.
var lowered = func() (t [256]byte) {
	for i := range t {
		t[i] = low(byte(i))
	}
	return t
}()

// next is the hash of the next longer suffix, which begins at w.at; false: there is none. A label of ASCII is the same in any case.
func (w *nameWalk) next() (uint64, bool) {
	if w.at <= 0 {
		return 0, false
	}
	chunk, n, i, state := uint64(0), 0, w.at-2, w.state
	for name := w.name[:w.at-1]; i >= 0; i-- {
		c := lowered[name[i]]
		if c == '.' {
			break
		}
		chunk = chunk<<8 | uint64(c)
		if n++; n == 8 {
			state = w.h.step(state, chunk, 8)
			chunk, n = 0, 0
		}
	}
	w.state = w.h.step(state, chunk, n)
	w.at = i + 1
	return w.h.finish(w.state, Domain), true
}

// sumName is the hash of a whole domain name.
func (h *hasher) sumName(name []byte) (sum uint64) {
	for w := h.walk(name); ; {
		s, ok := w.next()
		if !ok {
			return sum
		}
		sum = s
	}
}
