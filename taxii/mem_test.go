package taxii

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// mem is a small and correct Backend in memory. Callers are named in the context; root "cti" exists for everyone.
type mem struct {
	mu       sync.Mutex
	colls    []*memColl
	statuses map[string]memStatus
	added    int64 // microseconds of the last date added: unique, and increasing in commit order
	ids      int
	async    bool  // answer Add with pending; the next look at the status completes it
	max      int64 // max_content_length
	pages    int   // Objects calls
	expand   func(d *Discovery)
}

type memColl struct {
	Collection
	rights map[string]string // caller → "r", "w", "rw"; "*": everyone else
	items  []memItem
}

type memItem struct {
	id, typ, spec, version string
	at                     time.Time // of version
	added                  int64
	raw                    []byte
}

type memStatus struct {
	by string
	st Status
}

type memKey struct{}

func asCaller(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, memKey{}, who)
}

func callerOf(ctx context.Context) string {
	who, _ := ctx.Value(memKey{}).(string)
	return who
}

const (
	collA = "11111111-1111-4111-8111-111111111111" // everyone reads and writes; alias "a"
	collB = "22222222-2222-4222-8222-222222222222" // alice reads and writes, bob reads, carol writes, nobody else knows
)

func newMem() *mem {
	return &mem{statuses: map[string]memStatus{}, added: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro(), colls: []*memColl{
		{Collection: Collection{ID: collA, Title: "A", Alias: "a"}, rights: map[string]string{"*": "rw"}},
		{Collection: Collection{ID: collB, Title: "B", MediaTypes: []string{STIXMediaType}, Custom: []byte(`{"x_region":"north"}`)},
			rights: map[string]string{"alice": "rw", "bob": "r", "carol": "w"}},
	}}
}

func notThere() error { return errNoSuchPath }

func (m *mem) Discovery(context.Context) (Discovery, error) {
	d := Discovery{Title: "Test", Default: "cti", APIRoots: []string{"cti", "https://ally.example/taxii/"}}
	if m.expand != nil {
		m.expand(&d)
	}
	return d, nil
}

func (m *mem) Root(_ context.Context, root string) (Root, error) {
	if root != "cti" {
		return Root{}, notThere()
	}
	return Root{Title: "CTI", MaxContentLength: m.max}, nil
}

func (m *mem) view(ctx context.Context, c *memColl) (Collection, bool) {
	r, ok := c.rights[callerOf(ctx)]
	if !ok {
		r = c.rights["*"]
	}
	out := c.Collection
	out.CanRead, out.CanWrite = strings.Contains(r, "r"), strings.Contains(r, "w")
	return out, r != ""
}

func (m *mem) Collections(ctx context.Context, root string) ([]Collection, error) {
	if root != "cti" {
		return nil, notThere()
	}
	var out []Collection
	for _, c := range m.colls {
		if v, ok := m.view(ctx, c); ok {
			out = append(out, v)
		}
	}
	return out, nil
}

func (m *mem) find(root, id string) *memColl {
	if root == "cti" {
		for _, c := range m.colls {
			if c.ID == id || (c.Alias != "" && c.Alias == id) {
				return c
			}
		}
	}
	return nil
}

func (m *mem) Collection(ctx context.Context, root, id string) (Collection, error) {
	if c := m.find(root, id); c != nil {
		if v, ok := m.view(ctx, c); ok {
			return v, nil
		}
	}
	return Collection{}, notThere()
}

func (m *mem) Objects(ctx context.Context, root, coll string, q Query) (Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pages++
	c := m.find(root, coll)
	if q.Object != "" && !slices.ContainsFunc(c.items, func(i memItem) bool { return i.id == q.Object }) {
		return Page{}, notThere()
	}
	var after int64
	if q.Pos != nil {
		after = int64(binary.BigEndian.Uint64(q.Pos))
	}
	var p Page
	for _, i := range choose(c.items, q.Object, q.Filter) {
		if i.added <= after {
			continue
		}
		if len(p.Objects) == q.Limit {
			p.More = true
			p.Next = binary.BigEndian.AppendUint64(nil, uint64(p.Objects[len(p.Objects)-1].DateAdded.UnixMicro()))
			break
		}
		p.Objects = append(p.Objects, Object{Raw: i.raw, ID: i.id, Version: i.version, DateAdded: time.UnixMicro(i.added), MediaType: STIXMediaType})
	}
	return p, nil
}

// choose is section 3.4.1 written plainly: the other filters first, then the spec version, then the version, per object.
func choose(items []memItem, object string, f Filter) []memItem {
	in := func(list []string, s string) bool { return len(list) == 0 || slices.Contains(list, s) }
	byID := map[string][]memItem{}
	for _, i := range items {
		if (object == "" || i.id == object) && in(f.IDs, i.id) && in(f.Types, i.typ) && in(f.Specs, i.spec) &&
			(f.AddedAfter.IsZero() || time.UnixMicro(i.added).After(f.AddedAfter)) {
			byID[i.id] = append(byID[i.id], i)
		}
	}
	var out []memItem
	for _, vs := range byID {
		if len(f.Specs) == 0 {
			latest := slices.MaxFunc(vs, func(a, b memItem) int { return cmp.Compare(a.spec, b.spec) }).spec
			vs = slices.DeleteFunc(vs, func(i memItem) bool { return i.spec != latest })
		}
		order := func(a, b memItem) int { return a.at.Compare(b.at) }
		first, last := slices.MinFunc(vs, order).at, slices.MaxFunc(vs, order).at
		v := f.Versions
		for _, i := range vs {
			if v.All || (v.First && i.at.Equal(first)) || ((v.Last || v.IsZero()) && i.at.Equal(last)) || slices.ContainsFunc(v.At, i.at.Equal) {
				out = append(out, i)
			}
		}
	}
	slices.SortFunc(out, func(a, b memItem) int { return cmp.Compare(a.added, b.added) })
	return out
}

func (m *mem) newID() string {
	m.ids++
	return fmt.Sprintf("33333333-3333-4333-8333-%012d", m.ids)
}

func (m *mem) Add(ctx context.Context, root, coll string, objects [][]byte) (Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.find(root, coll)
	st := Status{ID: m.newID(), Status: Complete, RequestTimestamp: Time{time.UnixMicro(m.added)}}
	for _, raw := range objects {
		item, err := m.read(raw)
		if err == nil {
			err = c.put(&item, &m.added)
		}
		d := StatusDetail{ID: item.id, Version: item.version}
		if err != nil {
			d.Message = err.Error()
			d.ID, d.Version = cmp.Or(d.ID, "unknown"), cmp.Or(d.Version, "unknown")
			st.Failures = append(st.Failures, d)
			st.FailureCount++
			continue
		}
		st.Successes = append(st.Successes, d)
		st.SuccessCount++
	}
	m.statuses[st.ID] = memStatus{callerOf(ctx), st}
	if m.async {
		return Status{ID: st.ID, Status: Pending, RequestTimestamp: st.RequestTimestamp, PendingCount: len(objects)}, nil
	}
	return st, nil
}

func (m *mem) read(raw []byte) (memItem, error) {
	var o struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Spec     string `json:"spec_version"`
		Created  string `json:"created"`
		Modified string `json:"modified"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return memItem{}, fmt.Errorf("wrong types")
	}
	i := memItem{id: o.ID, typ: o.Type, spec: cmp.Or(o.Spec, "2.0"), version: cmp.Or(o.Modified, o.Created), raw: raw}
	if !strings.HasPrefix(o.ID, o.Type+"--") || o.Type == "" {
		return i, fmt.Errorf("id and type differ")
	}
	if i.version == "" {
		i.spec = cmp.Or(o.Spec, "2.1")
		return i, nil
	}
	var err error
	i.at, err = ParseTime(i.version)
	return i, err
}

func (c *memColl) put(i *memItem, added *int64) error {
	for _, old := range c.items {
		if old.id == i.id && old.spec == i.spec && (i.version == "" || old.at.Equal(i.at)) {
			i.version = old.version
			if !bytes.Equal(old.raw, i.raw) {
				return fmt.Errorf("conflicts with another content of this version")
			}
			return nil
		}
	}
	*added++
	i.added = *added
	if i.version == "" {
		i.at = time.UnixMicro(i.added)
		i.version = FormatTime(i.at)
	}
	c.items = append(c.items, *i)
	return nil
}

func (m *mem) Status(ctx context.Context, root, id string) (Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.statuses[id]
	if !ok || s.by != callerOf(ctx) || root != "cti" {
		return Status{}, notThere()
	}
	return s.st, nil
}

func (m *mem) Delete(_ context.Context, root, coll, object string, f Filter) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f.Versions.IsZero() {
		f.Versions.All = true
	}
	c := m.find(root, coll)
	gone := choose(c.items, object, f)
	if len(gone) == 0 {
		return notThere()
	}
	c.items = slices.DeleteFunc(c.items, func(i memItem) bool {
		return slices.ContainsFunc(gone, func(g memItem) bool { return g.added == i.added })
	})
	return nil
}

// secret is a key for tests.
var secret = []byte("0123456789abcdef0123456789abcdef")

func testHandler(m *mem, o Options) http.Handler {
	if o.Sealer == nil {
		o.Sealer, _ = NewSealer(secret, callerOf)
	}
	h := NewHandler(m, o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _, _ := r.BasicAuth()
		h.ServeHTTP(w, r.WithContext(asCaller(r.Context(), cmp.Or(who, "alice"))))
	})
}
