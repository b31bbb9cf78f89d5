package api

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entente/internal/fault"
	"entente/internal/surface"
	"entente/label"
)

const green = `,"object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"]`

func uuidOf(n int) string { return fmt.Sprintf("%08x-8ff7-4a4d-aa9d-feb398cd0061", n) }

// A statement of who says what needs no more than a definition somewhere in the file, however far from the objects that name it.
func TestMarkingsMayStandAfterTheirObjects(t *testing.T) {
	w := newWorld(t)
	const own = "marking-definition--8f1b5c2e-3b60-4f54-9f0c-0a2f5a3e7b11"
	var b strings.Builder
	b.WriteString(`{"type":"bundle","id":"bundle--0d1a6a9e-5b3a-4f7e-8f2f-6a7b8c9d0e1f","objects":[`)
	const n = 2*batchObjects + 17
	for i := range n {
		b.WriteString(object(uuidOf(i), "one of many", `,"object_marking_refs":["`+own+`"]`) + ",\n")
	}
	b.WriteString(`{"type":"marking-definition","spec_version":"2.1","id":"` + own + `","created":"2026-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"ours"}}]}`)
	s := w.importAll(admin, nil, b.String())
	if s.Objects != n+1 || s.Added != n+1 || s.Held != 0 || s.Kind != "bundle" {
		t.Fatalf("%+v", s)
	}
	if s = w.importAll(admin, nil, b.String()); s.Present != n+1 {
		t.Fatalf("again: %+v", s)
	}
}

func TestImportOfACutOffBodyChangesNothing(t *testing.T) {
	w := newWorld(t)
	var squeezed bytes.Buffer
	z := gzip.NewWriter(&squeezed)
	z.Write([]byte(object(uuidOf(1), "a", green)))
	z.Close()
	for name, c := range map[string]struct {
		body string
		want fault.Kind
	}{
		"cut json":    {"[" + object(uuidOf(1), "a", green) + ",", fault.Invalid},
		"cut gzip":    {squeezed.String()[:squeezed.Len()-9], fault.Invalid},
		"not json":    {"hello", fault.Invalid},
		"then a word": {object(uuidOf(1), "a", green) + " hello", fault.Invalid},
	} {
		_, err := w.client(admin).Import(t.Context(), strings.NewReader(c.body), nil, func(Event) {})
		if fault.Of(err) != c.want || !strings.Contains(fault.As(err).Message, "nothing was imported") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.client(admin).Import(t.Context(), broken("["+object(uuidOf(1), "a", green)+","), nil, func(Event) {}); fault.Of(err) != fault.Invalid {
		t.Errorf("broken body: %v", err)
	}
	if stats, err := w.Stats(t.Context()); err != nil || stats.Records != 0 {
		t.Fatalf("%+v %v", stats, err)
	}
	if s := w.importAll(admin, nil, squeezed.String()); s.Added != 1 {
		t.Fatalf("%+v", s)
	}
}

func TestImportTellsWhatWasRefused(t *testing.T) {
	w := newWorld(t)
	body := object(uuidOf(1), "a", green) + "\n" + `{"type":"identity","id":"identity--x"}` + "\n" + strings.Replace(object(uuidOf(1), "b", green), `"b"`, `"c"`, 1) + "\n" + `{"a":1,"a":2}`
	states := map[string]int{}
	s, err := w.client(admin).Import(t.Context(), strings.NewReader(body), nil, func(e Event) {
		if e.Outcome != nil {
			states[string(e.Outcome.State)]++
			if e.Outcome.Code == "" || e.Outcome.Message == "" {
				t.Errorf("no reason: %+v", e.Outcome)
			}
		}
	})
	if err != nil || s.Added != 1 || s.Refused != 2 || s.Different != 1 || states["refused"] != 2 || states["different"] != 1 {
		t.Fatalf("%+v %v %v", s, states, err)
	}
}

func TestImportLabelsOnlyRestrict(t *testing.T) {
	w := newWorld(t)
	w.importAll(admin, url.Values{"label": {"tlp:amber"}}, object(uuidOf(1), "a", green))
	w.importAll(admin, url.Values{"default": {"tlp:green"}}, object(uuidOf(2), "a", ""))
	w.importAll(admin, url.Values{"label": {"tlp:clear"}}, object(uuidOf(3), "a", ""))
	for n, want := range map[int]label.TLP{1: label.Amber, 2: label.Green, 3: label.Red} {
		o, err := w.client(admin).Object(t.Context(), "identity--"+uuidOf(n), nil)
		if err != nil || o.Label.TLP != want {
			t.Errorf("%d: %v %v", n, o.Label.TLP, err)
		}
	}
	for _, q := range []url.Values{{"label": {"tlp:pink"}}, {"default": {"pap:green"}}, {"via": {"A way"}}, {"collection": {"none"}}} {
		if _, err := w.client(admin).Import(t.Context(), strings.NewReader("[]"), q, func(Event) {}); err == nil {
			t.Errorf("%v was taken", q)
		}
	}
}

// An old bundle is upgraded, and what that cost is told.
func TestImportUpgrades(t *testing.T) {
	w := newWorld(t)
	body := `{"type":"bundle","id":"bundle--0d1a6a9e-5b3a-4f7e-8f2f-6a7b8c9d0e1f","spec_version":"2.0","objects":[
	 {"type":"identity","id":"identity--` + uuidOf(1) + `","created":"2017-01-01T00:00:00.000Z","modified":"2017-01-01T00:00:00.000Z","name":"Old","identity_class":"organization"},
	 {"type":"observed-data","id":"observed-data--` + uuidOf(2) + `","created":"2017-01-01T00:00:00.000Z","modified":"2017-01-01T00:00:00.000Z","first_observed":"2017-01-01T00:00:00Z","last_observed":"2017-01-01T00:00:00Z","number_observed":1,"objects":{"0":{"type":"ipv4-addr","value":"198.51.100.7"}}}]}`
	losses := 0
	s, err := w.client(admin).Import(t.Context(), strings.NewReader(body), nil, func(e Event) {
		if e.Loss != nil {
			losses++
		}
	})
	if err != nil || s.Upgraded != 2 || s.Added != 3 || s.Refused != 0 || losses != s.Losses {
		t.Fatalf("%+v %d %v", s, losses, err)
	}
	l, err := w.client(admin).Page(t.Context(), url.Values{"value": {"198.51.100.7"}})
	if err != nil || len(l.Items) != 1 || l.Items[0].Spec != "2.1" {
		t.Fatalf("%+v %v", l, err)
	}
}

func TestNextIsGoodForOneViewerAndOneQuery(t *testing.T) {
	w := newWorld(t)
	clear := `,"object_marking_refs":["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"]`
	for i := range 5 {
		w.importAll(admin, nil, object(uuidOf(i), "a", clear))
	}
	first, err := w.client(admin).Page(t.Context(), url.Values{"limit": {"2"}, "type": {"identity"}})
	if err != nil || len(first.Items) != 2 || first.Next == "" {
		t.Fatalf("%+v %v", first, err)
	}
	second, err := w.client(admin).Page(t.Context(), url.Values{"limit": {"3"}, "type": {"identity"}, "next": {first.Next}})
	if err != nil || len(second.Items) != 3 || second.Items[0].ID != "identity--"+uuidOf(2) {
		t.Fatalf("%+v %v", second, err)
	}
	for name, c := range map[string]struct {
		v any
		q url.Values
	}{
		"another query": {nil, url.Values{"next": {first.Next}}},
		"a forged one":  {nil, url.Values{"type": {"identity"}, "next": {first.Next[:len(first.Next)-2] + "AA"}}},
		"nonsense":      {nil, url.Values{"type": {"identity"}, "next": {"1"}}},
	} {
		if _, err := w.client(admin).Page(t.Context(), c.q); fault.Of(err) != fault.Invalid || fault.As(err).Code != "next.invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.client(outsider).Page(t.Context(), url.Values{"type": {"identity"}, "next": {first.Next}}); fault.As(err).Code != "next.invalid" {
		t.Errorf("another viewer: %v", err)
	}
	n := 0
	if err := w.client(outsider).Search(t.Context(), url.Values{"limit": {"1"}}, func(Object) error { n++; return nil }); err != nil || n != 5 {
		t.Errorf("all pages: %d %v", n, err)
	}
}

func TestRawIsTheExactBytes(t *testing.T) {
	w := newWorld(t)
	odd := strings.Replace(object(uuidOf(1), "a\u00e9", green), `"created"`, " \n\t\"created\" ", 1)
	w.importAll(admin, nil, odd)
	var b bytes.Buffer
	if err := w.client(admin).Raw(t.Context(), "identity--"+uuidOf(1), nil, &b); err != nil || b.String() != odd {
		t.Fatalf("%q %v", b.String(), err)
	}
	b.Reset()
	if _, err := w.client(admin).Export(t.Context(), url.Values{"format": {"ndjson"}}, &b); err != nil || strings.Count(b.String(), "\n") != 1 {
		t.Fatalf("%q %v", b.String(), err)
	}
	b.Reset()
	if _, err := w.client(admin).Export(t.Context(), nil, &b); err != nil || !strings.Contains(b.String(), odd) {
		t.Fatalf("%q %v", b.String(), err)
	}
	if s := w.importAll(admin, nil, b.String()); s.Present != 1 {
		t.Fatalf("an export is not what was imported: %+v", s)
	}
	b.Reset()
	if _, err := w.client(admin).Export(t.Context(), url.Values{"type": {"malware"}}, &b); err != nil || strings.Contains(b.String(), "objects") {
		t.Fatalf("an empty bundle: %q %v", b.String(), err)
	}
}

// What a client is told is what the node meant, for every kind of failure.
func TestProblemsSurviveTheWire(t *testing.T) {
	for k := fault.Internal; k <= fault.Full; k++ {
		e := fault.New(k, "some.code", "what was wrong").At("/where").By("the rule").Try("this instead").After(3 * time.Second)
		rec := httptest.NewRecorder()
		Render([]string{"Basic"})(rec, httptest.NewRequest("GET", "/", nil), e, "ID1")
		c := NewClient("http://node", roundTrip(func(*http.Request) (*http.Response, error) { return rec.Result(), nil }), nil)
		_, err := c.Me(t.Context())
		got := fault.As(err)
		want := k
		if k == fault.Withheld {
			want = fault.NotFound
		}
		if got.Kind != want || rec.Code != surface.Status(k) {
			t.Errorf("%v: %d, %v", k, rec.Code, got.Kind)
		}
		switch k {
		case fault.Internal, fault.NotFound, fault.Withheld:
			if strings.Contains(rec.Body.String(), "wrong") || strings.Contains(rec.Body.String(), "some.code") && k != fault.NotFound {
				t.Errorf("%v tells: %s", k, rec.Body)
			}
		default:
			if got.Code != e.Code || got.Message != e.Message || got.Pointer != e.Pointer || got.Rule != e.Rule || got.Do != e.Do {
				t.Errorf("%v: %+v", k, got)
			}
		}
		if after := rec.Header().Get("Retry-After"); (after != "") != (k == fault.Throttled || k == fault.Unavailable || k == fault.Full) {
			t.Errorf("%v: Retry-After %q", k, after)
		}
	}
}

func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/objects?colour=red", "", 400, `"pointer":"colour"`},
		{"GET", "/objects?limit=0", "", 400, `"pointer":"limit"`},
		{"GET", "/objects?limit=x", "", 400, `"pointer":"limit"`},
		{"GET", "/objects?version=soon", "", 400, `"pointer":"version"`},
		{"GET", "/objects?added_after=soon", "", 400, `"pointer":"added_after"`},
		{"GET", "/objects?tlp=pink", "", 400, `"pointer":"tlp"`},
		{"GET", "/objects?%zz", "", 400, "query.form"},
		{"GET", "/objects?" + strings.Repeat("id=x&", 1001), "", 413, "query.values"},
		{"GET", "/objects?id=" + strings.Repeat("x", 20000), "", 413, "query.size"},
		{"GET", "/export?format=xml", "", 400, `"pointer":"format"`},
		{"PUT", "/objects", "", 405, "GET, POST"},
		{"GET", "/nothing", "", 404, "not_found"},
		{"POST", "/collections", `{"title":"x","colour":"red"}`, 400, "colour"},
		{"POST", "/collections", `{"title":"x","title":"y"}`, 400, "title"},
		{"POST", "/collections", `{"title":"` + strings.Repeat("x", maxBody) + `"}`, 413, "body.size"},
		{"POST", "/collections", ``, 400, "body"},
		{"POST", "/users", `{"name":"a","roles":["king"],"password":"a long enough phrase"}`, 400, "king"},
		{"POST", "/users", `{"name":"a","roles":["reader"],"password":"short"}`, 400, "password"},
		{"POST", "/tokens", `{"name":"a","roles":["reader"],"seconds":-1}`, 400, "seconds"},
		{"POST", "/certificates", `{"name":"a","roles":["reader"],"csr":"aGVsbG8="}`, 400, "csr"},
		{"PATCH", "/users/nobody", `{"disabled":true}`, 404, "not_found"},
		{"DELETE", "/tokens/nothing", "", 404, "not_found"},
	} {
		status, body := w.ask(admin, c.method, c.path, c.body)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %.60s %.60s: %d %s", c.method, c.path, c.body, status, body)
		}
	}
}

func TestSpoolKeepsEverything(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		s := &spool{dir: dir, limit: 1 << 30}
		defer s.close()
		want := map[byte][]string{}
		for range rapid.IntRange(0, 40).Draw(rt, "objects") {
			kind := rapid.SampledFrom([]byte{kindMarking, kindObject}).Draw(rt, "kind")
			text := strings.Repeat(rapid.StringN(0, 8, -1).Draw(rt, "text"), rapid.SampledFrom([]int{0, 1, 100, 100_000}).Draw(rt, "times"))
			if err := s.add(kind, []byte(text)); err != nil {
				rt.Fatal(err)
			}
			want[kind] = append(want[kind], text)
		}
		for _, kind := range []byte{kindMarking, kindObject, kindMarking} {
			var got []string
			if err := s.each(kind, func(raw []byte) error { got = append(got, string(raw)); return nil }); err != nil {
				rt.Fatal(err)
			}
			if len(got) != len(want[kind]) || strings.Join(got, "|") != strings.Join(want[kind], "|") {
				rt.Fatalf("%d of %d objects came back", len(got), len(want[kind]))
			}
		}
	})
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Fatalf("the spool left %v %v", left, err)
	}
	s := &spool{dir: dir, limit: 10}
	if err := s.add(kindObject, []byte("more than ten bytes")); fault.Of(err) != fault.TooLarge {
		t.Fatal(err)
	}
}

func FuzzParseLabel(f *testing.F) {
	for _, s := range []string{"", "tlp:green", "TLP:AMBER+STRICT,pap:red", "tlp:red,org:UTO/cert,nation:XER", "{}", `{"tlp":"TLP:RED"}`, ",,,", "tlp:"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, needsTLP bool) {
		l, err := ParseLabel(s, needsTLP)
		if err != nil || l == nil {
			return
		}
		b, err := l.MarshalJSON()
		if err != nil {
			t.Fatalf("%q made a label that cannot be written: %v", s, err)
		}
		again, err := ParseLabel(string(b), needsTLP)
		if err != nil || !label.Equal(*l, *again) {
			t.Fatalf("%q became %s, and that %v, %v", s, b, again, err)
		}
	})
}

func FuzzImportBody(f *testing.F) {
	f.Add([]byte(object(uuidOf(1), "a", green)))
	f.Add([]byte(`{"type":"bundle","id":"bundle--0d1a6a9e-5b3a-4f7e-8f2f-6a7b8c9d0e1f","spec_version":"2.0","objects":[{"type":"identity","id":"identity--x"}]}`))
	f.Add([]byte(`[{"type":"marking-definition"},{"a":1,"a":2}]`))
	f.Add([]byte("\x1f\x8b\x08"))
	f.Fuzz(func(t *testing.T, body []byte) {
		sp := &spool{dir: t.TempDir(), limit: 1 << 20}
		defer sp.close()
		sum, losses, err := fill(sp, bytes.NewReader(body))
		if err != nil {
			if k := fault.Of(err); k != fault.Invalid && k != fault.TooLarge {
				t.Fatalf("%v: %v", k, err)
			}
			return
		}
		n := 0
		for _, kind := range []byte{kindMarking, kindObject} {
			if err := sp.each(kind, func([]byte) error { n++; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if n != sum.Objects || len(losses) > sum.Losses {
			t.Fatalf("%d of %d objects, %d of %d losses", n, sum.Objects, len(losses), sum.Losses)
		}
	})
}
