package indicator

import (
	"encoding/binary"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// appendKey appends the canonical form of a value, as the index keeps it. It is the one way from a text to a key, for what is put in and for what
// is looked up; false: the text is no value of the kind. Networks have no key of their own here. It allocates for names beyond ASCII only.
func appendKey(dst []byte, k Kind, v []byte) ([]byte, bool) {
	v = trim(v)
	if len(v) == 0 || len(v) > maxValue {
		return dst, false
	}
	switch k {
	case IPv4, IPv6:
		var a [16]byte
		four, ok := parseAddr(&a, v)
		if four {
			return append(dst, a[:4]...), ok
		}
		return append(dst, a[:]...), ok
	case Domain:
		return appendDomain(dst, v, true)
	case URL:
		return appendURL(dst, v)
	case Email:
		return appendEmail(dst, v)
	case MD5, SHA1, SHA256, SHA512, JA3, JA3S:
		return appendHash(dst, v, k.hashSize())
	case JA4:
		return appendJA4(dst, v)
	case FileName, RegistryValue, RegistryData:
		return appendFolded(dst, v), true
	case FilePath:
		return appendPath(dst, v)
	case RegistryKey:
		return appendRegistryKey(dst, v)
	case Mutex, UserAgent:
		return append(dst, v...), true
	case ASN:
		return appendASN(dst, v)
	}
	return dst, false
}

func trim(v []byte) []byte {
	for len(v) > 0 && blank(v[0]) {
		v = v[1:]
	}
	for len(v) > 0 && blank(v[len(v)-1]) {
		v = v[:len(v)-1]
	}
	return v
}

func blank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// low is a letter of ASCII in lower case, and every other byte as it is.
func low(c byte) byte {
	if c-'A' < 26 {
		c |= 0x20
	}
	return c
}

// hexDigits are the values of hexadecimal digits in both cases; 0xff: it is none.
var hexDigits = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range "0123456789abcdef" {
		t[c] = byte(i)
	}
	for i, c := range "ABCDEF" {
		t[c] = byte(10 + i)
	}
	return t
}()

// hexDigit is the value of a hexadecimal digit, or -1.
func hexDigit(c byte) int { return int(int8(hexDigits[c])) }

func appendHash(dst, v []byte, size int) ([]byte, bool) {
	if len(v) != 2*size {
		return dst, false
	}
	var octets [64]byte
	out, bad := octets[:size], byte(0)
	for i := range out {
		h, l := hexDigits[v[2*i]], hexDigits[v[2*i+1]]
		bad |= h | l
		out[i] = h<<4 | l&15
	}
	return append(dst, out...), bad < 16
}

func appendJA4(dst, v []byte) ([]byte, bool) {
	parts := 0
	for _, c := range v {
		switch c = low(c); {
		case c == '_':
			parts++
		case c == '-', c >= '0' && c <= '9', c >= 'a' && c <= 'z':
		default:
			return dst, false
		}
		dst = append(dst, c)
	}
	return dst, parts > 0 && len(v) <= 256
}

func appendASN(dst, v []byte) ([]byte, bool) {
	if len(v) > 2 && low(v[0]) == 'a' && low(v[1]) == 's' {
		v = v[2:]
	}
	n := uint64(0)
	for _, c := range v {
		if c < '0' || c > '9' || n > 1<<32 {
			return dst, false
		}
		n = n*10 + uint64(c-'0')
	}
	return binary.BigEndian.AppendUint32(dst, uint32(n)), n > 0 && n < 1<<32
}

// fold is one rune for all that differ by case only: the small letter of them where there is one.
func fold(r rune) rune {
	if r < utf8.RuneSelf {
		return rune(low(byte(r)))
	}
	least := leastFold(r)
	if l := unicode.ToLower(least); leastFold(l) == least {
		return l
	}
	return least
}

func leastFold(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}

// appendFolded folds case by simple folding of Unicode. What is no UTF-8 stays as it is.
func appendFolded(dst, v []byte) []byte {
	for i := 0; i < len(v); {
		if v[i] < utf8.RuneSelf {
			dst = append(dst, low(v[i]))
			i++
			continue
		}
		r, n := utf8.DecodeRune(v[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, v[i])
		} else {
			dst = utf8.AppendRune(dst, fold(r))
		}
		i += n
	}
	return dst
}

// appendPath folds case, writes every separator as one slash and drops the prefixes by which Windows goes around the limits of paths.
func appendPath(dst, v []byte) ([]byte, bool) {
	if len(v) > 4 && v[0] == '\\' && (v[1] == '\\' || v[1] == '?') && v[2] == '?' && v[3] == '\\' {
		v = trim(v[4:])
	}
	start := len(dst)
	dst = squeeze(appendFolded(dst, v), start, '/')
	return dst, len(dst) > start
}

// squeeze writes every run of slashes and backslashes from start on as one separator, and none at the end, nor a blank, unless it is all there is.
func squeeze(b []byte, start int, separator byte) []byte {
	n := start
	for _, c := range b[start:] {
		if c == '/' && separator == '/' || c == '\\' {
			if c = separator; n > start && b[n-1] == c {
				continue
			}
		}
		b[n] = c
		n++
	}
	for n > start+1 && (b[n-1] == separator || blank(b[n-1])) {
		n--
	}
	return b[:n]
}

var hives = [...]struct{ short, long string }{
	{"hklm", "hkey_local_machine"}, {"hkcu", "hkey_current_user"}, {"hkcr", "hkey_classes_root"}, {"hku", "hkey_users"}, {"hkcc", "hkey_current_config"},
	{`\registry\machine`, "hkey_local_machine"}, {`\registry\user`, "hkey_users"},
}

// appendRegistryKey folds case and writes the root in full.
func appendRegistryKey(dst, v []byte) ([]byte, bool) {
	if i := indexByte(v, '\\'); i == len(v)-1 && i > 0 { // a root with a backslash at its end
		v = v[:i]
	}
	var buf [512]byte
	key := squeeze(appendFolded(buf[:0], v), 0, '\\')
	for _, h := range hives {
		if n := len(h.short); len(key) >= n && string(key[:n]) == h.short && (len(key) == n || key[n] == '\\') {
			return append(append(dst, h.long...), key[n:]...), true
		}
	}
	return append(dst, key...), len(key) > 1 || len(key) == 1 && key[0] != '\\'
}

func indexByte(v []byte, c byte) int {
	for i := range v {
		if v[i] == c {
			return i
		}
	}
	return -1
}

// appendDomain writes a name in lower case and in ASCII, without the dot at its end. A strict name is one that can be registered or stand in the
// DNS as a host or service: what is put into the index is strict.
func appendDomain(dst, v []byte, strict bool) ([]byte, bool) {
	if n := len(v); n > 0 && v[n-1] == '.' {
		v = v[:n-1]
	}
	if len(v) == 0 || len(v) > maxValue {
		return dst, false
	}
	for _, c := range v {
		if c >= utf8.RuneSelf {
			ascii, err := idna.Lookup.ToASCII(string(v))
			if err != nil {
				return dst, false
			}
			v = []byte(ascii)
			break
		}
	}
	if n := len(v); n > 1 && v[n-1] == '.' { // an ideographic full stop at the end is a dot by now
		v = v[:n-1]
	}
	start := len(dst)
	for _, c := range v {
		dst = append(dst, low(c))
	}
	return dst, len(dst) > start && (!strict || strictName(dst[start:]))
}

func strictName(b []byte) bool {
	if len(b) == 0 || len(b) > 253 {
		return false
	}
	from, number := 0, true
	for i := 0; i <= len(b); i++ {
		if i < len(b) && b[i] != '.' {
			c := b[i]
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return false
			}
			number = number && c >= '0' && c <= '9'
			continue
		}
		if n := i - from; n == 0 || n > 63 || b[from] == '-' || b[i-1] == '-' || i == len(b) && number {
			return false // the last label of a name is never a number
		}
		from, number = i+1, true
	}
	return true
}

// appendEmail folds both parts: no provider of today tells mailboxes apart by case.
func appendEmail(dst, v []byte) ([]byte, bool) {
	if n := len(v); n > 2 && v[0] == '<' && v[n-1] == '>' {
		v = trim(v[1 : n-1])
	}
	at := -1
	for i, c := range v {
		switch {
		case c == '@':
			at = i
		case c <= ' ', c == '<', c == '>', c == 0x7f, c == '[', c == ']', c == '(', c == ')', c == '{', c == '}':
			return dst, false
		}
	}
	if at <= 0 || at > 255 {
		return dst, false
	}
	dst = append(appendFolded(dst, v[:at]), '@')
	return appendDomain(dst, v[at+1:], true)
}
