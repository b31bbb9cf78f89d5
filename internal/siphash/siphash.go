// Package siphash is SipHash-2-4 (Aumasson, Bernstein: SipHash, a fast short-input PRF, 2012): a hash that nobody can foresee without its key.
package siphash

import (
	"encoding/binary"
	"math/bits"
)

// Key is what a hash is made with: two words, as they stand in 16 bytes with the lowest first.
type Key [2]uint64

// NewKey is the key of 16 bytes.
func NewKey(b [16]byte) Key {
	return Key{binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])}
}

// Sum64 is the hash of 64 bits.
func (k Key) Sum64(text []byte) uint64 {
	a, b, c, d := k.start()
	a, b, c, d = absorb(a, b, c, d, text)
	return finish(a, b, c^0xff, d)
}

// Sum128 is the hash of 128 bits, the lowest first. It is another one than Sum64.
func (k Key) Sum128(text []byte) [2]uint64 {
	a, b, c, d := k.start()
	a, b, c, d = absorb(a, b^0xee, c, d, text)
	a, b, c, d = four(a, b, c^0xee, d)
	low := a ^ b ^ c ^ d
	return [2]uint64{low, finish(a, b^0xdd, c, d)}
}

func (k Key) start() (a, b, c, d uint64) {
	return k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d, k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573
}

// absorb takes the text, and its length in the last word.
func absorb(a, b, c, d uint64, text []byte) (uint64, uint64, uint64, uint64) {
	last := uint64(len(text)) << 56
	for ; len(text) >= 8; text = text[8:] {
		m := binary.LittleEndian.Uint64(text)
		a, b, c, d = round(a, b, c, d^m)
		a, b, c, d = round(a, b, c, d)
		a ^= m
	}
	for i, x := range text {
		last |= uint64(x) << (8 * i)
	}
	a, b, c, d = round(a, b, c, d^last)
	a, b, c, d = round(a, b, c, d)
	return a ^ last, b, c, d
}

func finish(a, b, c, d uint64) uint64 {
	a, b, c, d = four(a, b, c, d)
	return a ^ b ^ c ^ d
}

func four(a, b, c, d uint64) (uint64, uint64, uint64, uint64) {
	for range 4 {
		a, b, c, d = round(a, b, c, d)
	}
	return a, b, c, d
}

func round(a, b, c, d uint64) (uint64, uint64, uint64, uint64) {
	a += b
	b = bits.RotateLeft64(b, 13) ^ a
	a = bits.RotateLeft64(a, 32)
	c += d
	d = bits.RotateLeft64(d, 16) ^ c
	a += d
	d = bits.RotateLeft64(d, 21) ^ a
	c += b
	b = bits.RotateLeft64(b, 17) ^ c
	c = bits.RotateLeft64(c, 32)
	return a, b, c, d
}
