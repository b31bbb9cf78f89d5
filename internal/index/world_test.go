package index

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/internal/store/sqlite"
	"entente/label"
)

// world is one node's waist with an index over it, and a clock that the test sets.
type world struct {
	*exchange.Exchange
	t    testing.TB
	dir  string
	side string
	time atomic.Int64 // µs since 1970
	db   *sqlite.Store
	gate *gate.Gate
	x    *Index
}

var (
	us      = gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "ana", Roles: []string{gate.RoleAnalyst, gate.RoleAdmin, gate.RoleOfficer, gate.RoleAuditor}, Realm: "operational"}
	grid    = gate.Viewer{Nation: "UTO", Org: "Grid", Person: "gus", Roles: []string{gate.RoleAnalyst}, Realm: "operational"}
	member  = gate.Viewer{Nation: "RUR", Org: "Ruritania CERT", Person: "rita", Roles: []string{gate.RoleAnalyst}, Realm: "operational"}
	outside = gate.Viewer{Nation: "FRE", Org: "Freedonia CERT", Person: "fred", Roles: []string{gate.RoleAnalyst}, Realm: "operational"}
	viewers = []gate.Viewer{us, grid, member, outside}
)

// source is the journal with the node's own scope.
type source struct{ w *world }

func (s source) Follow(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error) {
	return s.w.Exchange.Follow(ctx, s.w.gate.Own(s.w.now()), after, limit)
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), side: t.TempDir()}
	w.time.Store(time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC).UnixMicro())
	clock := w.now
	var err error
	w.db, err = sqlite.Open(t.Context(), sqlite.Config{Dir: w.dir, Now: clock})
	w.must(err)
	w.gate = gate.New(gate.Rules{Nation: "UTO", Org: "Utopia CERT", Realm: "operational", Clients: []gate.Party{{Nation: "UTO", Org: "Grid"}},
		Communities: map[string][]gate.Party{"allies": {{Nation: "UTO"}, {Nation: "RUR"}}}, Community: "allies"})
	w.Exchange, err = exchange.New(t.Context(), exchange.Config{Nation: "UTO", Org: "Utopia CERT", Realm: "operational", Now: clock, Gate: func() *gate.Gate { return w.gate }}, w.db)
	w.must(err)
	w.open()
	t.Cleanup(w.close)
	return w
}

func (w *world) close() {
	if w.x != nil {
		w.must(w.x.Close())
		w.Exchange.Close()
		w.must(w.db.Close())
	}
	w.x = nil
}

func (w *world) now() time.Time { return time.UnixMicro(w.time.Load()).UTC() }

func (w *world) config() Config {
	return Config{Dir: w.indexDir(), Nation: "UTO", Org: "Utopia CERT", Now: w.now, Poll: time.Hour}
}

func (w *world) indexDir() string { return filepath.Join(w.side, "index") } // beside the store: a purge searches the store's folder

func (w *world) open() {
	w.t.Helper()
	var err error
	w.x, err = Open(context.Background(), w.config(), source{w})
	w.must(err)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) scope(v gate.Viewer) gate.Scope { return w.gate.Scope(v, w.now()) }

// take accepts objects as a viewer and indexes them.
func (w *world) take(v gate.Viewer, objects ...string) []exchange.Outcome {
	w.t.Helper()
	raw := make([][]byte, len(objects))
	for i, o := range objects {
		raw[i] = []byte(o)
	}
	out, err := w.Accept(context.Background(), v, exchange.Submission{Objects: raw, Via: "test"})
	w.must(err)
	for _, o := range out {
		if o.State == exchange.Refused {
			w.t.Fatalf("%s: %s", o.ID, o.Message)
		}
	}
	w.sync()
	return out
}

func (w *world) sync() {
	w.t.Helper()
	w.must(w.x.Sync(context.Background()))
}

// finds is the short names of what a query finds, in order.
func (w *world) finds(v gate.Viewer, text string) string {
	w.t.Helper()
	return w.hits(v, Query{Text: text})
}

func (w *world) hits(v gate.Viewer, q Query) string {
	w.t.Helper()
	res, err := w.x.Search(context.Background(), w.scope(v), q)
	w.must(err)
	var s []string
	for _, h := range res.Hits {
		s = append(s, short(h.ID))
	}
	if q.Limit == 0 && res.Total != len(s) {
		w.t.Fatalf("%q: %d hits of %d", q.Text, len(s), res.Total)
	}
	return strings.Join(s, " ")
}

// short is an id's type and number: "malware 7".
func short(id string) string {
	typ, rest, _ := strings.Cut(id, "--")
	n := strings.TrimLeft(rest[strings.LastIndexByte(rest, '-')+1:], "0")
	return typ[:3] + n
}

func id(typ string, n int) string { return fmt.Sprintf("%s--00000000-0000-4000-8000-%012d", typ, n) }

var tlpID = map[string]string{"red": label.TLPMarkingID(label.Red, false), "amber+strict": label.TLPMarkingID(label.AmberStrict, false),
	"amber": label.TLPMarkingID(label.Amber, false), "green": label.TLPMarkingID(label.Green, false), "clear": label.TLPMarkingID(label.Clear, false)}

// sdo is an object with a TLP and further members as JSON text.
func sdo(typ string, n int, tlp string, more ...string) string {
	s := fmt.Sprintf(`{"type":%q,"spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z"`, typ, id(typ, n))
	if tlp != "" {
		s += fmt.Sprintf(`,"object_marking_refs":[%q]`, tlpID[tlp])
	}
	return s + "," + strings.Join(more, ",") + "}"
}

func malware(n int, tlp, name, description string, more ...string) string {
	return sdo("malware", n, tlp, append([]string{fmt.Sprintf(`"is_family":false,"name":%q,"description":%q`, name, description)}, more...)...)
}

func indicator(n int, tlp, pattern string) string {
	return sdo("indicator", n, tlp, fmt.Sprintf(`"pattern":%q,"pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","indicator_types":["malicious-activity"]`, pattern))
}

func relation(n int, tlp, typ, from, to string) string {
	return sdo("relationship", n, tlp, fmt.Sprintf(`"relationship_type":%q,"source_ref":%q,"target_ref":%q`, typ, from, to))
}

func at(object, modified string) string {
	return strings.Replace(object, `"modified":"2026-01-01T00:00:00.000Z"`, `"modified":"`+modified+`"`, 1)
}

// reads is the id of every object that the exchange hands a viewer.
func (w *world) reads(v gate.Viewer) (ids []string) {
	w.t.Helper()
	for q := (store.Query{Headers: true}); ; {
		page, err := w.Read(context.Background(), v, q)
		w.must(err)
		for _, it := range page.Items {
			ids = append(ids, it.Record.ID)
		}
		if q.After = page.Next; !page.More {
			return ids
		}
	}
}
