package pattern

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// The code points that PCRE calls horizontal and vertical space, and space.
const (
	horizontalSpace = `\t \x{a0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}`
	verticalSpace   = `\n-\r\x{85}\x{2028}\x{2029}`
	anySpace        = `\t-\r `
)

// regexp2 writes code points as \uXXXX.
var bracesToU = strings.NewReplacer(`\x{a0}`, `\u00a0`, `\x{85}`, `\u0085`, `\x{`, `\u`, `}`, ``)

// escape copies what a backslash starts, outside of brackets.
func (t *translation) escape() error {
	if t.i+1 >= len(t.src) {
		return errors.New("the regular expression ends in a backslash")
	}
	c := t.src[t.i+1]
	switch c {
	case 's', 'S':
		t.i += 2
		t.class(c == 'S', anySpace)
	case 'h', 'H':
		t.i += 2
		t.class(c == 'H', horizontalSpace)
	case 'v', 'V':
		t.i += 2
		t.class(c == 'V', verticalSpace)
	case 'N':
		t.i += 2
		t.both(`[^\n]`)
	case 'R':
		t.i += 2
		t.backOnly(`(?>\r\n|[` + bracesToU.Replace(verticalSpace) + `])`)
	case 'K': // moves the start of the match, which a search does not ask for
		t.i += 2
		t.both(`(?:)`)
	case 'd', 'D', 'w', 'W', 'b', 'B', 'A', 'z':
		t.i += 2
		t.both(`\` + string(rune(c)))
	case 'Z':
		t.i += 2
		t.backOnly(`(?=\n?\z)`)
	case 'G':
		t.i += 2
		t.both(`\A`)
	case 'Q':
		end := indexFrom(t.src, `\E`, t.i+2)
		literal, next := t.src[t.i+2:], len(t.src)
		if end >= 0 {
			literal, next = t.src[t.i+2:end], end+2
		}
		t.both("(?:" + regexp.QuoteMeta(literal) + ")")
		t.i = next
	case 'E':
		t.i += 2
		t.both(`(?:)`)
	case 'p', 'P':
		n := 3
		if t.i+2 < len(t.src) && t.src[t.i+2] == '{' {
			end := strings.IndexByte(t.src[t.i:], '}')
			if end < 0 {
				return errors.New(`\p{ in the regular expression has no end`)
			}
			n = end + 1
		}
		n = min(n, len(t.src)-t.i)
		t.both(t.src[t.i : t.i+n])
		t.i += n
	case 'k':
		end := strings.IndexAny(t.src[t.i+2:], ">}'")
		if end < 1 {
			return unsupported(`\k without a name`)
		}
		t.backOnly(`\k<` + strings.Trim(t.src[t.i+2:t.i+2+end], "<{'") + `>`)
		t.i += 2 + end + 1
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		t.reference()
	default:
		r, err := t.character()
		if err != nil {
			return err
		}
		t.literal(r)
	}
	return nil
}

// reference copies a back-reference. A number of two digits or more that is beyond the groups so far is an octal code point.
func (t *translation) reference() {
	end := t.i + 1
	for end < len(t.src) && end-t.i <= 3 && isDigit(t.src[end]) {
		end++
	}
	n, _ := strconv.Atoi(t.src[t.i+1 : end])
	if n >= 10 && n > t.captures && t.src[t.i+1] < '8' {
		t.i++
		t.literal(t.digits(8, 3))
		return
	}
	t.backOnly(`(?:` + t.src[t.i:end] + `)`)
	t.i = end
}

// literal writes one code point for both engines, in or out of brackets.
func (t *translation) literal(r rune) {
	t.re2 = append(t.re2, `\x{`...)
	t.re2 = strconv.AppendInt(t.re2, int64(r), 16)
	t.re2 = append(t.re2, '}')
	if r <= 0xffff {
		hex := strconv.FormatInt(int64(r), 16)
		t.pcre = append(t.pcre, `\u`+strings.Repeat("0", 4-len(hex))+hex...)
	} else {
		t.pcre = append(t.pcre, string(r)...)
	}
}

// character reads an escape that stands for one code point.
func (t *translation) character() (rune, error) {
	c := t.src[t.i+1]
	t.i += 2
	switch c {
	case 't':
		return '\t', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 'f':
		return '\f', nil
	case 'a':
		return 7, nil
	case 'e':
		return 0x1b, nil
	case 'c':
		if t.i >= len(t.src) || t.src[t.i] < ' ' || t.src[t.i] > '~' {
			return 0, errors.New(`\c in the regular expression needs a character`)
		}
		r := rune(t.src[t.i])
		t.i++
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r ^ 0x40, nil
	case '0':
		return t.digits(8, 2), nil
	case 'x':
		if t.i < len(t.src) && t.src[t.i] == '{' {
			end := strings.IndexByte(t.src[t.i:], '}')
			if end < 0 {
				return 0, errors.New(`\x{ in the regular expression has no end`)
			}
			n, err := strconv.ParseUint(t.src[t.i+1:t.i+end], 16, 32)
			if err != nil || n > 0x10ffff || n >= 0xd800 && n <= 0xdfff {
				return 0, errors.New(`\x{...} in the regular expression is not a code point`)
			}
			t.i += end + 1
			return rune(n), nil
		}
		return t.digits(16, 2), nil
	}
	if isLetter(c) && c != '_' || isDigit(c) {
		return 0, unsupported(`\` + string(rune(c)))
	}
	if c < 0x80 {
		return rune(c), nil
	}
	for i, r := range t.src[t.i-1:] {
		if i == 0 {
			t.i += len(string(r)) - 1
			return r, nil
		}
	}
	return 0, unsupported("an incomplete character")
}

// digits reads up to n digits of the base.
func (t *translation) digits(base, n int) rune {
	end := t.i
	for end < len(t.src) && end-t.i < n {
		if _, err := strconv.ParseUint(t.src[end:end+1], base, 8); err != nil {
			break
		}
		end++
	}
	v, _ := strconv.ParseUint(t.src[t.i:end], base, 32)
	t.i = end
	return rune(v)
}

// bracket copies a [...] class.
func (t *translation) bracket() error {
	i := t.i + 1
	t.both("[")
	if i < len(t.src) && t.src[i] == '^' {
		t.both("^")
		i++
	}
	for first := true; ; first = false {
		if i >= len(t.src) {
			return errors.New("a [ in the regular expression has no ]")
		}
		c := t.src[i]
		switch {
		case c == ']' && !first:
			t.both("]")
			t.i = i + 1
			return nil
		case c == '[' && i+1 < len(t.src) && t.src[i+1] == ':' && strings.Contains(t.src[i+2:], ":]"):
			end := indexFrom(t.src, ":]", i+2) + 2
			t.both(t.src[i:end])
			i = end
		case c == ']' || c == '[' || c == '&' || c == '~':
			t.literal(rune(c))
			i++
		case c == '\\' && i+1 < len(t.src):
			t.i = i
			if err := t.bracketEscape(); err != nil {
				return err
			}
			i = t.i
		default:
			t.both(t.src[i : i+1])
			i++
		}
	}
}

func (t *translation) bracketEscape() error {
	items := func(s string) {
		t.i += 2
		t.re2 = append(t.re2, s...)
		t.pcre = append(t.pcre, bracesToU.Replace(s)...)
	}
	switch c := t.src[t.i+1]; c {
	case 's':
		items(anySpace)
	case 'h':
		items(horizontalSpace)
	case 'v':
		items(verticalSpace)
	case 'b':
		t.i += 2
		t.literal('\b')
	case 'd', 'D', 'w', 'W', 'S':
		t.i += 2
		t.both(`\` + string(rune(c)))
	case 'p', 'P':
		return t.escape()
	case '1', '2', '3', '4', '5', '6', '7':
		t.i++
		t.literal(t.digits(8, 3))
	case 'Q', 'E':
		return unsupported(`\` + string(rune(c)) + " in brackets")
	default:
		r, err := t.character()
		if err != nil {
			return err
		}
		t.literal(r)
	}
	return nil
}
