package feed

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"entente/internal/lists"
	"entente/internal/shareddata"
)

type listed map[string]string

func (l listed) Known(v string) string { return l[v] }

// Values on warning lists are counted in what is new, or keep the object in quarantine, as the feed says.
func TestWarninglists(t *testing.T) {
	for want, counts := range map[string]Counts{
		"note":   {Read: 3, Added: 4, Listed: 1},
		"":       {Read: 3, Added: 4, Listed: 1},
		"hold":   {Read: 3, Added: 3, Held: 1, Listed: 1},
		"ignore": {Read: 3, Added: 4},
	} {
		w := newWorld(t, "")
		write(t, filepath.Join(w.dir, "list.txt"), "198.51.100.1\n8.8.8.8\nevil.example\n")
		f, err := New(Options{Nation: "UTO", Org: "Utopia CERT", Realm: realm, Sources: allSources, Exchange: w.x, Docs: w.st, Base: w.dir, Spool: filepath.Join(w.dir, "tmp"), Now: w.clock,
			Lists: listed{"8.8.8.8": "Public DNS", "identity": "x"}, Feeds: []Config{{Name: "l", Kind: "list", File: "list.txt", Label: "tlp:green", Warninglists: want}}})
		must(t, err)
		w.f = f
		r := w.run("l")
		if r.Counts != counts {
			t.Errorf("%q: %+v", want, r.Counts)
		}
		if want == "hold" {
			held, err := w.x.Quarantine(t.Context(), own, 0, 10)
			must(t, err)
			if len(held) != 1 || held[0].Hold.Reasons[0].Code != "warninglist.hit" || !strings.Contains(string(held[0].Record.Body), "8.8.8.8") || held[0].Hold.Intended.TLP.String() != "TLP:GREEN" {
				t.Errorf("%+v", held)
			}
		}
		if r = w.run("l"); r.Counts.Listed != 0 {
			t.Errorf("%q, again: %+v", want, r.Counts)
		}
	}
	if err := Validate([]Config{{Name: "l", Kind: "list", File: "x", Warninglists: "perhaps"}}, allSources); err == nil {
		t.Error("a word that is none was taken")
	}
}

// cpu is the time that this process has spent on all cores: what an import takes whatever else the machine does.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkWarninglists takes 50,000 indicators as the feed of a list, without and with all published warning lists, in turns.
func BenchmarkWarninglists(b *testing.B) {
	l := lists.Load(lists.Config{Files: shareddata.Dir(b, "misp")}, "", time.Now(), nil)
	const values = 50_000
	var text strings.Builder
	for i := range values {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&text, "host-%d.evil.example\n", i)
		case 1:
			fmt.Fprintf(&text, "198.51.%d.%d\n", i>>8&255, i&255)
		case 2:
			fmt.Fprintf(&text, "http://evil.example/%d\n", i)
		default:
			fmt.Fprintf(&text, "%064x\n", i)
		}
	}
	spent := map[string]time.Duration{}
	for b.Loop() {
		for _, how := range []string{"ignore", "note"} {
			b.StopTimer()
			w := newWorld(b, b.TempDir())
			write(b, filepath.Join(w.dir, "list.txt"), text.String())
			f, err := New(Options{Nation: "UTO", Org: "Utopia CERT", Realm: realm, Sources: allSources, Exchange: w.x, Docs: w.st, Base: w.dir, Spool: filepath.Join(w.dir, "tmp"), Now: w.clock,
				Lists: l, Feeds: []Config{{Name: "l", Kind: "list", File: "list.txt", Label: "tlp:green", Warninglists: how}}})
			must(b, err)
			w.f = f
			runtime.GC()
			b.StartTimer()
			before := cpu()
			if r := w.run("l"); r.Result != Done {
				b.Fatalf("%+v", r)
			}
			spent[how] += cpu() - before
			b.StopTimer()
			w.x.Close()
			w.st.Close()
			b.StartTimer()
		}
	}
	for how, name := range map[string]string{"ignore": "cpu-µs/object-without", "note": "cpu-µs/object-with"} {
		b.ReportMetric(spent[how].Seconds()*1e6/float64(values*b.N), name)
	}
	b.ReportMetric(100*(spent["note"]-spent["ignore"]).Seconds()/spent["ignore"].Seconds(), "%-more")
}
