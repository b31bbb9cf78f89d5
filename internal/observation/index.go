package observation

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/gaissmai/bart"
	"golang.org/x/text/unicode/norm"

	"entente/stix/pattern"
)

// path is the index of the tests of one property: of a value it names the conditions that an object with it may meet.
type path struct {
	key    string
	typ    string
	steps  []pattern.Step // every item of a list, whatever the pattern says
	name   string
	equal  map[string][]int32
	number map[float64][]int32
	truth  [2][]int32
	grams  grams
	blocks *bart.Table[[]int32]
	asked  []asked
	there  []int32 // conditions that ask for no more than that it is there
}

// asked is a test that is put to each value.
type asked struct {
	of   *pattern.Pattern
	test *pattern.Test
	cond int32
}

// key names a path, with each place in a list for every item of it.
func key(p *pattern.Path) string {
	b := []byte(p.Type)
	for i := range p.Steps {
		if p.Steps[i].Kind == pattern.Key {
			b = append(append(b, 0), p.Steps[i].Key...)
		} else {
			b = append(b, 1)
		}
	}
	return string(b)
}

func (e *Engine) path(p *pattern.Path) *path {
	k := key(p)
	x := e.paths[k]
	if x == nil {
		x = &path{key: k, typ: p.Type, name: p.Name()}
		for _, s := range p.Steps {
			if s.Kind != pattern.Key {
				s = pattern.Step{Kind: pattern.Every}
			}
			x.steps = append(x.steps, s)
		}
		e.paths[k] = x
		e.types[p.Type] = append(e.types[p.Type], len(e.list))
		e.list = append(e.list, x)
	}
	return x
}

// index puts a condition where the values that it may hold for lead to it.
func (e *Engine) index(n int32) {
	c := &e.conds[n]
	tests, _ := witnesses(c.of, c.is)
	for _, t := range tests {
		e.add(n, c.of, t)
	}
}

// witnesses are tests of which one holds wherever the condition does, as cheap as there are, and what they cost.
func witnesses(of *pattern.Pattern, c *pattern.Condition) (list []*pattern.Test, cost int) {
	switch c.Join {
	case pattern.Single:
		return []*pattern.Test{&c.Test}, price(of, &c.Test)
	case pattern.All:
		cost = 1 << 40
		for i := range c.Operands {
			if l, n := witnesses(of, &c.Operands[i]); n < cost {
				list, cost = l, n
			}
		}
		return list, cost
	}
	for i := range c.Operands {
		l, n := witnesses(of, &c.Operands[i])
		list, cost = append(list, l...), min(cost+n, 1<<40)
	}
	return list, cost
}

// price is about how much it costs to look for what meets a test, and how often that is there.
func price(of *pattern.Pattern, t *pattern.Test) int {
	switch {
	case t.Op == pattern.Exists && t.Not || ofAll(&t.Path):
		return 100_000
	case t.Op == pattern.Exists:
		return 10_000
	case !hashed(t):
		if texts := usable(of.Contains(t)); texts != nil {
			return 20*len(texts) + 40/len(texts[0])
		}
		if t.Op == pattern.IsSubset && !t.Not {
			return 30
		}
		return 5000
	}
	switch n := 1 + len(t.Set); kind(t) {
	case pattern.String:
		return n
	case pattern.Boolean:
		return 3000
	default:
		return 200 * n
	}
}

// ofAll tells whether the property is one that all objects of a type have.
func ofAll(p *pattern.Path) bool {
	return len(p.Steps) == 1 && (p.Steps[0].Key == "type" || p.Steps[0].Key == "id" || p.Steps[0].Key == "spec_version")
}

// hashed tells whether a test asks for values that can be looked up.
func hashed(t *pattern.Test) bool {
	if t.Not || t.Path.IsBinary() || t.Op != pattern.Equal && t.Op != pattern.In {
		return false
	}
	switch kind(t) {
	case pattern.String, pattern.Integer, pattern.Float, pattern.Boolean:
		return true
	}
	return t.Op == pattern.In && len(t.Set) == 0
}

// kind is that of the constants of a test.
func kind(t *pattern.Test) pattern.ConstantKind {
	if t.Op == pattern.In {
		if len(t.Set) == 0 {
			return pattern.String
		}
		return t.Set[0].Kind
	}
	return t.Value.Kind
}

// usable are texts that are all long enough to be looked for; nil: they are not.
func usable(texts []string) []string {
	for _, s := range texts {
		if len(s) < gramSize {
			return nil
		}
	}
	return texts
}

func (e *Engine) add(cond int32, of *pattern.Pattern, t *pattern.Test) {
	if t.Op == pattern.Exists && t.Not || ofAll(&t.Path) {
		e.kinds[t.Path.Type] = append(e.kinds[t.Path.Type], cond)
		return
	}
	p := e.path(&t.Path)
	switch {
	case t.Op == pattern.Exists:
		p.there = append(p.there, cond)
	case hashed(t):
		list := t.Set
		if t.Op == pattern.Equal {
			list = []pattern.Constant{t.Value}
		}
		for i := range list {
			p.addConstant(cond, &list[i])
		}
	case t.Op == pattern.IsSubset && !t.Not:
		if block, ok := prefix(t.Value.Text); ok {
			if p.blocks == nil {
				p.blocks = new(bart.Table[[]int32])
			}
			list, _ := p.blocks.Get(block)
			p.blocks.Insert(block, append(list, cond))
		}
	default:
		texts := usable(of.Contains(t))
		if texts == nil {
			p.asked = append(p.asked, asked{of, t, cond})
		}
		for _, s := range texts {
			p.grams.add(s, cond)
		}
	}
}

func (p *path) addConstant(cond int32, c *pattern.Constant) {
	switch c.Kind {
	case pattern.String:
		if p.equal == nil {
			p.equal = map[string][]int32{}
		}
		p.equal[c.Text] = append(p.equal[c.Text], cond)
	case pattern.Boolean:
		at := 0
		if c.Bool {
			at = 1
		}
		p.truth[at] = append(p.truth[at], cond)
	default:
		n := c.Float
		if c.Kind == pattern.Integer {
			n = float64(c.Int)
		}
		if p.number == nil {
			p.number = map[float64][]int32{}
		}
		p.number[n] = append(p.number[n], cond)
	}
}

// prefix is the block of addresses that a text names: one address is a block of one.
func prefix(s string) (netip.Prefix, bool) {
	if strings.IndexByte(s, '/') < 0 {
		a, err := netip.ParseAddr(s)
		return netip.PrefixFrom(a, a.BitLen()), err == nil && a.Zone() == ""
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err == nil
}

// seal makes a path ready to be looked up in.
func (p *path) seal() { p.grams.seal() }

// text names the conditions for a value that is a text. hit gets each once or more often.
func (p *path) text(v []byte, hit func([]int32)) {
	p.present(hit)
	if p.equal != nil {
		if list := p.equal[string(v)]; list != nil {
			hit(list)
		}
	}
	if p.grams.at != nil {
		p.grams.find(normal(v), hit)
	}
	if p.blocks != nil && len(v) > 0 {
		if block, ok := prefix(string(v)); ok {
			for _, list := range p.blocks.Supernets(block) {
				hit(list)
			}
		}
	}
	if p.asked != nil {
		p.ask(string(v), hit)
	}
}

// normal is the text in NFC.
func normal(v []byte) []byte {
	for _, c := range v {
		if c >= utf8.RuneSelf {
			return norm.NFC.Bytes(v)
		}
	}
	return v
}

// value names the conditions for any value.
func (p *path) value(v any, hit func([]int32)) {
	switch v := v.(type) {
	case string:
		p.text([]byte(v), hit)
		return
	case float64:
		p.num(v, hit)
		return
	case bool:
		at := 0
		if v {
			at = 1
		}
		hit(p.truth[at])
	}
	p.present(hit)
	p.ask(v, hit)
}

// num names the conditions for a number.
func (p *path) num(v float64, hit func([]int32)) {
	p.present(hit)
	hit(p.number[v])
	if p.asked != nil {
		p.ask(v, hit)
	}
}

// present names the conditions for which it is enough that there is a value.
func (p *path) present(hit func([]int32)) {
	if p.there != nil {
		hit(p.there)
	}
}

// exists names the conditions for a value that is no text and no number.
func (p *path) exists(hit func([]int32)) {
	p.present(hit)
	for i := range p.asked { // whatever is no text is unequal to one
		hit([]int32{p.asked[i].cond})
	}
}

// ask puts the tests that nothing leads to.
func (p *path) ask(v any, hit func([]int32)) {
	for i := range p.asked {
		a := &p.asked[i]
		if ok, err := a.of.Compare(a.test, v); ok || err != nil { // where it fails, so does the condition, and says so
			hit([]int32{a.cond})
		}
	}
}

const (
	gramSize = 4
	gramBits = 16
)

// grams finds texts that stand anywhere in others by one four-byte sequence of each.
type grams struct {
	bits []uint64 // which sequences there may be, by their hash
	at   map[uint32][]needle
}

// needle is a text that is looked for.
type needle struct {
	text  string
	off   int // of the sequence in it
	conds []int32
}

func gramHash(g uint32) uint32 { return g * 0x9E3779B1 >> (32 - gramBits) }

func (g *grams) add(text string, cond int32) {
	if g.at == nil {
		g.at = map[uint32][]needle{}
	}
	best, off, least := uint32(0), 0, 1<<30
	for i := 0; i+gramSize <= len(text); i++ {
		if c := common(text[i : i+gramSize]); c < least {
			best, off, least = binary.LittleEndian.Uint32([]byte(text[i:])), i, c
		}
	}
	for i := range g.at[best] {
		if n := &g.at[best][i]; n.text == text {
			n.conds = append(n.conds, cond)
			return
		}
	}
	g.at[best] = append(g.at[best], needle{text, off, []int32{cond}})
}

func (g *grams) seal() {
	if g.at == nil {
		return
	}
	g.bits = make([]uint64, 1<<gramBits/64)
	for k := range g.at {
		h := gramHash(k)
		g.bits[h/64] |= 1 << (h % 64)
	}
}

func (g *grams) find(text []byte, hit func([]int32)) {
	for i := 0; i+gramSize <= len(text); i++ {
		k := binary.LittleEndian.Uint32(text[i:])
		h := gramHash(k)
		if g.bits[h/64]&(1<<(h%64)) == 0 {
			continue
		}
		for _, n := range g.at[k] {
			if from := i - n.off; from >= 0 && bytes.HasPrefix(text[from:], []byte(n.text)) {
				hit(n.conds)
			}
		}
	}
}

// often are the bytes that stand often in paths, command lines and names, the most frequent first: sequences of others are rarer.
const often = "e0 stin\\orcaldmpw.1u2fyghvb3-k:x4856/97_\"=zjq"

func common(s string) (sum int) {
	for i := range len(s) {
		if at := strings.IndexByte(often, s[i]); at >= 0 {
			sum += len(often) - at
		}
	}
	return sum
}
