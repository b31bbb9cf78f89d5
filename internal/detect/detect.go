// Package detect is the node's side of detection: it enrols sensors, keeps for every organisation that has some the table of what they look for, gives it to them, takes what they
// report, and makes sightings of it.
//
// What is looked for is kept in a file that can be made anew from the store. What sensors reported is kept in another, which is durable before a report is acknowledged.
package detect

import (
	"context"
	"crypto/x509"
	"log/slog"
	"sync"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/indicator"
	"entente/internal/lite"
	"entente/internal/record"
	"entente/internal/store"
)

// room is what it is called in its faults.
const room = lite.Room("detection")

// World is what detection knows of its node.
type World interface {
	// Lines reads the journal in order, without the bytes of records.
	Lines(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error)
	// Newest is the journal's end, and a channel that is closed when there is more.
	Newest() (record.Seq, <-chan struct{})
	// All reads the headers of the newest versions of all objects of some types.
	All(ctx context.Context, types []string, after record.Seq, limit int) (store.Page, error)
	// For gives of objects those that an organisation may have for the defence of networks, each in the newest version that it may have. None of them is in quarantine.
	For(ctx context.Context, p gate.Party, ids []string) ([]store.Item, error)
	// Visible gives the headers of those objects that a viewer may have.
	Visible(ctx context.Context, v gate.Viewer, ids []string) ([]store.Item, error)
	// Read is the newest version of an object that a viewer may have.
	Read(ctx context.Context, v gate.Viewer, id string) (store.Item, error)
	// Held tells which of some objects the store has in any version, whoever may have it.
	Held(ctx context.Context, ids []string) (map[string]bool, error)
	// Hand writes down that an organisation is given records. When one of them may not go, none may: Withheld.
	Hand(ctx context.Context, p gate.Party, items []store.Item) error
	// Era differs whenever something else than a record decides anew what is looked for: the register of organisations, accords, lists, the own register.
	Era() string
	// Harmless says why a value must not be looked for although an indicator has it; empty: nothing speaks against it.
	Harmless(ctx context.Context, p gate.Party, v indicator.Value) (code, why string, err error)
	// Accord is the accord under which a record came, and whether it lets it be used now. What came under none has no name.
	Accord(rec *record.Record) (name string, stands bool)
	// Accept is the door in.
	Accept(ctx context.Context, v gate.Viewer, s exchange.Submission) ([]exchange.Outcome, error)
}

// Docs keep what people did.
type Docs interface {
	PutDocs(ctx context.Context, act store.Act, docs ...store.Doc) error
	Doc(ctx context.Context, kind, key string) (store.Doc, error)
	Docs(ctx context.Context, kind, after string, limit int) ([]store.Doc, error)
}

// Authority vouches for sensors.
type Authority interface {
	// Trust is the certificate by which a sensor knows the node when it comes first. Its error says why no sensor can come.
	Trust() (*x509.Certificate, error)
	// Roots is what a sensor must trust besides what its machine does, in PEM; empty: nothing.
	Roots() []byte
	// Sign makes a certificate for the key of a signing request.
	Sign(name string, p gate.Party, csr []byte) (leaf *x509.Certificate, pem []byte, err error)
	// Admit lets a certificate sign in as a sensor, and Dismiss ends it for good.
	Admit(ctx context.Context, actor string, leaf *x509.Certificate, name string, p gate.Party) (id string, err error)
	Dismiss(ctx context.Context, actor, id string) error
}

// Options are what a room is opened with.
type Options struct {
	Dir         string // is made where it is not there
	Nation, Org string // the node's own organisation
	Realm       string
	Config      Config
	World       World
	Docs        Docs
	Authority   Authority
	Named       func(org string) (gate.Party, bool) // an organisation of the register
	Silent      func(ctx context.Context, stand []Silence) error
	Now         func() time.Time
	Log         *slog.Logger
}

// Silence is a sensor that says nothing.
type Silence struct {
	Sensor string // its id
	Name   string
	Since  time.Time
	Text   string
}

// AlarmSilent is the kind of alarm that such a sensor is.
const AlarmSilent = "sensor"

// Room is the node's side of detection. Its methods are safe for concurrent use.
type Room struct {
	o       Options
	sensors registry
	looked  *looked
	told    *told
	mutes   mutes
	metrics *metrics

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when a sensor's State may be another

	snapshots sync.Mutex      // one is made at a time
	made      map[string]made // of the snapshots that are there, by epoch; under snapshots
	stop      context.CancelFunc
	work      sync.WaitGroup
	start     sync.Once
	opened    time.Time
}

// Open opens the room. Nothing is followed before Start.
func Open(ctx context.Context, o Options) (r *Room, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Config = o.Config.filled()
	r = &Room{o: o, opened: o.Now(), changed: make(chan struct{}), stop: func() {}}
	r.metrics = newMetrics(r)
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	if r.looked, err = openLooked(o.Dir); err != nil {
		return nil, room.Wrap("opening what sensors look for", err)
	}
	if r.told, err = openTold(o.Dir); err != nil {
		return nil, room.Wrap("opening what sensors reported", err)
	}
	if err := r.findSnapshots(); err != nil {
		return nil, room.Wrap("opening snapshots", err)
	}
	if err := r.tellGaps(); err != nil {
		return nil, err
	}
	if err := r.loadSensors(ctx); err != nil {
		return nil, err
	}
	if err := r.loadMutes(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// Start lets the room work.
func (r *Room) Start() {
	r.start.Do(func() {
		ctx, stop := context.WithCancel(context.Background())
		r.stop = stop
		r.work.Go(func() { r.follow(ctx) })
		r.work.Go(func() { r.publish(ctx) })
		r.work.Go(func() { r.watch(ctx) })
	})
}

// Close ends the work.
func (r *Room) Close() {
	r.start.Do(func() {})
	r.stop()
	r.work.Wait()
	var files []*file // what was opened, when Open failed
	if r.looked != nil {
		files = append(files, &r.looked.file)
	}
	if r.told != nil {
		files = append(files, &r.told.file)
	}
	for _, x := range files {
		if err := x.close(); err != nil {
			r.o.Log.Warn("detection was not closed as it should be", "error", err)
		}
	}
}

// stir tells those who wait for a State that it may be another.
func (r *Room) stir() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *Room) stirred() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// self is the node's own organisation.
func (r *Room) self() gate.Party { return gate.Party{Nation: r.o.Nation, Org: r.o.Org} }

// pause waits, and tells whether the work goes on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func unknown(what string) *fault.Error {
	return fault.New(fault.NotFound, what+".unknown", "there is no such %s", what)
}
