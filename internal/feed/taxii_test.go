package feed

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/internal/store"
	"entente/taxii"
)

// strange is a TAXII server with the faults that real ones have.
type strange struct {
	objects  []string
	dates    []time.Time
	limit    int
	noNext   bool // more without next
	noHeader bool // no X-TAXII-Date-Added-*
	millis   bool // dates with three digits
	noMore   bool // next without more
	roots    bool // discovery says where the root is
	fail     int  // answers before the server fails
	asked    []string
	password string
}

func (s *strange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", taxii.MediaType)
	if _, password, _ := r.BasicAuth(); password != s.password {
		w.WriteHeader(401)
		return
	}
	switch r.URL.Path {
	case "/taxii2/":
		if s.roots {
			fmt.Fprint(w, `{"title":"x","api_roots":["/root/"]}`)
		} else {
			fmt.Fprint(w, `{"title":"x","versions":["application/taxii+json;version=2.1"],"max_content_length":1000000}`)
		}
		return
	case "/taxii2/collections/c/objects/", "/root/collections/c/objects/":
	default:
		w.WriteHeader(404)
		return
	}
	if s.fail--; s.fail == 0 {
		w.WriteHeader(500)
		return
	}
	s.asked = append(s.asked, r.URL.RawQuery)
	q := r.URL.Query()
	start := 0
	if after, err := time.Parse(time.RFC3339Nano, q.Get("added_after")); err == nil {
		for start < len(s.dates) && !s.dates[start].After(after) {
			start++
		}
	}
	if q.Get("next") != "" {
		fmt.Sscan(q.Get("next"), &start)
	}
	end := min(start+s.limit, len(s.objects))
	answer := map[string]any{}
	raws := []json.RawMessage{}
	for _, o := range s.objects[start:end] {
		raws = append(raws, json.RawMessage(o))
	}
	answer["objects"] = raws
	if end < len(s.objects) {
		if !s.noMore {
			answer["more"] = true
		}
		if !s.noNext {
			answer["next"] = fmt.Sprint(end)
		}
	}
	if end > start && !s.noHeader {
		form := "2006-01-02T15:04:05.000000Z"
		if s.millis {
			form = "2006-01-02T15:04:05.000Z"
		}
		w.Header().Set("X-TAXII-Date-Added-First", s.dates[start].Format(form))
		w.Header().Set("X-TAXII-Date-Added-Last", s.dates[end-1].Format(form))
	}
	json.NewEncoder(w).Encode(answer)
}

func (s *strange) grow(n int) {
	for range n {
		i := len(s.objects)
		s.objects = append(s.objects, fmt.Sprintf(`{"type":"identity","spec_version":"2.1","id":"identity--00000000-0000-4000-8000-%012d","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"n%d"}`, i, i))
		s.dates = append(s.dates, time.Date(2026, 11, 1, 0, i, 0, i*1000, time.UTC))
	}
}

// Every object of a collection arrives once, whatever the server does against the standard, and the next poll brings only what is new.
func TestPolling(t *testing.T) {
	for name, s := range map[string]*strange{
		"by the standard":    {limit: 10, roots: true},
		"without roots":      {limit: 10},
		"more without next":  {limit: 10, noNext: true},
		"next without more":  {limit: 10, noMore: true},
		"milliseconds":       {limit: 10, millis: true, noNext: true},
		"without any header": {limit: 10, noHeader: true},
		"small pages":        {limit: 1},
	} {
		t.Run(name, func(t *testing.T) {
			s.grow(25)
			w := newWorld(t, "", Config{Name: "p", Kind: "taxii", URL: serve(t, s.ServeHTTP) + "/taxii2/", Remote: "c", Label: "tlp:green"})
			if r := w.run("p"); r.Result != Done || r.Counts.Added != 25 {
				t.Fatalf("%+v %+v", r, r.Error)
			}
			s.grow(7)
			s.asked = nil
			if r := w.run("p"); r.Result != Done || r.Counts.Added != 7 {
				t.Fatalf("%+v %+v", r, r.Error)
			}
			if !s.noHeader && !strings.Contains(s.asked[0], "added_after=2026-11-01T00%3A23") {
				t.Errorf("the second poll began with %s", s.asked[0])
			}
			if got := w.objects(own, store.Query{}); !slices.Equal(got, s.objects) {
				t.Errorf("%d objects of %d are here", len(got), len(s.objects))
			}
		})
	}
}

// A poll that breaks off goes on where it was, and its checkpoint speaks of what is here.
func TestPollGoesOn(t *testing.T) {
	s := &strange{limit: 10, fail: 3, password: "geheim"}
	s.grow(45)
	dir := t.TempDir()
	c := Config{Name: "p", Kind: "taxii", URL: serve(t, s.ServeHTTP) + "/taxii2/", Remote: "c", Label: "tlp:green", User: "u", PasswordFile: "secret"}
	w := newWorld(t, dir, c)
	if r := w.run("p"); r.Error == nil || r.Error.Code != "feed.secret" {
		t.Fatalf("without its secret: %+v", r)
	}
	write(t, dir+"/secret", "falsch\n")
	if r := w.run("p"); r.Error == nil || r.Error.Code != "feed.refused" || strings.Contains(r.Error.Message, "falsch") {
		t.Fatalf("with a wrong secret: %+v", r.Error)
	}
	write(t, dir+"/secret", "geheim\n")
	r := w.run("p")
	if r.Result != Failed || r.Counts.Added != 20 {
		t.Fatalf("%+v", r)
	}
	v, err := w.f.Show(t.Context(), "p")
	must(t, err)
	if !v.Polled.Equal(s.dates[19]) || v.Failures != 3 {
		t.Errorf("polled to %s after %d failures", v.Polled, v.Failures)
	}
	if r = w.run("p"); r.Result != Done || r.Counts.Added != 25 {
		t.Fatalf("%+v %+v", r, r.Error)
	}
	if got := w.objects(own, store.Query{}); !slices.Equal(got, s.objects) {
		t.Errorf("%d objects of %d are here", len(got), len(s.objects))
	}
	if v, _ = w.f.Show(t.Context(), "p"); v.Failures != 0 || v.Health != "ok" || v.Totals.Added != 45 {
		t.Errorf("%+v", v)
	}
}

// What a feed's label does not allow is not had by others, whatever the objects say, and what they say more strictly stands.
func TestFeedLabelOnlyRestricts(t *testing.T) {
	mark := func(o, id string) string {
		return strings.TrimSuffix(o, "}") + `,"object_marking_refs":["marking-definition--` + id + `"]}`
	}
	s := &strange{limit: 10}
	s.grow(3)
	s.objects[1] = mark(s.objects[1], "94868c89-83c2-464b-929b-a1a8aa3c8487") // CLEAR
	s.objects[2] = mark(s.objects[2], "e828b379-4e03-4974-9ac4-e53a884c97c1") // RED
	u := serve(t, s.ServeHTTP) + "/taxii2/"
	for label, want := range map[string]int{"tlp:clear": 2, "tlp:green": 2, "tlp:amber": 0, "": 1} {
		w := newWorld(t, "", Config{Name: "p", Kind: "taxii", URL: u, Remote: "c", Label: label})
		w.run("p")
		if got := w.objects(ally, store.Query{}); len(got) != want {
			t.Errorf("under %q an ally has %d objects", label, len(got))
		}
	}
}
