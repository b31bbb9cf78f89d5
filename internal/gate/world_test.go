package gate

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/internal/record"
	"entente/label"
)

// The oracle below is written from the words of the rules, on words, and shares nothing with the gate.

type plainRecord struct {
	nation, org                       string
	tlp                               string
	aud                               []string // nil: all
	named                             bool
	purpose, mode, class, sec, lawful string
	before, after                     int // days; 0: none
}

type plainViewer struct{ nation, org, person, asks, realm string }

type plainNode struct{ community bool }

// The small world: the node UTO/ut.cert of the realm "operational", with the client UTO/ut.water, and the community gulf of KWT/kw.ncsc, every
// organisation of SAU, and UTO/ut.cert, which TLP:GREEN means when the node says so. ATL/at.police holds law-enforcement only, the others every purpose, UTO/ut.water is of
// the water sector, KWT/kw.ncsc is cleared for NATO:NR, the legal basis nis2 is in force until day 20. It is day 10.
const today = 10

func oracle(n plainNode, v plainViewer, r plainRecord) bool {
	if v.org == "" || v.nation == "" || v.realm != "operational" {
		return false
	}
	if r.mode != "any" && r.mode != "operational" {
		return false
	}
	if v.nation == r.nation && v.org == r.org {
		return true
	}
	who := v.nation + "/" + v.org
	isOwn := who == "UTO/ut.cert"
	isClient := who == "UTO/ut.water"
	inGulf := who == "KWT/kw.ncsc" || v.nation == "SAU" || isOwn

	isNamed, inAudience := false, r.aud == nil
	for _, a := range r.aud {
		switch a {
		case "org:" + who, "person:" + who + "/" + v.person:
			isNamed, inAudience = r.named, true
		case "nation:" + v.nation:
			inAudience = true
		case "community:gulf":
			inAudience = inAudience || inGulf
		}
	}
	reached := false
	switch r.tlp {
	case "CLEAR":
		reached = true
	case "GREEN":
		reached = isOwn || isClient || n.community && inGulf
	case "AMBER":
		reached = isOwn || isClient
	case "AMBER+STRICT":
		reached = isOwn
	}
	if !inAudience || !reached && !isNamed {
		return false
	}
	holds := "net-defence law-enforcement military"
	if who == "ATL/at.police" {
		holds = "law-enforcement"
	}
	if v.asks != "" && !strings.Contains(holds, v.asks) || r.purpose == "none" {
		return false
	}
	if r.purpose != "all" {
		asks := v.asks
		if asks == "" {
			asks = holds
		}
		if !strings.Contains(asks, r.purpose) {
			return false
		}
	}
	switch r.class {
	case "unclassified":
	case "NATO:NR":
		if who != "KWT/kw.ncsc" {
			return false
		}
	default:
		return false
	}
	if r.sec != "all" && !(r.sec == "water" && isClient) {
		return false
	}
	if r.lawful != "" && r.lawful != "nis2" {
		return false
	}
	return (r.before == 0 || r.before <= today) && (r.after == 0 || today < r.after)
}

func day(n int) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC)
}

func smallWorld(community bool) *Gate {
	water, _ := label.NewSet("water")
	nr, _ := label.ParseClass("NATO:NR")
	r := Rules{
		Nation: "UTO", Org: "ut.cert", Realm: "operational",
		Clients:     []Party{{"UTO", "ut.water"}},
		Communities: map[string][]Party{"gulf": {{"KWT", "kw.ncsc"}, {"SAU", ""}, {"UTO", "ut.cert"}}},
		Purposes:    map[Party]label.Purposes{{"ATL", "at.police"}: label.LawEnforcement},
		Sectors:     map[Party]label.Set{{"UTO", "ut.water"}: water},
		Clearances:  map[Party][]label.Class{{"KWT", "kw.ncsc"}: {nr}},
		Authorities: map[string]time.Time{"nis2": day(20), "lapsed": day(today)},
	}
	if community {
		r.Community = "gulf"
	}
	return New(r)
}

func (r plainRecord) mark() record.Mark {
	l := label.Bottom()
	l.TLP, _ = label.ParseTLP(r.tlp)
	l.Named = r.named
	if r.aud != nil {
		l.Audience, _ = label.NewAudience(r.aud...)
	}
	l.Purpose = 0
	if r.purpose != "none" {
		l.Purpose, _ = label.ParsePurposes(r.purpose)
	}
	l.Mode, _ = label.ParseMode(r.mode)
	l.Class, _ = label.ParseClass(r.class)
	if r.sec != "all" {
		l.Sector, _ = label.NewSet(r.sec)
	}
	switch r.lawful {
	case "":
	case "every":
		l.Authority = label.All()
	default:
		l.Authority, _ = label.NewSet(strings.Fields(r.lawful)...)
	}
	return record.Mark{Label: l, Nation: r.nation, Org: r.org}
}

// TestSmallWorld compares the gate with the oracle on every record, viewer and node of a small world.
func TestSmallWorld(t *testing.T) {
	viewers := []plainViewer{
		{"UTO", "ut.cert", "ana", "", "operational"}, {"UTO", "ut.cert", "bea", "", "operational"}, {"UTO", "ut.water", "bo", "", "operational"},
		{"ATL", "ut.cert", "ana", "", "operational"}, {"ATL", "at.police", "pia", "", "operational"}, {"ATL", "at.police", "pia", "net-defence", "operational"},
		{"KWT", "kw.ncsc", "kim", "", "operational"}, {"SAU", "sa.any", "sam", "law-enforcement", "operational"}, {"FRE", "fr.cert", "eva", "", "operational"},
		{"UTO", "ut.cert", "ana", "", "exercise:x"}, {"UTO", "ut.cert", "ana", "", ""}, {"", "", "", "", "operational"}, {"UTO", "", "", "", "operational"},
	}
	audiences := [][]string{nil, {}, {"org:UTO/ut.cert"}, {"nation:ATL", "person:UTO/ut.cert/ana"}, {"community:gulf"}, {"community:other", "nation:UTO"}, {"org:FRE/fr.cert", "org:KWT/kw.ncsc"}}
	judged, permitted := 0, 0
	for _, community := range []bool{false, true} {
		g := smallWorld(community)
		scopes := make([]Scope, len(viewers))
		for i, v := range viewers {
			var asks []string
			if v.asks != "" {
				asks = []string{v.asks}
			}
			scopes[i] = g.Scope(Viewer{Nation: v.nation, Org: v.org, Person: v.person, Purpose: asks, Realm: v.realm}, day(today))
		}
		forEach(func(r plainRecord) {
			m := r.mark()
			for i, v := range viewers {
				want := oracle(plainNode{community}, v, r)
				got := scopes[i].Admits(m) && scopes[i].InForce(m, day(r.before), day(r.after))
				judged++
				if got {
					permitted++
				}
				if got != want {
					t.Fatalf("community %v: %+v asks for %+v: %v, the oracle says %v", community, v, r, got, want)
				}
				if judged%7 == 0 { // reasons take longer to say; 7 is prime to the number of viewers
					if d := scopes[i].Decide(m, day(r.before), day(r.after)); d.Permit != want || len(d.Reasons) == 0 {
						t.Fatalf("%+v asks for %+v: Decide says %+v", v, r, d)
					}
				}
				if clause, ok := scopes[i].Clause(m); ok != (scopes[i].Admits(m) && v.nation+v.org != "UTOut.cert") || ok != (clause != "") {
					t.Fatalf("%+v asks for %+v: clause %q, %v", v, r, clause, ok)
				}
			}
		}, audiences)
	}
	t.Logf("%d decisions, %d permits", judged, permitted)
	if permitted == 0 || permitted*2 > judged {
		t.Errorf("%d of %d permitted: the world shows nothing", permitted, judged)
	}
}

func forEach(visit func(plainRecord), audiences [][]string) {
	for _, origin := range []Party{{"UTO", "ut.cert"}, {"FRE", "fr.cert"}, {"", ""}} {
		for _, tlp := range []string{"CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"} {
			for _, aud := range audiences {
				for _, named := range []bool{false, true} {
					for _, purpose := range []string{"all", "net-defence", "law-enforcement", "military", "none"} {
						for _, mode := range []string{"any", "operational", "exercise:x", "mixed"} {
							for _, class := range []string{"unclassified", "NATO:NR", "NATO:NS", "mixed"} {
								for _, rest := range []plainRecord{
									{sec: "all"}, {sec: "water"}, {sec: "energy"}, {sec: "all", lawful: "nis2"}, {sec: "all", lawful: "lapsed"}, {sec: "all", lawful: "lapsed nis2"},
									{sec: "all", lawful: "every"}, {sec: "all", before: today}, {sec: "all", before: today + 1}, {sec: "all", after: today}, {sec: "all", after: today + 1},
								} {
									r := rest
									r.nation, r.org, r.tlp, r.aud, r.named, r.purpose, r.mode, r.class = origin.Nation, origin.Org, tlp, aud, named, purpose, mode, class
									visit(r)
								}
							}
						}
					}
				}
			}
		}
	}
}

// TestMonotone: what is admitted under a label is admitted under every label that is no stricter, so that a join never lets anybody see more.
func TestMonotone(t *testing.T) {
	g := smallWorld(true)
	var marks []record.Mark
	for _, tlp := range []string{"CLEAR", "AMBER", "AMBER+STRICT", "RED"} {
		for _, aud := range [][]string{nil, {}, {"org:FRE/fr.cert"}, {"nation:FRE", "org:FRE/fr.cert", "org:UTO/ut.cert"}} {
			for _, named := range []bool{false, true} {
				for _, mode := range []string{"any", "operational", "mixed"} {
					r := plainRecord{nation: "ATL", org: "at.cert", tlp: tlp, aud: aud, named: named, mode: mode, purpose: "all", class: "unclassified", sec: "all"}
					marks = append(marks, r.mark())
				}
			}
		}
	}
	for _, who := range []Party{{"UTO", "ut.cert"}, {"UTO", "ut.water"}, {"FRE", "fr.cert"}, {"KWT", "kw.ncsc"}, {"ATL", "at.cert"}} {
		s := g.Scope(Viewer{Nation: who.Nation, Org: who.Org, Realm: "operational"}, day(today))
		for _, a := range marks {
			for _, b := range marks {
				j := a
				j.Label = label.Join(a.Label, b.Label)
				if s.Admits(j) && !(s.Admits(a) && s.Admits(b)) {
					t.Fatalf("%s has the join of what it has not:\n%+v\n%+v", who, a.Label, b.Label)
				}
				if label.LessEqual(a.Label, b.Label) && s.Admits(b) && !s.Admits(a) {
					t.Fatalf("%s has the stricter, not the less strict:\n%+v\n%+v", who, a.Label, b.Label)
				}
			}
		}
	}
}

func TestZeroAndOwnScope(t *testing.T) {
	var none Scope
	clear := record.Mark{Label: label.For(label.Clear), Nation: "UTO", Org: "ut.cert"}
	if none.Admits(clear) || none.Admits(record.Mark{}) || none.InForce(clear, time.Time{}, time.Time{}) || none.Decide(clear, time.Time{}, time.Time{}).Permit {
		t.Error("the zero scope admits something")
	}
	if _, ok := none.Clause(clear); ok {
		t.Error("the zero scope has a clause")
	}
	if New(Rules{}).Scope(Viewer{Nation: "UTO", Org: "ut.cert"}, day(1)).Admits(clear) {
		t.Error("a node without a realm admits somebody")
	}
	if smallWorld(false).Scope(Viewer{Org: "ut.cert", Realm: "operational"}, day(1)).Admits(clear) {
		t.Error("a viewer without a nation is admitted")
	}
	own := smallWorld(false).Own(day(1))
	top := record.Mark{Label: label.Top(), Nation: "FRE", Org: "fr.cert"}
	if !own.Admits(top) || !own.InForce(top, day(5), day(1)) || !own.Decide(top, day(5), day(1)).Permit || !own.IsOwn() || own.Now() != day(1) {
		t.Error("the node's own scope does not admit everything")
	}
	if _, ok := own.Clause(clear); ok {
		t.Error("following is no release")
	}
	var zero label.Label
	for _, who := range []Party{{"UTO", "ut.cert"}, {"FRE", "fr.cert"}} {
		s := smallWorld(true).Scope(Viewer{Nation: who.Nation, Org: who.Org, Realm: "operational"}, day(1))
		if got, want := s.Admits(record.Mark{Label: zero, Nation: "FRE", Org: "fr.cert"}), who.Org == "fr.cert"; got != want {
			t.Errorf("%s has a record of FRE/fr.cert with the zero label: %v", who, got)
		}
	}
}

// TestNamesAreNotConfused: an organisation or person whose name holds a slash is nobody that an audience can name.
func TestNamesAreNotConfused(t *testing.T) {
	audience, err := label.NewAudience("person:KWT/a/b", "org:KWT/a")
	if err != nil {
		t.Fatal(err)
	}
	m := record.Mark{Label: label.For(label.Red).To(audience), Nation: "FRE", Org: "fr.cert"}
	g := smallWorld(false)
	for v, want := range map[[2]string]bool{{"a", "b"}: true, {"a", "c"}: true, {"a/b", ""}: false, {"a/b", "c"}: false, {"", "b"}: false} {
		if got := g.Scope(Viewer{Nation: "KWT", Org: v[0], Person: v[1], Realm: "operational"}, day(1)).Admits(m); got != want {
			t.Errorf("%q: %v", v, got)
		}
	}
}

func TestKey(t *testing.T) {
	g, green := smallWorld(false), smallWorld(true)
	key := func(g *Gate, v Viewer, now time.Time) string { return g.Scope(v, now).Key() }
	base := Viewer{Nation: "KWT", Org: "kw.ncsc", Person: "kim", Realm: "operational"}
	with := func(change func(v *Viewer)) Viewer { v := base; change(&v); return v }
	keys := map[string]string{
		"base":      key(g, base, day(1)),
		"community": key(green, base, day(1)),
		"lapsed":    key(g, base, day(21)),
		"nation":    key(g, with(func(v *Viewer) { v.Nation = "SAU" }), day(1)),
		"org":       key(g, with(func(v *Viewer) { v.Org = "x" }), day(1)),
		"person":    key(g, with(func(v *Viewer) { v.Person = "x" }), day(1)),
		"purpose":   key(g, with(func(v *Viewer) { v.Purpose = []string{"military"} }), day(1)),
		"realm":     key(g, with(func(v *Viewer) { v.Realm = "x" }), day(1)),
		"own":       g.Own(day(1)).Key(),
		"none":      Scope{}.Key(),
	}
	seen := map[string]string{}
	for name, k := range keys {
		if other, ok := seen[k]; ok {
			t.Errorf("%s and %s have one key", name, other)
		}
		seen[k] = name
	}
	if same := key(smallWorld(false), with(func(v *Viewer) { v.Roles = []string{RoleAdmin} }), day(2)); same != keys["base"] {
		t.Error("what changes nothing changes the key")
	}
}

func TestRulesAreCopied(t *testing.T) {
	r := Rules{Nation: "UTO", Org: "ut.cert", Realm: "operational", Clients: []Party{{"UTO", "x"}}, Communities: map[string][]Party{"c": {{"UTO", "y"}}}}
	g := New(r)
	r.Clients[0] = Party{"EVE", "l"}
	r.Communities["c"][0] = Party{"EVE", "l"}
	m := record.Mark{Label: label.For(label.Amber), Nation: "FRE", Org: "fr.cert"}
	if g.Scope(Viewer{Nation: "EVE", Org: "l", Realm: "operational"}, day(1)).Admits(m) {
		t.Error("a gate's rules can be changed from outside")
	}
}

func TestClause(t *testing.T) {
	named, _ := label.NewAudience("org:FRE/fr.cert")
	nation, _ := label.NewAudience("nation:UTO")
	for _, c := range []struct {
		community bool
		who       Party
		l         label.Label
		want      string
	}{
		{true, Party{"KWT", "kw.ncsc"}, label.For(label.Green), "tlp:green community gulf"},
		{false, Party{"UTO", "ut.water"}, label.For(label.Green), "tlp:green client"},
		{true, Party{"UTO", "ut.water"}, label.For(label.Amber), "tlp:amber client"},
		{true, Party{"UTO", "ut.water"}, label.For(label.Amber).To(nation), "tlp:amber client audience"},
		{true, Party{"FRE", "fr.cert"}, label.For(label.Clear), "tlp:clear"},
		{true, Party{"FRE", "fr.cert"}, label.For(label.Red).To(named), "tlp:red audience named"},
		{true, Party{"ATL", "at.cert"}, label.For(label.Red), "originator"},
		{true, Party{"UTO", "ut.cert"}, label.For(label.Clear), ""},
		{true, Party{"FRE", "fr.cert"}, label.For(label.Amber), ""},
	} {
		s := smallWorld(c.community).Scope(Viewer{Nation: c.who.Nation, Org: c.who.Org, Realm: "operational"}, day(1))
		if got, ok := s.Clause(record.Mark{Label: c.l, Nation: "ATL", Org: "at.cert"}); got != c.want || ok != (c.want != "") {
			t.Errorf("%s, %s: %q, %v", c.who, c.l.TLP, got, ok)
		}
	}
}

func TestObligations(t *testing.T) {
	l := label.Bottom()
	l.PAP, l.Onward, l.Attribution, l.Purge, l.Access = label.PAPRed, label.OnwardConsent, label.MustNot, label.PurgeBoth, label.View
	l.Purpose, l.Caveat = label.NetDefence, label.All()
	l.Sector, _ = label.NewSet("water")
	s := smallWorld(false).Scope(Viewer{Nation: "UTO", Org: "ut.water", Realm: "operational"}, day(1))
	d := s.Decide(record.Mark{Label: l, Nation: "FRE", Org: "fr.cert"}, time.Time{}, day(9))
	var got []string
	for _, o := range d.Obligations {
		got = append(got, o.Dimension+"="+o.Value)
	}
	want := "pap=PAP:RED onward=consent attrib=must-not purge=both access=view purpose=net-defence sector=water caveat=all notafter=2026-01-09T00:00:00Z"
	if strings.Join(got, " ") != want {
		t.Errorf("%s\nwant %s", strings.Join(got, " "), want)
	}
	if free := s.Decide(record.Mark{Label: label.Bottom(), Nation: "FRE"}, time.Time{}, time.Time{}); len(free.Obligations) != 0 {
		t.Errorf("an unrestricted record binds: %+v", free.Obligations)
	}
}

func BenchmarkAdmits(b *testing.B) {
	g := smallWorld(true)
	s := g.Scope(Viewer{Nation: "SAU", Org: "sa.any", Person: "sam", Realm: "operational"}, day(1))
	audience, _ := label.NewAudience("nation:KWT", "nation:MEX", "nation:SAU", "org:FRE/fr.cert")
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("org:KWT/kw.%04d", i))
	}
	slices.Sort(names)
	large, _ := label.NewAudience(append(names, "nation:SAU")...)
	limited := label.For(label.Green)
	limited.Audience = audience
	wide := label.For(label.Green)
	wide.Audience = large
	for _, c := range []struct {
		name string
		l    label.Label
		want bool
	}{{"green", label.For(label.Green), true}, {"amber", label.For(label.Amber), false}, {"audience of 4", limited, true}, {"audience of 1001", wide, true}} {
		m := record.Mark{Label: c.l, Nation: "FRE", Org: "fr.cert"}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if s.Admits(m) != c.want {
					b.Fatal("another decision")
				}
			}
		})
	}
}

func BenchmarkScope(b *testing.B) {
	g := smallWorld(true)
	b.ReportAllocs()
	for b.Loop() {
		_ = g.Scope(Viewer{Nation: "SAU", Org: "sa.any", Person: "sam", Realm: "operational"}, day(1))
	}
}
