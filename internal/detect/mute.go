package detect

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

const (
	docMute  = "detection.mute" // key: the source
	maxMutes = 10_000
)

// Mute is a source that sensors of the node do not report, and why.
type Mute struct {
	Source string    `json:"source"`
	Why    string    `json:"why"`
	By     string    `json:"by"`
	Since  time.Time `json:"since"`

	version int64
}

// mutes is every mute, in memory.
type mutes struct {
	mu     sync.RWMutex
	by     map[string]Mute
	change sync.Mutex // held while one is changed
}

// sources are those that are muted. They count for every sensor of the node.
func (m *mutes) sources(gate.Party) []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := make([]string, 0, len(m.by))
	for s := range m.by {
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

func (m *mutes) find(source string) (Mute, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	x, ok := m.by[source]
	return x, ok
}

func (m *mutes) set(x Mute) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.by[x.Source] = x
}

func (m *mutes) drop(source string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.by, source)
}

func (m *mutes) all() []Mute {
	m.mu.RLock()
	defer m.mu.RUnlock()
	out := make([]Mute, 0, len(m.by))
	for _, x := range m.by {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b Mute) int { return strings.Compare(a.Source, b.Source) })
	return out
}

func (r *Room) loadMutes(ctx context.Context) error {
	r.mutes.by = map[string]Mute{}
	return each(ctx, r.o.Docs, docMute, func(d *store.Doc) error {
		x := Mute{version: d.Version}
		if err := json.Unmarshal(d.Value, &x); err != nil {
			return err
		}
		r.mutes.set(x)
		return nil
	})
}

// mute has no sensor report a source any more.
func (r *Room) mute(ctx context.Context, actor, source, why string) (Mute, error) {
	r.mutes.change.Lock()
	defer r.mutes.change.Unlock()
	if why = strings.TrimSpace(why); why == "" || len(why) > 1000 || strings.ContainsAny(why, "\r\n") {
		return Mute{}, fault.New(fault.Invalid, "mute.why", "say why, in one line of at most 1000 bytes").At("why")
	}
	x, ok := r.mutes.find(source)
	if !ok && len(r.mutes.all()) >= maxMutes {
		return Mute{}, fault.New(fault.Full, "mute.many", "%d sources are muted, which is the most", maxMutes).Try("unmute some, or revoke the indicators")
	}
	x = Mute{Source: source, Why: why, By: actor, Since: r.o.Now().UTC().Truncate(time.Second), version: x.version}
	b, err := json.Marshal(x)
	if err != nil {
		return Mute{}, err
	}
	if err := r.o.Docs.PutDocs(ctx, store.Act{Actor: actor, Verb: "detection.mute", Target: source}, store.Doc{Kind: docMute, Key: source, Value: b, Version: x.version}); err != nil {
		return Mute{}, err
	}
	x.version++
	r.mutes.set(x)
	r.stir()
	return x, nil
}

// unmute has sensors report a source again.
func (r *Room) unmute(ctx context.Context, actor, source string) error {
	r.mutes.change.Lock()
	defer r.mutes.change.Unlock()
	x, ok := r.mutes.find(source)
	if !ok {
		return unknown("mute")
	}
	if err := r.o.Docs.PutDocs(ctx, store.Act{Actor: actor, Verb: "detection.unmute", Target: source}, store.Doc{Kind: docMute, Key: source, Version: x.version}); err != nil {
		return err
	}
	r.mutes.drop(source)
	r.stir()
	return nil
}
