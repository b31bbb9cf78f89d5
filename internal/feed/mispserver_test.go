package feed

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"entente/internal/shareddata"
	"entente/internal/store"
)

// instance is a MISP 2.5 as far as one that is pulled from, or pushed to, shows itself.
type instance struct {
	mu        sync.Mutex
	version   string
	events    map[string]string // answer by uuid
	stamps    map[string]int64
	seen      map[string]int64
	sightings map[string][]string // by event
	clusters  map[string]string
	analyst   map[string]string // "Note/uuid"
	proposals []string
	noETag    bool
	fail      func(r *http.Request) int

	asked map[string]int
	rules []string
	got   map[string]json.RawMessage // pushed
	heads []string
}

func newInstance() *instance {
	return &instance{version: "2.5.1", events: map[string]string{}, stamps: map[string]int64{}, seen: map[string]int64{}, sightings: map[string][]string{}, clusters: map[string]string{}, analyst: map[string]string{},
		asked: map[string]int{}, got: map[string]json.RawMessage{}}
}

func (s *instance) put(id string, stamp int64, body string) {
	s.events[id], s.stamps[id] = body, stamp
}

var view = regexp.MustCompile(`^/events/view/([0-9a-f-]{36})(/.*)?$`)

func (s *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("Authorization") != "the key" {
		w.WriteHeader(403)
		io.WriteString(w, `{"saved":false,"name":"Authentication failed.","message":"Authentication failed.","url":"/x"}`)
		return
	}
	p := r.URL.Path
	s.asked[strings.SplitN(strings.TrimPrefix(p, "/"), "/", 3)[1]]++
	if s.fail != nil {
		if status := s.fail(r); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	body, _ := io.ReadAll(r.Body)
	switch m := view.FindStringSubmatch(p); {
	case p == "/servers/getVersion":
		fmt.Fprintf(w, `{"version":%q,"pymisp_recommended_version":"2.5.1","perm_sync":true,"perm_sighting":true,"perm_galaxy_editor":true,"perm_analyst_data":true,"uuid":"10c8f445-888b-4a2d-bac8-4e1e8861d595","request_encoding":["gzip"],"filter_sightings":true}`, s.version)
	case p == "/events/index":
		s.rules = append(s.rules, string(body))
		sum := int64(0)
		for id := range s.stamps {
			sum += s.stamps[id] + 7*s.seen[id]
		}
		etag := fmt.Sprintf(`"%d-%d"`, len(s.events), sum)
		if !s.noETag {
			w.Header().Set("ETag", etag)
			if r.Header.Get("If-None-Match") == etag {
				w.WriteHeader(304)
				return
			}
		}
		ids := []string{}
		for id := range s.events {
			ids = append(ids, id)
		}
		sort.Strings(ids)
		io.WriteString(w, "[")
		for i, id := range ids {
			if i > 0 {
				io.WriteString(w, ",")
			}
			fmt.Fprintf(w, `{"id":"%d","timestamp":"%d","sighting_timestamp":"%d","published":true,"uuid":"%s","orgc_uuid":"10c8f445-888b-4a2d-bac8-4e1e8861d595"}`, i, s.stamps[id], s.seen[id], id)
		}
		io.WriteString(w, "]")
	case m != nil && r.Method == http.MethodGet:
		if e, ok := s.events[m[1]]; ok && strings.Contains(p, "/deleted[]:0/deleted[]:1/excludeGalaxy:1/") {
			io.WriteString(w, e)
			return
		}
		w.WriteHeader(404)
	case p == "/sightings/restSearch/event":
		var ask struct {
			UUID []string `json:"uuid"`
		}
		json.Unmarshal(body, &ask)
		if len(ask.UUID) > 20 {
			w.WriteHeader(400)
			return
		}
		var out []string
		for _, id := range ask.UUID {
			out = append(out, s.sightings[id]...)
		}
		io.WriteString(w, `{"response":[`+strings.Join(out, ",")+`]}`)
	case p == "/galaxy_clusters/restSearch":
		var out []string
		for id := range s.clusters {
			out = append(out, `{"GalaxyCluster":{"uuid":"`+id+`","version":"1"}}`)
		}
		io.WriteString(w, `[`+strings.Join(out, ",")+`]`)
	case strings.HasPrefix(p, "/galaxy_clusters/view/"):
		io.WriteString(w, s.clusters[strings.TrimPrefix(p, "/galaxy_clusters/view/")])
	case strings.HasPrefix(p, "/shadow_attributes/index/all:1/timestamp:") && strings.HasSuffix(p, "/page:1/deleted[]:0/deleted[]:1.json"):
		io.WriteString(w, "["+strings.Join(s.proposals, ",")+"]")
	case p == "/analyst_data/indexMinimal":
		out := map[string][]map[string]string{}
		for key := range s.analyst {
			kind, id, _ := strings.Cut(key, "/")
			out[kind] = append(out[kind], map[string]string{id: "2025-01-08 10:37:00"})
		}
		json.NewEncoder(w).Encode(out)
	case strings.HasPrefix(p, "/analyst_data/index/"):
		parts := strings.Split(strings.TrimSuffix(p, ".json"), "/")
		var out []string
		for _, id := range parts[4:] {
			if text, ok := s.analyst[parts[3]+"/"+strings.TrimPrefix(id, "uuid[]:")]; ok {
				out = append(out, strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "["), "]"))
			}
		}
		io.WriteString(w, "["+strings.Join(out, ",")+"]")
	default:
		w.WriteHeader(404)
	}
}

// pull is a feed of an instance.
func pull(t testing.TB, dir string, s http.Handler) Config {
	t.Helper()
	write(t, filepath.Join(dir, "key"), "the key\n")
	return Config{Name: "pull", Kind: "misp-server", URL: serve(t, s.ServeHTTP), TokenFile: "key", Label: "tlp:green"}
}

// anEvent is an event with attributes of its own; deleted ones and others are given by their number.
func anEvent(id string, stamp int64, distribution string, attributes ...string) string {
	return fmt.Sprintf(`{"Event":{"id":"7","uuid":"%s","info":"an event","date":"2026-01-01","timestamp":"%d","published":true,"publish_timestamp":"%d","distribution":"%s","attribute_count":"%d","sharing_group_id":"0",`+
		`"Org":{"id":"1","name":"HOST","uuid":"10c8f445-888b-4a2d-bac8-4e1e8861d595"},"Orgc":{"id":"1","name":"HOST","uuid":"10c8f445-888b-4a2d-bac8-4e1e8861d595","local":true},`+
		`"Attribute":[%s],"ShadowAttribute":[],"RelatedEvent":[],"Galaxy":[],"Object":[],"EventReport":[],"CryptographicKey":[],"Tag":[{"id":"3","name":"tlp:green","local":0},{"id":"4","name":"workflow:todo","local":1}]}}`,
		id, stamp, stamp, distribution, len(attributes), strings.Join(attributes, ","))
}

func anAttribute(n int, stamp int64, value string, more string) string {
	return fmt.Sprintf(`{"id":"%d","type":"domain","category":"Network activity","to_ids":true,"uuid":"00000000-aaaa-4000-8000-%012d","event_id":"7","distribution":"5","timestamp":"%d","comment":"","sharing_group_id":"0","deleted":false,"value":"%s"%s}`,
		n, n, stamp, value, more)
}

func eventUUID(n int) string { return fmt.Sprintf("00000000-1111-4000-8000-%012d", n) }

// An event is taken once; when it changes, what is new is added, what was deleted is revoked, and what it does not have any more is too.
func TestMISPServer(t *testing.T) {
	s, dir := newInstance(), t.TempDir()
	id := eventUUID(1)
	s.put(id, 1767225600, anEvent(id, 1767225600, "3", anAttribute(1, 1767225600, "one.example", ""), anAttribute(2, 1767225600, "two.example", ""), anAttribute(3, 1767225600, "three.example", "")))
	s.put(eventUUID(2), 1767225601, `{"Event":{"uuid":"`+eventUUID(2)+`","info":"cut off`)
	w := newWorld(t, dir, pull(t, dir, s))
	r := w.run("pull")
	if r.Result != Done || r.Counts.Dropped != 1 || r.Counts.Held+r.Counts.Refused != 0 || len(r.Problems) != 1 || r.Problems[0].Code != "misp.event" {
		t.Fatalf("%+v %+v", r, r.Error)
	}
	if got := w.objects(ally, store.Query{Types: []string{"indicator"}}); len(got) != 3 {
		t.Errorf("the ally has %d indicators", len(got))
	}
	if got := w.objects(own, store.Query{}); count(got, "workflow:todo") != 0 || count(got, `\"id\":\"7\"`) != 0 {
		t.Error("what belongs to the other instance alone came along")
	}
	if r = w.run("pull"); r.Result != Unchanged || s.asked["view"] != 2 {
		t.Errorf("with nothing new: %+v, %d events fetched", r, s.asked["view"])
	}

	later := int64(1767229200)
	s.put(id, later, anEvent(id, later, "3", anAttribute(1, 1767225600, "one.example", ""), anAttribute(2, later, "two.example", `,"deleted":true`), anAttribute(4, later, "four.example", "")))
	s.events[id] = strings.Replace(s.events[id], `"deleted":false,"value":"two.example"`, `"value":"two.example"`, 1)
	if r = w.run("pull"); r.Result != Done || r.Counts.Held+r.Counts.Refused+r.Counts.Different != 0 || r.Counts.Gone != 1 {
		t.Fatalf("%+v %+v", r, r.Error)
	}
	got := w.indicators()
	if len(got) != 4 || count(got, `"revoked":true`) != 2 {
		t.Errorf("%d indicators, %d of them revoked", len(got), count(got, `"revoked":true`))
	}
	for _, o := range got {
		if gone := strings.Contains(o, "two.example") || strings.Contains(o, "three.example"); gone != strings.Contains(o, `"revoked":true`) {
			t.Errorf("revoked or not: %s", o)
		}
	}
}

// The distribution goes down by one step: what was for the communities next to the server is not beyond us, and what is for all is.
func TestMISPServerDistribution(t *testing.T) {
	for distribution, want := range map[string]int{"0": 0, "1": 0, "2": 0, "3": 1} {
		s, dir := newInstance(), t.TempDir()
		s.put(eventUUID(1), 1767225600, anEvent(eventUUID(1), 1767225600, distribution, anAttribute(1, 1767225600, "one.example", "")))
		w := newWorld(t, dir, pull(t, dir, s))
		if r := w.run("pull"); r.Result != Done {
			t.Fatalf("%+v", r)
		}
		if got := w.objects(ally, store.Query{Types: []string{"indicator"}}); len(got) != want {
			t.Errorf("distribution %s: the ally has %d", distribution, len(got))
		}
		if got := w.indicators(); len(got) != 1 || strings.Contains(got[0], `\"distribution\":\"`+distribution+`\"`) && distribution != "0" && distribution != "3" {
			t.Errorf("distribution %s: %s", distribution, got)
		}
	}
}

// The rules go to the server, and what they do not keep is not taken whatever the server gives.
func TestMISPServerRules(t *testing.T) {
	s, dir := newInstance(), t.TempDir()
	for i := range 3 {
		s.put(eventUUID(i), 1767225600, anEvent(eventUUID(i), 1767225600, "3", anAttribute(i, 1767225600, "one.example", "")))
	}
	c := pull(t, dir, s)
	c.MISP = Rules{Orgs: []string{"CIRCL", "!EVIL"}, Tags: []string{"!tlp:red"}, Block: []string{eventUUID(1)}}
	w := newWorld(t, dir, c)
	if r := w.run("pull"); r.Result != Done || s.asked["view"] != 2 {
		t.Errorf("%+v", r)
	}
	if want := `{"minimal":1,"org":["CIRCL","!EVIL"],"published":1,"tag":["!tlp:red"]}`; s.rules[0] != want {
		t.Errorf("asked %s", s.rules[0])
	}
	c.MISP = Rules{Own: "10c8f445-888b-4a2d-bac8-4e1e8861d595"}
	w = newWorld(t, t.TempDir(), c)
	write(t, filepath.Join(w.dir, "key"), "the key")
	if r := w.run("pull"); r.Counts.Added != 0 {
		t.Errorf("our own events came back: %+v", r)
	}
	// an event that is ours already, and did not come by a feed
	w = newWorld(t, t.TempDir(), pull(t, dir, s))
	write(t, filepath.Join(w.dir, "key"), "the key")
	w.accept("import", "tlp:red", `{"type":"report","spec_version":"2.1","id":"report--`+eventUUID(0)+`","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"ours","published":"2026-01-01T00:00:00.000Z","object_refs":["indicator--00000000-aaaa-4000-8000-000000000000"]}`)
	if r := w.run("pull"); r.Counts.Dropped != 1 || r.Problems[0].Code != "misp.local" {
		t.Errorf("%+v", r)
	}
}

// A run that is cut goes on where it stopped.
func TestMISPServerResumes(t *testing.T) {
	s, dir := newInstance(), t.TempDir()
	for i := range 30 {
		s.put(eventUUID(i), 1767225600+int64(i), anEvent(eventUUID(i), 1767225600+int64(i), "3", anAttribute(i, 1767225600, fmt.Sprintf("n%d.example", i), "")))
	}
	views := 0
	s.fail = func(r *http.Request) int {
		if strings.HasPrefix(r.URL.Path, "/events/view/") {
			if views++; views == 11 {
				return 500
			}
		}
		return 0
	}
	w := newWorld(t, dir, pull(t, dir, s))
	if r := w.run("pull"); r.Result != Failed || len(w.indicators()) != 10 {
		t.Fatalf("%+v", r)
	}
	if r := w.run("pull"); r.Result != Done || views != 31 || len(w.indicators()) != 30 {
		t.Errorf("%d events fetched, %d indicators: %+v", views, len(w.indicators()), r)
	}
}

// Sightings are taken for events that are here and have newer ones, and say of which indicator.
func TestMISPServerSightings(t *testing.T) {
	s, dir := newInstance(), t.TempDir()
	inObject := `{"uuid":"00000000-bbbb-4000-8000-000000000001","name":"file","template_uuid":"688c46fb-5edb-40a3-8273-1af7923e2215","template_version":"24","timestamp":"1767225600","distribution":"5","Attribute":[` +
		strings.Replace(strings.Replace(anAttribute(99, 1767225600, "d41d8cd98f00b204e9800998ecf8427e", `,"object_relation":"md5"`), `"domain"`, `"md5"`, 1), "Network activity", "Payload delivery", 1) + `]}`
	for i := range 25 {
		e := anEvent(eventUUID(i), 1767225600, "3", anAttribute(i, 1767225600, fmt.Sprintf("n%d.example", i), ""))
		if i == 3 {
			e = strings.Replace(e, `"Object":[]`, `"Object":[`+inObject+`]`, 1)
		}
		s.put(eventUUID(i), 1767225600, e)
		s.seen[eventUUID(i)] = 1767226000
		s.sightings[eventUUID(i)] = []string{fmt.Sprintf(`{"Sighting":{"id":"1","attribute_id":"5","event_id":"7","org_id":"1","date_sighting":"1767226000","uuid":"00000000-cccc-4000-8000-%012d","source":"","type":"0","attribute_uuid":"00000000-aaaa-4000-8000-%012d","Organisation":{"id":"1","uuid":"10c8f445-888b-4a2d-bac8-4e1e8861d595","name":"HOST"}}}`, i, i)}
	}
	s.sightings[eventUUID(3)] = append(s.sightings[eventUUID(3)], `{"Sighting":{"date_sighting":"1767226000","uuid":"00000000-cccc-4000-8000-000000000099","type":"1","attribute_uuid":"00000000-aaaa-4000-8000-000000000099","Organisation":{"name":"HOST","uuid":"10c8f445-888b-4a2d-bac8-4e1e8861d595"}}}`,
		`{"Sighting":{"date_sighting":"1767226000","uuid":"00000000-cccc-4000-8000-000000000100","type":"0","attribute_uuid":"00000000-aaaa-4000-8000-000000000777"}}`)
	w := newWorld(t, dir, pull(t, dir, s))
	r := w.run("pull")
	if r.Result != Done || r.Counts.Dropped != 1 || r.Counts.Refused+r.Counts.Held != 0 {
		t.Fatalf("%+v %+v", r, r.Error)
	}
	if got := w.objects(own, store.Query{Types: []string{"sighting"}}); len(got) != 25 || count(got, `"sighting_of_ref":"indicator--00000000-aaaa-`) != 25 {
		t.Errorf("%d sightings: %s", len(got), got[0])
	}
	if got := w.objects(own, store.Query{Types: []string{"opinion"}}); len(got) != 1 || !strings.Contains(got[0], `--00000000-bbbb-4000-8000-000000000001"`) {
		t.Errorf("the false positive: %s", got)
	}
	asked := s.asked["restSearch"]
	s.noETag = true
	if w.run("pull"); s.asked["restSearch"] != asked+1 { // the clusters alone
		t.Errorf("sightings were asked for again: %v", s.asked)
	}
}

// Proposals to change events that are here come under the label of their event, once; they change nothing.
func TestMISPServerProposals(t *testing.T) {
	s, dir := newInstance(), t.TempDir()
	s.put(eventUUID(1), 1767225600, anEvent(eventUUID(1), 1767225600, "0", anAttribute(1, 1767225600, "one.example", "")))
	proposal := func(event, value, stamp, org string) string {
		return `{"ShadowAttribute":{"id":"3","old_id":"7","event_id":"7","org_id":"2","uuid":"00000000-aaaa-4000-8000-000000000001","event_uuid":"` + event + `","type":"domain","category":"Network activity",
			"value":"` + value + `","timestamp":"` + stamp + `","email":"somebody@partner.example","Org":{"id":"2","name":"P","uuid":"` + org + `"}}}`
	}
	const one, two = "10c8f445-888b-4a2d-bac8-4e1e8861d595", "20c8f445-888b-4a2d-bac8-4e1e8861d595"
	s.proposals = []string{proposal(eventUUID(1), "better.example", "1767225700", one), proposal(eventUUID(1), "worse.example", "1767225700", two), proposal(eventUUID(2), "elsewhere.example", "1767225700", one),
		`{"ShadowAttribute":{"uuid":"x","type":"domain","timestamp":"1767225700"}}`}
	w := newWorld(t, dir, pull(t, dir, s))
	if r := w.run("pull"); r.Result != Done || len(r.Notes) != 0 || r.Counts.Dropped != 1 {
		t.Fatalf("%+v %+v", r, r.Error)
	}
	q := store.Query{Types: []string{"x-misp-proposal"}}
	got := w.objects(own, q)
	if len(got) != 2 || count(got, "better.example")+count(got, "worse.example") != 2 || count(got, "somebody@") != 0 || count(got, `"misp-about","external_id":"`+eventUUID(1)) != 2 {
		t.Fatalf("%s", got)
	}
	if others := w.objects(ally, q); len(others) != 0 {
		t.Errorf("the event is for one organisation, and its proposals went on: %s", others)
	}
	if all := w.indicators(); len(all) != 1 || strings.Contains(fmt.Sprint(all), "better") {
		t.Errorf("a proposal changed something: %v", all)
	}
	s.noETag, s.proposals = true, s.proposals[:3]
	if r := w.run("pull"); r.Counts.Added != 0 || r.Counts.Dropped != 0 {
		t.Errorf("again: %+v", r)
	}
	s.proposals[0] = proposal(eventUUID(1), "best.example", "1767225800", one)
	if w.run("pull"); count(w.objects(own, q), "best.example") != 1 || len(w.objects(own, q)) != 2 {
		t.Errorf("%s", w.objects(own, q))
	}
	c := pull(t, dir, s)
	c.MISP.Without = []string{"proposals"}
	w.configure(c)
	asked := s.asked["index"]
	if w.run("pull"); s.asked["index"] > asked+1 {
		t.Error("proposals were asked for")
	}
}

// What a server does not give besides events keeps nobody from taking those; what it cannot give now ends the run.
func TestMISPServerWithout(t *testing.T) {
	s, dir := newInstance(), t.TempDir()
	s.put(eventUUID(1), 1767225600, anEvent(eventUUID(1), 1767225600, "3", anAttribute(1, 1767225600, "one.example", "")))
	status := 403
	s.fail = func(r *http.Request) int {
		if strings.HasPrefix(r.URL.Path, "/galaxy_clusters") || strings.HasPrefix(r.URL.Path, "/analyst_data") {
			return status
		}
		return 0
	}
	w := newWorld(t, dir, pull(t, dir, s))
	if r := w.run("pull"); r.Result != Done || len(r.Notes) != 2 || len(w.indicators()) != 1 {
		t.Fatalf("%+v %+v", r, r.Error)
	}
	if r := w.run("pull"); r.Result != Unchanged || s.asked["view"] != 1 {
		t.Errorf("again: %+v", r)
	}
	status = 500
	if r := w.run("pull"); r.Result != Failed {
		t.Errorf("%+v", r)
	}
	c := pull(t, dir, s)
	c.MISP.Without = []string{"clusters", "analyst"}
	w.configure(c)
	if r := w.run("pull"); r.Result == Failed || len(r.Notes) != 0 {
		t.Errorf("%+v %+v", r, r.Error)
	}
}

// Every event of the recorded synchronisations is taken, and its label never permits more than it says.
func TestMISPServerRecorded(t *testing.T) {
	fixtures, err := filepath.Glob(filepath.Join(shareddata.Dir(t, "misp", "misp-guard", "src", "test", "fixtures"), "*.json"))
	must(t, err)
	scenarios, err := os.ReadFile(filepath.Join(shareddata.Dir(t, "misp", "misp-guard", "src", "test"), "test_pull_scenarios.json"))
	must(t, err)
	var list []struct {
		Name    string `json:"name"`
		URL     string `json:"url"`
		Fixture string `json:"fixture_file"`
	}
	must(t, json.Unmarshal(scenarios, &list))
	tested := 0
	for _, sc := range list {
		t.Run(sc.Name, func(t *testing.T) {
			i := slices.IndexFunc(fixtures, func(f string) bool { return filepath.Base(f) == filepath.Base(sc.Fixture) })
			if i < 0 {
				t.Fatalf("no fixture %s", sc.Fixture)
			}
			body, err := os.ReadFile(fixtures[i])
			must(t, err)
			s, dir := newInstance(), t.TempDir()
			switch {
			case strings.HasPrefix(sc.URL, "/events/view/"):
				var e struct {
					Event struct {
						UUID         string
						Distribution string
					}
				}
				must(t, json.Unmarshal(body, &e))
				s.put(e.Event.UUID, 1661956788, string(body))
				w := newWorld(t, dir, pull(t, dir, s))
				r := w.run("pull")
				if r.Result != Done || r.Counts.Added < 3 || r.Counts.Dropped+r.Counts.Refused+r.Counts.Held != 0 {
					t.Fatalf("%+v %+v", r, r.Error)
				}
				if got := w.objects(ally, store.Query{Types: []string{"report", "grouping", "indicator", "observed-data"}}); e.Event.Distribution != "3" && len(got) != 0 {
					t.Errorf("an event of distribution %s went on: %s", e.Event.Distribution, got)
				}
			case strings.HasPrefix(sc.URL, "/galaxy_clusters/view/"):
				s.clusters[strings.TrimPrefix(sc.URL, "/galaxy_clusters/view/")] = string(body)
				w := newWorld(t, dir, pull(t, dir, s))
				if r := w.run("pull"); r.Result == Failed || s.asked["view"] != 1 {
					t.Errorf("%+v %+v", r, r.Error)
				}
			case strings.HasPrefix(sc.URL, "/analyst_data/index/"):
				var list []map[string]struct{ UUID string }
				must(t, json.Unmarshal(body, &list))
				for kind, one := range list[0] {
					s.analyst[kind+"/"+one.UUID] = string(body)
				}
				w := newWorld(t, dir, pull(t, dir, s))
				r := w.run("pull")
				if r.Result != Done || r.Counts.Added != 3 || r.Counts.Dropped+r.Counts.Refused+r.Counts.Held != 0 {
					t.Fatalf("%+v %+v %+v", r, r.Error, r.Problems)
				}
				if got := w.objects(own, store.Query{Types: []string{"x-misp-note", "x-misp-opinion", "x-misp-relationship"}}); len(got) != 1 || !strings.Contains(got[0], `"misp-about"`) {
					t.Errorf("%s", got)
				}
				if r = w.run("pull"); r.Result != Unchanged {
					t.Errorf("again: %+v", r)
				}
			default:
				return
			}
			tested++
		})
	}
	if tested < 30 {
		t.Errorf("%d scenarios were looked at", tested)
	}
}
