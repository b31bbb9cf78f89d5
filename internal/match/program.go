package match

import (
	"bytes"
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// program is what an automaton is made of.
type program struct {
	prog    *syntax.Prog
	asserts bool   // it asks what stands before or behind
	lead    []byte // stands wherever the expression is found, at most back bytes behind the beginning; nil: of what asserts, and where nothing is known
	back    int
}

// newProgram compiles an expression that is only asked whether it is found.
func newProgram(expr string) (*program, error) {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, err
	}
	tree = trim(trim(tree, false), true)
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	p := &program{prog: prog}
	for i := range prog.Inst {
		p.asserts = p.asserts || prog.Inst[i].Op == syntax.InstEmptyWidth
	}
	var l lead
	if l.read(tree); len(l.text) > 0 && !p.asserts {
		p.lead, p.back = l.text, l.back
	}
	return p, nil
}

// ahead is where a match may begin at the earliest, from a place on; -1: nowhere.
func (p *program) ahead(text []byte, from int) int {
	n := bytes.Index(text[from:], p.lead)
	if n < 0 {
		return -1
	}
	n = max(from+n-p.back, from)
	for n > from && !utf8.RuneStart(text[n]) { // such a byte is never read as part of a code point before it
		n--
	}
	return n
}

// trim leaves out of an expression, at its beginning or its end, what may be missing there, and all but one of what may be repeated: it is found in the same texts.
func trim(re *syntax.Regexp, end bool) *syntax.Regexp {
	switch re.Op {
	case syntax.OpStar, syntax.OpQuest:
		return &syntax.Regexp{Op: syntax.OpEmptyMatch}
	case syntax.OpPlus, syntax.OpCapture:
		return trim(re.Sub[0], end)
	case syntax.OpRepeat:
		switch {
		case re.Min == 0:
			return &syntax.Regexp{Op: syntax.OpEmptyMatch}
		case re.Min == 1:
			return trim(re.Sub[0], end)
		}
		out := *re
		out.Max = re.Min
		return &out
	case syntax.OpAlternate:
		out := *re
		out.Sub = slices.Clone(re.Sub)
		for i, sub := range out.Sub {
			out.Sub[i] = trim(sub, end)
		}
		return &out
	case syntax.OpConcat:
		out := *re
		out.Sub = slices.Clone(re.Sub)
		for len(out.Sub) > 0 {
			at := 0
			if end {
				at = len(out.Sub) - 1
			}
			sub := trim(out.Sub[at], end)
			if sub.Op != syntax.OpEmptyMatch {
				out.Sub[at] = sub
				return &out
			}
			out.Sub = slices.Delete(out.Sub, at, at+1)
		}
		return &syntax.Regexp{Op: syntax.OpEmptyMatch}
	}
	return re
}

// lead gathers the first text that an expression needs, and how far behind the beginning of a match it can be.
type lead struct {
	text []byte
	back int
}

// maxBack bounds the bytes before the text.
const maxBack = 256

// read goes over an expression; false: what follows it says nothing more.
func (l *lead) read(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return true
	case syntax.OpCapture:
		return l.read(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !l.read(sub) {
				return false
			}
		}
		return true
	case syntax.OpPlus:
		return l.read(re.Sub[0]) && false
	case syntax.OpRepeat:
		if re.Min == 1 && re.Max == 1 {
			return l.read(re.Sub[0])
		}
		if re.Min > 0 && l.needs(re.Sub[0]) {
			return false
		}
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if r == utf8.RuneError || re.Flags&syntax.FoldCase != 0 && unicode.SimpleFold(r) != r { // it stands for other bytes, too
				if !l.pass(utf8.UTFMax) {
					return false
				}
				continue
			}
			l.text = utf8.AppendRune(l.text, r)
		}
		return true
	}
	return l.pass(longest(re))
}

// needs reads what is there at least once, and tells whether the text begins in it.
func (l *lead) needs(re *syntax.Regexp) bool {
	in := lead{text: l.text, back: l.back}
	in.read(re)
	if len(in.text) == len(l.text) {
		return false
	}
	*l = in
	return true
}

// pass goes over what is at most so many bytes long.
func (l *lead) pass(n int) bool {
	if len(l.text) > 0 || n > maxBack-l.back {
		return false
	}
	l.back += n
	return true
}

// longest is how many bytes at most an expression takes, or more than maxBack.
func longest(re *syntax.Regexp) (n int) {
	switch re.Op {
	case syntax.OpLiteral:
		n = utf8.UTFMax * len(re.Rune)
	case syntax.OpCharClass:
		if n = 1; len(re.Rune) > 0 && re.Rune[len(re.Rune)-1] >= utf8.RuneSelf {
			n = utf8.UTFMax
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		n = utf8.UTFMax
	case syntax.OpCapture, syntax.OpQuest:
		n = longest(re.Sub[0])
	case syntax.OpRepeat:
		if n = maxBack + 1; re.Max >= 0 {
			n = longest(re.Sub[0]) * re.Max
		}
	case syntax.OpStar, syntax.OpPlus:
		n = maxBack + 1
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			n += longest(sub)
		}
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			n = max(n, longest(sub))
		}
	}
	return min(n, maxBack+1)
}
