package accord

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"entente/label"
)

// Severity is how much a warning weighs.
type Severity uint8

const (
	Information Severity = iota // worth knowing, often meant so
	Caution                     // most likely a mistake
	Refusal                     // the accord cannot bind anybody as it stands: Compile refuses it
)

// Severities are the names of all severities, in their order.
var Severities = []string{"information", "caution", "refusal"}

func (s Severity) String() string { return Severities[min(s, Refusal)] }

// MarshalText writes the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name.
func (s *Severity) UnmarshalText(b []byte) error {
	i := slices.Index(Severities, string(b))
	if i < 0 {
		return fmt.Errorf("%q is no severity: it is %s", b, oneOf(Severities))
	}
	*s = Severity(i)
	return nil
}

// Warning is what a reader of the text should know before signing it. Rule is stable.
type Warning struct {
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule"`             // "term.order", "give.shadowed", …
	Clause   string   `json:"clause,omitempty"` // "give incidents", empty for the accord as a whole
	Position
	Text string `json:"text"`
}

func (w Warning) String() string {
	return fmt.Sprintf("%d:%d: %s: %s", w.Line, w.Column, w.Severity, w.Text)
}

// Context is what Check knows beside the text. Each part may be left out; then what needs it is not looked at.
type Context struct {
	Now          time.Time
	Members      []Party                // of the register that names the parties
	Before       *Accord                // the version that this one supersedes
	BeforeDigest string                 // of its canonical form
	Sources      []*Accord              // the accords that this one derives from
	Clearance    map[string]label.Class // up to which class a nation is cleared
	Kinds        func(kind string) bool // which kinds there are; nil: those of STIX 2.1
	Language     string                 // of the texts, one of Languages; any other is English
}

// Check tells what is wrong or remarkable, in the order of the text.
func (a *Accord) Check(ctx Context) []Warning {
	c := &checking{a: a, ctx: ctx, members: a.Parties}
	if len(a.Parties) == 0 {
		c.members = ctx.Members
	}
	for i := range c.members {
		c.nations = append(c.nations, c.members[i].Nation)
	}
	if c.ctx.Kinds == nil {
		c.ctx.Kinds = isSTIX
	}
	c.term()
	c.version()
	c.parties()
	c.authorities()
	c.purpose()
	c.scope()
	c.gives()
	c.balance()
	c.handle()
	c.exchange()
	c.decides()
	c.leaving()
	slices.SortStableFunc(c.out, func(x, y Warning) int {
		if x.Line != y.Line {
			return x.Line - y.Line
		}
		return x.Column - y.Column
	})
	return c.out
}

type checking struct {
	a       *Accord
	ctx     Context
	members []Party
	nations []string // of the members; nil: not known
	out     []Warning
}

// say adds a warning at an attribute of a block, or at the block when the text does not state the attribute.
func (c *checking) say(s Severity, rule, block, label, attribute, format string, args ...any) {
	at := c.a.place(block, label, attribute)
	c.out = append(c.out, Warning{s, rule, strings.TrimSpace(block + " " + label), at, c.word(format, args...)})
}

func (c *checking) word(english string, args ...any) string {
	return remarks.Say(c.ctx.Language, Phrase{english, args})
}

func (c *checking) term() {
	a := c.a
	ends := !a.Expires.IsZero()
	if ends && !a.Effective.Before(a.Expires) {
		c.say(Refusal, "term.order", "", "", "expires", "the accord ends on %[1]s, before it begins on %[2]s", printDay(a.Expires), printDay(a.Effective))
	}
	if ends && !a.Review.IsZero() && !a.Review.Before(a.Expires) {
		c.say(Caution, "term.review", "", "", "review", "the review on %[1]s comes when the accord has ended", printDay(a.Review))
	}
	if ends && !c.ctx.Now.IsZero() && !c.ctx.Now.Before(a.Expires) {
		c.say(Caution, "term.over", "", "", "expires", "the accord has ended on %[1]s", printDay(a.Expires))
	}
	for _, e := range a.Exercises {
		if e.From.Before(a.Effective) || ends && !e.To.Before(a.Expires) {
			c.say(Caution, "exercise.term", "exercise", e.Name, "window", "exercise %[1]s, %[2]s to %[3]s, is not within the accord's own term", e.Name, printDay(e.From), printDay(e.To))
		}
	}
}

func (c *checking) version() {
	a := c.a
	switch {
	case a.Version == 1 && a.Supersedes != "":
		c.say(Refusal, "version.supersedes", "", "", "supersedes", "version 1 supersedes nothing: leave supersedes out, or give the version its number")
	case a.Version > 1 && a.Supersedes == "":
		c.say(Caution, "version.supersedes", "", "", "version", "version %[1]d does not say which text it supersedes: write the digest of version %[2]d", a.Version, a.Version-1)
	}
	if b := c.ctx.Before; b != nil {
		if b.Name != a.Name {
			c.say(Refusal, "version.name", "", "", "version", "the version before is of accord %[1]s, not %[2]s", b.Name, a.Name)
		}
		if a.Version != b.Version+1 {
			c.say(Refusal, "version.number", "", "", "version", "this is version %[1]d, and the version before is %[2]d: write %[3]d", a.Version, b.Version, b.Version+1)
		}
		if a.Supersedes != c.ctx.BeforeDigest && c.ctx.BeforeDigest != "" {
			c.say(Refusal, "version.supersedes", "", "", "supersedes", "the version before has the digest %[1]s", c.ctx.BeforeDigest)
		}
	}
	if a.Draft() {
		c.say(Information, "draft", "", "", "supersedes", "a digest is still %[1]q: nobody can sign the text before it is filled in", Unfilled)
	}
}

// Draft tells whether a digest is still to be filled in.
func (a *Accord) Draft() bool {
	return a.Supersedes == Unfilled || slices.ContainsFunc(a.Texts, func(t Text) bool { return t.Digest == Unfilled }) ||
		slices.ContainsFunc(a.Decides, func(d Decide) bool { return d.Weights == Unfilled })
}

func (c *checking) parties() {
	a := c.a
	if len(c.members) < 2 && (a.Register == "" || c.members != nil) {
		c.say(Refusal, "party.alone", "", "", "", "an accord has at least two parties")
	}
	if a.Register != "" && len(a.Parties) == 0 {
		c.say(Information, "party.register", "", "", "parties", "register %[1]s says who the parties are: they are written out before anybody signs", a.Register)
	}
	for i := range c.members {
		p := &c.members[i]
		if n := max(len(p.Signers), 1); p.Need > n {
			c.say(Refusal, "party.need", "party", p.Nation, "need", "%[1]s needs %[2]d signatures, and only %[3]d may sign: nobody can bind it", p.Nation, p.Need, n)
		}
		if p.Org != "" && len(p.Signers) > 0 && !slices.Contains(p.Signers, p.Org) {
			c.say(Information, "party.signers", "party", p.Nation, "signers", "%[1]s is bound for %[2]s without a signature of its own", p.Org, p.Nation)
		}
	}
	for _, d := range a.Derives {
		c.known("derive", d.Accord, "require-consent", d.Consent)
	}
	for _, e := range a.Exercises {
		if a.Mode != label.OperationalMode {
			c.say(Caution, "exercise.mode", "exercise", e.Name, "", "an accord of an exercise lists no exercise of its own: %[1]s", e.Name)
		}
	}
}

func (c *checking) known(block, label, attribute string, nations []string) {
	for _, n := range nations {
		if c.nations != nil && !slices.Contains(c.nations, n) {
			c.say(Refusal, "party.unknown", block, label, attribute, "%[1]s is no party of this accord", n)
		}
	}
}

func (c *checking) authorities() {
	a := c.a
	for _, x := range a.Authorities {
		what := c.word("every flow")
		if len(x.Covers) > 0 {
			what = strings.Join(x.Covers, ", ")
		}
		if x.Origin != "" {
			what = c.word("%[1]s from %[2]s", what, x.Origin)
		}
		switch {
		case x.Sunset.IsZero():
		case !a.Effective.Before(x.Sunset):
			c.say(Caution, "authority.sunset", "authority", x.Name, "sunset", "authority %[1]s lapses on %[2]s, before the accord begins: %[3]s never flows", x.Name, printDay(x.Sunset), what)
		case a.Expires.IsZero() || x.Sunset.Before(a.Expires):
			c.say(Caution, "authority.sunset", "authority", x.Name, "sunset", "authority %[1]s lapses on %[2]s, before the accord ends: %[3]s stops then", x.Name, printDay(x.Sunset), what)
		}
		for _, k := range x.Covers {
			if !c.given(k) {
				c.say(Caution, "authority.covers", "authority", x.Name, "covers", "authority %[1]s covers %[2]s, which nobody gives", x.Name, k)
			}
		}
	}
}

func (c *checking) given(kind string) bool {
	return slices.ContainsFunc(c.a.Gives, func(g Give) bool { return slices.Contains(g.Kinds, kind) })
}

func (c *checking) purpose() {
	if a := c.a; a.Purpose&^a.Never == 0 {
		c.say(Refusal, "purpose.none", "", "", "never", "never takes every purpose back: nothing may be given for none")
	}
	for _, p := range (c.a.Purpose & c.a.Never).List() {
		c.say(Caution, "purpose.never", "", "", "never", "%[1]s stands in purpose and in never: never holds", p)
	}
}

func (c *checking) scope() {
	a := c.a
	i := slices.IndexFunc(a.Gives, func(g Give) bool { return g.Ceiling != label.Clear })
	if i < 0 {
		return
	}
	if a.Scope.Community == "" {
		c.say(Caution, "scope.community", "scope", "", "", "the community is not defined, so TLP:GREEN of give %[1]s has no bound that both sides share: write scope { community = parties }, or GREEN is given by name only", a.Gives[i].Name)
	}
	if a.Scope.Organization == "" && slices.ContainsFunc(a.Gives, func(g Give) bool { return g.Ceiling < label.Green }) {
		c.say(Information, "scope.organization", "scope", "", "", "the organisation and the clients of TLP:AMBER are not defined: nobody beside the receiving organisation may have it")
	}
}

func (c *checking) gives() {
	a := c.a
	if len(a.Gives) == 0 {
		c.say(Caution, "give.none", "", "", "", "nobody gives anything: the accord lets nothing flow")
	}
	for i := range a.Gives {
		g := &a.Gives[i]
		c.known("give", g.Name, "from", g.From)
		c.known("give", g.Name, "to", g.To)
		if len(g.From) == 1 && len(g.To) == 1 && g.From[0] == g.To[0] {
			c.say(Refusal, "give.nobody", "give", g.Name, "to", "give %[1]s is from %[2]s to itself: nobody receives anything by it", g.Name, g.From[0])
		}
		for _, k := range g.Kinds {
			if !c.ctx.Kinds(k) {
				c.say(Caution, "kind.unknown", "give", g.Name, "kind", "%[1]s is no kind that is known: nothing of it flows until it is", k)
			}
		}
		for _, p := range g.Strip {
			if t, _, _ := strings.Cut(p, "."); !c.ctx.Kinds(t) {
				c.say(Caution, "kind.unknown", "give", g.Name, "strip", "%[1]s strips nothing: %[2]s is no kind that is known", p, t)
			}
		}
		if g.Ceiling == label.Red && g.Persons == "" {
			c.say(Caution, "give.red", "give", g.Name, "ceiling", "TLP:RED is for persons by name: write persons = \"register:NAME\", or a ceiling of AMBER-STRICT")
		}
		for n, cleared := range c.ctx.Clearance {
			if (len(g.To) == 0 || slices.Contains(g.To, n)) && !g.Class.LessEqual(cleared) {
				c.say(Caution, "give.clearance", "give", g.Name, "class", "give %[1]s goes up to %[2]s, and %[3]s is cleared up to %[4]s", g.Name, g.Class, n, cleared)
			}
		}
		for j := range a.Gives {
			e := &a.Gives[j]
			if i == j || !e.covers(g) {
				continue
			}
			asks := g.beyond(e)
			if g.covers(e) { // of two with one reach, it is the one that asks for more, else the later
				if back := e.beyond(g); len(asks) == 0 && len(back) > 0 || (len(asks) > 0) == (len(back) > 0) && j > i {
					continue
				}
			}
			if len(asks) == 0 {
				c.say(Caution, "give.shadowed", "give", g.Name, "", "give %[1]s has no effect: give %[2]s gives all of this", g.Name, e.Name)
				break
			}
			for k := range asks {
				asks[k] = c.word(asks[k])
			}
			c.say(Caution, "give.shadowed", "give", g.Name, "", "give %[1]s has no effect: give %[2]s gives all of this, and without %[3]s", g.Name, e.Name, strings.Join(asks, ", "))
			break
		}
	}
}

// covers tells whether e gives everything that g gives.
func (e *Give) covers(g *Give) bool {
	return within(g.From, e.From) && within(g.To, e.To) && subset(g.Kinds, e.Kinds) && g.Ceiling >= e.Ceiling && g.Class.LessEqual(e.Class) &&
		(e.Persons == "" || e.Persons == g.Persons) && (!e.Subset || g.Subset) && !(e.HasAccess && e.Access == label.View && !(g.HasAccess && g.Access == label.View))
}

// beyond is what g asks for and e does not.
func (g *Give) beyond(e *Give) []string {
	var out []string
	if g.ReleaseOfficer && !e.ReleaseOfficer {
		out = append(out, "the release officer")
	}
	if !subset(g.Strip, e.Strip) {
		out = append(out, "what it strips")
	}
	if !subset(g.Anonymise, e.Anonymise) {
		out = append(out, "whom it makes anonymous")
	}
	if g.Persons != "" && e.Persons == "" {
		out = append(out, "its persons")
	}
	if g.Subset && !e.Subset {
		out = append(out, "its audience")
	}
	if g.HasAccess && g.Access == label.View && !e.HasAccess {
		out = append(out, "its access")
	}
	return out
}

// within is subset for lists of which the empty one means everybody.
func within(a, b []string) bool { return len(b) == 0 || len(a) > 0 && subset(a, b) }

func subset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}

// maxBalance is up to how many parties one is weighed against the other.
const maxBalance = 8

// balance tells who gives what it does not get.
func (c *checking) balance() {
	if len(c.nations) > maxBalance {
		return
	}
	gives := func(p, q string) (kinds []string) {
		for i := range c.a.Gives {
			if g := &c.a.Gives[i]; p != q && within([]string{p}, g.From) && within([]string{q}, g.To) {
				for _, k := range g.Kinds {
					if !slices.Contains(kinds, k) {
						kinds = append(kinds, k)
					}
				}
			}
		}
		return kinds
	}
	for _, p := range c.nations {
		for _, q := range c.nations {
			back := gives(q, p)
			only := slices.DeleteFunc(gives(p, q), func(k string) bool { return slices.Contains(back, k) })
			if len(only) > 0 {
				c.say(Information, "give.asymmetric", "party", p, "", "%[1]s gives %[2]s what it does not get from there: %[3]s", p, q, strings.Join(only, ", "))
			}
		}
	}
}

func (c *checking) handle() {
	h, a := &c.a.Handle, c.a
	stricter := len(a.Gives) > 0
	for i := range a.Gives {
		stricter = stricter && h.Default < a.Gives[i].Ceiling
	}
	switch {
	case h.Default == label.Clear:
		c.say(Caution, "handle.default", "handle", "", "default", "what comes without a TLP would be public: write a stricter default")
	case stricter:
		c.say(Information, "handle.default", "handle", "", "default", "what has no TLP counts as %[1]s, which is above every ceiling: it is never given", h.Default)
	}
	if h.Retain == 0 {
		c.say(Information, "handle.retain", "handle", "", "", "nothing bounds how long a receiver keeps what it got: write retain")
	}
	for k := range h.RetainKind {
		if !c.given(k) {
			c.say(Caution, "handle.retain", "handle", "", "retain-kind", "retain-kind names %[1]s, which nobody gives", k)
		}
	}
	if a.Terminate != nil && h.Retain > 0 && h.Retain < a.Terminate.Purge {
		c.say(Caution, "handle.purge", "handle", "", "retain", "what came is kept for %[1]s, which is shorter than the %[2]s within which it is to be destroyed at the end", printDuration(h.Retain), printDuration(a.Terminate.Purge))
	}
	if h.Clients && len(a.Scope.Clients) == 0 {
		c.say(Caution, "handle.clients", "handle", "", "onward", "onward goes to clients, and scope names none")
	}
	if h.ConsentTimeout > 0 && h.Onward != label.OnwardConsent {
		c.say(Caution, "handle.consent", "handle", "", "consent-timeout", "consent-timeout has no effect without onward = consent")
	}
	if h.Onward == label.OnwardConsent && h.ConsentTimeout == 0 {
		c.say(Information, "handle.consent", "handle", "", "onward", "no consent-timeout: a question that nobody answers stays open, and nothing is passed on")
	}
	if h.Onward == label.OnwardCommunity && a.Scope.Community == "" {
		c.say(Caution, "handle.onward", "handle", "", "onward", "onward goes to the community, which scope does not define")
	}
	for i := range a.Gives {
		if g := &a.Gives[i]; h.Onward == label.OnwardFree && g.Ceiling != label.Clear {
			c.say(Caution, "handle.onward", "handle", "", "onward", "onward = free would let what give %[1]s gives go to anybody, as far as its TLP lets it", g.Name)
			break
		}
	}
	for _, s := range c.ctx.Sources {
		if s.Name != a.Name && h.Onward > s.Handle.Onward {
			c.say(Caution, "handle.onward", "handle", "", "onward", "onward = %[1]s is looser than in accord %[2]s, which this one derives from (%[3]s)", h.Onward, s.Name, s.Handle.Onward)
		}
	}
}

func (c *checking) exchange() {
	r := c.a.Reciprocity
	if r == nil {
		return
	}
	for _, k := range slices.Concat(r.GiveBack, r.For) {
		if !c.given(k) {
			c.say(Caution, "reciprocity.kind", "reciprocity", "", "give-back", "reciprocity counts %[1]s, which nobody gives", k)
		}
	}
	if r.Otherwise == "suspend" && r.SuspendAfter == 0 {
		c.say(Information, "reciprocity.suspend", "reciprocity", "", "otherwise", "the flow stops as soon as too little came back: suspend-after would leave time")
	}
	if r.SuspendAfter > 0 && r.SuspendAfter < r.Within {
		c.say(Caution, "reciprocity.suspend", "reciprocity", "", "suspend-after", "suspend-after is shorter than within: the flow would stop before anything is due")
	}
}

func (c *checking) decides() {
	n := len(c.nations)
	for _, d := range c.a.Decides {
		if k, err := strconv.Atoi(d.Propose); err == nil && n > 0 && k > n {
			c.say(Refusal, "decide.nobody", "decide", d.Name, "propose", "%[1]d parties must propose, and there are %[2]d", k, n)
		}
		if k, err := strconv.Atoi(d.Consent); err == nil && n > 0 && k > n {
			c.say(Refusal, "decide.nobody", "decide", d.Name, "consent", "%[1]d parties must consent, and there are %[2]d", k, n)
		}
		if d.Consent == "all-but-subject" && n == 2 {
			c.say(Caution, "decide.one", "decide", d.Name, "consent", "between two parties, one decides about the other alone")
		}
		if n > 0 && d.MinPositive > n {
			c.say(Refusal, "decide.nobody", "decide", d.Name, "min-positive", "%[1]d parties must say yes themselves, and there are %[2]d", d.MinPositive, n)
		}
		everybody := strings.HasPrefix(d.Consent, "all")
		switch {
		case everybody && d.Unreachable == "abstains":
			c.say(Caution, "decide.unreachable", "decide", d.Name, "unreachable", "unreachable = abstains has no effect on consent = %[1]s: who abstains does not consent, and each must", d.Consent)
		case everybody && d.Veto != "":
			c.say(Information, "decide.veto", "decide", d.Name, "veto", "veto has no effect on consent = %[1]s: the veto of any party decides", d.Consent)
		}
		if d.Silence && d.Unreachable == "abstains" && !everybody {
			c.say(Caution, "decide.silence", "decide", d.Name, "unreachable", "silence is consent, and who cannot be reached abstains: few could decide for all")
		}
		if d.Weights != "" && !strings.HasSuffix(d.Consent, "%") && !strings.Contains(d.Consent, "/") {
			c.say(Caution, "decide.weights", "decide", d.Name, "weights", "weights have no effect on consent = %[1]s: write a share, \"75%%\"", d.Consent)
		}
	}
}

func (c *checking) leaving() {
	a := c.a
	if a.Terminate == nil && a.Withdraw == nil && a.Expires.IsZero() {
		c.say(Caution, "leave.never", "", "", "expires", "the accord never expires, and nobody can end it or leave it: write terminate or withdraw")
	}
	if a.SuspendBy == "" {
		c.say(Information, "suspend.nobody", "", "", "", "nobody may suspend the accord: write suspend { by = any-party }")
	}
}

// isSTIX tells whether the kind is an object of STIX 2.1 (sections 4 to 6) that is shared as such.
func isSTIX(kind string) bool { return slices.Contains(stixTypes, kind) }

var stixTypes = strings.Fields(`attack-pattern campaign course-of-action grouping identity incident indicator infrastructure intrusion-set location
	malware malware-analysis note observed-data opinion report threat-actor tool vulnerability relationship sighting language-content
	artifact autonomous-system directory domain-name email-addr email-message file ipv4-addr ipv6-addr mac-addr mutex network-traffic process software
	url user-account windows-registry-key x509-certificate`)
