package recall

import (
	"encoding/binary"
	"math/bits"
)

// NewHash is a keyed hash that nobody can foresee without the key: SipHash-2-4 (Aumasson, Bernstein: SipHash, a fast short-input PRF, 2012) over the kind and the value.
func NewHash(key [16]byte) Hash {
	k0, k1 := binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])
	return func(kind uint8, value []byte) uint64 {
		s := sip{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
		n := len(value) + 1
		word, have := uint64(kind), 1 // the kind is the first byte of what is hashed
		for len(value) >= 8-have {
			for i := have; i < 8; i++ {
				word |= uint64(value[i-have]) << (8 * i)
			}
			value = value[8-have:]
			s.word(word)
			word, have = 0, 0
		}
		for i, c := range value {
			word |= uint64(c) << (8 * (i + have))
		}
		s.word(word | uint64(n)<<56)
		s.c ^= 0xff
		for range 4 {
			s.round()
		}
		return s.a ^ s.b ^ s.c ^ s.d
	}
}

// sip is the state of SipHash.
type sip struct{ a, b, c, d uint64 }

func (s *sip) word(w uint64) {
	s.d ^= w
	s.round()
	s.round()
	s.a ^= w
}

func (s *sip) round() {
	s.a += s.b
	s.b = bits.RotateLeft64(s.b, 13) ^ s.a
	s.a = bits.RotateLeft64(s.a, 32)
	s.c += s.d
	s.d = bits.RotateLeft64(s.d, 16) ^ s.c
	s.a += s.d
	s.d = bits.RotateLeft64(s.d, 21) ^ s.a
	s.c += s.b
	s.b = bits.RotateLeft64(s.b, 17) ^ s.c
	s.c = bits.RotateLeft64(s.c, 32)
}
