package gate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entente/accord"
	"entente/label"
)

// The naive interpreter below is written from the words of the permit rule, over the text of an accord as words, and shares nothing with the gate.

type plainAccord struct {
	name      string
	parties   []string // NATION/org
	mode      string
	purpose   string // one word or "all"
	community bool
	expires   int // day; 0: never
	basis     int // sunset, as a day, of the basis for indicators; 0: none
	quota     int
	gives     []plainGive
}

type plainGive struct {
	name, from, to, kinds, tlp, class string // from and to: nations, empty: all
	officer, subset                   bool
}

type plainOffer struct {
	origin, kind, tlp, class, mode, purpose string
	aud                                     []string // nil: all
	named                                   bool
	onward                                  string
	before, after                           int
	lawful                                  string
	released, sealed, open                  bool
	today                                   int
}

var tlpOrder = []string{"CLEAR", "GREEN", "AMBER", "AMBER+STRICT", "RED"}

func naive(a plainAccord, from, to string, o plainOffer, day int) bool {
	nation := strings.Split(to, "/")[0]
	isParty := func(p string) bool { return slices.Contains(a.parties, p) }
	// P1
	if !isParty(from) || !isParty(to) || !isParty(o.origin) || from == to || to == o.origin || a.expires != 0 && day >= a.expires {
		return false
	}
	// P2
	open := o.tlp == "CLEAR" || o.tlp == "GREEN" && a.community
	byOrg, byNation, byAll := slices.Contains(o.aud, "org:"+to), slices.Contains(o.aud, "nation:"+nation), slices.Contains(o.aud, "community:"+a.name)
	if o.aud == nil && !open {
		return false
	}
	if o.aud != nil {
		if !byOrg && !byNation && !byAll || !open && !o.named || o.tlp == "RED" && !byOrg {
			return false
		}
	}
	// P4
	if from != o.origin && (!o.sealed || o.onward == "none") {
		return false
	}
	// P5
	if o.before != 0 && day < o.before || o.after != 0 && day >= o.after {
		return false
	}
	// P6
	if o.purpose == "none" || o.purpose != "all" && a.purpose != "all" && o.purpose != a.purpose {
		return false
	}
	// P7
	if a.mode != "operational" || o.mode != "any" && o.mode != "operational" {
		return false
	}
	// P8
	if o.lawful != "" && o.lawful != "nis2" || a.basis != 0 && o.kind == "indicator" && day >= a.basis {
		return false
	}
	// P9, P10
	if a.quota > 0 && o.today >= a.quota || !o.open {
		return false
	}
	// P3, and the officer of P9
	for _, g := range a.gives {
		within := func(list, who string) bool { return list == "" || strings.Contains(list, strings.Split(who, "/")[0]) }
		if within(g.from, o.origin) && within(g.to, to) && slices.Contains(strings.Fields(g.kinds), o.kind) &&
			slices.Index(tlpOrder, o.tlp) <= slices.Index(tlpOrder, g.tlp) && (o.class == "unclassified" || o.class == g.class) && (!g.officer || o.released) &&
			(!g.subset || o.named && (byOrg || byNation)) {
			return true
		}
	}
	return false
}

func (a plainAccord) terms(version int) *accord.Terms {
	t := &accord.Terms{Name: a.name, Version: version, Mode: label.Mode(a.mode), Effective: day(1), Expires: day(a.expires), Sectors: label.All(), Community: a.community,
		ByKind: map[string][]int{}, Handle: accord.Handle{PAP: label.PAPGreen, Onward: label.OnwardAudience, Attribution: label.May, Access: label.Copy, Retain: 48 * time.Hour}}
	t.Digest[0] = byte(version)
	t.Purpose, _ = label.ParsePurposes(a.purpose)
	t.Limits.ObjectsPerDay = a.quota
	for _, p := range a.parties {
		one, _ := ParseParty(p)
		t.Parties = append(t.Parties, accord.Party{Nation: one.Nation, Org: one.Org})
	}
	if a.basis != 0 {
		t.Bases = []accord.Basis{{Authority: accord.Authority{Name: "own", Sunset: day(a.basis)}, Kinds: map[string]bool{"indicator": true}}}
	}
	set := func(nations string) (s accord.Parties) {
		for i, p := range t.Parties {
			if nations == "" || strings.Contains(nations, p.Nation) {
				s |= 1 << i
			}
		}
		return s
	}
	for i, g := range a.gives {
		c := accord.Clause{Give: accord.Give{Name: g.name, Kinds: strings.Fields(g.kinds), ReleaseOfficer: g.officer, Subset: g.subset}, Number: i + 1, FromSet: set(g.from), ToSet: set(g.to)}
		c.Ceiling, _ = label.ParseTLP(g.tlp)
		c.Class, _ = label.ParseClass(g.class)
		for _, k := range c.Kinds {
			t.ByKind[k] = append(t.ByKind[k], i)
		}
		t.Clauses = append(t.Clauses, c)
	}
	return t
}

func (o plainOffer) offer() *Offer {
	origin, _ := ParseParty(o.origin)
	r := plainRecord{tlp: o.tlp, aud: o.aud, named: o.named, purpose: o.purpose, mode: o.mode, class: o.class, sec: "all", lawful: o.lawful}
	l := r.mark().Label
	l.NotBefore, l.NotAfter = day(o.before), day(o.after)
	if o.onward == "none" {
		l.Onward = label.OnwardNone
	}
	return &Offer{Label: l, Origin: origin, Kind: o.kind, Realm: label.OperationalMode, Released: o.released, Sealed: o.sealed, Closed: o.open}
}

// smallAccords are the accords of the small domain: reciprocal, one-sided, gated, with a class, narrow ones, and one of an exercise.
func smallAccords() []plainAccord {
	two, three := []string{"FRE/fr.cert", "KWT/kw.ncsc"}, []string{"FRE/fr.cert", "KWT/kw.ncsc", "UTO/ut.cert"}
	return []plainAccord{
		{name: "a", parties: two, mode: "operational", purpose: "all", community: true, gives: []plainGive{{"g", "", "", "indicator", "AMBER", "unclassified", false, false}}},
		{name: "a", parties: three, mode: "operational", purpose: "net-defence", basis: 10, gives: []plainGive{
			{"g", "FRE", "KWT UTO", "indicator report", "RED", "NATO:NR", false, true}, {"h", "KWT", "", "report", "GREEN", "unclassified", true, false}}},
		{name: "a", parties: three, mode: "operational", purpose: "all", expires: 11, quota: 2, community: true, gives: []plainGive{
			{"g", "", "", "indicator", "GREEN", "unclassified", false, false}, {"h", "", "KWT", "indicator", "AMBER+STRICT", "unclassified", true, false}}},
		{name: "a", parties: three, mode: "exercise:x", purpose: "all", gives: []plainGive{{"g", "", "", "indicator report", "RED", "NATO:NS", false, false}}},
		{name: "a", parties: three, mode: "operational", purpose: "all"},
	}
}

func eachOffer(visit func(plainOffer)) {
	audiences := [][]string{nil, {}, {"nation:KWT"}, {"org:KWT/kw.ncsc", "nation:UTO"}, {"community:a"}, {"community:b", "nation:FRE"}}
	for _, origin := range []string{"FRE/fr.cert", "KWT/kw.ncsc", "ATL/at.cert"} {
		for _, kind := range []string{"indicator", "report", "tool"} {
			for _, tlp := range tlpOrder {
				for _, aud := range audiences {
					for _, named := range []bool{false, true} {
						for _, rest := range []plainOffer{
							{}, {class: "NATO:NR"}, {class: "NATO:NS"}, {class: "mixed"}, {mode: "operational"}, {mode: "exercise:x"}, {purpose: "net-defence"}, {purpose: "military"}, {purpose: "none"},
							{onward: "none"}, {before: today}, {before: today + 1}, {after: today}, {after: today + 1}, {lawful: "nis2"}, {lawful: "lapsed"}, {lawful: "every"}, {today: 2},
						} {
							for _, bits := range []int{2, 4, 5, 6, 7} {
								o := rest
								o.origin, o.kind, o.tlp, o.aud, o.named = origin, kind, tlp, aud, named
								o.released, o.sealed, o.open = bits&1 != 0, bits&2 != 0, bits&4 != 0
								for field, none := range map[*string]string{&o.class: "unclassified", &o.mode: "any", &o.purpose: "all"} {
									if *field == "" {
										*field = none
									}
								}
								visit(o)
							}
						}
					}
				}
			}
		}
	}
}

var smallBases = map[string]time.Time{"nis2": day(20), "lapsed": day(today)}

// TestPermitIsTheRule compares the compiled rule with the naive interpreter on every question of small domains, for each accord alone and for the
// meet of each two, and the label that goes out with what the laws ask.
func TestPermitIsTheRule(t *testing.T) {
	accords := smallAccords()
	judged, permitted := 0, 0
	for i := range accords {
		for j := i; j < len(accords); j++ {
			state := State{Versions: []*accord.Terms{accords[i].terms(1)}}
			if i != j {
				state.Versions = append(state.Versions, accords[j].terms(2))
			}
			s, err := NewStanding(state)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			eachOffer(func(o plainOffer) {
				if n++; i != j && n%31 != 0 { // the meet of two is that of each alone: a sample shows it
					return
				}
				offer := o.offer()
				for _, pair := range [][2]string{{"FRE/fr.cert", "KWT/kw.ncsc"}, {"KWT/kw.ncsc", "UTO/ut.cert"}, {"FRE/fr.cert", "FRE/fr.cert"}, {"KWT/kw.ncsc", "ATL/at.cert"}} {
					want := naive(accords[i], pair[0], pair[1], o, today) && naive(accords[j], pair[0], pair[1], o, today)
					from, _ := ParseParty(pair[0])
					to, _ := ParseParty(pair[1])
					v := s.Permit(from, to, offer, day(today), Counters{Today: o.today}, smallBases)
					if judged++; v.Permit() != want {
						t.Fatalf("accords %d and %d, %s: %+v: permit is %v (%q)", i, j, pair, o, v.Permit(), v.Codes())
					}
					if (v.Clause() != "") != want || (len(v.Codes()) == 0) != want {
						t.Fatalf("%s: %+v: %q, %q", pair, o, v.Clause(), v.Codes())
					}
					if want {
						permitted++
						checkOutgoing(t, v, offer)
					} else if v.Label() != label.Top() {
						t.Fatal("a denial has a label")
					}
				}
			})
		}
	}
	t.Logf("%d questions, %d permits", judged, permitted)
	if permitted < 1000 {
		t.Error("hardly anything is permitted: the domain shows nothing")
	}
}

// checkOutgoing: what goes out is at least as strict as the record and as the handling, and for receiver and originator alone.
func checkOutgoing(t *testing.T, v Verdict, o *Offer) {
	t.Helper()
	out := v.Label()
	if !observes(out, o.Label) {
		t.Fatalf("less strict than the record: %+v", out)
	}
	for i := range v.standing.versions {
		if !observes(out, v.standing.versions[i].handle(nil)) {
			t.Fatalf("less strict than the handling: %+v", out)
		}
	}
	if want, _ := label.NewAudience(label.Org(v.ask.to.Nation, v.ask.to.Org), label.Org(o.Origin.Nation, o.Origin.Org)); out.Audience != want || !out.Named {
		t.Fatalf("goes to %s, want %s", out.Audience, want)
	}
	if until := v.ask.now.Add(48 * time.Hour); out.NotAfter.IsZero() || out.NotAfter.After(until) {
		t.Fatalf("kept until %s", out.NotAfter)
	}
}

// drawnLabel is any label around the small domain.
func drawnLabel(t *rapid.T, name string) label.Label {
	l := label.Bottom()
	l.TLP = label.TLP(rapid.IntRange(0, 4).Draw(t, name+" tlp"))
	words := rapid.SliceOfDistinct(rapid.SampledFrom([]string{"nation:KWT", "nation:UTO", "org:KWT/kw.ncsc", "org:UTO/ut.cert", "community:a", "person:KWT/kw.ncsc/sami"}), rapid.ID).Draw(t, name+" audience")
	if rapid.Bool().Draw(t, name+" explicit") {
		l.Audience, _ = label.NewAudience(words...)
	}
	l.Named = rapid.Bool().Draw(t, name+" named")
	l.Class, _ = label.ParseClass(rapid.SampledFrom([]string{"unclassified", "NATO:NR", "NATO:NS", "mixed"}).Draw(t, name+" class"))
	l.Mode = rapid.SampledFrom([]label.Mode{label.AnyMode, label.OperationalMode, "exercise:x", label.MixedMode}).Draw(t, name+" mode")
	l.Purpose = rapid.SampledFrom([]label.Purposes{label.EveryPurpose, label.NetDefence, label.NetDefence | label.Military, 0}).Draw(t, name+" purpose")
	l.Onward = label.Onward(rapid.IntRange(0, 4).Draw(t, name+" onward"))
	l.NotBefore = day(rapid.SampledFrom([]int{0, 9, 11}).Draw(t, name+" embargo"))
	l.NotAfter = day(rapid.SampledFrom([]int{0, 9, 12}).Draw(t, name+" retention"))
	if rapid.Bool().Draw(t, name+" lawful") {
		l.Authority, _ = label.NewSet("nis2")
	}
	return l
}

// TestPermitIsMonotone: a stricter label is never permitted more, the meet never more than either version, and a join goes only where both parts go.
func TestPermitIsMonotone(t *testing.T) {
	accords := smallAccords()
	accords[0].gives = append(accords[0].gives, plainGive{"s", "", "", "report", "RED", "NATO:NR", false, true})
	rapid.Check(t, func(t *rapid.T) {
		one, two := rapid.SampledFrom(accords).Draw(t, "v1").terms(1), rapid.SampledFrom(accords).Draw(t, "v2").terms(2)
		kind := rapid.SampledFrom([]string{"indicator", "report"}).Draw(t, "kind")
		from := rapid.SampledFrom([]Party{{"FRE", "fr.cert"}, {"UTO", "ut.cert"}}).Draw(t, "from")
		a, b := drawnLabel(t, "a"), drawnLabel(t, "b")
		judge := func(l label.Label, versions ...*accord.Terms) Verdict {
			s, err := NewStanding(State{Versions: versions})
			if err != nil {
				t.Fatal(err)
			}
			o := &Offer{Label: l, Origin: Party{"FRE", "fr.cert"}, Kind: kind, Realm: label.OperationalMode, Sealed: true, Closed: true, Released: true}
			return s.Permit(from, Party{"KWT", "kw.ncsc"}, o, day(today), Counters{}, smallBases)
		}
		joined := judge(label.Join(a, b), one)
		if joined.Permit() && !(judge(a, one).Permit() && judge(b, one).Permit()) {
			t.Fatalf("the join of %+v and %+v goes where they do not", a, b)
		}
		if joined.Permit() && !observes(joined.Label(), judge(a, one).Label()) {
			t.Fatalf("a stricter label goes out less strictly: %+v, %+v", joined.Label(), judge(a, one).Label())
		}
		v1, v2, meet := judge(a, one), judge(a, two), judge(a, one, two)
		if meet.Permit() != (v1.Permit() && v2.Permit()) {
			t.Fatalf("the meet permits %v, its versions %v and %v", meet.Permit(), v1.Permit(), v2.Permit())
		}
		if swapped := judge(a, two, one); swapped.Permit() != meet.Permit() || swapped.Label() != meet.Label() || swapped.Clause() != meet.Clause() {
			t.Fatal("the order in which the versions are given matters")
		}
		if meet.Permit() && !(label.LessEqual(v1.Label(), meet.Label()) && label.LessEqual(v2.Label(), meet.Label())) {
			t.Fatalf("the meet goes out under %+v, its versions under %+v and %+v", meet.Label(), v1.Label(), v2.Label())
		}
	})
}

// TestWhatIsNotKnownIsDenied: zero values permit nothing.
func TestWhatIsNotKnownIsDenied(t *testing.T) {
	good := &Offer{Label: label.For(label.Clear), Origin: Party{"FRE", "fr.cert"}, Kind: "indicator", Realm: label.OperationalMode, Closed: true}
	s, err := NewStanding(State{Versions: []*accord.Terms{smallAccords()[0].terms(1)}})
	if err != nil {
		t.Fatal(err)
	}
	from, to := Party{"FRE", "fr.cert"}, Party{"KWT", "kw.ncsc"}
	if v := s.Permit(from, to, good, day(today), Counters{}, nil); !v.Permit() {
		t.Fatal(v.Codes())
	}
	var none *Standing
	for name, v := range map[string]Verdict{
		"no verdict":  {},
		"no standing": none.Permit(from, to, good, day(today), Counters{}, nil),
		"empty":       (&Standing{}).Permit(from, to, good, day(today), Counters{}, nil),
		"no offer":    s.Permit(from, to, nil, day(today), Counters{}, nil),
		"zero offer":  s.Permit(from, to, &Offer{}, day(today), Counters{}, nil),
		"no parties":  s.Permit(Party{}, Party{}, good, day(today), Counters{}, nil),
		"no time":     s.Permit(from, to, good, time.Time{}, Counters{}, nil),
	} {
		if v.Permit() || v.Waits() || v.Clause() != "" || v.Label() != label.Top() || len(v.Reasons()) == 0 || len(v.Codes()) == 0 || v.Needs().Officer {
			t.Errorf("%s: %v %q", name, v.Permit(), v.Codes())
		}
		if _, ok := Together(v); ok {
			t.Errorf("%s: goes together", name)
		}
	}
	for _, change := range []func(*accord.Terms){
		func(t *accord.Terms) { t.Effective = time.Time{} },
		func(t *accord.Terms) { t.Mode = label.AnyMode },
		func(t *accord.Terms) { t.Purpose = 0 },
		func(t *accord.Terms) { t.Sectors = label.Set{} },
		func(t *accord.Terms) { t.ByKind = nil },
		func(t *accord.Terms) { t.ByKind["indicator"] = []int{7, -1} },
	} {
		terms := smallAccords()[0].terms(1)
		change(terms)
		s, err := NewStanding(State{Versions: []*accord.Terms{terms}})
		if err != nil {
			t.Fatal(err)
		}
		if s.Permit(from, to, good, day(today), Counters{}, nil).Permit() {
			t.Errorf("%+v permits", terms)
		}
	}
	other := smallAccords()[0].terms(2)
	other.Name = "other"
	for _, versions := range [][]*accord.Terms{nil, {other, smallAccords()[0].terms(1)}, {other, other, other}} {
		if _, err := NewStanding(State{Versions: versions}); err == nil {
			t.Errorf("%d versions stand together", len(versions))
		}
	}
}

func TestNeedsAndTogether(t *testing.T) {
	a := smallAccords()[1]
	a.basis = 0
	a.gives = []plainGive{{"g", "FRE", "", "incident", "AMBER", "unclassified", true, false}}
	terms := a.terms(1)
	terms.Handle.Attribution = label.MustNot
	terms.Clauses[0].Strip, terms.Clauses[0].Anonymise = []string{"url", "email-addr"}, []string{"victim"}
	second := a.terms(2)
	second.Clauses[0].Strip = []string{"email-addr", "domain-name"}
	s, err := NewStanding(State{Versions: []*accord.Terms{terms, second}})
	if err != nil {
		t.Fatal(err)
	}
	audience, _ := label.NewAudience("community:a")
	o := &Offer{Label: label.For(label.Amber).To(audience), Origin: Party{"FRE", "fr.cert"}, Kind: "incident", Realm: label.OperationalMode, Closed: true, Sealed: true}
	judge := func(from, to string) Verdict {
		f, _ := ParseParty(from)
		r, _ := ParseParty(to)
		return s.Permit(f, r, o, day(today), Counters{}, nil)
	}
	v := judge("FRE/fr.cert", "KWT/kw.ncsc")
	if v.Permit() || !v.Waits() || !v.Needs().Officer {
		t.Errorf("it does not wait for an officer: %q", v.Codes())
	}
	if n := v.Needs(); strings.Join(n.Strip, " ") != "domain-name email-addr url" || strings.Join(n.Anonymise, " ") != "victim" || n.Author {
		t.Errorf("needs %+v", n)
	}
	if n := judge("UTO/ut.cert", "KWT/kw.ncsc").Needs(); len(n.Strip) != 0 || !n.Author {
		t.Errorf("a relay needs %+v", n)
	}
	o.Released = true
	if l, ok := Together(judge("FRE/fr.cert", "KWT/kw.ncsc"), judge("FRE/fr.cert", "UTO/ut.cert")); !ok ||
		l.Audience.String() != "org:FRE/fr.cert, org:KWT/kw.ncsc, org:UTO/ut.cert" || !l.Named || l.Attribution != label.MustNot || l.Purpose != label.NetDefence {
		t.Errorf("together: %v %+v", ok, l)
	}
	if _, ok := Together(judge("FRE/fr.cert", "KWT/kw.ncsc"), judge("FRE/fr.cert", "ATL/at.cert")); ok {
		t.Error("goes together with one who is denied")
	}
	if _, ok := Together(); ok {
		t.Error("nobody is somebody")
	}
}

// TestPersons: what is given to persons goes out for them alone, and of those only for whom the originator named, where it named persons.
func TestPersons(t *testing.T) {
	a := smallAccords()[0]
	a.gives = []plainGive{{"g", "", "", "meeting-paper", "RED", "unclassified", false, false}}
	terms := a.terms(1)
	terms.Clauses[0].Persons = "register:delegates"
	terms.Clauses[0].Access, terms.Clauses[0].HasAccess = label.View, true
	delegates, _ := label.NewAudience("person:KWT/kw.ncsc/ali", "person:KWT/kw.ncsc/sami", "person:FRE/fr.cert/eva")
	s, err := NewStanding(State{Versions: []*accord.Terms{terms}, Persons: map[string]label.Set{"register:delegates": delegates}})
	if err != nil {
		t.Fatal(err)
	}
	for audience, want := range map[string]string{
		"nation:KWT":             "org:FRE/fr.cert, person:KWT/kw.ncsc/ali, person:KWT/kw.ncsc/sami",
		"person:KWT/kw.ncsc/ali": "org:FRE/fr.cert, person:KWT/kw.ncsc/ali",
		"person:KWT/kw.ncsc/eve": "",
	} {
		set, _ := label.NewAudience(audience)
		o := &Offer{Label: label.For(label.Amber).To(set), Origin: Party{"FRE", "fr.cert"}, Kind: "meeting-paper", Realm: label.OperationalMode, Closed: true}
		v := s.Permit(o.Origin, Party{"KWT", "kw.ncsc"}, o, day(today), Counters{}, nil)
		if l := v.Label(); v.Permit() != (want != "") || v.Permit() && (l.Audience.String() != want || l.Access != label.View) {
			t.Errorf("%s: %v, for %s", audience, v.Permit(), l.Audience)
		}
	}
}

func BenchmarkPermit(b *testing.B) {
	a := smallAccords()[2]
	a.expires = 0
	terms := a.terms(1)
	for _, c := range []struct {
		name     string
		versions []*accord.Terms
		tlp      label.TLP
		want     bool
	}{{"permit", []*accord.Terms{terms}, label.Green, true}, {"deny", []*accord.Terms{terms}, label.Red, false}, {"meet", []*accord.Terms{terms, a.terms(2)}, label.Green, true}} {
		s, err := NewStanding(State{Versions: c.versions})
		if err != nil {
			b.Fatal(err)
		}
		audience, _ := label.NewAudience("nation:KWT", "nation:UTO")
		o := &Offer{Label: label.For(c.tlp).To(audience), Origin: Party{"FRE", "fr.cert"}, Kind: "indicator", Realm: label.OperationalMode, Closed: true, Size: 1200}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if s.Permit(Party{"FRE", "fr.cert"}, Party{"KWT", "kw.ncsc"}, o, day(today), Counters{}, smallBases).Permit() != c.want {
					b.Fatal("another decision")
				}
			}
		})
	}
}
