package sigma

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// PartKind is what a part of a text with wildcards stands for.
type PartKind uint8

const (
	PartText PartKind = iota // itself
	PartAny                  // * any number of characters, none as well
	PartOne                  // ? exactly one character
)

// Part is one part of a text with wildcards. Text is empty for the wildcards.
type Part struct {
	Kind PartKind
	Text string
}

// ParsePattern reads a text with wildcards. A backslash before *, ? or another backslash takes it as it is; any other backslash is
// itself.
func ParsePattern(s string) []Part {
	var b builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '*':
			b.add(PartAny)
		case c == '?':
			b.add(PartOne)
		case c == '\\' && i+1 < len(s) && strings.IndexByte(`*?\`, s[i+1]) >= 0:
			i++
			b.text.WriteByte(s[i])
		default:
			b.text.WriteByte(c)
		}
	}
	return b.done()
}

// builder joins parts: neighbouring texts are one, and so are neighbouring stars.
type builder struct {
	parts []Part
	text  strings.Builder
}

func (b *builder) flush() {
	if b.text.Len() > 0 {
		b.parts = append(b.parts, Part{PartText, b.text.String()})
		b.text.Reset()
	}
}

func (b *builder) add(k PartKind) {
	b.flush()
	if n := len(b.parts); k == PartAny && n > 0 && b.parts[n-1].Kind == PartAny {
		return
	}
	b.parts = append(b.parts, Part{Kind: k})
}

func (b *builder) append(parts ...Part) {
	for _, p := range parts {
		switch p.Kind {
		case PartText:
			b.text.WriteString(p.Text)
		default:
			b.add(p.Kind)
		}
	}
}

func (b *builder) done() []Part {
	b.flush()
	return b.parts
}

func join(lists ...[]Part) []Part {
	var b builder
	for _, parts := range lists {
		b.append(parts...)
	}
	return b.done()
}

// printPattern is the text that ParsePattern reads as these parts: the shortest, so that equal parts have equal texts.
func printPattern(parts []Part) string {
	var b strings.Builder
	for i, p := range parts {
		switch p.Kind {
		case PartAny:
			b.WriteByte('*')
		case PartOne:
			b.WriteByte('?')
		case PartText:
			for j := 0; j < len(p.Text); j++ {
				c := p.Text[j]
				last := j == len(p.Text)-1
				escaped := c == '*' || c == '?'
				if c == '\\' { // needed only before what it would take with it
					escaped = last && i+1 < len(parts) || !last && strings.IndexByte(`*?\`, p.Text[j+1]) >= 0
				}
				if escaped {
					b.WriteByte('\\')
				}
				b.WriteByte(c)
			}
		}
	}
	return b.String()
}

func foldParts(parts []Part) []Part {
	out := make([]Part, len(parts))
	for i, p := range parts {
		out[i] = Part{p.Kind, foldString(p.Text)}
	}
	return out
}

// literal is the text of parts without wildcards.
func literal(parts []Part) (text string, ok bool) {
	switch {
	case len(parts) == 0:
		return "", true
	case len(parts) == 1 && parts[0].Kind == PartText:
		return parts[0].Text, true
	}
	return "", false
}

// matchParts says whether a text as a whole is of the form. A character is a code point, or a byte that is not UTF-8.
func matchParts(parts []Part, text []byte) bool {
	p, t := 0, 0
	star, back := -1, 0 // where the last * stands, and from where on what follows it is tried next
	for {
		switch {
		case p < len(parts) && parts[p].Kind == PartAny:
			star, back = p, t
			p++
			continue
		case p < len(parts) && parts[p].Kind == PartOne && t < len(text):
			_, n := utf8.DecodeRune(text[t:])
			t += n
			p++
			continue
		case p < len(parts) && parts[p].Kind == PartText && len(text)-t >= len(parts[p].Text) && string(text[t:t+len(parts[p].Text)]) == parts[p].Text:
			t += len(parts[p].Text)
			p++
			continue
		case p == len(parts) && t == len(text):
			return true
		}
		if star < 0 || back >= len(text) {
			return false
		}
		_, n := utf8.DecodeRune(text[back:])
		back += n
		p, t = star+1, back
	}
}

// dashes are the characters that begin a parameter of a Windows command line.
var dashes = []string{"-", "/", "\u2013", "\u2014", "\u2015"}

func isDash(r rune) bool {
	return r == '-' || r == '/' || r == '\u2013' || r == '\u2014' || r == '\u2015'
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// windash is every form of a text in which each dash that begins a parameter is one of the five. A dash begins a parameter when no
// letter, digit or _ stands before it, and one stands after it. ok is false when there are more than most of them.
func windash(parts []Part, most int) (forms [][]Part, ok bool) {
	forms = [][]Part{nil}
	total := 1
	each := func(tails ...string) {
		next := make([][]Part, 0, len(forms)*len(tails))
		for _, f := range forms {
			for _, t := range tails {
				next = append(next, join(f, []Part{{PartText, t}}))
			}
		}
		forms = next
	}
	for _, p := range parts {
		if p.Kind != PartText {
			for i := range forms {
				forms[i] = join(forms[i], []Part{p})
			}
			continue
		}
		before, from := ' ', 0
		for i := 0; i < len(p.Text); {
			r, n := utf8.DecodeRuneInString(p.Text[i:])
			after, _ := utf8.DecodeRuneInString(p.Text[i+n:])
			if isDash(r) && !isWord(before) && isWord(after) {
				if total *= len(dashes); total > most {
					return nil, false
				}
				each(p.Text[from:i])
				each(dashes...)
				from = i + n
			}
			before = r
			i += n
		}
		each(p.Text[from:])
	}
	return forms, true
}
