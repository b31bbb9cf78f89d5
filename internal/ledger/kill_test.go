package ledger

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/lite"
	"entente/internal/testnode"
	"entente/peer"
)

// killDir makes the test binary append to the ledger in that directory until it is killed.
const killDir = "ENTENTE_LEDGER_KILL_DIR"

type (
	conn   = zs.Conn
	traces = lite.Traces
)

func execute(c *conn, query string) error { return lite.Exec(c, query, nil) }

// killed appends and prints the size of the log after each acknowledged append.
func killed(dir string) int {
	l, err := Open(context.Background(), Config{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	g, err := l.OpenLog(context.Background(), toKWT)
	for n := g.Size; err == nil; n += 20 {
		entries := make([]Entry, 20)
		for i := range entries {
			entries[i] = put1(g.Origin, int(n)+i)
		}
		if _, err = l.Append(context.Background(), Cursor{"outflow", fmt.Append(nil, n+20)}, entries...); err == nil {
			os.Stdout.WriteString(fmt.Sprintln(n + 20))
		}
		if err == nil && n%200 == 0 {
			_, err = l.Purge(context.Background(), objectID(int(n)))
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// Whatever a killed process acknowledged is there, in whole appends with their cursor, and leads to the root.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	acked := uint64(0)
	for round := range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killDir+"="+dir)
		lines, err := testnode.Killed(cmd, t.TempDir(), time.Duration(200+rand.IntN(300))*time.Millisecond, round == 0)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for _, line := range lines {
			if n, err := strconv.ParseUint(line, 10, 64); err == nil {
				acked = max(acked, n)
			}
		}
		l := openAt(t, Config{Dir: dir})
		g := ownLog(t, l)
		cursor, err := l.Cursor(t.Context(), "outflow")
		if err != nil || g.Size < acked || g.Size%20 != 0 || g.Size > 0 && string(cursor) != fmt.Sprint(g.Size) {
			t.Fatalf("%d leaves, %d acknowledged, cursor %s, %v", g.Size, acked, cursor, err)
		}
		sign(t, l, g.Origin)
		v := &peer.Verifier{Origin: g.Origin}
		for v.Size() < g.Size {
			last, _ := v.Last()
			b, err := l.Frames(t.Context(), g.Origin, peer.Pull{From: v.Size(), Known: last.Size})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.Extend(b, notary.Key()); err != nil {
				t.Fatal(err)
			}
		}
		l.Close()
	}
	if acked == 0 {
		t.Fatal("nothing was acknowledged before the kills")
	}
	t.Logf("%d leaves acknowledged over 5 kills", acked)
}
