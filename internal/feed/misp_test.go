package feed

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"entente/internal/shareddata"
	"entente/internal/store"
)

// A feed as MISP publishes it: every event is taken once, and again when it has changed.
func TestMISPFeed(t *testing.T) {
	dir := shareddata.Dir(t, "misp", "feed-sample")
	files := map[string][]byte{} // by name, unpacked
	names, err := filepath.Glob(filepath.Join(dir, "*.json*"))
	must(t, err)
	for _, n := range names {
		f, err := os.Open(n)
		must(t, err)
		d, err := spool(t.TempDir(), f, 1<<30)
		must(t, err)
		b := make([]byte, d.Size)
		_, err = d.ReadAt(b, 0)
		must(t, err)
		d.Close()
		f.Close()
		files[strings.TrimSuffix(filepath.Base(n), ".gz")] = b
	}
	var all map[string]json.RawMessage
	must(t, json.Unmarshal(files["manifest.json"], &all))
	served := 0
	for id := range all {
		if _, ok := files[id+".json"]; ok {
			served++
		}
	}
	fetched := map[string]int{}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		b, ok := files[name]
		if !ok {
			w.WriteHeader(404)
			return
		}
		fetched[name]++
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(gzipped(b))
	})
	c := Config{Name: "osint", Kind: "misp", URL: url + "/feed/", Label: "tlp:green"}
	w := newWorld(t, "", c)
	r := w.run("osint")
	missing := int64(len(all) - served)
	for _, p := range r.Problems {
		t.Logf("%s %s %d %s %v", p.State, p.Code, p.Count, p.Message, p.Examples[0])
		if p.State == "dropped" && p.Code != "feed.missing" && p.Code != "misp.integrity" && p.Code != "misp.event" {
			t.Errorf("%+v", p)
		}
	}
	if r.Result != Done || r.Counts.Added < 1000 || served < 20 || r.Counts.Dropped < missing {
		t.Fatalf("%+v %+v", r.Counts, r.Error)
	}
	t.Logf("%d events, %+v", served, r.Counts)
	if n := count(w.objects(own, store.Query{Types: []string{"report", "grouping"}}), "{"); n < served/2 {
		t.Errorf("%d reports of %d events", n, served)
	}
	if r = w.run("osint"); r.Counts.Added+r.Counts.Held+r.Counts.Different != 0 {
		t.Errorf("again: %+v", r.Counts)
	}

	// One event changes.
	var id string
	for name := range fetched {
		if fetched[name] == 1 && name != "manifest.json" && len(files[name]) < 50_000 {
			id = strings.TrimSuffix(name, ".json")
		}
	}
	var entry map[string]any
	must(t, json.Unmarshal(all[id], &entry))
	entry["timestamp"] = "1999999999"
	files[id+".json"] = []byte(strings.Replace(string(files[id+".json"]), `"info"`, ` "info"`, 1))
	sum := sha256.Sum256(files[id+".json"])
	if _, ok := entry["integrity:sha256"]; ok {
		entry["integrity:sha256"] = hex.EncodeToString(sum[:])
	}
	all[id], err = json.Marshal(entry)
	must(t, err)
	files["manifest.json"], err = json.Marshal(all)
	must(t, err)
	clear(fetched)
	if r = w.run("osint"); r.Result == Failed || fetched[id+".json"] != 1 {
		t.Errorf("the changed event: %+v %+v, fetched %v", r.Counts, r.Error, fetched)
	}
}

// The distribution of an event and its tags only ever restrict; a file that is not what the manifest says is not taken.
func TestMISPLabels(t *testing.T) {
	event := func(id, distribution, tags string) string {
		return `{"Event":{"uuid":"` + id + `","info":"x","date":"2026-01-01","timestamp":"1767225600","published":true,"distribution":"` + distribution + `","Tag":[` + tags + `],` +
			`"Orgc":{"name":"Arcadia","uuid":"55f6ea5e-2c60-40e5-964f-47a8950d210f"},"Attribute":[{"uuid":"` + strings.Replace(id, "0000", "aaaa", 1) + `","type":"domain","category":"Network activity","to_ids":true,"timestamp":"1767225600","value":"evil.example","distribution":"5"}]}}`
	}
	ids := []string{"00000000-1111-4000-8000-000000000000", "00000000-1111-4000-8000-000000000001", "00000000-1111-4000-8000-000000000002", "00000000-1111-4000-8000-000000000003"}
	files := map[string]string{
		ids[0] + ".json": event(ids[0], "3", ""),
		ids[1] + ".json": event(ids[1], "0", ""),
		ids[2] + ".json": event(ids[2], "3", `{"name":"tlp:red"}`),
		ids[3] + ".json": "{",
	}
	entries := map[string]any{}
	for _, id := range ids {
		entries[id] = map[string]any{"info": "x", "timestamp": "1767225600", "date": "2026-01-01"}
	}
	b, err := json.Marshal(entries)
	must(t, err)
	dir := t.TempDir()
	write(t, dir+"/manifest.json", string(b))
	for name, text := range files {
		write(t, dir+"/"+name, text)
	}
	for distribution, want := range map[string]int{"event": 1, "feed": 2} {
		w := newWorld(t, "", Config{Name: "m", Kind: "misp", File: dir, Label: "tlp:green", Distribution: distribution})
		if r := w.run("m"); r.Result != Done || r.Counts.Dropped != 1 || r.Counts.Refused+r.Counts.Held != 0 {
			t.Fatalf("%+v %+v", r, r.Error)
		}
		if got := w.objects(ally, store.Query{Types: []string{"indicator"}}); len(got) != want {
			t.Errorf("%s: an ally has %d indicators", distribution, len(got))
		}
		if got := w.indicators(); len(got) != 3 {
			t.Errorf("%d indicators are here", len(got))
		}
	}
}
