package node

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/pelletier/go-toml/v2"

	"entente/internal/blob"
	"entente/internal/block"
	"entente/internal/detect"
	"entente/internal/fault"
	"entente/internal/feed"
	"entente/internal/gate"
	"entente/internal/lists"
	"entente/internal/notify"
	"entente/internal/sso"
	"entente/internal/surface/mispapi"
)

// ConfigFile is the node's one configuration file, in its data directory.
const ConfigFile = "entente.toml"

// Config is everything a node is started with. The file's keys are the toml names; an unknown key is an error.
type Config struct {
	Data string           `toml:"-"` // data directory
	Log  *slog.Logger     `toml:"-"`
	Now  func() time.Time `toml:"-"`
	// Dial carries connections to partners' nodes; nil: the network does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error) `toml:"-"`

	Listen  string       `toml:"listen"` // host:port
	Realm   string       `toml:"realm"`  // "operational" or "exercise:NAME"; must be the one the node was made for
	TLS     TLS          `toml:"tls"`
	Limits  Limits       `toml:"limits"`
	Auth    Auth         `toml:"auth"`
	TAXII   TAXII        `toml:"taxii"`
	Gate    Gate         `toml:"gate"`
	Metrics Metrics      `toml:"metrics"`
	Index   Index        `toml:"index"`
	Lists   lists.Config `toml:"lists"`

	Federation Federation `toml:"federation"`
	Exercise   Exercise   `toml:"exercise"`
	Relay      Relay      `toml:"relay"`

	MISP     mispapi.Settings `toml:"misp"`
	MISPFeed MISPFeed         `toml:"misp_feed"`
	Feeds    []feed.Config    `toml:"feed"`
	Notify   notify.Config    `toml:"notify"`
	Detect   detect.Config    `toml:"detect"`
	Block    block.Config     `toml:"block"`
}

// TLS says how the listener is protected.
type TLS struct {
	Mode      string   `toml:"mode"` // "auto": the node's own CA; "files"; "off": only on a loopback address
	Cert      string   `toml:"cert"` // PEM files for mode "files"; read again when they change
	Key       string   `toml:"key"`
	Hosts     []string `toml:"hosts"`      // further names of the node's own certificate
	ClientCAs []string `toml:"client_cas"` // further authorities that vouch for client certificates
}

// Limits bound what anyone may take.
type Limits struct {
	ObjectBytes int           `toml:"object_bytes"` // one object
	PostBytes   int64         `toml:"post_bytes"`   // one post, decoded
	PostObjects int           `toml:"post_objects"` // a larger post is stored after it is acknowledged
	StoreBytes  int64         `toml:"store_bytes"`  // the store's file; 0: what the disk has
	BlobBytes   int64         `toml:"blob_bytes"`   // one attachment or sample
	BlobsBytes  int64         `toml:"blobs_bytes"`  // all of them
	CacheBytes  int64         `toml:"cache_bytes"`  // of memory, for the store
	MemoryBytes int64         `toml:"memory_bytes"` // of memory, for everything else: beyond it memory is freed more eagerly
	InFlight    int           `toml:"in_flight"`    // requests of one viewer at once
	Connections int           `toml:"connections"`  // at once
	Patience    time.Duration `toml:"-"`
}

// Auth says which credentials are taken.
type Auth struct {
	Basic               bool     `toml:"basic"`                 // HTTP Basic
	IdleMinutes         int      `toml:"idle_minutes"`          // after which a session that is not used ends
	SessionHours        int      `toml:"session_hours"`         // after which it ends in any case
	RequireSecondFactor []string `toml:"require_second_factor"` // roles whose people must have one
	RPID                string   `toml:"rp_id"`                 // the name that passkeys are bound to; empty: the first of tls.hosts, or localhost
	Origins             []string `toml:"origins"`               // where browsers open the console, https://host; empty: wherever they ask for it

	OIDC []sso.Config `toml:"oidc"`
}

// TAXII describes the TAXII surface.
type TAXII struct {
	Title   string `toml:"title"`
	Contact string `toml:"contact"`
}

// Gate configures what the words of the traffic light protocol mean here.
type Gate struct {
	Community   string            `toml:"community"`   // the community that TLP:GREEN means; empty: the own organisation and its clients
	Authorities map[string]string `toml:"authorities"` // legal basis to the date it lapses, "2030-09-30"
}

// MISPFeed is about the events that others fetch as a MISP feed.
type MISPFeed struct {
	Anonymous bool `toml:"anonymous"` // anybody may fetch what is TLP:CLEAR, without a credential
}

// Relay says for whom this node carries what it cannot read. Without a nation it carries for nobody.
type Relay struct {
	Carry    []string `toml:"carry"`    // nations whose logs are taken; "*": every partner's
	Bytes    int64    `toml:"bytes"`    // of one nation's logs; 0: 1 GiB
	Logs     int      `toml:"logs"`     // of one nation; 0: 1000
	Days     int      `toml:"days"`     // after which what was carried is destroyed; 0: 30
	Messages int      `toml:"messages"` // that one nation may leave for another; 0: 1000
}

// Federation says how partners' nodes are met.
type Federation struct {
	Listen     string   `toml:"listen"`     // host:port for partners' nodes; empty: they cannot call, this node calls them
	Extensions []string `toml:"extensions"` // of STIX objects that may leave whole: ids of extensions and names of properties; a trailing * stands for any ending
	TAXII      []string `toml:"taxii"`      // parties of accords that run no node and fetch by TAXII: "NATION/organisation"
	Recover    bool     `toml:"recover"`    // what partners give back after a restore is taken without a person's look
}

// Exercise names the files by which accords of operations authorise the exercise of this realm.
type Exercise struct {
	Accords []string `toml:"accords"` // signed by every party, as their nodes of operations export them
	Cards   []string `toml:"cards"`   // of every party's node of operations, by whose key logs the signatures are verified
}

// Metrics says who may read them.
type Metrics struct {
	Listen string `toml:"listen"` // a loopback address of their own, without sign-in; empty: only signed in, at /metrics
}

// Index bounds the index of words, values and references.
type Index struct {
	CacheBytes int64 `toml:"cache_bytes"` // of memory, for its pages, besides what it keeps of every object
}

// DefaultConfig is a node that listens to its own machine only.
func DefaultConfig(data string) Config {
	return Config{
		Data: data, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Listen: "127.0.0.1:8443", Realm: "operational",
		TLS:        TLS{Mode: "auto"},
		Auth:       Auth{Basic: true, IdleMinutes: 30, SessionHours: 12, RequireSecondFactor: []string{gate.RoleAdmin, gate.RoleOfficer}},
		Index:      Index{CacheBytes: 16 << 20},
		Notify:     notify.DefaultConfig(),
		Block:      block.DefaultConfig(),
		Federation: Federation{Extensions: []string{"x_mitre_*"}},
		Limits:     Limits{ObjectBytes: 1 << 20, PostBytes: 100 << 20, PostObjects: 2000, BlobBytes: 256 << 20, BlobsBytes: 64 << 30, CacheBytes: 64 << 20, MemoryBytes: 256 << 20, InFlight: 64, Connections: 4096, Patience: 30 * time.Second},
	}
}

// LoadConfig reads the configuration file of a data directory over the defaults. No file is an empty file.
func LoadConfig(data string) (Config, error) {
	c := DefaultConfig(data)
	path := filepath.Join(data, ConfigFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fault.New(fault.Invalid, "config.read", "cannot read %s", path).Because(err)
	}
	d := toml.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		e := fault.New(fault.Invalid, "config.form", "%s: %v", path, err)
		var unknown *toml.StrictMissingError
		var form *toml.DecodeError
		switch {
		case errors.As(err, &unknown):
			e = fault.New(fault.Invalid, "config.unknown", "%s has a key that is not known:\n%s", path, unknown.String())
		case errors.As(err, &form):
			row, column := form.Position()
			e = fault.New(fault.Invalid, "config.form", "%s, line %d, column %d: %v", path, row, column, form)
		}
		return c, e.Try("see docs/configuration.md")
	}
	return c, c.Validate()
}

// Validate says what cannot be.
func (c *Config) Validate() error {
	bad := func(at, format string, args ...any) *fault.Error {
		return fault.New(fault.Invalid, "config.value", format, args...).At(at)
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return bad("listen", "%q is not host:port", c.Listen)
	}
	switch c.TLS.Mode {
	case "auto":
	case "files":
		if c.TLS.Cert == "" || c.TLS.Key == "" {
			return bad("tls", "mode \"files\" needs a certificate file and a key file")
		}
	case "off":
		if !loopback(host) {
			return bad("tls.mode", "without TLS a node listens on a loopback address only, and %q is none", c.Listen).
				Try("use TLS, or listen on 127.0.0.1 behind a proxy on the same machine")
		}
	default:
		return bad("tls.mode", "%q is not a mode", c.TLS.Mode).Try("use auto, files or off")
	}
	if c.Metrics.Listen != "" {
		host, _, err := net.SplitHostPort(c.Metrics.Listen)
		if err != nil || !loopback(host) {
			return bad("metrics.listen", "%q is not a loopback address with a port", c.Metrics.Listen)
		}
	}
	for _, l := range []struct {
		at      string
		v, low  int64
		maximum int64
	}{
		{"limits.object_bytes", int64(c.Limits.ObjectBytes), 1 << 10, 64 << 20},
		{"limits.post_bytes", c.Limits.PostBytes, 1 << 16, 1 << 30},
		{"limits.post_objects", int64(c.Limits.PostObjects), 1, 10_000},
		{"limits.blob_bytes", c.Limits.BlobBytes, 1, blob.Largest},
		{"limits.blobs_bytes", c.Limits.BlobsBytes, 1, 1 << 50},
		{"limits.cache_bytes", c.Limits.CacheBytes, 1 << 20, 1 << 36},
		{"limits.memory_bytes", c.Limits.MemoryBytes, 64 << 20, 1 << 40},
		{"limits.in_flight", int64(c.Limits.InFlight), 1, 10_000},
		{"index.cache_bytes", c.Index.CacheBytes, 4 << 20, 1 << 34},
		{"limits.connections", int64(c.Limits.Connections), 1, 1_000_000},
	} {
		if l.v < l.low || l.v > l.maximum {
			return bad(l.at, "%d is outside %d to %d", l.v, l.low, l.maximum)
		}
	}
	if err := c.Auth.validate(bad); err != nil {
		return err
	}
	if l := c.Federation.Listen; l != "" {
		if _, port, err := net.SplitHostPort(l); err != nil || port == "" {
			return bad("federation.listen", "%q is not host:port", l)
		}
	}
	if err := c.Federation.validate(bad); err != nil {
		return err
	}
	if err := c.Exercise.validate(c.Realm, bad); err != nil {
		return err
	}
	if err := c.Relay.validate(bad); err != nil {
		return err
	}
	if len(c.Federation.Extensions) > 1000 {
		return bad("federation.extensions", "%d are more than 1000", len(c.Federation.Extensions))
	}
	for basis, day := range c.Gate.Authorities {
		if _, err := time.Parse(time.DateOnly, day); err != nil {
			return bad("gate.authorities", "%q lapses on %q, which is not a date like 2030-09-30", basis, day)
		}
	}
	if err := c.Lists.Validate(); err != nil {
		return err
	}
	if err := c.MISP.Validate(); err != nil {
		return err
	}
	if err := c.Notify.Validate(); err != nil {
		return err
	}
	if err := c.Detect.Validate(); err != nil {
		return err
	}
	if err := c.Block.Validate(); err != nil {
		return err
	}
	return feed.Validate(c.Feeds, sources())
}

func (a Auth) validate(bad func(at, format string, args ...any) *fault.Error) error {
	switch {
	case a.IdleMinutes < 5 || a.IdleMinutes > 24*60:
		return bad("auth.idle_minutes", "%d is outside 5 to 1440", a.IdleMinutes)
	case a.SessionHours < 1 || a.SessionHours > 24*7:
		return bad("auth.session_hours", "%d is outside 1 to 168", a.SessionHours)
	}
	if a.RPID != "" && (protocol.ValidateRPID(a.RPID) != nil || strings.ToLower(a.RPID) != a.RPID) {
		return bad("auth.rp_id", "%q is not a name like console.example.org", a.RPID)
	}
	for _, o := range a.Origins {
		if u, err := url.Parse(o); err != nil || u.Scheme != "https" && u.Hostname() != "localhost" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
			return bad("auth.origins", "%q is not like https://console.example.org", o)
		}
	}
	for _, r := range a.RequireSecondFactor {
		if !gate.IsRole(r) {
			return bad("auth.require_second_factor", "%q is not a role", r)
		}
	}
	return sso.Validate(a.OIDC, gate.IsRole)
}

// sources is every kind of feed.
func sources() []feed.Source {
	return []feed.Source{feed.TAXII{}, feed.Bundle{}, feed.List{}, feed.Table{}, feed.KEV{}, feed.MISP{}, feed.MISPServer{}, feed.MISPPush{}, feed.Push{}}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// relyingParty is the name that passkeys are bound to.
func (c *Config) relyingParty() string {
	switch {
	case c.Auth.RPID != "":
		return c.Auth.RPID
	case len(c.TLS.Hosts) > 0 && protocol.ValidateRPID(c.TLS.Hosts[0]) == nil:
		return strings.ToLower(c.TLS.Hosts[0])
	}
	return "localhost"
}

// origin is where providers of single sign-on send browsers back to; empty: where the browser came from.
func (c *Config) origin() string {
	if len(c.Auth.Origins) > 0 {
		return c.Auth.Origins[0]
	}
	return ""
}
