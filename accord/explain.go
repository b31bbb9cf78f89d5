package accord

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"entente/label"
)

// Sentence says in plain words what one part of the text means.
type Sentence struct {
	Clause    string `json:"clause,omitempty"`    // "give incidents"; empty: the accord as a whole
	Attribute string `json:"attribute,omitempty"` // "ceiling"
	Line      int    `json:"line,omitempty"`      // of the text that was parsed; of what it leaves unsaid, the line of its block, or of the accord
	Text      string `json:"text"`
}

// Explain says the whole accord in sentences, in the order of the canonical form, at least one for each thing that the form states. lang is one of
// Languages; any other is English.
func (a *Accord) Explain(lang string) []Sentence {
	x := &explainer{a: a, lang: language(lang)}
	x.head()
	for i := range a.Texts {
		t := &a.Texts[i]
		x.in("text", t.Language)
		x.say("digest", "text", t.Language, t.Digest)
	}
	for i := range a.Parties {
		x.party(&a.Parties[i])
	}
	for i := range a.Relays {
		x.relay(&a.Relays[i])
	}
	for i := range a.Authorities {
		x.authority(&a.Authorities[i])
	}
	x.scope()
	for i := range a.Gives {
		x.give(&a.Gives[i])
	}
	x.handle()
	x.exchange()
	for _, e := range a.Exercises {
		x.in("exercise", e.Name)
		x.say("window", "exercise", e.Name, printDay(e.From), printDay(e.To))
		x.say("purge", "exercise.purge", e.Name, x.within(e.Purge))
	}
	for _, d := range a.Derives {
		x.in("derive", d.Accord)
		x.say("require-consent", "derive", d.Accord, x.list(d.Consent))
	}
	for i := range a.Decides {
		x.decide(&a.Decides[i])
	}
	x.leaving()
	return x.out
}

type explainer struct {
	a            *Accord
	lang         int
	block, label string
	out          []Sentence
}

// in turns to a block.
func (x *explainer) in(block, label string) { x.block, x.label = block, label }

func (x *explainer) word(key string, args ...any) string {
	s := sentences[key][x.lang]
	if len(args) == 0 {
		return s
	}
	return fmt.Sprintf(s, args...)
}

// say adds the sentence of that key about an attribute of the block.
func (x *explainer) say(attribute, key string, args ...any) {
	at := x.a.place(x.block, x.label, attribute)
	text := []rune(x.word(key, args...))
	text[0] = []rune(strings.ToUpper(string(text[:1])))[0]
	x.out = append(x.out, Sentence{strings.TrimSpace(x.block + " " + x.label), attribute, at.Line, string(text)})
}

func (x *explainer) list(items []string) string {
	if len(items) < 2 {
		return strings.Join(items, "")
	}
	last := len(items) - 1
	return strings.Join(items[:last], ", ") + " " + x.word("and") + " " + items[last]
}

func (x *explainer) time(d time.Duration) string {
	s := printDuration(d)
	unit, n := s[len(s)-1:], s[:len(s)-1]
	if n == "1" {
		unit += "1"
	}
	return x.word(unit, n)
}

// within is a time that follows a preposition.
func (x *explainer) within(d time.Duration) string {
	if s, ok := strings.CutSuffix(printDuration(d), "d"); ok {
		return x.word("dn", s)
	}
	return x.time(d)
}

func (x *explainer) head() {
	a := x.a
	x.say("version", "accord", a.Version, a.Name)
	if a.Title != "" {
		x.say("title", "title", a.Title)
	}
	if a.Supersedes != "" {
		x.say("supersedes", "supersedes", a.Supersedes)
	}
	if a.Mode == label.OperationalMode {
		x.say("mode", "mode")
	} else {
		x.say("mode", "mode.other", string(a.Mode))
	}
	x.say("effective", "effective", printDay(a.Effective))
	if a.Expires.IsZero() {
		x.say("expires", "expires.none")
	} else {
		x.say("expires", "expires", printDay(a.Expires))
	}
	if !a.Review.IsZero() {
		x.say("review", "review", printDay(a.Review))
	}
	if a.Register != "" {
		x.say("parties", "register", a.Register)
	}
}

func (x *explainer) party(p *Party) {
	x.in("party", p.Nation)
	if p.Org != "" {
		x.say("org", "party.org", p.Nation, p.Org)
	} else {
		x.say("org", "party", p.Nation)
	}
	if p.Node != "" {
		x.say("node", "party.node", p.Nation, p.Node)
	}
	x.say("keys", "party.keys", p.Nation, p.Keys)
	if len(p.Signers) > 0 {
		x.say("signers", "party.need", p.Nation, p.Need, x.list(p.Signers))
	} else {
		x.say("need", "party.one", p.Nation, p.Need)
	}
}

func (x *explainer) relay(r *Relay) {
	x.in("relay", r.Name)
	x.say("read", pick(r.Read, "relay.read", "relay.blind"), r.Name)
	x.say("witness", pick(r.Witness, "relay.witness", "relay.silent"), r.Name)
	if r.Queue > 0 {
		x.say("queue", "relay.queue", r.Name, printSize(r.Queue))
	}
}

func (x *explainer) authority(b *Authority) {
	x.in("authority", b.Name)
	if b.Sunset.IsZero() {
		x.say("sunset", "authority.none", b.Name)
	} else {
		x.say("sunset", "authority", b.Name, printDay(b.Sunset))
	}
	if len(b.Covers) > 0 {
		x.say("covers", "authority.covers", b.Name, x.list(b.Covers))
	} else {
		x.say("covers", "authority.all", b.Name)
	}
	if b.Origin != "" {
		x.say("origin", "authority.origin", b.Name, b.Origin)
	}
}

func (x *explainer) scope() {
	a := x.a
	x.in("scope", "")
	if a.Scope.Organization != "" {
		x.say("organization", "organization")
	}
	if len(a.Scope.Clients) > 0 {
		x.say("clients", "clients", x.list(a.Scope.Clients))
	} else {
		x.say("clients", "clients.none")
	}
	x.say("community", pick(a.Scope.Community != "", "community", "community.none"))
	x.in("", "")
	if len(a.Sectors) > 0 {
		x.say("sectors", "sectors", x.list(a.Sectors))
	}
	x.say("purpose", "purpose", x.list(a.Purpose.List()))
	if a.Never != 0 {
		x.say("never", "never", x.list(a.Never.List()))
	}
}

func (x *explainer) give(g *Give) {
	x.in("give", g.Name)
	from, to := x.word("give.any"), x.word("give.others")
	switch len(g.From) {
	case 0:
	case 1:
		from = g.From[0]
	default:
		from = x.word("give.each", x.list(g.From))
	}
	if len(g.To) > 0 {
		to = x.list(g.To)
	}
	x.say("kind", "give", from, to, x.list(g.Kinds), g.Ceiling.String())
	if g.Class != label.Unclassified() {
		x.say("class", "give.class", g.Name, g.Class.String())
	}
	if len(g.Strip) > 0 {
		x.say("strip", "give.strip", g.Name, x.list(g.Strip))
	}
	if g.ReleaseOfficer {
		x.say("release-officer", "give.officer", g.Name)
	}
	if len(g.Anonymise) > 0 {
		x.say("anonymise", "give.anonymise", g.Name, x.list(g.Anonymise))
	}
	if g.Subset {
		x.say("audience", "give.subset", g.Name)
	}
	if g.Persons != "" {
		x.say("persons", "give.persons", g.Name, g.Persons)
	}
	if g.HasAccess {
		x.say("access", "give."+g.Access.String(), g.Name)
	}
}

func (x *explainer) handle() {
	h := &x.a.Handle
	x.in("handle", "")
	x.say("default", "default", h.Default.String())
	if h.Retain > 0 {
		x.say("retain", "retain", x.time(h.Retain))
	}
	if len(h.RetainKind) > 0 {
		var items []string
		for _, k := range slices.Sorted(maps.Keys(h.RetainKind)) {
			items = append(items, k+" "+x.time(h.RetainKind[k]))
		}
		x.say("retain-kind", "retain-kind", x.list(items))
	}
	x.say("pap", "pap."+h.PAP.String())
	if h.Clients {
		x.say("onward", "onward.clients")
	} else {
		x.say("onward", "onward."+h.Onward.String())
	}
	if h.ConsentTimeout > 0 {
		x.say("consent-timeout", "consent-timeout", x.within(h.ConsentTimeout))
	}
	x.say("attribution", "attribution."+h.Attribution.String())
	if h.EmbargoMax > 0 {
		x.say("embargo-max", "embargo-max", x.time(h.EmbargoMax))
	}
	x.say("access", "access."+h.Access.String())
}

func (x *explainer) exchange() {
	if r := x.a.Reciprocity; r != nil {
		x.in("reciprocity", "")
		x.say("give-back", "reciprocity", x.list(r.For), x.list(r.GiveBack))
		x.say("within", "reciprocity.within", x.within(r.Within))
		x.say("minimum", "reciprocity.minimum", r.Minimum)
		x.say("otherwise", "reciprocity."+r.Otherwise)
		if r.SuspendAfter > 0 {
			x.say("suspend-after", "reciprocity.after", x.time(r.SuspendAfter))
		}
	}
	l := &x.a.Limits
	x.in("limits", "")
	if l.ObjectsPerDay > 0 {
		x.say("objects-per-day", "limits.objects-per-day", l.ObjectsPerDay)
	}
	for _, s := range []struct {
		word string
		size int64
	}{{"object", l.Object}, {"attachment", l.Attachment}, {"queue", l.Queue}} {
		if s.size > 0 {
			x.say(s.word, "limits."+s.word, printSize(s.size))
		}
	}
}

func (x *explainer) decide(d *Decide) {
	x.in("decide", d.Name)
	if d.Propose == "any" {
		x.say("propose", "propose.any", d.Name)
	} else {
		x.say("propose", "propose", d.Name, d.Propose)
	}
	switch d.Consent {
	case "all":
		x.say("consent", "consent.all", d.Name)
	case "all-but-subject":
		x.say("consent", "consent.but", d.Name)
	default:
		x.say("consent", "consent", d.Name, d.Consent)
	}
	if d.Weights != "" {
		x.say("weights", "weights", d.Name, d.Weights)
	}
	x.say("deadline", "deadline", d.Name, x.within(d.Deadline))
	if d.HasPAP {
		x.say("pap", "decide.pap", d.Name, d.PAP.String())
	}
	x.say("silence", pick(d.Silence, "silence", "silence.not"), d.Name)
	if d.Persons > 1 {
		x.say("persons", "decide.persons", d.Name, d.Persons)
	}
	if d.MinPositive > 0 {
		x.say("min-positive", "min-positive", d.Name, d.MinPositive)
	}
	if d.Veto != "" {
		x.say("veto", "veto", d.Name)
	}
	x.say("unreachable", pick(d.Unreachable == "abstains", "abstains", "blocks"), d.Name)
	if d.Evidence {
		x.say("evidence", "evidence", d.Name)
	}
	if d.Review > 0 {
		x.say("review", "decide.review", d.Name, x.within(d.Review))
	}
}

func (x *explainer) leaving() {
	if by := x.a.SuspendBy; by != "" {
		x.in("suspend", "")
		x.say("by", pick(by == "all", "suspend.all", "suspend"))
	}
	for _, l := range []struct {
		word string
		*Leave
	}{{"terminate", x.a.Terminate}, {"withdraw", x.a.Withdraw}} {
		if l.Leave == nil {
			continue
		}
		x.in(l.word, "")
		x.say("notice", l.word, x.time(l.Notice))
		x.say("purge", "leave.purge", x.within(l.Purge))
		if l.Receipts {
			x.say("receipts", "leave.receipts")
		}
	}
}

func pick(is bool, yes, no string) string {
	if is {
		return yes
	}
	return no
}
