package sigma

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Condition is a condition as it is written. Its operators bind so, the least first: or, and, not, of, brackets.
type Condition struct {
	Text string
	Position
	root *node
}

// nodeKind is what a node of a condition is.
type nodeKind uint8

const (
	nodeName  nodeKind = iota
	nodeOneOf          // 1 of, any of
	nodeAllOf          // all of
	nodeNot
	nodeAnd
	nodeOr
)

type node struct {
	kind nodeKind
	name string // of a search identifier, or the pattern after of
	args []*node
}

// maxTokens bounds a condition, and with it how deep it can be nested.
const maxTokens = 2000

// token is a word of a condition, where it begins.
type token struct {
	text   string
	offset int // in bytes
}

func tokens(s string) (out []token) {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '(' || c == ')':
			out = append(out, token{s[i : i+1], i})
			i++
		default:
			start := i
			for i < len(s) && strings.IndexByte(" \t\r\n()", s[i]) < 0 {
				i++
			}
			out = append(out, token{s[start:i], start})
		}
	}
	return out
}

// isIdentifier says whether a name can stand in a condition.
func isIdentifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c == '(' || c == ')' || c == '*' {
			return false
		}
	}
	return s != "" && s != "|" && !isOperator(s)
}

func isOperator(s string) bool {
	switch strings.ToLower(s) {
	case "and", "or", "not", "of", "them":
		return true
	}
	return false
}

// conditionParser reads a condition by recursive descent.
type conditionParser struct {
	tokens []token
	text   string
	at     Position
	plain  bool // the text stands in one line of the file, so that columns can be counted in it
	r      *report
	bad    bool
	// names alone: no "1 of", as in the condition of a correlation
	names bool
}

func parseCondition(n *yaml.Node, r *report) *Condition {
	p := conditionParser{tokens: tokens(n.Value), text: n.Value, at: at(n), plain: n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0 && !strings.Contains(n.Value, "\n"), r: r}
	if p.plain && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		p.at.Column++
	}
	root := p.read()
	if root == nil {
		return nil
	}
	return &Condition{Text: n.Value, Position: at(n), root: root}
}

func (p *conditionParser) read() *node {
	if len(p.tokens) > maxTokens {
		p.r.fail(p.at, CodeSize, "the condition has more than %d words: split the rule", maxTokens)
		return nil
	}
	root := p.or()
	if !p.bad && len(p.tokens) > 0 {
		if p.tokens[0].text == "|" {
			p.fail("aggregations after | are no longer Sigma, and would be ignored: write a correlation")
		} else {
			p.fail("%q was not expected here: put and or or before it", p.tokens[0].text)
		}
	}
	if p.bad {
		return nil
	}
	return root
}

func (p *conditionParser) fail(format string, args ...any) {
	if p.bad {
		return
	}
	p.bad = true
	where := p.at
	if p.plain {
		offset := len(p.text)
		if len(p.tokens) > 0 {
			offset = p.tokens[0].offset
		}
		where.Column += len([]rune(p.text[:offset]))
	}
	p.r.fail(where, CodeCondition, format, args...)
}

// word takes the next token when it is this word.
func (p *conditionParser) word(w string) bool {
	if p.bad || len(p.tokens) == 0 || !strings.EqualFold(p.tokens[0].text, w) {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *conditionParser) or() *node { return p.list(nodeOr, "or", p.and) }

func (p *conditionParser) and() *node { return p.list(nodeAnd, "and", p.not) }

func (p *conditionParser) list(kind nodeKind, word string, next func() *node) *node {
	first := next()
	args := []*node{first}
	for p.word(word) {
		args = append(args, next())
	}
	if len(args) == 1 {
		return first
	}
	return &node{kind: kind, args: args}
}

func (p *conditionParser) not() *node {
	if p.word("not") {
		return &node{kind: nodeNot, args: []*node{p.not()}}
	}
	return p.primary()
}

func (p *conditionParser) primary() *node {
	if p.bad {
		return nil
	}
	if p.word("(") {
		n := p.or()
		if !p.word(")") {
			p.fail("a bracket is not closed: put ) here")
		}
		return n
	}
	if len(p.tokens) == 0 {
		p.fail("the condition ends too early: name a search identifier")
		return nil
	}
	t := p.tokens[0]
	if len(p.tokens) > 1 && strings.EqualFold(p.tokens[1].text, "of") && !p.names {
		return p.of(t)
	}
	if !isIdentifier(t.text) {
		p.fail("%q was not expected here: name a search identifier", t.text)
		return nil
	}
	p.tokens = p.tokens[1:]
	return &node{name: t.text}
}

func (p *conditionParser) of(count token) *node {
	n := &node{kind: nodeOneOf}
	switch strings.ToLower(count.text) {
	case "1", "any":
	case "all":
		n.kind = nodeAllOf
	default:
		p.fail("%q of is not known: write 1 of or all of", count.text)
		return nil
	}
	p.tokens = p.tokens[2:]
	if len(p.tokens) == 0 || strings.ContainsAny(p.tokens[0].text, "()") {
		p.fail("of what? write them, or the name of search identifiers with * in it")
		return nil
	}
	n.name = p.tokens[0].text
	if strings.EqualFold(n.name, "them") {
		n.name = "them"
	}
	p.tokens = p.tokens[1:]
	return n
}

// selects says whether the pattern after "of" means a search identifier: "them" means all but those whose name begins with _, a pattern
// those whose name is of its form.
func selects(pattern, name string) bool {
	if pattern == "them" {
		return !strings.HasPrefix(name, "_")
	}
	pieces := strings.Split(pattern, "*")
	if len(pieces) == 1 {
		return name == pattern
	}
	rest, ok := strings.CutPrefix(name, pieces[0])
	if !ok {
		return false
	}
	last := pieces[len(pieces)-1]
	for _, piece := range pieces[1 : len(pieces)-1] {
		_, after, found := strings.Cut(rest, piece)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, last)
}
