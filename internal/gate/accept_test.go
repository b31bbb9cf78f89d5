package gate

import (
	"strings"
	"testing"
	"time"

	"entente/accord"
	"entente/label"
)

func TestAccept(t *testing.T) {
	a := smallAccords()[0]
	terms := a.terms(1)
	terms.Handle.EmbargoMax = 24 * time.Hour
	terms.Bases = []accord.Basis{{Authority: accord.Authority{Name: "lapsed", Sunset: day(2)}}}
	s, err := NewStanding(State{Versions: []*accord.Terms{terms}})
	if err != nil {
		t.Fatal(err)
	}
	self, origin := Party{"KWT", "kw.ncsc"}, Party{"FRE", "fr.cert"}
	audience, _ := label.NewAudience(label.Org("KWT", "kw.ncsc"), label.Org("FRE", "fr.cert"))
	others, _ := label.NewAudience(label.Org("UTO", "ut.cert"))
	lawful, _ := label.NewSet("elsewhere")
	good := func() *Parcel {
		l := label.Join(label.For(label.Green), (&version{Terms: terms}).handle(nil))
		l.NotAfter = day(today).Add(48 * time.Hour)
		return &Parcel{Label: l.To(audience), Origin: origin, Signed: true, Accord: terms.Digest, Audience: audience, Kind: "indicator", Realm: label.OperationalMode}
	}
	for _, c := range []struct {
		name   string
		change func(*Parcel)
		codes  string
		held   bool
	}{
		{"as it should be", func(*Parcel) {}, "", false},
		{"a legal basis is the giver's to keep", func(p *Parcel) { p.Label.Authority = lawful }, "", false},
		{"not signed", func(p *Parcel) { p.Signed = false }, "accept.signature", false},
		{"another accord", func(p *Parcel) { p.Accord[5] = 1 }, "accept.accord", false},
		{"no accord", func(p *Parcel) { p.Accord = [32]byte{} }, "accept.accord", false},
		{"for others, by its envelope", func(p *Parcel) { p.Audience = others }, "accept.envelope", false},
		{"for everybody", func(p *Parcel) { p.Audience = label.All() }, "accept.envelope", false},
		{"for others, by its label", func(p *Parcel) { p.Label = p.Label.To(others) }, "accord.audience", false},
		{"not by name", func(p *Parcel) { p.Label.Named = false }, "accept.envelope", false},
		{"its own", func(p *Parcel) { p.Origin = self }, "accord.party", false},
		{"of a stranger", func(p *Parcel) { p.Origin = Party{"ATL", "at.cert"} }, "accord.party accord.give", false},
		{"above the ceiling", func(p *Parcel) { p.Label.TLP = label.Red }, "accord.ceiling", false},
		{"of another kind", func(p *Parcel) { p.Kind = "tool" }, "accord.kind", false},
		{"of another realm", func(p *Parcel) { p.Realm = "exercise:x" }, "accord.mode", false},
		{"of another mode", func(p *Parcel) { p.Label.Mode = "exercise:x" }, "accept.handle accord.mode", false},
		{"handled less strictly", func(p *Parcel) { p.Label.PAP = label.PAPClear }, "accept.handle", false},
		{"passed on more freely", func(p *Parcel) { p.Label.Onward = label.OnwardFree }, "accept.handle", false},
		{"kept for ever", func(p *Parcel) { p.Label.NotAfter = time.Time{} }, "accept.retention", false},
		{"kept too long", func(p *Parcel) { p.Label.NotAfter = day(today + 3) }, "accept.retention", false},
		{"a clock a little ahead", func(p *Parcel) { p.Label.NotAfter = p.Label.NotAfter.Add(Skew) }, "", false},
		{"over", func(p *Parcel) { p.Label.NotAfter = day(today) }, "accord.retention", false},
		{"under embargo for a day", func(p *Parcel) { p.Label.NotBefore = day(today + 1) }, "accord.embargo", true},
		{"under embargo for longer", func(p *Parcel) { p.Label.NotBefore = day(today + 2) }, "accept.embargo accord.embargo", false},
		{"no label at all", func(p *Parcel) { p.Label = label.Label{} }, "accept.envelope accept.handle accept.retention accord.audience accord.purpose accord.sector accord.ceiling accord.class", false},
	} {
		p := good()
		c.change(p)
		got := s.Accept(self, p, day(today))
		if strings.Join(got.Codes(), " ") != c.codes || got.OK() != (c.codes == "") || got.Held() != c.held {
			t.Errorf("%s: %v %q, held %v", c.name, got.OK(), got.Codes(), got.Held())
		}
	}
	var none *Standing
	if (Acceptance{}).OK() || none.Accept(self, good(), day(today)).OK() || s.Accept(self, nil, day(today)).OK() {
		t.Error("nothing is accepted")
	}
	if out := s.Accept(self, good(), terms.Effective.Add(-time.Hour)); out.OK() {
		t.Error("accepted before the accord is in effect")
	}
}
