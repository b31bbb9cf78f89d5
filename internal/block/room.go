package block

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/indicator"
	"entente/internal/record"
	"entente/internal/store"
)

// Door is what the room needs of the exchange.
type Door interface {
	Newest() (record.Seq, <-chan struct{})
	Watch(ctx context.Context, v gate.Viewer, after record.Seq, limit int) ([]exchange.Change, error)
	Read(ctx context.Context, v gate.Viewer, q store.Query) (store.Page, error)
	Scope(v gate.Viewer) gate.Scope
}

// Signer signs for the node's organisation.
type Signer interface {
	SignEnvelope(payloadType string, payload []byte) ([]byte, error)
}

// Options are what the room needs of its node.
type Options struct {
	Nation, Org, Realm string
	Config             Config
	Door               Door
	Guard              Guard
	Signer             Signer
	// Accord is the accord under which an object came; nil: nothing came under one.
	Accord func(ctx context.Context, id string) string
	// Watched is the type of the records by which Guard.Owner changes.
	Watched string
	State   string // a file for the serial number, so that it grows over restarts; empty: in memory
	Now     func() time.Time
}

// Room keeps what is blocked. Its methods are safe for concurrent use. It reads when it is asked: first everything, then what the journal has more.
type Room struct {
	o      Options
	viewer gate.Viewer

	mu       sync.Mutex
	began    bool
	scope    string // key of the scope that everything was read under
	seq      record.Seq
	claims   map[string]*claim
	recs     map[record.Seq]string
	changed  bool // claims, since the edition
	wall     *wall
	wallOf   string
	strings  map[string]string
	edition  *Edition
	changes  []change
	rendered map[string]Rendering
}

// New makes the room. It reads nothing yet.
func New(o Options) *Room {
	r := &Room{o: o}
	// The lists are for the organisation's machines: what is for single persons is not loaded into them, so the viewer is nobody in particular.
	r.viewer = gate.Viewer{Nation: o.Nation, Org: o.Org, Roles: []string{gate.RoleReader}, Realm: o.Realm}
	r.forget()
	return r
}

// forget begins anew.
func (r *Room) forget() {
	r.began, r.claims, r.recs, r.strings, r.wall = false, map[string]*claim{}, map[record.Seq]string{}, map[string]string{}, nil
}

func (r *Room) intern(s string) string {
	if have, ok := r.strings[s]; ok {
		return have
	}
	s = strings.Clone(s)
	r.strings[s] = s
	return s
}

const (
	pageSize  = 1000
	watchSize = 1000
)

// follow brings the claims up to the journal's end.
func (r *Room) follow(ctx context.Context) error {
	if key := r.o.Door.Scope(r.viewer).Key(); !r.began || key != r.scope {
		r.forget()
		r.scope = key
		end, _ := r.o.Door.Newest()
		if err := r.take(ctx, store.Query{Types: []string{"indicator"}, Limit: pageSize}); err != nil {
			r.forget()
			return err
		}
		r.seq, r.began, r.changed = end, true, true
	}
	for {
		lines, err := r.o.Door.Watch(ctx, r.viewer, r.seq, watchSize)
		if err != nil || len(lines) == 0 {
			return err
		}
		ids := map[string]bool{}
		for i := range lines {
			c := &lines[i]
			if c.Item != nil && c.Item.Record.Type == "indicator" {
				ids[c.Item.Record.ID] = true
			}
			if c.Item != nil && c.Item.Record.Type == r.o.Watched {
				r.wall = nil
			}
			for _, rec := range c.Gone {
				if id, ok := r.recs[rec]; ok {
					ids[id] = true
				} else if r.o.Watched != "" {
					r.wall = nil // it may have been a constituent
				}
			}
		}
		if err := r.again(ctx, ids); err != nil {
			return err
		}
		r.seq = lines[len(lines)-1].Seq
	}
}

// again reads objects once more: the latest version that is there now counts.
func (r *Room) again(ctx context.Context, ids map[string]bool) error {
	all := make([]string, 0, len(ids))
	for id := range ids {
		all = append(all, id)
	}
	slices.Sort(all)
	for part := range slices.Chunk(all, 200) {
		before := map[string]*claim{}
		for _, id := range part {
			before[id] = r.claims[id]
			delete(r.claims, id)
		}
		r.changed = true
		if err := r.take(ctx, store.Query{Types: []string{"indicator"}, IDs: part, Limit: pageSize}); err != nil {
			for id, c := range before {
				if c != nil {
					r.claims[id] = c
				}
			}
			return err
		}
	}
	return nil
}

// take reads what a query finds.
func (r *Room) take(ctx context.Context, q store.Query) error {
	for {
		page, err := r.o.Door.Read(ctx, r.viewer, q)
		if err != nil {
			return err
		}
		for i := range page.Items {
			it := &page.Items[i]
			r.recs[it.Rec] = it.Record.ID
			if it.Held { // nobody has judged it yet
				continue
			}
			r.claims[it.Record.ID] = r.read(ctx, &it.Record)
		}
		if !page.More {
			return nil
		}
		q.After = max(page.Next, q.After+1)
	}
}

// current is the edition of this moment. It is called under mu.
func (r *Room) current(ctx context.Context) (*Edition, error) {
	if err := r.follow(ctx); err != nil {
		return nil, err
	}
	now := r.o.Now().UTC()
	generation := r.o.Guard.Generation()
	if r.wall == nil || r.wallOf != generation || len(r.wall.known) > maxKnown {
		w, err := r.newWall(ctx)
		if err != nil {
			return nil, err
		}
		r.wall, r.wallOf, r.changed = w, generation, true
	}
	if e := r.edition; e != nil && !r.changed && (e.next.IsZero() || now.Before(e.next)) {
		return e, nil
	}
	r.wall.ctx, r.wall.err = context.WithoutCancel(ctx), nil
	e, err := r.compile(now)
	if err != nil {
		return nil, err
	}
	r.changed = false
	r.publish(e)
	return r.edition, nil
}

// maxKnown bounds the verdicts that are remembered.
const maxKnown = 8 << 20

// Edition is what is blocked at this moment.
func (r *Room) Edition(ctx context.Context) (*Edition, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current(ctx)
}

// compile makes the edition of a moment from the claims.
func (r *Room) compile(now time.Time) (*Edition, error) {
	e := &Edition{Time: now, Nation: r.o.Nation, Org: r.o.Org, Realm: r.o.Realm, Config: r.o.Config}
	harmless := map[indicator.Value]bool{}
	for _, c := range r.claims {
		if c.benign {
			if code, _, next := c.state(now); code == "" || code == "early" {
				e.until(next)
				for _, v := range c.values {
					harmless[v] = harmless[v] || code == ""
				}
			}
		}
	}
	type pair struct {
		v indicator.Value
		c *claim
	}
	pairs := make([]pair, 0, len(r.claims))
	for _, c := range r.claims {
		if c.whole {
			continue
		}
		code, _, next := c.state(now)
		e.until(next)
		if code != "" {
			continue
		}
		for _, v := range c.values {
			if slices.Contains(Kinds, v.Kind) && !harmless[v] {
				pairs = append(pairs, pair{v, c})
			}
		}
	}
	e.Entries = make([]Entry, 0, len(pairs))
	keys := make([]string, len(pairs))
	order := make([]int, len(pairs))
	for i := range pairs {
		keys[i], order[i] = strings.TrimPrefix(pairs[i].v.Text(), "*."), i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(pairs[a].v.Kind, pairs[b].v.Kind), cmp.Compare(keys[a], keys[b]), byTerm(pairs[a].c, pairs[b].c))
	})
	for n := 0; n < len(order); {
		first := order[n]
		v := pairs[first].v
		end := n + 1
		for end < len(order) && pairs[order[end]].v.Kind == v.Kind && keys[order[end]] == keys[first] {
			end++
		}
		if r.wall.judge(v.Kind, keys[first]).code == "" {
			x := Entry{Kind: v.Kind, Value: keys[first], Until: pairs[first].c.until, Sources: make([]Source, 0, min(end-n, maxSources))}
			for _, at := range order[n:end] {
				x.Beneath = x.Beneath || v.Kind == indicator.Domain && !pairs[at].v.Alone()
				if k := len(x.Sources); k < maxSources && (k == 0 || x.Sources[k-1].ID != pairs[at].c.src.ID) {
					x.Sources = append(x.Sources, pairs[at].c.src)
				}
			}
			e.Entries = append(e.Entries, x)
		}
		n = end
	}
	if r.wall.err != nil {
		return nil, r.wall.err
	}
	return e, nil
}

// byTerm puts what counts longest first.
func byTerm(a, b *claim) int {
	switch {
	case a.until.Equal(b.until):
		return cmp.Compare(a.src.ID, b.src.ID)
	case a.until.IsZero():
		return -1
	case b.until.IsZero():
		return 1
	}
	return b.until.Compare(a.until)
}

// Left visits, in order of object and value, what is not blocked, from after a key on until visit says stop. key is where to go on.
func (r *Room) Left(ctx context.Context, f *Format, after string, visit func(key string, l Spared) bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, err := r.current(ctx)
	if err != nil {
		return err
	}
	ids := make([]string, 0, len(r.claims))
	begin, _, _ := strings.Cut(after, "\x00")
	for id := range r.claims {
		if id >= begin {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	for _, id := range ids {
		for _, l := range r.left(e, f, r.claims[id]) {
			if key := id + "\x00" + l.Type + "\x00" + l.Value + "\x00" + l.Code; key > after && !visit(key, l) {
				return nil
			}
		}
	}
	return r.wall.err
}

// left is what of one claim is not in a format's list, in order.
func (r *Room) left(e *Edition, f *Format, c *claim) (out []Spared) {
	out = append(out, c.left...)
	if c.whole {
		return out
	}
	code, reason, _ := c.state(e.Time)
	for _, v := range c.values {
		text := v.Text()
		l := Spared{ID: c.src.ID, Type: v.Kind.String(), Value: text, Code: code, Reason: reason}
		if code == "" {
			l.Code, l.Reason = r.kept(e, f, v, text)
		}
		if l.Code != "" {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b Spared) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Code, b.Code))
	})
	return slices.Compact(out)
}

// kept says why a value of a claim that counts is not in a format's list.
func (r *Room) kept(e *Edition, f *Format, v indicator.Value, text string) (code, reason string) {
	if !slices.Contains(Kinds, v.Kind) {
		return "kind", "a " + v.Kind.String() + " is looked for by detection; no enforcement point blocks by it"
	}
	value := strings.TrimPrefix(text, "*.")
	if why := r.wall.judge(v.Kind, value); why.code != "" {
		return why.code, why.reason
	}
	at, ok := e.find(v.Kind, value)
	if !ok {
		return "benign", "the own organisation says that it is benign"
	}
	if f == nil {
		return "", ""
	}
	if !slices.Contains(f.Kinds, v.Kind) {
		return "format", "a " + v.Kind.String() + " has no place in " + f.Name
	}
	if f.Takes != nil {
		if why := f.Takes(&e.Entries[at]); why != "" {
			return "format", why
		}
	}
	return "", ""
}

// noFormat is the answer to a name that is no format.
func noFormat(name string) error {
	return fault.New(fault.NotFound, "block.format", "there is no format %q", name[:min(len(name), 64)]).Try("use one of " + strings.Join(Names(), ", "))
}
