package siphash_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"entente/internal/siphash"
)

// The vectors are those of the authors of SipHash (vectors.h), for messages of the bytes 0, 1, 2 and so on under a key of the same.
func TestVectors(t *testing.T) {
	var key [16]byte
	var message [64]byte
	for i := range message {
		message[i] = byte(i)
	}
	copy(key[:], message[:])
	k := siphash.NewKey(key)
	for _, x := range []struct {
		n   int
		sum string
	}{
		{0, "310e0edd47db6f72"}, {1, "fd67dc93c539f874"}, {15, "e545be4961ca29a1"},
		{0, "a3817f04ba25a8e66df67214c7550293"}, {1, "da87c1d86b99af44347659119b22fc45"}, {15, "5493e99933b0a8117e08ec0f97cfc3d9"},
	} {
		got := binary.LittleEndian.AppendUint64(nil, k.Sum64(message[:x.n]))
		if len(x.sum) == 32 {
			wide := k.Sum128(message[:x.n])
			got = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, wide[0]), wide[1])
		}
		if s := fmt.Sprintf("%x", got); s != x.sum {
			t.Errorf("%d bytes: %s, expected %s", x.n, s, x.sum)
		}
	}
}

func TestEveryLengthHasItsOwn(t *testing.T) {
	k, seen := siphash.Key{1, 2}, map[uint64]bool{}
	for n := range 64 {
		wide := k.Sum128(make([]byte, n))
		seen[k.Sum64(make([]byte, n))], seen[wide[0]], seen[wide[1]] = true, true, true
	}
	if len(seen) != 3*64 {
		t.Errorf("%d results of %d", len(seen), 3*64)
	}
}

func BenchmarkSum(b *testing.B) {
	text := []byte("www.some-name.example")
	for name, sum := range map[string]func(siphash.Key) uint64{"64": func(k siphash.Key) uint64 { return k.Sum64(text) }, "128": func(k siphash.Key) uint64 { return k.Sum128(text)[0] }} {
		b.Run(name, func(b *testing.B) {
			for k := (siphash.Key{}); b.Loop(); k[0]++ {
				k[1] += sum(k)
			}
		})
	}
}
