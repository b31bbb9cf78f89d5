package accord

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"entente/label"
)

func some[T comparable](t *rapid.T, name string, from ...T) []T {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, 3, rapid.ID[T]).Draw(t, name)
}

// few is some with at least one.
func few[T comparable](t *rapid.T, name string, from ...T) []T {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 1, 3, rapid.ID[T]).Draw(t, name)
}

func drawTime(t *rapid.T, name string) time.Duration {
	return time.Duration(rapid.IntRange(1, 200_000).Draw(t, name)) * rapid.SampledFrom([]time.Duration{time.Minute, time.Hour}).Draw(t, name+" unit")
}

func maybeTime(t *rapid.T, name string) time.Duration {
	if rapid.Bool().Draw(t, name+" said") {
		return drawTime(t, name)
	}
	return 0
}

func drawDay(t *rapid.T, name string) time.Time {
	return time.Date(2026, 1, rapid.IntRange(1, 900).Draw(t, name), 0, 0, 0, 0, time.UTC)
}

var drawnNations = []string{"USA", "KWT", "MEX", "NOR"}

// drawAccord makes any accord that a text can say, whether or not it makes sense.
func drawAccord(t *rapid.T) *Accord {
	pick := func(name string, from ...string) string { return rapid.SampledFrom(from).Draw(t, name) }
	yes := func(name string) bool { return rapid.Bool().Draw(t, name) }
	purposes := func(name string, least int) (p label.Purposes) {
		for _, w := range rapid.SliceOfN(rapid.SampledFrom(label.EveryPurpose.List()), least, 4).Draw(t, name) {
			one, _ := label.ParsePurposes(w)
			p |= one
		}
		return p
	}
	digest := func(name string) string { return pick(name, "", Unfilled, Digest([]byte("x")), Digest([]byte("y"))) }
	tlp := func(name string) label.TLP { return label.TLP(rapid.IntRange(0, 4).Draw(t, name)) }
	count := func(name string) int { return rapid.IntRange(0, 3).Draw(t, name) }
	a := &Accord{Name: pick("name", "a", "b-2"), Title: pick("title", "", "Schutz „kritischer“ Netze", `a "b" \ ${c} %{d} $${`), Version: rapid.IntRange(1, 99).Draw(t, "version"),
		Supersedes: digest("supersedes"), Mode: label.Mode(pick("mode", "operational", "exercise:x")), Effective: drawDay(t, "effective"),
		Register: pick("register", "", "r"), Sectors: some(t, "sectors", "energy", "water", "finance"), Purpose: purposes("purpose", 1), Never: purposes("never", 0),
		SuspendBy: pick("suspend", "", "any-party", "all")}
	if yes("ends") {
		a.Expires = drawDay(t, "expires")
	}
	if yes("reviewed") {
		a.Review = drawDay(t, "review")
	}
	for _, l := range some(t, "texts", "en", "ar") {
		a.Texts = append(a.Texts, Text{l, Digest([]byte(l))})
	}
	for _, n := range few(t, "parties", drawnNations...) {
		a.Parties = append(a.Parties, Party{n, pick("org", "", "x.org", "Utopia CERT", `Büro "für" ${Sicherheit}, %{x}\`), pick("node", "", "h.example:8443", "[2001:db8::1]:443"), pick("keys", "k", "l"), rapid.IntRange(1, 3).Draw(t, "need"),
			some(t, "signers", "x.org", "Ministry of Foreign Affairs", "外務省")})
	}
	if yes("relayed") {
		a.Relays = []Relay{{"hub", yes("read"), yes("witness"), int64(count("queue")) << 31}}
	}
	for _, n := range some(t, "authorities", "us.act", "eu.act") {
		x := Authority{Name: n, Covers: some(t, "covers", "indicator", "incident"), Origin: pick("origin", "", "private-sector")}
		if yes("lapses") {
			x.Sunset = drawDay(t, "sunset")
		}
		a.Authorities = append(a.Authorities, x)
	}
	if yes("scoped") {
		a.Scope = Scope{"receiving-org", some(t, "clients", "c", "d"), pick("community", "", "parties")}
	}
	for _, n := range some(t, "gives", "g", "h", "i") {
		g := Give{Name: n, From: some(t, "from", drawnNations...), To: some(t, "to", drawnNations...), Kinds: few(t, "kinds", "indicator", "incident", "report"), Ceiling: tlp("ceiling"),
			Class: label.Unclassified(), Strip: some(t, "strip", "identity.name", "email-addr"), Anonymise: some(t, "anonymise", "victim", "reporter"), ReleaseOfficer: yes("officer"),
			Subset: yes("subset"), Persons: pick("persons", "", "delegates")}
		if yes("classified") {
			g.Class, _ = label.ParseClass(pick("class", "NATO:NR", "NATO:NS", "EU:C"))
		}
		if yes("accessed") {
			g.HasAccess, g.Access = true, label.Access(rapid.IntRange(0, 1).Draw(t, "give access"))
		}
		a.Gives = append(a.Gives, g)
	}
	a.Handle = Handle{Default: tlp("default"), Retain: maybeTime(t, "retain"), PAP: label.PAP(rapid.IntRange(0, 4).Draw(t, "pap")), Onward: label.Onward(rapid.IntRange(0, 4).Draw(t, "onward")),
		ConsentTimeout: maybeTime(t, "timeout"), Attribution: label.Attribution(rapid.IntRange(0, 3).Draw(t, "attribution")), EmbargoMax: maybeTime(t, "embargo"),
		Access: label.Access(rapid.IntRange(0, 1).Draw(t, "access"))}
	if yes("to clients") {
		a.Handle.Onward, a.Handle.Clients = label.OnwardNone, true
	}
	for _, k := range some(t, "retained", "indicator", "sighting") {
		if a.Handle.RetainKind == nil {
			a.Handle.RetainKind = map[string]time.Duration{}
		}
		a.Handle.RetainKind[k] = drawTime(t, "retain-kind")
	}
	if yes("reciprocal") {
		a.Reciprocity = &Reciprocity{few(t, "back", "sighting", "report"), few(t, "for", "indicator", "report"), drawTime(t, "within"), rapid.IntRange(1, 100).Draw(t, "minimum"),
			pick("otherwise", "notify", "suspend"), maybeTime(t, "after")}
	}
	a.Limits = Limits{count("objects"), int64(count("object")) * 1000, int64(count("attachment")) << 20, int64(count("queue")) << 30}
	for _, n := range some(t, "decides", "d", "e") {
		a.Decides = append(a.Decides, Decide{Name: n, Propose: pick("propose", "any", "3"), Consent: pick("consent", "all", "all-but-subject", "2", "2/3", "75%"), Weights: digest("weights"),
			Deadline: drawTime(t, "deadline"), Silence: yes("silence"), Persons: rapid.IntRange(1, 4).Draw(t, "persons of a party"), MinPositive: count("min-positive"), Unreachable: pick("unreachable", "blocks", "abstains"), Veto: pick("veto", "", "affected-party"), Evidence: yes("evidence"),
			Review: maybeTime(t, "decide review")})
		if d := &a.Decides[len(a.Decides)-1]; yes("actions") {
			d.HasPAP, d.PAP = true, label.PAP(rapid.IntRange(0, 4).Draw(t, "decide pap"))
		}
	}
	for _, n := range some(t, "exercises", "x", "y") {
		from := drawDay(t, "window")
		a.Exercises = append(a.Exercises, Exercise{n, from, from.AddDate(0, 0, count("days")), drawTime(t, "purge")})
	}
	for _, n := range some(t, "derives", "p", "q") {
		a.Derives = append(a.Derives, Derive{n, few(t, "consent of", drawnNations...)})
	}
	leave := func(name string) *Leave {
		if !yes(name) {
			return nil
		}
		return &Leave{drawTime(t, "notice"), drawTime(t, "purge"), yes("receipts")}
	}
	a.Terminate, a.Withdraw = leave("terminates"), leave("withdraws")
	return a
}

var sameAccord = cmp.Options{cmpopts.IgnoreUnexported(Accord{}), cmpopts.EquateEmpty(), cmp.Comparer(equalClass)}

func TestTextsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawAccord(t)
		text := a.Bytes()
		b, err := Parse("f", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(a, b, sameAccord); diff != "" {
			t.Fatalf("%s\n%s", diff, text)
		}
		again, err := Format(text)
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("%v\n%s\n%s", err, text, again)
		}
		for _, lang := range Languages {
			for _, s := range b.Explain(lang) {
				if s.Line == 0 || strings.Contains(s.Text, "%!") || s.Text == "" {
					t.Fatalf("%s: %+v", lang, s)
				}
			}
		}
		b.Check(Context{Now: b.Effective, Members: b.Parties, Before: b})
	})
}

// Whatever the canonical form states has a sentence of its own, by block.
func TestEveryClauseIsExplained(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawAccord(t)
		said := map[string]bool{}
		for _, s := range a.Explain("en") {
			said[s.Clause+"."+s.Attribute] = true
		}
		// One sentence tells what stands in several words.
		together := map[string]string{"from": "kind", "to": "kind", "ceiling": "kind", "for": "give-back", "need": "signers"}
		for _, p := range a.schema() {
			entries := []entry{}
			word := ""
			if p.field != nil {
				entries = append(entries, entry{"", []field{*p.field}})
			} else {
				entries, word = p.block.all(), p.block.word
			}
			for _, e := range entries {
				for _, x := range e.pairs() {
					clause := strings.TrimSpace(word + " " + e.label)
					if !said[clause+"."+x.word] && !said[clause+"."+together[x.word]] {
						t.Fatalf("no sentence tells %s of %q", x.word, clause)
					}
				}
			}
		}
	})
}

func TestDiffIsComplete(t *testing.T) {
	blank := func(a *Accord) string {
		b := *a
		b.Version, b.Supersedes = 1, ""
		return string(b.Bytes())
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawAccord(t), drawAccord(t)
		c, _ := Parse("f", a.Bytes())
		c.Version, c.Supersedes = b.Version, b.Supersedes
		if d := Diff(a, c); len(d) != 0 {
			t.Fatalf("nothing changed: %+v", d)
		}
		// One part of the other is taken over, so that also small differences are met.
		switch rapid.IntRange(0, 6).Draw(t, "part") {
		case 0:
			c.Handle = b.Handle
		case 1:
			c.Gives = b.Gives
		case 2:
			c.Parties = b.Parties
		case 3:
			c.Decides, c.Limits = b.Decides, b.Limits
		case 4:
			c.Authorities, c.Exercises = b.Authorities, b.Exercises
		case 5:
			c.Purpose, c.Never, c.Sectors, c.Expires = b.Purpose, b.Never, b.Sectors, b.Expires
		default:
			c = b
		}
		forth, back := Diff(a, c), Diff(c, a)
		if (len(forth) == 0) != (blank(a) == blank(c)) || (len(back) == 0) != (len(forth) == 0) {
			t.Fatalf("%d and %d changes\n%s\n%s", len(forth), len(back), a.Bytes(), c.Bytes())
		}
		ways := func(cs []Change) (n [3]int) {
			for _, x := range cs {
				n[x.Way]++
			}
			return n
		}
		if f, k := ways(forth), ways(back); f[Narrow] != k[Widen] || f[Widen] != k[Narrow] {
			t.Fatalf("what widens does not narrow on the way back: %+v\n%+v", forth, back)
		}
	})
}

// The tables say of every flow in a small world what a reader of the text would.
func TestTablesEqualTheText(t *testing.T) {
	type question struct {
		from, to, kind string
		tlp            label.TLP
	}
	// the reader goes through the clauses as they are written
	read := func(a *Accord, q question) (clauses []string) {
		has := func(list []string, w string) bool {
			for _, x := range list {
				if x == w {
					return true
				}
			}
			return false
		}
		for _, g := range a.Gives {
			if (len(g.From) == 0 || has(g.From, q.from)) && (len(g.To) == 0 || has(g.To, q.to)) && has(g.Kinds, q.kind) && q.tlp >= g.Ceiling {
				clauses = append(clauses, g.Name)
			}
		}
		return clauses
	}
	tables := func(terms *Terms, q question) (clauses []string) {
		for _, i := range terms.ByKind[q.kind] {
			c := &terms.Clauses[i]
			if c.FromSet.Has(terms.Number(q.from, "")) && c.ToSet.Has(terms.Number(q.to, "")) && q.tlp >= c.Ceiling {
				clauses = append(clauses, c.Name)
			}
		}
		return clauses
	}
	nations := []string{"KWT", "MEX", "USA"}
	subsets := [][]string{nil, {"KWT"}, {"MEX"}, {"USA"}, {"KWT", "MEX"}, {"USA", "KWT"}, {"MEX", "USA"}, {"USA", "MEX", "KWT"}}
	kinds := []string{"indicator", "incident"}
	asked := 0
	for _, from := range subsets {
		for _, to := range subsets {
			for _, ks := range [][]string{{"indicator"}, {"incident"}, {"incident", "indicator"}} {
				for ceiling := label.Red; ceiling <= label.Clear; ceiling++ {
					a, err := Parse("f", []byte(least))
					if err != nil {
						t.Fatal(err)
					}
					a.Parties = nil
					for _, n := range []string{"USA", "KWT", "MEX"} {
						a.Parties = append(a.Parties, Party{Nation: n, Org: "o", Need: 1})
					}
					a.Gives = append(a.Gives, Give{Name: "second", From: from, To: to, Kinds: ks, Ceiling: ceiling, Class: label.Unclassified()})
					terms, err := Compile(a, Digest(a.Bytes()), nil)
					if err != nil {
						if refused := (*Uncompiled)(nil); errors.As(err, &refused) && len(from) == 1 && len(to) == 1 && from[0] == to[0] {
							continue
						}
						t.Fatal(err)
					}
					for _, p := range nations {
						for _, q := range nations {
							for _, k := range kinds {
								for tlp := label.Red; tlp <= label.Clear; tlp++ {
									asked++
									x := question{p, q, k, tlp}
									if want, got := fmt.Sprint(read(a, x)), fmt.Sprint(tables(terms, x)); want != got {
										t.Fatalf("%+v: the text says %s, the tables %s\n%s", x, want, got, a.Bytes())
									}
								}
							}
						}
					}
				}
			}
		}
	}
	if asked != 82350 {
		t.Errorf("%d questions were asked", asked)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(least))
	for _, src := range examples(f) {
		f.Add(src)
	}
	f.Add([]byte(`accord "a" { x = { y = [ "${z}" ] } }`))
	f.Fuzz(func(t *testing.T, src []byte) {
		as, err := ParseAll("f", src)
		if err != nil {
			var all Errors
			if !errors.As(err, &all) || len(all) == 0 || len(all) > MaxErrors {
				t.Fatal(err)
			}
			return
		}
		for _, a := range as {
			text := a.Bytes()
			b, err := Parse("f", text)
			if err != nil {
				t.Fatalf("the canonical form cannot be read: %v\n%s", err, text)
			}
			if !bytes.Equal(b.Bytes(), text) || len(Diff(a, b)) != 0 {
				t.Fatalf("%s\n%s", text, b.Bytes())
			}
			a.Check(Context{})
			a.Explain("de")
			if terms, err := Compile(a, Digest(text), members); err == nil && len(terms.Parties) < 2 {
				t.Fatal("an accord of one")
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	src := examples(b)[0]
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		if _, err := Parse("f", src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	a, err := Parse("f", examples(b)[0])
	if err != nil {
		b.Fatal(err)
	}
	digest := Digest(a.Bytes())
	for b.Loop() {
		if _, err := Compile(a, digest, members); err != nil {
			b.Fatal(err)
		}
	}
}
