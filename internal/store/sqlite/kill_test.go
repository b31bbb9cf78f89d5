//go:build unix

package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/lite"
	"entente/internal/store"
	"entente/internal/testnode"
	"entente/label"
)

// helperDir makes the test binary append to the store in that directory until it is killed.
const helperDir = "ENTENTE_KILL_DIR"

// killHelper appends with several callers and prints the numbers of the records of each acknowledged batch.
func killHelper(dir string) int {
	s, err := Open(context.Background(), Config{Dir: dir, freezeAt: 2000, slice: 500, walHard: 4 << 20})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	first, _ := strconv.Atoi(os.Getenv("ENTENTE_KILL_FIRST"))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for n := first + w*1_000_000; ; n += 20 {
				puts := make([]store.Put, 20)
				for i := range puts {
					puts[i].Record = indicator(n+i, "cert", label.Clear, 900)
				}
				status := fmt.Sprint(n)
				_, err := s.Append(context.Background(), own(), store.Batch{Puts: puts, Collection: "c", Then: func([]store.Outcome) []store.Doc {
					return []store.Doc{{Kind: "status", Key: status, Value: []byte("complete")}}
				}})
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				os.Stdout.WriteString(status + "\n")
			}
		})
	}
	wg.Wait()
	return 0
}

// TestKill kills a process with SIGKILL while it appends. Whatever it acknowledged is there afterwards, in whole batches with their
// documents, and the file is sound. ENTENTE_KILL_ROUNDS sets the number of rounds.
func TestKill(t *testing.T) {
	rounds := 5
	if v, err := strconv.Atoi(os.Getenv("ENTENTE_KILL_ROUNDS")); err == nil {
		rounds = v
	}
	dir := t.TempDir()
	var acked []int
	for round := range rounds {
		cmd := osexec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), helperDir+"="+dir, fmt.Sprintf("ENTENTE_KILL_FIRST=%d", round*10_000_000))
		lines, err := testnode.Killed(cmd, t.TempDir(), time.Duration(100+rand.IntN(400))*time.Millisecond, round == 0)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for _, line := range lines {
			if n, err := strconv.Atoi(line); err == nil {
				acked = append(acked, n)
			}
		}
		checkKilled(t, dir, acked)
	}
	if len(acked) == 0 {
		t.Fatal("nothing was acknowledged before the kills")
	}
	t.Logf("%d batches acknowledged over %d kills", len(acked), rounds)
}

func checkKilled(t *testing.T, dir string, acked []int) {
	t.Helper()
	s := openTemp(t, dir)
	defer s.Close() // the next process needs it
	for _, n := range acked {
		if _, err := s.Doc(context.Background(), "status", fmt.Sprint(n)); err != nil {
			t.Fatalf("the status of batch %d is lost: %v", n, err)
		}
		var ids []string
		for i := range 20 {
			ids = append(ids, indicator(n+i, "cert", label.Clear, 10).ID)
		}
		p, err := s.Page(context.Background(), own(), store.Query{Collection: "c", IDs: ids, Headers: true})
		if err != nil || len(p.Items) != 20 {
			t.Fatalf("of acknowledged batch %d there are %d records: %v", n, len(p.Items), err)
		}
	}
	docs, records := 0, int64(0)
	for after := ""; ; {
		ds, err := s.Docs(context.Background(), "status", after, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(ds) == 0 {
			break
		}
		docs, after = docs+len(ds), ds[len(ds)-1].Key
	}
	st, err := s.Stats(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if records = st.Collections["c"]; records != int64(20*docs) {
		t.Fatalf("%d records with %d statuses of 20", records, docs)
	}
	checkSound(t, s)
}

// checkSound asks SQLite whether the file is whole.
func checkSound(t *testing.T, s *Store) {
	t.Helper()
	err := s.do(context.Background(), &job{run: func(t *tx) error { return nil }, then: func(w *writer) error {
		return lite.Exec(w.c, "PRAGMA integrity_check", func(st *zs.Stmt) error {
			if st.ColumnText(0) != "ok" {
				return fmt.Errorf("integrity: %s", st.ColumnText(0))
			}
			return nil
		})
	}})
	if err != nil {
		t.Fatal(err)
	}
}
