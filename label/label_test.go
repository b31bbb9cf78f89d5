package label

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func drawSet(t *rapid.T, name string, words ...string) Set {
	if rapid.IntRange(0, 4).Draw(t, name+" all") == 0 {
		return All()
	}
	s, err := NewSet(rapid.SliceOfN(rapid.SampledFrom(words), 0, len(words)).Draw(t, name)...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func drawTime(t *rapid.T, name string) time.Time {
	if rapid.Bool().Draw(t, name+" none") {
		return time.Time{}
	}
	// Nanoseconds, other zones and years beyond the bounds are to be levelled, too.
	at := time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, name), rapid.Int64Range(0, 999_999_999).Draw(t, name+" ns"))
	if rapid.Bool().Draw(t, name+" near") {
		at = time.Unix(1_800_000_000+rapid.Int64Range(0, 3).Draw(t, name+" s"), 0).In(time.FixedZone("", 3600))
	}
	return at
}

func drawLabel(t *rapid.T, name string) Label {
	class, err := ParseClass(rapid.SampledFrom([]string{"unclassified", "mixed", "NATO:NU", "NATO:NR", "NATO:CTS", "USA:S", "USA:TS", "EU:R"}).Draw(t, name+" class"))
	if err != nil {
		t.Fatal(err)
	}
	return Label{
		TLP:         TLP(rapid.IntRange(0, 6).Draw(t, name+" tlp")),
		PAP:         PAP(rapid.IntRange(0, 5).Draw(t, name+" pap")),
		Onward:      Onward(rapid.IntRange(0, 5).Draw(t, name+" onward")),
		Attribution: Attribution(rapid.IntRange(0, 4).Draw(t, name+" attribution")),
		Purge:       Purge(rapid.IntRange(0, 4).Draw(t, name+" purge")),
		Access:      Access(rapid.IntRange(0, 2).Draw(t, name+" access")),
		Purpose:     Purposes(rapid.Uint16().Draw(t, name+" purpose")),
		Class:       class,
		Mode:        Mode(rapid.SampledFrom([]string{"", "operational", "mixed", "exercise:a", "exercise:b"}).Draw(t, name+" mode")),
		Audience:    drawSet(t, name+" audience", "nation:KWT", "nation:MEX", "org:CAN/ca.cccs", "community:gulf"),
		Named:       rapid.Bool().Draw(t, name+" named"),
		Sector:      drawSet(t, name+" sector", "energy", "health", "water"),
		Authority:   drawSet(t, name+" authority", "cisa-2015", "nis2"),
		Caveat:      drawSet(t, name+" caveat", "LES", "PII-POSSIBLE", "PROPRIETARY"),
		NotBefore:   drawTime(t, name+" notbefore"),
		NotAfter:    drawTime(t, name+" notafter"),
	}
}

func TestLattice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawLabel(t, "a"), drawLabel(t, "b"), drawLabel(t, "c")
		must := func(law string, holds bool) {
			if !holds {
				t.Fatalf("%s does not hold for\na %+v\nb %+v\nc %+v", law, a, b, c)
			}
		}
		for _, op := range []struct {
			name string
			f    func(a, b Label) Label
		}{{"join", Join}, {"meet", Meet}} {
			must(op.name+": commutative", Equal(op.f(a, b), op.f(b, a)))
			must(op.name+": associative", Equal(op.f(a, op.f(b, c)), op.f(op.f(a, b), c)))
			must(op.name+": idempotent", Equal(op.f(a, a), a))
			must(op.name+": normal", op.f(a, b) == op.f(a, b).normal())
		}
		must("absorption of join", Equal(Join(a, Meet(a, b)), a))
		must("absorption of meet", Equal(Meet(a, Join(a, b)), a))
		must("join is an upper bound", LessEqual(a, Join(a, b)) && LessEqual(b, Join(a, b)))
		must("join is the least upper bound", !LessEqual(a, c) || !LessEqual(b, c) || LessEqual(Join(a, b), c))
		must("meet is a lower bound", LessEqual(Meet(a, b), a) && LessEqual(Meet(a, b), b))
		must("monotone", !LessEqual(a, b) || LessEqual(Join(a, c), Join(b, c)))
		must("order is join", LessEqual(a, b) == Equal(Join(a, b), b))
		must("order is meet", LessEqual(a, b) == Equal(Meet(a, b), a))
		must("antisymmetric", !LessEqual(a, b) || !LessEqual(b, a) || Equal(a, b))
		must("bottom", Equal(Join(a, Bottom()), a) && LessEqual(Bottom(), a))
		must("top", Equal(Join(a, Top()), Top()) && LessEqual(a, Top()))
		must("joinall", Equal(JoinAll(a, b, c), Join(a, Join(b, c))))
		x, y := a, b
		x.NotBefore, x.NotAfter, y.NotBefore, y.NotAfter = time.Time{}, time.Time{}, time.Time{}, time.Time{}
		must("timeless", Equal(x, y) == (a.Timeless() == b.Timeless()) && Equal(x, a.Timeless()))
	})
}

// TestOrder holds each dimension to the order that is written here by hand, from least to most strict.
func TestOrder(t *testing.T) {
	set := func(words ...string) Set { s, _ := NewSet(words...); return s }
	class := func(s string) Class { c, _ := ParseClass(s); return c }
	at := func(s string) time.Time { v, _ := time.Parse(time.DateOnly, s); return v }
	for name, chain := range map[string][]Label{
		"tlp":       {{TLP: Clear}, {TLP: Green}, {TLP: Amber}, {TLP: AmberStrict}, {TLP: Red}},
		"pap":       {{PAP: PAPClear}, {PAP: PAPGreen}, {PAP: PAPAmber}, {PAP: PAPRed}, {PAP: PAPAsk}},
		"onward":    {{Onward: OnwardFree}, {Onward: OnwardCommunity}, {Onward: OnwardAudience}, {Onward: OnwardConsent}, {Onward: OnwardNone}},
		"attrib":    {{Attribution: May}, {Attribution: MustNot}, {Attribution: Withhold}},
		"attrib 2":  {{Attribution: May}, {Attribution: Must}, {Attribution: Withhold}},
		"purge":     {{Purge: PurgeNone}, {Purge: PurgeOnRequest}, {Purge: PurgeOnTermination}, {Purge: PurgeBoth}},
		"access":    {{Access: Copy}, {Access: View}},
		"purpose":   {{Purpose: EveryPurpose}, {Purpose: NetDefence | Training}, {Purpose: Training}, {}},
		"class":     {{Class: class("unclassified")}, {Class: class("NATO:NU")}, {Class: class("NATO:CTS")}, {Class: class("mixed")}},
		"mode":      {{}, {Mode: Exercise("x")}, {Mode: MixedMode}},
		"mode 2":    {{}, {Mode: OperationalMode}, {Mode: MixedMode}},
		"aud":       {{Audience: All()}, {Audience: set("nation:CAN", "nation:MEX")}, {Audience: set("nation:CAN")}, {}},
		"sector":    {{Sector: All()}, {Sector: set("energy", "water")}, {Sector: set("energy")}, {}},
		"authority": {{}, {Authority: set("a")}, {Authority: set("a", "b")}, {Authority: All()}},
		"caveat":    {{}, {Caveat: set("a")}, {Caveat: set("a", "b")}, {Caveat: All()}},
		"notbefore": {{}, {NotBefore: at("2026-01-01")}, {NotBefore: at("2027-01-01")}},
		"notafter":  {{}, {NotAfter: at("2027-01-01")}, {NotAfter: at("2026-01-01")}},
	} {
		for i, less := range chain {
			for j, more := range chain {
				if got, want := LessEqual(less, more), i <= j; got != want {
					t.Errorf("%s: LessEqual(%d, %d) = %v", name, i, j, got)
				}
			}
		}
	}
	for _, pair := range [][2]Label{
		{{Class: class("NATO:NR")}, {Class: class("USA:TS")}}, {{Mode: OperationalMode}, {Mode: Exercise("x")}},
		{{Attribution: Must}, {Attribution: MustNot}}, {{Mode: Exercise("x")}, {Mode: Exercise("y")}},
	} {
		if LessEqual(pair[0], pair[1]) || LessEqual(pair[1], pair[0]) {
			t.Errorf("%+v and %+v must be incomparable", pair[0], pair[1])
		}
		if j := Join(pair[0], pair[1]); j.Class != Mixed() || j.Mode != pair[0].Mode && j.Mode != MixedMode || j.Attribution != Withhold {
			t.Errorf("incomparable values must join to the top, got %+v", j)
		}
	}
}

func TestZeroValueIsStrict(t *testing.T) {
	var zero Label
	if zero.TLP != Red || !zero.Audience.IsEmpty() || zero.Purpose != 0 || zero.PAP != PAPAsk || zero.Onward != OnwardNone ||
		zero.Attribution != Withhold || zero.Purge != PurgeBoth || zero.Access != View || zero.Class != Mixed() || !zero.Sector.IsEmpty() {
		t.Errorf("the zero label permits something: %+v", zero)
	}
}

// TestNaming: an audience that one part names never widens the TLP of another part.
func TestNaming(t *testing.T) {
	fre, _ := NewAudience("org:FRE/fr.cert")
	both, _ := NewAudience("org:ATL/at.cert", "org:FRE/fr.cert")
	for name, c := range map[string]struct {
		got   Label
		aud   Set
		named bool
	}{
		"named":                        {For(Red).To(fre), fre, true},
		"all is no name under RED":     {For(Red).To(All()), All(), false},
		"named and bottom":             {Join(For(Red).To(fre), Bottom()), fre, true},
		"named and clear":              {Join(For(Red).To(fre), For(Clear)), fre, true},
		"two that name":                {Join(For(Red).To(fre), For(Green).To(both)), fre, true},
		"named under CLEAR, with RED":  {Join(For(Clear).To(fre), For(Red)), fre, false},
		"named, with a plain AMBER":    {Join(For(Amber), For(Red).To(fre)), fre, false},
		"the zero label names nobody":  {Join(For(Red).To(fre), Label{}), Set{}, false},
		"written by hand, not counted": {Label{TLP: Green, Audience: All(), Named: true}.Timeless(), All(), false},
	} {
		if c.got.Audience != c.aud || c.got.Named != c.named {
			t.Errorf("%s: audience %s, named %v", name, c.got.Audience, c.got.Named)
		}
	}
}

func TestCanonicalJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawLabel(t, "a"), drawLabel(t, "b")
		x, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		y, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		if Equal(a, b) != bytes.Equal(x, y) {
			t.Fatalf("equal labels and equal bytes differ:\n%s\n%s", x, y)
		}
		var back Label
		if err := json.Unmarshal(x, &back); err != nil {
			t.Fatalf("%s: %v", x, err)
		}
		if !Equal(a, back) {
			t.Fatalf("%s came back as %+v", x, back)
		}
		if again, _ := json.Marshal(Join(a, a)); !bytes.Equal(x, again) {
			t.Fatalf("a normal label is written otherwise:\n%s\n%s", x, again)
		}
	})
}

const bottomJSON = `{"tlp":"TLP:CLEAR","class":"unclassified","pap":"PAP:CLEAR","onward":"free","attrib":"may","purge":"none","mode":"any","access":"copy",` +
	`"purpose":"all","aud":"all","sector":"all","authority":[],"caveat":[],"named":true}`

func TestJSONForm(t *testing.T) {
	if got, err := json.Marshal(Bottom()); err != nil || string(got) != bottomJSON {
		t.Errorf("bottom is written %s, %v", got, err)
	}
	long := make([]string, MaxMembers+1)
	for i := range long {
		long[i] = fmt.Sprintf("x%05d", i)
	}
	oversize, _ := json.Marshal(long)
	for _, c := range []struct{ old, new, pointer, message string }{
		{`"tlp":"TLP:CLEAR",`, ``, "/tlp", "missing"},
		{`"caveat":[]`, `"caveat":[],"colour":"red"`, "/colour", "no such dimension"},
		{`"caveat":[]`, `"caveat":[],"tlp":"TLP:RED"`, "/tlp", "duplicate"},
		{`"TLP:CLEAR"`, `"TLP:WHITE"`, "/tlp", "not one of"},
		{`"TLP:CLEAR"`, `4`, "/tlp", "must be a string"},
		{`"unclassified"`, `"NATO:XX"`, "/class", "no classification"},
		{`"mode":"any"`, `"mode":""`, "/mode", "no mode"},
		{`"mode":"any"`, `"mode":"exercise:"`, "/mode", "no mode"},
		{`"aud":"all"`, `"aud":"some"`, "/aud", `must be "all"`},
		{`"aud":"all"`, `"aud":{}`, "/aud", `must be "all"`},
		{`"aud":"all"`, `"aud":["everybody"]`, "/aud/0", "no principal"},
		{`"aud":"all"`, `"aud":["nation:KWT","nation:CAN"]`, "/aud", "sorted"},
		{`"aud":"all"`, `"aud":["nation:CAN","nation:CAN"]`, "/aud", "sorted"},
		{`"caveat":[]`, `"caveat":["a\nb"]`, "/caveat/0", "control"},
		{`"caveat":[]`, `"caveat":[1]`, "/caveat/0", "must be a string"},
		{`"caveat":[]`, `"caveat":["` + strings.Repeat("x", MaxMember+1) + `"]`, "/caveat/0", "at most 256"},
		{`"caveat":[]`, `"caveat":` + string(oversize), "/caveat", "at most 4096"},
		{`"purpose":"all"`, `"purpose":["spying"]`, "/purpose", "no purpose"},
		{`"purpose":"all"`, `"purpose":["all"]`, "/purpose", ""},
		{`"caveat":[]`, `"caveat":[],"notafter":"2026-01-01"`, "/notafter", "not a time"},
		{`"caveat":[]`, `"caveat":[],"notafter":"1969-12-31T23:59:59.000000Z"`, "/notafter", "after 1970"},
		{`"caveat":[]`, `"caveat":[],"notafter":"2026-01-01T00:00:00,000000Z"`, "/notafter", "not a time"},
		{`"caveat":[]`, `"caveat":[],"notafter":null`, "/notafter", "must be a string"},
		{`"named":true`, `"named":"yes"`, "/named", "true or false"},
		{`TLP:CLEAR`, `TLP:RED`, "/named", "only under TLP:CLEAR"},
		{`}`, ``, "", ""},
		{`}`, `} 1`, "", ""},
		{bottomJSON, `[]`, "", "object"},
		{bottomJSON, `null`, "", "object"},
	} {
		in := strings.Replace(bottomJSON, c.old, c.new, 1)
		var l Label
		err := l.UnmarshalJSON([]byte(in))
		var own *Error
		if !errors.As(err, &own) || !errors.Is(err, ErrInvalid) {
			t.Errorf("%.200s: %v", in, err)
			continue
		}
		if !strings.HasPrefix(own.Pointer, c.pointer) || !strings.Contains(own.Message, c.message) {
			t.Errorf("%.200s:\n at %q: %s\nwant at %q: %s", in, own.Pointer, own.Message, c.pointer, c.message)
		}
		if l != (Label{}) {
			t.Errorf("%.200s: a refused label was half read", in)
		}
	}
}

// TestSetAgainstMap compares sets, small and large, with the plainest implementation there is.
func TestSetAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-c]{1,3}( [a-c]{1,2})?`)
		draw := func(name string) (Set, map[string]bool) {
			words := rapid.SliceOfN(word, 0, rapid.SampledFrom([]int{4, 200}).Draw(t, name+" most")).Draw(t, name)
			s, err := NewSet(words...)
			if err != nil {
				t.Fatal(err)
			}
			m := map[string]bool{}
			for _, w := range words {
				m[w] = true
			}
			return s, m
		}
		a, inA := draw("a")
		b, inB := draw("b")
		within, meets := true, false
		for w := range inA {
			within, meets = within && inB[w], meets || inB[w]
		}
		if a.Len() != len(inA) || a.Within(b) != within || a.Meets(b) != meets {
			t.Fatalf("%q and %q: %d members, within %v, meets %v", a, b, a.Len(), a.Within(b), a.Meets(b))
		}
		both, either := a.Intersect(b), a.Union(b)
		for range 20 {
			w := word.Draw(t, "word")
			if a.Has(w) != inA[w] || both.Has(w) != (inA[w] && inB[w]) || either.Has(w) != (inA[w] || inB[w]) {
				t.Fatalf("%q in %q and %q: %v, in both %v, in either %v", w, a, b, a.Has(w), both.Has(w), either.Has(w))
			}
		}
		if a.Has("") || a.Has("\n") || !a.Within(All()) || All().Within(a) || a.Meets(All()) == a.IsEmpty() || !slices.IsSorted(either.List()) {
			t.Fatalf("%q", a)
		}
	})
}

func TestSetBounds(t *testing.T) {
	words := make([]string, MaxMembers+1)
	for i := range words {
		words[i] = fmt.Sprintf("w%05d", i)
	}
	full, err := NewSet(words[1:]...)
	if err != nil || full.Len() != MaxMembers || !full.Has(words[1]) || !full.Has(words[MaxMembers]) || full.Has(words[0]) {
		t.Errorf("a full set: %d members, %v", full.Len(), err)
	}
	if _, err := NewSet(words...); !errors.Is(err, ErrInvalid) {
		t.Errorf("an oversize set: %v", err)
	}
	one, _ := NewSet(words[0])
	if !full.Union(one).IsAll() {
		t.Error("the union of more than a set holds is everything")
	}
	for _, w := range []string{"", " x", "x\n", "a\x00b", "\xff", strings.Repeat("x", MaxMember+1)} {
		if _, err := NewSet(w); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q is a member: %v", w, err)
		}
	}
	for s, want := range map[Set]string{All(): "all", {}: "none", one: words[0]} {
		if s.String() != want {
			t.Errorf("%q is written %q", want, s)
		}
	}
	if All().Len() != -1 || len(All().List()) != 0 || !All().Has("x") {
		t.Error("everything has members")
	}
}

func TestCheckPrincipal(t *testing.T) {
	for _, p := range []string{"nation:KWT", "org:KWT/kw.ncsc", "org:UTO/Utopia CERT", "person:KWT/kw.ncsc/alice", "node:a.b", "community:gulf"} {
		if err := CheckPrincipal(p); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	for _, p := range []string{"", "all", "nation:", "nation:kwt", "nation:KWTX", "org:KWT", "org:KWT/", "org:kw/x", "org:KWT/a/b", "person:KWT/a", "person:KWT/a/", "person:KWT//b",
		"person:KWT/a/b/c", "node:", "community:", "role:admin", "org:KWT/a\n"} {
		if err := CheckPrincipal(p); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q is a principal: %v", p, err)
		}
	}
}

func TestWords(t *testing.T) {
	for _, s := range []string{"unclassified", "mixed", "NATO:NU", "NATO:CTS", "EU:TS", "MEX:S"} {
		if c, err := ParseClass(s); err != nil || c.String() != s {
			t.Errorf("%s is read as %s, %v", s, c, err)
		}
	}
	for _, s := range []string{"", "NATO", "NATO:", "NATO:S", "nato:NS", "EU:CTS", "MEXICO:S", "any:R"} {
		if c, err := ParseClass(s); err == nil || c != Mixed() {
			t.Errorf("%s is read as %s", s, c)
		}
	}
	for _, s := range []string{"any", "operational", "mixed", "exercise:locked shields"} {
		if m, err := ParseMode(s); err != nil || m.String() != s {
			t.Errorf("%s is read as %s, %v", s, m, err)
		}
	}
	if p, err := ParsePurposes("training", "net-defence"); err != nil || p.String() != "net-defence, training" {
		t.Errorf("%s, %v", p, err)
	}
	if p, err := ParsePurposes(EveryPurpose.List()...); err != nil || p != EveryPurpose || p.String() != "all" || Purposes(0).String() != "none" {
		t.Errorf("%s, %v", p, err)
	}
	if p, err := ParsePurposes("net-defence", "offence"); err == nil || p != 0 {
		t.Errorf("%s, %v", p, err)
	}
}
