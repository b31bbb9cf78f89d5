package pattern

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"
)

func indexFrom(s, sub string, from int) int {
	if from > len(s) {
		return -1
	}
	i := strings.Index(s[from:], sub)
	if i < 0 {
		return -1
	}
	return from + i
}

func isHex(s string) bool {
	if len(s)%2 != 0 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

func decodeHex(s string) (string, bool) {
	b, err := hex.DecodeString(s)
	return string(b), err == nil
}

// decodeBase64 ignores line feeds, as section 9.2 asks.
func decodeBase64(s string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	return string(b), err
}

// octets maps code points U+0000 to U+00FF to octets (section 9.2). False: the string holds others.
func octets(s string) (string, bool) {
	ascii := true
	for i := range len(s) {
		if s[i] >= 0x80 {
			ascii = false
			break
		}
	}
	if ascii {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return "", false
		}
		b = append(b, byte(r))
	}
	return string(b), true
}

// instant is a timestamp of any precision (section 2.16). Two of them compare as instants, whatever their number of digits.
type instant struct {
	year, month, day, hour, minute, second int
	fraction                               string // digits without trailing zeros
}

// parseInstant accepts YYYY-MM-DDThh:mm:ss[.s]Z with each field in its range; exists says whether the calendar has that day.
func parseInstant(s string) (instant, bool) {
	var t instant
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[len(s)-1] != 'Z' {
		return t, false
	}
	ok := true
	field := func(from, to, low, high int) int {
		n := 0
		for _, c := range []byte(s[from:to]) {
			if !isDigit(c) {
				ok = false
			}
			n = n*10 + int(c-'0')
		}
		if n < low || n > high {
			ok = false
		}
		return n
	}
	t.year, t.month, t.day = field(0, 4, 0, 9999), field(5, 7, 1, 12), field(8, 10, 1, 31)
	t.hour, t.minute, t.second = field(11, 13, 0, 23), field(14, 16, 0, 59), field(17, 19, 0, 60)
	if rest := s[19 : len(s)-1]; rest != "" {
		if rest[0] != '.' || len(rest) == 1 {
			return t, false
		}
		for i := 1; i < len(rest); i++ {
			if !isDigit(rest[i]) {
				return t, false
			}
		}
		t.fraction = strings.TrimRight(rest[1:], "0")
	}
	return t, ok
}

func (t instant) exists() bool {
	return t.day <= time.Date(t.year, time.Month(t.month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// time cuts what is finer than a nanosecond.
func (t instant) time() time.Time {
	nanos, scale := 0, 100_000_000
	for i := 0; i < len(t.fraction) && scale > 0; i++ {
		nanos += int(t.fraction[i]-'0') * scale
		scale /= 10
	}
	return time.Date(t.year, time.Month(t.month), t.day, t.hour, t.minute, t.second, nanos, time.UTC)
}

func (t instant) compare(u instant) int {
	whole := func(t instant) time.Time { t.fraction = ""; return t.time() }
	if c := whole(t).Compare(whole(u)); c != 0 {
		return c
	}
	return strings.Compare(t.fraction, u.fraction)
}
