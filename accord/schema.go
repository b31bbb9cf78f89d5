package accord

import "entente/label"

// part is one thing that an accord can have: an attribute, or blocks. Parts with the same group stand together in the canonical form.
type part struct {
	group int
	field *field
	block *block
}

// block is the blocks of one word.
type block struct {
	word  string
	label *title // of its label; nil: it has none
	most  int
	must  bool
	add   func(label string) []field // begins one more
	all   func() []entry             // those that there are
}

// title is what the label of a block is.
type title struct {
	form string
	is   func(string) bool
}

var (
	ofName     = &title{"small letters, digits, - . _", isName}
	ofNation   = &title{"a nation's code, three capital letters", label.IsNation}
	ofLanguage = &title{`a language, as "en"`, func(s string) bool { return isWord(s) && len(s) <= 12 }}
)

type entry struct {
	label  string
	fields []field
}

// schema is the whole vocabulary, in the order of the canonical form, bound to the accord.
func (a *Accord) schema() []part {
	attribute := func(group int, f field) part { return part{group: group, field: &f} }
	return []part{
		attribute(0, one("title", &a.Title, prose)),
		attribute(0, one("version", &a.Version, number(1, 1_000_000)).required()),
		attribute(0, one("supersedes", &a.Supersedes, digest)),
		attribute(0, one("mode", &a.Mode, mode).required()),
		attribute(0, one("effective", &a.Effective, date).required()),
		attribute(0, orWord("expires", &a.Expires, "never", date).required()),
		attribute(0, one("review", &a.Review, date)),
		attribute(0, one("parties", &a.Register, prefixed("register"))),
		{group: 1, block: several("text", ofLanguage, 32, &a.Texts, func(t *Text) *string { return &t.Language }, (*Text).fields)},
		{group: 2, block: several("party", ofNation, MaxParties, &a.Parties, func(p *Party) *string { return &p.Nation }, (*Party).fields)},
		{group: 3, block: several("relay", ofName, 16, &a.Relays, func(r *Relay) *string { return &r.Name }, (*Relay).fields)},
		{group: 4, block: several("authority", ofName, 64, &a.Authorities, func(x *Authority) *string { return &x.Name }, (*Authority).fields)},
		{group: 5, block: single("scope", &a.Scope, func() bool { return a.Scope.Organization != "" }, (*Scope).fields)},
		attribute(6, many("sectors", &a.Sectors, anyWord)),
		attribute(6, purposes("purpose", &a.Purpose).required()),
		attribute(6, purposes("never", &a.Never)),
		{group: 7, block: several("give", ofName, 256, &a.Gives, func(g *Give) *string { return &g.Name }, (*Give).fields)},
		{group: 8, block: needed(single("handle", &a.Handle, func() bool { return true }, (*Handle).fields))},
		{group: 9, block: pointed("reciprocity", &a.Reciprocity, (*Reciprocity).fields)},
		{group: 10, block: single("limits", &a.Limits, func() bool { return a.Limits != Limits{} }, (*Limits).fields)},
		{group: 11, block: several("exercise", ofName, 64, &a.Exercises, func(e *Exercise) *string { return &e.Name }, (*Exercise).fields)},
		{group: 12, block: several("derive", ofName, 16, &a.Derives, func(d *Derive) *string { return &d.Accord }, (*Derive).fields)},
		{group: 13, block: several("decide", ofName, 64, &a.Decides, func(d *Decide) *string { return &d.Name }, (*Decide).fields)},
		{group: 14, block: single("suspend", a, func() bool { return a.SuspendBy != "" }, func(a *Accord) []field {
			return []field{one("by", &a.SuspendBy, words("any-party", "all")).required()}
		})},
		{group: 15, block: pointed("terminate", &a.Terminate, (*Leave).fields)},
		{group: 16, block: pointed("withdraw", &a.Withdraw, (*Leave).fields)},
	}
}

func (t *Text) fields() []field { return []field{one("digest", &t.Digest, digest).required()} }

func (p *Party) fields() []field {
	return []field{
		one("org", &p.Org, org),
		one("node", &p.Node, host),
		one("keys", &p.Keys, prefixed("keylog")).required(),
		one("need", &p.Need, number(1, 16)).written(),
		many("signers", &p.Signers, org),
	}
}

func (r *Relay) fields() []field {
	return []field{
		one("read", &r.Read, flag("yes", "no")).required(),
		one("witness", &r.Witness, flag("yes", "no")).written(),
		one("queue", &r.Queue, size),
	}
}

func (x *Authority) fields() []field {
	return []field{
		orWord("sunset", &x.Sunset, "never", date).required(),
		many("covers", &x.Covers, kind),
		one("origin", &x.Origin, anyWord),
	}
}

func (s *Scope) fields() []field {
	return []field{
		one("organization", &s.Organization, words("receiving-org")).required(),
		listOr("clients", &s.Clients, "none", prefixed("register")).written(),
		one("community", &s.Community, words("parties")),
	}
}

func (g *Give) fields() []field {
	classified := one("class", &g.Class, class)
	classified.said = func() bool { return g.Class != label.Unclassified() }
	return []field{
		listOr("from", &g.From, "any", nation).written(),
		listOr("to", &g.To, "any", nation),
		many("kind", &g.Kinds, kind).required(),
		one("ceiling", &g.Ceiling, tlp).required(),
		classified,
		many("strip", &g.Strip, path),
		one("release-officer", &g.ReleaseOfficer, only("required")),
		many("anonymise", &g.Anonymise, anyWord),
		one("audience", &g.Subset, only("subset")),
		one("persons", &g.Persons, prefixed("register")),
		stated("access", &g.Access, &g.HasAccess, access),
	}
}

func (h *Handle) fields() []field {
	return []field{
		one("default", &h.Default, tlp).required(),
		one("retain", &h.Retain, duration),
		perKind("retain-kind", &h.RetainKind),
		one("pap", &h.PAP, pap).written(),
		h.onward(),
		one("consent-timeout", &h.ConsentTimeout, duration),
		one("attribution", &h.Attribution, attribute).written(),
		one("embargo-max", &h.EmbargoMax, duration),
		one("access", &h.Access, access).written(),
	}
}

// onward has a word beyond those of labels: clients, to whom only renditions go.
func (h *Handle) onward() field {
	type rule struct {
		label.Onward
		clients bool
	}
	values := map[string]rule{"clients": {label.OnwardNone, true}}
	for o := label.OnwardNone; o <= label.OnwardFree; o++ {
		values[o.String()] = rule{o, false}
	}
	v := rule{h.Onward, h.Clients}
	f := one("onward", &v, ranks("none, clients, consent, audience-relay, community or free", values)).required()
	read := f.read
	f.read = func(r *reader, e expression) { read(r, e); h.Onward, h.Clients = v.Onward, v.clients }
	return f
}

func (r *Reciprocity) fields() []field {
	return []field{
		many("give-back", &r.GiveBack, kind).required(),
		many("for", &r.For, kind).required(),
		one("within", &r.Within, duration).required(),
		one("minimum", &r.Minimum, percent).required(),
		one("otherwise", &r.Otherwise, words("notify", "suspend")).required(),
		one("suspend-after", &r.SuspendAfter, duration),
	}
}

func (l *Limits) fields() []field {
	return []field{
		one("objects-per-day", &l.ObjectsPerDay, number(1, 1_000_000_000)),
		one("object", &l.Object, size),
		one("attachment", &l.Attachment, size),
		one("queue", &l.Queue, size),
	}
}

func (d *Decide) fields() []field {
	return []field{
		one("propose", &d.Propose, proposers).required(),
		one("consent", &d.Consent, consent).required(),
		one("weights", &d.Weights, digest),
		one("deadline", &d.Deadline, duration).required(),
		stated("pap", &d.PAP, &d.HasPAP, pap),
		one("silence", &d.Silence, flag("allowed", "not-allowed")).written(),
		persons(&d.Persons),
		one("min-positive", &d.MinPositive, number(1, MaxParties)),
		one("veto", &d.Veto, words("affected-party")),
		one("unreachable", &d.Unreachable, words("blocks", "abstains")).written(),
		one("evidence", &d.Evidence, only("required")),
		one("review", &d.Review, duration),
	}
}

// persons is how many voters sign for a party. One is not written: texts from before the word was there keep their canonical form.
func persons(to *int) field {
	f := one("persons", to, number(1, 4))
	f.said = func() bool { return *to > 1 }
	return f
}

func (e *Exercise) fields() []field {
	return []field{window("window", &e.From, &e.To).required(), one("purge", &e.Purge, duration).required()}
}

func (d *Derive) fields() []field {
	return []field{many("require-consent", &d.Consent, nation).required()}
}

func (l *Leave) fields() []field {
	return []field{
		one("notice", &l.Notice, duration).required(),
		one("purge", &l.Purge, duration).required(),
		one("receipts", &l.Receipts, only("required")),
	}
}

// begin sets what a block says before its first word is read: the defaults that the canonical form writes out.
func begin(v any) {
	switch v := v.(type) {
	case *Party:
		v.Need = 1
	case *Give:
		v.Class = label.Unclassified()
	case *Handle:
		v.PAP, v.Attribution, v.Access = label.PAPClear, label.May, label.Copy
	case *Decide:
		v.Unreachable, v.Persons = "blocks", 1
	}
}

func several[T any](word string, c *title, most int, list *[]T, name func(*T) *string, fields func(*T) []field) *block {
	return &block{word: word, label: c, most: most,
		add: func(label string) []field {
			*list = append(*list, *new(T))
			v := &(*list)[len(*list)-1]
			begin(v)
			*name(v) = label
			return fields(v)
		},
		all: func() []entry {
			out := make([]entry, len(*list))
			for i := range *list {
				out[i] = entry{*name(&(*list)[i]), fields(&(*list)[i])}
			}
			return out
		}}
}

func single[T any](word string, v *T, is func() bool, fields func(*T) []field) *block {
	return &block{word: word, most: 1,
		add: func(string) []field { begin(v); return fields(v) },
		all: func() []entry {
			if !is() {
				return nil
			}
			return []entry{{"", fields(v)}}
		}}
}

func pointed[T any](word string, v **T, fields func(*T) []field) *block {
	return &block{word: word, most: 1,
		add: func(string) []field { *v = new(T); return fields(*v) },
		all: func() []entry {
			if *v == nil {
				return nil
			}
			return []entry{{"", fields(*v)}}
		}}
}

func needed(b *block) *block { b.must = true; return b }
