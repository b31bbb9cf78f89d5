// Package uuid5 makes name-based UUIDs (RFC 9562, 5.5). They are names and no proof of anything: this is the only use of SHA-1 in the
// language, and it is allowed where the Go runtime otherwise enforces FIPS 140.
package uuid5

import (
	"crypto/fips140"
	"crypto/sha1"
	"encoding/hex"
)

// New is the UUID of version 5 of a name in a name space, in text form.
func New(namespace [16]byte, name []byte) string {
	var sum [sha1.Size]byte
	fips140.WithoutEnforcement(func() {
		h := sha1.New()
		_, _ = h.Write(namespace[:])
		_, _ = h.Write(name)
		h.Sum(sum[:0])
	})
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	var out [36]byte
	hex.Encode(out[0:8], sum[0:4])
	hex.Encode(out[9:13], sum[4:6])
	hex.Encode(out[14:18], sum[6:8])
	hex.Encode(out[19:23], sum[8:10])
	hex.Encode(out[24:36], sum[10:16])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}
