package pattern

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// Limits of one regular expression.
const (
	maxRegex      = 64 << 10               // bytes
	maxRegexDepth = 250                    // open groups
	maxRepeat     = 65535                  // in {n,m}, as PCRE has it
	regexTime     = 100 * time.Millisecond // of one search by the backtracking engine
)

// regex is a PCRE search with DOTALL (section 9.6.1). Classes such as \w are those of PCRE without UCP: ASCII. Go's linear-time
// engine runs it where both languages mean the same; what only PCRE has goes to a backtracking engine under a time limit.
type regex struct {
	linear *regexp.Regexp
	back   *regexp2.Regexp
}

func compileRegex(source string) (*regex, error) {
	if len(source) > maxRegex {
		return nil, unsupported("more than " + strconv.Itoa(maxRegex) + " bytes")
	}
	t := translation{src: source, linear: true}
	if err := t.run(); err != nil {
		return nil, err
	}
	if t.linear {
		if re, err := regexp.Compile("(?s)" + string(t.re2)); err == nil {
			return &regex{linear: re}, nil
		}
	}
	re, err := regexp2.Compile(string(t.pcre), regexp2.Singleline|regexp2.RE2)
	if err != nil {
		return nil, errors.New("the regular expression is not valid, or uses what cannot be evaluated here: " + err.Error())
	}
	re.MatchTimeout = regexTime
	return &regex{back: re}, nil
}

func checkRegex(source string) error {
	_, err := compileRegex(source)
	return err
}

// translation rewrites a PCRE for the two engines, so that each means the same as PCRE. It knows only enough of the syntax for that.
type translation struct {
	src       string
	i         int
	re2, pcre []byte
	linear    bool  // re2 says the same as src
	multiline bool  // (?m) stands at the beginning
	atom      int   // where the last atom starts in pcre; -1: there is none to repeat
	groups    []int // where the open groups start in pcre
	captures  int   // groups that a number can refer to
}

func (t *translation) both(s string) {
	t.re2 = append(t.re2, s...)
	t.pcre = append(t.pcre, s...)
}

func (t *translation) backOnly(s string) {
	t.linear = false
	t.pcre = append(t.pcre, s...)
}

func unsupported(what string) error {
	return errors.New("the regular expression uses " + what + ", which cannot be evaluated here")
}

// The code points that PCRE calls horizontal and vertical space, and space.
const (
	horizontalSpace = `\t \x{a0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}`
	verticalSpace   = `\n-\r\x{85}\x{2028}\x{2029}`
	anySpace        = `\t-\r `
)

// regexp2 writes code points as \uXXXX.
var bracesToU = strings.NewReplacer(`\x{a0}`, `\u00a0`, `\x{85}`, `\u0085`, `\x{`, `\u`, `}`, ``)

func (t *translation) class(negate bool, items string) {
	open := "["
	if negate {
		open = "[^"
	}
	t.re2 = append(t.re2, open+items+"]"...)
	t.pcre = append(t.pcre, open+bracesToU.Replace(items)+"]"...)
}

func (t *translation) run() error {
	t.atom = -1
	for t.i < len(t.src) {
		c := t.src[t.i]
		start := len(t.pcre)
		switch c {
		case '\\':
			if err := t.escape(); err != nil {
				return err
			}
			t.atom = start
		case '[':
			if err := t.bracket(); err != nil {
				return err
			}
			t.atom = start
		case '(':
			if len(t.groups) >= maxRegexDepth {
				return unsupported("more than " + strconv.Itoa(maxRegexDepth) + " nested groups")
			}
			if err := t.open(); err != nil {
				return err
			}
		case ')':
			t.i++
			t.both(")")
			t.atom = -1
			if n := len(t.groups); n > 0 {
				t.atom, t.groups = t.groups[n-1], t.groups[:n-1]
			}
		case '*', '+', '?', '{':
			if err := t.quantifier(); err != nil {
				return err
			}
		case '$':
			t.i++
			t.end()
			t.atom = start
		case '|':
			t.i++
			t.both("|")
			t.atom = -1
		default:
			n := 1
			for t.i+n < len(t.src) && t.src[t.i+n]&0xc0 == 0x80 {
				n++
			}
			t.both(t.src[t.i : t.i+n])
			t.i += n
			t.atom = start
		}
	}
	return nil
}

// end is $: the end of the text or of its last line feed. Go's $ is only the former, so the linear engine takes part only where
// nothing can follow.
func (t *translation) end() {
	if t.multiline {
		t.both("$")
		return
	}
	t.pcre = append(t.pcre, `(?=\n?\z)`...)
	t.re2 = append(t.re2, `(?:\n?\z)`...)
	if len(t.groups) > 0 || t.i < len(t.src) && t.src[t.i] != '|' {
		t.linear = false
	}
}

// quantifier copies *, +, ?, {n}, {n,} and {n,m}, lazy or not; a possessive one becomes an atomic group.
func (t *translation) quantifier() error {
	end := t.i + 1
	if t.src[t.i] == '{' {
		end = repeatEnd(t.src, t.i)
		if end < 0 {
			t.i++
			t.atom = len(t.pcre)
			t.both(`\{`)
			return nil
		}
		for _, n := range strings.Split(t.src[t.i+1:end-1], ",") {
			if v, err := strconv.Atoi(n); n != "" && (err != nil || v > maxRepeat) {
				return unsupported("a repetition of " + clip(n) + " times")
			}
		}
	}
	t.both(t.src[t.i:end])
	t.i = end
	if t.i >= len(t.src) {
		return nil
	}
	switch t.src[t.i] {
	case '?':
		t.both("?")
		t.i++
	case '+':
		t.i++
		t.linear = false
		if t.atom >= 0 {
			body := string(t.pcre[t.atom:])
			t.pcre = append(append(append(t.pcre[:t.atom], "(?>"...), body...), ')')
		}
	}
	return nil
}

// repeatEnd is where a {n,m} that starts at i ends, or -1 if it is a literal brace.
func repeatEnd(s string, i int) int {
	j := i + 1
	digits := 0
	for ; j < len(s) && isDigit(s[j]); j++ {
		digits++
	}
	if digits == 0 {
		return -1
	}
	if j < len(s) && s[j] == ',' {
		for j++; j < len(s) && isDigit(s[j]); j++ {
		}
	}
	if j < len(s) && s[j] == '}' {
		return j + 1
	}
	return -1
}

// open copies the head of a group.
func (t *translation) open() error {
	rest := t.src[t.i:]
	group := func(head string, linear bool) {
		t.groups = append(t.groups, len(t.pcre))
		t.both(head)
		t.linear = t.linear && linear
		t.atom = -1
	}
	if strings.HasPrefix(rest, "(*") {
		return unsupported("a verb (*...)")
	}
	if !strings.HasPrefix(rest, "(?") {
		t.i++
		t.captures++
		group("(", true)
		return nil
	}
	if strings.HasPrefix(rest, "(?#") {
		end := strings.IndexByte(rest, ')')
		if end < 0 {
			return errors.New("a comment in the regular expression has no end")
		}
		t.i += end + 1
		return nil
	}
	for _, head := range []string{"(?=", "(?!", "(?<=", "(?<!", "(?>"} {
		if strings.HasPrefix(rest, head) {
			t.i += len(head)
			group(head, false)
			return nil
		}
	}
	for _, head := range []string{"(?P<", "(?<", "(?'"} {
		if !strings.HasPrefix(rest, head) {
			continue
		}
		end := strings.IndexAny(rest[len(head):], ">'")
		if end < 0 {
			return errors.New("a group name in the regular expression has no end")
		}
		name := rest[len(head) : len(head)+end]
		t.i += len(head) + end + 1
		t.captures++
		t.groups = append(t.groups, len(t.pcre))
		t.re2 = append(t.re2, "(?P<"+name+">"...)
		t.pcre = append(t.pcre, "(?<"+name+">"...)
		t.atom = -1
		return nil
	}
	return t.flags(rest)
}

// flags reads (?i), (?i:...) and the like.
func (t *translation) flags(rest string) error {
	end := strings.IndexAny(rest, ":)")
	if end < 0 {
		return errors.New("a group in the regular expression has no end")
	}
	on, negative := "", false
	off := ""
	for _, c := range rest[2:end] {
		switch {
		case c == '-' && !negative:
			negative = true
		case c == 'i' || c == 's' || c == 'm':
			if negative {
				off += string(c)
			} else {
				on += string(c)
			}
		default:
			return unsupported(strconv.Quote(rest[:end+1]))
		}
	}
	if strings.ContainsRune(on+off, 'm') {
		if t.i != 0 || negative || rest[end] != ')' {
			return unsupported("the flag m elsewhere than at the beginning")
		}
		t.multiline = true
	}
	t.i += end + 1
	if rest[end] == ':' {
		t.groups = append(t.groups, len(t.pcre))
	}
	t.both(rest[:end+1])
	t.atom = -1
	return nil
}

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
