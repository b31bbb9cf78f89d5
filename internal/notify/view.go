package notify

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
)

// Filter selects alerts or notifications. Empty members select everything.
type Filter struct {
	States      []string
	Constituent string   // an id
	Severity    Severity // this one and above
	Pressing    bool     // the most severe first, and of those the newest; else the newest
}

// takes tells whether an alert or a notification is one of those that are asked for.
func (f *Filter) takes(state, constituent string, severity Severity) bool {
	return (len(f.States) == 0 || slices.Contains(f.States, state)) && (f.Constituent == "" || f.Constituent == constituent) && severity.Rank() >= f.Severity.Rank()
}

// place is where one stands in a list: the newest first, after whatever ranks above.
type place struct {
	rank int
	at   time.Time
	id   string
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(q.rank, p.rank), q.at.Compare(p.at), strings.Compare(p.id, q.id))
}

func (f *Filter) place(severity Severity, at time.Time, id string) place {
	p := place{at: at, id: id}
	if f.Pressing {
		p.rank = severity.Rank()
	}
	return p
}

func noAlert() *fault.Error { return fault.New(fault.NotFound, "", "no such alert") }
func noNote() *fault.Error  { return fault.New(fault.NotFound, "", "no such notification") }

// fresh follows the journal first where nothing else does: in a node that was opened for one command.
func (d *Desk) fresh(ctx context.Context) error {
	if d.following.Load() {
		return nil
	}
	return d.Sync(ctx)
}

// own refuses whoever is not of the node's own organisation, as if there was nothing.
func (d *Desk) own(v gate.Viewer) bool { return v.Nation == d.o.Nation && v.Org == d.o.Org }

// Alerts lists the alerts that a viewer may see, in the order of the filter, after the one named; more tells whether there are others.
func (d *Desk) Alerts(ctx context.Context, v gate.Viewer, f Filter, after string, limit int) (out []Alert, more bool, err error) {
	if err := d.fresh(ctx); err != nil {
		return nil, false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ready(ctx); err != nil {
		return nil, false, err
	}
	var list []place
	for _, a := range d.alerts {
		if f.takes(string(a.State), a.Constituent, a.Severity) {
			list = append(list, f.place(a.Severity, a.At, a.ID))
		}
	}
	ids, more, err := d.cut(ctx, v, list, after, limit, func(id string) ([]string, []record.Seq, *mark) {
		a := d.alerts[id]
		return []string{a.Object}, a.Recs[len(a.Recs)-1:], &a.Mark
	})
	for _, id := range ids {
		out = append(out, d.alerts[id].view())
	}
	return out, more, err
}

// Notifications lists the notifications that a viewer may see, as Alerts does.
func (d *Desk) Notifications(ctx context.Context, v gate.Viewer, f Filter, after string, limit int) (out []Notification, more bool, err error) {
	if err := d.fresh(ctx); err != nil {
		return nil, false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ready(ctx); err != nil {
		return nil, false, err
	}
	var list []place
	for _, n := range d.notes {
		if f.takes(string(n.State), n.Constituent, n.Severity) {
			list = append(list, f.place(n.Severity, n.Created, n.ID))
		}
	}
	ids, more, err := d.cut(ctx, v, list, after, limit, d.tellsOf)
	for _, id := range ids {
		out = append(out, d.viewNote(d.notes[id]))
	}
	return out, more, err
}

// tellsOf are the objects that a notification tells of.
func (d *Desk) tellsOf(id string) ([]string, []record.Seq, *mark) {
	n := d.notes[id]
	return n.Objects, n.Recs, &n.Mark
}

// cut finds one page of what a viewer may see. The page ends by that alone.
func (d *Desk) cut(ctx context.Context, v gate.Viewer, list []place, after string, limit int, about func(id string) ([]string, []record.Seq, *mark)) (ids []string, more bool, err error) {
	if !d.own(v) {
		return nil, false, nil
	}
	slices.SortFunc(list, place.compare)
	if after != "" {
		from, ok := parsePlace(after)
		if !ok {
			return nil, false, fault.New(fault.Invalid, "page.next", "this is no place in a list").At("next")
		}
		i, found := slices.BinarySearchFunc(list, from, place.compare)
		if found {
			i++
		}
		list = list[i:]
	}
	const chunk = 50
	for len(list) > 0 && len(ids) <= limit {
		part := list[:min(chunk, len(list))]
		list = list[len(part):]
		var objects []string
		for _, p := range part {
			o, _, _ := about(p.id)
			objects = append(objects, o...)
		}
		seen, err := d.visible(ctx, v, objects)
		if err != nil {
			return nil, false, err
		}
		for _, p := range part {
			if _, recs, m := about(p.id); d.shows(v, seen, recs, m) {
				ids = append(ids, p.id)
			}
		}
	}
	if len(ids) > limit {
		return ids[:limit], true, nil
	}
	return ids, false, nil
}

func (p place) String() string {
	return strconv.Itoa(p.rank) + " " + p.at.Format(time.RFC3339Nano) + " " + p.id
}

func parsePlace(s string) (place, bool) {
	rank, rest, _ := strings.Cut(s, " ")
	at, id, ok := strings.Cut(rest, " ")
	n, bad := strconv.Atoi(rank)
	t, err := time.Parse(time.RFC3339Nano, at)
	return place{n, t, id}, ok && err == nil && bad == nil
}

// After is where a list goes on behind an alert, and behind a notification.
func (a *Alert) After(f *Filter) string { return f.place(a.Severity, a.At, a.ID).String() }
func (n *Notification) After(f *Filter) string {
	return f.place(n.Severity, n.Created, n.ID).String()
}

// visible are the records of these objects that a viewer may have now.
func (d *Desk) visible(ctx context.Context, v gate.Viewer, objects []string) (map[record.Seq]mark, error) {
	seen := map[record.Seq]mark{}
	slices.Sort(objects)
	objects = slices.Compact(objects)
	for len(objects) > 0 {
		part := objects[:min(50, len(objects))]
		objects = objects[len(part):]
		for q := (store.Query{IDs: part, Versions: store.Versions{All: true}, Specs: []string{"2.0", "2.1"}, Headers: true}); ; {
			page, err := d.o.Door.Read(ctx, v, q)
			if err != nil {
				return nil, err
			}
			for i := range page.Items {
				if !page.Items[i].Held {
					seen[page.Items[i].Rec] = markOf(&page.Items[i].Record)
				}
			}
			if q.After = page.Next; !page.More {
				break
			}
		}
	}
	return seen, nil
}

// shows tells whether a viewer may see what is about these records: every one of them under the label that it was written for.
func (d *Desk) shows(v gate.Viewer, seen map[record.Seq]mark, recs []record.Seq, m *mark) bool {
	scope := d.o.Door.Gate().Scope(v, d.o.Now())
	if !d.own(v) || !scope.Admits(m.record()) || !scope.InForce(m.record(), m.Label.NotBefore, m.Label.NotAfter) {
		return false
	}
	for _, rec := range recs {
		if have, ok := seen[rec]; !ok || !have.equal(m) {
			return false
		}
	}
	return true
}

// Alert is one alert.
func (d *Desk) Alert(ctx context.Context, v gate.Viewer, id string) (Alert, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a, err := d.alertOf(ctx, v, id)
	if err != nil {
		return Alert{}, err
	}
	return a.view(), nil
}

// alertOf finds an alert that a viewer may see. It is called with the lock.
func (d *Desk) alertOf(ctx context.Context, v gate.Viewer, id string) (*alert, error) {
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	a := d.alerts[id]
	if a == nil || !d.own(v) {
		return nil, noAlert()
	}
	seen, err := d.visible(ctx, v, []string{a.Object})
	if err != nil {
		return nil, err
	}
	if !d.shows(v, seen, a.Recs[len(a.Recs)-1:], &a.Mark) {
		return nil, noAlert()
	}
	return a, nil
}

// Notification is one notification.
func (d *Desk) Notification(ctx context.Context, v gate.Viewer, id string) (Notification, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, err := d.noteOf(ctx, v, id)
	if err != nil {
		return Notification{}, err
	}
	return d.viewNote(n), nil
}

func (d *Desk) noteOf(ctx context.Context, v gate.Viewer, id string) (*notification, error) {
	if err := d.ready(ctx); err != nil {
		return nil, err
	}
	n := d.notes[id]
	if n == nil || !d.own(v) {
		return nil, noNote()
	}
	seen, err := d.visible(ctx, v, n.Objects)
	if err != nil {
		return nil, err
	}
	if !d.shows(v, seen, n.Recs, &n.Mark) {
		return nil, noNote()
	}
	return n, nil
}

// view is a copy for people.
func (a *alert) view() Alert {
	v := a.Alert
	v.Matches, v.Notes, v.Notifications = slices.Clone(v.Matches), slices.Clone(v.Notes), slices.Clone(v.Notifications)
	return v
}

func (d *Desk) viewNote(n *notification) Notification {
	v := n.Notification
	v.Alerts, v.History = slices.Clone(v.Alerts), slices.Clone(v.History)
	if k := d.contact(n); k != nil && n.Route == Email {
		v.Sealed, _ = (&Message{PGP: k.PGPKey, SMIME: k.SMIME}).sealed(0)
	}
	return v
}
