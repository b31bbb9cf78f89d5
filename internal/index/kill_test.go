package index

import (
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/sample"
	"entente/internal/store"
	"entente/label"
)

// fixed is a journal that is the same in every process.
type fixed []store.Entry

func (f fixed) Follow(_ context.Context, after record.Seq, limit int) ([]store.Entry, error) {
	i, _ := slices.BinarySearchFunc(f, after+1, func(e store.Entry, s record.Seq) int { return int(e.Seq - s) })
	return f[i:min(len(f), i+limit)], nil
}

func newFixed(n int) (f fixed) {
	src := sample.New(7)
	objects := slices.Clone(src.Head())
	for len(objects) < n {
		objects = append(objects, src.Mixed())
	}
	for i, o := range objects {
		seq := record.Seq(1_700_000_000_000_000 + 1000*i)
		f = append(f, store.Entry{Seq: seq, Rec: seq, Kind: store.EntryPut, Record: &record.Record{ID: o.ID, Kind: record.STIX, Type: o.Type, Spec: "2.1",
			Version: "2026", Order: "2026", Label: label.For(o.TLP), Body: o.Raw, Origin: record.Origin{Nation: "UTO", Org: "Utopia CERT", Via: "import"}}})
		if i%50 == 49 { // some go again
			f = append(f, store.Entry{Seq: seq + 1, Rec: seq - 5000, Kind: store.EntryRemove})
			f[len(f)-7].Record = nil
		}
	}
	return f
}

const killDir = "ENTENTE_INDEX_KILL_DIR"

func openFixed(dir string, f Source) (*Index, error) {
	return Open(context.Background(), Config{Dir: dir, Nation: "UTO", Org: "Utopia CERT", Batch: 97}, f)
}

// answers is what an index over a fixed journal says.
func answers(t *testing.T, x *Index, f fixed) (all string) {
	t.Helper()
	ctx := context.Background()
	if err := x.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	g := gate.New(gate.Rules{Nation: "UTO", Org: "Utopia CERT", Realm: "operational"})
	scope := g.Scope(us, time.Now())
	for _, q := range []string{"", "credential", "se*", "type:file", "value:10.0.0.0/8", `"access"`, "CVE-2024-1*"} {
		res, err := x.Search(ctx, scope, Query{Text: q, Limit: 1000, Facets: true})
		if err != nil {
			t.Fatal(err)
		}
		all += fmt.Sprintln(q, res.Total, res.Types, res.TLPs, res.Hits)
	}
	words, err := x.Suggest(ctx, scope, "se", 20)
	all += fmt.Sprintln(words, err)
	for _, e := range f[:40] {
		n, err := x.Neighbours(ctx, scope, e.Record.ID, NeighbourQuery{})
		all += fmt.Sprintln(n, err)
	}
	return all
}

// TestKilledWhileIndexing kills a process that indexes, again and again, and wants the same answers as of an index that was never
// disturbed.
func TestKilledWhileIndexing(t *testing.T) {
	f := newFixed(3000)
	if dir := os.Getenv(killDir); dir != "" {
		x, err := openFixed(dir, f)
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Sync(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // until it is killed
	}
	dir := filepath.Join(t.TempDir(), "index")
	for i := range 6 {
		child := osexec.Command(os.Args[0], "-test.run=^TestKilledWhileIndexing$")
		child.Env = append(os.Environ(), killDir+"="+dir)
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(150+60*i) * time.Millisecond)
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := child.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
	}
	killed, err := openFixed(dir, f)
	if err != nil {
		t.Fatal(err)
	}
	defer killed.Close()
	fresh, err := openFixed(t.TempDir(), f)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	want := answers(t, fresh, f)
	if got := answers(t, killed, f); got != want {
		t.Errorf("killed:\n%s\nundisturbed:\n%s", got, want)
	}
	if err := killed.Rebuild(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := answers(t, killed, f); got != want {
		t.Error("made anew, it answers in another way")
	}
}

// TestDamagedIsMadeAnew opens an index whose file is damaged, and one of another journal.
func TestDamagedIsMadeAnew(t *testing.T) {
	f := newFixed(300)
	dir := t.TempDir()
	x, err := openFixed(dir, f)
	if err != nil {
		t.Fatal(err)
	}
	want := answers(t, x, f)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, fileName), []byte("this is no database, and was one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if x, err = openFixed(dir, f); err != nil {
		t.Fatal(err)
	}
	if got := answers(t, x, f); got != want {
		t.Error("made anew after damage, it answers in another way")
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	shorter := newFixed(200)[:150] // a backup was restored
	if x, err = openFixed(dir, shorter); err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := x.Sync(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := x.Lag().Records; n == 0 || n > 150 {
		t.Errorf("%d records of a journal of 150 entries", n)
	}
}
