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
