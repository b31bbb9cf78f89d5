package detect

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/stix"
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
func (m *mutes) sources() []string {
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

// Mutes lists what is muted, by source: what the viewer may have.
func (r *Room) Mutes(ctx context.Context, v gate.Viewer) ([]Mute, error) {
	all := r.mutes.all()
	ids := make([]string, len(all))
	for i := range all {
		ids[i] = all[i].Source
	}
	may, err := r.visible(ctx, v, ids)
	out := []Mute{}
	for _, x := range all {
		if may[x.Source] {
			out = append(out, x)
		}
	}
	return out, err
}

// PutMute asks that sensors do not report a source.
type PutMute struct {
	Source        string `json:"source"`                   // what is looked for, or a sighting of it
	Why           string `json:"why"`                      // one line
	FalsePositive bool   `json:"false_positive,omitempty"` // whoever gave it is told, by an opinion
}

// Opined is a mute as it was made, and the opinion that says so.
type Opined struct {
	Mute
	Opinion string `json:"opinion,omitempty"`
}

// Mute has no sensor of the node report a source any more. Of a false positive an opinion is made under the label of the source, for whoever may have that: also who gave it, by
// the accord under which it came.
func (r *Room) Mute(ctx context.Context, v gate.Viewer, q PutMute) (Opined, error) {
	it, err := r.target(ctx, v, q.Source)
	if err != nil {
		return Opined{}, err
	}
	x, err := r.mute(ctx, actorOf(v), it.Record.ID, q.Why)
	if err != nil || !q.FalsePositive {
		return Opined{Mute: x}, err
	}
	id, err := r.opine(ctx, v, it, x.Why)
	return Opined{x, id}, err
}

// Unmute has sensors report a source again.
func (r *Room) Unmute(ctx context.Context, v gate.Viewer, source string) error {
	it, err := r.target(ctx, v, source)
	if err != nil {
		return err
	}
	return r.unmute(ctx, actorOf(v), it.Record.ID)
}

func actorOf(v gate.Viewer) string { return v.Org + "/" + v.Person }

// target is the object that sensors look for: the one that is named, or what a sighting is of.
func (r *Room) target(ctx context.Context, v gate.Viewer, id string) (*store.Item, error) {
	for range 2 {
		found, err := r.o.World.Read(ctx, v, id)
		if err != nil {
			return nil, err
		}
		if found.Record.Type != "sighting" {
			if !slices.Contains(append([]string{"indicator"}, observables...), found.Record.Type) {
				return nil, fault.New(fault.Invalid, "mute.source", "a %s is nothing that sensors look for", found.Record.Type).At("source").Try("name an indicator, or a sighting of one")
			}
			return &found, nil
		}
		o, err := stix.Parse(found.Record.Body)
		if err != nil {
			return nil, err
		}
		id = o.Text("/sighting_of_ref")
	}
	return nil, unknown("object")
}

// opinionObject is a STIX opinion (STIX 2.1, section 4.15).
type opinionObject struct {
	object
	Explanation string   `json:"explanation"`
	Opinion     string   `json:"opinion"`
	Of          []string `json:"object_refs"`
}

// opine says that a source is a false positive.
func (r *Room) opine(ctx context.Context, v gate.Viewer, it *store.Item, why string) (id string, err error) {
	p := v.Party()
	id = named("opinion", it.Record.ID, p.Nation, p.Org)
	now := r.o.Now().UTC().Truncate(time.Millisecond)
	created := now
	found, err := r.o.World.For(ctx, p, []string{id, identity(p)})
	if err != nil {
		return "", err
	}
	if was := item(found, id); was != nil {
		if o, err := stix.Parse(was.Record.Body); err == nil {
			if at, err := time.Parse(time.RFC3339Nano, o.Created()); err == nil {
				created = at
			}
			if at, err := time.Parse(time.RFC3339Nano, o.Modified()); err == nil && !now.After(at) {
				now = at.Add(time.Millisecond)
			}
		}
	}
	var d drafts
	if item(found, identity(p)) == nil {
		d.identity(p, now)
	}
	l := it.Record.Label
	d.add(l, &opinionObject{object: objectOf("opinion", id, identity(p), created, now, l), Explanation: "False positive: " + why, Opinion: "strongly-disagree", Of: []string{it.Record.ID}})
	if d.err != nil {
		return "", d.err
	}
	out, err := r.o.World.Accept(ctx, v, exchange.Submission{Objects: d.objects, Labels: d.labels, Via: "detection"})
	if err != nil {
		return "", err
	}
	if last := out[len(out)-1]; !last.Stored() {
		return "", fault.New(fault.Unprocessable, last.Code, "the opinion was refused: %s", last.Message)
	}
	return id, nil
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
