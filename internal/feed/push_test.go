package feed

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"entente/internal/exchange"
	"entente/internal/store"
	"entente/label"
	"entente/taxii"
)

// remote is a server that takes objects.
type remote struct {
	limit int
	got   []string
	posts int
	fail  int // the post that fails
}

func (s *remote) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", taxii.MediaType)
	switch {
	case r.URL.Path == "/root/" && r.Method == http.MethodGet:
		fmt.Fprintf(w, `{"title":"x","versions":["application/taxii+json;version=2.1"],"max_content_length":%d}`, s.limit)
	case r.URL.Path == "/root/collections/in/objects/" && r.Method == http.MethodPost:
		s.posts++
		body, _ := io.ReadAll(r.Body)
		if len(body) > s.limit {
			w.WriteHeader(413)
			return
		}
		if s.posts == s.fail {
			w.WriteHeader(500)
			return
		}
		var env struct{ Objects []json.RawMessage }
		json.Unmarshal(body, &env)
		for _, o := range env.Objects {
			s.got = append(s.got, string(o))
		}
		w.WriteHeader(202)
		fmt.Fprintf(w, `{"id":"%s","status":"complete","total_count":%d,"success_count":%d,"failure_count":0,"pending_count":0}`, "2d086da7-4bdc-4f91-900e-d77486753710", len(env.Objects), len(env.Objects))
	default:
		w.WriteHeader(404)
	}
}

func (w *world) accept(via, tlp string, objects ...string) {
	w.t.Helper()
	l, _, err := label.ParseWords(tlp)
	must(w.t, err)
	var raws [][]byte
	for _, o := range objects {
		raws = append(raws, []byte(o))
	}
	out, err := w.x.Accept(w.t.Context(), own, exchange.Submission{Objects: raws, Via: via, Default: &l})
	must(w.t, err)
	for _, o := range out {
		if o.State != exchange.Added {
			w.t.Fatalf("%+v", o)
		}
	}
}

// Only what the gate admits to the party leaves, once, within the server's limit, and it is written down.
func TestPush(t *testing.T) {
	s := &remote{limit: 1500, fail: 2}
	u := serve(t, s.ServeHTTP)
	w := newWorld(t, "", Config{Name: "out", Kind: "push", URL: u + "/root/", Remote: "in", To: "ARC/Arcadia CERT"},
		Config{Name: "in", Kind: "taxii", URL: u + "/root/", Remote: "c"})
	src := &strange{}
	src.grow(20)
	w.accept("import", "tlp:green", src.objects[:10]...)
	w.accept("import", "tlp:amber", src.objects[10])
	w.accept("feed:in", "tlp:green", src.objects[11])
	w.accept("import", "tlp:green", strings.Replace(src.objects[12], `"n12"`, `"`+strings.Repeat("long", 400)+`"`, 1))

	if r := w.run("out"); r.Result != Failed {
		t.Fatalf("%+v", r)
	}
	r := w.run("out")
	if r.Result != Done || r.Counts.Pushed != 10 || r.Counts.Present != 1 || r.Counts.Dropped != 1 {
		t.Fatalf("%+v %+v", r, r.Error)
	}
	if s.posts < 4 || count(s.got, `"n10"`) != 0 || count(s.got, `"n11"`) != 0 || count(s.got, `"n9"`) == 0 {
		t.Errorf("%d posts brought %s", s.posts, s.got)
	}
	before := len(s.got)
	if r = w.run("out"); r.Result != Unchanged || len(s.got) != before {
		t.Errorf("with nothing new: %+v", r)
	}
	w.accept("import", "tlp:green", src.objects[13])
	if r = w.run("out"); r.Counts.Pushed != 1 || len(s.got) != before+1 {
		t.Errorf("with one new object: %+v", r)
	}
	for id, want := range map[string]int{"00000000000009": 1, "00000000000010": 0, "00000000000011": 0} {
		h, err := w.x.Holders(t.Context(), own, "identity--00000000-0000-4000-8000-"+id[2:])
		must(t, err)
		if len(h) != want || want == 1 && h[0].Party != "ARC/Arcadia CERT" {
			t.Errorf("%s is held by %+v", id, h)
		}
	}
	if got := w.objects(own, store.Query{}); len(got) != 14 {
		t.Errorf("pushing changed what is here: %d", len(got))
	}
}
