package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
	"entente/internal/record"
	"entente/internal/store"
	"entente/register"
	"entente/stix"
)

// follow looks at the journal, and looks back when there is nothing new.
func (d *Desk) follow(ctx context.Context) {
	for wait := d.o.Poll; ; {
		busy, err := d.advance(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait = min(2*wait, 30*time.Second)
			d.o.Log.Warn("alerts are not raised", "error", err)
		default:
			wait = d.o.Poll
		}
		if busy && err == nil {
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

// advance works on one batch of the journal, or one of looking back. It tells whether there may be more to do at once.
func (d *Desk) advance(ctx context.Context) (busy bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.ready(ctx); err != nil {
		return false, err
	}
	entries, err := d.waiting(ctx)
	if err != nil {
		return false, err
	}
	d.metrics.note(entries, d.o.Now())
	if len(entries) == 0 {
		if busy, err := d.tidy(ctx); busy || err != nil {
			return busy, err
		}
		return d.lookBack(ctx)
	}
	after := d.cursor.After
	for i := range entries {
		e := &entries[i]
		// A purge has taken documents away: it is taken in with nothing unwritten in memory.
		purge := e.Kind == store.EntryPurge
		if purge && i > 0 {
			break
		}
		if err := d.entry(ctx, e); err != nil {
			return false, d.undo(ctx, err)
		}
		after = e.Seq
		if purge || len(d.dirtyAlert)+len(d.dirtyNote) >= batchDocs {
			break
		}
	}
	doc, err := d.cursorDoc(after)
	if err != nil {
		return false, d.undo(ctx, err)
	}
	version := d.cursor.version
	if err := d.commit(ctx, store.Act{}, doc); err != nil {
		return false, fmt.Errorf("raising alerts: %w", err)
	}
	d.cursor = cursor{after, version + 1}
	return true, nil
}

// waiting is the next batch of the journal. While nobody is in the register and nothing stands open, what records say does not matter.
func (d *Desk) waiting(ctx context.Context) ([]store.Entry, error) {
	if d.idle() {
		entries, err := d.o.Journal.Headers(ctx, d.cursor.After, batch)
		registers := func(e store.Entry) bool { return e.Record != nil && e.Record.Type == register.Type }
		if err != nil || !slices.ContainsFunc(entries, registers) {
			return entries, err
		}
	}
	return d.o.Journal.Follow(ctx, d.cursor.After, batch)
}

// idle tells whether nothing can concern anybody.
func (d *Desk) idle() bool {
	served, _ := d.index.Len()
	return served == 0 && len(d.alerts) == 0
}

// Sync follows the journal to its end, and looks back, before it returns.
func (d *Desk) Sync(ctx context.Context) error {
	for {
		busy, err := d.advance(ctx)
		if err != nil || !busy {
			return err
		}
	}
}

// undo forgets what was changed in memory and not written.
func (d *Desk) undo(ctx context.Context, err error) error {
	if e := d.reload(context.WithoutCancel(ctx)); e != nil {
		d.o.Log.Error("the alerts cannot be read", "error", e)
	}
	return err
}

func (d *Desk) cursorDoc(after record.Seq) (store.Doc, error) {
	b, err := json.Marshal(cursor{After: after})
	return store.Doc{Kind: docCursor, Value: b, Version: d.cursor.version}, err
}

// entry takes in one line of the journal. Records come as they are now, and not as they were at the line.
func (d *Desk) entry(ctx context.Context, e *store.Entry) error {
	switch e.Kind {
	case store.EntryPut, store.EntryRelabel:
		if e.Record == nil || e.Held {
			return d.gone(ctx, e.Rec)
		}
		if e.Record.Type == register.Type {
			return d.registered(e.Seq, e.Rec, e.Record)
		}
		if d.idle() {
			return nil // nobody is in the register; who enters it is looked back for
		}
		return d.arrived(ctx, &store.Item{Seq: e.Seq, Rec: e.Rec, Record: *e.Record}, d.index)
	case store.EntryPurge:
		return d.purged(ctx, e.Recs)
	case store.EntryRemove:
		if d.owners[e.Rec] != "" {
			return d.gone(ctx, e.Rec)
		}
		if len(d.byRec[e.Rec]) == 0 {
			return nil
		}
		there, err := d.record(ctx, d.alerts[d.byRec[e.Rec][0]].Object, e.Rec)
		if err != nil || there != nil {
			return err
		}
		return d.gone(ctx, e.Rec)
	}
	return nil
}

// record finds one version of an object as it is now; nil when it is no more.
func (d *Desk) record(ctx context.Context, id string, rec record.Seq) (*store.Item, error) {
	for q := (store.Query{IDs: []string{id}, Versions: store.Versions{All: true}, Specs: []string{"2.0", "2.1"}}); ; {
		page, err := d.o.Journal.Page(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			if page.Items[i].Rec == rec && !page.Items[i].Held {
				return &page.Items[i], nil
			}
		}
		if !page.More {
			return nil, nil
		}
		q.After = page.Next
	}
}

// registered takes in a version of a constituent. Assets that were not looked back for are.
func (d *Desk) registered(at, rec record.Seq, r *record.Record) error {
	c := d.constituent(r)
	if c == nil {
		return nil
	}
	have := d.index.Get(c.ID)
	if have != nil && order(have.Modified) > order(c.Modified) {
		return nil
	}
	if have == nil || print(have) != print(c) {
		d.entered[c.ID] = at
	}
	d.index.Put(c)
	d.owners[rec] = c.ID
	if c.Revoked {
		d.left(c.ID)
	}
	return nil
}

func order(version string) string {
	o, err := stix.Order(version)
	if err != nil {
		return ""
	}
	return o
}

// left closes what stands open for a constituent that is served no more.
func (d *Desk) left(constituent string) {
	const reason = "the constituent is no longer in the register"
	d.index.Remove(constituent)
	delete(d.seen, constituent)
	delete(d.entered, constituent)
	d.dirtySeen[constituent] = true
	now := d.now()
	for _, a := range d.alerts {
		if a.Constituent == constituent && a.State != AlertClosed {
			d.closeAlert(a, reason, now)
		}
	}
	for _, n := range d.notes {
		if n.Constituent == constituent && !n.State.finished() && !d.sending[n.ID] {
			d.discard(n, "node", reason, now)
		}
	}
}

// print identifies what of a constituent is watched.
func print(c *register.Constituent) string {
	h := sha256.New()
	for _, part := range []any{c.Networks, c.ASNs, c.Domains, c.Certificates, c.Software} {
		b, err := json.Marshal(part)
		if err != nil {
			continue // it came from JSON
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// look is the looking back that is under way: what has been here before is matched with the constituents whose assets are new.
type look struct {
	Constituents map[string]string `json:"constituents"` // id to print
	Next         record.Seq        `json:"next"`
	Until        record.Seq        `json:"until"`
	version      int64
	index        *register.Index
}

// maxLook is how many constituents are looked back for at once, so that one pass over the journal serves an import.
const maxLook = 10_000

func (d *Desk) loadLook(ctx context.Context) error {
	doc, err := d.o.Docs.Doc(ctx, docLook, "")
	if fault.Of(err) == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	l := &look{version: doc.Version}
	if err := json.Unmarshal(doc.Value, l); err != nil {
		return damaged(&doc, err)
	}
	d.aim(l)
	d.look = l
	return nil
}

// aim makes the index that looks back: of those constituents that are still there.
func (d *Desk) aim(l *look) {
	l.index = register.NewIndex()
	for id := range l.Constituents {
		if c := d.index.Get(id); c != nil {
			l.index.Put(c)
		}
	}
}

// lookBack matches one batch of what was here before with what is new in the register. Called at the journal's end.
func (d *Desk) lookBack(ctx context.Context) (busy bool, err error) {
	if d.look == nil {
		l := &look{Constituents: map[string]string{}}
		for _, c := range d.index.All() {
			if p := print(c); p != d.seen[c.ID] && len(l.Constituents) < maxLook {
				l.Constituents[c.ID] = p
				l.Until = max(l.Until, d.entered[c.ID]) // what came later was matched when it came
			}
		}
		if len(l.Constituents) == 0 {
			return false, nil
		}
		if from := d.o.Now().Add(-d.c.lookBack).UnixMicro(); from > 0 {
			l.Next = record.Seq(from)
		}
		d.aim(l)
		d.look = l
	}
	l := d.look
	entries, err := d.o.Journal.Follow(ctx, l.Next, batch)
	if err != nil {
		return false, err
	}
	ended := len(entries) == 0
	next := l.Next
	for i := range entries {
		e := &entries[i]
		if e.Seq > l.Until {
			ended = true
			break
		}
		if e.Record != nil && !e.Held && e.Record.Type != register.Type && (e.Kind == store.EntryPut || e.Kind == store.EntryRelabel) {
			if err := d.arrived(ctx, &store.Item{Seq: e.Seq, Rec: e.Rec, Record: *e.Record}, l.index); err != nil {
				return false, d.undo(ctx, err)
			}
		}
		next = e.Seq
		if len(d.dirtyAlert)+len(d.dirtyNote) >= batchDocs {
			break
		}
	}
	doc := store.Doc{Kind: docLook, Version: -1}
	if ended {
		for id, p := range l.Constituents {
			d.seen[id] = p
			d.dirtySeen[id] = true
		}
	} else {
		l.Next = next
		if doc.Value, err = json.Marshal(l); err != nil {
			return false, d.undo(ctx, err)
		}
	}
	if err := d.commit(ctx, store.Act{}, doc); err != nil {
		return false, fmt.Errorf("looking back: %w", err)
	}
	if ended {
		d.look = nil
	}
	return true, nil
}

// tidy takes away what is finished for long, once an hour.
func (d *Desk) tidy(ctx context.Context) (bool, error) {
	now := d.o.Now()
	if now.Sub(d.tidied) < time.Hour {
		return false, nil
	}
	d.tidied = now
	for id, n := range d.notes {
		if n.State.finished() && now.Sub(n.Changed) > d.c.keep && len(d.dirtyNote) < batchDocs {
			d.dropNote(id)
			d.dirtyNote[id] = true
		}
	}
	for id, a := range d.alerts {
		if a.State == AlertClosed && now.Sub(a.Changed) > d.c.keep && len(d.dirtyAlert) < batchDocs {
			d.dropAlert(id)
			d.dirtyAlert[id] = true
		}
	}
	for c := range d.counts {
		if c.hour < hour(now)-1 {
			delete(d.counts, c)
		}
	}
	if len(d.dirtyNote)+len(d.dirtyAlert) == 0 {
		return false, nil
	}
	return true, d.commit(ctx, store.Act{})
}

// now is the time as documents keep it.
func (d *Desk) now() time.Time { return d.o.Now().UTC().Truncate(time.Millisecond) }

// stamp is the time of something new: later than that of everything before it, so that lists have one order. How much later is drawn at random.
func (d *Desk) stamp() time.Time {
	t := d.o.Now().UTC().Truncate(time.Microsecond)
	if !t.After(d.stamped) {
		t = d.stamped.Add(time.Duration(1+rand.IntN(1000)) * time.Microsecond)
	}
	d.stamped = t
	return t
}

// closeAlert ends an alert for a reason that the node gives.
func (d *Desk) closeAlert(a *alert, reason string, now time.Time) {
	a.State, a.Reason, a.Changed = AlertClosed, reason, now
	a.Edition++
	d.dirtyAlert[a.ID] = true
}

// discard ends a notification.
func (d *Desk) discard(n *notification, by, reason string, now time.Time) {
	n.State, n.Reason = Discarded, reason
	n.Edition++
	n.step(now, by, "discarded: "+reason)
	d.dirtyNote[n.ID] = true
}

// gone follows records that are no more, or that are held: what alerts and notifications hold of them goes.
func (d *Desk) gone(ctx context.Context, recs ...record.Seq) error {
	for _, rec := range recs {
		if id := d.owners[rec]; id != "" {
			delete(d.owners, rec)
			page, err := d.o.Journal.Page(ctx, store.Query{IDs: []string{id}, Types: []string{register.Type}, Limit: 1})
			if err != nil {
				return err
			}
			if len(page.Items) == 0 || page.Items[0].Held {
				d.left(id)
			} else if err := d.registered(d.cursor.After, page.Items[0].Rec, &page.Items[0].Record); err != nil {
				return err
			}
		}
		for _, id := range slices.Clone(d.byRec[rec]) {
			if err := d.lost(ctx, d.alerts[id], rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// purged follows a purge, which has taken the documents that name its object away. What was written right after it is scrubbed; alerts that
// shared a notification with it are told of anew.
func (d *Desk) purged(ctx context.Context, recs []record.Seq) error {
	if err := d.reload(ctx); err != nil {
		return err
	}
	late := map[string]bool{}
	for _, rec := range recs {
		for _, id := range d.byRec[rec] {
			late[d.alerts[id].Object] = true
		}
		if d.owners[rec] != "" {
			late[d.owners[rec]] = true
		}
	}
	for id := range late {
		if err := d.o.Journal.Scrub(ctx, id); err != nil {
			return err
		}
	}
	if len(late) > 0 {
		if err := d.reload(ctx); err != nil {
			return err
		}
	}
	for _, a := range d.alerts {
		missing := func(id string) bool { return d.notes[id] == nil }
		if !slices.ContainsFunc(a.Notifications, missing) {
			continue
		}
		a.Notifications = slices.DeleteFunc(a.Notifications, missing)
		d.dirtyAlert[a.ID] = true
		if a.State == AlertClosed {
			continue
		}
		it, err := d.record(ctx, a.Object, a.Recs[len(a.Recs)-1])
		if err != nil {
			return err
		}
		if it != nil {
			if err := d.draft(ctx, a, it); err != nil {
				return err
			}
		}
	}
	return nil
}
