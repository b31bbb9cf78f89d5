package faulttest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/internal/feed"
	"entente/internal/gate"
	"entente/internal/node"
	"entente/internal/sample"
	"entente/internal/surface/api"
	"entente/internal/surface/api/apitest"
	"entente/internal/surface/console"
	"entente/internal/surface/mispapi"
	"entente/internal/testnode"
	"entente/label"
	"entente/register"
)

// soonEnough is how long any answer may take, on a machine that does much else.
const soonEnough = 2 * time.Minute

// badValues are what no parameter of a query and no part of a path means.
var badValues = []string{
	"", "\x00", "\xff\xfe", "-1", "0", "99999999999999999999999999", "1e999", "true", "null", "' OR 1=1 --", "../../etc/passwd", "::/0", "[", "(((((((((((", "*", "\"", "\u202e", "{\"tlp\":",
	"2026-02-30T99:99:99Z", "tlp:mauve", "9999-99-99", ",,,,,,", strings.Repeat("a,", 3000), strings.Repeat("((", 3000), strings.Repeat("a", 15_000), "indicator--00000000-0000-4000-8000-000000000000",
	"x--x", "a OR b AND NOT (c", "type:", "0.0.0.0/0", "%00", "\r\nX: y",
}

// complaints are what a node says on the level of errors, which no request may bring it to.
type complaints struct {
	mu   sync.Mutex
	said []string
}

func (c *complaints) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (c *complaints) WithAttrs([]slog.Attr) slog.Handler           { return c }
func (c *complaints) WithGroup(string) slog.Handler                { return c }
func (c *complaints) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool { text += fmt.Sprintf(" %s=%.2000s", a.Key, a.Value); return true })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, text)
	return nil
}

func (c *complaints) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	said := c.said
	c.said = nil
	return said
}

// asker sends requests that nobody means well with, and holds every answer to what is promised of all of them.
type asker struct {
	t     *testing.T
	h     *house
	over  http.RoundTripper
	base  string
	head  http.Header
	log   *complaints
	check func(method string, u *url.URL, sent []byte, status int, h http.Header, answer []byte) error
	bad   map[string]int // by test
	asked int
}

// ask sends one request. path is escaped, query raw.
func (a *asker) ask(method, path, query, media string, body []byte) (int, []byte) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), soonEnough)
	defer cancel()
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	raw := a.base + path
	if query != "" {
		raw += "?" + query
	}
	req, err := http.NewRequestWithContext(ctx, method, raw, r)
	if err != nil {
		a.t.Fatalf("%s %s: %v", method, raw, err)
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	for k, v := range a.head {
		req.Header[k] = v
	}
	a.asked++
	wrongly := func(format string, args ...any) {
		a.t.Helper()
		if a.bad[a.t.Name()]++; a.bad[a.t.Name()] > 3 {
			a.t.FailNow()
		}
		a.t.Errorf("%s %.200s with %.300q: %s", method, strings.TrimPrefix(raw, a.base), body, fmt.Sprintf(format, args...))
	}
	resp, err := a.over.RoundTrip(req)
	if err != nil {
		wrongly("no answer: %v", err)
		return 0, nil
	}
	defer resp.Body.Close()
	var answer []byte
	if resp.Header.Get("Content-Type") != "text/event-stream" {
		if answer, err = io.ReadAll(io.LimitReader(resp.Body, 64<<20)); err != nil {
			wrongly("the answer %d ends with %v", resp.StatusCode, err)
		}
	}
	for _, said := range a.log.take() {
		wrongly("the node said: %s", said)
	}
	if resp.StatusCode >= 500 {
		wrongly("%d %.500s", resp.StatusCode, answer)
		return resp.StatusCode, answer
	}
	if resp.Header.Get("Content-Type") == "text/event-stream" {
		return resp.StatusCode, nil
	}
	if err := a.check(method, req.URL, body, resp.StatusCode, resp.Header, answer); err != nil {
		wrongly("%v", err)
	}
	return resp.StatusCode, answer
}

// isProblem checks a refusal of the native interface (RFC 9457).
func isProblem(status int, h http.Header, answer []byte) error {
	if status < 400 {
		return nil
	}
	var p api.Problem
	if err := json.Unmarshal(answer, &p); err != nil || h.Get("Content-Type") != "application/problem+json" || p.Status != status || p.Code == "" || p.Title == "" {
		return fmt.Errorf("%d with the type %q is no problem of RFC 9457: %.300s", status, h.Get("Content-Type"), answer)
	}
	return nil
}

// isMISPError checks a refusal as MISP writes it.
func isMISPError(status int, h http.Header, answer []byte) error {
	var e struct {
		Name    string `json:"name"`
		Message string `json:"message"`
		URL     string `json:"url"`
	}
	if status < 400 {
		return nil
	}
	if err := json.Unmarshal(answer, &e); err != nil || h.Get("Content-Type") != "application/json" || e.Name == "" || e.Message == "" || e.URL == "" {
		return fmt.Errorf("%d with the type %q is no error of MISP: %.300s", status, h.Get("Content-Type"), answer)
	}
	return nil
}

// everything is a person that may do everything.
const everything = "everything"

// lived is a node with something of every kind in it.
func lived(t *testing.T) (*house, *complaints) {
	t.Helper()
	said := &complaints{}
	h := build(t, func(c *node.Config) {
		c.Log = slog.New(said)
		c.Auth.RequireSecondFactor = nil
		c.Limits.PostBytes = 1 << 20
		list := filepath.Join(t.TempDir(), "list.txt")
		if err := os.WriteFile(list, []byte("192.0.2.1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Feeds = []feed.Config{{Name: "some", Kind: "list", File: list, Label: "tlp:amber", Schedule: "manual"}}
	})
	t.Cleanup(func() { h.close(t) })
	c := api.NewClient("http://node", h.Local(), nil)
	var roles []string
	for _, r := range gate.Roles() {
		roles = append(roles, r.Name)
	}
	must(c.AddUser(t.Context(), api.AddUser{Name: everything, Roles: roles, Password: h.password}))(t)
	src := sample.New(71)
	var raws [][]byte
	for _, o := range src.Head() {
		raws = append(raws, o.Raw)
	}
	for range 30 {
		raws = append(raws, src.Mixed().Raw, src.Indicator(label.Green).Raw)
	}
	must(c.Import(t.Context(), bytes.NewReader(testnode.Envelope(raws...)[len(`{"objects":`):len(testnode.Envelope(raws...))-1]),
		url.Values{"collection": {testnode.Collection}, "default": {"tlp:green"}}, func(api.Event) {}))(t)
	must(c.AddConstituent(t.Context(), &register.Constituent{Name: "Water of Utopia", Networks: []register.Network{{Range: "10.0.0.0/8"}, {Range: "192.0.2.0/24"}}}))(t)
	must(c.AddBlob(t.Context(), strings.NewReader("something"), url.Values{"label": {"tlp:green"}}))(t)
	must(c.AddCollection(t.Context(), api.PutCollection{Title: "Other", Alias: "other", Read: []string{}, Write: []string{}}))(t)
	return h, said
}

// places finds a real value for each wildcard of a path, from the list that stands before it.
func (a *asker) places(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if !strings.HasPrefix(s, "{") {
			continue
		}
		segments[i] = "nothing-of-this-name"
		_, b := a.ask(http.MethodGet, strings.Join(segments[:i], "/"), "", "", nil)
		var l struct {
			Items []struct {
				ID, Name string
				Object   struct{ ID string }
			}
		}
		if json.Unmarshal(b, &l) != nil {
			continue
		}
		for _, item := range slices.Backward(l.Items) { // the last is the one that this test needs least
			if found := cmp.Or(item.ID, item.Object.ID, item.Name); found != "" {
				segments[i] = url.PathEscape(found)
				break
			}
		}
	}
	return strings.Join(segments, "/")
}

// TestEveryRouteBearsAnything sends everything that is wrong to every route of the table, as somebody who may do everything: a route
// that is added is tried by itself.
func TestEveryRouteBearsAnything(t *testing.T) {
	h, said := lived(t)
	doc := must(apitest.Read(api.Document()))(t)
	check := func(method string, u *url.URL, sent []byte, status int, head http.Header, answer []byte) error {
		if err := isProblem(status, head, answer); err != nil || status < 400 {
			return err
		}
		return doc.Check(apitest.Exchange{Method: method, URL: u, Body: sent, Status: status, Header: head, Answer: answer})
	}
	local := &asker{t: t, bad: map[string]int{}, h: h, over: h.Local(), base: "http://node" + api.Prefix, log: said, check: check}
	person := &asker{t: t, bad: map[string]int{}, h: h, over: &http.Transport{TLSClientConfig: h.ClientTLS()}, base: h.URL() + api.Prefix, log: said, check: check}
	defer person.over.(*http.Transport).CloseIdleConnections()
	person.head = http.Header{"Cookie": {session(t, h, person.over)}}
	routes := api.Routes()
	own := func(r api.Route) bool { return r.Path == "/me" || strings.HasPrefix(r.Path, "/me/") }
	slices.SortStableFunc(routes, func(x, y api.Route) int { // what is made by a route is there for those below it; and accounts are changed when nobody needs them any more
		if own(x) != own(y) {
			return map[bool]int{true: -1, false: 1}[own(x)]
		}
		return len(x.Path) - len(y.Path)
	})
	for _, r := range routes {
		a := local
		if own(r) {
			a = person
		}
		t.Run(r.Method+" "+r.Path, func(t *testing.T) {
			a.t = t
			began := time.Now()
			before := a.asked
			tryPaths(a, r)
			if r.Method != http.MethodDelete || r.Body != nil {
				at := a.places(r.Path)
				tryQueries(a, r, at)
				tryBodies(a, r, at)
			}
			t.Logf("%d requests in %s", a.asked-before, time.Since(began).Round(time.Millisecond))
		})
	}
	local.t = t
	if status, _ := local.ask(http.MethodGet, "/me", "", "", nil); status != http.StatusOK {
		t.Errorf("after all that, /me is answered with %d", status)
	}
}

// session signs the person in who may do everything.
func session(t *testing.T, h *house, over http.RoundTripper) string {
	t.Helper()
	b := must(json.Marshal(map[string]string{"name": everything, "password": h.password}))(t)
	req := must(http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL()+"/auth/password", bytes.NewReader(b)))(t)
	req.Header.Set("Content-Type", "application/json")
	resp := must(over.RoundTrip(req))(t)
	defer resp.Body.Close()
	for _, c := range resp.Cookies() {
		return c.Name + "=" + c.Value
	}
	text, _ := io.ReadAll(resp.Body)
	t.Fatalf("signing in is answered %s: %s", resp.Status, text)
	return ""
}

// tryPaths puts something else in the place of a path's wildcards.
func tryPaths(a *asker, r api.Route) {
	if !strings.Contains(r.Path, "{") {
		return
	}
	for _, v := range badValues {
		if v == "" {
			continue
		}
		segments := strings.Split(r.Path, "/")
		for i, s := range segments {
			if strings.HasPrefix(s, "{") {
				segments[i] = url.PathEscape(v)
			}
		}
		a.ask(r.Method, strings.Join(segments, "/"), "", "application/json", []byte("{}"))
	}
}

// tryQueries gives each parameter what it does not mean, once and often, and one that is not there.
func tryQueries(a *asker, r api.Route, at string) {
	for _, p := range r.Query {
		for _, v := range badValues {
			a.ask(r.Method, at, p.Name+"="+url.QueryEscape(v), r.Takes, bodyOf(r, "x"))
		}
		for _, raw := range []string{p.Name, p.Name + "=%zz", p.Name + "=%", strings.Repeat(p.Name+"=a&", 1001), strings.Repeat(p.Name+"=1&", 90), p.Name + "=" + strings.Repeat("a", 17<<10),
			p.Name + "=a;" + p.Name + "=b", p.Name + "[]=a"} {
			a.ask(r.Method, at, raw, r.Takes, bodyOf(r, "x"))
		}
	}
	if status, _ := a.ask(r.Method, at, "unknown_to_all=1", r.Takes, bodyOf(r, "x")); status != http.StatusBadRequest {
		a.t.Errorf("a parameter that is not there is answered with %d", status)
	}
}

func bodyOf(r api.Route, text string) []byte {
	if r.Body == nil && r.Takes == "" {
		return nil
	}
	return []byte(text)
}

// tryBodies sends bodies that are not what the route takes.
func tryBodies(a *asker, r api.Route, at string) {
	switch {
	case r.Body != nil:
		for _, body := range spoilt(grown(reflect.TypeOf(r.Body), 0)) {
			a.ask(r.Method, at, "", "application/json", []byte(body))
		}
		if status, _ := a.ask(r.Method, at, "", "application/json", []byte(`{"x":"`+strings.Repeat("a", 2<<20)+`"}`)); status != http.StatusRequestEntityTooLarge && status != http.StatusNotFound {
			a.t.Errorf("a body of 2 MiB is answered with %d", status)
		}
	case r.Takes != "":
		for _, body := range append(spoilt(planted(`{"type":"bundle","objects":[{"type":"indicator"}],"Event":{"info":"x"}}`)), "name,domain\n\"x", "a\tb\n\x00", "PK\x03\x04\x14\x00", "\x1f\x8b\x08\x00junk") {
			a.ask(r.Method, at, "", r.Takes, []byte(body))
		}
		a.ask(r.Method, at, "", "nothing/that is known", []byte("x"))
	case r.Method != http.MethodGet:
		a.ask(r.Method, at, "unknown_to_all=1", "application/json", []byte(strings.Repeat("[", 10_000)))
	}
}

// TestEveryMISPActionBearsAnything does the same to the surface of MISP.
func TestEveryMISPActionBearsAnything(t *testing.T) {
	h, said := lived(t)
	token := must(api.NewClient("http://node", h.Local(), nil).AddToken(t.Context(), api.AddToken{Name: "peer", User: everything, Roles: []string{"analyst", "officer", "publisher", "reader"}, Form: "misp"}))(t)
	over := &http.Transport{TLSClientConfig: h.ClientTLS()}
	defer over.CloseIdleConnections()
	a := &asker{t: t, bad: map[string]int{}, h: h, over: over, base: h.URL() + strings.TrimSuffix(mispapi.Prefix, "/"), log: said,
		head: http.Header{"Authorization": {token.Text}, "Accept": {"application/json"}},
		check: func(_ string, _ *url.URL, _ []byte, status int, h http.Header, answer []byte) error {
			return isMISPError(status, h, answer)
		}}
	const event = `{"Event":{"uuid":"6f3b3b4e-3d0e-4b0a-9d0f-0a7f4b1b2c3d","info":"some","date":"2026-01-31","distribution":"1","threat_level_id":"1","analysis":"0","timestamp":"1700000000","published":false,` +
		`"Orgc":{"name":"Utopia CERT","uuid":"7f3b3b4e-3d0e-4b0a-9d0f-0a7f4b1b2c3d"},"Tag":[{"name":"tlp:green"}],` +
		`"Attribute":[{"uuid":"8f3b3b4e-3d0e-4b0a-9d0f-0a7f4b1b2c3d","type":"ip-dst","category":"Network activity","value":"192.0.2.7","to_ids":true,"timestamp":"1700000000","Sighting":[{"type":"0","date_sighting":"1700000000"}]}],` +
		`"Object":[{"name":"file","meta-category":"file","uuid":"9f3b3b4e-3d0e-4b0a-9d0f-0a7f4b1b2c3d","Attribute":[{"type":"md5","object_relation":"md5","value":"d41d8cd98f00b204e9800998ecf8427e"}],"ObjectReference":[{"referenced_uuid":"8f3b3b4e-3d0e-4b0a-9d0f-0a7f4b1b2c3d"}]}],` +
		`"EventReport":[{"name":"r","content":"c"}],"ShadowAttribute":[{"type":"ip-dst","value":"192.0.2.8"}],"Note":[{"note":"n","object_uuid":"6f3b3b4e-3d0e-4b0a-9d0f-0a7f4b1b2c3d","object_type":"Event"}]}}`
	const search = `{"request":{"value":"192.0.2.7","type":"ip-dst","tags":{"NOT":["x"],"OR":["tlp:green"]},"page":1,"limit":10,"timestamp":"1d","returnFormat":"json","eventid":"1","from":"2026-01-01","last":["1d","2d"],"uuid":"x","to_ids":1,"object_name":"file"}}`
	if status, b := a.ask(http.MethodPost, "/events/add", "", "application/json", []byte(event)); status != http.StatusOK {
		t.Fatalf("an event is answered with %d: %s", status, b)
	}
	actions := mispapi.Actions()
	slices.Sort(actions)
	for _, action := range actions {
		t.Run(action, func(t *testing.T) {
			a.t = t
			began, before := time.Now(), a.asked
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
				for _, v := range share(badValues, method+action) {
					a.ask(method, "/"+action+"/"+url.PathEscape(v), "", "application/json", []byte("{}"))
					a.ask(method, "/"+action+"/1/"+url.PathEscape(v)+"/limit:"+url.PathEscape(v), "page="+url.QueryEscape(v), "application/json", []byte("{}"))
				}
				a.ask(method, "/"+action, "limit=%zz", "", nil)
			}
			const one = "/6f3b3b4e-3d0e-4b0a-9d0f-0a7f4b1b2c3d"
			forms := []string{search, `[{"Event":{"uuid":"6f3b3b4e-3d0e-4b0a-9d0f-0a7f4b1b2c3d","timestamp":"1"}}]`, `{"uuid":"6f3b3b4e-3d0e-4b0a-9d0f-0a7f4b1b2c3d","tag":"tlp:green","value":"192.0.2.7","type":"ip-dst","values":["a"]}`}
			if strings.HasPrefix(action, "events/") || strings.HasPrefix(action, "attributes/") || strings.HasPrefix(action, "objects/") {
				forms = append(forms, event)
			}
			for _, form := range forms {
				for _, body := range share(spoilt(planted(form)), action) {
					a.ask(http.MethodPost, "/"+action, "", "application/json", []byte(body))
				}
			}
			for _, body := range share(spoilt(planted(`{"type":"ip-dst","value":"192.0.2.9"}`)), action) {
				if action != "events/delete" {
					a.ask(http.MethodPost, "/"+action+one, "", "application/json", []byte(body))
				}
			}
			if status, _ := a.ask(http.MethodPost, "/"+action, "", "application/json", []byte(`{"x":"`+strings.Repeat("a", 2<<20)+`"}`)); status/100 != 4 {
				t.Errorf("a body above the limit is answered with %d", status)
			}
			t.Logf("%d requests in %s", a.asked-before, time.Since(began).Round(time.Millisecond))
		})
	}
	a.t = t
	for _, v := range badValues {
		a.ask(http.MethodGet, "/"+url.PathEscape(v), "", "", nil)
		a.ask(http.MethodPost, "/events/"+url.PathEscape(v), "", "application/json", []byte("{"))
	}
	a.base = h.URL() + strings.TrimSuffix(mispapi.FeedPrefix, "/")
	for _, v := range badValues {
		a.ask(http.MethodGet, "/"+url.PathEscape(v), "x="+url.QueryEscape(v), "", nil)
		a.ask(http.MethodGet, "/"+url.PathEscape(v)+".json", "", "", nil)
	}
}

// share is what one of many tests tries of a long list: another part of it for each, so that together they try everything. Lists of
// thousands of values are left to the routes above: an event that has them would make each later test slow.
func share(list []string, name string) (part []string) {
	h := fnv.New32a()
	h.Write([]byte(name))
	every := max(1, len(list)/60)
	for i, s := range list {
		if i%every == int(h.Sum32()>>8)%every && len(s) < 60_000 {
			part = append(part, s)
		}
	}
	return part
}

// TestEveryPageAndStepOfSigningInBearsAnything tries what anybody may ask without being known.
func TestEveryPageAndStepOfSigningInBearsAnything(t *testing.T) {
	h, said := lived(t)
	over := &http.Transport{TLSClientConfig: h.ClientTLS()}
	defer over.CloseIdleConnections()
	a := &asker{t: t, bad: map[string]int{}, h: h, over: over, base: h.URL(), log: said, check: func(_ string, u *url.URL, _ []byte, status int, h http.Header, answer []byte) error {
		if strings.HasPrefix(u.Path, "/auth/") {
			return isProblem(status, h, answer)
		}
		if status >= 400 && !strings.HasPrefix(h.Get("Content-Type"), "text/") {
			return fmt.Errorf("%d with the type %q", status, h.Get("Content-Type"))
		}
		return nil
	}}
	for _, pattern := range slices.Concat(console.SignInRoutes(), console.Routes()) {
		method, path, ok := strings.Cut(pattern, " ")
		if !ok {
			continue
		}
		t.Run(pattern, func(t *testing.T) {
			a.t = t
			path = strings.TrimSuffix(path, "{$}")
			segments := strings.Split(path, "/")
			for _, v := range badValues {
				for i, s := range strings.Split(path, "/") {
					if strings.HasPrefix(s, "{") {
						segments[i] = url.PathEscape(v + rand.Text()[:1])
					}
				}
				for _, name := range []string{"code", "state", "error", "iss", "return"} {
					a.ask(method, strings.Join(segments, "/"), name+"="+url.QueryEscape(v), "", nil)
				}
			}
			if method != http.MethodPost {
				return
			}
			full := planted(`{"name":"everything","password":"words of some length","ticket":"AAAA","code":"000000","credential":{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA","userHandle":"AA"}}}`)
			for _, name := range []string{"", "name", "ticket", "credential", "code"} { // each step takes some of the members, and refuses the others
				some := map[string]tree{}
				for k, v := range full.(map[string]tree) {
					if name == "" || k == name || name == "name" && k == "password" || name == "ticket" && k == "code" || name == "credential" && k == "ticket" || name == "code" && (k == "ticket" || k == "password") && (k == "ticket" || path == "/auth/change") {
						some[k] = v
					}
				}
				for _, body := range spoilt(some) {
					a.ask(method, strings.Join(segments, "/"), "", "application/json", []byte(body))
				}
			}
			for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ";;;"} {
				a.ask(method, strings.Join(segments, "/"), "", media, []byte("name=%zz&password="+strings.Repeat("a", 100_000)))
			}
			if status, _ := a.ask(method, strings.Join(segments, "/"), "", "application/json", bytes.Repeat([]byte("["), 1<<20)); status/100 != 4 {
				t.Errorf("a body of 1 MiB is answered with %d", status)
			}
		})
	}
}
