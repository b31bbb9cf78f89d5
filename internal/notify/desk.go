// Package notify tells constituents what concerns them. It follows the journal, matches what is new with the register of constituents, raises
// an alert for each constituent that an object concerns, and drafts a notification for its contacts, in their language and under the label of
// the object. A person looks at a draft and lets it go; who wrote into it does not. What goes is written down as a release.
//
// # What it never tells
//
// An alert stands for versions of one object under one label: who may not have those neither sees it nor anything that it changes. A draft
// holds of an object what the gate lets the constituent have, and else nothing of it.
package notify

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
	"entente/register"
)

// Journal is the node's own records, read with its own scope.
type Journal interface {
	// Follow returns the entries after a place, at most limit; none at the end.
	Follow(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error)
	// Headers are the same entries, their records without bytes.
	Headers(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error)
	// Page returns records.
	Page(ctx context.Context, q store.Query) (store.Page, error)
	// Scrub destroys the documents that name an object which was purged already, and every trace of them.
	Scrub(ctx context.Context, id string) error
}

// Docs keeps what the desk knows.
type Docs interface {
	PutDocs(ctx context.Context, act store.Act, docs ...store.Doc) error
	Doc(ctx context.Context, kind, key string) (store.Doc, error)
	Docs(ctx context.Context, kind, after string, limit int) ([]store.Doc, error)
}

// Door is the exchange: what viewers may have, and what constituents are given.
type Door interface {
	Gate() *gate.Gate
	Read(ctx context.Context, v gate.Viewer, q store.Query) (store.Page, error)
	Judge(ctx context.Context, to exchange.Recipient, it *store.Item) (exchange.Explanation, error)
	Hand(ctx context.Context, to exchange.Recipient, items []store.Item) error
}

// Options is what the desk needs to know of its node.
type Options struct {
	Nation, Org, Realm string
	Config             Config
	Channels           []Channel
	Journal            Journal
	Door               Door
	Docs               Docs
	// Recipient is the organisation that a constituent of that name in the register of organisations, or without one, is to the gate.
	Recipient func(org, name string) exchange.Recipient
	Base      string // relative file names in the configuration begin here
	Now       func() time.Time
	Log       *slog.Logger

	Poll time.Duration // how often the journal is looked at; 0: 200 ms
}

// Documents of the desk.
const (
	docCursor = "notify.cursor" // key: ""
	docAlert  = "notify.alert"  // key: id
	docNote   = "notify.note"   // key: id; a notification
	docSeen   = "notify.seen"   // key: id of a constituent; what of it was looked back for
	docLook   = "notify.look"   // key: ""; the looking back that is under way
)

// Bounds of the desk. Alerts of a constituent under one label beyond maxHour in an hour are counted and not kept.
const (
	maxAlerts   = 50_000
	maxDrafts   = 50_000
	maxHour     = 500
	maxContacts = 8
	batch       = 1000 // entries of the journal at once
	batchDocs   = 2000 // documents of one write
	maxBackoff  = 4 * time.Hour
)

// Desk is the alerts and notifications of a node. Its methods are safe for concurrent use.
type Desk struct {
	o          Options
	c          Config
	metrics    metrics
	index      *register.Index
	mu         sync.Mutex // of what follows
	alerts     map[string]*alert
	notes      map[string]*notification
	byObject   map[string][]string     // alerts
	byRec      map[record.Seq][]string // alerts
	byGroup    map[group][]string      // notifications
	owners     map[record.Seq]string   // constituents
	entered    map[string]record.Seq   // constituents: from where on everything was matched with what they have
	counts     map[count]int           // alerts of the hour
	seen       map[string]string       // print of the assets of a constituent that were looked back for
	sending    map[string]bool
	cursor     cursor
	look       *look // the looking back that is under way; nil: none
	dirtyAlert map[string]bool
	dirtyNote  map[string]bool
	dirtySeen  map[string]bool
	dirtyText  map[string]bool // notifications whose text must be written anew
	tidied     time.Time
	stamped    time.Time // the last time that was given
	alarm      alarms
	stale      bool // what is in memory is not what is written

	wake      chan struct{}
	stop      context.CancelFunc
	work      sync.WaitGroup
	following atomic.Bool
	checks    checks
}

// count is whose alerts of which hour are counted.
type count struct {
	constituent string
	mark        string
	hour        int64
}

// cursor is how far the journal has been followed.
type cursor struct {
	After   record.Seq `json:"after"`
	version int64
}

// New checks the configuration and reads what the desk knows. It follows the journal from Start on.
func New(ctx context.Context, o Options) (*Desk, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Poll <= 0 {
		o.Poll = 200 * time.Millisecond
	}
	c, err := o.Config.read(o.Base)
	if err != nil {
		return nil, err
	}
	d := &Desk{o: o, c: c, metrics: newMetrics(), wake: make(chan struct{}, 1)}
	return d, d.load(ctx)
}

// Start begins to follow the journal and to send.
func (d *Desk) Start() {
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	d.following.Store(true)
	d.work.Go(func() { d.follow(ctx) })
	d.work.Go(func() { d.deliver(ctx) })
	if len(d.c.Alarms) > 0 {
		d.work.Go(func() { d.tellAlarms(ctx) })
	}
}

// Close ends both. What was let go and not yet sent is sent after the next start.
func (d *Desk) Close() {
	if d.stop != nil {
		d.stop()
	}
	d.work.Wait()
}

// load reads everything from the documents and the register's records.
func (d *Desk) load(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reload(ctx)
}

// reload is load for who holds the lock.
func (d *Desk) reload(ctx context.Context) (err error) {
	d.stale = true
	defer func() { d.stale = err != nil }()
	d.dirtyAlert, d.dirtyNote, d.dirtySeen, d.dirtyText = map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	d.index, d.seen = register.NewIndex(), map[string]string{}
	d.alerts, d.notes = map[string]*alert{}, map[string]*notification{}
	d.byObject, d.byRec, d.byGroup, d.owners = map[string][]string{}, map[record.Seq][]string{}, map[group][]string{}, map[record.Seq]string{}
	d.counts, d.entered = map[count]int{}, map[string]record.Seq{}
	if d.sending == nil {
		d.sending = map[string]bool{}
	}
	d.look = nil
	if err := d.loadCursor(ctx); err != nil {
		return err
	}
	if err := each(ctx, d.o.Docs, docAlert, func(doc *store.Doc) error {
		a := &alert{version: doc.Version}
		if err := json.Unmarshal(doc.Value, a); err != nil {
			return damaged(doc, err)
		}
		d.keepAlert(a)
		d.counts[d.countOf(a)]++
		return nil
	}); err != nil {
		return err
	}
	if err := each(ctx, d.o.Docs, docNote, func(doc *store.Doc) error {
		n := &notification{version: doc.Version}
		if err := json.Unmarshal(doc.Value, n); err != nil {
			return damaged(doc, err)
		}
		d.keepNote(n)
		return nil
	}); err != nil {
		return err
	}
	if err := each(ctx, d.o.Docs, docSeen, func(doc *store.Doc) error {
		d.seen[doc.Key] = string(doc.Value)
		return nil
	}); err != nil {
		return err
	}
	if err := d.loadRegister(ctx); err != nil {
		return err
	}
	return d.loadLook(ctx)
}

func damaged(doc *store.Doc, err error) error {
	return fault.New(fault.Internal, "notify.damaged", "the %s %q is damaged", doc.Kind, doc.Key).Because(err)
}

func (d *Desk) loadCursor(ctx context.Context) error {
	doc, err := d.o.Docs.Doc(ctx, docCursor, "")
	switch {
	case fault.Of(err) == fault.NotFound:
		// A node that has no desk yet looks back no further than for a new constituent.
		d.cursor = cursor{After: record.Seq(max(d.o.Now().Add(-d.c.lookBack).UnixMicro(), 0))}
		return nil
	case err != nil:
		return err
	}
	d.cursor = cursor{version: doc.Version}
	if err := json.Unmarshal(doc.Value, &d.cursor); err != nil {
		return damaged(&doc, err)
	}
	return nil
}

// each calls f with every document of a kind.
func each(ctx context.Context, docs Docs, kind string, f func(*store.Doc) error) error {
	const limit = 500
	for after := ""; ; {
		list, err := docs.Docs(ctx, kind, after, limit)
		if err != nil {
			return err
		}
		for i := range list {
			if err := f(&list[i]); err != nil {
				return err
			}
			after = list[i].Key
		}
		if len(list) < limit {
			return nil
		}
	}
}

// loadRegister reads the constituents as they are now.
func (d *Desk) loadRegister(ctx context.Context) error {
	for q := (store.Query{Types: []string{register.Type}}); ; {
		page, err := d.o.Journal.Page(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Items {
			if it := &page.Items[i]; !it.Held {
				if c := d.constituent(&it.Record); c != nil {
					d.index.Put(c)
					d.owners[it.Rec], d.entered[c.ID] = c.ID, d.cursor.After
				}
			}
		}
		if !page.More {
			return nil
		}
		q.After = page.Next
	}
}

// constituent reads a record of the register; nil when it is none. Only the node's own organisation keeps the register.
func (d *Desk) constituent(r *record.Record) *register.Constituent {
	if r.Type != register.Type || r.Origin.Nation != d.o.Nation || r.Origin.Org != d.o.Org {
		return nil
	}
	c, err := register.Parse(r.Body)
	if err != nil {
		d.o.Log.Warn("a constituent cannot be read", "id", r.ID, "error", err)
		return nil
	}
	return c
}

// keepAlert takes an alert into memory.
func (d *Desk) keepAlert(a *alert) {
	d.dropAlert(a.ID)
	d.alerts[a.ID] = a
	d.byObject[a.Object] = append(d.byObject[a.Object], a.ID)
	for _, rec := range a.Recs {
		d.byRec[rec] = append(d.byRec[rec], a.ID)
	}
}

func (d *Desk) dropAlert(id string) {
	a := d.alerts[id]
	if a == nil {
		return
	}
	delete(d.alerts, id)
	without(d.byObject, a.Object, id)
	for _, rec := range a.Recs {
		without(d.byRec, rec, id)
	}
}

// without takes an id out of a list of a map.
func without[K comparable](m map[K][]string, key K, id string) {
	list := slices.DeleteFunc(m[key], func(s string) bool { return s == id })
	if m[key] = list; len(list) == 0 {
		delete(m, key)
	}
}

// keepNote takes a notification into memory.
func (d *Desk) keepNote(n *notification) {
	d.dropNote(n.ID)
	d.notes[n.ID] = n
	n.at = n.group()
	d.byGroup[n.at] = append(d.byGroup[n.at], n.ID)
}

func (d *Desk) dropNote(id string) {
	if n := d.notes[id]; n != nil {
		delete(d.notes, id)
		without(d.byGroup, n.at, id)
	}
}

func (d *Desk) countOf(a *alert) count { return count{a.Constituent, a.Mark.key(), hour(a.At)} }

func hour(t time.Time) int64 { return t.Unix() / 3600 }

func (m *mark) key() string {
	b, err := json.Marshal(m)
	if err != nil { // a label that cannot be written is like no other
		return label.Red.String()
	}
	return string(b)
}

// ready tells whether memory is what is written, and makes it so when it is not.
func (d *Desk) ready(ctx context.Context) error {
	if !d.stale {
		return nil
	}
	return d.reload(ctx)
}

// commit writes what has changed in memory, and further documents, in one transaction. When that fails memory is read anew, and the change is
// as if it had not been tried. A purge in between, which takes documents away, is such a failure.
func (d *Desk) commit(ctx context.Context, act store.Act, more ...store.Doc) error {
	docs, err := d.changed()
	if err == nil {
		err = d.o.Docs.PutDocs(ctx, act, append(docs, more...)...)
	}
	if err != nil {
		if e := d.reload(context.WithoutCancel(ctx)); e != nil {
			d.o.Log.Error("the alerts cannot be read", "error", e)
		}
		return err
	}
	for id := range d.dirtyAlert {
		if a := d.alerts[id]; a != nil {
			a.version++
		}
	}
	for id := range d.dirtyNote {
		if n := d.notes[id]; n != nil {
			n.version++
		}
	}
	clear(d.dirtyAlert)
	clear(d.dirtyNote)
	clear(d.dirtySeen)
	return nil
}

// changed is the documents of what has changed in memory.
func (d *Desk) changed() (docs []store.Doc, err error) {
	put := func(kind, key string, version int64, v any) {
		doc := store.Doc{Kind: kind, Key: key, Version: version}
		if v != nil {
			b, e := json.Marshal(v)
			if e != nil {
				err = fault.New(fault.Internal, "notify.write", "a %s cannot be written", kind).Because(e)
			}
			doc.Value = b
		}
		docs = append(docs, doc)
	}
	for id := range d.dirtyText {
		if n := d.notes[id]; n != nil && n.open() {
			d.refresh(n)
		}
	}
	clear(d.dirtyText)
	for id := range d.dirtyAlert {
		if a := d.alerts[id]; a != nil {
			put(docAlert, id, a.version, a)
		} else {
			put(docAlert, id, -1, nil)
		}
	}
	for id := range d.dirtyNote {
		if n := d.notes[id]; n != nil {
			put(docNote, id, n.version, n)
		} else {
			put(docNote, id, -1, nil)
		}
	}
	for id := range d.dirtySeen {
		doc := store.Doc{Kind: docSeen, Key: id, Version: -1}
		if print := d.seen[id]; print != "" {
			doc.Value = []byte(print)
		}
		docs = append(docs, doc)
	}
	return docs, err
}
