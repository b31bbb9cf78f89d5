package stix

import (
	"crypto/sha256"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Digest is the SHA-256 of the object's canonical form (JCS, RFC 8785), properties that only state their default left out: revoked
// false, defanged false, summary false of a sighting, and spec_version 2.1 on a cyber-observable object. Two representations of one version have one digest
// (3.6): order of properties, white space, escapes and the writing of numbers make no difference.
func (o *Object) Digest() [32]byte {
	buf := make([]byte, 0, len(o.raw))
	return sha256.Sum256(appendCanonical(buf, value{o, 0}, o.isDefault))
}

// isDefault tells whether a property of the object itself may be omitted without a change of meaning.
func (o *Object) isDefault(key, val value) bool {
	switch string(key.bytes()) {
	case "revoked":
		return val.kind() == kindFalse
	case "summary":
		return val.kind() == kindFalse && o.typ == "sighting"
	case "defanged":
		return val.kind() == kindFalse && o.isSCO()
	case "spec_version":
		return o.isSCO() && string(val.bytes()) == "2.1"
	}
	return false
}

// appendCanonical appends the JCS form of v; members of v itself (not of values inside) for which skip is true are left out.
func appendCanonical(dst []byte, v value, skip func(key, val value) bool) []byte {
	switch v.kind() {
	case kindString:
		return appendCanonicalString(dst, v)
	case kindNumber:
		return appendCanonicalNumber(dst, v.raw())
	case kindList:
		dst = append(dst, '[')
		for i, item := range v.items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendCanonical(dst, item, nil)
		}
		return append(dst, ']')
	case kindObject:
		type member struct {
			name []byte
			key  value
		}
		var few [24]member
		members := few[:0]
		for key, val := range v.members {
			if skip == nil || !skip(key, val) {
				members = append(members, member{key.bytes(), key})
			}
		}
		slices.SortFunc(members, func(a, b member) int { return compareUTF16(a.name, b.name) })
		dst = append(dst, '{')
		for i, m := range members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendCanonicalString(dst, m.key)
			dst = append(dst, ':')
			dst = appendCanonical(dst, value{v.o, m.key.at + 1}, nil)
		}
		return append(dst, '}')
	}
	return append(dst, v.raw()...)
}

// compareUTF16 orders UTF-8 texts by their UTF-16 code units (RFC 8785 3.2.3), which differs from byte order only beyond U+D7FF.
func compareUTF16(a, b []byte) int {
	for len(a) > 0 && len(b) > 0 {
		ra, na := utf8.DecodeRune(a)
		rb, nb := utf8.DecodeRune(b)
		if ra != rb {
			return compareUnits(ra, rb)
		}
		a, b = a[na:], b[nb:]
	}
	return len(a) - len(b)
}

func compareUnits(a, b rune) int {
	first := func(r rune) rune {
		if r >= 0x10000 {
			high, _ := utf16.EncodeRune(r)
			return high
		}
		return r
	}
	if ua, ub := first(a), first(b); ua != ub {
		return int(ua - ub)
	}
	return int(a - b)
}

func appendCanonicalString(dst []byte, v value) []byte {
	n := v.node()
	if !n.escaped { // without escapes the text is canonical as it stands
		return append(dst, v.o.raw[n.start-1:n.end+1]...)
	}
	return appendQuoted(dst, v.bytes())
}

// appendQuoted appends text as a JSON string by the rules of RFC 8785 3.2.2.2.
func appendQuoted(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= 0x20:
			dst = append(dst, c)
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(dst, '"')
}

// appendCanonicalNumber writes a JSON number as ECMAScript does (RFC 8785 3.2.2.3).
func appendCanonicalNumber(dst, text []byte) []byte {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || f == 0 {
		return append(dst, '0')
	}
	abs := math.Abs(f)
	if abs >= 1e21 || abs < 1e-6 {
		at := len(dst)
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		// Go writes at least two digits of exponent, ECMAScript as few as it takes.
		if n := len(dst); n-at >= 4 && dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') {
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
		return dst
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}
