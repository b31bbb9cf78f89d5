// Package outside is all that the program computes outside of what FIPS 140 allows, and the only place that turns its enforcement off. Formats name things by
// MD5 and SHA-1, and apps for one-time codes and mail programs know no other algorithms than theirs; see docs/fips.md, which lists every use.
package outside

import (
	"crypto/fips140"
	"crypto/md5"
	"crypto/sha1"
)

// MD5 names a value as MISP's hashes.csv does. It protects nothing.
func MD5(value []byte) (sum [md5.Size]byte) {
	fips140.WithoutEnforcement(func() { sum = md5.Sum(value) })
	return sum
}

// UUID5 is the UUID of version 5 of a name in a name space (RFC 9562, 5.5), which is SHA-1. It is a name, and proves nothing.
func UUID5(namespace [16]byte, name []byte) (id [16]byte) {
	fips140.WithoutEnforcement(func() {
		h := sha1.New()
		_, _ = h.Write(namespace[:])
		_, _ = h.Write(name)
		copy(id[:], h.Sum(nil))
	})
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Run computes what a format of others prescribes: the algorithms of f are theirs.
func Run(f func()) { fips140.WithoutEnforcement(f) }
