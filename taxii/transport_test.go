package taxii

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// everyGet is one path of each endpoint that answers GET.
var everyGet = []string{"/taxii2/", "/cti/", "/cti/collections/", "/cti/collections/a/", "objects/", "manifest/", "objects/x--1/", "objects/x--1/versions/"}

const x1 = `{"type":"x","id":"x--1","spec_version":"2.1","modified":"2026-01-01T00:00:00.000Z"}`

func accepts(accept ...string) func(*testing.T) {
	return func(t *testing.T) {
		for _, a := range accept {
			b := newBench(t, Options{})
			b.header.Set("Accept", a)
			if b.get("/taxii2/"); b.Code != 200 {
				t.Errorf("Accept %q: %d", a, b.Code)
			}
		}
	}
}

func posts(status int, contentTypes ...string) func(*testing.T) {
	return func(t *testing.T) {
		for _, ct := range contentTypes {
			b := newBench(t, Options{})
			b.header.Set("Content-Type", ct)
			if b.post(x1); b.Code != status {
				t.Errorf("Content-Type %q: %d, want %d", ct, b.Code, status)
			}
		}
	}
}

var transportRows = map[int]func(*testing.T){
	4: func(t *testing.T) {
		b := newBench(t, Options{})
		for _, p := range everyGet {
			if strings.HasPrefix(p, "/") {
				p = strings.TrimSuffix(p, "/")
				if b.get(p + "?a=b"); b.Code != 308 || b.Header().Get("Location") != p+"/?a=b" {
					t.Errorf("%s: %d to %q", p, b.Code, b.Header().Get("Location"))
				}
			}
		}
		// A path that would read as another host is no path of ours.
		b.get("//evil.example/collections").want(404)
		b.get("/%2F%2Fevil.example").want(308)
		if l := b.Header().Get("Location"); l != "/%2F%2Fevil.example/" {
			t.Errorf("Location %q", l)
		}
		b.do(http.MethodPost, "objects", "{}").want(308)
	},
	5: func(t *testing.T) { // do and get check it on every answer of every test
		b := newBench(t, Options{})
		b.post(x1).want(202)
		for _, p := range everyGet {
			b.get(p).want(200)
		}
		b.do(http.MethodDelete, "objects/x--1/", "").want(200)
		b.get("/nowhere/").want(404)
	},
	6:  accepts("application/taxii+json"),
	7:  accepts("application/taxii+json;version=2.1", "application/taxii+json; version=2.1", "application/taxii+json ;\tversion=2.1"),
	8:  accepts(`application/taxii+json;version="2.1"`, `application/taxii+json; version="2\.1"`),
	9:  accepts("text/html, application/taxii+json;version=2.1;q=0.5", "application/vnd.oasis.stix+json;q=0.3,application/taxii+json;q=0.001", `a/b;x="1,2;q=0", application/taxii+json`),
	10: accepts("application/taxii+json;version=2.0, application/taxii+json;version=2.1", "application/taxii+json;version=2.1;q=0.1,application/taxii+json;version=2.0"),
	11: accepts("Application/TAXII+JSON;Version=2.1", "APPLICATION/TAXII+JSON"),
	12: func(t *testing.T) {
		for _, a := range []string{"application/taxii+json;version=2.0", "text/html", "application/taxii+json;version=2.1;q=0", "*/*;q=0", "garbage", ",", ";", "application/taxii+json;q=2",
			"application/taxii+json;version=2.1;q=0, */*", "application/vnd.oasis.taxii+json; version=2.0", "application/taxii+json;version="} {
			for _, p := range append(everyGet, "/cti/status/none/") {
				b := newBench(t, Options{})
				b.header.Set("Accept", a)
				b.get(p).want(406)
			}
		}
	},
	13: accepts("*/*", "application/json", "application/*", "application/json, text/plain, */*", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
	14: func(t *testing.T) {
		b := newBench(t, Options{})
		b.header["Accept"] = nil
		b.get("/taxii2/").want(200)
		b.header["Accept"] = []string{""}
		b.get("/taxii2/").want(200)
	},
	15: posts(202, "application/taxii+json"),
	16: posts(202, "application/taxii+json; version=2.1", `application/taxii+json;version="2.1"`, "Application/Taxii+Json; charset=utf-8; version=2.1"),
	17: posts(415, "", "application/json", "application/taxii+json;version=2.0", "application/stix+json;version=2.1", "text/plain", ";"),
	18: func(t *testing.T) {
		b := newBench(t, Options{})
		b.header["User-Agent"] = nil
		b.get("/taxii2/").want(200)
	},
	19: func(t *testing.T) {
		for _, o := range []Options{{}, {NoGzip: true}} {
			b := newBench(t, o)
			b.post(x1).want(202)
			for _, p := range append(everyGet, "/nowhere/") {
				b.get(p)
				code, h, body := b.Code, b.Header(), b.Body.String()
				b.do(http.MethodHead, p, "").body("")
				if b.Code != code || b.Header().Get("Content-Length") != h.Get("Content-Length") || len(body) == 0 || b.Header().Get(headerLast) != h.Get(headerLast) {
					t.Errorf("HEAD %s: %d %v, GET: %d %v", p, b.Code, b.Header(), code, h)
				}
			}
		}
	},
	20: func(t *testing.T) {
		b := newBench(t, Options{})
		b.post(x1)
		b.header.Set("Range", "items=0-0")
		b.get("objects/").want(200).body(`{"objects":[` + x1 + `]}`)
		if b.Header().Get("Content-Range") != "" {
			t.Error("Content-Range is sent")
		}
	},
	21: func(t *testing.T) {
		s := httptest.NewServer(testHandler(newMem(), Options{}))
		defer s.Close()
		resp, err := http.Get(s.URL + "/taxii2/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if _, err := http.ParseTime(resp.Header.Get("Date")); err != nil {
			t.Errorf("Date: %v", err)
		}
	},
	22: func(t *testing.T) {
		b := newBench(t, Options{})
		for _, p := range []string{"/", "/nowhere/", "/cti/nowhere/", "/cti/status/", "/cti/collections//", "objects//", "objects/x--1/nowhere/", "objects/x--1/versions/more/",
			"nowhere/", "/cti/status/a/b/", "/taxii2/x/y/z/", "/cti/../taxii2/", "/cti/collections/%2e%2e/objects/", "/cti/collections/" + strings.Repeat("a", 600) + "/"} {
			b.get(p).want(404)
		}
		for path, allow := range map[string]string{"/taxii2/": "GET, HEAD", "/cti/": "GET, HEAD", "manifest/": "GET, HEAD", "objects/": "GET, HEAD, POST",
			"objects/x--1/": "GET, HEAD, DELETE", "objects/x--1/versions/": "GET, HEAD", "/cti/status/x/": "GET, HEAD"} {
			for _, method := range []string{"PUT", "PATCH", "OPTIONS", "TRACE", "BREW", "POST", "DELETE"} {
				if strings.Contains(allow, method) {
					continue
				}
				if b.do(method, path, "").want(405); b.Header().Get("Allow") != allow {
					t.Errorf("%s %s: Allow %q", method, path, b.Header().Get("Allow"))
				}
			}
		}
	},
	23: func(t *testing.T) {
		b := newBench(t, Options{})
		big := `{"type":"x","id":"x--1",  "n":1.50e1,"t":"` + strings.Repeat("ä\\u00e4", 500) + `","modified":"2026-01-01T00:00:00.000Z"}`
		b.post(big).want(202)
		plain := b.get("objects/").want(200).Body.String()
		b.header.Set("Accept-Encoding", "br, gzip;q=0.5")
		if b.get("objects/").want(200); b.Header().Get("Content-Encoding") != "gzip" {
			t.Fatalf("not coded: %v", b.Header())
		}
		if got := gunzip(t, b.Body); got != plain || !strings.Contains(got, big) {
			t.Error("coding changed the bytes")
		}
		for _, refuse := range []string{"gzip;q=0", "br", "identity", "gzip;q=x"} {
			b.header.Set("Accept-Encoding", refuse)
			if b.get("objects/").body(plain); b.Header().Get("Content-Encoding") != "" {
				t.Errorf("coded against %q", refuse)
			}
		}
		if !slices.Contains(strings.Split(b.Header().Get("Vary"), ", "), "Accept-Encoding") {
			t.Error("Vary does not name Accept-Encoding")
		}
	},
	24: func(t *testing.T) {
		s := httptest.NewUnstartedServer(testHandler(newMem(), Options{}))
		s.EnableHTTP2 = true
		s.StartTLS()
		defer s.Close()
		resp, err := s.Client().Get(s.URL + "/taxii2/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.ProtoMajor != 2 || resp.StatusCode != 200 {
			t.Errorf("%s %d", resp.Proto, resp.StatusCode)
		}
	},
}

var accessRows = map[int]func(*testing.T){
	25: func(t *testing.T) {
		w := httptest.NewRecorder()
		WriteError(w, httptest.NewRequest("GET", "/cti/", nil), &Error{HTTPStatus: 401, Title: "Unauthorized", ErrorID: "e", Challenge: []string{`Basic realm="a"`, "Bearer"}})
		if got := w.Header()["Www-Authenticate"]; w.Code != 401 || len(got) != 2 {
			t.Errorf("%d %v", w.Code, got)
		}
	},
	26: func(t *testing.T) {
		w := httptest.NewRecorder()
		WriteError(w, httptest.NewRequest("GET", "/cti/", nil), &Error{HTTPStatus: 401, ErrorID: "e"})
		if got := w.Body.String(); got != `{"title":"Unauthorized","error_id":"e","http_status":"401"}` || w.Header().Get("Content-Type") != MediaType {
			t.Errorf("%s %v", got, w.Header())
		}
	},
	30: func(t *testing.T) {
		// A hidden collection and one that does not exist answer alike but for the id of the error, on every endpoint and method.
		b := newBench(t, Options{ErrorID: func(context.Context) string { return "e" }})
		b.as = "mallory"
		absent := strings.Replace(collB, "2222", "4444", 1)
		for _, tail := range []string{"", "objects/", "manifest/", "objects/x--1/", "objects/x--1/versions/"} {
			for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "PUT"} {
				b.do(method, "/cti/collections/"+collB+"/"+tail, "{}")
				code, body, h := b.Code, b.Body.String(), b.Header()
				b.do(method, "/cti/collections/"+absent+"/"+tail, "{}").want(code).body(body)
				if code < 404 || len(h) != len(b.Header()) || h.Get("Content-Length") != b.Header().Get("Content-Length") {
					t.Errorf("%s %s: %d %v and %d %v", method, tail, code, h, b.Code, b.Header())
				}
			}
		}
	},
	31: func(t *testing.T) {
		b := newBench(t, Options{})
		for who, want := range map[string]int{"alice": 2, "bob": 2, "carol": 2, "mallory": 1} {
			b.as = who
			if got := into[collections](b.get("/cti/collections/").want(200)); len(got.Collections) != want {
				t.Errorf("%s sees %d collections", who, len(got.Collections))
			}
		}
	},
	32: func(t *testing.T) {
		b := newBench(t, Options{})
		for who, rights := range map[string]string{"alice": `"can_read":true,"can_write":true`, "bob": `"can_read":true,"can_write":false`, "carol": `"can_read":false,"can_write":true`} {
			b.as = who
			for _, p := range []string{"/cti/collections/", "/cti/collections/" + collB + "/"} {
				if b.get(p).want(200); !strings.Contains(b.Body.String(), rights) {
					t.Errorf("%s: %s", who, b.Body)
				}
			}
		}
	},
	33: func(t *testing.T) {
		// The backend leaves out what a caller may not have; the handler shows what it got and states no number of its own.
		b := newBench(t, Options{})
		b.post(x1)
		b.get("objects/?match[id]=hidden--1").want(200).body("{}")
	},
	34: func(t *testing.T) {
		b := newBench(t, Options{})
		next := b.twoPages()
		b.as = "bob"
		b.get("objects/?limit=1&next=" + next).want(400)
		b.as = "alice"
		b.get("objects/?limit=1&next=" + next).want(200)
		// The rights are asked for again at every page.
		b.mem.colls[0].rights["alice"] = "w"
		b.get("objects/?limit=1&next=" + next).want(403)
	},
	35: func(t *testing.T) {
		var reported error
		h := NewHandler(failing{newMem()}, Options{Report: func(_ *http.Request, _ *Error, cause error) { reported = cause }})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/taxii2/", nil))
		if w.Code != 500 || strings.Contains(w.Body.String(), "wires") || reported == nil || reported.Error() != "the wires are crossed" {
			t.Errorf("%d %s, reported %v", w.Code, w.Body, reported)
		}
	},
}

// failing is a Backend whose discovery fails for a private reason.
type failing struct{ *mem }

func (failing) Discovery(context.Context) (Discovery, error) {
	return Discovery{}, errors.New("the wires are crossed")
}

// twoPages posts two objects and returns the token of the second page of one.
func (b *bench) twoPages() string {
	b.t.Helper()
	b.post(x1, strings.Replace(x1, "x--1", "x--2", 1)).want(202)
	page := into[struct {
		More bool   `json:"more"`
		Next string `json:"next"`
	}](b.get("objects/?limit=1").want(200))
	if !page.More || page.Next == "" {
		b.t.Fatalf("no second page: %s", b.Body)
	}
	return page.Next
}

var rootRows = map[int]func(*testing.T){
	37: func(t *testing.T) {
		if d := into[Discovery](newBench(t, Options{}).get("/taxii2/").want(200)); d.Title == "" {
			t.Error("no title")
		}
	},
	38: func(t *testing.T) {
		b := newBench(t, Options{})
		if d := into[Discovery](b.get("/taxii2/")); d.Default != "/cti/" || !slices.Contains(d.APIRoots, d.Default) {
			t.Errorf("%+v", d)
		}
		b.mem.expand = func(d *Discovery) { d.Default = "other" }
		if d := into[Discovery](b.get("/taxii2/")); d.Default != "" {
			t.Errorf("a default that is not listed: %+v", d)
		}
		b.mem.expand = func(d *Discovery) { d.APIRoots = []string{} }
		b.get("/taxii2/").body(`{"title":"Test"}`)
	},
	39: func(t *testing.T) {
		b := newBench(t, Options{RootPrefix: "/x/"})
		b.mem.expand = func(d *Discovery) { d.APIRoots = []string{"a b"} }
		if d := into[Discovery](b.get("/taxii2/")); d.APIRoots[0] != "/x/a%20b/" {
			t.Errorf("%+v", d)
		}
	},
	40: func(t *testing.T) {
		if d := into[Discovery](newBench(t, Options{}).get("/taxii2/")); !slices.Contains(d.APIRoots, "https://ally.example/taxii/") {
			t.Errorf("%+v", d)
		}
	},
	41: func(t *testing.T) {
		b := newBench(t, Options{MaxContentLength: 1234})
		b.get("/cti/").want(200).body(`{"title":"CTI","versions":["application/taxii+json;version=2.1"],"max_content_length":1234}`)
		b.mem.max = 99
		if r := into[Root](b.get("/cti/")); r.MaxContentLength != 99 {
			t.Errorf("%+v", r)
		}
	},
	42: func(t *testing.T) {
		b := newBench(t, Options{})
		for _, p := range []string{"/other/", "/other/collections/", "/other/collections/a/objects/", "/other/status/x/"} {
			b.get(p).want(404)
		}
		b.do("POST", "/other/collections/a/objects/", "{}").want(404)
	},
	43: func(t *testing.T) {
		envelope := `{"objects":[` + x1 + `]}`
		b := newBench(t, Options{MaxContentLength: int64(len(envelope))})
		b.do("POST", "objects/", envelope).want(202)
		b.do("POST", "objects/", envelope+" ").want(413)
		// A stated length is refused unread.
		r := httptest.NewRequest("POST", "/cti/collections/a/objects/", unreadableBody{t})
		r.ContentLength = 1 << 40
		r.Header.Set("Content-Type", MediaType)
		w := httptest.NewRecorder()
		b.h.ServeHTTP(w, r)
		if w.Code != 413 {
			t.Errorf("%d", w.Code)
		}
	},
	44: func(t *testing.T) {
		s := httptest.NewServer(testHandler(newMem(), Options{MaxContentLength: 500}))
		defer s.Close()
		for n, want := range map[int]int{1: 202, 10: 413} {
			// Without a known length the body is sent chunked.
			body := struct{ *strings.Reader }{strings.NewReader(`{"objects":[` + strings.Repeat(x1+",", n-1) + x1 + `]}`)}
			resp, err := http.Post(s.URL+"/cti/collections/a/objects/", MediaType, body)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%d objects: %d", n, resp.StatusCode)
			}
		}
	},
	45: func(t *testing.T) {
		if got := SRVName("cert.example"); got != "_taxii2._tcp.cert.example." {
			t.Error(got)
		}
	},
}

// unreadableBody fails the test when it is read.
type unreadableBody struct{ t *testing.T }

func (u unreadableBody) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, errors.New("read")
}

var collectionRows = map[int]func(*testing.T){
	46: func(t *testing.T) {
		b := newBench(t, Options{})
		for _, c := range into[collections](b.get("/cti/collections/").want(200)).Collections {
			if c.ID == "" || c.Title == "" {
				t.Errorf("%+v", c)
			}
		}
		b.mem.colls = nil
		b.get("/cti/collections/").want(200).body("{}")
	},
	47: func(t *testing.T) {
		b := newBench(t, Options{})
		first := b.get("/cti/collections/").Body.String()
		for range 5 {
			b.get("/cti/collections/").body(first)
		}
	},
	48: func(t *testing.T) {
		b := newBench(t, Options{})
		if c := into[Collection](b.get("/cti/collections/" + collB + "/").want(200)); c.ID != collB {
			t.Errorf("%+v", c)
		}
		b.get("/cti/collections/44444444-4444-4444-8444-444444444444/").want(404)
		b.get("/cti/collections/%00%ff/").want(404)
	},
	49: func(t *testing.T) {
		b := newBench(t, Options{})
		next := b.twoPages()
		for _, tail := range []string{"", "objects/", "manifest/", "objects/x--1/", "objects/x--1/versions/", "objects/?limit=1&next=" + next} {
			want := b.get("/cti/collections/" + collA + "/" + tail).want(200).Body.String()
			b.get("/cti/collections/a/" + tail).want(200).body(want)
		}
	},
	50: func(t *testing.T) {
		b := newBench(t, Options{})
		if c := into[Collection](b.get("/cti/collections/a/")); len(c.MediaTypes) != 1 || c.MediaTypes[0] != STIXMediaType {
			t.Errorf("%+v", c)
		}
	},
	51: func(t *testing.T) {
		// Ids are the backend's; the handler never answers one other than the backend's, also when an alias was asked for.
		if c := into[Collection](newBench(t, Options{}).get("/cti/collections/a/")); c.ID != collA {
			t.Errorf("%+v", c)
		}
	},
	52: func(t *testing.T) {
		c := into[Collection](newBench(t, Options{}).get("/cti/collections/" + collB + "/"))
		if string(c.Custom) != `{"x_region":"north"}` {
			t.Errorf("custom properties %s", c.Custom)
		}
	},
}

// sameInstant keeps the tests short where only the instant matters.
func sameInstant(t *testing.T, got, want string) {
	t.Helper()
	a, err := time.Parse(TimeFormat, got)
	b, err2 := ParseTime(want)
	if err != nil || err2 != nil || !a.Equal(b) {
		t.Errorf("%q, want the form and instant of %q", got, want)
	}
}
