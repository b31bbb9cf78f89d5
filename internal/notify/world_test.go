package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/internal/store/sqlite"
	"entente/label"
	"entente/register"
)

const realm = "operational"

var (
	ada   = gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "ada", Roles: []string{"analyst"}, Realm: realm}
	otto  = gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "otto", Roles: []string{"officer"}, Realm: realm}
	local = gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "local", Roles: []string{"admin", "analyst", "officer", "auditor"}, Realm: realm}
	ally  = gate.Viewer{Nation: "ARC", Org: "Arcadia CERT", Person: "bob", Roles: []string{"analyst", "officer"}, Realm: realm}
)

// world is a node's waist with a desk over it, on a clock that tests move.
type world struct {
	t        testing.TB
	dir      string
	st       store.Store
	x        *exchange.Exchange
	now      time.Time
	cfg      Config
	channels []Channel
	d        *Desk
	stage    int
}

// channel is the first channel, as an analyst sees it.
func (w *world) channel() ChannelView {
	w.t.Helper()
	list, err := w.d.Channels(context.Background(), ada, false)
	must(w.t, err)
	return list[0]
}

func newWorld(t testing.TB, dir string) *world {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	w := &world{t: t, dir: dir, now: time.Now().UTC().Truncate(time.Hour).Add(10 * time.Minute), cfg: DefaultConfig()}
	w.cfg.Contact = "Utopia CERT, soc@utopia.example, +99 1 234"
	var err error
	w.st, err = sqlite.Open(context.Background(), sqlite.Config{Dir: dir, Now: time.Now})
	must(t, err)
	t.Cleanup(func() { w.st.Close() })
	g := gate.New(gate.Rules{Nation: "UTO", Org: "Utopia CERT", Realm: realm, Communities: map[string][]gate.Party{"allies": {{Nation: "ARC", Org: "Arcadia CERT"}}}, Community: "allies"})
	w.x, err = exchange.New(context.Background(), exchange.Config{Nation: "UTO", Org: "Utopia CERT", Realm: realm, Gate: func() *gate.Gate { return g }, Now: w.clock}, w.st)
	must(t, err)
	t.Cleanup(w.x.Close)
	w.open()
	return w
}

func (w *world) clock() time.Time { return w.now }

// open makes the desk anew, as a restart does.
func (w *world) open() {
	w.t.Helper()
	var err error
	w.d, err = New(context.Background(), Options{Nation: "UTO", Org: "Utopia CERT", Realm: realm, Config: w.cfg, Channels: w.channels, Journal: journal{w.st, w.x}, Door: w.x, Docs: w.st,
		Recipient: func(org, name string) exchange.Recipient {
			if org == "Arcadia CERT" {
				return exchange.Recipient{Party: gate.Party{Nation: "ARC", Org: org}}
			}
			return exchange.Recipient{Party: gate.Party{Nation: "UTO", Org: name}, Client: true}
		}, Base: w.dir, Now: w.clock})
	must(w.t, err)
}

// journal is what the node gives its followers.
type journal struct {
	st store.Store
	x  *exchange.Exchange
}

func (j journal) own() gate.Scope { return j.x.Gate().Own(time.Now()) }
func (j journal) Follow(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error) {
	return j.st.Follow(ctx, j.own(), after, limit)
}
func (j journal) Headers(ctx context.Context, after record.Seq, limit int) ([]store.Entry, error) {
	return j.st.Watch(ctx, j.own(), after, limit)
}
func (j journal) Page(ctx context.Context, q store.Query) (store.Page, error) {
	return j.st.Page(ctx, j.own(), q)
}
func (j journal) Scrub(ctx context.Context, id string) error {
	_, err := j.st.Purge(ctx, j.own(), store.Purge{ID: id, Act: store.Act{Actor: "node", Verb: "object.purge"}})
	return err
}

// catchUp follows the journal to its end, and looks back.
func (w *world) catchUp() {
	w.t.Helper()
	for range 10_000 {
		busy, err := w.d.advance(context.Background())
		must(w.t, err)
		if !busy {
			return
		}
	}
	w.t.Fatal("the desk does not come to an end")
}

// deliver makes one round of sending.
func (w *world) deliver() {
	for _, ids := range w.d.due() {
		for _, id := range ids {
			_ = w.d.send(context.Background(), id)
		}
	}
}

func (w *world) alerts(v gate.Viewer) []Alert {
	w.t.Helper()
	out, _, err := w.d.Alerts(context.Background(), v, Filter{}, "", 1000)
	must(w.t, err)
	return out
}

func (w *world) notes(v gate.Viewer, states ...string) []Notification {
	w.t.Helper()
	out, _, err := w.d.Notifications(context.Background(), v, Filter{States: states}, "", 1000)
	must(w.t, err)
	return out
}

// one is the only notification in a state.
func (w *world) one(state State) Notification {
	w.t.Helper()
	list := w.notes(local, string(state))
	if len(list) != 1 {
		w.t.Fatalf("%d notifications are %s: %+v", len(list), state, w.notes(local))
	}
	return list[0]
}

// give hands objects in under a label.
func (w *world) give(v gate.Viewer, words string, objects ...string) {
	w.t.Helper()
	l := labelOf(w.t, words)
	var raw [][]byte
	for _, o := range objects {
		raw = append(raw, []byte(o))
	}
	out, err := w.x.Accept(context.Background(), v, exchange.Submission{Objects: raw, Default: &l, Restrict: &l, Via: "feed:test"})
	must(w.t, err)
	for _, o := range out {
		if o.State != exchange.Added {
			w.t.Fatalf("%s %s: %s %s", o.State, o.ID, o.Code, o.Message)
		}
	}
	w.now = w.now.Add(time.Second)
}

const (
	waterID  = "constituent--3d1c9c1e-2f6a-4f7e-8d7d-0a8f64a5c001"
	powerID  = "constituent--3d1c9c1e-2f6a-4f7e-8d7d-0a8f64a5c002"
	arcadeID = "constituent--3d1c9c1e-2f6a-4f7e-8d7d-0a8f64a5c003"
)

// water is a constituent with something of everything.
func water() *register.Constituent {
	return &register.Constituent{ID: waterID, Name: "Utopia Water", Criticality: register.High, Languages: []string{"en"},
		Contacts: []register.Contact{{Name: "Water SOC", Email: "soc@water.example"}},
		Networks: []register.Network{{Range: "203.0.113.0/24", Name: "Pumps"}},
		Domains:  []register.Domain{{Name: "water.example", IncludeSubdomains: true}},
		Software: []register.Software{{Vendor: "Microsoft", Product: "Windows"}}}
}

// serve puts constituents into the register, each time as a new version.
func (w *world) serve(list ...*register.Constituent) {
	w.t.Helper()
	if w.stage == 0 {
		for _, o := range register.Definition() {
			w.give(local, "tlp:clear", string(o))
		}
	}
	for _, c := range list {
		w.stage++
		c.Type, c.SpecVersion = register.Type, "2.1"
		c.Created, c.Modified = "2026-01-01T00:00:00.000Z", time.Date(2026, 1, 1, 0, 0, w.stage, 0, time.UTC).Format("2006-01-02T15:04:05.000Z")
		c.Extensions = map[string]register.Extension{register.DefinitionID: {Type: "new-sdo"}}
		raw, err := c.Canonical()
		must(w.t, err)
		w.give(local, "tlp:red", string(raw))
	}
}

func uuid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }

// indicator is an indicator with a pattern, in its nth version.
func indicator(n, version int, pattern, more string) string {
	b, err := json.Marshal(pattern)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":"indicator--%s","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:%02d.000Z","name":"Beacon %d",`+
		`"indicator_types":["malicious-activity"],"pattern":%s,"pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"%s}`, uuid(n), version, n, b, more)
}

func address(ip string) string { return "[ipv4-addr:value = '" + ip + "']" }

// kev is a vulnerability as the catalogue feed writes it.
func kev(n int, cve, vendor, product, due string) string {
	return fmt.Sprintf(`{"type":"vulnerability","spec_version":"2.1","id":"vulnerability--%s","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":%q,`+
		`"external_references":[{"source_name":"cve","external_id":%[2]q}],"extensions":{"extension-definition--%s":{"extension_type":"property-extension","vendor_project":%q,"product":%q,`+
		`"date_added":"2026-01-01","due_date":%q}}}`, uuid(n), cve, uuid(999), vendor, product, due)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if err == nil || fault.Of(err) != kind {
		t.Fatalf("%v is no %s", err, kind)
	}
}

func has(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%q is not in:\n%s", p, text)
		}
	}
}

func names(list []Alert) (out []string) {
	for _, a := range list {
		out = append(out, a.Title)
	}
	slices.Sort(out)
	return out
}

type seq = record.Seq

func errOf[T any](_ T, err error) error { return err }

func itoa(n int) string { return fmt.Sprint(n) }

// labelOf reads words such as "tlp:amber,onward:none,nation:KWT".
func labelOf(t testing.TB, text string) label.Label {
	t.Helper()
	var plain []string
	change := func(*label.Label) {}
	for word := range strings.SplitSeq(text, ",") {
		dimension, value, _ := strings.Cut(word, ":")
		before := change
		switch dimension {
		case "onward":
			change = func(l *label.Label) {
				before(l)
				l.Onward = map[string]label.Onward{"none": label.OnwardNone, "consent": label.OnwardConsent}[value]
			}
		case "access":
			change = func(l *label.Label) { before(l); l.Access = label.View }
		case "attrib":
			change = func(l *label.Label) {
				before(l)
				l.Attribution = map[string]label.Attribution{"must": label.Must, "must-not": label.MustNot, "withhold": label.Withhold}[value]
			}
		case "purpose":
			change = func(l *label.Label) {
				before(l)
				p, err := label.ParsePurposes(value)
				must(t, err)
				l.Purpose = p
			}
		case "caveat":
			change = func(l *label.Label) {
				before(l)
				c, err := label.NewSet(value)
				must(t, err)
				l.Caveat = c
			}
		case "until":
			change = func(l *label.Label) {
				before(l)
				u, err := time.Parse(time.RFC3339, value)
				must(t, err)
				l.NotAfter = u
			}
		default:
			plain = append(plain, word)
		}
	}
	l, _, err := label.ParseWords(strings.Join(plain, ","))
	must(t, err)
	change(&l)
	if strings.Contains(text, "person:") {
		l = l.To(l.Audience)
	}
	return l
}

func hoursOf(zone, span string) *register.Hours {
	return &register.Hours{Zone: zone, Mon: span, Tue: span, Wed: span, Thu: span, Fri: span}
}
