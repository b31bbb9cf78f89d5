// Package mispapi serves the exchange as a MISP 2.5 instance: another MISP pulls from it and pushes to it, and scripts written for PyMISP work.
// Events are converted to STIX before they reach the exchange, and made of STIX when they leave; the gate judges every object in between.
package mispapi

import (
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/lists"
	"entente/internal/surface"
	"entente/label"
	"entente/misp"
)

// Version is the MISP whose behaviour is spoken. Other instances derive from it what they may ask for.
const Version = "2.5.1"

// Prefix is where the surface stands: the base URL of the instance, without the slash, is what peers are given.
const Prefix = "/misp/"

// Settings is the part of the node's configuration that is about this surface.
type Settings struct {
	Collection string            `toml:"collection"` // id or alias: where what is handed in is placed; empty: the whole store only
	Label      string            `toml:"label"`      // the default of events without a TLP tag; empty: the collection's, else RED for who handed them in
	Orgs       map[string]string `toml:"orgs"`       // "NATION/organisation" to the uuid it has in MISP
	Rules      Rules             `toml:"rules"`

	fallback *label.Label
	uuids    map[string]string // by party
}

// Config is what the surface needs of the node.
type Config struct {
	Settings
	Nation, Org string // of the node
	Register    func() identity.Register
	Lists       *lists.Lists // the published warning lists; nil: none
	MaxBytes    int64        // of a body, decoded
	SpoolDir    string       // a directory for large bodies in transit; empty: that of the system
	Now         func() time.Time
	Log         *slog.Logger
}

// Surface answers requests. Its methods are safe for concurrent use.
type Surface struct {
	cfg     Config
	x       *exchange.Exchange
	numbers numbers
	heads   cache[*summary]
	seen    cache[string] // the event that a sighting is of
	routes  map[string]route
	large   chan struct{} // who works on a large body
}

// New serves the exchange below Prefix.
func New(cfg Config, x *exchange.Exchange) *Surface {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxBytes == 0 {
		cfg.MaxBytes = 100 << 20
	}
	if cfg.SpoolDir == "" {
		cfg.SpoolDir = os.TempDir()
	}
	s := &Surface{cfg: cfg, x: x, large: make(chan struct{}, 1)}
	s.numbers.init()
	s.routes = s.table()
	return s
}

// Credential reads the key of MISP, which stands in its header without a scheme, as a bearer token. It comes before the hall.
func Credential(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := strings.TrimSpace(r.Header.Get("X-Misp-Auth"))
		if key == "" {
			key = strings.TrimSpace(r.Header.Get("Authorization"))
		}
		if key != "" && !strings.Contains(key, " ") {
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", "Bearer "+key)
		}
		next.ServeHTTP(w, r)
	})
}

// ServeHTTP answers one request of a known viewer.
func (s *Surface) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{s: s, w: w, r: r, v: surface.Viewer(r.Context())}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	defer func() {
		c.spooled.close()
		if c.seated {
			<-s.large
		}
	}()
	if err := s.serve(c); err != nil {
		c.refuse(err)
	}
}

func (s *Surface) serve(c *call) error {
	if err := c.readPath(); err != nil {
		return err
	}
	rt, ok := s.routes[c.action]
	if !ok {
		return noSuch("there is no " + Prefix + c.action + " here")
	}
	method := c.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if !strings.Contains(rt.methods, method) {
		return fault.New(fault.Unsupported, "method", "%s is not spoken at %s", c.r.Method, c.action).Try("use " + rt.methods)
	}
	if !s.x.Gate().Can(c.v, rt.right) {
		return fault.RoleMissing(rt.right)
	}
	if method != http.MethodGet {
		if err := c.readBody(); err != nil {
			return err
		}
	}
	return rt.serve(c)
}

// route is one action of the interface: "controller/action", whatever its parameters.
type route struct {
	methods string
	right   gate.Action
	serve   func(*call) error
}

func (s *Surface) table() map[string]route {
	t := map[string]route{}
	for _, part := range []map[string]route{s.instanceRoutes(), s.eventRoutes(), s.analystRoutes(), s.galaxyRoutes(), s.sightingRoutes(), s.proposalRoutes(), s.editRoutes(), s.searchRoutes(), s.vocabularyRoutes()} {
		for k, v := range part {
			t[k] = v
		}
	}
	return t
}

// Actions lists what is spoken, for the documentation to be held to it.
func Actions() []string {
	s := &Surface{}
	var list []string
	for k := range s.table() {
		list = append(list, k)
	}
	return list
}

// Validate says what cannot be, and reads what can.
func (c *Settings) Validate() error {
	bad := func(at, format string, args ...any) error {
		return fault.New(fault.Invalid, "config.value", format, args...).At("misp." + at)
	}
	if c.Label != "" {
		l, stated, err := label.ParseWords(c.Label)
		if err != nil {
			return bad("label", "%q is no label: %v", c.Label, err)
		}
		if !stated {
			return bad("label", "the label must say its TLP")
		}
		c.fallback = &l
	}
	c.uuids = map[string]string{}
	for party, id := range c.Orgs {
		if _, ok := gate.ParseParty(party); !ok {
			return bad("orgs", "%q is not NATION/organisation", party)
		}
		u := misp.UUID(id)
		if u == "" {
			return bad("orgs", "%q is no uuid that STIX allows", id)
		}
		c.uuids[party] = u
	}
	return c.Rules.validate()
}

// Render writes a refusal of the hall as MISP does.
func Render(w http.ResponseWriter, r *http.Request, e *fault.Error, id string) {
	(&call{w: w, r: r}).refuse(e)
}

// asFault makes a fault of what the language says.
func asFault(err error) *fault.Error {
	if me, ok := errors.AsType[*misp.Error](err); ok {
		kind := fault.Invalid
		if me.Code == misp.CodeSize {
			kind = fault.TooLarge
		}
		return fault.New(kind, me.Code, "%s", me.Message).At(me.Pointer).By(me.Rule)
	}
	return fault.As(err)
}

func noSuch(message string) *fault.Error { return fault.New(fault.NotFound, "", "%s", message) }
