package feed

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
	"entente/misp"
)

// receiver is a MISP that is pushed to.
type receiver struct {
	*instance
	has      map[string]string // timestamp by uuid
	refuse   map[string]string // body of a 403, by uuid
	hidden   map[string]bool   // events that the key may not see, and that are there
	broken   int               // status of every add
	sighted  []string
	encoding string
}

func newReceiver() *receiver {
	return &receiver{instance: newInstance(), has: map[string]string{}, refuse: map[string]string{}, hidden: map[string]bool{}}
}

func (s *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "the key" || r.URL.Path == "/servers/getVersion" {
		s.instance.ServeHTTP(w, r)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	body, _ := io.ReadAll(r.Body)
	if s.encoding = r.Header.Get("Content-Encoding"); s.encoding == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			w.WriteHeader(400)
			return
		}
		body, _ = io.ReadAll(z)
	}
	var sent struct {
		Event struct{ UUID, Timestamp string }
	}
	p := r.URL.Path
	switch m := view.FindStringSubmatch(p); {
	case p == "/events/filterEventIdsForPush":
		var ask []struct {
			Event struct{ UUID, Timestamp string }
		}
		json.Unmarshal(body, &ask)
		wants := []string{}
		for _, a := range ask {
			if s.has[a.Event.UUID] < a.Event.Timestamp {
				wants = append(wants, a.Event.UUID)
			}
		}
		json.NewEncoder(w).Encode(wants)
	case m != nil && r.Method == http.MethodHead:
		s.heads = append(s.heads, m[1])
		if s.has[m[1]] == "" {
			w.WriteHeader(404)
		}
	case p == "/events/add/metadata:1", strings.HasPrefix(p, "/events/edit/"):
		json.Unmarshal(body, &sent)
		id := sent.Event.UUID
		switch {
		case s.broken != 0:
			w.WriteHeader(s.broken)
		case s.refuse[id] != "":
			w.WriteHeader(403)
			io.WriteString(w, s.refuse[id])
		case s.hidden[id] && strings.HasPrefix(p, "/events/add"):
			w.Header().Set("Location", "/events/view/7")
			w.WriteHeader(404)
			io.WriteString(w, `{"name":"Event already exists","message":"Event already exists","url":"/events/add"}`)
		default:
			s.asked[strings.Split(p, "/")[2]]++
			s.has[id], s.got[id] = sent.Event.Timestamp, body
			io.WriteString(w, `{"Event":{"uuid":"`+id+`"}}`)
		}
	case strings.HasPrefix(p, "/sightings/filterSightingUuidsForPush/"):
		w.Write(body)
	case strings.HasPrefix(p, "/sightings/bulkSaveSightings/"):
		s.sighted = append(s.sighted, strings.TrimPrefix(p, "/sightings/bulkSaveSightings/")+" "+string(body))
		io.WriteString(w, `{"saved":true,"success":"1 sighting added"}`)
	default:
		w.WriteHeader(404)
	}
}

// book is events as the exchange has them for a viewer: what the store gives of their reports.
type book struct{ w *world }

func (b book) Published(ctx context.Context, v gate.Viewer, collection string) (map[string]int64, error) {
	p, err := b.w.x.Read(ctx, v, store.Query{Collection: collection, Types: []string{"report"}, Headers: true})
	out := map[string]int64{}
	for i := range p.Items {
		at, _ := time.Parse(time.RFC3339Nano, p.Items[i].Record.Version)
		out[strings.TrimPrefix(p.Items[i].Record.ID, "report--")] = at.Unix()
	}
	return out, err
}

func (b book) WriteEvent(ctx context.Context, v gate.Viewer, collection, id string, push bool, w io.Writer) error {
	p, err := b.w.x.Read(ctx, v, store.Query{Collection: collection, IDs: []string{"report--" + id}})
	if err != nil || len(p.Items) == 0 {
		return fault.New(fault.NotFound, "", "no such event")
	}
	at, _ := time.Parse(time.RFC3339Nano, p.Items[0].Record.Version)
	_, err = fmt.Fprintf(w, `{"Event":{"uuid":"%s","timestamp":"%d","locked":%t}}`, id, at.Unix(), push)
	return err
}

// outward is a world with events of its own, and a push to a server.
func outward(t *testing.T, s http.Handler, more ...Config) *world {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "key"), "the key")
	w := newWorld(t, dir)
	feeds := append([]Config{{Name: "out", Kind: "misp-push", URL: serve(t, s.ServeHTTP), TokenFile: "key", To: "ARC/Arcadia CERT"}}, more...)
	w.reconfigure(feeds...)
	return w
}

func (w *world) reconfigure(feeds ...Config) {
	w.t.Helper()
	var err error
	w.f, err = New(Options{Nation: "UTO", Org: "Utopia CERT", Realm: realm, Feeds: feeds, Sources: allSources, Exchange: w.x, Docs: w.st, Events: book{w}, Base: w.dir,
		Spool: filepath.Join(w.dir, "tmp"), UserAgent: "entente/test", Now: w.clock})
	must(w.t, err)
}

// events brings events in, as MISP has them.
func (w *world) events(tlp string, stamp int64, numbers ...int) {
	w.t.Helper()
	for _, n := range numbers {
		events, err := misp.Parse([]byte(anEvent(eventUUID(n), stamp, "3", anAttribute(n, stamp, fmt.Sprintf("n%d.example", n), ""))))
		must(w.t, err)
		events[0].Tags = nil
		items, _ := misp.ToSTIX(events[0], misp.Options{Policy: misp.Policy{Reach: allReach()}})
		var objects []string
		for _, it := range items {
			if strings.HasPrefix(it.ID, "report--") || strings.HasPrefix(it.ID, "indicator--") {
				objects = append(objects, string(it.Raw))
			}
		}
		w.accept("import", tlp, objects...)
	}
}

// Only what the gate admits to the party is offered; what the server wants is sent once, packed, and written down as released.
func TestMISPPush(t *testing.T) {
	s := newReceiver()
	w := outward(t, s)
	w.events("tlp:green", 1767225600, 1, 2, 3)
	w.events("tlp:red", 1767225600, 4)
	s.has[eventUUID(3)] = "1767225600"
	r := w.run("out")
	if r.Result != Done || r.Counts.Pushed != 2 || r.Counts.Present != 1 || r.Counts.Refused != 0 {
		t.Fatalf("%+v %+v", r, r.Error)
	}
	if len(s.got) != 2 || s.got[eventUUID(4)] != nil || s.encoding != "gzip" || !strings.Contains(string(s.got[eventUUID(1)]), `"locked":true`) || s.asked["add"] != 2 {
		t.Errorf("%s %v", s.got, s.asked)
	}
	for n, want := range map[int]int{1: 1, 4: 0} {
		h, err := w.x.Holders(t.Context(), own, "report--"+eventUUID(n))
		must(t, err)
		if len(h) != want {
			t.Errorf("event %d is held by %+v", n, h)
		}
	}
	if r = w.run("out"); r.Result != Unchanged || len(s.heads) != 2 {
		t.Errorf("with nothing new: %+v", r)
	}
	w.events("tlp:green", 1767229200, 1)
	if r = w.run("out"); r.Counts.Pushed != 1 || s.asked["edit"] != 1 || s.has[eventUUID(1)] != "1767229200" {
		t.Errorf("a change: %+v %v", r, s.asked)
	}
	// Sightings of what the server has.
	w.accept("import", "tlp:green", `{"type":"sighting","spec_version":"2.1","id":"sighting--00000000-cccc-4000-8000-000000000001","created":"2026-01-02T00:00:00.000Z","modified":"2026-01-02T00:00:00.000Z","first_seen":"2026-01-02T00:00:00.000Z","sighting_of_ref":"indicator--00000000-aaaa-4000-8000-000000000001"}`)
	w.accept("import", "tlp:red", `{"type":"sighting","spec_version":"2.1","id":"sighting--00000000-cccc-4000-8000-000000000002","created":"2026-01-02T00:00:00.000Z","modified":"2026-01-02T00:00:00.000Z","first_seen":"2026-01-02T00:00:00.000Z","sighting_of_ref":"indicator--00000000-aaaa-4000-8000-000000000001"}`)
	r = w.run("out")
	if want := eventUUID(1) + ` [{"uuid":"00000000-cccc-4000-8000-000000000001","attribute_uuid":"00000000-aaaa-4000-8000-000000000001","date_sighting":"1767312000","source":"","type":"0"}]`; r.Counts.Pushed != 1 || len(s.sighted) != 1 || s.sighted[0] != want {
		t.Errorf("%+v %s", r, s.sighted)
	}
	if w.run("out"); len(s.sighted) != 1 {
		t.Errorf("sightings were sent twice: %s", s.sighted)
	}
}

// What a server refuses is told with its reason and not sent again until it changes; what it cannot take now is.
func TestMISPPushRefused(t *testing.T) {
	s := newReceiver()
	w := outward(t, s)
	w.events("tlp:green", 1767225600, 1, 2, 3)
	s.refuse[eventUUID(1)] = `{"saved":false,"name":"Could not add Event","message":"Could not add Event","errors":"Event blocked by event blocklist"}`
	s.refuse[eventUUID(2)] = `{"saved":false,"errors":"Event could not be saved: Event in the request not newer than the local copy."}`
	s.hidden[eventUUID(3)] = true
	r := w.run("out")
	if r.Result != Done || r.Counts.Pushed != 2 || r.Counts.Refused != 1 || len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Message, "blocklist") || s.asked["edit"] != 1 {
		t.Fatalf("%+v %+v %v", r, r.Error, s.asked)
	}
	delete(s.refuse, eventUUID(1))
	if r = w.run("out"); r.Counts.Pushed != 0 {
		t.Errorf("what was refused was sent again: %+v", r)
	}
	w.events("tlp:green", 1767229200, 1)
	s.broken = 503
	if r = w.run("out"); r.Result != Failed || r.Error.Code != "feed.throttled" {
		t.Errorf("%+v %+v", r, r.Error)
	}
	s.broken = 0
	if r = w.run("out"); r.Counts.Pushed != 1 {
		t.Errorf("after the failure: %+v %+v", r, r.Error)
	}
}

// Nothing goes back to where it came from.
func TestMISPPushEchoes(t *testing.T) {
	s := newReceiver()
	s.put(eventUUID(1), 1767225600, anEvent(eventUUID(1), 1767225600, "3", anAttribute(1, 1767225600, "one.example", "")))
	both := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.URL.Path == "/events/index" || strings.Contains(r.URL.Path, "restSearch") {
			s.instance.ServeHTTP(w, r)
			return
		}
		s.ServeHTTP(w, r)
	})
	w := outward(t, both)
	out := w.f.feeds["out"].c
	in := Config{Name: "in", Kind: "misp-server", URL: out.URL, TokenFile: "key", Label: "tlp:green"}
	w.reconfigure(Config{Name: "out", Kind: "misp-push", URL: out.URL, TokenFile: "key", To: "ARC/Arcadia CERT"}, in)
	if r := w.run("in"); r.Result != Done || r.Counts.Added == 0 {
		t.Fatalf("%+v %+v", r, r.Error)
	}
	if r := w.run("out"); r.Result != Unchanged || r.Counts.Present != 1 || len(s.got) != 0 {
		t.Errorf("%+v %s", r, s.got)
	}
}

func allReach() [4]label.Set { return [4]label.Set{label.All(), label.All(), label.All(), label.All()} }
