package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"entente/internal/fault"
	"entente/internal/shareddata"
	"entente/internal/surface"
)

func (w *world) review(body string) (r Review) {
	w.t.Helper()
	status, answer := w.ask(admin, "POST", "/review", body)
	if status != http.StatusOK {
		w.t.Fatalf("%d %s", status, answer)
	}
	w.must(json.Unmarshal([]byte(answer), &r))
	return r
}

// A text is told by its values, and of each whether it is here already; nothing is stored.
func TestReviewOfAText(t *testing.T) {
	w := newWorld(t)
	w.ask(admin, "POST", "/objects", `{"type":"domain-name","spec_version":"2.1","id":"domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7","value":"example.com"}`)
	r := w.review("Beacon to example[.]com and hxxp://198.51.100[.]7/a, see CVE-2024-3400. Setup was setup.py.")
	if r.Kind != "text" || len(r.Found) != 4 {
		t.Fatalf("%+v", r)
	}
	for i, want := range []ReviewFound{{Here: 1}, {Here: 0}, {Here: 0}, {Here: 0, Means: "this may be the name of a file"}} {
		if got := r.Found[i]; got.Here != want.Here || got.Means != want.Means {
			t.Errorf("%+v", got)
		}
	}
	if _, answer := w.ask(admin, "GET", "/objects", ""); strings.Contains(answer, "198.51.100.7") {
		t.Error("a review stored something")
	}
}

func TestReviewOfObjects(t *testing.T) {
	w := newWorld(t)
	one := object(visibleUUID, "one", "")
	w.ask(admin, "POST", "/objects", one)
	newer := strings.Replace(one, `"modified":"20`, `"modified":"21`, 1)
	r := w.review("[" + one + "," + object(hiddenUUID, "two", "") + `,{"type":"indicator","spec_version":"2.1","id":"indicator--x"}]`)
	var states []string
	for _, i := range r.Items {
		states = append(states, i.State)
	}
	if got := strings.Join(states, " "); r.Kind != "stix" || r.Objects != 3 || got != "present new unusable" || len(r.Items[2].Findings) == 0 || r.Items[0].Name != "one" || r.Types["identity"] != 2 {
		t.Errorf("%s %+v", got, r)
	}
	if r = w.review(newer); r.Items[0].State != "newer" || r.Items[0].Here == "" {
		t.Errorf("%+v", r.Items)
	}
	for body, code := range map[string]string{"\xff\xfe\x00": "review.form", `{"Event":{"uuid":`: "misp.event", `[{"type":`: "split."} {
		if status, answer := w.ask(admin, "POST", "/review", body); status < 400 || status >= 500 || !strings.Contains(answer, code) {
			t.Errorf("%q: %d %s", body, status, answer)
		}
	}
	if status, _ := w.ask(admin, "POST", "/review", strings.Repeat("a", reviewBytes+1)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d", status)
	}
	if status, answer := w.ask(admin, "POST", "/review", strings.Repeat("a ", reviewText)); status != http.StatusRequestEntityTooLarge || !strings.Contains(answer, "of text") {
		t.Errorf("a text that is too large: %d %s", status, answer)
	}
	var many strings.Builder
	for i := range 2 * reviewTypes {
		fmt.Fprintf(&many, `{"type":"x-%d","spec_version":"2.1","id":"x-%d--%s","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z"}`, i, i, uuidOf(i))
	}
	if r = w.review(many.String()); r.Objects != 2*reviewTypes || len(r.Types) != reviewTypes {
		t.Errorf("%d objects of %d types", r.Objects, len(r.Types))
	}
}

func TestSeats(t *testing.T) {
	s := seats{code: "review", what: "reviews", each: 2, all: 3}
	enter := func(who, want string) func() {
		t.Helper()
		leave, err := s.enter(who)
		if code := fault.As(err).MachineCode(); err != nil && code != want || err == nil && want != "" {
			t.Errorf("%s: %v, want %q", who, err, want)
		}
		return leave
	}
	first := enter("a", "")
	enter("a", "")
	enter("a", "review.many")
	last := enter("b", "")
	enter("c", "review.full")
	last()
	enter("c", "")
	first()
	enter("a", "")
	enter("c", "review.full")
}

// A file of MISP events is reviewed as what it becomes, and imported as that: its distribution bounds the label.
func TestMISPFile(t *testing.T) {
	w := newWorld(t)
	files, err := filepath.Glob(filepath.Join(shareddata.Dir(t, "misp", "feed-sample"), "????????-*.json"))
	w.must(err)
	if len(files) == 0 {
		t.Fatal("the sample has no events")
	}
	raw, err := os.ReadFile(files[0])
	w.must(err)
	r := w.review(string(raw))
	if r.Kind != "misp" || len(r.Events) != 1 || r.Objects == 0 || len(r.Items) == 0 || r.Events[0].Attributes == 0 {
		t.Fatalf("%+v", r)
	}
	for _, i := range r.Items {
		if i.State != "new" {
			t.Errorf("%+v", i)
		}
	}
	status, answer := w.ask(admin, "POST", "/objects?format=misp&label=tlp:amber", string(raw))
	if status != http.StatusOK || !strings.Contains(answer, `"summary"`) {
		t.Fatalf("%d %s", status, answer)
	}
	for _, i := range w.review(string(raw)).Items {
		if i.State != "present" {
			t.Errorf("after the import: %+v", i)
		}
	}
	if _, answer := w.ask(admin, "GET", "/objects?type=indicator&limit=5", ""); strings.Contains(answer, `"tlp":"clear"`) || strings.Contains(answer, `"tlp":"green"`) {
		t.Errorf("the label of the import was not joined: %s", answer)
	}
	if status, answer := w.ask(admin, "POST", "/objects?format=xml", "{}"); status != http.StatusBadRequest || !strings.Contains(answer, "import.format") {
		t.Errorf("%d %s", status, answer)
	}
}

func FuzzReview(f *testing.F) {
	f.Add([]byte("evil[.]example"))
	f.Add([]byte(`{"Event":{"uuid":"5f0a2b1c-7d3e-4c1a-9b2d-1a2b3c4d5e6f","info":"x","Attribute":[]}}`))
	f.Add([]byte(`{"type":"bundle","id":"bundle--1","objects":[{"type":"identity"}]}`))
	f.Add([]byte{0x1f, 0x8b, 0, 0})
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := httptest.NewRequest("POST", Prefix+"/review", bytes.NewReader(b))
		rec := httptest.NewRecorder()
		w.http.ServeHTTP(rec, r.WithContext(surface.WithViewer(r.Context(), admin)))
		if rec.Code >= 500 || !bytes.HasPrefix(rec.Body.Bytes(), []byte("{")) {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
}
