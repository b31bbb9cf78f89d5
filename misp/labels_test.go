package misp

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"entente/label"
	"entente/stix"
)

const (
	orgA = "5e7d6a5e-0000-4000-8000-00000000000a"
	orgB = "5e7d6a5e-0000-4000-8000-00000000000b"
	orgC = "5e7d6a5e-0000-4000-8000-00000000000c"
)

func samplePolicy() Policy {
	return Policy{Origin: "org:LUX/circl", Principals: map[string]string{orgA: "org:LUX/circl", orgB: "org:KWT/kw.ncsc", orgC: "org:CAN/cccs"}}
}

func group(uuids ...string) *SharingGroup {
	g := &SharingGroup{UUID: orgA, Name: "g", Active: True, Roaming: True, Servers: List[SharingGroupServer]{{AllOrgs: True}}}
	for _, u := range uuids {
		g.Orgs = append(g.Orgs, SharingGroupOrg{Organisation: &Org{UUID: u}})
	}
	return g
}

func TestDistributionRestricts(t *testing.T) {
	p := samplePolicy()
	creator := &Org{UUID: strings.ToUpper(orgC), Name: "C"}
	inactive := group(orgB)
	inactive.Active = False
	for name, c := range map[string]struct {
		event  Event
		want   string // the audience
		tlp    label.TLP
		stated bool
	}{
		"0":                        {Event{Distribution: "0"}, "org:LUX/circl", label.Clear, false},
		"1":                        {Event{Distribution: "1"}, "org:LUX/circl", label.Clear, false},
		"2":                        {Event{Distribution: "2"}, "org:LUX/circl", label.Clear, false},
		"3":                        {Event{Distribution: "3"}, "org:LUX/circl", label.Clear, false},
		"none":                     {Event{}, "org:LUX/circl", label.Clear, false},
		"forged":                   {Event{Distribution: "9"}, "org:LUX/circl", label.Clear, false},
		"negative":                 {Event{Distribution: "-1"}, "org:LUX/circl", label.Clear, false},
		"group":                    {Event{Distribution: "4", SharingGroup: group(orgB, orgC)}, "org:CAN/cccs, org:KWT/kw.ncsc", label.Clear, false},
		"group of the unknown":     {Event{Distribution: "4", SharingGroup: group("5e7d6a5e-0000-4000-8000-0000000000ff"), Orgc: creator}, "org:CAN/cccs", label.Clear, false},
		"empty group":              {Event{Distribution: "4", SharingGroup: group(), Orgc: creator}, "org:CAN/cccs", label.Clear, false},
		"no group, unknown origin": {Event{Distribution: "4"}, "none", label.Clear, false},
		"inactive group":           {Event{Distribution: "4", SharingGroup: inactive, Orgc: creator}, "org:CAN/cccs", label.Clear, false},
		"tagged":                   {Event{Distribution: "3", Tags: List[Tag]{{Name: "tlp:amber"}, {Name: "PAP:GREEN"}}}, "org:LUX/circl", label.Amber, true},
		"contradiction":            {Event{Distribution: "3", Tags: List[Tag]{{Name: "tlp:clear"}, {Name: "TLP:GREEN"}}}, "org:LUX/circl", label.Red, true},
		"unintelligible":           {Event{Distribution: "3", Tags: List[Tag]{{Name: "tlp:mauve"}}}, "org:LUX/circl", label.Red, true},
		"custom cluster":           {Event{Distribution: "4", SharingGroup: group(orgA, orgB), Galaxies: List[Galaxy]{{Clusters: List[Cluster]{{Distribution: "0"}}}}}, "org:LUX/circl", label.Clear, false},
		"published cluster":        {Event{Distribution: "4", SharingGroup: group(orgB), Galaxies: List[Galaxy]{{Clusters: List[Cluster]{{Distribution: "0", Default: True}}}}}, "org:KWT/kw.ncsc", label.Clear, false},
	} {
		l, stated := p.LabelOf(&c.event)
		if got := l.Audience.String(); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(c.want, " ", "") || l.TLP != c.tlp || stated != c.stated {
			t.Errorf("%s: audience %s, %s, stated %v; not %s, %s, %v", name, got, l.TLP, stated, c.want, c.tlp, c.stated)
		}
	}
	reached := p
	set, _ := label.NewAudience("community:misp")
	reached.Reach[3] = set
	if l, _ := reached.LabelOf(&Event{Distribution: "3"}); l.Audience != set {
		t.Errorf("what was agreed for distribution 3 is not heeded: %s", l.Audience)
	}
	if l, _ := (&Policy{}).LabelOf(&Event{Distribution: "3"}); !l.Audience.IsEmpty() {
		t.Errorf("an unknown origin lets %s have it", l.Audience)
	}
}

var (
	distributions = rapid.SampledFrom([]string{"", "0", "1", "2", "3", "4", "5", "6", "-1", "x", "04"})
	markingTags   = rapid.SliceOfN(rapid.Map(rapid.SampledFrom([]string{"tlp:clear", "TLP:WHITE", "tlp:green", "tlp:amber", "tlp:amber+strict", "tlp:red", "tlp:ex:chr", "tlp:blue", "PAP:RED", "PAP:AMBER", "pap:clear", "PAP:x", "other"}), func(s string) Tag { return Tag{Name: s} }), 0, 3)
	groups        = rapid.Custom(func(t *rapid.T) *SharingGroup {
		if rapid.Bool().Draw(t, "none") {
			return nil
		}
		g := group(rapid.SliceOfN(rapid.SampledFrom([]string{orgA, orgB, orgC, "", "x"}), 0, 3).Draw(t, "orgs")...)
		g.Active = rapid.SampledFrom([]Flag{Unset, True, False}).Draw(t, "active")
		return g
	})
)

// What is inside an event is never labelled less strictly than the event, and adding a tag never permits more.
func TestLabelsOnlyRestrict(t *testing.T) {
	p := samplePolicy()
	rapid.Check(t, func(t *rapid.T) {
		e := &Event{Distribution: distributions.Draw(t, "event"), SharingGroup: groups.Draw(t, "group"), Tags: markingTags.Draw(t, "tags"), Orgc: &Org{UUID: orgC}}
		outer, stated := p.LabelOf(e)
		inner, _ := p.Within(outer, stated, e.Orgc, distributions.Draw(t, "attribute"), groups.Draw(t, "inner group"), markingTags.Draw(t, "inner tags"))
		if !label.LessEqual(outer, inner) {
			t.Fatalf("within %+v stands %+v", outer, inner)
		}
		if outer.Audience.IsAll() || outer.Named {
			t.Fatalf("distribution %q reaches %s, named %v", e.Distribution, outer.Audience, outer.Named)
		}
		more := *e
		more.Tags = append(List[Tag]{}, e.Tags...)
		more.Tags = append(more.Tags, markingTags.Draw(t, "more")...)
		after, _ := p.LabelOf(&more)
		if !label.LessEqual(outer, after) {
			t.Fatalf("with more tags %+v became %+v", outer, after)
		}
	})
}

// A label that goes out to MISP and comes back has not become less strict in anything that MISP can say, and is never 1 to 3.
func TestSharingOnlyRestricts(t *testing.T) {
	p := samplePolicy()
	rapid.Check(t, func(t *rapid.T) {
		l := label.For(rapid.SampledFrom([]label.TLP{label.Red, label.AmberStrict, label.Amber, label.Green, label.Clear}).Draw(t, "tlp"))
		l.PAP = rapid.SampledFrom([]label.PAP{label.PAPAsk, label.PAPRed, label.PAPAmber, label.PAPGreen, label.PAPClear}).Draw(t, "pap")
		if !rapid.Bool().Draw(t, "everybody") {
			l.Audience, _ = label.NewAudience(rapid.SliceOfN(rapid.SampledFrom([]string{"org:LUX/circl", "org:KWT/kw.ncsc", "nation:KWT", "org:USA/x"}), 0, 3).Draw(t, "audience")...)
		}
		if rapid.Bool().Draw(t, "caveat") {
			l.Caveat, _ = label.NewSet(label.CaveatPII)
		}
		s := p.SharingOf(l)
		if s.Distribution != "0" && s.Distribution != "4" {
			t.Fatalf("distribution %s", s.Distribution)
		}
		if s.Distribution == "4" && (len(s.Group.Orgs) == 0 || len(s.Group.Servers) > 0 || !l.Caveat.IsEmpty()) {
			t.Fatalf("group %+v", s.Group)
		}
		back, stated := p.LabelOf(&Event{Distribution: s.Distribution, SharingGroup: s.Group, Tags: s.Tags})
		if !stated || back.TLP != l.TLP || back.PAP > l.PAP && l.PAP != label.PAPAsk {
			t.Fatalf("%s, %s came back as %s, %s", l.TLP, l.PAP, back.TLP, back.PAP)
		}
		if s.Distribution == "4" && !back.Audience.Within(l.Audience) {
			t.Fatalf("%s came back as %s", l.Audience, back.Audience)
		}
	})
}

// The marking of each STIX object states the TLP of its label.
func TestMarkingsAgreeWithLabels(t *testing.T) {
	for name, list := range events(t) {
		for _, e := range list {
			items, _ := ToSTIX(e, Options{Observables: true})
			for _, item := range items {
				o, err := stix.Parse(item.Raw)
				if err != nil {
					t.Fatal(err)
				}
				if o.Type() == "marking-definition" || len(o.MarkingRefs()) == 0 {
					continue
				}
				for _, ref := range o.MarkingRefs() {
					if m, ok := label.MarkingByID(ref); ok && m.Label.TLP != item.Label.TLP {
						t.Errorf("%s: %s is marked %s and labelled %s", name, item.ID, m.Label.TLP, item.Label.TLP)
					}
				}
			}
		}
	}
}
