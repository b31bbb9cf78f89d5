package accord

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// Format gives the canonical form of a text, whose bytes are what is signed: one order of words, one alignment, every default written out, durations
// and sizes in one unit, and no comments, for what binds nobody is no part of an agreement. Lists, and blocks of one word, stay in the order of the
// text. A canonical form is its own canonical form.
func Format(src []byte) ([]byte, error) {
	as, err := ParseAll("accord", src)
	if err != nil {
		return nil, err
	}
	var out []byte
	for i, a := range as {
		if i > 0 {
			out = append(out, '\n')
		}
		out = append(out, a.Bytes()...)
	}
	return out, nil
}

// Bytes is the canonical form of the accord.
func (a *Accord) Bytes() []byte {
	var b strings.Builder
	b.WriteString("accord " + quoted(a.Name) + " {\n")
	var group []pair // attributes that stand together
	last, begun := -1, false
	open := func(g int) {
		if begun && g != last {
			b.WriteByte('\n')
		}
		last, begun = g, true
	}
	flush := func() {
		if len(group) > 0 {
			writePairs(&b, "  ", group)
			group = nil
		}
	}
	for _, p := range a.schema() {
		if p.field != nil {
			if s := p.field.text(); s != "" {
				if p.group != last {
					flush()
				}
				open(p.group)
				group = append(group, pair{p.field.word, s})
			}
			continue
		}
		flush()
		for _, e := range p.block.all() {
			open(p.group)
			writeBlock(&b, p.block.word, e)
		}
	}
	flush()
	b.WriteString("}\n")
	return []byte(b.String())
}

type pair struct{ word, text string }

func (e *entry) pairs() []pair {
	var out []pair
	for i := range e.fields {
		if s := e.fields[i].text(); s != "" {
			out = append(out, pair{e.fields[i].word, s})
		}
	}
	return out
}

// writeBlock puts a block with one attribute on one line.
func writeBlock(b *strings.Builder, word string, e entry) {
	b.WriteString("  " + word)
	if e.label != "" {
		b.WriteString(" " + quoted(e.label))
	}
	pairs := e.pairs()
	if len(pairs) == 1 {
		b.WriteString(" { " + pairs[0].word + " = " + pairs[0].text + " }\n")
		return
	}
	b.WriteString(" {\n")
	writePairs(b, "    ", pairs)
	b.WriteString("  }\n")
}

func writePairs(b *strings.Builder, indent string, pairs []pair) {
	width := 0
	for _, p := range pairs {
		width = max(width, utf8.RuneCountInString(p.word))
	}
	for _, p := range pairs {
		b.WriteString(indent + p.word + strings.Repeat(" ", width-len(p.word)) + " = " + p.text + "\n")
	}
}

// Digest names a canonical form: "sha256:" and the hash in hex.
func Digest(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:])
}
