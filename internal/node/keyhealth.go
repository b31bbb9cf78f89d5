package node

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"entente/internal/keyring"
)

// keyCollector tells for how long the node can sign.
type keyCollector struct {
	ring *keyring.Ring
	now  func() time.Time
}

var keyEndsDesc = prometheus.NewDesc("entente_key_expires_seconds", "For how long the node can sign with its key; 0: it cannot.", []string{"role"}, nil)

func (c keyCollector) Describe(out chan<- *prometheus.Desc) { out <- keyEndsDesc }

func (c keyCollector) Collect(out chan<- prometheus.Metric) {
	for _, h := range c.ring.Health() {
		left := 0.0
		if !h.Ends.IsZero() {
			left = max(0, h.Ends.Sub(c.now()).Seconds())
		}
		out <- prometheus.MustNewConstMetric(keyEndsDesc, prometheus.GaugeValue, left, string(h.Role))
	}
}

// watchKeys warns at the start and once a day of keys that end soon or cannot sign.
func (n *Node) watchKeys(ctx context.Context) {
	tick := time.NewTicker(24 * time.Hour)
	defer tick.Stop()
	for {
		n.warnOfKeys()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (n *Node) warnOfKeys() {
	for _, h := range n.ring.Health() {
		switch left := h.Ends.Sub(n.cfg.Now()); {
		case h.Ends.IsZero():
			n.cfg.Log.Warn("the node cannot sign with a key of its own: entente key list says why, entente key rotate or entente key request renews it", "role", h.Role, "key", h.Key)
		case left <= keyring.Renew:
			n.cfg.Log.Warn("a key of the node ends soon: replace it with entente key rotate", "role", h.Role, "key", h.Key, "ends", h.Ends.UTC().Format(time.RFC3339), "days", int(left/(24*time.Hour)))
		}
	}
}
