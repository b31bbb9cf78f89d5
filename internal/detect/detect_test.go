package detect

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/indicator"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
	"entente/sensor"
)

var self = gate.Party{Nation: "UTO", Org: "Utopia CERT"}

// house is a store of indicators, and a clock.
type house struct {
	mu      sync.Mutex
	now     time.Time
	seq     record.Seq
	items   map[string]store.Item
	lines   []store.Entry
	docs    map[string]store.Doc
	taken   [][]byte
	said    map[string]store.Item // sightings, by id
	killed  func()                // after the next is stored
	changed chan struct{}
}

func newHouse() *house {
	return &house{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), items: map[string]store.Item{}, docs: map[string]store.Doc{}, said: map[string]store.Item{}, changed: make(chan struct{})}
}

// put stores an indicator; without a pattern it takes it away.
func (h *house) put(id, pattern, more string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq += 10
	e := store.Entry{Seq: h.seq, Rec: h.seq, Kind: store.EntryPut}
	if pattern == "" {
		e.Kind, e.Rec = store.EntryRemove, h.items[id].Rec
		delete(h.items, id)
	} else {
		r := record.Record{ID: id, Type: "indicator", Label: label.For(label.Amber), Origin: record.Origin{Nation: self.Nation, Org: self.Org}, Body: fmt.Appendf(nil,
			`{"type":"indicator","spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","pattern_type":"stix","pattern":%q,"valid_from":"2026-01-01T00:00:00Z"%s}`, id, pattern, more)}
		h.items[id] = store.Item{Seq: h.seq, Rec: h.seq, Record: r}
		e.Record = &r
	}
	h.lines = append(h.lines, e)
	close(h.changed)
	h.changed = make(chan struct{})
}

func (h *house) clock() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.now }

func (h *house) Lines(_ context.Context, after record.Seq, limit int) (out []store.Entry, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.lines {
		if e.Seq > after && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, nil
}
func (h *house) Newest() (record.Seq, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seq, h.changed
}
func (h *house) All(_ context.Context, _ []string, after record.Seq, limit int) (p store.Page, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, it := range h.items {
		if it.Seq > after {
			p.Items = append(p.Items, it)
		}
	}
	slices.SortFunc(p.Items, func(a, b store.Item) int { return int(a.Seq - b.Seq) })
	if p.More = len(p.Items) > limit; p.More {
		p.Items = p.Items[:limit]
		p.Next = p.Items[limit-1].Seq
	}
	return p, nil
}
func (h *house) For(_ context.Context, _ gate.Party, ids []string) (out []store.Item, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range ids {
		if it, ok := h.items[id]; ok {
			out = append(out, it)
		}
		if it, ok := h.said[id]; ok {
			out = append(out, it)
		}
	}
	return out, nil
}
func (h *house) Visible(ctx context.Context, _ gate.Viewer, ids []string) ([]store.Item, error) {
	return h.For(ctx, self, ids)
}
func (h *house) Read(context.Context, gate.Viewer, string) (store.Item, error) {
	return store.Item{}, unknown("object")
}
func (h *house) Held(ctx context.Context, ids []string) (map[string]bool, error) {
	found, err := h.For(ctx, self, ids)
	out := map[string]bool{}
	for i := range found {
		out[found[i].Record.ID] = true
	}
	return out, err
}
func (h *house) Hand(context.Context, gate.Party, []store.Item) error { return nil }
func (h *house) Era() string                                          { return "" }
func (h *house) Harmless(context.Context, gate.Party, indicator.Value) (string, string, error) {
	return "", "", nil
}
func (h *house) Accord(*record.Record) (string, bool) { return "", true }
func (h *house) Accept(_ context.Context, _ gate.Viewer, s exchange.Submission) ([]exchange.Outcome, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.taken = append(h.taken, s.Objects...)
	for _, raw := range s.Objects {
		var o object
		if json.Unmarshal(raw, &o) == nil && o.Type == "sighting" {
			h.said[o.ID] = store.Item{Record: record.Record{ID: o.ID, Type: o.Type, Body: raw}}
		}
	}
	if h.killed != nil {
		h.killed()
		h.killed = nil
	}
	out := make([]exchange.Outcome, len(s.Objects))
	for i := range out {
		out[i].State = exchange.Added
	}
	return out, nil
}

func (h *house) PutDocs(_ context.Context, _ store.Act, docs ...store.Doc) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range docs {
		if was := h.docs[d.Kind+"/"+d.Key]; d.Version >= 0 && was.Version != d.Version {
			return fault.New(fault.Conflict, "", "version %d is not %d", was.Version, d.Version)
		}
	}
	for _, d := range docs {
		key := d.Kind + "/" + d.Key
		if d.Version = h.docs[key].Version + 1; d.Value == nil {
			delete(h.docs, key)
			continue
		}
		h.docs[key] = d
	}
	return nil
}
func (h *house) Doc(_ context.Context, kind, key string) (store.Doc, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d, ok := h.docs[kind+"/"+key]
	if !ok {
		return d, unknown("document")
	}
	return d, nil
}
func (h *house) Docs(_ context.Context, kind, after string, _ int) (out []store.Doc, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.docs {
		if d.Kind == kind && d.Key > after {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b store.Doc) int { return len(a.Key) - len(b.Key) })
	if after != "" {
		return nil, nil
	}
	return out, nil
}

// notary signs whatever it is asked to.
type notary struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newNotary(t testing.TB) *notary {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	n := &notary{key: key}
	n.cert = n.vouch(t, &key.PublicKey)
	return n
}

func (n *notary) vouch(t testing.TB, public any) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	q := &x509.Certificate{SerialNumber: serial, NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err2 := x509.CreateCertificate(rand.Reader, q, q, public, n.key)
	c, err3 := x509.ParseCertificate(der)
	if t != nil && (err != nil || err2 != nil || err3 != nil) {
		t.Fatal(err, err2, err3)
	}
	return c
}

func (n *notary) Trust() (*x509.Certificate, error) { return n.cert, nil }
func (n *notary) Roots() []byte                     { return nil }
func (n *notary) Sign(string, gate.Party, []byte) (*x509.Certificate, []byte, error) {
	c := n.vouch(nil, &n.key.PublicKey)
	return c, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), nil
}
func (n *notary) Admit(context.Context, string, *x509.Certificate, string, gate.Party) (string, error) {
	return "x", nil
}
func (n *notary) Dismiss(context.Context, string, string) error { return nil }

func open(t testing.TB, dir string, h *house) *Room {
	t.Helper()
	r, err := Open(t.Context(), Options{Dir: dir, Nation: self.Nation, Org: self.Org, Realm: "operational", World: h, Docs: h, Authority: newNotary(t), Now: h.clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func enrol(t testing.TB, r *Room, name string) *Sensor {
	t.Helper()
	c, err := r.Add(t.Context(), "test", name, "")
	if err == nil {
		_, err = r.Enrol(t.Context(), sensor.Request{Code: c.Code, CSR: "x"})
	}
	if err != nil {
		t.Fatal(err)
	}
	s, _ := r.Find(name)
	return &s
}

// work lets the room do all there is to do.
func work(t testing.TB, r *Room) {
	t.Helper()
	for busy := true; busy; {
		var err error
		if busy, err = r.advance(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestACodeEndsAfterAnHour(t *testing.T) {
	h := newHouse()
	r := open(t, t.TempDir(), h)
	c, err := r.Add(t.Context(), "test", "edge", "")
	if err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(codeLife)
	if _, err := r.Enrol(t.Context(), sensor.Request{Code: c.Code, CSR: "x"}); fault.Of(err) != fault.Forbidden {
		t.Errorf("an hour later: %v", err)
	}
}

// What has expired is taken out, once; what is gone for long is forgotten, and who has not heard of it takes a snapshot.
func TestTimeTakesOut(t *testing.T) {
	h := newHouse()
	r := open(t, t.TempDir(), h)
	s := enrol(t, r, "edge")
	h.put("indicator--a", "[ipv4-addr:value = '198.51.100.7']", `,"valid_until":"2026-05-02T00:00:00Z"`)
	h.put("indicator--b", "[ipv4-addr:value = '198.51.100.8']", "")
	work(t, r)
	old, err := r.State(t.Context(), s)
	if err != nil || old.Indicators.Seq != 2 {
		t.Fatalf("%+v %v", old, err)
	}
	h.now = h.now.Add(24 * time.Hour)
	work(t, r)
	c, err := r.Changes(t.Context(), s, old.Indicators)
	if err != nil || len(c.Changes) != 1 || c.Changes[0].Source != "indicator--a" || len(c.Changes[0].Values) != 0 {
		t.Fatalf("%+v %v", c, err)
	}
	h.now = h.now.Add(goneKept + time.Hour)
	work(t, r) // everything is looked at anew, once a day
	work(t, r)
	if c, err := r.Changes(t.Context(), s, old.Indicators); err != nil || !c.Again {
		t.Errorf("%+v %v", c, err)
	}
	f, cursor, err := r.Snapshot(t.Context(), s)
	if err != nil || cursor.Seq != 3 {
		t.Fatalf("%+v %v", cursor, err)
	}
	f.Close()
}

// Following changes, from the beginning or from anywhere, ends with what the store has, whatever came and went.
func TestChangesLeadToWhatIsInTheStore(t *testing.T) {
	rapid.Check(t, func(d *rapid.T) {
		h := newHouse()
		r := open(t, t.TempDir(), h)
		defer r.Close()
		s := enrol(t, r, "edge")
		has, cursor := map[string]string{}, sensor.Cursor{}
		follow := func() {
			st, err := r.State(t.Context(), s)
			if err != nil {
				d.Fatal(err)
			}
			cursor.Epoch = st.Indicators.Epoch
			c, err := r.Changes(t.Context(), s, cursor)
			if err != nil || c.Again {
				d.Fatal(c, err)
			}
			for _, ch := range c.Changes {
				if delete(has, ch.Source); len(ch.Values) > 0 {
					has[ch.Source] = ch.Values[0].Text
				}
			}
			cursor = c.To
		}
		for range rapid.IntRange(1, 20).Draw(d, "steps") {
			id := rapid.SampledFrom([]string{"indicator--a", "indicator--b", "indicator--c"}).Draw(d, "id")
			switch rapid.IntRange(0, 3).Draw(d, "what") {
			case 0:
				h.put(id, "", "")
			case 1:
				work(t, r)
				follow()
			default:
				h.put(id, fmt.Sprintf("[ipv4-addr:value = '198.51.100.%d']", rapid.IntRange(1, 3).Draw(d, "value")), "")
			}
		}
		work(t, r)
		follow()
		if len(has) != len(h.items) {
			d.Fatalf("a sensor has %v, and the store %d", has, len(h.items))
		}
		for id, it := range h.items {
			if !bytes.Contains(it.Record.Body, []byte("'"+has[id]+"'")) {
				d.Fatalf("%s is %q at the sensor and %s in the store", id, has[id], it.Record.Body)
			}
		}
	})
}

// However often reports are given, in whatever order, by whichever sensor, and whenever the room is opened anew: everything counts once, as large as it was ever said to be.
func TestReportsCountOnce(t *testing.T) {
	rapid.Check(t, func(d *rapid.T) {
		h, dir := newHouse(), t.TempDir()
		r := open(t, dir, h)
		defer func() { r.Close() }()
		both := []*Sensor{enrol(t, r, "east"), enrol(t, r, "west")}
		h.put("indicator--a", "[ipv4-addr:value = '198.51.100.7']", "")
		work(t, r)
		largest := map[string]int64{}
		for range rapid.IntRange(1, 30).Draw(d, "posts") {
			block := rapid.SampledFrom([]string{"1", "2", "3"}).Draw(d, "block")
			n := rapid.Int64Range(1, 9).Draw(d, "count")
			more := n > largest[block]
			largest[block] = max(largest[block], n)
			q := sensor.Report{ID: sensor.ReportID(block, "indicator--a", "", ""), Source: "indicator--a", First: h.now, Last: h.now, Count: n}
			taken, err := r.Take(t.Context(), rapid.SampledFrom(both).Draw(d, "sensor"), []sensor.Report{q})
			if err != nil || (taken.Taken == 1) != more {
				d.Fatalf("%+v %v", taken, err)
			}
			switch rapid.IntRange(0, 9).Draw(d, "then") {
			case 0:
				r.Close()
				r = open(t, dir, h)
			case 1:
				h.now = h.now.Add(time.Hour)
				if _, err := r.say(t.Context()); err != nil {
					d.Fatal(err)
				}
			}
		}
		h.now = h.now.Add(time.Hour)
		if _, err := r.say(t.Context()); err != nil {
			d.Fatal(err)
		}
		said := map[string]int64{} // the newest version of each sighting
		for _, raw := range h.taken {
			var o sightingObject
			if err := json.Unmarshal(raw, &o); err == nil && o.Type == "sighting" {
				if o.Count < said[o.ID] {
					d.Fatalf("%s says %d after %d", o.ID, o.Count, said[o.ID])
				}
				said[o.ID] = o.Count
			}
		}
		var want, got int64
		for _, n := range largest {
			want += n
		}
		for _, n := range said {
			got += n
		}
		if got != want {
			d.Fatalf("the sightings say %d of %d", got, want)
		}
	})
}
