package api

import (
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"

	"entente/label"
)

// findingAsks is what the outsider asks of search and the graph.
var findingAsks = map[string][]probe{
	"GET /search": {{"/search", ""}, {"/search?q=" + hiddenName + "&facets=true", ""}, {"/search?q=unm&typing=true&limit=1", ""}, {"/search?q=type:identity&sort=newest&facets=true&limit=1", ""},
		{"/search?q=id:" + hiddenID, ""}, {"/search?q=tlp:red&facets=true", ""}, {"/search?q=author:" + hiddenID, ""}, {"/search?q=%22open+to%22+-secret", ""}, {"/search?q=tlp:nonsense", ""},
		{"/search?type=identity&tlp=red,clear&facets=true", ""}, {"/search?collection=open&q=to", ""}, {"/search?collection=secret", ""}, {"/search?collection=open&limit=1", ""}},
	"GET /search/words":            {{"/search/words?q=unm", ""}, {"/search/words?q=op", ""}},
	"GET /objects/{id}/neighbours": {{"/objects/" + hiddenID + "/neighbours", ""}, {"/objects/identity--" + heldUUID + "/neighbours", ""}, {"/objects/identity--" + visibleUUID + "/neighbours?fresh=true", ""}},
	"GET /objects/{id}/paths": {{"/objects/identity--" + visibleUUID + "/paths?to=" + hiddenID, ""}, {"/objects/" + hiddenID + "/paths?to=" + hiddenID, ""},
		{"/objects/identity--" + visibleUUID + "/paths?to=identity--" + visibleUUID, ""}, {"/objects/x/paths?depth=9", ""}},
	"GET /objects/{id}/provenance": {{"/objects/" + hiddenID + "/provenance", ""}, {"/objects/identity--" + heldUUID + "/provenance", ""}, {"/objects/identity--" + visibleUUID + "/provenance", ""},
		{"/objects/identity--" + visibleUUID + "/provenance?limit=0", ""}},
	"GET /index": {{"/index", ""}},
}

func init() { maps.Copy(asks, findingAsks) }

// askFinding asks search and the graph for something they answer.
func askFinding(w *world, do func(route, path, body string)) {
	w.importAll(admin, nil, object(uuidOf(20), "hub of finding", green)+object(uuidOf(21), "spoke of finding", green+`,"created_by_ref":"identity--`+uuidOf(20)+`"`))
	do("GET /search", "/search?q=finding+-nothing&typing=true&sort=relevance&type=identity,malware&tlp=green&since=2020&until=2100-01-01&facets=true&headers=false&fresh=true&limit=1", "")
	do("GET /search", "/search?collection=open&sort=newest&headers=true", "")
	do("GET /search/words", "/search/words?q=fin&limit=3", "")
	hub := "/objects/identity--" + uuidOf(20)
	do("GET /objects/{id}/neighbours", hub+"/neighbours?relationship=created_by&type=identity&direction=in&fresh=true&limit=1", "")
	do("GET /objects/{id}/paths", hub+"/paths?to=identity--"+uuidOf(21)+"&depth=2&skip=object", "")
	do("GET /objects/{id}/provenance", hub+"/provenance?limit=1", "")
	do("GET /index", "/index", "")
}

func TestSearchFiltersAndPages(t *testing.T) {
	w := newWorld(t)
	open, err := w.client(admin).AddCollection(t.Context(), PutCollection{Title: "Open", Alias: "open", Read: []string{}, Write: []string{}})
	w.must(err)
	var in, out strings.Builder
	for i := range 30 {
		b := &out
		if i%3 == 0 {
			b = &in
		}
		fmt.Fprint(b, object(uuidOf(100+i), fmt.Sprintf("Sample %d", i), green))
	}
	w.importAll(admin, map[string][]string{"collection": {open.ID}}, in.String())
	w.importAll(admin, nil, out.String())
	find := func(query string) (names []string, last Finds) {
		t.Helper()
		q, err := url.ParseQuery(query)
		w.must(err)
		q.Set("fresh", "true")
		for pages := 0; ; pages++ {
			if last, err = w.client(admin).Finds(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			for _, f := range last.Items {
				names = append(names, f.ID)
			}
			if last.Next == "" || pages > 100 {
				return names, last
			}
			q.Set("next", last.Next)
		}
	}
	for _, c := range []struct {
		query string
		want  int
	}{{"q=sample", 30}, {"q=sample&limit=7", 30}, {"q=sample&sort=newest&limit=4", 30}, {"q=sample&collection=open", 10}, {"q=sample&collection=open&limit=3", 10}, {"collection=open&limit=4&sort=newest", 10},
		{"q=sample&type=malware", 0}, {"q=sample&type=malware,identity&tlp=green,red", 30}, {"q=sample&tlp=red", 0}, {"q=sample&since=1h", 30}, {"q=sample&until=1h", 0}, {"q=%22sample+3%22", 1}} {
		got, last := find(c.query)
		if len(got) != c.want {
			t.Errorf("%s: %d found, want %d", c.query, len(got), c.want)
		}
		if strings.Contains(c.query, "collection=") != (last.Total == nil) {
			t.Errorf("%s: total %v", c.query, last.Total)
		}
		seen := map[string]bool{}
		for _, id := range got {
			if seen[id] {
				t.Errorf("%s: %s is found twice", c.query, id)
			}
			seen[id] = true
		}
	}
	for _, bad := range []string{"q=%22open", "tlp=blue", "since=x", "sort=best", "facets=true&collection=open", "q=tlp:blue"} {
		if status, body := w.ask(admin, "GET", "/search?"+bad, ""); status != 400 {
			t.Errorf("%s: %d %s", bad, status, body)
		}
	}
}

// What another organisation learns of the graph is written down as given to it.
func TestNeighboursAreReleased(t *testing.T) {
	w := newWorld(t)
	clear := `,"object_marking_refs":["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"]`
	hub, spoke, hidden := "identity--"+uuidOf(1), "identity--"+uuidOf(2), "identity--"+uuidOf(3)
	w.importAll(admin, nil, object(uuidOf(1), "Hub", clear)+object(uuidOf(2), "Spoke", clear+`,"created_by_ref":"`+hub+`"`)+object(uuidOf(3), "Hidden", `,"created_by_ref":"`+hub+`"`))
	w.must(w.index.Sync(t.Context()))
	got, err := w.client(outsider).Neighbours(t.Context(), hub, nil)
	w.must(err)
	if got.Total != 1 || len(got.Items) != 1 || got.Items[0].Name != "Spoke" || got.Items[0].Object.ID != spoke || got.Items[0].Object.Object != nil {
		t.Errorf("%+v", got)
	}
	if given, err := w.client(admin).Holders(t.Context(), spoke); err != nil || len(given) != 1 {
		t.Errorf("%v %v", given, err)
	}
	own, err := w.client(admin).Neighbours(t.Context(), hub, nil)
	w.must(err)
	if own.Total != 2 {
		t.Errorf("%+v", own)
	}
	ways, err := w.client(admin).Paths(t.Context(), spoke, hidden, nil)
	w.must(err)
	if len(ways.Items) != 1 || len(ways.Items[0]) != 2 || ways.Items[0][0].Name != "Hub" {
		t.Errorf("%+v", ways)
	}
	if ways, err := w.client(outsider).Paths(t.Context(), spoke, hidden, nil); err == nil {
		t.Errorf("a path to what is hidden: %+v", ways)
	}
}

// A purge returns when the index has let go, too.
func TestPurgeReachesTheIndex(t *testing.T) {
	w := newWorld(t)
	w.importAll(admin, nil, object(uuidOf(1), "Vanishing", green))
	w.must(w.index.Sync(t.Context()))
	w.must(errOf(w.client(admin).Purge(t.Context(), "identity--"+uuidOf(1), false)))
	if got, err := w.client(admin).Finds(t.Context(), url.Values{"q": {"vanishing"}}); err != nil || len(got.Items) != 0 {
		t.Errorf("%+v %v", got, err)
	}
	if s := w.index.State(); s.Records != 0 || !s.Caught {
		t.Errorf("%+v", s)
	}
}

func TestProvenance(t *testing.T) {
	w := newWorld(t)
	open, err := w.client(admin).AddCollection(t.Context(), PutCollection{Title: "Open", Alias: "open", Read: []string{}, Write: []string{}})
	w.must(err)
	shut, err := w.client(admin).AddCollection(t.Context(), PutCollection{Title: "Shut", Read: []string{"auditor"}, Write: []string{"admin"}})
	w.must(err)
	clear := `,"object_marking_refs":["marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"]`
	w.importAll(admin, map[string][]string{"collection": {open.ID}, "via": {"feed:x"}}, object(uuidOf(1), "Open", clear))
	w.importAll(admin, map[string][]string{"collection": {shut.ID}}, object(uuidOf(1), "Open", clear))
	w.importAll(admin, map[string][]string{"label": {"pap:red"}}, object(uuidOf(2), "Unmarked", ""))
	w.importAll(admin, nil, object(uuidOf(3), "Held", unknownMark))
	w.must(errOf(w.client(admin).Remove(t.Context(), "identity--"+uuidOf(1), url.Values{"collection": {shut.ID}})))
	of := func(c *Client, n int) Provenance {
		t.Helper()
		list, err := c.Provenance(t.Context(), "identity--"+uuidOf(n))
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v %v", list, err)
		}
		return list[0]
	}
	p := of(w.client(admin), 1)
	if p.Origin.Via != "feed:x" || p.Origin.Person != "local" || len(p.Collections) != 1 || p.Collections[0].Title != "Open" || len(p.Digest) != 64 || p.Envelope != "" ||
		len(p.Markings) != 1 || p.Markings[0].Label.TLP != label.Clear || p.Label.TLP != label.Clear || len(p.Acts) != 1 || p.Acts[0].Verb != "object.remove" {
		t.Errorf("%+v", p)
	}
	theirs := of(w.client(outsider), 1)
	if theirs.Origin.Person != "" || theirs.Origin.Via != "" || len(theirs.Collections) != 1 || theirs.Acts != nil || theirs.Digest != p.Digest {
		t.Errorf("%+v", theirs)
	}
	if given, err := w.client(admin).Holders(t.Context(), "identity--"+uuidOf(1)); err != nil || len(given) != 1 {
		t.Errorf("%v %v", given, err)
	}
	if p = of(w.client(admin), 2); p.Label.TLP != label.Red || p.Stated.TLP != label.Clear || len(p.Because) != 3 || p.Label.PAP != label.PAPRed {
		t.Errorf("%+v", p)
	}
	if p = of(w.client(admin), 3); !p.Held || len(p.Markings) != 1 || p.Markings[0].Problem == "" || p.Markings[0].Label != nil {
		t.Errorf("%+v", p)
	}
	under := label.For(label.Green)
	w.must(w.client(admin).Release(t.Context(), "identity--"+uuidOf(3), ReleaseHeld{Label: &under}))
	if p = of(w.client(admin), 3); p.Held || p.Label.TLP != label.Green || len(p.Acts) != 1 {
		t.Errorf("%+v", p)
	}
}
