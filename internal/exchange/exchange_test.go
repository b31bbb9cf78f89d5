package exchange_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/internal/store/sqlite"
	"entente/label"
)

// world is one node's exchange over a real store, with a clock that the test sets.
type world struct {
	*exchange.Exchange
	t    *testing.T
	dir  string
	now  time.Time
	db   *sqlite.Store
	coll string
}

var (
	analyst = gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "ana", Roles: []string{gate.RoleAnalyst, gate.RoleAdmin, gate.RoleOfficer, gate.RoleAuditor}, Realm: "operational"}
	client  = gate.Viewer{Nation: "UTO", Org: "Grid", Person: "gus", Roles: []string{gate.RoleAnalyst}, Realm: "operational"}
	member  = gate.Viewer{Nation: "RUR", Org: "Ruritania CERT", Person: "rita", Roles: []string{gate.RoleAnalyst}, Realm: "operational"}
	outside = gate.Viewer{Nation: "FRE", Org: "Freedonia CERT", Person: "fred", Roles: []string{gate.RoleAnalyst}, Realm: "operational"}
)

func newWorld(t *testing.T) *world {
	w := &world{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	w.open()
	c, err := w.AddCollection(context.Background(), analyst, exchange.Collection{Title: "Indicators", Alias: "ind"})
	if err != nil {
		t.Fatal(err)
	}
	w.coll = c.ID
	t.Cleanup(w.close)
	return w
}

func (w *world) open() {
	w.t.Helper()
	ctx := context.Background()
	clock := func() time.Time { return w.now }
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: w.dir, Now: clock})
	if err != nil {
		w.t.Fatal(err)
	}
	g := gate.New(gate.Rules{Nation: "UTO", Org: "Utopia CERT", Realm: "operational", Clients: []gate.Party{{Nation: "UTO", Org: "Grid"}},
		Communities: map[string][]gate.Party{"allies": {{Nation: "UTO"}, {Nation: "RUR"}}}, Community: "allies"})
	x, err := exchange.New(ctx, exchange.Config{Nation: "UTO", Org: "Utopia CERT", Realm: "operational", Now: clock, Gate: func() *gate.Gate { return g }}, db)
	if err != nil {
		w.t.Fatal(err)
	}
	w.db, w.Exchange = db, x
}

func (w *world) close() {
	w.Exchange.Close()
	if err := w.db.Close(); err != nil {
		w.t.Error(err)
	}
}

// as accepts objects and says what became of them.
func (w *world) as(v gate.Viewer, objects ...string) []exchange.Outcome {
	w.t.Helper()
	raw := make([][]byte, len(objects))
	for i, o := range objects {
		raw[i] = []byte(o)
	}
	out, err := w.Accept(context.Background(), v, exchange.Submission{Collection: w.coll, Objects: raw, Via: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func states(out []exchange.Outcome) string {
	var s []string
	for _, o := range out {
		if o.Code != "" {
			s = append(s, string(o.State)+" "+o.Code)
			continue
		}
		s = append(s, string(o.State))
	}
	return strings.Join(s, ", ")
}

// sees lists the numbers of the indicators that a viewer finds in the collection.
func (w *world) sees(v gate.Viewer) string {
	w.t.Helper()
	page, err := w.Read(context.Background(), v, store.Query{Collection: w.coll})
	if err != nil {
		w.t.Fatal(err)
	}
	var s []string
	for _, it := range page.Items {
		s = append(s, it.Record.ID[len(it.Record.ID)-2:])
	}
	return strings.Join(s, " ")
}

func id(typ string, n int) string { return fmt.Sprintf("%s--00000000-0000-4000-8000-%012d", typ, n) }

type more = string

// indicator is a small valid indicator; extra members come as JSON text.
func indicator(n int, marking string, extra ...more) string {
	refs := ""
	if marking != "" {
		refs = fmt.Sprintf(`,"object_marking_refs":["%s"]`, marking)
	}
	s := fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":"%s","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z",`+
		`"pattern":"[ipv4-addr:value = '192.0.2.%d']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z","indicator_types":["malicious-activity"],"name":"n%d"%s`,
		id("indicator", n), n%250, n, refs)
	for _, e := range extra {
		s += "," + e
	}
	return s + "}"
}

func at(object, modified string) string {
	return strings.Replace(object, `"modified":"2026-01-01T00:00:00.000Z"`, `"modified":"`+modified+`"`, 1)
}

var (
	red, amberStrict, amber, green, clearID = label.TLPMarkingID(label.Red, false), label.TLPMarkingID(label.AmberStrict, false),
		label.TLPMarkingID(label.Amber, false), label.TLPMarkingID(label.Green, false), label.TLPMarkingID(label.Clear, false)
)

func TestWhoSeesWhat(t *testing.T) {
	w := newWorld(t)
	if got := states(w.as(analyst, indicator(1, red), indicator(2, amberStrict), indicator(3, amber), indicator(4, green), indicator(5, clearID), indicator(6, ""))); got != "added, added, added, added, added, added" {
		t.Fatal(got)
	}
	w.as(member, indicator(7, ""), indicator(8, amberStrict))
	for _, c := range []struct {
		v    gate.Viewer
		want string
	}{
		{analyst, "01 02 03 04 05 06 08"}, // the own organisation: everything but another's RED, which an unmarked object is
		{client, "03 04 05"},
		{member, "04 05 07 08"},
		{outside, "05"},
	} {
		if got := w.sees(c.v); got != c.want {
			t.Errorf("%s sees %s, want %s", c.v.Org, got, c.want)
		}
	}
}

func TestDefaultOfACollection(t *testing.T) {
	w := newWorld(t)
	def := label.For(label.Green)
	c, err := w.AddCollection(context.Background(), analyst, exchange.Collection{Title: "Open", Default: &def})
	if err != nil {
		t.Fatal(err)
	}
	w.coll = c.ID
	w.as(analyst, indicator(1, ""), indicator(2, red))
	if got := w.sees(member); got != "01" {
		t.Fatalf("the member sees %q", got)
	}
}

func TestRefusalsKeepNobodyOut(t *testing.T) {
	w := newWorld(t)
	out := w.as(analyst, indicator(1, clearID), `{"type":"indicator"`, `{"type":"indicator","spec_version":"2.1","id":"indicator--x"}`, indicator(2, clearID))
	if out[0].State != exchange.Added || out[1].State != exchange.Refused || out[2].State != exchange.Refused || out[3].State != exchange.Added {
		t.Fatal(states(out))
	}
	for _, o := range out[1:3] {
		if o.Message == "" || o.Code == "" {
			t.Errorf("a refusal says nothing: %+v", o)
		}
	}
	if got := w.sees(outside); got != "01 02" {
		t.Fatal(got)
	}
}

func TestUnresolvedMarkingWaits(t *testing.T) {
	w := newWorld(t)
	statement := id("marking-definition", 9)
	if got := states(w.as(analyst, indicator(1, statement, `"labels":["x"]`))); got != "held marking.unresolved" {
		t.Fatal(got)
	}
	if got := w.sees(analyst); got != "01" {
		t.Fatalf("its submitter's organisation sees %q", got)
	}
	if got := w.sees(member); got != "" {
		t.Fatalf("others see %q", got)
	}
	held, err := w.Quarantine(context.Background(), analyst, 0, 10)
	if err != nil || len(held) != 1 || held[0].Hold.Awaits[0] != statement {
		t.Fatalf("%+v %v", held, err)
	}
	def := label.For(label.Clear)
	if _, err := w.Accept(context.Background(), analyst, exchange.Submission{Collection: w.coll, Default: &def, Objects: [][]byte{[]byte(
		`{"type":"marking-definition","spec_version":"2.1","id":"` + statement + `","created":"2026-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"ours"}}`)}}); err != nil {
		t.Fatal(err)
	}
	held, err = w.Quarantine(context.Background(), analyst, 0, 10)
	if err != nil || len(held) != 0 {
		t.Fatalf("still held: %+v %v", held, err)
	}
	// A statement restricts nothing and states no TLP: the object is RED for its organisation.
	if got := w.sees(member); got != "09" {
		t.Fatalf("others see %q", got)
	}
	if got := w.sees(analyst); !strings.Contains(got, "01") {
		t.Fatalf("its organisation sees %q", got)
	}
}

// Nobody says for another what a marking means.
func TestAnothersDefinitionDoesNotCount(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	def := label.For(label.Clear)
	define := func(v gate.Viewer) {
		if _, err := w.Accept(ctx, v, exchange.Submission{Collection: w.coll, Default: &def, Objects: [][]byte{[]byte(
			`{"type":"marking-definition","spec_version":"2.1","id":"` + id("marking-definition", 9) +
				`","created":"2026-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"restricts nothing"}}`)}}); err != nil {
			t.Fatal(err)
		}
	}
	submit := func(v gate.Viewer, n int) string {
		out, err := w.Accept(ctx, v, exchange.Submission{Collection: w.coll, Default: &def, Objects: [][]byte{[]byte(indicator(n, id("marking-definition", 9)))}})
		if err != nil {
			t.Fatal(err)
		}
		return states(out)
	}
	if got := submit(analyst, 1); got != "held marking.unresolved" {
		t.Fatal(got)
	}
	define(outside)
	if held, err := w.Quarantine(ctx, analyst, 0, 10); err != nil || len(held) != 1 {
		t.Fatalf("a partner let the own organisation's record out: %d %v", len(held), err)
	}
	if got := submit(member, 2); got != "held marking.unresolved" {
		t.Fatalf("one partner spoke for another: %s", got)
	}
	if got := submit(outside, 3); got != "added" {
		t.Fatalf("its own definition does not count: %s", got)
	}
}

func TestOfficerDecides(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.as(analyst, indicator(1, id("marking-definition", 5)), indicator(2, id("marking-definition", 6)))
	held, err := w.Quarantine(ctx, analyst, 0, 10)
	if err != nil || len(held) != 2 {
		t.Fatal(held, err)
	}
	if err := w.ReleaseHeld(ctx, client, held[0].Rec, nil); fault.Of(err) != fault.Forbidden {
		t.Fatalf("an analyst of a client decided: %v", err)
	}
	as := label.For(label.Clear)
	if err := w.ReleaseHeld(ctx, analyst, held[0].Rec, &as); err != nil {
		t.Fatal(err)
	}
	if err := w.RefuseHeld(ctx, analyst, held[1].Rec); err != nil {
		t.Fatal(err)
	}
	if got := w.sees(outside); got != "01" {
		t.Fatal(got)
	}
	if got := w.sees(analyst); got != "01" {
		t.Fatalf("a refused record is still there: %q", got)
	}
}

func TestVersions(t *testing.T) {
	w := newWorld(t)
	one := indicator(1, clearID, `"created_by_ref":"`+id("identity", 1)+`"`)
	w.as(analyst, one)
	for _, c := range []struct{ name, object, want string }{
		{"again", one, "present"},
		{"the same version with other content", strings.Replace(one, `"n1"`, `"other"`, 1), "different version.content"},
		{"another's version", at(strings.Replace(one, id("identity", 1), id("identity", 2), 1), "2026-02-01T00:00:00.000Z"), "held version.creator"},
		{"a later version", at(one, "2026-03-01T00:00:00.000Z"), "added"},
		{"revoked", strings.Replace(at(one, "2026-04-01T00:00:00.000Z"), `"name"`, `"revoked":true,"name"`, 1), "added"},
		{"after the revocation", at(one, "2026-05-01T00:00:00.000Z"), "held version.revoked"},
		{"from the future", at(one, "2026-11-21T12:06:00.000Z"), "held time.future, held version.revoked"},
	} {
		got := states(w.as(analyst, c.object))
		if got != c.want && !strings.HasPrefix(c.want, got) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestOneOrganisationDoesNotTouchAnothers(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.as(analyst, indicator(1, clearID))
	if got := states(w.as(member, at(indicator(1, clearID), "2026-02-01T00:00:00.000Z"))); got != "held version.origin" {
		t.Fatal(got)
	}
	if got := states(w.as(member, indicator(1, clearID))); got != "present" {
		t.Fatal(got)
	}
	if _, err := w.Remove(ctx, member, w.coll, id("indicator", 1), store.Versions{}, nil); fault.Of(err) != fault.Forbidden {
		t.Fatalf("a partner removed another's object: %v", err)
	}
	w.as(member, indicator(2, clearID))
	if n, err := w.Remove(ctx, member, w.coll, id("indicator", 2), store.Versions{}, nil); err != nil || n != 1 {
		t.Fatalf("a partner could not remove its own: %d %v", n, err)
	}
	if got := w.sees(outside); got != "01" {
		t.Fatal(got)
	}
}

// What a viewer may not see changes nothing that it gets back.
func TestHiddenTwinIsNotBetrayed(t *testing.T) {
	w := newWorld(t)
	w.as(analyst, indicator(1, red))
	if got := states(w.as(outside, strings.Replace(indicator(1, red), `"n1"`, `"mine"`, 1))); got != "added" {
		t.Fatalf("the answer tells of a hidden object: %s", got)
	}
	if got := w.sees(outside); got != "01" {
		t.Fatal(got)
	}
	page, _ := w.Read(context.Background(), outside, store.Query{Collection: w.coll})
	if !strings.Contains(string(page.Items[0].Record.Body), `"mine"`) {
		t.Fatal("another's content is served")
	}
}

// The own organisation's records are withheld from others when they name what those may not have.
func TestClosure(t *testing.T) {
	w := newWorld(t)
	rel := func(n int, from, to string) string {
		return fmt.Sprintf(`{"type":"relationship","spec_version":"2.1","id":"%s","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z",`+
			`"relationship_type":"related-to","source_ref":"%s","target_ref":"%s","object_marking_refs":["%s"]}`, id("relationship", n), from, to, clearID)
	}
	one, two, three := id("indicator", 1), id("indicator", 2), id("indicator", 3)
	w.as(analyst, indicator(1, clearID), indicator(2, red), rel(11, one, one), rel(12, one, two), rel(13, one, three))
	if got := w.sees(outside); got != "01 11" {
		t.Fatalf("outside sees %q", got)
	}
	w.as(analyst, indicator(3, clearID))
	if got := w.sees(outside); got != "01 11 13 03" {
		t.Fatalf("after the target has come: %q", got)
	}
	if _, err := w.Remove(context.Background(), analyst, w.coll, one, store.Versions{}, nil); err != nil {
		t.Fatal(err)
	}
	if got := w.sees(outside); got != "03" {
		t.Fatalf("after the target has gone: %q", got)
	}
	// Received records go by their own label only.
	w.as(member, rel(14, one, two))
	if got := w.sees(outside); got != "03 14" {
		t.Fatalf("a received record: %q", got)
	}
	if got := w.sees(analyst); !strings.Contains(got, "12") {
		t.Fatalf("the own organisation sees %q", got)
	}
}

func TestEmbargoAndRetention(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	l := label.For(label.Clear)
	l.NotBefore, l.NotAfter = w.now.Add(time.Hour), w.now.Add(3*time.Hour)
	raw := []byte(indicator(1, clearID))
	if _, err := w.Accept(ctx, analyst, exchange.Submission{Collection: w.coll, Objects: [][]byte{raw}, Restrict: &l}); err != nil {
		t.Fatal(err)
	}
	if got := w.sees(outside); got != "" {
		t.Fatalf("under embargo: %q", got)
	}
	before := w.now
	w.now = w.now.Add(2 * time.Hour)
	if err := w.KeepTime(ctx); err != nil {
		t.Fatal(err)
	}
	page, err := w.Read(ctx, outside, store.Query{Collection: w.coll})
	if err != nil || len(page.Items) != 1 || !page.Items[0].Seq.Time().After(before.Add(time.Hour)) {
		t.Fatalf("after the embargo a poller meets nothing new: %+v %v", page.Items, err)
	}
	w.now = w.now.Add(2 * time.Hour)
	if got := w.sees(outside); got != "" {
		t.Fatalf("after its retention: %q", got)
	}
	if err := w.KeepTime(ctx); err != nil {
		t.Fatal(err)
	}
	if got := w.sees(analyst); got != "" {
		t.Fatalf("after its retention the originator still holds %q", got)
	}
}

func TestReleasesAreWrittenDown(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.as(analyst, indicator(1, green), indicator(2, clearID))
	w.sees(analyst)
	w.sees(outside)
	w.sees(outside)
	holders, err := w.Holders(ctx, analyst, id("indicator", 2))
	if err != nil || len(holders) != 1 || holders[0].Party != "FRE/Freedonia CERT" || holders[0].Clause == "" {
		t.Fatalf("%+v %v", holders, err)
	}
	if holders, err = w.Holders(ctx, analyst, id("indicator", 1)); err != nil || len(holders) != 0 {
		t.Fatalf("%+v %v", holders, err)
	}
	if _, err := w.Holders(ctx, outside, id("indicator", 2)); fault.Of(err) != fault.Forbidden {
		t.Fatal("a partner asked who holds what")
	}
}

func TestPostsOfEverySize(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	p, err := w.Post(ctx, member, w.coll, "taxii", [][]byte{[]byte(indicator(1, clearID)), []byte(`[]`)})
	if err != nil || !p.Final || p.Added != 1 || p.Done != 2 {
		t.Fatalf("%+v %v", p, err)
	}
	if _, err := w.Status(ctx, outside, p.ID); fault.Of(err) != fault.NotFound {
		t.Fatal("another viewer reads the status")
	}
	var many [][]byte
	for n := range 2500 {
		many = append(many, []byte(indicator(1000+n, clearID)))
	}
	if p, err = w.Post(ctx, member, w.coll, "taxii", many); err != nil || p.Final || p.Total != 2500 {
		t.Fatalf("%+v %v", p, err)
	}
	w.close() // a stop in the middle
	w.open()
	for deadline := time.Now().Add(3 * time.Minute); !p.Final; time.Sleep(5 * time.Millisecond) {
		if p, err = w.Status(ctx, member, p.ID); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("never finished: %+v", p)
		}
	}
	if p.Added != 2500 {
		t.Fatalf("%d added", p.Added)
	}
	page, err := w.Read(ctx, outside, store.Query{Collection: w.coll, Headers: true, Limit: 10000})
	if err != nil || len(page.Items) != 2501 {
		t.Fatalf("%d %v", len(page.Items), err)
	}
}

func TestRightsOnCollections(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	add := func(c exchange.Collection) string {
		t.Helper()
		out, err := w.AddCollection(ctx, analyst, c)
		if err != nil {
			t.Fatal(err)
		}
		return out.ID
	}
	if err := w.AddRoot(ctx, analyst, exchange.Root{Path: "ruritania", Title: "For Ruritania", Party: "RUR/Ruritania CERT"}); err != nil {
		t.Fatal(err)
	}
	readOnly := add(exchange.Collection{Title: "r", Read: []string{gate.RoleAnalyst}, Write: []string{gate.RolePublisher}})
	writeOnly := add(exchange.Collection{Title: "w", Read: []string{gate.RoleAuditor}, Write: []string{gate.RoleAnalyst}})
	neither := add(exchange.Collection{Title: "n", Read: []string{gate.RoleAuditor}, Write: []string{gate.RolePublisher}})
	theirs := add(exchange.Collection{Title: "t", Root: "ruritania"})
	kind := func(err error) string {
		if err == nil {
			return "ok"
		}
		return fault.Of(err).String()
	}
	for _, c := range []struct {
		v               gate.Viewer
		coll            string
		reading, adding string
	}{
		{outside, readOnly, "ok", "forbidden"},
		{outside, writeOnly, "forbidden", "ok"},
		{outside, neither, "not_found", "not_found"},
		{outside, theirs, "not_found", "not_found"},
		{member, theirs, "ok", "ok"},
		{outside, "no-such", "not_found", "not_found"},
	} {
		_, err := w.Read(ctx, c.v, store.Query{Collection: c.coll})
		if got := kind(err); got != c.reading {
			t.Errorf("%s reads %s: %s, want %s", c.v.Org, c.coll, got, c.reading)
		}
		_, err = w.Accept(ctx, c.v, exchange.Submission{Collection: c.coll, Objects: [][]byte{[]byte(indicator(1, clearID))}})
		if got := kind(err); got != c.adding {
			t.Errorf("%s writes %s: %s, want %s", c.v.Org, c.coll, got, c.adding)
		}
	}
	if _, err := w.AddCollection(ctx, outside, exchange.Collection{Title: "mine"}); fault.Of(err) != fault.Forbidden {
		t.Fatal("a partner made a collection")
	}
}

func TestPurgeTakesEverything(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	w.as(analyst, indicator(1, clearID), indicator(2, clearID))
	w.as(outside, strings.Replace(indicator(1, red), `"n1"`, `"mine"`, 1))
	if _, err := w.Purge(ctx, client, id("indicator", 1), false); fault.Of(err) != fault.Forbidden {
		t.Fatal("a client purged")
	}
	report, err := w.Purge(ctx, analyst, id("indicator", 1), true)
	if err != nil || report.Records == 0 || w.sees(analyst) == "02" {
		t.Fatalf("a dry run: %+v %v", report, err)
	}
	if report, err = w.Purge(ctx, analyst, id("indicator", 1), false); err != nil || report.Records == 0 {
		t.Fatalf("%+v %v", report, err)
	}
	for _, v := range []gate.Viewer{analyst, outside} {
		if got := w.sees(v); got != "02" {
			t.Errorf("%s still sees %q", v.Org, got)
		}
	}
}
