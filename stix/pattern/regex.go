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
