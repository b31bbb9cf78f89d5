package api

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/internal/block"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/keyring"
	"entente/internal/surface"
)

func init() {
	maps.Copy(asks, map[string][]probe{
		"GET /block":                    {{"/block", ""}},
		"GET /block/{format}":           {{"/block/list", ""}, {"/block/json?since=", ""}, {"/block/rpz?type=" + hiddenValue, ""}, {"/block/odd", ""}},
		"GET /block/{format}/signature": {{"/block/list/signature", ""}, {"/block/odd/signature", ""}},
		"GET /block/{format}/left": {{"/block/list/left", ""}, {"/block/list/left?limit=1", ""}, {"/block/list/left?next=x", ""},
			{"/block/list/left?value=" + hiddenValue, ""}, {"/block/list/left?code=pap", ""}},
	})
}

// open is a guard that says that nothing is anybody's.
type open struct{}

func (open) Warned(string) string                          { return "" }
func (open) Owner(context.Context, string) (string, error) { return "", nil }
func (open) Names(context.Context) ([]string, error)       { return nil, nil }
func (open) Hosts(context.Context) ([]string, error)       { return nil, nil }
func (open) Generation() string                            { return "" }

func (w *world) openBlock() {
	w.block = block.New(block.Options{Nation: "UTO", Org: "Utopia CERT", Realm: keyring.Operational, Config: block.DefaultConfig(), Door: w.x, Guard: open{}, Signer: w.ring, State: filepath.Join(w.dir, "block.json"), Now: time.Now})
}

func (w *world) Block() *block.Room { return w.block }

// bad is an indicator for the domain of a name.
func bad(uuid, name string) string {
	at := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	return `{"type":"indicator","spec_version":"2.1","id":"indicator--` + uuid + `","created":"` + at + `","modified":"` + at + `","valid_from":"` + at + `","pattern_type":"stix","pattern":"[domain-name:value='` + name + `']","indicator_types":["malicious-activity"]}`
}

// blockRows asks for what is blocked in every way.
func blockRows(w *world, do func(route, path, body string)) {
	w.importAll(admin, nil, bad("3f6c0a5e-6e2c-4a55-8f55-7c1d1c0a0001", "evil.bad-zone.com")+bad("3f6c0a5e-6e2c-4a55-8f55-7c1d1c0a0002", "printer.local")+bad("3f6c0a5e-6e2c-4a55-8f55-7c1d1c0a0003", "co.uk"))
	do("GET /block", "/block", "")
	for _, name := range block.Names() {
		do("GET /block/{format}", "/block/"+name, "")
	}
	do("GET /block/{format}", "/block/json?since=", "")
	do("GET /block/{format}", "/block/list?type=domain", "")
	do("GET /block/{format}/signature", "/block/list/signature", "")
	do("GET /block/{format}/left", "/block/list/left?limit=1", "")
	do("GET /block/{format}/left", "/block/list/left?value=198.51.100.7&code=reserved", "")
}

// enforcer is a machine that loads what is blocked.
var enforcer = gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "ns1", Roles: []string{gate.RoleEnforcer}, Realm: keyring.Operational}

// answer asks with a validator.
func (w *world) answer(path, tag string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, Prefix+path, nil)
	if tag != "" {
		r.Header.Set("If-None-Match", tag)
	}
	rec := httptest.NewRecorder()
	w.http.ServeHTTP(rec, r.WithContext(surface.WithViewer(r.Context(), enforcer)))
	return rec.Result()
}

// An enforcement point fetches, asks again in vain, and follows by deltas; it reads nothing else.
func TestBlockForAnEnforcementPoint(t *testing.T) {
	w := newWorld(t)
	w.importAll(admin, nil, bad("3f6c0a5e-6e2c-4a55-8f55-7c1d1c0a0001", "evil.bad-zone.com")+bad("3f6c0a5e-6e2c-4a55-8f55-7c1d1c0a0002", "printer.local"))
	c := w.client(enforcer)
	var file strings.Builder
	got, err := c.Block(t.Context(), "hosts", nil, &file)
	w.must(err)
	if !strings.Contains(file.String(), "\n0.0.0.0 evil.bad-zone.com # indicator--3f6c0a5e") || strings.Contains(file.String(), "printer") {
		t.Errorf("%s", file.String())
	}
	if s, err := block.Verify(strings.NewReader(file.String()), got.Envelope, w.ring.KeyLog(), time.Now()); err != nil || s.Entries != 1 {
		t.Errorf("%+v %v", s, err)
	}
	beside, err := c.BlockSignature(t.Context(), "hosts", nil)
	w.must(err)
	if _, err := block.Verify(strings.NewReader(file.String()), beside, w.ring.KeyLog(), time.Now()); err != nil {
		t.Error(err)
	}
	for _, tag := range []string{got.ETag, "W/" + got.ETag, `"other", ` + got.ETag, "*"} {
		if r := w.answer("/block/hosts", tag); r.StatusCode != http.StatusNotModified || r.Header.Get("ETag") != got.ETag {
			t.Errorf("%s: %d", tag, r.StatusCode)
		}
	}
	if r := w.answer("/block/rpz", got.ETag); r.StatusCode != http.StatusOK {
		t.Errorf("the tag of another format: %d", r.StatusCode)
	}
	d, err := c.BlockSince(t.Context(), "hosts", nil, got.Cursor)
	w.must(err)
	if d.Reset || len(d.Added)+len(d.Removed) != 0 {
		t.Errorf("%+v", d)
	}
	w.importAll(admin, nil, bad("3f6c0a5e-6e2c-4a55-8f55-7c1d1c0a0003", "worse.bad-zone.com"))
	w.must(errOf(w.client(admin).Purge(t.Context(), "indicator--3f6c0a5e-6e2c-4a55-8f55-7c1d1c0a0001", false)))
	if r := w.answer("/block/hosts", got.ETag); r.StatusCode != http.StatusOK {
		t.Errorf("after a change: %d", r.StatusCode)
	}
	d, err = c.BlockSince(t.Context(), "hosts", nil, got.Cursor)
	w.must(err)
	if d.Reset || len(d.Added) != 1 || d.Added[0].Value != "worse.bad-zone.com" || !d.Added[0].Beneath || len(d.Removed) != 1 || d.Removed[0].Value != "evil.bad-zone.com" {
		t.Errorf("%+v", d)
	}
	if d, err = c.BlockSince(t.Context(), "hosts", nil, "1"); err != nil || !d.Reset || len(d.Added) != 1 {
		t.Errorf("%+v %v", d, err)
	}
	var left []string
	w.must(c.BlockLeft(t.Context(), "hosts", block.LeftFilter{}, func(l block.Spared) error { left = append(left, l.Value+" "+l.Code); return nil }))
	if !slices.Equal(left, []string{"printer.local reserved"}) {
		t.Errorf("%q", left)
	}
	me, err := c.Me(t.Context())
	w.must(err)
	if !slices.Equal(me.May, []string{"block.read"}) {
		t.Errorf("an enforcement point may %q", me.May)
	}
	if err := c.Raw(t.Context(), "indicator--3f6c0a5e-6e2c-4a55-8f55-7c1d1c0a0003", nil, &file); fault.As(err).Kind != fault.Forbidden {
		t.Errorf("an enforcement point reads an object: %v", err)
	}
	if _, err := w.client(outsider).Block(t.Context(), "hosts", nil, &file); fault.As(err).Kind != fault.Forbidden {
		t.Errorf("another organisation reads what is blocked: %v", err)
	}
}

// What is for one person of the organisation alone is in no list that its machines load, and changes nothing of what they are answered.
func TestBlockOfWhatIsForOnePerson(t *testing.T) {
	var answers [2][]string
	for i := range answers {
		w := newWorld(t)
		w.importAll(outsider, map[string][]string{"default": {"tlp:amber"}}, "")
		if i == 1 {
			w.importAll(outsider, map[string][]string{"default": {"tlp:red,person:UTO/Utopia CERT/local"}}, bad("3f6c0a5e-6e2c-4a55-8f55-7c1d1c0a0009", "quiet.bad-zone.com"))
		}
		for _, path := range []string{"/block/list", "/block/list/left", "/block/json?since=", "/block/hosts?type=domain"} {
			status, body := w.ask(enforcer, http.MethodGet, path, "")
			body = strings.ReplaceAll(body, w.dir, "")
			if status != 200 || strings.Contains(body, "quiet") {
				t.Errorf("%s: %d %s", path, status, body)
			}
			answers[i] = append(answers[i], serials.ReplaceAllString(body, "N"))
		}
	}
	if !slices.Equal(answers[0], answers[1]) {
		t.Errorf("what is for one person changes the answers:\n%q\n%q", answers[0], answers[1])
	}
}

// serials are the numbers and times that two nodes have apart.
var serials = regexp.MustCompile(`[0-9]{10}|20[0-9-]+T[0-9:.]+Z`)
