package node

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// TestAnythingIsAnswered sends requests put together at random. bench.do holds every answer to its form, and that none is a 500;
// afterwards the collection reads as if nothing had happened.
func TestAnythingIsAnswered(t *testing.T) {
	w := newWorld(t, settings)
	b := w.bench(t, 901)
	b.threeVersions()
	b.stored(b.sco(1), b.old("malware", 2, on("04")))
	before := b.get("manifest/?match[version]=all").Body
	next := into[frame](b.get("objects/?limit=1")).Next

	r := rand.New(rand.NewPCG(7, 7))
	pick := func(s []string) string { return s[r.IntN(len(s))] }
	segments := []string{"api", "collections", b.coll, "objects", "manifest", "versions", "status", b.id("tool", 1), b.id("mutex", 1), "nothing", "%00", "%2f", "%2e%2e", "..", ".", "", "a%20b", "%ff%fe",
		strings.Repeat("x", 300), "%e2%80%ae", nowhere, "*", "a,b", "%27%20OR%201=1"}
	routes := []string{"", "api/", "api/collections/", "api/collections/" + b.coll + "/", "api/collections/" + b.coll + "/objects/", "api/collections/" + b.coll + "/manifest/",
		"api/collections/" + b.coll + "/objects/" + b.id("tool", 1) + "/", "api/collections/" + b.coll + "/objects/" + b.id("mutex", 1) + "/versions/", "api/status/" + nowhere + "/"}
	names := []string{"added_after", "limit", "next", "match[id]", "match[type]", "match[version]", "match[spec_version]", "match%5Bid%5D", "match[x]", "x", ""}
	values := []string{"", "all", "first", "last", "first,last", "all,all", "1", "0", "-1", "99999999999999999999", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456789Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z",
		"2016-12-31T23:59:60Z", "2.0", "2.1", "2.0,2.1", "9999.9999", "x", "%00", "%ff", "a,b,c", ",", b.id("tool", 1), b.id("tool", 1) + "," + b.id("mutex", 1), "tool", "tool,mutex", next, next[:20], strings.Repeat("a,", 999) + "a", strings.Repeat("a", 3000), "%zz", "1;2"}
	methods := []string{"GET", "GET", "GET", "GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "X-ODD"}
	bodies := []string{"", "{}", "[]", envelope("{}"), envelope(b.obj("tool", 5, on("01"))), envelope("null"), envelope(`{"id":1,"type":2}`), envelope(`{"type":"tool","id":"tool--x","modified":{}}`), "{\"objects\":[{\"\xff\":1}]}", strings.Repeat("[", 3000),
		envelope(b.obj("tool", 6, on("01"), `,"object_marking_refs":["marking-definition--`+nowhere+`"]`)), zipped("{}"), envelope(`{"type":"marking-definition","id":"marking-definition--` + nowhere + `","spec_version":"2.1"}`)}
	headers := map[string][]string{"Accept": {"*/*", "text/html", ";;", "application/taxii+json;version=2.1;q=0.0001", "\t"}, "Content-Type": {"application/taxii+json", "application/json", ";", "application/taxii+json;version=\"2.1"},
		"Content-Encoding": {"gzip", "identity", "zstd", "gzip,gzip"}, "Accept-Encoding": {"gzip", "gzip;q=9", "*"}, "Range": {"bytes=0-1", "x"}, "If-None-Match": {"*"}, "If-Modified-Since": {"Sat, 21 Nov 2099 00:00:00 GMT"}}
	codes := map[int]int{}
	for range 4000 {
		path := pick(routes)
		if r.IntN(4) == 0 {
			path = ""
			for range r.IntN(8) {
				path += pick(segments) + "/"
			}
			if r.IntN(5) == 0 {
				path = strings.TrimSuffix(path, "/")
			}
		}
		for i := range r.IntN(4) {
			path += map[bool]string{true: "?", false: "&"}[i == 0] + pick(names) + "=" + pick(values)
		}
		b.as = pick([]string{alice, alice, alice, bob, carol, mallory, dave, audrey, "nobody"})
		b.header = http.Header{}
		for name, vs := range headers {
			if r.IntN(8) == 0 {
				b.header[name] = []string{pick(vs)}
			}
		}
		method := pick(methods)
		if method == "DELETE" && b.as == alice {
			b.as = dave // who removes nothing of hers
		}
		body := ""
		if method == "POST" || r.IntN(20) == 0 {
			body = pick(bodies)
		}
		if method == "POST" && r.IntN(4) > 0 {
			path = "api/collections/" + b.coll + "/objects/"
		}
		b.do(method, "/taxii2/"+path, body)
		codes[b.Code]++
		if b.as != alice && b.as != bob && b.as != audrey && (strings.Contains(b.Body, b.id("tool", 1)) || strings.Contains(b.Body, b.id("mutex", 1))) {
			t.Errorf("%s is told of what is hidden: %s", b.as, b.Body)
		}
		if t.Failed() {
			t.Fatalf("after %s /taxii2/%.300s as %s", method, path, b.as)
		}
	}
	t.Log(codes)
	for _, c := range []int{200, 202, 308, 400, 401, 403, 404, 405, 406, 415, 422} {
		if codes[c] == 0 {
			t.Errorf("nothing was answered %d: the requests are not what they were meant to be", c)
		}
	}
	b.as, b.header = alice, http.Header{}
	if b.get("manifest/?match[version]=all&match[type]=tool,campaign,mutex,malware"); !strings.HasPrefix(b.Body, strings.TrimSuffix(before, "]}")) {
		t.Errorf("before\n %s\nafter\n %s", before, b.Body)
	}
}
