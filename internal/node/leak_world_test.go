package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/feed"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/surface/api"
	"entente/label"
)

const (
	fixedUUID     = "f1ed0ff00d00" // ends every id that the tests choose
	leakPassword  = "a long enough phrase"
	freedonia     = "Freedonia CERT"
	ruritania     = "Ruritania CERT"
	clockOfLeaks  = 1_790_000_000 // s since 1970
	tickOfLeaks   = 200 * time.Millisecond
	hiddenAccount = "qz0hiddenaccount"
)

// leakWorld is one node with what the script put into it.
type leakWorld struct {
	t       *testing.T
	n       *Node
	admin   *api.Client
	clock   atomic.Int64 // µs since 1970
	names   map[string]string
	tokens  map[string]string
	cert    *x509.Certificate
	ca      *x509.Certificate
	hidden  func(from string) bool // what is hidden here and left out
	taints  []string
	visible []string // the collections that everybody knows, by alias
	settle  func()   // waits for what the node does of itself after a change, at a time of its own; nil: nothing of it is told
}

func newLeakWorld(t *testing.T, leftOut func(from string) bool) *leakWorld {
	t.Helper()
	w := &leakWorld{t: t, names: map[string]string{}, tokens: map[string]string{}, hidden: leftOut}
	w.clock.Store(clockOfLeaks * 1_000_000)
	now := func() time.Time { return time.UnixMicro(w.clock.Load()).UTC() }
	data := filepath.Join(t.TempDir(), "node")
	w.must(Create(t.Context(), Init{Data: data, Nation: "UTO", Org: "Utopia CERT", Now: now}))
	cfg := DefaultConfig(data)
	cfg.Now = now
	cfg.Gate.Community = "allies"
	if !leftOut("partners") {
		cfg.Feeds = []feed.Config{{Name: "vault", Kind: "list", File: "list.txt", Label: "tlp:amber", Schedule: "manual"}}
		w.must(os.WriteFile(filepath.Join(data, "list.txt"), []byte("hidden.example\nnonsense\n"), 0o600))
	}
	n, err := New(context.Background(), cfg)
	w.must(err)
	t.Cleanup(func() { n.close() })
	w.n, w.admin = n, api.NewClient("http://local", n.Local(), nil)
	for _, o := range []identity.Org{{Name: ruritania, Nation: "RUR"}, {Name: freedonia, Nation: "FRE"}} {
		w.must(errorOf(w.admin.AddOrg(t.Context(), o)))
	}
	w.must(errorOf(w.admin.PutCommunity(t.Context(), identity.Community{Name: "allies", Members: []string{ruritania, "Utopia CERT"}})))
	for _, who := range []struct{ name, org, role string }{
		{"rita", ruritania, "analyst"}, {"rosa", ruritania, "publisher"}, {"fred", freedonia, "analyst"}, {"ursula", "Utopia CERT", "analyst"},
	} {
		token, err := w.admin.AddToken(t.Context(), api.AddToken{Name: who.name, Org: who.org, Roles: []string{who.role}})
		w.must(err)
		w.tokens[who.name] = token.Text
	}
	cert, err := w.admin.AddCertificate(t.Context(), api.AddCertificate{Name: "rene", Org: ruritania, Roles: []string{"analyst"}})
	w.must(err)
	w.cert, w.ca = w.parse(cert.CertPEM), w.parse(cert.CAPEM)
	w.streamFrom("rita", "rosa", "ursula", "cert")
	return w
}

func (w *leakWorld) parse(text string) *x509.Certificate {
	w.t.Helper()
	block, _ := pem.Decode([]byte(text))
	c, err := x509.ParseCertificate(block.Bytes)
	w.must(err)
	return c
}

func errorOf[T any](_ T, err error) error { return err }

func (w *leakWorld) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *leakWorld) tick() { w.clock.Add(int64(tickOfLeaks / time.Microsecond)) }

func (w *leakWorld) now() time.Time { return time.UnixMicro(w.clock.Load()).UTC() }

// fill writes what this world calls things for their names in braces.
func (w *leakWorld) fill(text string) string {
	for name, value := range w.names {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// as is a session of the viewer with a token of that name; "" is nobody, "cert" shows the client certificate.
func (w *leakWorld) as(name string) *session {
	s := &session{t: w.t, w: w, name: name, limits: []int{7}}
	s.auth = func(r *http.Request) {
		w.tick()
		switch token := w.tokens[name]; {
		case name == "cert":
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{w.cert}, VerifiedChains: [][]*x509.Certificate{{w.cert, w.ca}}}
		case token != "":
			r.Header.Set("Authorization", "Bearer "+token)
		}
	}
	return s
}

// asAccount is a session with a password.
func (w *leakWorld) asAccount(name, password string) *session {
	s := &session{t: w.t, w: w, limits: []int{7}}
	s.auth = func(r *http.Request) { w.tick(); r.SetBasicAuth(name, password) }
	return s
}

// secret does what is hidden from some viewers: not in the world of those without it.
func (w *leakWorld) secret(from string, do func()) {
	w.tick()
	if !w.hidden(from) {
		do()
	}
}

// submit hands objects in and wants them in a state.
func (w *leakWorld) submit(by, collection string, q url.Values, want exchange.State, objects ...string) {
	w.t.Helper()
	w.tick()
	client := w.admin
	if by != "own" {
		client = api.NewClient("http://public", inProcess{w.n.public}, api.Token(w.tokens[by]))
	}
	if q == nil {
		q = url.Values{}
	}
	if collection != "" {
		q.Set("collection", w.fill(collection))
	}
	if _, err := client.Import(w.t.Context(), strings.NewReader("["+strings.Join(objects, ",")+"]"), q, func(e api.Event) {
		if e.Outcome != nil && e.Outcome.State != want {
			w.t.Errorf("%s is %s, want %s: %s", e.Outcome.ID, e.Outcome.State, want, e.Outcome.Message)
		}
	}); err != nil {
		w.t.Fatal(err)
	}
}

// taint is a word of 16 characters that stands nowhere else, for a hidden thing.
func (w *leakWorld) taint(kind string, n int) string {
	word := fmt.Sprintf("qz%s%0*dqz", kind, 12-len(kind), n)
	if !slices.Contains(w.taints, word) {
		w.taints = append(w.taints, word)
	}
	return word
}

func fixedID(typ string, n int) string {
	return fmt.Sprintf("%s--%08x-aaaa-4bbb-8ccc-%s", typ, n, fixedUUID)
}

func marked(t label.TLP) string { return label.TLPMarkingID(t, false) }

// sdo is a small object; extra members come as JSON text.
func sdo(typ string, n int, name, marking, modified string, extra ...string) string {
	s := fmt.Sprintf(`{"type":%q,"spec_version":"2.1","id":%q,"created":"2026-01-01T00:00:00.000Z","modified":%q,"name":%q`, typ, fixedID(typ, n), modified, name)
	switch typ {
	case "indicator":
		s += fmt.Sprintf(`,"pattern":"[domain-name:value = '%s.example']","pattern_type":"stix","valid_from":"2026-01-01T00:00:00Z"`, strings.ToLower(strings.ReplaceAll(name, " ", "-")))
	case "malware":
		s += `,"is_family":false`
	}
	if marking != "" {
		s += fmt.Sprintf(`,"object_marking_refs":[%q]`, marking)
	}
	for _, e := range extra {
		s += "," + e
	}
	return s + "}"
}

func relationship(n int, from, to, marking string) string {
	return fmt.Sprintf(`{"type":"relationship","spec_version":"2.1","id":%q,"created":%q,"modified":%q,"relationship_type":"related-to","source_ref":%q,"target_ref":%q,"object_marking_refs":[%q]}`,
		fixedID("relationship", n), first, first, from, to, marking)
}

func report(n int, name, marking, modified string, refs ...string) string {
	return sdo("report", n, name, marking, modified, `"published":"2026-01-01T00:00:00Z","report_types":["threat-report"],"object_refs":["`+strings.Join(refs, `","`)+`"]`)
}

func address(value, marking string) string {
	return fmt.Sprintf(`{"type":"ipv4-addr","spec_version":"2.1","id":"ipv4-addr--%s","value":%q,"object_marking_refs":[%q]}`, addressUUID, value, marking)
}

const (
	first  = "2026-01-01T00:00:00.000Z"
	second = "2026-02-01T00:00:00.000Z"
	third  = "2026-03-01T00:00:00.000Z"
	zeroth = "2026-01-01T00:00:00.000Z"

	addressUUID = "28bb3599-77cd-5a82-a950-b5bc3caf07c4" // of 198.51.100.3 (STIX 2.1 section 2.9)
)

// tainted is the text of every field that can hold some, for a hidden object.
func (w *leakWorld) tainted(n int) (name, extra string) {
	return "hidden " + w.taint("name", n), fmt.Sprintf(`"description":"%s","labels":["%s"],"external_references":[{"source_name":"%s","external_id":"%s","url":"https://%s.example/"}],"lang":"en"`,
		w.taint("desc", n), w.taint("lab", n), w.taint("src", n), w.taint("ext", n), w.taint("url", n))
}

// build fills the world: first what everybody knows, and between that what is hidden from some.
func (w *leakWorld) build() {
	ctx := w.t.Context()
	w.collections()
	green, clear, red := marked(label.Green), marked(label.Clear), marked(label.Red)
	for n := range 24 { // visible things with hidden ones between them
		name := fmt.Sprintf("Shared %d", n)
		w.submit("own", "{open}", nil, exchange.Added, sdo("indicator", n, name, []string{green, clear}[n%2], first, `"created_by_ref":"`+fixedID("identity", 1)+`"`))
		w.secret("partner", func() {
			hidden, extra := w.tainted(n)
			w.submit("own", "{open}", nil, exchange.Added, sdo("indicator", 1000+n, hidden, []string{"", red, marked(label.Amber), marked(label.AmberStrict)}[n%4], first, extra))
			w.submit("own", "{open}", nil, exchange.Added, relationship(2000+n, fixedID("indicator", n), fixedID("indicator", 1000+n), green))
			if n%3 == 0 { // hidden by what is hidden by what it names
				w.submit("own", "{open}", nil, exchange.Added, sdo("grouping", 2100+n, hidden, clear, first, `"context":"unspecified","object_refs":["`+fixedID("relationship", 2000+n)+`"]`))
			}
		})
		w.secret("everybody", func() {
			hidden, extra := w.tainted(100 + n)
			w.submit("fred", "{open}", nil, exchange.Added, sdo("malware", 3000+n, hidden, red, first, extra))
		})
	}
	w.versions(green, clear, red)
	w.withheld(green, clear)
	w.submit("rita", "{open}", nil, exchange.Added, sdo("indicator", 50, "Of Ruritania", "", first), sdo("tool", 51, "Of Ruritania too", green, first))
	w.submit("own", "{open}", nil, exchange.Added, report(52, "A report", green, first, fixedID("indicator", 1), fixedID("report", 53)), report(53, "In a circle", green, first, fixedID("report", 52)))
	w.administration()

	// Embargoed, and kept no longer.
	l := label.For(label.Clear)
	l.NotBefore = w.now().Add(24 * time.Hour)
	text, err := l.MarshalJSON()
	w.must(err)
	w.secret("partner", func() {
		name, extra := w.tainted(200)
		w.submit("own", "{open}", url.Values{"label": {string(text)}}, exchange.Added, sdo("campaign", 60, name, clear, first, extra),
			fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":%q,"created":%q,"definition_type":"statement","definition":{"statement":%q},"object_marking_refs":[%q]}`, fixedID("marking-definition", 61), first, w.taint("stmt", 1), clear))
		w.submit("own", "", nil, exchange.Added, sdo("campaign", 62, "uses the marking "+w.taint("name", 201), fixedID("marking-definition", 61), first))
	})
	embargo := string(text)
	l = label.For(label.Clear)
	l.NotAfter = w.now().Add(time.Minute)
	text, err = l.MarshalJSON()
	w.must(err)
	w.secret("partner", func() {
		name, extra := w.tainted(202)
		w.submit("own", "{open}", url.Values{"label": {string(text)}}, exchange.Added, sdo("campaign", 63, name, clear, first, extra))
	})
	w.clock.Add(int64(time.Hour / time.Microsecond))
	w.secret("partner", func() { w.must(w.n.exchange.KeepTime(ctx)) })
	w.secret("partner", w.fillRegister)
	w.secret("everybody", func() { // its originator has used it: the node remembers what it says
		w.submit("fred", "{open}", url.Values{"label": {embargo}}, exchange.Added,
			fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":%q,"created":%q,"definition_type":"statement","definition":{"statement":%q},"object_marking_refs":[%q]}`, fixedID("marking-definition", 902), first, w.taint("stmt", 3), clear))
		w.submit("fred", "", nil, exchange.Added, sdo("campaign", 64, "uses the marking "+w.taint("name", 203), fixedID("marking-definition", 902), first))
	})
	w.submit("own", "{open}", nil, exchange.Added, sdo("indicator", 99, "The last one", clear, first))
	w.fillAlerts()
}

// collections makes those that everybody knows until their ids ascend in the order in which they were made: lists are in that order.
func (w *leakWorld) collections() {
	ctx := w.t.Context()
	for last := ""; len(w.visible) < 3; {
		p := []api.PutCollection{{Title: "Open", Alias: "open"}, {Title: "Read only", Alias: "shown", Write: []string{gate.RoleAdmin}}, {Title: "Write only", Alias: "box", Read: []string{gate.RoleAuditor}, Write: []string{gate.RoleAnalyst, gate.RolePublisher}}}[len(w.visible)]
		c, err := w.admin.AddCollection(ctx, p)
		w.must(err)
		if c.ID < last || c.ID > fmt.Sprintf("%x", 6+4*len(w.visible)) {
			w.must(w.admin.RemoveCollection(ctx, c.ID))
			continue
		}
		last, w.names[p.Alias] = c.ID, c.ID
		w.visible = append(w.visible, p.Alias)
	}
	for i, name := range []string{"vault", "foreign"} { // as good as any in a world without them
		w.names[name] = fmt.Sprintf("0%d234567-89ab-4cde-8fff-0123456789ab", i)
	}
	w.names["status"], w.names["mine"] = "0a234567-89ab-4cde-8fff-0123456789ab", "0b234567-89ab-4cde-8fff-0123456789ab"
	w.secret("partner", func() {
		title := "Vault " + w.taint("coll", 1)
		c, err := w.admin.AddCollection(ctx, api.PutCollection{Title: title, Alias: "vault", Description: w.taint("coll", 2), Read: []string{gate.RoleAuditor}, Write: []string{gate.RoleAdmin}})
		w.must(err)
		w.names["vault"] = c.ID
		w.must(errorOf(w.admin.AddRoot(ctx, exchange.Root{Path: "freedonia", Title: w.taint("root", 1), Description: w.taint("root", 2), Party: "FRE/" + freedonia})))
		c, err = w.admin.AddCollection(ctx, api.PutCollection{Title: w.taint("coll", 3), Alias: "open", Root: "freedonia"})
		w.must(err)
		w.names["foreign"] = c.ID
	})
}

// versions puts hidden versions and twins beside visible objects.
func (w *leakWorld) versions(green, clear, red string) {
	hidden := func(n int, do func(name, extra string)) {
		w.secret("partner", func() { name, extra := w.tainted(n); do(name, extra) })
	}
	for i, typ := range []string{"indicator", "tool", "malware"} {
		n := 70 + 10*i
		hidden(300+n, func(name, extra string) { // older
			w.submit("own", "{open}", nil, exchange.Added, sdo(typ, n, name, red, zeroth, extra))
		})
		w.submit("own", "{open}", nil, exchange.Added, sdo(typ, n, "Second version", green, second))
		hidden(310+n, func(name, extra string) { // newer
			w.submit("own", "{open}", nil, exchange.Added, sdo(typ, n, name, red, third, extra))
		})
		w.submit("own", "{open}", nil, exchange.Added, sdo(typ, n+1, "First of two", green, first), sdo(typ, n+1, "Second of two", green, second))
		hidden(320+n, func(name, extra string) { // between, and another organisation's of the same version
			w.submit("own", "{open}", nil, exchange.Added, sdo(typ, n+1, name, red, "2026-01-15T00:00:00.000Z", extra))
			w.submit("fred", "{open}", nil, exchange.Added, sdo(typ, n+1, name, red, second, extra))
		})
	}
	hidden(400, func(string, string) { w.submit("fred", "{open}", nil, exchange.Added, address("198.51.100.3", red)) })
	w.submit("own", "{open}", nil, exchange.Added, address("198.51.100.3", green))
	hidden(401, func(string, string) {
		w.submit("own", "", nil, exchange.Added, sdo("identity", 1, "hidden author "+w.taint("name", 402), red, first))
	})
}

// withheld puts records beside visible ones that are held back only by what they name.
func (w *leakWorld) withheld(green, clear string) {
	w.submit("own", "{open}", nil, exchange.Added, report(110, "Two findings", green, first, fixedID("indicator", 2)))
	w.secret("partner", func() { // a newer version that names more
		w.submit("own", "{open}", nil, exchange.Added, report(110, "Three findings "+w.taint("name", 500), green, second, fixedID("indicator", 2), fixedID("indicator", 1000)))
		w.submit("own", "{open}", nil, exchange.Added, report(111, "Withheld "+w.taint("name", 501), green, first, fixedID("indicator", 1000)))
		// In one submission with what it names, under a label that is not the one which that has here.
		w.submit("own", "{open}", url.Values{"default": {"tlp:green"}}, exchange.Different,
			report(112, "Withheld "+w.taint("name", 502), green, first, fixedID("indicator", 1001)), sdo("indicator", 1001, "another content", green, first))
	})
}

// administration does what people other than the viewer do.
func (w *leakWorld) administration() {
	ctx := w.t.Context()
	unknown := fixedID("marking-definition", 900)
	w.secret("partner", func() {
		name, extra := w.tainted(600)
		w.submit("own", "{open}", nil, exchange.Held, sdo("tool", 120, name, unknown, first, extra))
		w.submit("own", "{open}", nil, exchange.Added, fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":%q,"created":%q,"definition_type":"statement","definition":{"statement":%q}}`,
			fixedID("marking-definition", 901), first, w.taint("stmt", 2)))
		w.submit("own", "{open}", nil, exchange.Added, sdo("tool", 121, "marked "+w.taint("name", 603), fixedID("marking-definition", 901), first))
		for i := range 2 {
			w.must(errorOf(w.admin.AddUser(ctx, api.AddUser{Name: fmt.Sprint(hiddenAccount, i), Org: w.taint("org", i), Roles: []string{"analyst"}, Password: leakPassword})))
		}
		w.must(errorOf(w.admin.AddToken(ctx, api.AddToken{Name: w.taint("tok", 1), Org: freedonia, Roles: []string{"analyst"}})))
		w.must(errorOf(w.admin.AddCertificate(ctx, api.AddCertificate{Name: w.taint("crt", 1), Org: w.taint("org", 3), Nation: "HID", Roles: []string{"analyst"}})))
		w.must(errorOf(w.admin.PutCommunity(ctx, identity.Community{Name: w.taint("comm", 1), Members: []string{freedonia}})))
		name, extra = w.tainted(602)
		w.submit("own", "{open}", nil, exchange.Added, sdo("tool", 122, name, marked(label.Clear), first, extra))
		w.must(errorOf(w.admin.Purge(ctx, fixedID("tool", 122), false)))
	})
	w.blobs()
	w.secret("everybody", func() {
		name, extra := w.tainted(601)
		w.submit("fred", "{open}", nil, exchange.Held, sdo("tool", 123, name, unknown, first, extra))
		s := w.as("fred")
		s.page("/taxii2/api/collections/open/objects/") // releases to another
		got := s.ask(http.MethodPost, "/taxii2/api/collections/open/objects/", `{"objects":[`+sdo("tool", 124, name, marked(label.Red), first, extra)+`]}`)
		w.names["status"] = firstID(got.Body.String())
	})
}

// hiddenContent is in blobs that the partner may not know of, and the partner sends it too.
const hiddenContent = "the same content in several blobs"

// blobs puts in a blob for all, between hidden ones of the own organisation and of another.
func (w *leakWorld) blobs() {
	add := func(by, name, label string) string {
		w.tick()
		client := w.admin
		if by != "own" {
			client = api.NewClient("http://public", inProcess{w.n.public}, api.Token(w.tokens[by]))
		}
		b, err := client.AddBlob(w.t.Context(), strings.NewReader(hiddenContent), url.Values{"name": {name}, "label": {label}, "media_type": {"text/plain"}})
		w.must(err)
		return b.Blob.ID
	}
	w.names["ownblob"], w.names["otherblob"] = "blob--"+strings.Repeat("0", 32), "blob--"+strings.Repeat("1", 32)
	w.names["openblob"] = add("own", "Shared blob", "tlp:clear")
	w.secret("partner", func() { w.names["ownblob"] = add("own", w.taint("blob", 1), "tlp:red") })
	w.secret("everybody", func() { w.names["otherblob"] = add("fred", w.taint("blob", 2), "tlp:red") })
	w.tick()
	add("own", "Another shared blob", "tlp:green")
}

// firstID is the id of a status.
func firstID(body string) string {
	_, rest, _ := strings.Cut(body, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}
