package api

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/lists"
)

// someLists is one warning list, one taxonomy, one galaxy, and a file that is none.
func someLists(t testing.TB) *lists.Lists {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"misp-warninglists/lists/dns/list.json":    `{"name":"Public DNS","version":1,"description":"resolvers","type":"cidr","category":"false_positive","matching_attributes":["ip-dst"],"list":["192.0.2.1"]}`,
		"misp-warninglists/lists/broken/list.json": `{"name":`,
		"misp-taxonomies/tlp/machinetag.json":      `{"namespace":"tlp","expanded":"Traffic Light Protocol","version":1,"predicates":[{"value":"red","expanded":"For you alone"}]}`,
		"misp-galaxy/clusters/actor.json":          `{"name":"Actors","type":"threat-actor","version":1,"values":[{"uuid":"7cdff317-a673-4474-84ec-4f1754947823","value":"Sandman","meta":{"synonyms":["Dust Bear"]}}]}`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return lists.Load(lists.Config{Files: dir}, "", time.Unix(1767225600, 0), nil)
}

func init() { maps.Copy(asks, asksLists) }

// asksLists are the questions of TestTwoViewers about the lists.
var asksLists = map[string][]probe{
	"GET /lists":                 {{"/lists", ""}},
	"POST /lists/reload":         {{"/lists/reload", ""}},
	"GET /lists/check":           {{"/lists/check?value=192.0.2.1", ""}, {"/lists/check?value=" + hiddenValue, ""}, {"/lists/check", ""}},
	"GET /lists/taxonomies":      {{"/lists/taxonomies", ""}, {"/lists/taxonomies?q=red", ""}, {"/lists/taxonomies?limit=0", ""}},
	"GET /lists/galaxies":        {{"/lists/galaxies", ""}, {"/lists/galaxies?q=sand", ""}, {"/lists/galaxies?tag=x", ""}},
	"GET /objects/{id}/warnings": {{"/objects/" + hiddenID + "/warnings", ""}, {"/objects/identity--" + visibleUUID + "/warnings", ""}, {"/objects/identity--" + heldUUID + "/warnings?version=all", ""}},
}

// A value on a warning list shows on the page of the object that has it, and nowhere else.
func TestLists(t *testing.T) {
	w := newWorld(t)
	s := w.importAll(admin, map[string][]string{"default": {"tlp:clear"}}, `{"type":"ipv4-addr","spec_version":"2.1","id":"ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd","value":"192.0.2.1"}`)
	if s.Added != 1 {
		t.Fatalf("%+v", s)
	}
	warnings, err := w.client(outsider).Warnings(t.Context(), "ipv4-addr--ff26c055-6336-5bc5-b98d-13d6226742dd")
	if err != nil || len(warnings) != 1 || warnings[0].List != "Public DNS" || warnings[0].Value != "192.0.2.1" {
		t.Errorf("%+v %v", warnings, err)
	}
	hits, err := w.client(admin).CheckLists(t.Context(), "", "192.0.2.2")
	if err != nil || len(hits) != 0 {
		t.Errorf("%+v %v", hits, err)
	}
	terms, err := w.client(admin).Terms(t.Context(), "", "tlp:red")
	if err != nil || len(terms) != 1 || terms[0].Name != "For you alone" {
		t.Errorf("%+v %v", terms, err)
	}
	clusters, err := w.client(admin).Clusters(t.Context(), "dust", "")
	if err != nil || len(clusters) != 1 || clusters[0].Name != "Sandman" {
		t.Errorf("%+v %v", clusters, err)
	}
	ours, err := w.client(admin).Lists(t.Context())
	if err != nil || ours.Entries != 1 || len(ours.Faults) != 1 || strings.Contains(ours.Faults[0].File, w.dir) {
		t.Errorf("%+v %v", ours, err)
	}
	theirs, err := w.client(outsider).Lists(t.Context())
	if err != nil || theirs.Entries != 1 || len(theirs.Faults) != 0 {
		t.Errorf("the faults are told to others: %+v %v", theirs, err)
	}
}

// Who runs feeds has the lists read anew, which stands in the journal; what could not be read is told to who may see the configuration.
func TestListsAreReadAnew(t *testing.T) {
	w := newWorld(t)
	before, err := w.client(admin).Lists(t.Context())
	w.must(err)
	after, err := w.client(admin).ReloadLists(t.Context())
	if err != nil || !after.Loaded.After(before.Loaded) || after.Entries != before.Entries || len(after.Faults) != 1 {
		t.Errorf("%+v %v", after, err)
	}
	acts := 0
	w.must(w.client(admin).Journal(t.Context(), nil, func(a Act) error {
		if a.Verb == "lists.reload" && a.Actor == "Utopia CERT/local" {
			acts++
		}
		return nil
	}))
	if acts != 1 {
		t.Errorf("the journal tells it %d times", acts)
	}
	if _, err := w.client(outsider).ReloadLists(t.Context()); fault.Of(err) != fault.Forbidden {
		t.Errorf("another organisation: %v", err)
	}
}
