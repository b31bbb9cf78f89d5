package peer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strconv"
	"strings"
)

// OriginPrefix begins the origin of every log.
const OriginPrefix = "fed/v1/"

const originName = 20 // characters after the prefix: 100 bits

// Origin names a log of an organisation's records under an accord for a set of recipients. Without the secret, the name tells nothing.
func Origin(secret []byte, org, accord string, recipients []string) string {
	h := hmac.New(sha256.New, secret)
	set := slices.Clone(recipients)
	slices.Sort(set)
	for _, s := range append([]string{org, accord}, slices.Compact(set)...) {
		h.Write([]byte(strconv.Itoa(len(s)) + ":" + s))
	}
	return OriginPrefix + base32.StdEncoding.EncodeToString(h.Sum(nil))[:originName]
}

// IsOrigin tells whether s is written as an origin.
func IsOrigin(s string) bool {
	name, ok := strings.CutPrefix(s, OriginPrefix)
	if !ok || len(name) != originName {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
