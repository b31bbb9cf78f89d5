package rendition

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entente/internal/shareddata"
	"entente/outside"
	"entente/stix"
)

// leaf is one text of a drawn object: a word that stands nowhere else, and where.
type leaf struct {
	token, selector string
	internal, own   bool
}

// drawn is an object of which it is known what each word is.
type drawn struct {
	typ, id string
	leaves  []leaf
	marks   []mark
	refs    []string
	author  string
	body    string
}

type mark struct {
	ref       string
	selectors []string
}

const other = "marking-definition--11111111-1111-4111-8111-222222222222"

// tokens are sixteen letters and digits, as many as are asked for, each once.
type tokens struct{ n int }

func (t *tokens) next() string { t.n++; return fmt.Sprintf("taint%011d", t.n) }

func (t *tokens) id(typ string) string {
	t.n++
	return fmt.Sprintf("%s--%08x-aaaa-4aaa-8aaa-%012x", typ, t.n*2654435761%0xffffffff, t.n)
}

// draw makes a report with words, lists, references, own content and granular markings wherever they may stand.
func draw(r *rand.Rand) drawn {
	t := &tokens{n: r.IntN(1000)}
	d := drawn{typ: "report", id: t.id("report"), author: t.id("identity")}
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, ","+format, args...) }
	word := func(selector string, internal, own bool) string {
		w := t.next()
		d.leaves = append(d.leaves, leaf{w, selector, internal, own})
		return w
	}
	add(`"name":"%s"`, word("name", false, false))
	add(`"published":"2026-03-04T05:06:07Z"`)
	if r.IntN(2) == 0 {
		add(`"description":"see %s there"`, word("description", false, false))
	}
	if n := r.IntN(4); n > 0 {
		var labels []string
		for i := range n {
			labels = append(labels, `"`+word(fmt.Sprintf("labels.[%d]", i), false, false)+`"`)
		}
		add(`"labels":[%s]`, strings.Join(labels, ","))
	}
	if n := r.IntN(4); n > 0 {
		var list []string
		for i := range n {
			internal := r.IntN(3) == 0
			source := map[bool]string{true: "desk", false: "world"}[internal]
			at := fmt.Sprintf("external_references.[%d]", i)
			list = append(list, fmt.Sprintf(`{"source_name":"%s","external_id":"%s","description":"%s"}`, source, word(at+".external_id", internal, false), word(at+".description", internal, false)))
		}
		add(`"external_references":[%s]`, strings.Join(list, ","))
	}
	for range 1 + r.IntN(4) {
		d.refs = append(d.refs, t.id([]string{"malware", "tool", "identity"}[r.IntN(3)]))
	}
	add(`"object_refs":["%s"]`, strings.Join(d.refs, `","`))
	add(`"created_by_ref":"%s"`, d.author)
	if r.IntN(3) == 0 {
		add(`"x_own_note":"%s"`, word("x_own_note", false, true))
	}
	if r.IntN(3) == 0 {
		add(`"extensions":{"%s":{"extension_type":"property-extension","own_note":"%s"}}`, t.id("extension-definition"), word("extensions", false, true))
	}
	add(`"object_marking_refs":["%s"]`, []string{amber, secret, amber + `","` + secret}[r.IntN(3)])
	selectable := []string{"name", "published", "object_refs.[0]", "created_by_ref"}
	for _, l := range d.leaves {
		if !l.own {
			selectable = append(selectable, l.selector)
		}
		if list, _, ok := strings.Cut(l.selector, ".["); ok && !slices.Contains(selectable, list) {
			selectable = append(selectable, list)
		}
	}
	var marks []string
	for range r.IntN(4) {
		m := mark{ref: []string{amber, secret, other}[r.IntN(3)]}
		for range 1 + r.IntN(3) {
			if s := selectable[2+r.IntN(len(selectable)-2)]; !slices.Contains(m.selectors, s) {
				m.selectors = append(m.selectors, s)
			}
		}
		d.marks = append(d.marks, m)
		marks = append(marks, fmt.Sprintf(`{"marking_ref":"%s","selectors":["%s"]}`, m.ref, strings.Join(m.selectors, `","`)))
	}
	if len(marks) > 0 {
		add(`"granular_markings":[%s]`, strings.Join(marks, ","))
	}
	d.body = `{"type":"report","spec_version":"2.1","id":"` + d.id + `","created":"2026-03-04T05:06:07.000Z","modified":"2026-03-05T05:06:07.000Z"` + b.String() + `}`
	return d
}

// may is what an audience may have, by words.
type may struct {
	hidden, copied, markings []string // hidden markings
	strip                    []string
	author, anonymous        bool
	internal                 bool // internal references stay
}

func drawMay(r *rand.Rand, d drawn) may {
	var m may
	for _, ref := range d.refs {
		switch r.IntN(5) {
		case 0:
			m.hidden = append(m.hidden, ref)
		case 1:
			m.copied = append(m.copied, ref)
		}
	}
	for _, ref := range []string{secret, other} {
		if r.IntN(2) == 0 {
			m.markings = append(m.markings, ref)
		}
	}
	if r.IntN(3) == 0 {
		m.strip = append(m.strip, []string{"report.description", "report.labels", "tool", "report.external_references"}[r.IntN(4)])
	}
	m.author, m.anonymous, m.internal = r.IntN(3) > 0, r.IntN(4) == 0, r.IntN(2) == 0
	return m
}

// less is what both audiences may have.
func (m may) less(o may) may {
	j := func(a, b []string) []string { return append(slices.Clone(a), b...) }
	return may{j(m.hidden, o.hidden), j(m.copied, o.copied), j(m.markings, o.markings), j(m.strip, o.strip), m.author && o.author, m.anonymous || o.anonymous, m.internal && o.internal}
}

func (m may) plan() Plan {
	p := Plan{Key: key, Strip: m.strip, Author: m.author, May: func(id string) bool { return !slices.Contains(m.markings, id) }, Sees: func(id string) Class {
		switch {
		case slices.Contains(m.hidden, id), slices.Contains(m.markings, id):
			return Withheld
		case slices.Contains(m.copied, id):
			return Reduced
		}
		return Full
	}}
	if !m.internal {
		p.Internal = []string{"desk"}
	}
	if m.anonymous {
		p.Anonymise = []string{"victim"}
	}
	return p
}

// secrets are the words that an audience must not find, by the words of the rules.
func (d drawn) secrets(m may) (out []string) {
	covered := func(selector string) bool {
		for _, s := range d.marks {
			if !slices.Contains(m.markings, s.ref) {
				continue
			}
			for _, at := range s.selectors {
				if at == selector || strings.HasPrefix(selector, at+".") {
					return true
				}
			}
		}
		first, _, _ := strings.Cut(selector, ".")
		return slices.Contains(m.strip, "report."+first)
	}
	for _, l := range d.leaves {
		if l.own || l.internal && !m.internal || covered(l.selector) {
			out = append(out, l.token)
		}
	}
	for i, ref := range d.refs {
		anonymous := m.anonymous && strings.HasPrefix(ref, "identity")
		if slices.Contains(m.hidden, ref) || slices.Contains(m.copied, ref) || anonymous || slices.Contains(m.strip, "tool") && strings.HasPrefix(ref, "tool") || covered(fmt.Sprintf("object_refs.[%d]", i)) {
			out = append(out, ref)
		}
	}
	if !m.author || covered("created_by_ref") {
		out = append(out, d.author)
	}
	return append(out, m.markings...)
}

// residue is a form of a word that stands in the bytes, or nothing.
func residue(body []byte, word string) string {
	forms := []string{word, base64.RawStdEncoding.EncodeToString([]byte(word))[:20], hex.EncodeToString([]byte(word)), fmt.Sprintf("%x", uuid5(word))}
	if typ, uuid, ok := strings.Cut(word, "--"); ok && typ != "" {
		forms = append(forms, uuid)
	}
	for _, f := range forms {
		if bytes.Contains(bytes.ToLower(body), []byte(strings.ToLower(f))) || bytes.Contains(bytes.ReplaceAll(body, []byte("-"), nil), []byte(f)) {
			return f
		}
	}
	return ""
}

// uuid5 is the first bytes of a deterministic id that somebody could make of the word.
func uuid5(word string) []byte {
	namespace, _ := hex.DecodeString("00abedb4aa42466c9c01fed23315a9b7")
	h := outside.UUID5([16]byte(namespace), []byte(word))
	return h[:6]
}

type maker func([]byte, Plan) (Result, error)

var anyID = regexp.MustCompile(`(report|malware|tool|identity)--[0-9a-f-]{36}`)

// laws checks every law of projection on one object and two audiences, and gives the first that is broken.
func laws(d drawn, p, q may, makes maker) error {
	r, err := makes([]byte(d.body), p.plan())
	if err != nil {
		return err
	}
	if err := alone(d, p, r); err != nil {
		return err
	}
	if err := idempotentLaw(p, r, makes); err != nil {
		return err
	}
	both, err := makes([]byte(d.body), p.less(q).plan())
	if err != nil {
		return err
	}
	if both.Class != Withheld && r.Class == Withheld {
		return fmt.Errorf("monotone: an audience that may have less has more: %s has %s, %+v", both.Class, r.Class, r.Why)
	}
	for _, l := range d.leaves {
		if bytes.Contains(both.Body, []byte(l.token)) && !bytes.Contains(r.Body, []byte(l.token)) {
			return fmt.Errorf("monotone: an audience that may have less has %s", l.token)
		}
	}
	return commuteLaw(d, p, q, r, both, makes)
}

// alone checks the laws of one rendition.
func alone(d drawn, p may, r Result) error {
	for _, law := range []func(drawn, may, Result) error{residueLaw, validLaw, markingLaw, closureLaw, timesLaw} {
		if err := law(d, p, r); err != nil {
			return err
		}
	}
	return nil
}

func residueLaw(d drawn, p may, r Result) error {
	for _, word := range d.secrets(p) {
		if f := residue(r.Body, word); f != "" {
			return fmt.Errorf("residue: %s of %s is in\n%s\nof\n%s", f, word, r.Body, d.body)
		}
	}
	if r.Class == Reduced && bytes.Contains(r.Body, []byte(d.id)) {
		return fmt.Errorf("residue: the id is in %s", r.Body)
	}
	return nil
}

func validLaw(_ drawn, _ may, r Result) error {
	if r.Class == Withheld {
		return nil
	}
	o, err := stix.Parse(r.Body)
	if err != nil {
		return fmt.Errorf("valid: %w", err)
	}
	if f := stix.Validate(o, stix.Options{}); !stix.Valid(f, false) {
		return fmt.Errorf("valid: %v", f)
	}
	if bytes.Contains(r.Body, []byte("null")) || bytes.Contains(r.Body, []byte("[]")) || bytes.Contains(r.Body, []byte(`""`)) {
		return fmt.Errorf("valid: a hole in %s", r.Body)
	}
	return nil
}

// markingLaw: a granular marking that is left covers what it covered before.
func markingLaw(d drawn, p may, r Result) error {
	if r.Class == Withheld {
		return nil
	}
	was, _ := stix.Parse([]byte(d.body))
	now, err := stix.Parse(r.Body)
	if err != nil {
		return err
	}
	texts := func(o *stix.Object) map[string]bool {
		set := map[string]bool{}
		for i, g := range o.Granular() {
			for _, s := range g.Selectors {
				v, ok := o.Select(s)
				if !ok {
					set[fmt.Sprintf("marking %d chooses nothing by %s", i, s)] = true
					continue
				}
				for _, token := range regexp.MustCompile(`taint[0-9]{11}`).FindAllString(string(v), -1) {
					set[g.MarkingRef+" "+token] = true
				}
			}
		}
		return set
	}
	before := texts(was)
	for covered := range texts(now) {
		if !before[covered] {
			return fmt.Errorf("marking: %s", covered)
		}
	}
	after := texts(now)
	for covered := range before {
		ref, token, _ := strings.Cut(covered, " ")
		if bytes.Contains(r.Body, []byte(token)) && !slices.Contains(p.markings, ref) && !after[covered] {
			return fmt.Errorf("marking: %s is not covered any more", covered)
		}
	}
	return nil
}

// closureLaw: every reference leads to something that the audience has, under the id under which it has it.
func closureLaw(d drawn, p may, r Result) error {
	if r.Class == Withheld {
		return nil
	}
	o, err := stix.Parse(r.Body)
	if err != nil {
		return err
	}
	has := map[string]bool{amber: true}
	for _, ref := range append([]string{secret, other, d.author, d.id}, d.refs...) {
		switch p.plan().Sees(ref) {
		case Full:
			has[ref] = true
		case Reduced:
			has[ID(key, ref)] = true
		}
	}
	for _, ref := range o.Refs() {
		if !has[ref.ID] {
			return fmt.Errorf("closure: %s leads to %s", ref.Path, ref.ID)
		}
	}
	return nil
}

// timesLaw: where somebody is not to be known, no time says more than the hour.
func timesLaw(_ drawn, p may, r Result) error {
	if p.anonymous && bytes.Contains(r.Body, []byte(`"created":"2026-03-04T05:06`)) {
		return fmt.Errorf("times: %s", r.Body)
	}
	return nil
}

func idempotentLaw(p may, r Result, makes maker) error {
	if r.Class == Withheld {
		return nil
	}
	again, err := makes(r.Body, p.plan())
	if err != nil {
		return err
	}
	if again.Class != Full || !bytes.Equal(again.Body, r.Body) {
		return fmt.Errorf("idempotent: %s of %s", again.Class, r.Class)
	}
	return nil
}

// commuteLaw: one after the other is both at once, but for the ids, which are made of ids.
func commuteLaw(d drawn, p, q may, r, both Result, makes maker) error {
	if r.Class == Withheld {
		return nil
	}
	q.copied = nil // what is a copy already is none again
	for _, ref := range p.copied {
		if slices.Contains(q.hidden, ref) {
			q.hidden = append(slices.Clone(q.hidden), ID(key, ref))
		}
	}
	then, err := makes(r.Body, q.plan())
	if err != nil {
		return err
	}
	once := p.less(q)
	if both, err = makes([]byte(d.body), once.plan()); err != nil {
		return err
	}
	if a, b := anyID.ReplaceAll(then.Body, []byte("id")), anyID.ReplaceAll(both.Body, []byte("id")); (then.Class == Withheld) != (both.Class == Withheld) || !bytes.Equal(a, b) {
		return fmt.Errorf("commute: %s\n%s\nand at once\n%s\nof\n%s", d.id, then.Body, both.Body, d.body)
	}
	return nil
}

func TestLaws(t *testing.T) {
	classes := map[Class]int{}
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for range 10 {
			d := draw(r)
			p, q := drawMay(r, d), drawMay(r, d)
			if err := laws(d, p, q, Make); err != nil {
				t.Fatal(err)
			}
			if one, err := Make([]byte(d.body), p.plan()); err == nil {
				classes[one.Class]++
			}
		}
	})
	if classes[Withheld] == 0 || classes[Reduced] == 0 || classes[Full] == 0 {
		t.Errorf("not every outcome was drawn: %v", classes)
	}
}

// TestSharedObjects: the laws that need no knowledge of an object, on published ones.
func TestSharedObjects(t *testing.T) {
	files := shareddata.Seeds("", "stix", "oasis-examples", "*.json")
	if len(files) == 0 {
		t.Skip("the shared data sets are not here")
	}
	made := 0
	for _, file := range files {
		_, _ = stix.Split(bytes.NewReader(file), func(raw []byte) error {
			body := bytes.Clone(raw)
			o, err := stix.Parse(body)
			if err != nil || o.Spec() != "2.1" || !stix.Valid(stix.Validate(o, stix.Options{}), false) {
				return nil
			}
			p := plan(func(p *Plan) { p.Author, p.Anonymise = false, []string{"victim"} })
			r, err := Make(body, p)
			if err != nil {
				t.Fatalf("%s: %v", o.ID(), err)
			}
			if r.Class == Withheld {
				return nil
			}
			made++
			if r.Class == Reduced {
				checkValid(t, r)
			}
			if again, err := Make(r.Body, p); err != nil || again.Class != Full {
				t.Errorf("%s: again %s, %v, %+v", o.ID(), again.Class, err, again.Why)
			}
			if bytes.Contains(r.Body, []byte("created_by_ref")) {
				t.Errorf("%s: names its author", o.ID())
			}
			return nil
		})
	}
	if made < 10 {
		t.Errorf("only %d renditions were made", made)
	}
}

func FuzzMake(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		f.Add([]byte(draw(r).body))
	}
	f.Add([]byte(`{"type":"x","id":"x","granular_markings":[1,{"selectors":[1],"marking_ref":2}],"extensions":[],"external_references":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, p := range []Plan{plan(nil), plan(func(p *Plan) {
			p.Author, p.Anonymise, p.Strip, p.Internal, p.May = false, []string{"victim"}, []string{"tool", "report.labels"}, []string{"desk"}, nil
		})} {
			r, err := Make(bytes.Clone(body), p)
			if err == nil && r.Class == Reduced && !json.Valid(r.Body) {
				t.Fatalf("%s", r.Body)
			}
		}
	})
}

func BenchmarkMake(b *testing.B) {
	body := []byte(object("report", `"name":"a name","description":"`+strings.Repeat("some words ", 60)+`","published":"2026-03-04T05:06:07Z","object_refs":["`+seen+`","`+copied+`"],"labels":["one","two"]`))
	for name, p := range map[string]Plan{"full": plan(func(p *Plan) { p.Sees = func(string) Class { return Full } }), "reduced": plan(nil)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := Make(body, p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
