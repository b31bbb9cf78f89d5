package feed

import (
	"strings"
	"testing"

	"entente/internal/fault"
	"entente/internal/store"
	"entente/stix"
)

// A list that is polled again and again is the same objects: what is new is added, what changes is another version, what leaves is ended as the feed
// says.
func TestListLives(t *testing.T) {
	p := &page{body: "# bad things\n192[.]0.2.1\nhxxp://evil[.]example/a\nEVIL.example.\n\n44d88612fea8a8f36de82e1278abb02f # eicar\n", kind: "text/plain", etag: `"1"`}
	c := Config{Name: "abuse", Kind: "list", URL: serve(t, p.ServeHTTP), Label: "tlp:green", Confidence: 60, Expire: "30d", Gone: "revoke", Source: "Abuse Watch"}
	w := newWorld(t, "", c)

	r := w.run("abuse")
	if r.Result != Done || r.Counts.Read != 4 || r.Counts.Added != 5 || len(r.Problems) != 0 {
		t.Fatalf("the first run: %+v", r)
	}
	got := w.indicators()
	for _, part := range []string{`"[ipv4-addr:value = '192.0.2.1']"`, `"[url:value = 'http://evil.example/a']"`, `"[domain-name:value = 'evil.example']"`,
		`"[file:hashes.MD5 = '44d88612fea8a8f36de82e1278abb02f']"`} {
		if count(got, part) != 1 {
			t.Errorf("%s stands %d times in %s", part, count(got, part), got)
		}
	}
	for _, part := range []string{`"confidence":60`, `"valid_until":"2026-12-20T12:00:00.000Z"`, `"created_by_ref":"identity--`, `"marking-definition--bab4a63c`} {
		if count(got, part) != 4 {
			t.Errorf("%s stands %d times in %s", part, count(got, part), got)
		}
	}
	if id := w.objects(own, store.Query{Types: []string{"identity"}}); count(id, `"name":"Abuse Watch"`) != 1 || len(id) != 1 {
		t.Errorf("the identity: %s", id)
	}
	if r = w.run("abuse"); r.Result != Unchanged || p.full != 1 || p.hits != 2 {
		t.Errorf("the same list again: %+v, fetched %d times", r, p.full)
	}

	p.body, p.etag = "192.0.2.1\nevil.example\nevil.example\nnew.example\nnonsense\n", `"2"`
	r = w.run("abuse")
	if c := r.Counts; r.Result != Done || c.Read != 4 || c.Added != 3 || c.Gone != 2 || c.Present != 2 || c.Dropped != 2 {
		t.Errorf("the changed list: %+v", r)
	}
	if got = w.indicators(); count(got, `"revoked":true`) != 2 || len(got) != 5 {
		t.Errorf("after two left: %s", got)
	}

	// A revocation is final: what comes back is another object.
	p.body, p.etag = "192.0.2.1\nevil.example\nnew.example\nhttp://evil.example/a", `"3"`
	if r = w.run("abuse"); r.Counts.Added != 1 || r.Counts.Held+r.Counts.Refused+r.Counts.Different != 0 {
		t.Errorf("what came back: %+v", r)
	}
	if got = w.indicators(); len(got) != 6 || count(got, "evil.example/a") != 2 {
		t.Errorf("after one came back: %s", got)
	}

	// After half of their time entries are prolonged, although the list says that it is the same.
	w.now = w.now.AddDate(0, 0, 16)
	if r = w.run("abuse"); r.Counts.Updated != 4 || r.Counts.Added != 4 {
		t.Errorf("after sixteen days: %+v", r)
	}
	if got = w.indicators(); count(got, `"valid_until":"2027-01-05`) != 4 {
		t.Errorf("after sixteen days: %s", got)
	}
	for _, o := range w.objects(own, store.Query{Versions: store.Versions{All: true}}) {
		if strings.Contains(o, "new.example") && strings.Count(o, "2026-11-20T12:02:00.000Z") < 1 {
			t.Errorf("a later version changed its creation: %s", o)
		}
	}
}

// What is odd about a source and can be tolerated is told; another configuration reads it anew.
func TestOddities(t *testing.T) {
	p := &page{body: "192.0.2.1\n" + strings.Repeat("x", maxLine+5) + "\n0.0.0.0 ads.example\n; comment\n// too\n", kind: "text/plain", etag: `"1"`}
	c := Config{Name: "x", Kind: "list", URL: serve(t, p.ServeHTTP), Label: "tlp:green"}
	w := newWorld(t, "", c)
	if r := w.run("x"); r.Counts.Read != 2 || r.Counts.Dropped != 1 || r.Problems[0].Code != "line.long" || len(r.Problems[0].Examples[0]) > maxExample+5 {
		t.Errorf("%+v", r)
	}
	p.kind, p.etag, p.body = "application/json", `"2"`, "192.0.2.1\nads.example\n192.0.2.3\n"
	if r := w.run("x"); len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "from text/plain to application/json") || r.Counts.Added != 1 {
		t.Errorf("%+v", r)
	}
	c.Label = "tlp:amber"
	w.configure(c)
	if r := w.run("x"); r.Counts.Updated != 3 || r.Counts.Added != 4 || p.full != 3 {
		t.Errorf("under another label: %+v, read %d times", r, p.full)
	}
	if n := count(w.objects(ally, store.Query{}), "marking-definition--55d920b0"); n != 0 {
		t.Errorf("an ally has %d versions under the stricter label", n)
	}
	dry, err := w.f.Ask(t.Context(), own, "x", true)
	if err != nil || dry.Result == Failed {
		t.Errorf("%+v %v", dry, err)
	}
	if v, err := w.f.Show(t.Context(), "x"); err != nil || len(v.Runs) != 3 {
		t.Errorf("a dry run is remembered: %+v %v", v, err)
	}
	if _, err := w.f.Ask(t.Context(), own, "none", false); err == nil {
		t.Error("there is no such feed")
	}
}

// What was purged stays away, although its source still has it.
func TestPurgedStaysAway(t *testing.T) {
	p := &page{body: "192.0.2.1\nevil.example\nnonsense\n"}
	s := &strange{limit: 10}
	s.grow(5)
	s.objects[2] = strings.Replace(s.objects[2], `"name":"n2"`, `"name":2`, 1) // refused, so that the report names it
	w := newWorld(t, "", Config{Name: "list", Kind: "list", URL: serve(t, p.ServeHTTP), Label: "tlp:green"},
		Config{Name: "poll", Kind: "taxii", URL: serve(t, s.ServeHTTP) + "/taxii2/", Remote: "c", Label: "tlp:green", Window: "1h"})
	w.run("list")
	w.run("poll")
	var ids []string
	for _, o := range append(w.indicators(), s.objects...) {
		p, err := stix.Parse([]byte(o))
		must(t, err)
		ids = append(ids, p.ID())
		if _, err := w.x.Purge(t.Context(), own, p.ID(), false); err != nil && fault.Of(err) != fault.NotFound {
			t.Fatal(err)
		}
	}
	p.body += "new.example\n"
	s.grow(1)
	if r := w.run("list"); r.Counts.Added != 1 {
		t.Errorf("%+v", r.Counts)
	}
	if r := w.run("poll"); r.Counts.Added != 1 {
		t.Errorf("%+v", r.Counts)
	}
	for _, id := range ids {
		if len(w.objects(own, store.Query{IDs: []string{id}})) != 0 {
			t.Errorf("%s is here again", id)
		}
	}
}
