package stix

import (
	"bytes"
	"encoding/base64"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/text/language"
)

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isHexDigit(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// isTypeName tells whether s may be a type's name (3.1): 3 to 250 of a-z, 0-9 and hyphens, a letter first, no two hyphens in a row.
func isTypeName[T string | []byte](s T) bool {
	if len(s) < 3 || len(s) > 250 || !isLower(s[0]) || s[len(s)-1] == '-' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; !isLower(c) && !isDigit(c) && (c != '-' || s[i-1] == '-') {
			return false
		}
	}
	return true
}

// isPropertyName tells whether s may be a property's name (3.1): 3 to 250 of a-z, 0-9 and underscores, a letter first. The one name
// that is shorter is id.
func isPropertyName[T string | []byte](s T) bool {
	if string(s) == "id" {
		return true
	}
	if len(s) < 3 || len(s) > 250 || !isLower(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; !isLower(c) && !isDigit(c) && c != '_' {
			return false
		}
	}
	return true
}

// isDictKey tells whether s may be a key of a dictionary (2.3): 1 to 250 of a-z, A-Z, 0-9, hyphen and underscore.
func isDictKey[T string | []byte](s T) bool {
	if len(s) < 1 || len(s) > 250 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLower(c) && !isUpper(c) && !isDigit(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// isUUID tells whether s is a UUID of RFC 4122 in its text form: version 1 to 5, variant 10.
func isUUID[T string | []byte](s T) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
		default:
			if !isHexDigit(s[i]) {
				return false
			}
		}
	}
	return s[14] >= '1' && s[14] <= '5' && strings.IndexByte("89abAB", s[19]) >= 0
}

// splitID takes an identifier (2.9) apart; ok tells whether it is one.
func splitID[T string | []byte](id T) (typ, uuid T, ok bool) {
	i := len(id) - 38
	if i < 1 || id[i] != '-' || id[i+1] != '-' {
		return id[:0], id[:0], false
	}
	typ, uuid = id[:i], id[i+2:]
	return typ, uuid, isTypeName(typ) && isUUID(uuid)
}

func isIdentifier(id string) bool {
	_, _, ok := splitID(id)
	return ok
}

func isHex(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(b)%2 == 0 && len(b) > 0
}

// isBase64 tells whether b is base64 of RFC 4648 section 4. Bytes are not decoded into memory.
func isBase64(b []byte) bool {
	if len(b)%4 != 0 || bytes.ContainsAny(b, "\r\n") {
		return false
	}
	body := bytes.TrimRight(b, "=")
	if len(b)-len(body) > 2 {
		return false
	}
	for len(body) > 4096 {
		var out [3072]byte
		if _, err := base64.RawStdEncoding.Decode(out[:], body[:4096]); err != nil {
			return false
		}
		body = body[4096:]
	}
	var out [3072]byte
	_, err := base64.RawStdEncoding.Decode(out[:], body)
	return err == nil
}

// IsURI tells whether s is an absolute URI (RFC 3986), or an IRI that would become one.
func IsURI(s string) bool {
	scheme, rest, found := strings.Cut(s, ":")
	if !found || rest == "" || scheme == "" || !isLower(scheme[0]|0x20) || strings.ContainsAny(s, " <>\"\t\r\n") {
		return false
	}
	if _, err := url.Parse(s); err == nil {
		return true
	}
	// Indicators of attack carry URLs with escapes and ports that net/url refuses; the shape of the scheme is what counts then.
	for i := range len(scheme) {
		if c := scheme[i]; !isLower(c|0x20) && !isDigit(c) && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// isLanguage tells whether s is a language tag of RFC 5646 whose subtags are registered.
func isLanguage(s string) bool {
	if s == "en" {
		return true
	}
	if len(s) > 100 || strings.ContainsRune(s, '_') {
		return false
	}
	_, err := language.Parse(s)
	return err == nil
}

// isIPv4 tells whether s is an IPv4 address or CIDR block (6.8).
func isIPv4(s string) bool {
	if addr, bits, cidr := strings.Cut(s, "/"); cidr {
		ip, err := netip.ParseAddr(addr)
		return err == nil && ip.Is4() && isPrefixLen(bits, 32)
	}
	ip, err := netip.ParseAddr(s)
	return err == nil && ip.Is4()
}

// isIPv6 tells whether s is an IPv6 address or CIDR block (6.9).
func isIPv6(s string) bool {
	addr, bits, cidr := strings.Cut(s, "/")
	if cidr && !isPrefixLen(bits, 128) {
		return false
	}
	ip, err := netip.ParseAddr(addr)
	return err == nil && ip.Is6() && ip.Zone() == ""
}

func isPrefixLen(s string, most int) bool {
	if len(s) < 1 || len(s) > 3 || len(s) > 1 && s[0] == '0' {
		return false
	}
	n := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n <= most
}

// isMAC tells whether s is a MAC-48 address in lower case with colons (6.10).
func isMAC(b []byte) bool {
	if len(b) != 17 {
		return false
	}
	for i, c := range b {
		if i%3 == 2 {
			if c != ':' {
				return false
			}
		} else if !isDigit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// isCPE tells whether s is a formatted string of CPE 2.3 (NISTIR 7695): cpe:2.3:part and ten more attributes.
func isCPE(s string) bool {
	rest, found := strings.CutPrefix(s, "cpe:2.3:")
	if !found {
		return false
	}
	parts := 1
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '\\':
			i++
			if i >= len(rest) {
				return false
			}
		case c == ':':
			if i == 0 || rest[i-1] == ':' && (i < 2 || rest[i-2] != '\\') {
				return false
			}
			parts++
		case c <= ' ' || c >= 0x7f:
			return false
		}
	}
	return parts == 11 && strings.IndexByte("aho*-", rest[0]) >= 0 && rest[1] == ':' && !strings.HasSuffix(rest, ":")
}

// isCharset tells whether s is written as the names of the IANA character set registry are.
func isCharset(b []byte) bool {
	for _, c := range b {
		if !isLower(c|0x20) && !isDigit(c) && bytes.IndexByte([]byte("-_:()+"), c) < 0 {
			return false
		}
	}
	return len(b) > 0
}

// isMediaType tells whether s is a media type of one of the registered top-level types (RFC 6838).
func isMediaType(s string) bool {
	top, sub, found := strings.Cut(s, "/")
	if !found || sub == "" {
		return false
	}
	switch top {
	case "application", "audio", "example", "font", "haptics", "image", "message", "model", "multipart", "text", "video":
	default:
		return false
	}
	for i := range len(sub) {
		if c := sub[i]; !isLower(c|0x20) && !isDigit(c) && strings.IndexByte("!#$&-^_.+", c) < 0 {
			return false
		}
	}
	return true
}

// hashLengths is the number of hexadecimal digits of the hashes that have a fixed one.
var hashLengths = map[string]int{"MD5": 32, "SHA-1": 40, "SHA-256": 64, "SHA-512": 128, "SHA3-256": 64, "SHA3-512": 128, "TLSH": 70}

// isHashValue tells whether v is a value of the hash algorithm, as far as that has a form known here.
func isHashValue(algorithm string, v []byte) bool {
	n, known := hashLengths[algorithm]
	if !known {
		return len(v) > 0
	}
	if algorithm == "TLSH" { // 70 digits, with or without the version T1 before them
		v = bytes.TrimPrefix(v, []byte("T1"))
	}
	if len(v) != n {
		return false
	}
	for _, c := range v {
		if !isHexDigit(c) {
			return false
		}
	}
	return true
}

// isHyphenated tells whether a term is in lower case with hyphens between its words, as terms should be.
func isHyphenated(b []byte) bool {
	letter := false
	for _, c := range b {
		if isUpper(c) || c == '_' || c == ' ' {
			return false
		}
		letter = letter || isLower(c) || c >= 0x80
	}
	return letter
}
