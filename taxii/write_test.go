package taxii

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/shareddata"
)

// rejects checks bodies of a POST: body → status.
func rejects(cases map[string]int) func(*testing.T) {
	return func(t *testing.T) {
		for body, status := range cases {
			b := newBench(t, Options{})
			if b.do("POST", "objects/", body); b.Code != status {
				t.Errorf("%.80q: %d, want %d: %s", body, b.Code, status, b.Body)
			}
			if b.Code >= 400 {
				d := into[struct {
					Details map[string]string `json:"details"`
				}](b)
				if _, ok := d.Details["pointer"]; !ok || d.Details["rule"] == "" {
					t.Errorf("%.80q: details %v", body, d.Details)
				}
			}
		}
	}
}

func (b *bench) status() Status {
	b.t.Helper()
	return into[Status](b)
}

var addRows = map[int]func(*testing.T){
	101: func(t *testing.T) { newBench(t, Options{}).post(x1).want(202) },
	102: func(t *testing.T) {
		b := newBench(t, Options{})
		st := b.post(x1, `{"type":"y","id":"x--2"}`).want(202).status()
		if st.TotalCount != 2 || st.SuccessCount != len(st.Successes) || st.FailureCount != len(st.Failures) || st.PendingCount != 0 || st.Status != Complete {
			t.Errorf("%+v", st)
		}
		for _, name := range []string{"total_count", "success_count", "failure_count", "pending_count"} {
			if !strings.Contains(b.Body.String(), `"`+name+`":`) {
				t.Errorf("no %s: %s", name, b.Body)
			}
		}
		// A list that contradicts its count does not leave the house.
		odd := Status{Status: Pending, PendingCount: 3, Pendings: []StatusDetail{{}}, SuccessCount: 1, Successes: []StatusDetail{{ID: "a", Version: "b"}}}.coherent()
		if odd.Pendings != nil || odd.TotalCount != 4 || len(odd.Successes) != 1 {
			t.Errorf("%+v", odd)
		}
	},
	103: func(t *testing.T) {
		st := newBench(t, Options{}).post(x1, `{"type":"y","id":"x--2"}`, `{}`).status()
		for _, d := range append(st.Successes, st.Failures...) {
			if d.ID == "" || d.Version == "" {
				t.Errorf("%+v", d)
			}
		}
	},
	104: func(t *testing.T) {
		b := newBench(t, Options{})
		if !regexp.MustCompile(`"request_timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"`).MatchString(b.post(x1).Body.String()) {
			t.Errorf("%s", b.Body)
		}
	},
	105: func(t *testing.T) {
		b := newBench(t, Options{})
		st := b.post(x1).status()
		want := b.Body.String()
		b.get("/cti/status/" + st.ID + "/").want(200).body(want)
		delete(b.mem.statuses, st.ID) // its time is over
		b.get("/cti/status/" + st.ID + "/").want(404)
	},
	106: func(t *testing.T) {
		b := newBench(t, Options{ErrorID: func(context.Context) string { return "e" }})
		st := b.post(x1).status()
		b.as = "bob"
		absent := b.get("/cti/status/none/").want(404).Body.String()
		b.get("/cti/status/" + st.ID + "/").want(404).body(absent)
	},
	107: func(t *testing.T) {
		b := newBench(t, Options{})
		for _, id := range []string{"x", "%00", "33333333-3333-4333-8333-333333333333", "..%2f", strings.Repeat("a", 512)} {
			b.get("/cti/status/" + id + "/").want(404)
		}
	},
	108: func(t *testing.T) {
		b := newBench(t, Options{})
		b.mem.async = true
		st := b.post(x1, x1).want(202).status()
		if st.Status != Pending || st.PendingCount != 2 || st.TotalCount != 2 {
			t.Errorf("%+v", st)
		}
		if st = b.get("/cti/status/" + st.ID + "/").want(200).status(); st.Status != Complete || st.SuccessCount != 2 {
			t.Errorf("%+v", st)
		}
	},
	109: func(t *testing.T) {
		b := newBench(t, Options{})
		b.post(x1)
		before := b.get("manifest/").Body.String()
		if st := b.post(x1).status(); st.SuccessCount != 1 {
			t.Errorf("%+v", st)
		}
		b.get("manifest/").body(before)
	},
	110: func(t *testing.T) {
		b := newBench(t, Options{})
		b.post(x1)
		if st := b.post(strings.Replace(x1, "{", `{"name":"other",`, 1)).want(202).status(); st.FailureCount != 1 || st.Failures[0].Message == "" {
			t.Errorf("%+v", st)
		}
		b.get("objects/").body(`{"objects":[` + x1 + `]}`)
	},
	111: func(t *testing.T) {
		b := newBench(t, Options{})
		if st := b.post(x1, `{"type":"y","id":"x--9","modified":"z"}`, obj("y", 2, "2026-01-01T00:00:00Z")).want(202).status(); st.SuccessCount != 2 || st.FailureCount != 1 || st.Failures[0].Message == "" {
			t.Errorf("%+v", st)
		}
		if got := strings.Count(b.get("objects/").versionsOnPage(), "@"); got != 2 {
			t.Errorf("%d stored", got)
		}
	},
	112: rejects(map[string]int{"": 400, " ": 400, "{": 400, "null": 422, "[]": 422, `"x"`: 422, "1": 422, `{"objects":{}}`: 422, `{"objects":"x"}`: 422, `{"objects":null}`: 422,
		`{"objects":[1]}`: 422, `{"objects":[{},null]}`: 422, `{"objects":[[]]}`: 422, `{"objects":[{}}`: 400, `{"objects":[{}]}}`: 400, `{"objects":[{}]} {}`: 400,
		`{objects:[]}`: 400, `{"objects":[{},]}`: 400, `{"objects":[{"a":01}]}`: 400, "\xef\xbb\xbf{}": 400, `{"objects":[{}]`: 400, `{"objects"`: 400, "tru": 400, "[": 400}),
	113: rejects(map[string]int{"{}": 422, `{"objects":[]}`: 422, `{"more":false}`: 422}),
	114: func(t *testing.T) {
		// What is valid STIX is the backend's to say; the handler reports its verdict object by object.
		b := newBench(t, Options{})
		if st := b.post(`{}`, `{"type":"x"}`, `{"type":"x","id":"y--1"}`, `{"type":"x","id":"x--1","modified":"yesterday"}`, `{"type":1}`).want(202).status(); st.FailureCount != 5 {
			t.Errorf("%+v", st)
		}
		b.get("objects/").want(200).body("{}")
	},
	116: func(t *testing.T) {
		b := newBench(t, Options{})
		b.do("POST", "objects/", `{"type":"bundle","id":"bundle--1","objects":[`+x1+`]}`).want(202)
		b.get("objects/").body(`{"objects":[` + x1 + `]}`)
	},
	117: func(t *testing.T) {
		b := newBench(t, Options{})
		b.do("POST", "objects/", `{"more":true,"next":"n","x_custom":{"a":[1]},"objects":[`+x1+`]}`).want(202)
		rejects(map[string]int{`{"more":1,"objects":[{}]}`: 422, `{"next":1,"objects":[{}]}`: 422, `{"next":null,"objects":[{}]}`: 422})(t)
	},
	118: rejects(map[string]int{
		`{"objects":[{"a":1,"a":2}]}`:                                   400,
		`{"objects":[{"a":1,"\u0061":2}]}`:                              400,
		`{"objects":[{}],"objects":[{}]}`:                               400,
		"{\"objects\":[{\"a\":\"\xff\"}]}":                              400,
		"{\"objects\":[{\"a\":\"\x01\"}]}":                              400,
		`{"objects":[{"a":NaN}]}`:                                       400,
		`{"objects":[{"a":Infinity}]}`:                                  400,
		`{"objects":[{"a":"\ud800"}]}`:                                  400,
		`{"objects":[{"a":"\udc00\ud800"}]}`:                            400,
		`{"objects":[` + deep(65) + `]}`:                                400,
		`{"objects":[` + deep(64) + `]}`:                                202,
		`{"x":` + strings.Repeat("[", 100000):                           400,
		strings.Repeat(`{"objects":[`, 20000):                           400,
		`{"objects":[{"a":"` + strings.Repeat("[{", 500) + `\"[[\\"}]}`: 202,
	}),
	119: func(t *testing.T) {
		b := threeVersions(t)
		if got := b.get("objects/x--1/").versionsOnPage(); got != "x--1@03" {
			t.Error(got)
		}
		if got := b.get("objects/x--1/?match[version]=all").versionsOnPage(); got != "x--1@01 x--1@03 x--1@02" {
			t.Error(got)
		}
	},
}

// deep is an object nested n levels.
func deep(n int) string {
	return `{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
}

var deleteRows = map[int]func(*testing.T){
	122: func(t *testing.T) { threeVersions(t).do("DELETE", "objects/x--1/", "").want(200).body("") },
	123: func(t *testing.T) {
		b := threeVersions(t)
		b.do("DELETE", "objects/x--1/", "").want(200)
		b.get("objects/x--1/").want(404)
		b.get("manifest/?match[id]=x--1&match[version]=all").want(200).body("{}")
	},
	124: func(t *testing.T) {
		for version, left := range map[string]string{"2026-01-02T00:00:00Z": "x--1@01 x--1@03", "first": "x--1@03 x--1@02", "last": "x--1@01 x--1@02", "first,last": "x--1@02", "all": ""} {
			b := threeVersions(t)
			b.do("DELETE", "objects/x--1/?match[version]="+version, "").want(200)
			if got := b.get("objects/?match[id]=x--1&match[version]=all").want(200).versionsOnPage(); got != left {
				t.Errorf("after %s: %s", version, got)
			}
		}
		b := threeVersions(t)
		b.do("DELETE", "objects/x--1/?match[version]=all,last", "").want(400)
		b.do("DELETE", "objects/x--1/?match[spec_version]=2.0", "").want(404)
		b.do("DELETE", "objects/x--1/?match[spec_version]=2.1", "").want(200)
	},
	125: func(t *testing.T) {
		b := threeVersions(t)
		b.do("DELETE", "objects/y--1/?match[version]=2026-01-01T00:00:00.000Z", "").want(200)
		b.get("objects/y--1/?match[version]=2026-01-01T00:00:00.000Z").want(404)
	},
	126: func(t *testing.T) { threeVersions(t).do("DELETE", "objects/x--9/", "").want(404) },
	127: func(t *testing.T) {
		b := newBench(t, Options{})
		b.post(x1)
		before := b.records("manifest/")[0].DateAdded
		b.do("DELETE", "objects/x--1/", "").want(200)
		b.post(x1).want(202)
		if after := b.records("manifest/")[0].DateAdded; !after.After(before.Time) {
			t.Errorf("%v after %v", after, before)
		}
	},
	128: func(t *testing.T) {
		b := newBench(t, Options{})
		for who, want := range map[string]int{"mallory": 404, "bob": 403, "carol": 403, "alice": 404} { // alice: no such object
			b.as = who
			b.do("DELETE", "/cti/collections/"+collB+"/objects/x--1/", "").want(want)
		}
	},
	129: func(t *testing.T) {
		b := newBench(t, Options{})
		for who, want := range map[string]int{"mallory": 404, "carol": 403} {
			b.as = who
			for _, tail := range []string{"objects/", "manifest/", "objects/x--1/", "objects/x--1/versions/"} {
				b.get("/cti/collections/" + collB + "/" + tail).want(want)
			}
		}
	},
	130: func(t *testing.T) {
		b := newBench(t, Options{})
		for who, want := range map[string]int{"mallory": 404, "bob": 403, "carol": 202} {
			b.as = who
			b.do("POST", "/cti/collections/"+collB+"/objects/", `{"objects":[`+x1+`]}`).want(want)
		}
	},
	132: func(t *testing.T) { // checkError holds every answer from 400 on to this
		newBench(t, Options{}).get("/nowhere/").want(404)
	},
	133: func(t *testing.T) {
		if b := newBench(t, Options{}).get("/nowhere/"); !strings.Contains(b.Body.String(), `"http_status":"404"`) {
			t.Errorf("%s", b.Body)
		}
	},
	134: func(t *testing.T) {
		b := newBench(t, Options{})
		seen := map[string]bool{}
		for range 10 {
			e := into[struct {
				ErrorID   string            `json:"error_id"`
				ErrorCode string            `json:"error_code"`
				Details   map[string]string `json:"details"`
			}](b.get("objects/?limit=0").want(400))
			if seen[e.ErrorID] || e.ErrorCode != "query.invalid" || e.Details["field"] != "limit" || e.Details["rule"] == "" {
				t.Errorf("%+v", e)
			}
			seen[e.ErrorID] = true
		}
		// What the application renders is answered whole.
		h := NewHandler(failing{newMem()}, Options{RenderError: func(error) *Error {
			return &Error{HTTPStatus: 503, Title: "Later", Description: "busy \xff", ErrorID: "i", ErrorCode: "c", ExternalDetails: "https://example.org/", Details: map[string]string{"b": "2", "a": "1"}, RetryAfter: 1500 * time.Millisecond}
		}})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/taxii2/", nil))
		want := `{"title":"Later","description":"busy ` + "\ufffd" + `","error_id":"i","error_code":"c","http_status":"503","external_details":"https://example.org/","details":{"a":"1","b":"2"}}`
		if w.Body.String() != want || w.Header().Get("Retry-After") != "2" || w.Code != 503 {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
	},
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

func TestCodedBody(t *testing.T) {
	envelope := `{"objects":[` + x1 + `]}`
	b := newBench(t, Options{MaxContentLength: 10_000})
	for _, c := range []struct {
		coding, body string
		want         int
	}{
		{"gzip", zipped(envelope), 202}, {"GZIP", zipped(envelope), 202}, {"identity", envelope, 202},
		{"gzip", zipped(envelope + strings.Repeat(" ", 1<<20)), 413}, {"gzip", envelope, 400}, {"gzip", zipped(envelope)[:30], 400}, {"gzip", "", 400},
		{"br", envelope, 415}, {"gzip, gzip", zipped(envelope), 415}, {"deflate", envelope, 415},
	} {
		b.header.Set("Content-Encoding", c.coding)
		if b.do("POST", "objects/", c.body); b.Code != c.want {
			t.Errorf("%s %.30q: %d, want %d: %s", c.coding, c.body, b.Code, c.want, b.Body)
		}
	}
}

func TestBodyFaultsArePlaced(t *testing.T) {
	for body, want := range map[string]string{
		`{"objects":[{},{"a":{"b/c":[1,{"d":1,"d":2}]}}]}`: "/objects/1/a/b~1c/1/d",
		`{"objects":[{},7]}`:                "/objects/1",
		`{"objects":[{},{"x":"\ud800"}]}`:   "/objects/1/x",
		`{"objects":[{},` + deep(70) + `]}`: "/objects/1",
		`{"more":"yes"}`:                    "/more",
	} {
		_, fault := parseEnvelope([]byte(body), bounds{objects: 10, depth: 64})
		if fault == nil || fault.pointer != want {
			t.Errorf("%s: %+v, want %s", body, fault, want)
		}
	}
	if _, fault := parseEnvelope([]byte(`{"objects":[{},{},{}]}`), bounds{objects: 2, depth: 9}); fault == nil || fault.status != 413 {
		t.Errorf("%+v", fault)
	}
}

// brokenBody ends in an error, as when a client goes away.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("gone") }

func TestBrokenBody(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/cti/collections/a/objects/", brokenBody{})
	r.Header.Set("Content-Type", MediaType)
	w := httptest.NewRecorder()
	testHandler(newMem(), Options{}).ServeHTTP(w, r)
	if w.Code != 400 || strings.Contains(w.Body.String(), "gone") || !strings.Contains(w.Body.String(), `"details":{"field":"body","rule":`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// FuzzEnvelope: what is accepted is valid JSON whose objects are exact slices of it, and nothing is accepted that a decoder refuses.
func FuzzEnvelope(f *testing.F) {
	for _, s := range []string{`{"objects":[{"a":1}]}`, `{"more":true,"next":"n","objects":[]}`, `{"objects":[{"a":"\ud83d\ude00"}],"x":[[{}]]}`, `{"objects":[{"a":1,"a":2}]}`, `[`, "{\"objects\":[{\"a\":\"\xff\"}]}"} {
		f.Add([]byte(s))
	}
	for _, raw := range shareddata.Seeds("", "stix", "oasis-examples", "*.json") {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		env, fault := parseEnvelope(data, bounds{objects: 100, depth: 10})
		if fault != nil {
			if fault.status != 400 && fault.status != 413 && fault.status != 422 || fault.rule == "" {
				t.Fatalf("%+v", fault)
			}
			return
		}
		var ref struct {
			Objects []any `json:"objects"`
		}
		if err := json.Unmarshal(data, &ref); err != nil {
			t.Fatalf("accepted %q: %v", data, err)
		}
		if len(ref.Objects) != len(env.Objects) {
			t.Fatalf("%d objects, want %d", len(env.Objects), len(ref.Objects))
		}
		for i, raw := range env.Objects {
			var v any
			if err := json.Unmarshal(raw, &v); err != nil || fmt.Sprint(v) != fmt.Sprint(ref.Objects[i]) {
				t.Fatalf("object %d is %q: %v", i, raw, err)
			}
		}
	})
}

// FuzzQuery: every query is understood or a 400 that names the field.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"limit=1&added_after=2026-01-01T00:00:00Z", "match[version]=all,last", "match%5Bid%5D=a,b&match[type]=x", "next=abc&limit=99999999999999999999", "%", "match[spec_version]=2.1,2.0", "match[version]=2026-01-01T00:00:00.123456789Z,first"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		q, e := parseQuery(raw, objectsFields, 100)
		if e != nil {
			if e.HTTPStatus != 400 || e.Details["field"] == "" {
				t.Fatalf("%+v", e)
			}
			return
		}
		if q.limit < 0 || (q.Versions.All && len(q.Versions.At) > 0) || len(q.IDs) > 100 {
			t.Fatalf("%q: %+v", raw, q)
		}
		// What was understood is written and understood again as the same question.
		again, e := parseQuery(Select{q.Filter, q.limit}.values(q.next).Encode(), objectsFields, 100)
		if e != nil || fingerprint("", "", "", "", again.Filter) != fingerprint("", "", "", "", q.Filter) || again.limit != q.limit || again.next != q.next {
			t.Fatalf("%q: %+v then %+v %v", raw, q, again, e)
		}
	})
}

// FuzzAccept: negotiation is total, and adding a range that admits TAXII 2.1 outright always admits it.
func FuzzAccept(f *testing.F) {
	for _, s := range []string{"application/taxii+json;version=2.1", `a/b;x="\"";q=0.1,*/*`, "text/html;q=0", ",;=\"", "application/taxii+json;q=0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		Acceptable(accept)
		isTAXII(accept)
		acceptsGzip(accept)
		if strings.Count(accept, `"`) == 0 && !Acceptable(accept+","+MediaType) {
			t.Fatalf("%q refuses %s", accept, MediaType)
		}
	})
}

// What all posts together may hold is bounded, and each gives back what it held.
func TestBodiesTogetherAreBounded(t *testing.T) {
	b := newBench(t, Options{MaxContentLength: 10_000, MaxBuffered: 1000})
	large := `{"objects":[{"type":"x","id":"x--9","pad":"` + strings.Repeat("a", 2000) + `"}]}`
	for range 3 {
		r := httptest.NewRequest(http.MethodPost, "/cti/collections/"+collA+"/objects/", strings.NewReader(large))
		r.Header.Set("Accept", MediaType)
		r.Header.Set("Content-Type", MediaType)
		w := httptest.NewRecorder()
		b.h.ServeHTTP(w, r)
		if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "content.busy") {
			t.Fatalf("more than there is room for: %d %v %s", w.Code, w.Header(), w.Body)
		}
		b.post(x1).want(202)
	}
}
