package register

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

func wordSet(words string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		out[w] = true
	}
	return out
}

func isWord(s string) bool {
	return s != "" && len(s) <= maxWord && utf8.ValidString(s) && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func isSector(s string) bool {
	if sectors[s] {
		return true
	}
	if len(s) < 3 || len(s) > 64 || !strings.HasPrefix(s, "x-") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

// IsSector tells whether the register knows the sector: one of industry-sector-ov (STIX 2.1 section 10.11), or one's own with x- before it.
func IsSector(s string) bool { return isSector(s) }

func isCountry(s string) bool {
	if len(s) != 2 && len(s) != 3 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' })
}

func isHexText(s string, n int) bool {
	return len(s) == n && !strings.ContainsFunc(s, func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'f') })
}

// isID tells whether s is an identifier of the type (STIX 2.1 section 2.9).
func isID(s, typ string) bool {
	rest, ok := strings.CutPrefix(s, typ+"--")
	if !ok || len(rest) != 36 || rest[8] != '-' || rest[13] != '-' || rest[18] != '-' || rest[23] != '-' {
		return false
	}
	return isHexText(rest[:8]+rest[9:13]+rest[14:18]+rest[19:23]+rest[24:], 32) && rest[14] >= '1' && rest[14] <= '5' && strings.IndexByte("89ab", rest[19]) >= 0
}

// HostName is a domain name in the form in which names are compared: lower case, international labels in their ASCII form, no dot at
// the end; ok tells whether s is a domain name.
func HostName(s string) (name string, ok bool) {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 1000 {
		return "", false
	}
	plain := true
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' || c >= 0x80 {
			plain = false
			break
		}
	}
	if !plain {
		ascii := true
		for i := range len(s) {
			ascii = ascii && s[i] < 0x80
		}
		if ascii {
			s = strings.ToLower(s)
		} else {
			to, err := idna.Lookup.ToASCII(s)
			if err != nil {
				return "", false
			}
			s = to
		}
	}
	return s, isHost(s)
}

func isHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	start, letters := 0, false
	for i := 0; i <= len(s); i++ {
		if i == len(s) || s[i] == '.' {
			if i == start || i-start > 63 || s[start] == '-' || s[i-1] == '-' {
				return false
			}
			if i < len(s) {
				start, letters = i+1, false
			}
			continue
		}
		c := s[i]
		letter := c >= 'a' && c <= 'z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
		letters = letters || letter
	}
	return letters // a last label of digits alone is that of an address
}

func isEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > 64 || len(s) > 320 || strings.ContainsAny(s[:at], " <>()[],;:\\\"\t\r\n@") || !isWord(s) {
		return false
	}
	_, ok := HostName(s[at+1:])
	return ok
}

// serial is a serial number in hex, in lower case, without colons and zeros before it; "" when it is none.
func serial(s string) string {
	s = strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(s), ":", ""), " ", ""))
	s = strings.TrimPrefix(s, "0x")
	if s == "" || len(s) > 64 || !isHexText(s, len(s)) {
		return ""
	}
	if s = strings.TrimLeft(s, "0"); s == "" {
		return "0"
	}
	return s
}

// distinguished folds a distinguished name for comparison: case, and the spaces around its parts, make no difference.
func distinguished(s string) string {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == '/' || r == '+' })
	for i, p := range parts {
		key, val, _ := strings.Cut(p, "=")
		parts[i] = strings.ToLower(strings.TrimSpace(key) + "=" + strings.Join(strings.Fields(val), " "))
	}
	return strings.Join(parts, ",")
}

// folded is a vendor's or product's name for comparison: letters and digits in lower case, whatever stood between.
func folded(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(s) {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte('_')
			gap = false
		}
		b.WriteRune(r)
	}
	return b.String()
}
