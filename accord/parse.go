package accord

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Bounds of one text.
const (
	MaxBytes = 256 << 10
	maxDepth = 4
	maxList  = 256
	maxFile  = 32 // accords in one file
)

type expression = hclsyntax.Expression

// Parse reads a text that holds exactly one accord. Its errors are Errors.
func Parse(name string, src []byte) (*Accord, error) {
	as, err := ParseAll(name, src)
	if err != nil {
		return nil, err
	}
	if len(as) != 1 {
		return nil, Errors{{name, Position{1, 1}, "count", fmt.Sprintf("the text holds %d accords: what is agreed upon is one accord by text", len(as))}}
	}
	return as[0], nil
}

// ParseAll reads a text that holds one accord or several, as examples do.
func ParseAll(name string, src []byte) ([]*Accord, error) {
	r := &reader{file: name, src: src}
	as := r.accords()
	if len(r.errs) > 0 {
		slices.SortStableFunc(r.errs, func(a, b *Error) int {
			if a.Line != b.Line {
				return a.Line - b.Line
			}
			return a.Column - b.Column
		})
		return nil, r.errs[:min(len(r.errs), MaxErrors)]
	}
	return as, nil
}

type reader struct {
	file string
	src  []byte
	errs Errors
}

func (r *reader) refuse(at hcl.Range, rule, format string, args ...any) {
	if len(r.errs) < 10*MaxErrors { // sorted and cut later
		r.errs = append(r.errs, &Error{r.file, Position{at.Start.Line, at.Start.Column}, rule, fmt.Sprintf(format, args...)})
	}
}

// value refuses an expression of a form that the attribute does not take.
func (r *reader) value(e expression, word, form string) {
	r.refuse(e.Range(), "value", "%s is %s, not %s", word, form, cited(string(e.Range().SliceBytes(r.src))))
}

func (r *reader) accords() []*Accord {
	begin := hcl.Range{Start: hcl.InitialPos}
	if len(r.src) > MaxBytes {
		r.refuse(begin, "size", "the text has %d bytes: an accord has at most %d", len(r.src), MaxBytes)
		return nil
	}
	if bytes.HasPrefix(r.src, []byte("\ufeff")) {
		r.refuse(begin, "token", "the text begins with a byte order mark: leave it out")
		return nil
	}
	if !r.tokens() {
		return nil
	}
	file, diags := hclsyntax.ParseConfig(r.src, r.file, hcl.InitialPos)
	for _, d := range diags {
		at := begin
		if d.Subject != nil {
			at = *d.Subject
		}
		rule := "syntax"
		if strings.HasPrefix(d.Summary, "Attribute redefined") {
			rule = "duplicate"
		}
		r.refuse(at, rule, "%s: %s", strings.ToLower(d.Summary), strings.Join(strings.Fields(d.Detail), " "))
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if len(r.errs) > 0 || !ok {
		return nil
	}
	for _, a := range body.Attributes {
		r.refuse(a.NameRange, "word", `%s stands outside of an accord: write accord "name" { … } around it`, cited(a.Name))
	}
	var as []*Accord
	seen := map[string]bool{}
	for _, b := range body.Blocks {
		if b.Type != "accord" {
			r.refuse(b.TypeRange, "word", `%s stands outside of an accord: write accord "name" { … } around it`, cited(b.Type))
			continue
		}
		n, ok := r.label(b, ofName)
		if !ok {
			continue
		}
		if seen[n] {
			r.refuse(b.LabelRanges[0], "duplicate", "accord %s stands twice in the text", quoted(n))
			continue
		}
		seen[n] = true
		as = append(as, r.accord(n, b))
		if len(as) > maxFile {
			r.refuse(b.TypeRange, "count", "a text has at most %d accords", maxFile)
			return nil
		}
	}
	if len(body.Blocks) == 0 && len(body.Attributes) == 0 {
		r.refuse(begin, "missing", `the text holds no accord: write accord "name" { … }`)
	}
	return as
}

// plain are the tokens of the language: with these and a bounded depth nothing in a text is computed.
var plain = map[hclsyntax.TokenType]bool{
	hclsyntax.TokenIdent: true, hclsyntax.TokenOBrace: true, hclsyntax.TokenCBrace: true, hclsyntax.TokenOBrack: true, hclsyntax.TokenCBrack: true,
	hclsyntax.TokenEqual: true, hclsyntax.TokenComma: true, hclsyntax.TokenOQuote: true, hclsyntax.TokenQuotedLit: true, hclsyntax.TokenCQuote: true,
	hclsyntax.TokenNumberLit: true, hclsyntax.TokenNewline: true, hclsyntax.TokenComment: true, hclsyntax.TokenEOF: true,
}

// tokens refuses what the language does not have before anything is made of it, so that the parser's depth is bounded too.
func (r *reader) tokens() bool {
	tokens, _ := hclsyntax.LexConfig(r.src, r.file, hcl.InitialPos) // what is wrong there is told by the parser
	depth := 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack:
			if depth++; depth > maxDepth {
				r.refuse(t.Range, "token", "braces and brackets stand at most %d deep", maxDepth)
				return false
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack:
			depth--
		}
		if plain[t.Type] {
			continue
		}
		what := "%s is no part of the language: an accord has words, numbers, lists and strings in quotes"
		switch t.Type {
		case hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			what = "%s begins a template: an accord says what it says, so write the text itself ($${ and %%%%{ stand for the signs)"
		case hclsyntax.TokenOHeredoc:
			what = "%s begins a text of several lines: write one line in quotes, and prose into an annex"
		case hclsyntax.TokenOParen, hclsyntax.TokenCParen:
			what = "%s belongs to a function: an accord has none, so write the value itself"
		case hclsyntax.TokenBadUTF8, hclsyntax.TokenInvalid, hclsyntax.TokenQuotedNewline:
			what = "%s cannot be read: an accord is UTF-8, and a string ends on its line with a quote"
		case hclsyntax.TokenColon:
			what = "%s is no part of the language: write = between a word and its value"
		}
		r.refuse(t.Range, "token", what, cited(string(t.Bytes)))
		if len(r.errs) == MaxErrors {
			break
		}
	}
	return len(r.errs) == 0
}

// accord reads the body of one.
func (r *reader) accord(n string, b *hclsyntax.Block) *Accord {
	a := &Accord{Name: n, at: map[string]Position{"": position(b.TypeRange)}}
	begin(&a.Handle)
	var fields []field
	blocks := map[string]*block{}
	for _, p := range a.schema() {
		if p.field != nil {
			fields = append(fields, *p.field)
		} else {
			blocks[p.block.word] = p.block
		}
	}
	r.attributes(a, "", "accord "+quoted(n), b, fields, blocks)
	seen := map[string]int{}
	for _, inner := range b.Body.Blocks {
		table := blocks[inner.Type]
		if table == nil {
			if i := slices.IndexFunc(fields, func(f field) bool { return f.word == inner.Type }); i >= 0 {
				r.refuse(inner.TypeRange, "word", "%s has one value: write %s = …", inner.Type, inner.Type)
			} else {
				r.refuse(inner.TypeRange, "word", "%s is no word of an accord%s", cited(inner.Type), near(inner.Type, blocks, fields))
			}
			continue
		}
		seen[inner.Type]++
		l, ok := "", len(inner.Labels) == 0
		if table.label != nil {
			l, ok = r.label(inner, table.label)
		} else if !ok {
			r.refuse(inner.LabelRanges[0], "label", "%s has no name: write %s { … }", inner.Type, inner.Type)
		}
		if !ok {
			continue
		}
		where := inner.Type + "/" + l
		if _, twice := a.at[where]; twice {
			r.refuse(inner.TypeRange, "duplicate", "%s stands twice: put both into one", strings.TrimSpace(inner.Type+" "+l))
			continue
		}
		if seen[inner.Type] > table.most {
			r.refuse(inner.TypeRange, "count", "an accord has at most %d of %s", table.most, inner.Type)
			continue
		}
		a.at[where] = position(inner.TypeRange)
		for _, x := range inner.Body.Blocks {
			r.refuse(x.TypeRange, "word", "%s cannot stand in %s: it has attributes only", cited(x.Type), inner.Type)
		}
		r.attributes(a, where, strings.TrimSpace(inner.Type+" "+l), inner, table.add(l), nil)
	}
	for _, p := range a.schema() {
		if p.block != nil && p.block.must && seen[p.block.word] == 0 {
			r.refuse(b.TypeRange, "missing", "accord %s has no %s: write %s { … }", quoted(n), p.block.word, p.block.word)
		}
	}
	if a.Register == "" && len(a.Parties) == 0 && len(r.errs) == 0 {
		r.refuse(b.TypeRange, "missing", `accord %s has no parties: write party "USA" { … } for each, or parties = "register:NAME"`, quoted(n))
	}
	return a
}

// attributes reads those of one block. blocks are the blocks that can stand beside them, for messages.
func (r *reader) attributes(a *Accord, where, what string, b *hclsyntax.Block, fields []field, blocks map[string]*block) {
	for _, at := range b.Body.Attributes {
		i := slices.IndexFunc(fields, func(f field) bool { return f.word == at.Name })
		switch {
		case i >= 0:
			a.at[where+"/"+at.Name] = position(at.NameRange)
			fields[i].read(r, at.Expr)
		case blocks[at.Name] != nil:
			r.refuse(at.NameRange, "word", "%s is a block: write %s { … } without =", at.Name, at.Name)
		default:
			r.refuse(at.NameRange, "word", "%s is no word of %s%s", cited(at.Name), what, near(at.Name, blocks, fields))
		}
	}
	missing := false
	for i := range fields {
		if fields[i].must && b.Body.Attributes[fields[i].word] == nil {
			missing = true
			r.refuse(b.TypeRange, "missing", "%s does not say %s, and nothing is taken for granted: write %s = …", what, fields[i].word, fields[i].word)
		}
	}
	if len(b.Body.Attributes) == 0 && !missing && where != "" {
		r.refuse(b.TypeRange, "missing", "%s says nothing: leave it out", what)
	}
}

// near tells the words that could stand there.
func near(word string, blocks map[string]*block, fields []field) string {
	var words []string
	for i := range fields {
		words = append(words, fields[i].word)
	}
	for w := range blocks {
		words = append(words, w)
	}
	slices.Sort(words)
	for _, w := range words {
		if strings.ReplaceAll(strings.ToLower(word), "_", "-") == w {
			return ": write " + w
		}
	}
	return ": its words are " + strings.Join(words, ", ")
}

func position(at hcl.Range) Position { return Position{at.Start.Line, at.Start.Column} }

// label reads a block's one label.
func (r *reader) label(b *hclsyntax.Block, t *title) (string, bool) {
	if len(b.Labels) != 1 {
		r.refuse(b.TypeRange, "label", "%s has one name in quotes: %s", b.Type, t.form)
		return "", false
	}
	l, at := b.Labels[0], b.LabelRanges[0]
	if !strings.HasPrefix(string(at.SliceBytes(r.src)), `"`) {
		r.refuse(at, "label", "the name of %s stands in quotes: write %s %s", b.Type, b.Type, quoted(l))
		return "", false
	}
	ok := t.is(l)
	if !ok {
		r.refuse(at, "label", "%s is no name for %s: write %s", cited(l), b.Type, t.form)
	}
	return l, ok
}

// keyword gives the bare word that an expression is.
func keyword(e expression) (string, bool) {
	w := hcl.ExprAsKeyword(e)
	return w, w != ""
}

// quoted gives the string that an expression is.
func (r *reader) quoted(e expression) (string, bool) {
	t, ok := e.(*hclsyntax.TemplateExpr)
	if !ok || !t.IsStringLiteral() {
		return "", false
	}
	v, diags := t.Value(nil)
	if diags.HasErrors() || v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

// number gives the whole number that an expression is, as it is written.
func (r *reader) number(e expression, most int64) (int64, bool) {
	if l, ok := e.(*hclsyntax.LiteralValueExpr); ok && l.Val.Type() == cty.Number {
		return parseCount(string(l.SrcRange.SliceBytes(r.src)), most)
	}
	return 0, false
}

// list gives the items of a list; it refuses an empty one.
func (r *reader) list(e expression, word, form string) []expression {
	t, ok := e.(*hclsyntax.TupleConsExpr)
	if !ok || len(t.Exprs) == 0 {
		r.value(e, word, "a list of one or more in brackets, each "+form)
		return nil
	}
	if len(t.Exprs) > maxList {
		r.refuse(e.Range(), "count", "%s lists at most %d", word, maxList)
		return nil
	}
	return t.Exprs
}
