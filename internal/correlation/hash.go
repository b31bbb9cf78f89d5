package correlation

import "entente/internal/siphash"

// key is the keyed hash of what a thing is: of 128 bits, so that no two things that ever are at the same time have the same, and nobody without the secret can make
// some fall together. The secret is one as well.
type key [2]uint64

func (k key) hash(text []byte) key { return siphash.Key(k).Sum128(text) }
