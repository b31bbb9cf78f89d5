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

// standing is what decides whether an alert or a notification is in a list, where, and who may see it.
type standing struct {
	at                 time.Time
	state, constituent string
	severity           Severity
	objects            []string
	recs               []record.Seq
	mark               *mark
}

func (a *alert) standing() standing {
	return standing{a.At, string(a.State), a.Constituent, a.Severity, []string{a.Object}, a.Recs[len(a.Recs)-1:], &a.Mark}
}

func (n *notification) standing() standing {
	return standing{n.Created, string(n.State), n.Constituent, n.Severity, n.Objects, n.Recs, &n.Mark}
}

// takes tells whether it is one of those that are asked for.
func (f *Filter) takes(s *standing) bool {
	return (len(f.States) == 0 || slices.Contains(f.States, s.state)) && (f.Constituent == "" || f.Constituent == s.constituent) && s.severity.Rank() >= f.Severity.Rank()
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
func (d *Desk) Alerts(ctx context.Context, v gate.Viewer, f Filter, after string, limit int) ([]Alert, bool, error) {
	return list(ctx, d, v, f, after, limit, func() map[string]*alert { return d.alerts }, (*alert).view)
}

// Notifications lists the notifications that a viewer may see, as Alerts does.
func (d *Desk) Notifications(ctx context.Context, v gate.Viewer, f Filter, after string, limit int) ([]Notification, bool, error) {
	return list(ctx, d, v, f, after, limit, func() map[string]*notification { return d.notes }, d.viewNote)
}

// listed is an alert or a notification.
type listed interface {
	comparable
	standing() standing
}

// list finds one page of what a viewer may see of all.
func list[S listed, V any](ctx context.Context, d *Desk, v gate.Viewer, f Filter, after string, limit int, all func() map[string]S, view func(S) V) (out []V, more bool, err error) {
	if err := d.fresh(ctx); err != nil {
		return nil, false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ready(ctx); err != nil {
		return nil, false, err
	}
	var places []place
	for id, x := range all() {
		if s := x.standing(); f.takes(&s) {
			places = append(places, f.place(s.severity, s.at, id))
		}
	}
	page, more, err := cut(ctx, d, v, places, after, limit, all())
	for _, x := range page {
		out = append(out, view(x))
	}
	return out, more, err
}

// cut finds one page of what a viewer may see of these places. The page ends by that alone. It is called with the lock.
func cut[S listed](ctx context.Context, d *Desk, v gate.Viewer, places []place, after string, limit int, all map[string]S) (out []S, more bool, err error) {
	if !d.own(v) {
		return nil, false, nil
	}
	slices.SortFunc(places, place.compare)
	if after != "" {
		from, ok := parsePlace(after)
		if !ok {
			return nil, false, fault.New(fault.Invalid, "page.next", "this is no place in a list").At("next")
		}
		i, found := slices.BinarySearchFunc(places, from, place.compare)
		if found {
			i++
		}
		places = places[i:]
	}
	for part := range slices.Chunk(places, 50) {
		var objects []string
		for _, p := range part {
			objects = append(objects, all[p.id].standing().objects...)
		}
		seen, err := d.visible(ctx, v, objects)
		if err != nil {
			return nil, false, err
		}
		for _, p := range part {
			x := all[p.id]
			if s := x.standing(); !d.shows(v, seen, &s) {
				continue
			}
			if len(out) == limit {
				return out, true, nil
			}
			out = append(out, x)
		}
	}
	return out, false, nil
}

// one finds what a viewer may see; of what is not there, or not for the viewer, the answer is none. It is called with the lock.
func one[S listed](ctx context.Context, d *Desk, v gate.Viewer, find func() S, none func() *fault.Error) (S, error) {
	var nothing S
	if err := d.ready(ctx); err != nil {
		return nothing, err
	}
	x := find()
	if x == nothing || !d.own(v) {
		return nothing, none()
	}
	s := x.standing()
	seen, err := d.visible(ctx, v, slices.Clone(s.objects))
	if err != nil {
		return nothing, err
	}
	if !d.shows(v, seen, &s) {
		return nothing, none()
	}
	return x, nil
}

func (p place) String() string {
	// A time of one width: how long a sealed place is must tell nothing of what it is.
	return strconv.Itoa(p.rank) + " " + p.at.UTC().Format("2006-01-02T15:04:05.000000000Z07:00") + " " + p.id
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
func (d *Desk) shows(v gate.Viewer, seen map[record.Seq]mark, s *standing) bool {
	m := s.mark
	scope := d.o.Door.Gate().Scope(v, d.o.Now())
	if !d.own(v) || !scope.Admits(m.record()) || !scope.InForce(m.record(), m.Label.NotBefore, m.Label.NotAfter) {
		return false
	}
	for _, rec := range s.recs {
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
	return one(ctx, d, v, func() *alert { return d.alerts[id] }, noAlert)
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

// noteOf finds a notification that a viewer may see. It is called with the lock.
func (d *Desk) noteOf(ctx context.Context, v gate.Viewer, id string) (*notification, error) {
	return one(ctx, d, v, func() *notification { return d.notes[id] }, noNote)
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
