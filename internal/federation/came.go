package federation

import (
	"context"
	"time"

	"entente/internal/gate"
	"entente/peer"
)

// Ways by which a partner's logs come.
const (
	wayStream = "stream" // asked for at the partner's node
	wayPush   = "push"   // brought by it
	wayRelay  = "relay:" // over the relay of the organisation that follows
	wayBundle = "bundle" // in a file
)

type wayKey struct{}

// withWay says by which way what is taken came.
func withWay(ctx context.Context, way string) context.Context {
	return context.WithValue(ctx, wayKey{}, way)
}

func wayOf(ctx context.Context) string {
	way, _ := ctx.Value(wayKey{}).(string)
	return way
}

// Came is one way by which a version of an object came here. An object that comes by several is stored once.
type Came struct {
	Nation  string    `json:"nation"` // that gave it
	Org     string    `json:"org,omitempty"`
	Accord  string    `json:"accord,omitempty"`
	Way     string    `json:"way,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Log     string    `json:"log"`
	Index   uint64    `json:"index"`
	Version string    `json:"version,omitempty"`
	Did     string    `json:"did"` // what this node did with it, and told in its receipt
	Code    string    `json:"code,omitempty"`
}

// Came lists the ways by which an object came, in the order of logs. Who may not know of accords is told none.
func (f *Federation) Came(ctx context.Context, v gate.Viewer, id string) ([]Came, error) {
	if !f.cfg.Gate().Can(v, gate.AccordRead) {
		return nil, nil
	}
	held, err := f.cfg.Ledger.HeldOf(ctx, id)
	if err != nil {
		return nil, err
	}
	var out []Came
	for i := range held {
		h := &held[i]
		if h.Leaf.Kind != peer.Put {
			continue
		}
		g, err := f.cfg.Ledger.Log(ctx, h.Origin)
		if err != nil {
			return nil, err
		}
		out = append(out, Came{h.Nation, g.Org, g.Accord, h.Way, h.At, h.Origin, h.Index, h.Version, h.Did, h.Code})
	}
	return out, nil
}
