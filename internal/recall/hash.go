package recall

import "entente/internal/siphash"

// NewHash is a keyed hash over the kind and the value that nobody can foresee without the key.
func NewHash(key [16]byte) Hash {
	k := siphash.NewKey(key)
	return func(kind uint8, value []byte) uint64 {
		var room [256]byte // of values of a usual length nothing is allocated
		return k.Sum64(append(append(room[:0], kind), value...))
	}
}
