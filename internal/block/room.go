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
	// State is a file for the serial number, so that it grows over restarts. Beside it stand two with what changed (.base, .log), so that deltas go on. Empty: all is in memory.
	State string
	Now   func() time.Time
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
	held     map[point]*held
	dirty    map[point]bool // what may differ from the edition
	all      bool           // everything may
	asOf     time.Time      // what time has changed until then is in the edition
	wall     *wall
	wallOf   string
	strings  map[string]string
	edition  *Edition
	changes  []change
	history  history
	purged   bool // something was, since the edition
	rendered map[string]Rendering
}

// New makes the room. It reads nothing yet.
func New(o Options) *Room {
	r := &Room{o: o}
	// The lists are for the organisation's machines: what is for single persons is not loaded into them, so the viewer is nobody in particular.
	r.viewer = gate.Viewer{Nation: o.Nation, Org: o.Org, Roles: []string{gate.RoleReader}, Realm: o.Realm}
	if o.State != "" {
		path := strings.TrimSuffix(o.State, ".json")
		r.history = history{base: path + ".base", log: path + ".log"}
	}
	r.forget()
	return r
}

// Purged takes everything off the disk that may say something of what was purged. Deltas go on from memory.
func (r *Room) Purged() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.forget()
}

// forget begins anew.
func (r *Room) forget() {
	r.began, r.claims, r.recs, r.strings, r.wall = false, map[string]*claim{}, map[record.Seq]string{}, map[string]string{}, nil
	r.held, r.dirty, r.all = map[point]*held{}, map[point]bool{}, true
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
		r.seq, r.began = end, true
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
			r.purged = r.purged || c.Purged
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

// purgedSince tells whether something was purged between a line of the journal and the one up to which everything was read.
func (r *Room) purgedSince(seq record.Seq) bool {
	for seq < r.seq {
		lines, err := r.o.Door.Watch(context.Background(), r.viewer, seq, watchSize)
		if err != nil || len(lines) == 0 {
			return err != nil
		}
		for i := range lines {
			if seq = lines[i].Seq; lines[i].Purged {
				return true
			}
		}
	}
	return false
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
			r.set(id, nil)
		}
		if err := r.take(ctx, store.Query{Types: []string{"indicator"}, IDs: part, Limit: pageSize}); err != nil {
			for id, c := range before {
				r.set(id, c)
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
			r.set(it.Record.ID, r.read(ctx, &it.Record))
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
	if r.wall == nil || r.wallOf != generation {
		w, err := r.newWall(ctx)
		if err != nil {
			return nil, err
		}
		r.wall, r.wallOf, r.all = w, generation, true
		for _, h := range r.held {
			h.judged = false
		}
	}
	if e := r.edition; e != nil && !r.purged && !r.all && len(r.dirty) == 0 && (e.next.IsZero() || now.Before(e.next)) {
		return e, nil
	}
	r.wall.ctx, r.wall.err = context.WithoutCancel(ctx), nil
	e, changed, err := r.compile(now)
	if err != nil {
		return nil, err
	}
	r.publish(e, changed)
	r.dirty, r.all, r.asOf = map[point]bool{}, false, now
	return r.edition, nil
}

// Edition is what is blocked at this moment.
func (r *Room) Edition(ctx context.Context) (*Edition, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current(ctx)
}

// LeftFilter selects what is not blocked. What is empty selects all.
type LeftFilter struct {
	Value string // in any form
	Code  string // of the reason
}

// Left visits, in order of object and value, what is not blocked, from after a key on until visit says stop. key is where to go on.
func (r *Room) Left(ctx context.Context, f *Format, only LeftFilter, after string, visit func(key string, l Spared) bool) error {
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
	if v, err := indicator.Of(only.Value); err == nil {
		only.Value = v.Text()
	}
	for _, id := range ids {
		for _, l := range r.left(e, f, only, r.claims[id]) {
			if key := id + "\x00" + l.Type + "\x00" + l.Value + "\x00" + l.Code; key > after && !visit(key, l) {
				return nil
			}
		}
	}
	return r.wall.err
}

// left is what of one claim is not in a format's list, in order.
func (r *Room) left(e *Edition, f *Format, only LeftFilter, c *claim) (out []Spared) {
	take := func(value, code string) bool {
		return (only.Value == "" || only.Value == value) && (only.Code == "" || only.Code == code)
	}
	for _, l := range c.left {
		if at := slices.IndexFunc(c.about, func(p point) bool { return p.text == only.Value }); at >= 0 && l.Value == "" {
			l.Type, l.Value = c.about[at].kind.String(), only.Value // what is asked about goes with the whole
		}
		if take(l.Value, l.Code) {
			out = append(out, l)
		}
	}
	if c.whole {
		return out
	}
	code, reason, _ := c.state(e.Time)
	for _, p := range c.values {
		if only.Value != "" && only.Value != p.text {
			continue
		}
		l := Spared{ID: c.src.ID, Type: p.kind.String(), Value: p.text, Code: code, Reason: reason}
		if code == "" {
			l.Code, l.Reason = r.kept(e, f, p)
		}
		if l.Code != "" && take(l.Value, l.Code) {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b Spared) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Value, b.Value), cmp.Compare(a.Code, b.Code))
	})
	return slices.Compact(out)
}

// kept says why a value of a claim that counts is not in a format's list.
func (r *Room) kept(e *Edition, f *Format, p point) (code, reason string) {
	if !slices.Contains(Kinds, p.kind) {
		return "kind", "a " + p.kind.String() + " is looked for by detection; no enforcement point blocks by it"
	}
	if why := r.judge(p); why.code != "" {
		return why.code, why.reason
	}
	at, ok := e.find(p.kind, p.text)
	if !ok {
		return "benign", "the own organisation says that it is benign"
	}
	if f == nil {
		return "", ""
	}
	if !slices.Contains(f.Kinds, p.kind) {
		return "format", "a " + p.kind.String() + " has no place in " + f.Name
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
