// Package feed lets intelligence flow in by itself: it polls what the operator has configured (TAXII collections, STIX bundles, MISP feeds, lists, CSV,
// catalogues), turns it into STIX, and hands it to the exchange under the feed's label; and it pushes what another party may have to that party's
// server. What a feed has taken and what it knows of its source become durable together.
package feed

import (
	"context"
	"io"
	"log/slog"
	"time"

	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/store"
)

// Source is one kind of feed. The node lists the kinds that it has.
type Source interface {
	// Kind is the word for it in the configuration.
	Kind() string
	// Check says what a feed of this kind lacks. The fields that all kinds share are checked already.
	Check(c *Config) error
	// Pull brings what is new, by the methods of the run.
	Pull(ctx context.Context, r *Run) error
}

// Docs is where the state of feeds is read from. It is written by the exchange, together with the objects it speaks of.
type Docs interface {
	PutDocs(ctx context.Context, act store.Act, docs ...store.Doc) error
	Doc(ctx context.Context, kind, key string) (store.Doc, error)
	Docs(ctx context.Context, kind, after string, limit int) ([]store.Doc, error)
}

// Lists tells which values are known to be harmless or shared.
type Lists interface {
	// Known gives the first warning list that a value stands on; empty: none.
	Known(value string) string
}

// Events are the published events of MISP, as a viewer may have them. Whatever is written is noted as released.
type Events interface {
	// Published is their uuids and timestamps. collection is an id; empty: the whole store.
	Published(ctx context.Context, v gate.Viewer, collection string) (map[string]int64, error)
	// WriteEvent writes one, with its Event wrapper; as it is pushed: locked, and with its elements that are deleted.
	WriteEvent(ctx context.Context, v gate.Viewer, collection, uuid string, push bool, w io.Writer) error
}

// Options is what feeds need to know of their node.
type Options struct {
	Nation, Org, Realm string // of the node: what comes by a feed is its own organisation's
	Feeds              []Config
	Sources            []Source
	Exchange           *exchange.Exchange
	Docs               Docs
	Events             Events // nil: nothing is pushed to MISP
	Lists              Lists  // nil: no value stands on a warning list
	Base               string // relative file names in the configuration start here
	Spool              string // directory for downloads in transit
	UserAgent          string
	Now                func() time.Time
	Log                *slog.Logger
}

const (
	docState = "feed"       // key: name
	docRuns  = "feed.runs"  // key: name
	docItems = "feed.items" // key: name/shard
	docAsked = "feed.asked" // key: name; who last asked for a run

	// maxFeeds bounds the feeds of one node, maxRunning how many run at once, most of them waiting for their servers, and maxWorking how many
	// of those work on what they have fetched.
	maxFeeds   = 1000
	maxRunning = 64
	maxWorking = 2
	// maxRun is when a run is ended whatever it does. What it has taken by then stays, and the next run goes on there.
	maxRun = 2 * time.Hour
)
