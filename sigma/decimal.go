package sigma

import (
	"cmp"
	"strconv"
	"strings"
)

// decimal is a number exactly: 0.digits times ten to the power of exp; zero has no digits.
type decimal struct {
	negative bool
	digits   string // neither the first nor the last is 0
	exp      int
}

// maxExponent bounds the exponents that are read as numbers; what is beyond is a text.
const maxExponent = 1 << 20

// parseDecimal reads a number as JSON writes it (RFC 8259, section 6). Anything else, such as 0x1f, 007, +1 or 1_000, is none.
func parseDecimal(s string) (d decimal, ok bool) {
	if strings.HasPrefix(s, "-") {
		d.negative, s = true, s[1:]
	}
	whole, rest := digits(s)
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return decimal{}, false
	}
	var fraction string
	if strings.HasPrefix(rest, ".") {
		if fraction, rest = digits(rest[1:]); fraction == "" {
			return decimal{}, false
		}
	}
	if rest != "" {
		if rest[0] != 'e' && rest[0] != 'E' {
			return decimal{}, false
		}
		power := strings.TrimPrefix(rest[1:], "+")
		if n, after := digits(strings.TrimPrefix(power, "-")); n == "" || after != "" || len(power) < len(rest)-1 && power[0] == '-' {
			return decimal{}, false
		}
		e, err := strconv.Atoi(power)
		if err != nil || e > maxExponent || e < -maxExponent {
			return decimal{}, false
		}
		d.exp = e
	}
	all := whole + fraction
	d.exp += len(whole)
	d.digits = strings.TrimLeft(all, "0")
	d.exp -= len(all) - len(d.digits)
	d.digits = strings.TrimRight(d.digits, "0")
	if d.digits == "" {
		return decimal{}, true
	}
	return d, true
}

// digits splits the digits that a text begins with from its rest.
func digits(s string) (number, rest string) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}

func (d decimal) compare(o decimal) int {
	if d.negative != o.negative {
		if d.negative {
			return -1
		}
		return 1
	}
	c := 0
	switch {
	case d.digits == "" || o.digits == "": // zero is never negative
		c = cmp.Compare(len(d.digits), len(o.digits))
	default:
		c = cmp.Or(cmp.Compare(d.exp, o.exp), cmp.Compare(d.digits, o.digits))
	}
	if d.negative {
		return -c
	}
	return c
}

// String is the one text of a number: equal numbers have equal texts.
func (d decimal) String() string {
	sign := ""
	if d.negative {
		sign = "-"
	}
	switch n := len(d.digits); {
	case n == 0:
		return "0"
	case d.exp > 40 || d.exp < -20:
		return sign + "0." + d.digits + "e" + strconv.Itoa(d.exp)
	case d.exp <= 0:
		return sign + "0." + strings.Repeat("0", -d.exp) + d.digits
	case d.exp >= n:
		return sign + d.digits + strings.Repeat("0", d.exp-n)
	}
	return sign + d.digits[:d.exp] + "." + d.digits[d.exp:]
}

// Canonical is the one text of a number, however it is written: "1.50", "1.5" and "15e-1" are "1.5". A text that is no number as JSON
// writes numbers has none.
func Canonical(number string) (text string, ok bool) {
	d, ok := parseDecimal(number)
	if !ok {
		return "", false
	}
	return d.String(), true
}

// CompareNumbers says whether a is less than, equal to or greater than b; ok is false when one of them is no number.
func CompareNumbers(a, b string) (c int, ok bool) {
	x, okX := parseDecimal(a)
	y, okY := parseDecimal(b)
	return x.compare(y), okX && okY
}
