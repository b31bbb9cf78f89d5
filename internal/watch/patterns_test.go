package watch

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"entente/internal/event"
	"entente/internal/observation"
)

// watched gives what is found in lines one after the other: the source of each pattern, with the events and the fields.
func watched(t *testing.T, set *Set, now time.Time, lines ...string) (out []string) {
	t.Helper()
	w, s := set.Watcher(), set.Stream()
	w.Now = now
	var ev event.Event
	told := func(f *Finding) {
		text := f.Pattern.Meta.Source
		if f.Events != nil {
			text += fmt.Sprint(" ", f.Events)
		}
		for _, x := range f.Fields {
			text += " " + x.Name + "=" + string(x.Value)
		}
		out = append(out, text)
	}
	for i, line := range lines {
		if err := set.Plan().Scan([]byte(line), &ev); err != nil {
			t.Fatal(err)
		}
		ev.Index = uint64(i)
		for _, f := range w.Look(&ev) {
			switch {
			case f.Parts != nil:
				s.Take(f.Parts, told)
			case f.Pattern != nil:
				told(&f)
			}
		}
	}
	return out
}

func indicators(patterns ...string) string {
	var list []string
	for i, p := range patterns {
		text, _ := json.Marshal(p)
		list = append(list, fmt.Sprintf(`{"type":"indicator","spec_version":"2.1","id":"indicator--%08d-1111-4111-8111-111111111111","created":"2025-01-01T00:00:00.000Z","modified":"2025-01-01T00:00:00.000Z",`+
			`"pattern_type":"stix","valid_from":"2025-01-01T00:00:00Z","valid_until":"2027-01-01T00:00:00Z","pattern":%s}`, i, text))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// Patterns of one event and of several are found in events of different producers.
func TestPatterns(t *testing.T) {
	x := NewIndicators()
	if err := x.Read("p.json", strings.NewReader(indicators(
		`[domain-name:value = 'Bad.example'] FOLLOWEDBY [process:command_line LIKE '%whoami%'] WITHIN 300 SECONDS`,
		`[network-traffic:dst_ref.value = '192.0.2.7' AND network-traffic:dst_port = 4444]`,
		`([domain-name:value = 'bad.example'] FOLLOWEDBY [process:command_line LIKE '%whoami%']) WITHIN 300 SECONDS`,
		`[ipv4-addr:value = '192.0.2.7'] REPEATS 2 TIMES`,
		`[file:name MATCHES '(?=x)y']`, // a pattern as good as another
		`[file:name MATCHES '(']`,
	))); err != nil {
		t.Fatal(err)
	}
	if x.Values() != 0 || x.Len() != 5 || len(x.Left) != 1 || x.Left[0].Code != observation.LeftUnsupported {
		t.Fatalf("%d values, %d in all, %+v", x.Values(), x.Len(), x.Left)
	}
	set, err := New(nil, nil, x.Patterns(observation.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{
		`{"@timestamp":"2026-01-05T10:00:00Z","query":"BAD.example."}`,
		`{"@timestamp":"2026-01-05T10:04:00Z","Image":"C:\\cmd.exe","CommandLine":"cmd /c whoami"}`,
		`{"@timestamp":"2026-01-05T10:05:00Z","dest_ip":"192.0.2.7","dest_port":4444,"src_ip":"10.0.0.1"}`,
		`{"@timestamp":"2026-01-05T10:10:00Z","dest_ip":"192.0.2.7","dest_port":4445}`,
		`{"@timestamp":"2026-01-05T10:11:00Z","CommandLine":"whoami"}`,
		`{"CommandLine":"whoami"}`,
	}
	want := []string{
		"indicator--00000000 [0 1] query=BAD.example. CommandLine=cmd /c whoami",
		"indicator--00000002 [0 1] query=BAD.example. CommandLine=cmd /c whoami",
		"indicator--00000001 dest_ip=192.0.2.7 dest_port=4444",
		"indicator--00000003 [2 3] dest_ip=192.0.2.7",
	}
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	got := watched(t, set, now, lines...)
	for i := range got {
		got[i] = strings.ReplaceAll(got[i], "-1111-4111-8111-111111111111", "")
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := watched(t, set, now.AddDate(5, 0, 0), lines...); got != nil {
		t.Errorf("expired: %q", got)
	}
}
