//go:build unix

package feed

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	osexec "os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"entente/internal/store"
)

// The test binary runs feeds over the store in killDir until it is killed; killURL is where they lead.
const (
	killDir = "ENTENTE_FEED_KILL_DIR"
	killURL = "ENTENTE_FEED_KILL_URL"
)

func killed(url string) []Config {
	return []Config{
		{Name: "list", Kind: "list", URL: url + "/list", Label: "tlp:green", Schedule: "manual", Gone: "revoke"},
		{Name: "poll", Kind: "taxii", URL: url + "/taxii2/", Remote: "c", Label: "tlp:green", Schedule: "manual"},
	}
}

// TestRunUntilKilled is what the process does that TestKill kills.
func TestRunUntilKilled(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		t.Skip("only in a process that is to be killed")
	}
	w := newWorld(t, dir, killed(os.Getenv(killURL))...)
	fmt.Println("running")
	w.run("list")
	w.run("poll")
	fmt.Println("through")
	time.Sleep(time.Minute)
}

// TestKill kills a process at chance moments while its feeds run. Whatever the state says was taken is here, and when the feeds have come to their end,
// everything is here once. ENTENTE_KILL_ROUNDS sets the number of rounds.
func TestKill(t *testing.T) {
	const values = 20_000
	rounds := 8
	if v, err := strconv.Atoi(os.Getenv("ENTENTE_KILL_ROUNDS")); err == nil {
		rounds = min(v, 50)
	}
	s := &strange{limit: 500}
	s.grow(20_000)
	// Dates of a second's distance: the window before the last one holds few.
	for i := range s.dates {
		s.dates[i] = time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC)
	}
	var list strings.Builder
	for i := range values {
		fmt.Fprintf(&list, "host-%d.example\n", i)
	}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/list" {
			w.Write([]byte(list.String()))
			return
		}
		s.ServeHTTP(w, r)
	})
	dir := t.TempDir()
	kills, between := 0, 0
	for range rounds {
		cmd := osexec.Command(os.Args[0], "-test.run=^TestRunUntilKilled$")
		cmd.Env = append(os.Environ(), killDir+"="+dir, killURL+"="+url)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		said := make([]byte, 4096)
		n, _ := out.Read(said)
		time.Sleep(time.Duration(rand.IntN(1200)) * time.Millisecond)
		must(t, cmd.Process.Kill())
		kills++
		_ = cmd.Wait()
		if !strings.Contains(string(said[:n]), "running") {
			t.Logf("killed before it ran: %q", said[:n])
		}
		if checkAgreement(t, dir, url, s) {
			between++
		}
	}
	w := newWorld(t, dir, killed(url)...)
	w.now = w.now.Add(time.Hour)
	for _, name := range []string{"list", "poll"} {
		if r := w.run(name); r.Result == Failed {
			t.Fatalf("%s: %+v", name, r.Error)
		}
	}
	all := w.objects(own, store.Query{Versions: store.Versions{All: true}})
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != values+20_000+1 || count(all, `"type":"indicator"`) != values || count(all, `"revoked"`) != 0 {
		t.Errorf("%d versions of objects are here, %d indicators", n, count(all, `"type":"indicator"`))
	}
	t.Logf("%d kills, %d of them in the middle", kills, between)
}

// checkAgreement looks whether what feeds remember and what is stored agree, and tells whether they were in the middle of it.
func checkAgreement(t *testing.T, dir, url string, s *strange) bool {
	t.Helper()
	var state State
	items, stored, polled := 0, 0, 0
	func() {
		w := newWorld(t, dir, killed(url)...)
		defer w.st.Close()
		defer w.x.Close()
		d, err := w.st.Doc(context.Background(), docState, "poll")
		if err == nil {
			must(t, json.Unmarshal(d.Value, &state))
		}
		for after := ""; ; {
			docs, err := w.st.Docs(context.Background(), docItems, after, 100)
			must(t, err)
			if len(docs) == 0 {
				break
			}
			for _, d := range docs {
				items, after = items+len(decodeItems(d.Value)), d.Key
			}
		}
		all := w.objects(own, store.Query{Versions: store.Versions{All: true}})
		stored, polled = count(all, `"type":"indicator"`), count(all, `"name":"n`)
	}()
	if items != stored {
		t.Fatalf("%d entries are remembered and %d indicators are here", items, stored)
	}
	upTo := 0
	for upTo < len(s.dates) && !s.dates[upTo].After(state.Checkpoint.Last) {
		upTo++
	}
	if upTo != polled {
		t.Fatalf("the checkpoint speaks of %d objects and %d are here", upTo, polled)
	}
	return items > 0 && items < 20_000 || polled > 0 && polled < 20_000
}
