// Package api is the node's native interface: JSON over HTTP below /api/v1/, and its Go client, which the command line uses.
// Routes is the table of everything that can be asked.
package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"entente/internal/accords"
	"entente/internal/asset"
	"entente/internal/blob"
	"entente/internal/block"
	"entente/internal/decisions"
	"entente/internal/detect"
	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/feed"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/index"
	"entente/internal/keyring"
	"entente/internal/lists"
	"entente/internal/notify"
	"entente/internal/peers"
	"entente/internal/store"
	"entente/internal/surface"
)

// Prefix is where the interface stands.
const Prefix = "/api/v1"

// Ops is what the interface needs of the node besides the exchange and the identities.
type Ops interface {
	// Stats is what the store knows about itself.
	Stats(ctx context.Context) (store.Stats, error)
	// Settings is the configuration in force, without secrets, ready for JSON.
	Settings() any
	// Build is which build runs, ready for JSON.
	Build() any
	// Backup writes everything that a restore needs, consistent, while the node goes on.
	Backup(ctx context.Context, w io.Writer) error
	// Docs keeps what must outlive a request.
	Docs() Docs
	// SpoolDir is a directory for large files in transit. They are removed from it as soon as they are open.
	SpoolDir() string
	// Feeds are the node's feeds.
	Feeds() *feed.Feeds
	// Events are the events of MISP, as a viewer may have them.
	Events() Events
	// Lists are the published lists that the node has loaded.
	Lists() *lists.Lists
	// Index finds objects and what they are connected with.
	Index() *index.Index
	// Stopping is closed when the node begins to stop: whatever goes on without end ends then.
	Stopping() <-chan struct{}
	// Register is the register of constituents.
	Register() *asset.Register
	// Desk is the node's alerts and notifications.
	Desk() *notify.Desk
	// Peers are the nations that the node knows.
	Peers() *peers.Room
	// Accords are the accords of the node.
	Accords() *accords.Accords
	// Decisions are the joint decisions of the node.
	Decisions() *decisions.Room
	// Federation joins the node to those of its partners.
	Federation() *federation.Federation
	// Detection is the node's sensors, and what they met.
	Detection() *detect.Room
	// Block is what enforcement points are given.
	Block() *block.Room
	// Logger is the node's log.
	Logger() *slog.Logger
}

// Bounds of one import, decompressed: of the node's own organisation, and of others.
const (
	importBytes       = 16 << 30
	importBytesOthers = 1 << 30
)

// API serves the interface. Who asks is surface.Viewer of the request's context.
type API struct {
	x     *exchange.Exchange
	ids   *identity.Directory
	ring  *keyring.Ring
	blobs *blob.Store
	ops   Ops
	log   *slog.Logger
	us    keyring.Names // whose node it is
	doc   []byte        // the OpenAPI document

	streams, reviews seats
}

// New makes the handler.
func New(x *exchange.Exchange, ids *identity.Directory, ring *keyring.Ring, blobs *blob.Store, ops Ops) http.Handler {
	a := &API{x: x, ids: ids, ring: ring, blobs: blobs, ops: ops, log: ops.Logger(), us: ring.Names(), doc: Document(),
		streams: seats{code: "stream", what: "streams", each: streamsEach, all: streamsAll, full: 15 * time.Second},
		reviews: seats{code: "review", what: "reviews", each: reviewsEach, all: reviewsAll, full: 5 * time.Second}}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	paths := map[string][]string{}
	for _, r := range routes {
		mux.Handle(r.Method+" "+Prefix+r.Path, a.serve(r))
		paths[r.Path] = append(paths[r.Path], r.Method)
	}
	for path, methods := range paths {
		allow := strings.Join(methods, ", ")
		refuse := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			e := fault.New(fault.Invalid, "method", "%s is not understood here", clip(r.Method)).Try("use one of " + allow)
			write(w, r, nil, http.StatusMethodNotAllowed, e, surface.RequestID(r.Context()))
		}
		if !shadowed(path, paths) {
			mux.HandleFunc(Prefix+path, refuse)
			continue
		}
		for _, m := range []string{get, post, put, patch, remove} { // a ServeMux must be told by the method which of the two paths is meant
			if !slices.Contains(methods, m) {
				mux.HandleFunc(m+" "+Prefix+path, refuse)
			}
		}
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		Render(nil)(w, r, fault.New(fault.NotFound, "", "no such resource"), surface.RequestID(r.Context()))
	})
	return mux
}

// shadowed tells whether another path has a wildcard where this one has a word.
func shadowed(path string, paths map[string][]string) bool {
	dir, last := path[:strings.LastIndex(path, "/")+1], path[strings.LastIndex(path, "/")+1:]
	for other := range paths {
		if rest, ok := strings.CutPrefix(other, dir+"{"); ok && !strings.Contains(rest, "/") && !strings.HasPrefix(last, "{") {
			return true
		}
	}
	return false
}

// Route is one thing that can be asked. Path is below Prefix and has http.ServeMux wildcards.
type Route struct {
	Method string
	Path   string
	Doc    string      // what it does, one sentence
	Needs  gate.Action // what the viewer must be allowed to; 0: the handler decides
	Query  []Param     // others are refused
	Shape
	handle func(*API, *call) error
}

// Routes is every route, for documents and tests.
func Routes() []Route { return append([]Route(nil), routes...) }

// call is one request under way.
type call struct {
	w http.ResponseWriter
	r *http.Request
	v gate.Viewer
	q query

	api  *API
	once *once  // under an idempotency key; nil: without
	read []byte // the body, where it had to be read before its handler
}

func (c *call) ctx() context.Context { return c.r.Context() }

func (c *call) path(name string) string { return c.r.PathValue(name) }

func (a *API) serve(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{w: w, r: r, v: surface.Viewer(r.Context()), api: a}
		err := a.admit(c, route)
		switch {
		case err != nil:
		case route.Once:
			err = a.serveOnce(c, route)
		default:
			err = route.handle(a, c)
		}
		if err == nil {
			return
		}
		if errors.Is(err, errStarted) {
			a.log.Warn("an answer was cut off", "id", surface.RequestID(r.Context()), "path", r.URL.Path, "cause", err)
			panic(http.ErrAbortHandler) // the client must not take half an answer for a whole one
		}
		e := fault.As(err)
		if surface.Status(e.Kind) >= 500 {
			a.log.Error("a request failed", "id", surface.RequestID(r.Context()), "path", r.URL.Path, "cause", err)
		}
		Render(nil)(w, r, e, surface.RequestID(r.Context()))
	})
}

// admit checks what holds for every route.
func (a *API) admit(c *call, route Route) error {
	if err := enrolled(c, route); err != nil {
		return err
	}
	if route.Needs != 0 {
		if err := a.may(c.v, route.Needs); err != nil {
			return err
		}
	}
	q, err := readQuery(c.r.URL.RawQuery, route.names())
	c.q = q
	return err
}

// may refuses what the viewer's roles do not allow.
func (a *API) may(v gate.Viewer, action gate.Action) error {
	if a.x.Gate().Can(v, action) {
		return nil
	}
	return fault.New(fault.Forbidden, "role.missing", "your roles do not allow this").Try("ask the node's administrators for a role that does")
}

// isOwn tells whether the viewer is of the node's own organisation.
func (a *API) isOwn(v gate.Viewer) bool { return v.Nation == a.us.Nation && v.Org == a.us.Org }

func actor(v gate.Viewer) string { return v.Org + "/" + v.Person }

func clip(s string) string {
	if len(s) > 64 {
		return s[:64]
	}
	return s
}
