package node

import (
	"context"
	"log/slog"
	"path/filepath"

	"entente/internal/asset"
	"entente/internal/build"
	"entente/internal/feed"
	"entente/internal/index"
	"entente/internal/lists"
	"entente/internal/notify"
	"entente/internal/peers"
	"entente/internal/store"
	"entente/internal/surface/api"
)

// What the native interface asks of the node.

// Stats is what the store knows about itself.
func (n *Node) Stats(ctx context.Context) (store.Stats, error) { return n.store.Stats(ctx) }

// Build is which build runs.
func (n *Node) Build() any { return build.Read() }

// Desk is the node's alerts and notifications.
func (n *Node) Desk() *notify.Desk { return n.desk }

// Feeds are the node's feeds.
func (n *Node) Feeds() *feed.Feeds { return n.feeds }

// Events are the events of MISP, as a viewer may have them.
func (n *Node) Events() api.Events { return n.events }

// Lists are the published lists that the node has loaded.
func (n *Node) Lists() *lists.Lists { return n.lists }

// Index finds objects and what they are connected with.
func (n *Node) Index() *index.Index { return n.index }

// Stopping is closed when the node begins to stop.
func (n *Node) Stopping() <-chan struct{} { return n.stopping }

// Register is the register of constituents.
func (n *Node) Register() *asset.Register { return n.register }

// Peers are the nations that the node knows.
func (n *Node) Peers() *peers.Room { return n.peers }

// Logger is the node's log.
func (n *Node) Logger() *slog.Logger { return n.cfg.Log }

// spoolFolder holds large files in transit, below the data directory.
const spoolFolder = "tmp"

// Docs keeps what must outlive a request.
func (n *Node) Docs() api.Docs { return n.store }

// SpoolDir is a directory for large files in transit.
func (n *Node) SpoolDir() string { return filepath.Join(n.cfg.Data, spoolFolder) }

// Settings is the configuration in force, under the names of its file. Secrets stand in files of their own, so there are none in it.
func (n *Node) Settings() any {
	c := n.cfg
	feeds := []any{}
	for i := range c.Feeds {
		feeds = append(feeds, c.Feeds[i].Settings())
	}
	providers := []any{}
	for _, p := range c.Auth.OIDC {
		providers = append(providers, p.Settings())
	}
	return map[string]any{
		"listen": c.Listen, "realm": c.Realm,
		"tls":        map[string]any{"mode": c.TLS.Mode, "cert": c.TLS.Cert, "key": c.TLS.Key, "hosts": c.TLS.Hosts, "client_cas": c.TLS.ClientCAs},
		"limits":     map[string]any{"object_bytes": c.Limits.ObjectBytes, "post_bytes": c.Limits.PostBytes, "post_objects": c.Limits.PostObjects, "store_bytes": c.Limits.StoreBytes, "cache_bytes": c.Limits.CacheBytes, "memory_bytes": c.Limits.MemoryBytes, "in_flight": c.Limits.InFlight, "connections": c.Limits.Connections},
		"auth":       map[string]any{"basic": c.Auth.Basic, "idle_minutes": c.Auth.IdleMinutes, "session_hours": c.Auth.SessionHours, "require_second_factor": c.Auth.RequireSecondFactor, "rp_id": c.relyingParty(), "origins": c.Auth.Origins, "oidc": providers},
		"taxii":      map[string]any{"title": c.TAXII.Title, "contact": c.TAXII.Contact},
		"federation": map[string]any{"listen": c.Federation.Listen, "extensions": c.Federation.Extensions, "taxii": c.Federation.TAXII, "recover": c.Federation.Recover},
		"relay":      map[string]any{"carry": c.Relay.Carry, "bytes": c.Relay.Bytes, "logs": c.Relay.Logs, "days": c.Relay.Days, "messages": c.Relay.Messages},
		"gate":       map[string]any{"community": c.Gate.Community, "authorities": c.Gate.Authorities},
		"metrics":    map[string]any{"listen": c.Metrics.Listen},
		"index":      map[string]any{"cache_bytes": c.Index.CacheBytes},
		"feed":       feeds,
		"notify":     c.Notify.Settings(),
		"detect":     c.Detect.Settings(),
	}
}
