package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"

	"entente/internal/record"
	"entente/internal/store"
	"entente/register"
	"entente/stix"
)

// maxRecs bounds the versions of one object that an alert holds.
const maxRecs = 100

// arrived matches a record with an index: that of the whole register, or of what is new in it.
func (d *Desk) arrived(ctx context.Context, it *store.Item, index *register.Index) error {
	for _, id := range slices.Clone(d.byRec[it.Rec]) {
		if a := d.alerts[id]; !a.Mark.equal(new(markOf(&it.Record))) {
			if err := d.relabelled(ctx, a, it); err != nil {
				return err
			}
		}
	}
	whole := index == d.index
	if n, _ := index.Len(); n == 0 && len(d.byObject[it.Record.ID]) == 0 {
		return nil
	}
	o, err := stix.Parse(it.Record.Body)
	if err != nil {
		return nil // nothing that the exchange accepts
	}
	facts := factsOf(o, it.Rec)
	byOwner := map[string][]register.Found{}
	if !it.Record.Revoked && (facts.Until.IsZero() || facts.Until.After(d.o.Now())) {
		for _, f := range index.Object(o) {
			byOwner[f.Constituent.ID] = append(byOwner[f.Constituent.ID], f)
		}
	}
	if whole {
		if err := d.supersede(ctx, it, byOwner); err != nil {
			return err
		}
	} else if len(byOwner) > 0 {
		if old, err := d.outdated(ctx, it); old || err != nil {
			return err
		}
	}
	for _, owner := range sorted(byOwner) {
		if err := d.raise(ctx, it, o, &facts, owner, byOwner[owner]); err != nil {
			return err
		}
	}
	return nil
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// supersede closes alerts of older versions, where the new one is revoked or no longer concerns the constituent. Who may have what the alert
// stands for may know of that only where it may have the new version too.
func (d *Desk) supersede(ctx context.Context, it *store.Item, byOwner map[string][]register.Found) error {
	m := markOf(&it.Record)
	for _, id := range slices.Clone(d.byObject[it.Record.ID]) {
		a := d.alerts[id]
		if byOwner[a.Constituent] != nil || slices.Contains(a.Recs, it.Rec) || it.Record.Order <= a.Order || !m.reaches(&a.Mark) {
			continue
		}
		reason := "the newest version of the object no longer concerns the constituent"
		if it.Record.Revoked {
			reason = "the object was revoked by its source"
		}
		if a.State != AlertClosed {
			d.closeAlert(a, reason, d.now())
		}
		d.withdraw(a, reason)
	}
	return nil
}

// outdated tells whether a newer version of an object is here for everybody who may have this one.
func (d *Desk) outdated(ctx context.Context, it *store.Item) (bool, error) {
	page, err := d.o.Journal.Page(ctx, store.Query{IDs: []string{it.Record.ID}, Limit: 1, Headers: true})
	if err != nil || len(page.Items) == 0 {
		return false, err
	}
	newest := &page.Items[0]
	m, old := markOf(&newest.Record), markOf(&it.Record)
	return newest.Rec != it.Rec && newest.Record.Order > it.Record.Order && m.reaches(&old), nil
}

// raise makes an alert, or lets a further version of its object join one that is there.
func (d *Desk) raise(ctx context.Context, it *store.Item, o *stix.Object, f *facts, owner string, found []register.Found) error {
	c := found[0].Constituent
	m := markOf(&it.Record)
	for _, id := range d.byObject[it.Record.ID] {
		a := d.alerts[id]
		if a.Constituent != owner || !a.Mark.equal(&m) {
			continue
		}
		if slices.Contains(a.Recs, it.Rec) {
			return nil
		}
		return d.join(ctx, a, it, o, f, found)
	}
	a := &alert{Alert: Alert{ID: newID("alert"), At: d.stamp(), State: AlertNew, Constituent: owner, Object: it.Record.ID, Type: it.Record.Type, Notifications: []string{}, Notes: []Note{}}, Mark: m}
	d.fill(a, c, it, o, f, found)
	key := d.countOf(a)
	d.counts[key]++
	if d.counts[key] > maxHour || len(d.alerts) >= maxAlerts {
		d.metrics.dropped.Inc()
		d.overflow(a, c)
		return nil
	}
	a.Recs = []record.Seq{it.Rec}
	d.keepAlert(a)
	d.dirtyAlert[a.ID] = true
	d.metrics.raised.WithLabelValues(string(a.Severity)).Inc()
	return d.draft(ctx, a, it)
}

// fill writes into an alert what a version of its object says.
func (d *Desk) fill(a *alert, c *register.Constituent, it *store.Item, o *stix.Object, f *facts, found []register.Found) {
	a.Name, a.Version, a.Order = plain(c.Name, maxTitle), it.Record.Version, it.Record.Order
	a.Title, a.TLP, a.Facts = plain(cmp.Or(o.Name(), found[0].Value), maxTitle), a.Mark.Label.TLP.String(), *f
	a.Severity = severity(o, f, found)
	a.Matches, a.More = matchesOf(found)
	a.Versions++
	a.Changed = d.now()
	a.Edition++
}

// join lets a further version join an alert. What a person has closed stays closed unless it concerns more than before.
func (d *Desk) join(ctx context.Context, a *alert, it *store.Item, o *stix.Object, f *facts, found []register.Found) error {
	if it.Record.Order < a.Order || len(a.Recs) == maxRecs {
		return nil
	}
	was, rank := a.Matches, a.Severity.Rank()
	d.fill(a, found[0].Constituent, it, o, f, found)
	a.Recs = append(a.Recs, it.Rec)
	d.byRec[it.Rec] = append(d.byRec[it.Rec], a.ID)
	d.dirtyAlert[a.ID] = true
	more := a.Severity.Rank() > rank || slices.ContainsFunc(a.Matches, func(m Match) bool {
		return !slices.ContainsFunc(was, func(o Match) bool { return o.Kind == m.Kind && o.Asset == m.Asset })
	})
	told := false // by a draft that nobody has touched
	for _, id := range a.Notifications {
		if n := d.notes[id]; n != nil && n.open() {
			d.refresh(n)
			told = true
		}
	}
	if !more || told {
		return nil
	}
	if a.State == AlertClosed {
		a.State, a.Reason = AlertNew, ""
	}
	return d.draft(ctx, a, it)
}

// relabelled follows a record to another label: who may see the alert, and what the constituent may be told, is found anew.
func (d *Desk) relabelled(ctx context.Context, a *alert, it *store.Item) error {
	if len(a.Recs) > 1 {
		return d.lost(ctx, a, it.Rec) // it is raised anew under its label
	}
	d.dropAlert(a.ID)
	a.Mark = markOf(&it.Record)
	a.TLP = a.Mark.Label.TLP.String()
	a.Changed = d.now()
	a.Edition++
	d.keepAlert(a)
	d.dirtyAlert[a.ID] = true
	again := false
	for _, id := range slices.Clone(a.Notifications) {
		n := d.notes[id]
		switch {
		case n == nil:
		case n.State == Sent && len(n.Alerts) == 1:
			d.dropNote(n.ID)
			n.Mark = a.Mark
			d.keepNote(n)
			d.dirtyNote[n.ID] = true
		case n.State != Sent:
			again = again || n.State != Discarded
			d.takeOut(n, a)
		}
	}
	if again {
		return d.draft(ctx, a, it)
	}
	return nil
}

// lost takes a version that is no more out of an alert. With the last one the alert goes, and what notifications hold of it.
func (d *Desk) lost(ctx context.Context, a *alert, rec record.Seq) error {
	d.dirtyAlert[a.ID] = true
	if len(a.Recs) == 1 {
		now := d.now()
		for _, id := range slices.Clone(a.Notifications) {
			if n := d.notes[id]; n != nil {
				if n.State == Sent {
					d.recall(n, now)
				}
				d.takeOut(n, a)
			}
		}
		d.dropAlert(a.ID)
		return nil
	}
	newest := a.Recs[len(a.Recs)-1]
	a.Recs = slices.DeleteFunc(a.Recs, func(r record.Seq) bool { return r == rec })
	without(d.byRec, rec, a.ID)
	if newest != rec {
		return nil
	}
	// What the alert says is the lost version's: it is said anew by the one before.
	last := a.Recs[len(a.Recs)-1]
	it, err := d.record(ctx, a.Object, last)
	if err != nil {
		return err
	}
	if it == nil {
		return d.lost(ctx, a, last)
	}
	o, err := stix.Parse(it.Record.Body)
	c := d.index.Get(a.Constituent)
	if err != nil || c == nil {
		return d.lost(ctx, a, last)
	}
	one := register.NewIndex()
	one.Put(c)
	found := one.Object(o)
	if len(found) == 0 {
		return d.lost(ctx, a, last)
	}
	f := factsOf(o, it.Rec)
	d.fill(a, c, it, o, &f, found)
	again := false
	for _, id := range slices.Clone(a.Notifications) {
		if n := d.notes[id]; n != nil && n.State != Sent {
			again = again || n.State != Discarded
			d.takeOut(n, a)
		}
	}
	if again {
		return d.draft(ctx, a, it)
	}
	return nil
}

// takeOut takes an alert out of a notification, whose text is written anew: it may say something of what is gone.
func (d *Desk) takeOut(n *notification, a *alert) {
	a.Notifications = slices.DeleteFunc(a.Notifications, func(id string) bool { return id == n.ID })
	d.dirtyAlert[a.ID], d.dirtyNote[n.ID] = true, true
	n.Alerts = slices.DeleteFunc(n.Alerts, func(id string) bool { return id == a.ID })
	if len(n.Alerts) == 0 {
		d.dropNote(n.ID)
		return
	}
	if n.State == Sent || n.State.finished() {
		d.gather(n)
		n.Subject, n.Text, n.Items = "", "", nil
		n.step(d.now(), "node", "its text was taken away: an object that it told of is no more")
		return
	}
	if n.State == Approved {
		n.State, n.Sender = Draft, ""
	}
	n.Editor = ""
	n.Reason = "an object that it told of is no more, or no more under this label; the text was written anew"
	n.step(d.now(), "node", "written anew: "+n.Reason)
	d.refresh(n)
}

// withdraw takes back what notifications say of an alert that holds no more.
func (d *Desk) withdraw(a *alert, reason string) {
	now := d.now()
	for _, id := range slices.Clone(a.Notifications) {
		n := d.notes[id]
		switch {
		case n == nil:
		case n.State == Sent:
			d.recall(n, now)
		case n.State.finished():
		case len(n.Alerts) == 1 && !d.sending[n.ID]:
			d.discard(n, "node", reason, now)
		case len(n.Alerts) > 1:
			d.takeOut(n, a)
		}
	}
}

// newID is a random name: it tells nothing of what it names.
func newID(kind string) string {
	b := make([]byte, 12)
	rand.Read(b)
	return kind + "-" + hex.EncodeToString(b)
}
