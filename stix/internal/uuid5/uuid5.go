// Package uuid5 makes name-based UUIDs (RFC 9562, 5.5). They are names and no proof of anything.
package uuid5

import (
	"encoding/hex"

	"entente/outside"
)

// New is the UUID of version 5 of a name in a name space, in text form.
func New(namespace [16]byte, name []byte) string {
	sum := outside.UUID5(namespace, name)
	var out [36]byte
	hex.Encode(out[0:8], sum[0:4])
	hex.Encode(out[9:13], sum[4:6])
	hex.Encode(out[14:18], sum[6:8])
	hex.Encode(out[19:23], sum[8:10])
	hex.Encode(out[24:36], sum[10:16])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}
