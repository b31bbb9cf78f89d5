// Package exchange is the waist of the house: the one door in (Accept) and the one door out (Read, Follow). A record is parsed,
// marked, admitted and appended here, whatever surface it came through; and whatever leaves is judged here, and written down.
package exchange

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
)

// Config is what the exchange needs to know of its node.
type Config struct {
	Nation string            // the node's own nation
	Org    string            // the node's own organisation
	Realm  string            // "operational" or "exercise:NAME"
	Gate   func() *gate.Gate // the gate in force: it changes with the register of organisations
	Now    func() time.Time
	Log    *slog.Logger

	// Recall is called before an object is purged, so that those who were given it are told to destroy it too, and Forget when it is gone. They may be nil.
	Recall func(ctx context.Context, id string) error
	Forget func(ctx context.Context, id string) error
	// Purged is called after something was destroyed, by whomever, for rooms that keep files of their own. It may be nil.
	Purged func()

	Root        string        // path of the root that is always there; empty: "api"
	Signed      []string      // types whose objects the own organisation hands in with a signed envelope only
	ObjectBytes int           // largest accepted object; 0: 1 MiB
	PostObjects int           // a post of more objects than this is answered at once and worked off after; 0: 2,000
	Skew        time.Duration // how far ahead of our clock an object's times may be; 0: 5 min
	StatusKept  time.Duration // how long a finished post's status is kept; 0: 24 h (TAXII 2.1 section 4.3 asks for at least that)
}

func (c *Config) defaults() {
	if c.Root == "" {
		c.Root = defaultRoot
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.ObjectBytes == 0 {
		c.ObjectBytes = 1 << 20
	}
	if c.PostObjects == 0 {
		c.PostObjects = 2000
	}
	if c.Skew == 0 {
		c.Skew = 5 * time.Minute
	}
	if c.StatusKept == 0 {
		c.StatusKept = 24 * time.Hour
	}
}

// Exchange accepts and serves records. Its methods are safe for concurrent use.
type Exchange struct {
	cfg   Config
	store store.Store

	shelf    shelf    // roots and collections
	markings markings // labels of marking definitions
	turns    turns
	metrics  Metrics
	waiting  atomic.Int64 // objects in the queue of large posts

	posts   chan struct{} // wakes the worker of large posts
	stop    context.CancelFunc
	workers sync.WaitGroup
}

// New opens the exchange over a store and starts its two workers: one for large posts, one for embargoes and retention.
func New(ctx context.Context, cfg Config, st store.Store) (*Exchange, error) {
	cfg.defaults()
	x := &Exchange{cfg: cfg, store: st, metrics: newMetrics(), posts: make(chan struct{}, 1)}
	x.markings.init()
	if err := x.loadShelf(ctx); err != nil {
		return nil, err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	x.stop = stop
	x.workers.Add(2)
	go x.workPosts(run)
	go x.keepTime(run)
	return x, nil
}

// Close ends the workers. Posts that are under way go on at the next start.
func (x *Exchange) Close() {
	x.stop()
	x.workers.Wait()
}

// Gate is the gate in force.
func (x *Exchange) Gate() *gate.Gate { return x.cfg.Gate() }

func (x *Exchange) scope(v gate.Viewer) gate.Scope { return x.Gate().Scope(v, x.cfg.Now()) }

// Scope is what a viewer may have at this moment, for workers that judge by it themselves.
func (x *Exchange) Scope(v gate.Viewer) gate.Scope { return x.scope(v) }

func (x *Exchange) own() gate.Scope { return x.Gate().Own(x.cfg.Now()) }

// Follow hands a follower the journal in order, from after on: what the scope does not admit comes without its record.
func (x *Exchange) Follow(ctx context.Context, scope gate.Scope, after record.Seq, limit int) ([]store.Entry, error) {
	return x.store.Follow(ctx, scope, after, limit)
}

// may refuses a viewer that the capability table does not allow the action.
func (x *Exchange) may(v gate.Viewer, a gate.Action) error {
	if x.Gate().Can(v, a) {
		return nil
	}
	return fault.RoleMissing(a)
}

func actor(v gate.Viewer) string { return v.Org + "/" + v.Person }
