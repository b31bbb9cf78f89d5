package node

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"entente/internal/fault"
	"entente/internal/relay"
	"entente/label"
)

func (r *Relay) validate(bad func(at, format string, args ...any) *fault.Error) error {
	for _, nation := range r.Carry {
		if nation != "*" && !label.IsNation(nation) {
			return bad("relay.carry", "%q is no nation, and not *", nation)
		}
	}
	switch {
	case r.Bytes < 0 || r.Bytes > 1<<44:
		return bad("relay.bytes", "%d is outside 0 to %d", r.Bytes, int64(1)<<44)
	case r.Logs < 0 || r.Logs > 100_000:
		return bad("relay.logs", "%d is outside 0 to 100000", r.Logs)
	case r.Days < 0 || r.Days > 365:
		return bad("relay.days", "%d is outside 0 to 365", r.Days)
	case r.Messages < 0 || r.Messages > 100_000:
		return bad("relay.messages", "%d is outside 0 to 100000", r.Messages)
	}
	return nil
}

func (r *Relay) carries(nation string) bool {
	return slices.Contains(r.Carry, "*") || slices.Contains(r.Carry, nation)
}

const relayFolder = "relay"

func (n *Node) openRelay(ctx context.Context) error {
	c := &n.cfg.Relay
	if len(c.Carry) == 0 {
		return nil
	}
	dir := filepath.Join(n.cfg.Data, relayFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.New(fault.Internal, "relay.dir", "cannot make %s", dir).Because(err)
	}
	var err error
	n.relay, err = relay.Open(ctx, relay.Config{Dir: dir, Now: n.cfg.Now, Bounds: relay.Bounds{Logs: c.Logs, Bytes: c.Bytes, Age: time.Duration(c.Days) * 24 * time.Hour, Messages: c.Messages}})
	return err
}

func (n *Node) closeRelay() {
	if n.relay == nil {
		return
	}
	if err := n.relay.Close(); err != nil {
		n.cfg.Log.Warn("the relay was not closed as it should be", "error", err)
	}
}

// Relay is what this node carries for others; nil: nothing.
func (n *Node) Relay() *relay.Room { return n.relay }
