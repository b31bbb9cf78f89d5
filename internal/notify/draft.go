package notify

import (
	"context"
	"slices"
	"strings"
	"time"

	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
	"entente/register"
)

// verdict is what a constituent may be told of a record.
type verdict struct {
	kind   Kind   // Single: its content; Hint: that it should get in touch; "": nothing
	reason string // why not its content
}

// group is what drafts gather by: whom they are for, and what they may say.
type group struct {
	constituent, contact, address string
	route                         Route
	mark                          string
	kind                          Kind
	hour                          int64
}

// group is where a notification is found by what may join it.
func (n *notification) group() group {
	kind := n.Kind
	if n.State == Withheld {
		kind = ""
	}
	return group{n.Constituent, n.Contact, n.Address, n.Route, n.Mark.key(), kind, hour(n.Hour)}
}

// judge says what a constituent may be told of a record: what the gate lets it have, and its originator lets us pass on.
func (d *Desk) judge(ctx context.Context, c *register.Constituent, it *store.Item) (verdict, error) {
	e, err := d.o.Door.Judge(ctx, d.o.Recipient(c.Org, c.Name), it)
	if err != nil {
		return verdict{}, err
	}
	r := &it.Record
	foreign := r.Origin.Nation != d.o.Nation || r.Origin.Org != d.o.Org
	switch {
	case it.Held:
		return verdict{reason: "the record is in quarantine"}, nil
	case e.Hidden != "":
		return verdict{reason: "the object names another that the constituent may not have"}, nil
	case !e.Decision.Permit:
		var codes, sentences []string
		for _, why := range e.Decision.Reasons {
			if !why.Permit {
				codes, sentences = append(codes, why.Code), append(sentences, why.Sentence)
			}
		}
		v := verdict{reason: strings.Join(sentences, "; ")}
		if d.c.Hints && len(codes) == 1 && codes[0] == "tlp.amber+strict" && r.Label.Access == label.Copy && (!foreign || r.Label.Onward == label.OnwardFree) {
			v.kind = Hint
		}
		return v, nil
	case foreign && r.Label.Onward != label.OnwardFree:
		return verdict{reason: "its originator does not let it be passed on freely (onward: " + r.Label.Onward.String() + ")"}, nil
	case r.Label.Access != label.Copy:
		return verdict{reason: "its label lets it be looked at, and no copy be made"}, nil
	}
	return verdict{kind: Single}, nil
}

// source is who may be named as the source of a record: as far as its label lets its author be named.
func (d *Desk) source(a *alert, via string) string {
	l := &a.Mark.Label
	switch {
	case !gate.NamesAuthor(l):
		return ""
	case a.Mark.Nation != d.o.Nation || a.Mark.Org != d.o.Org:
		return plain(a.Mark.Org+" ("+a.Mark.Nation+")", maxTitle)
	}
	name, _ := strings.CutPrefix(via, "feed:")
	if name == via {
		return ""
	}
	return plain(name, maxTitle)
}

// recipient is one address of one contact.
type recipient struct {
	contact *register.Contact
	route   Route
	address string
}

// recipients are the addresses of a constituent that are told of alerts about these assets.
func recipients(c *register.Constituent, matches []Match) (out []recipient) {
	subject := register.Alerts
	if len(matches) > 0 && !slices.ContainsFunc(matches, func(m Match) bool { return m.Kind != register.SoftwareAsset }) {
		subject = register.Vulnerabilities
	}
	for i := range c.Contacts {
		k := &c.Contacts[i]
		if !k.Wants(subject) {
			continue
		}
		for _, r := range []recipient{{k, Email, k.Email}, {k, Webhook, k.Webhook}} {
			if r.address != "" && len(out) < maxContacts {
				out = append(out, r)
			}
		}
	}
	return out
}

// draft makes, or adds to, the drafts for everybody who is to be told of an alert.
func (d *Desk) draft(ctx context.Context, a *alert, it *store.Item) error {
	d.dirtyAlert[a.ID] = true
	c := d.index.Get(a.Constituent)
	if c == nil {
		return nil
	}
	v, err := d.judge(ctx, c, it)
	if err != nil {
		return err
	}
	a.Source = d.source(a, it.Record.Origin.Via)
	to := recipients(c, a.Matches)
	if a.Problem = ""; len(to) == 0 {
		a.Problem = "no contact of the constituent has an address and wants to be told of this"
	}
	for _, r := range to {
		n := d.place(a, c, r, v)
		if n == nil {
			continue
		}
		if !slices.Contains(n.Alerts, a.ID) {
			n.Alerts = append(n.Alerts, a.ID)
			a.Notifications = append(a.Notifications, n.ID)
		}
		d.refresh(n)
	}
	return nil
}

// place finds the draft that an alert joins, or makes one.
func (d *Desk) place(a *alert, c *register.Constituent, r recipient, v verdict) *notification {
	now := d.now()
	g := group{c.ID, plain(r.contact.Name, maxTitle), r.address, r.route, a.Mark.key(), v.kind, hour(now)}
	kind := v.kind
	if kind == Single && len(d.byGroup[g]) >= d.c.DigestAfter {
		g.kind, kind = Digest, Digest
	}
	if kind != Single {
		for _, id := range d.byGroup[g] {
			if n := d.notes[id]; n.open() {
				if len(n.Alerts) < maxItems {
					return n
				}
				d.count(n)
				return nil
			}
		}
	}
	if len(d.notes) >= maxDrafts {
		d.metrics.dropped.Inc()
		return nil
	}
	n := &notification{Notification: Notification{ID: newID("notice"), Kind: kind, State: Draft, Created: d.stamp(), Constituent: c.ID, Contact: g.contact, Route: r.route, Address: r.address,
		Alerts: []string{}, History: []Step{}}, Mark: a.Mark, Hour: now}
	if v.kind == "" {
		n.Kind, n.State = Digest, Withheld
	}
	n.Reason = v.reason
	n.step(now, "node", "drafted")
	d.keepNote(n)
	d.metrics.drafted.WithLabelValues(string(n.State)).Inc()
	return n
}

// overflow counts an alert that is not kept, in the drafts of its hour.
func (d *Desk) overflow(a *alert, c *register.Constituent) {
	for _, r := range recipients(c, a.Matches) {
		for _, kind := range []Kind{Digest, Hint, ""} {
			for _, id := range d.byGroup[group{c.ID, plain(r.contact.Name, maxTitle), r.address, r.route, a.Mark.key(), kind, hour(a.At)}] {
				if n := d.notes[id]; n.open() {
					d.count(n)
				}
			}
		}
	}
}

// count counts one finding more that a draft does not list. Its text is written anew when it is written down: a flood must not write it each time.
func (d *Desk) count(n *notification) {
	n.More++
	d.dirtyNote[n.ID], d.dirtyText[n.ID] = true, true
}

// recall drafts what takes a sent notification back. It says nothing of what that one said.
func (d *Desk) recall(n *notification, now time.Time) {
	for _, o := range d.notes {
		if o.Of == n.ID {
			return
		}
	}
	if n.Kind == Withdrawn || len(d.notes) >= maxDrafts {
		return
	}
	w := &notification{Notification: Notification{ID: newID("notice"), Kind: Withdrawn, State: Draft, Created: d.stamp(), Constituent: n.Constituent, Contact: n.Contact, Route: n.Route,
		Address: n.Address, Severity: n.Severity, Alerts: []string{}, History: []Step{}}, Mark: n.Mark, Hour: now, Of: n.ID, OfTime: n.Sent}
	w.step(now, "node", "drafted")
	d.keepNote(w)
	d.refresh(w)
	d.metrics.drafted.WithLabelValues(string(w.State)).Inc()
}

// gather reads from the alerts of a notification what it is bound by.
func (d *Desk) gather(n *notification) (list []*alert) {
	n.Objects, n.Recs = []string{}, nil
	n.Severity = Low
	for _, id := range n.Alerts {
		a := d.alerts[id]
		if a == nil {
			continue
		}
		list = append(list, a)
		n.Objects = append(n.Objects, a.Object)
		n.Recs = append(n.Recs, a.Recs[len(a.Recs)-1])
		if a.Severity.Rank() > n.Severity.Rank() {
			n.Severity = a.Severity
		}
	}
	slices.SortStableFunc(list, func(x, y *alert) int { return y.Severity.Rank() - x.Severity.Rank() })
	return list
}

// refresh writes the text of a notification that nobody has written into.
func (d *Desk) refresh(n *notification) {
	d.dirtyNote[n.ID] = true
	n.Edition++
	n.Changed = d.now()
	c := d.index.Get(n.Constituent)
	if c == nil {
		return
	}
	n.Name = plain(c.Name, maxTitle)
	severity := n.Severity
	list := d.gather(n)
	if n.Kind == Withdrawn {
		n.Severity = severity
	}
	n.Urgent = n.Severity == Critical
	n.Items, n.Subject, n.Text, n.Handling, n.TLP, n.PAP, n.Level = []Item{}, "", "", "", n.Mark.Label.TLP.String(), "", n.Mark.Label.TLP
	if n.State == Withheld {
		n.Language, n.Direction = d.c.Language, "ltr"
		return
	}
	k := d.contact(n)
	n.Language = d.c.Language
	if k != nil {
		n.Language = speak(slices.Concat(k.Languages, c.Languages), d.c.Language)
	}
	w := languages[n.Language]
	n.Direction = "ltr"
	if w.rtl() {
		n.Direction = "rtl"
	}
	p := paper{w: w, zone: d.zone(k), c: &d.c}
	switch n.Kind {
	case Hint, Withdrawn:
		p.short(n)
	default:
		p.full(n, list)
	}
}

// contact finds the contact of a notification in the register as it is now.
func (d *Desk) contact(n *notification) *register.Contact {
	c := d.index.Get(n.Constituent)
	if c == nil {
		return nil
	}
	for i := range c.Contacts {
		k := &c.Contacts[i]
		if plain(k.Name, maxTitle) == n.Contact && (n.Route == Email && k.Email == n.Address || n.Route == Webhook && k.Webhook == n.Address) {
			return k
		}
	}
	return nil
}

// zone is the time zone of a contact.
func (d *Desk) zone(k *register.Contact) *time.Location {
	if k != nil && k.Hours != nil {
		if z, err := location(k.Hours.Zone); err == nil {
			return z
		}
	}
	return d.c.zone
}
