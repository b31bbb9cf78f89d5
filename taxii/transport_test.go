package taxii

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
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

func TestMounts(t *testing.T) {
	for _, o := range []Options{{RootPrefix: "/taxii2/"}, {RootPrefix: "taxii2"}} {
		b := newBench(t, o)
		b.get("/taxii2/").want(200).body(`{"title":"Test","default":"/taxii2/cti/","api_roots":["/taxii2/cti/","https://ally.example/taxii/"]}`)
		b.get("/taxii2/cti/collections/a/objects/").want(200)
		b.get("/taxii2/cti/collections/a/objects").want(308)
		b.get("/cti/").want(404)
	}
	newBench(t, Options{DiscoveryPath: "/x/y"}).get("/x/y/").want(200)
}

// TestGreatestPage sends 10,000 objects on one page over a real connection, each with its exact bytes.
func TestGreatestPage(t *testing.T) {
	m := newMem()
	s := httptest.NewServer(testHandler(m, Options{}))
	defer s.Close()
	const n = 10_000
	objects := make([][]byte, n)
	for i := range objects {
		objects[i] = []byte(obj("x", i, "2026-01-01T00:00:00Z"))
	}
	c := &Client{URL: s.URL + "/taxii2/", Doer: s.Client(), AllowPlaintext: true}
	for i, raw := range objects {
		m.colls[0].items = append(m.colls[0].items, memItem{id: "x--" + strconv.Itoa(i), typ: "x", spec: "2.1", added: int64(i + 1), raw: raw})
	}
	pages := 0
	for p, err := range c.Objects(ctx, s.URL+"/cti/", "a", Select{Limit: n}) {
		if err != nil || !slices.EqualFunc(p.Objects, objects, bytes.Equal) {
			t.Fatalf("%d objects: %v", len(p.Objects), err)
		}
		pages++
	}
	if pages != 1 {
		t.Errorf("%d pages", pages)
	}
}
