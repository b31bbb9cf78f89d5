package taxii

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// ctx is short for tests that never cancel.
var ctx = context.Background()

// scripted is a Doer that answers from a table of URL (path and query, unescaped) → answer, and keeps what was asked.
type scripted struct {
	t       *testing.T
	answers map[string]scriptedAnswer
	asked   []string
	auth    []string
	heads   []http.Header
}

type scriptedAnswer struct {
	status int // 0: 200
	header map[string]string
	body   string
}

func (s *scripted) Do(r *http.Request) (*http.Response, error) {
	query, _ := url.QueryUnescape(r.URL.RawQuery)
	key := r.URL.Path
	if query != "" {
		key += "?" + query
	}
	if r.URL.Host != "server.example" {
		key = r.URL.Scheme + "://" + r.URL.Host + key
	}
	s.asked = append(s.asked, key)
	s.auth = append(s.auth, r.Header.Get("Authorization"))
	s.heads = append(s.heads, r.Header)
	a, ok := s.answers[key]
	if !ok {
		a = scriptedAnswer{status: 404, body: `{"title":"Not found","http_status":"404"}`}
	}
	h := http.Header{"Content-Type": {MediaType}}
	for k, v := range a.header {
		h.Set(k, v)
	}
	status := a.status
	setDefault(&status, 200)
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

const (
	scriptedRoot = "https://server.example/r/"
	listPath     = "/r/collections/c/objects/"
)

func script(t *testing.T, answers map[string]scriptedAnswer) (*Client, *scripted) {
	s := &scripted{t: t, answers: answers}
	return &Client{URL: "https://server.example/taxii2/", Doer: s, Auth: Basic("user", "pass")}, s
}

// collect reads all pages: the objects, and the error that ended them.
func collect(c *Client, s Select) (objects []string, tolerated []string, err error) {
	for p, err := range c.Objects(ctx, scriptedRoot, "c", s) {
		if err != nil {
			return objects, tolerated, err
		}
		for _, o := range p.Objects {
			objects = append(objects, string(o))
		}
		tolerated = append(tolerated, p.Tolerated...)
	}
	return objects, tolerated, nil
}

// realServer is a client of a real server over TLS.
func realServer(t *testing.T, o Options) (*Client, string, *mem) {
	m := newMem()
	s := httptest.NewTLSServer(testHandler(m, o))
	t.Cleanup(s.Close)
	return &Client{URL: s.URL + "/taxii2/", Doer: s.Client(), Auth: Basic("alice", "secret")}, s.URL + "/cti/", m
}

var clientRows = map[int]func(*testing.T){
	135: func(t *testing.T) {
		for _, u := range []string{"http://server.example/taxii2/", "ftp://server.example/", "server.example", "https://", "https://user:pass@server.example/", "%"} {
			c, s := script(t, nil)
			c.URL = u
			if _, err := c.Discovery(ctx); !errors.Is(err, ErrAddress) || len(s.asked) > 0 || strings.Contains(err.Error(), "pass") {
				t.Errorf("%s: %v, asked %v", u, err, s.asked)
			}
			if _, err := c.Root(ctx, scriptedRoot); !errors.Is(err, ErrAddress) {
				t.Errorf("%s: %v", u, err)
			}
		}
		c, s := script(t, map[string]scriptedAnswer{"/taxii2/": {body: `{"title":"t"}`}})
		if _, err := c.Discovery(ctx); err != nil || s.auth[0] != "Basic dXNlcjpwYXNz" {
			t.Errorf("%v %v", err, s.auth)
		}
		c.URL, c.AllowPlaintext, c.Auth = "http://server.example/taxii2/", true, Bearer("abc")
		if _, err := c.Discovery(ctx); err != nil || s.auth[1] != "Bearer abc" {
			t.Errorf("%v %v", err, s.auth)
		}
	},
	136: func(t *testing.T) {
		c, s := script(t, map[string]scriptedAnswer{"/taxii2/": {body: `{"title":"t"}`}})
		c.Discovery(ctx)
		c.UserAgent = "node/7"
		c.Discovery(ctx)
		if h := s.heads[0]; h.Get("Accept") != MediaType || !strings.Contains(h.Get("User-Agent"), "/") || s.heads[1].Get("User-Agent") != "node/7" {
			t.Errorf("%v", s.heads)
		}
	},
	137: func(t *testing.T) {
		c, _ := script(t, map[string]scriptedAnswer{
			"/r/":               {body: `{"title":"R","description":"d","versions":["application/taxii+json;version=2.1"],"max_content_length":9765625,"x_more":{}}`},
			"/r/collections/":   {body: `{"collections":[{"id":"i","title":"C","description":"d","alias":"a","can_read":true,"can_write":false,"media_types":["m"],"x_q":[1]}],"x_y":1}`},
			"/r/collections/c/": {body: `{"id":"i","title":"C","can_read":true,"can_write":false,"x_q":[1]}`},
			"/r/status/s/":      {body: `{"id":"s","status":"complete","request_timestamp":"2026-01-01T00:00:00.000Z","total_count":2,"success_count":1,"successes":[{"id":"a","version":"v","message":"m"}],"failure_count":1,"failures":[{"id":"b","version":"v"}],"pending_count":0}`},
			"/r/collections/c/manifest/": {header: map[string]string{headerFirst: "2026-01-01T00:00:00.000001Z", headerLast: "2026-01-01T00:00:00.000002Z"},
				body: `{"objects":[{"id":"a","date_added":"2026-01-01T00:00:00.000001Z","version":"v","media_type":"m","x_z":0}]}`},
			listPath + "o/versions/": {body: `{"versions":["v1","v2"]}`},
		})
		if r, err := c.Root(ctx, strings.TrimSuffix(scriptedRoot, "/")); err != nil || r.MaxContentLength != 9765625 || r.Description != "d" {
			t.Errorf("%+v %v", r, err)
		}
		if l, err := c.Collections(ctx, scriptedRoot); err != nil || len(l) != 1 || l[0].Alias != "a" || !l[0].CanRead || string(l[0].Custom) != `{"x_q":[1]}` {
			t.Errorf("%+v %v", l, err)
		}
		if l, err := c.Collection(ctx, scriptedRoot, "c"); err != nil || l.ID != "i" {
			t.Errorf("%+v %v", l, err)
		}
		if s, err := c.Status(ctx, scriptedRoot, "s"); err != nil || s.Successes[0].Message != "m" || s.Failures[0].ID != "b" || s.RequestTimestamp.Year() != 2026 {
			t.Errorf("%+v %v", s, err)
		}
		for p, err := range c.Manifest(ctx, scriptedRoot, "c", Select{}) {
			if err != nil || p.Records[0].MediaType != "m" || p.First.Nanosecond() != 1000 || p.Last.Nanosecond() != 2000 || p.Tolerated != nil {
				t.Errorf("%+v %v", p, err)
			}
		}
		for p, err := range c.Versions(ctx, scriptedRoot, "c", "o", Select{}) {
			if err != nil || !slices.Equal(p.Versions, []string{"v1", "v2"}) {
				t.Errorf("%+v %v", p, err)
			}
		}
	},
	138: func(t *testing.T) {
		c, s := script(t, map[string]scriptedAnswer{
			"/taxii2/":                      {body: `{"title":"t","default":"/r/","api_roots":["/r/","https://ally.example/x/","sub/","http://[bad"]}`},
			"https://ally.example/x/":       {body: `{"title":"X","versions":[],"max_content_length":1}`},
			"/moved/":                       {status: 308, header: map[string]string{"Location": "/r/"}},
			"/r/":                           {body: `{"title":"R","versions":[],"max_content_length":1}`},
			"/away/":                        {status: 302, header: map[string]string{"Location": "https://evil.example/r/"}},
			"/down/":                        {status: 307, header: map[string]string{"Location": "http://server.example/r/"}},
			"/port/":                        {status: 301, header: map[string]string{"Location": "https://server.example:8443/r/"}},
			"/samePort/":                    {status: 301, header: map[string]string{"Location": "https://SERVER.example:443/r/"}},
			"/loop/":                        {status: 301, header: map[string]string{"Location": "/loop/"}},
			"https://SERVER.example:443/r/": {body: `{"title":"R"}`},
		})
		d, err := c.Discovery(ctx)
		if err != nil || !slices.Equal(d.APIRoots, []string{"https://server.example/r/", "https://ally.example/x/", "https://server.example/taxii2/sub/"}) || d.Default != "https://server.example/r/" {
			t.Errorf("%+v %v", d, err)
		}
		if _, err := c.Root(ctx, d.APIRoots[1]); err != nil || s.auth[len(s.auth)-1] != "" {
			t.Errorf("%v, credentials to another origin: %v", err, s.auth)
		}
		if r, err := c.Root(ctx, "https://server.example/moved/"); err != nil || r.Title != "R" || s.auth[len(s.auth)-1] == "" {
			t.Errorf("%+v %v", r, err)
		}
		if _, err := c.Root(ctx, "https://server.example/samePort/"); err != nil {
			t.Error(err)
		}
		for _, p := range []string{"away", "down", "port"} {
			n := len(s.asked)
			if _, err := c.Root(ctx, "https://server.example/"+p+"/"); !errors.Is(err, ErrAddress) || len(s.asked) != n+1 {
				t.Errorf("%s: %v, asked %v", p, err, s.asked[n:])
			}
		}
		if _, err := c.Root(ctx, "https://server.example/loop/"); !errors.Is(err, ErrProtocol) {
			t.Error(err)
		}
		// The same over the real thing, whose own client would have followed.
		evil := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another origin was asked") }))
		defer evil.Close()
		good := httptest.NewTLSServer(http.RedirectHandler(evil.URL, http.StatusFound))
		defer good.Close()
		c = &Client{URL: good.URL, Doer: good.Client(), Auth: Bearer("x")}
		if _, err := c.Discovery(ctx); !errors.Is(err, ErrAddress) {
			t.Error(err)
		}
	},
	139: func(t *testing.T) {
		last := func(s string) map[string]string { return map[string]string{headerLast: s, headerFirst: s} }
		c, s := script(t, map[string]scriptedAnswer{
			listPath + "?added_after=2026-01-01T00:00:00.000000Z&limit=2&match[type]=x":         {header: last("2026-02-01T00:00:00.000000Z"), body: `{"more":true,"next":"n1","objects":[{"a":1}]}`},
			listPath + "?added_after=2026-01-01T00:00:00.000000Z&limit=2&match[type]=x&next=n1": {header: last("2026-03-01T00:00:00.000000Z"), body: `{"more":true,"objects":[{"a":2}]}`},
			listPath + "?added_after=2026-03-01T00:00:00.000000Z&limit=2&match[type]=x":         {header: last("2026-04-01T00:00:00.000000Z"), body: `{"more":false,"objects":[{"a":3}]}`},
		})
		got, _, err := collect(c, Select{Filter{AddedAfter: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Types: []string{"x"}}, 2})
		if err != nil || !slices.Equal(got, []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}) {
			t.Errorf("%v %v: %v", got, err, s.asked)
		}
		// Servers that never move on.
		for name, answers := range map[string]map[string]scriptedAnswer{
			"same next":  {listPath: {body: `{"more":true,"next":"a","objects":[{}]}`}, listPath + "?next=a": {body: `{"more":true,"next":"a","objects":[{}]}`}},
			"ring":       {listPath: {body: `{"more":true,"next":"a","objects":[{}]}`}, listPath + "?next=a": {body: `{"more":true,"next":"b"}`}, listPath + "?next=b": {body: `{"more":true,"next":"c"}`}, listPath + "?next=c": {body: `{"more":true,"next":"a"}`}},
			"no way on":  {listPath: {body: `{"more":true,"objects":[{}]}`}},
			"same date":  {listPath: {header: last("2026-02-01T00:00:00.000000Z"), body: `{"more":true,"objects":[{}]}`}, listPath + "?added_after=2026-02-01T00:00:00.000000Z": {header: last("2026-02-01T00:00:00.000000Z"), body: `{"more":true,"objects":[{}]}`}},
			"older date": {listPath: {header: last("2026-02-01T00:00:00.000000Z"), body: `{"more":true,"objects":[{}]}`}, listPath + "?added_after=2026-02-01T00:00:00.000000Z": {header: last("2026-01-01T00:00:00.000000Z"), body: `{"more":true,"objects":[{}]}`}},
		} {
			c, s := script(t, answers)
			if got, _, err := collect(c, Select{}); !errors.Is(err, ErrStalled) || len(got) == 0 || len(s.asked) > 20 {
				t.Errorf("%s: %v %v %v", name, got, err, s.asked)
			}
		}
	},
	140: func(t *testing.T) {
		c, root, m := realServer(t, Options{PageLimit: 3})
		var cp Checkpoint
		stored := map[string]int{}
		const window = 5 * time.Microsecond
		poll := func() {
			for p, err := range c.Objects(ctx, root, "a", Select{Filter: Filter{AddedAfter: cp.After(window), Versions: Versions{All: true}}}) {
				if err != nil {
					t.Fatal(err)
				}
				fresh, next := cp.Take(p, window)
				for _, o := range fresh {
					stored[string(o)]++
				}
				// Stored as a document between polls.
				b, err := json.Marshal(next)
				if err != nil {
					t.Fatal(err)
				}
				cp = Checkpoint{}
				if err := json.Unmarshal(b, &cp); err != nil {
					t.Fatal(err)
				}
			}
		}
		for n := range 20 {
			m.Add(asCaller(ctx, "alice"), "cti", collA, [][]byte{[]byte(obj("x", n, "2026-01-01T00:00:00Z"))})
			if n%3 == 0 {
				poll()
			}
		}
		// A server that commits out of order: an object appears with an older date than the last one given out.
		m.colls[0].items[17].added, m.colls[0].items[17].raw = m.added-2, []byte(obj("late", 1, "2026-01-01T00:00:00Z"))
		poll()
		for o, n := range stored {
			if n != 1 {
				t.Errorf("%s stored %d times", o, n)
			}
		}
		if stored[obj("late", 1, "2026-01-01T00:00:00Z")] != 1 || len(stored) < 20 || len(cp.Seen) > 10 || !cp.Last.Equal(time.UnixMicro(m.added)) {
			t.Errorf("%d stored, checkpoint %+v", len(stored), cp)
		}
		// A server without headers does not move the checkpoint.
		if _, next := (Checkpoint{}).Take(ObjectsPage{Objects: [][]byte{[]byte(x1), []byte("{}")}}, window); !next.Last.IsZero() || !next.After(window).IsZero() {
			t.Errorf("%+v", next)
		}
	},
	141: func(t *testing.T) {
		for name, c := range map[string]struct {
			first, last, body string
			tolerated         int
			protocol          bool
		}{
			"conforming":        {"2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.000001Z", `{"objects":[{}]}`, 0, false},
			"no headers":        {"", "", `{"objects":[{}]}`, 2, false},
			"milliseconds":      {"2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z", `{"objects":[{}]}`, 2, false},
			"JavaScript dates":  {"Thu Jan 01 2026 00:00:00 GMT+0000 (Coordinated Universal Time)", "Thu Jan 01 2026 01:00:00 GMT+0100 (CET)", `{"objects":[{}]}`, 2, false},
			"undefined":         {"undefined", "null", `{"objects":[{}]}`, 2, false},
			"no zone":           {"2026-01-01 00:00:00", "2026-01-01T00:00:00.5", `{"objects":[{}]}`, 2, false},
			"nulls":             {"", "", `{"more":null,"next":null,"objects":null}`, 0, false},
			"empty list":        {"undefined", "undefined", `{"more":false,"objects":[]}`, 0, false},
			"next without more": {"2026-01-01T00:00:00.000001Z", "2026-01-01T00:00:00.000001Z", `{"next":"end","objects":[{}]}`, 1, false},
			"items":             {"", "", `{"items":[{}]}`, 0, true},
			"no JSON":           {"", "", `<html>`, 0, true},
			"a string for more": {"", "", `{"more":"true","objects":[{}]}`, 0, true},
			"a bomb":            {"", "", strings.Repeat("[", 1<<20), 0, true},
		} {
			client, _ := script(t, map[string]scriptedAnswer{listPath: {header: map[string]string{headerFirst: c.first, headerLast: c.last}, body: c.body}, listPath + "?next=end": {body: "{}"}})
			_, tolerated, err := collect(client, Select{})
			if len(tolerated) != c.tolerated || errors.Is(err, ErrProtocol) != c.protocol || (err != nil) != c.protocol {
				t.Errorf("%s: %v %v", name, tolerated, err)
			}
		}
		// A manifest without headers still leads on by its own dates.
		path := "/r/collections/c/manifest/"
		client, s := script(t, map[string]scriptedAnswer{
			path: {body: `{"more":true,"objects":[{"id":"a","version":"v","date_added":"2026-01-01T00:00:00.000Z"}]}`},
			path + "?added_after=2026-01-01T00:00:00.000000Z": {body: `{}`},
		})
		for _, err := range client.Manifest(ctx, scriptedRoot, "c", Select{}) {
			if err != nil {
				t.Errorf("%v: %v", err, s.asked)
			}
		}
		// An answer without end is bounded.
		client, _ = script(t, map[string]scriptedAnswer{listPath: {body: `{"objects":[` + strings.Repeat("{},", 1000) + `{}]}`}})
		client.MaxResponse = 1000
		if _, _, err := collect(client, Select{}); !errors.Is(err, ErrProtocol) {
			t.Error(err)
		}
	},
	142: func(t *testing.T) {
		c, root, m := realServer(t, Options{MaxContentLength: 300, MaxObjects: 2})
		m.async = true
		var slept []time.Duration
		c.Sleep = func(_ context.Context, d time.Duration) error { slept = append(slept, d); return nil }
		var objects [][]byte
		for n := range 10 {
			objects = append(objects, []byte(obj("x", n, "2026-01-01T00:00:00Z")))
		}
		done, err := c.Add(ctx, root, "a", objects, AddOptions{})
		total := 0
		for _, st := range done {
			total += st.SuccessCount
			if st.Status != Complete {
				t.Errorf("%+v", st)
			}
		}
		if err != nil || total != 10 || len(done) < 5 || len(slept) != len(done) || len(m.colls[0].items) != 10 {
			t.Errorf("%v: %d of 10 in %d envelopes, %v", err, total, len(done), slept)
		}
		if _, err := c.Await(ctx, root, Status{ID: "never asked", Status: Complete}, 1); err != nil {
			t.Error(err)
		}
		for _, bad := range [][]byte{[]byte("1"), []byte(`{"a":1}]}`), []byte(`{"a":1},{}`), nil, []byte(`{"a":"` + strings.Repeat("x", 300) + `"}`)} {
			before := len(m.statuses)
			if _, err := c.Add(ctx, root, "a", [][]byte{objects[0], bad}, AddOptions{}); err == nil || len(m.statuses) != before {
				t.Errorf("%.20q was sent: %v", bad, err)
			}
		}
		// A status that stays pending: growing pauses, and an end.
		stuck, s := script(t, map[string]scriptedAnswer{"/r/status/p/": {body: `{"id":"p","status":"pending","total_count":1,"success_count":0,"failure_count":0,"pending_count":1}`}})
		slept = nil
		stuck.Sleep = c.Sleep
		if _, err := stuck.Await(ctx, scriptedRoot, Status{ID: "p", Status: Pending}, 7); !errors.Is(err, ErrPending) || len(s.asked) != 7 || slept[0] != time.Second || slept[6] != 30*time.Second {
			t.Errorf("%v %v %v", err, s.asked, slept)
		}
	},
	143: func(t *testing.T) {
		for status, want := range map[int]error{401: ErrUnauthorized, 403: ErrForbidden, 404: ErrNotFound, 406: ErrNotAcceptable, 413: ErrTooLarge, 415: ErrMediaType, 422: ErrUnprocessable, 429: ErrThrottled, 503: ErrUnavailable} {
			c, s := script(t, map[string]scriptedAnswer{"/r/": {status: status, header: map[string]string{"Retry-After": "7", "WWW-Authenticate": "Basic"},
				body: fmt.Sprintf(`{"title":"T","description":"D","error_id":"I","error_code":"C","http_status":%d,"details":{"a":1}}`, status)}})
			_, err := c.Root(ctx, scriptedRoot)
			var r *ResponseError
			var e *Error
			if !errors.Is(err, want) || !errors.As(err, &r) || !errors.As(err, &e) || r.HTTPStatus != status || r.RetryAfter != 7*time.Second || e.Title != "T" || e.ErrorID != "I" || e.Details["a"] != "1" || len(s.asked) != 1 {
				t.Errorf("%d: %v %+v", status, err, e)
			}
			for other := range errStatusByNumber {
				if other != status && errors.Is(err, errStatusByNumber[other]) {
					t.Errorf("%d is taken for %d", status, other)
				}
			}
		}
		c, _ := script(t, map[string]scriptedAnswer{"/r/": {status: 500, body: "<html>"}})
		var r *ResponseError
		if _, err := c.Root(ctx, scriptedRoot); !errors.As(err, &r) || r.Err != nil || r.HTTPStatus != 500 {
			t.Error(err)
		}
		// Waiting as asked, and no longer than allowed.
		for _, w := range []struct {
			retryAfter, date string
			asked            int
			slept            time.Duration
		}{{"2", "", 4, 6 * time.Second}, {"61", "", 1, 0}, {"99999999999999999999", "", 4, 7 * time.Second}, {"-1", "", 4, 7 * time.Second},
			{"Sat, 21 Nov 2026 10:00:10 GMT", "Sat, 21 Nov 2026 10:00:00 GMT", 4, 30 * time.Second}, {"", "", 4, 7 * time.Second}} {
			c, s := script(t, map[string]scriptedAnswer{"/r/": {status: 503, header: map[string]string{"Retry-After": w.retryAfter, "Date": w.date}}})
			var slept time.Duration
			c.Sleep = func(_ context.Context, d time.Duration) error { slept += d; return nil }
			if _, err := c.Root(ctx, scriptedRoot); !errors.Is(err, ErrUnavailable) || len(s.asked) != w.asked || slept != w.slept {
				t.Errorf("%+v: asked %d, slept %v, %v", w, len(s.asked), slept, err)
			}
		}
		// A wait that is called off.
		c, s := script(t, map[string]scriptedAnswer{"/r/": {status: 429}})
		c.Sleep = func(context.Context, time.Duration) error { return context.Canceled }
		if _, err := c.Root(ctx, scriptedRoot); !errors.Is(err, context.Canceled) || !errors.Is(err, ErrThrottled) || len(s.asked) != 1 {
			t.Error(err)
		}
	},
	144: func(t *testing.T) {
		records := []*net.SRV{{Target: "late.example.", Port: 443, Priority: 20, Weight: 9}, {Target: "zero.example.", Port: 8443, Priority: 10}, {Target: "big.example.", Port: 443, Priority: 10, Weight: 60},
			{Target: "small.example.", Port: 443, Priority: 10, Weight: 40}, {Target: ".", Port: 443, Priority: 30}}
		lookup := func(_ context.Context, name string) ([]*net.SRV, error) {
			if name != "_taxii2._tcp.cert.example." {
				return nil, errors.New("asked for " + name)
			}
			return records, nil
		}
		most := func(n int) int { return n - 1 }
		got, err := LookupSRV(ctx, "cert.example.", lookup, most)
		want := []string{"https://big.example/taxii2/", "https://small.example/taxii2/", "https://zero.example:8443/taxii2/", "https://late.example/taxii2/"}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v %v", got, err)
		}
		least := func(int) int { return 0 }
		if got := OrderSRV(records, least); got[0].Target != "zero.example." || got[4].Target != "." {
			t.Errorf("%v", got[0])
		}
		if _, err := LookupSRV(ctx, "other.example", lookup, most); err == nil {
			t.Error("no error")
		}
	},
}
