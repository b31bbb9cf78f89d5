package watch

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"entente/internal/event"
	"entente/internal/shareddata"
	"entente/internal/sigmatest"
	"entente/sigma"
)

// flatten gives the flat form of an event of winlogbeat, old or new.
func flatten(m map[string]any) map[string]any {
	out := map[string]any{}
	put := func(v any) {
		if in, ok := v.(map[string]any); ok {
			for k, v := range in {
				out[k] = v
			}
		}
	}
	w, _ := m["winlog"].(map[string]any)
	first := func(name string, vs ...any) {
		for _, v := range vs {
			if v != nil {
				out[name] = v
				return
			}
		}
	}
	put(m["event_data"])
	put(m["user_data"])
	put(w["event_data"])
	put(w["user_data"])
	first("EventID", m["event_id"], w["event_id"])
	first("Channel", m["log_name"], w["channel"])
	first("Provider_Name", m["source_name"], w["provider_name"])
	first("Computer", m["computer_name"], w["computer_name"])
	first("Level", m["level"], w["level"])
	first("@timestamp", m["@timestamp"])
	first("Message", m["message"])
	return out
}

// The same events in another form have the same hits.
func TestFormsOfWindowsEvents(t *testing.T) {
	all := &sigma.Collection{}
	for _, f := range sigmatest.Corpus(t) {
		c, err := sigma.Parse(f.Name, f.Text)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range c.Rules {
			if r.Logsource.Product == "windows" {
				all.Rules = append(all.Rules, r)
			}
		}
	}
	set, err := New(Compile(all), nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(shareddata.Dir(t, "telemetry", "windows-mordor-winlogbeat.ndjson.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	w := set.Watcher()
	var ev event.Event
	look := func(line []byte) (ids []string) {
		if err := set.Plan().Scan(line, &ev); err != nil {
			t.Fatal(err)
		}
		for _, x := range w.Look(&ev) {
			ids = append(ids, x.Rule.ID)
		}
		slices.Sort(ids)
		return ids
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	hits, events := 0, 0
	for ; lines.Scan(); events++ {
		var m map[string]any
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		flat := flatten(m)
		b, err := json.Marshal(flat)
		if err != nil {
			t.Fatal(err)
		}
		got := slices.Clone(look(lines.Bytes()))
		want := slices.Clone(look(b))
		hits += len(want)
		if !slices.Equal(got, want) {
			t.Fatalf("event %d: %v, in the flat form %v\n%.600s", events, got, want, lines.Bytes())
		}
		nx := map[string]any{}
		for k, v := range flat {
			nx[map[string]string{"Provider_Name": "SourceName", "Computer": "Hostname"}[k]+map[bool]string{true: "", false: k}[k == "Provider_Name" || k == "Computer"]] = v
		}
		b, err = json.Marshal(nx)
		if err != nil {
			t.Fatal(err)
		}
		if got := look(b); !slices.Equal(got, want) {
			t.Fatalf("event %d: %v in nxlog's form, %v in the flat one", events, got, want)
		}
	}
	if events < 4000 || hits < 20 {
		t.Errorf("%d hits in %d events", hits, events)
	}
	t.Log(fmt.Sprint(hits, " hits in ", events, " events"))
}
