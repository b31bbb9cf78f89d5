package faulttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	zs "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"entente/internal/sample"
	"entente/internal/testnode"
)

// largePost is from how many objects on a post is acknowledged before it is stored, on the nodes of this test.
const largePost = 200

const killConfig = `
[limits]
post_objects = 200
` + roomsConfig

// fate is what a writer knows of an object that it sent.
type fate uint8

const (
	inDoubt  fate = iota // no answer came: stored or not
	promised             // the node answered that it is durable
	doubtful             // promised once, then a removal without an answer
	removed              // the node answered that it is gone
)

// postMade is one post of a writer.
type postMade struct {
	ids   []string
	id    string // of the status; empty when no answer came
	final testnode.Status
	large bool
}

// ledger is what the writers were told. It lives as long as the test, as the node's data do.
type ledger struct {
	mu      sync.Mutex
	fates   map[string]fate
	bodies  map[string][]byte // of some of them
	posts   []*postMade       // of the running round
	unsure  []*postMade       // of all rounds: no answer came
	kept    int
	removed int
}

// TestNothingAcknowledgedIsLostByAKill kills the program at random moments while writers post and remove, and holds what it then
// serves to what they were told. ENTENTE_KILL_ROUNDS says how often.
func TestNothingAcknowledgedIsLostByAKill(t *testing.T) {
	rounds := 10
	switch text := os.Getenv("ENTENTE_KILL_ROUNDS"); {
	case text != "":
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("ENTENTE_KILL_ROUNDS is %q, not a number of rounds", text)
		}
		rounds = n
	case testing.Short():
		rounds = 2
	case os.Getenv("CI") != "":
		rounds = 50
	}
	for done := 0; done < rounds; done += lifetime {
		if !t.Run(fmt.Sprintf("from %d", done), func(t *testing.T) { lifeAndDeaths(t, min(lifetime, rounds-done)) }) {
			return
		}
	}
}

// lifetime is how many kills one data directory lives through.
const lifetime = 50

func lifeAndDeaths(t *testing.T, rounds int) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("%d rounds with seed %d", rounds, seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	n := served(t, killConfig)
	house := openRooms(t, n)
	book := &ledger{fates: map[string]fate{}, bodies: map[string][]byte{}}
	for round := range rounds {
		next := firstOfTwoPages(t, n)
		ctx, stop := context.WithCancel(t.Context())
		var writers sync.WaitGroup
		var wrong atomic.Pointer[error]
		for w := range 3 {
			writers.Go(func() {
				if err := book.write(ctx, n, rand.New(rand.NewPCG(seed, uint64(round*10+w)))); err != nil {
					wrong.Store(&err)
				}
			})
		}
		writers.Go(func() {
			if err := house.use(ctx, rand.New(rand.NewPCG(seed, uint64(round*10+7))), nil); err != nil {
				wrong.Store(&err)
			}
		})
		time.Sleep(time.Duration(100+rnd.IntN(900)) * time.Millisecond)
		for end := time.Now().Add(2 * time.Minute); round == rounds-1 && !(book.tried() && house.everywhere()) && time.Now().Before(end); { // on a machine that is busy with much else
			time.Sleep(50 * time.Millisecond)
		}
		n.Kill()
		stop()
		writers.Wait()
		if err := wrong.Load(); err != nil {
			t.Fatalf("round %d: %v", round, *err)
		}
		start(t, n)
		if err := book.check(t.Context(), n, rnd); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if err := house.check(t.Context(), rnd); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		secondOfTwoPages(t, n, next)
	}
	if err := book.allOrNone(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if book.kept == 0 || book.removed == 0 && rounds > 2 {
		t.Fatalf("nothing was tried: %d kept, %d removed", book.kept, book.removed)
	}
	tried, none := house.counted()
	if t.Log(tried); none && rounds > 5 {
		t.Error("not every room was tried")
	}
	if err := n.Stop(); err != nil {
		t.Fatalf("the node does not end well: %v", err)
	}
	if err := integrity(filepath.Join(n.Data, "store", "store.db")); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d objects kept, %d removed, %d posts without an answer", book.kept, book.removed, len(book.unsure))
}

// write posts and removes until the node is gone. An answer other than the promised ones is an error; none at all is not.
func (l *ledger) write(ctx context.Context, n *testnode.Node, rnd *rand.Rand) error {
	c := n.Client(testnode.Analyst)
	defer c.Close()
	src := sample.New(rnd.Uint64())
	var mine []string // that may be removed
	var refusal *testnode.Refusal
	for ctx.Err() == nil {
		time.Sleep(time.Duration(rnd.IntN(20)) * time.Millisecond) // so that the store does not outgrow the test
		if len(mine) > 0 && rnd.IntN(4) == 0 {
			id := mine[len(mine)-1]
			mine = mine[:len(mine)-1]
			l.set(doubtful, id)
			a, err := c.Do(ctx, http.MethodDelete, testnode.Objects+id+"/", nil, nil)
			if err != nil {
				return nil
			}
			if a.Status != http.StatusOK {
				return fmt.Errorf("removing %s: %d %s", id, a.Status, a.Body)
			}
			l.set(removed, id)
			continue
		}
		p := &postMade{}
		size := 1 + rnd.IntN(40)
		if p.large = rnd.IntN(8) == 0; p.large {
			size = largePost + 1 + rnd.IntN(largePost<<rnd.IntN(4)) // some are of several parts
		}
		var raws [][]byte
		for range size {
			o := src.File()
			p.ids, raws = append(p.ids, o.ID), append(raws, o.Raw)
		}
		l.open(p, raws[0])
		s, err := c.Post(ctx, testnode.Envelope(raws...))
		if errors.As(err, &refusal) {
			return fmt.Errorf("posting %d objects: %w", size, err)
		}
		if err != nil {
			return nil
		}
		if !p.large && (!s.Complete() || s.Success != size) || s.Failure > 0 || s.Total != size {
			return fmt.Errorf("a post of %d objects has the status %+v", size, s)
		}
		l.told(p, s)
		if !p.large {
			mine = append(mine, p.ids[0])
		}
	}
	return nil
}

// tried tells whether something was stored, and something removed.
func (l *ledger) tried() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	var some [removed + 1]bool
	for _, f := range l.fates {
		some[f] = true
	}
	return some[promised] && some[removed]
}

func (l *ledger) set(f fate, ids ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.fates[id] = f
	}
}

func (l *ledger) open(p *postMade, first []byte) {
	l.set(inDoubt, p.ids...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posts = append(l.posts, p)
	l.bodies[p.ids[0]] = first
}

func (l *ledger) told(p *postMade, s testnode.Status) {
	l.set(promised, p.ids...)
	l.mu.Lock()
	defer l.mu.Unlock()
	p.id, p.final = s.ID, s
}

// check holds a restarted node to the ledger. No writer runs.
func (l *ledger) check(ctx context.Context, n *testnode.Node, rnd *rand.Rand) error {
	c := n.Client(testnode.Analyst)
	defer c.Close()
	for _, p := range l.posts {
		if p.id == "" {
			l.unsure = append(l.unsure, p)
			continue
		}
		s, err := c.Settle(ctx, p.id, 2*time.Minute)
		if err != nil {
			return fmt.Errorf("a post of %d objects, acknowledged as %s: %w", len(p.ids), p.final.Status, err)
		}
		if s.Success != len(p.ids) || s.Failure != 0 || s.Pending != 0 {
			return fmt.Errorf("a post of %d objects, acknowledged as %s, ended as %+v", len(p.ids), p.final.Status, s)
		}
	}
	there, err := l.read(ctx, c)
	if err != nil {
		return err
	}
	l.kept, l.removed = 0, 0
	for id, f := range l.fates {
		switch {
		case f == promised && !there[id]:
			return fmt.Errorf("%s was acknowledged and is lost", id)
		case f == removed && there[id]:
			return fmt.Errorf("%s was removed, which was acknowledged, and is there", id)
		case f == promised:
			l.kept++
		case f == removed:
			l.removed++
		}
		if f == doubtful { // from now on what is there stays
			l.fates[id] = removed
			if there[id] {
				l.fates[id] = promised
			}
		}
	}
	for id := range there {
		if _, ok := l.fates[id]; !ok {
			return fmt.Errorf("%s is there and nobody sent it", id)
		}
	}
	for _, p := range l.posts {
		if !p.large && p.id == "" {
			if err := whole(p, there); err != nil {
				return err
			}
		}
	}
	if len(l.posts) > 0 {
		if err := l.sameBytes(ctx, c, there, l.posts[rnd.IntN(len(l.posts))].ids[0]); err != nil {
			return err
		}
	}
	l.posts = nil
	return nil
}

// read is the ids of everything that is there, from the manifest.
func (l *ledger) read(ctx context.Context, c *testnode.Client) (map[string]bool, error) {
	ids, err := c.Manifest(ctx)
	if err != nil {
		return nil, err
	}
	return once(ids)
}

// whole tells whether of a post without an answer all or nothing is there.
func whole(p *postMade, there map[string]bool) error {
	n := 0
	for _, id := range p.ids {
		if there[id] {
			n++
		}
	}
	if n != 0 && n != len(p.ids) {
		return fmt.Errorf("of a post of %d objects, which was not acknowledged, %d are there", len(p.ids), n)
	}
	return nil
}

func (l *ledger) sameBytes(ctx context.Context, c *testnode.Client, there map[string]bool, id string) error {
	if !there[id] {
		return nil
	}
	a, err := c.Do(ctx, http.MethodGet, testnode.Objects+id+"/", nil, nil)
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK || !bytes.Contains(a.Body, l.bodies[id]) {
		return fmt.Errorf("%s has other bytes: %d %s", id, a.Status, a.Body)
	}
	return nil
}

// allOrNone waits until nothing moves any more and looks at every post that got no answer, also the large ones.
func (l *ledger) allOrNone(ctx context.Context, n *testnode.Node) error {
	c := n.Client(testnode.Analyst)
	defer c.Close()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		there, err := l.read(ctx, c)
		if err != nil {
			return err
		}
		for _, p := range l.unsure {
			if err = whole(p, there); err != nil {
				break
			}
		}
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// firstOfTwoPages reads a page and returns the token of the next one, which a restart must not spoil; empty when there is none.
func firstOfTwoPages(t *testing.T, n *testnode.Node) string {
	t.Helper()
	c := client(t, n, testnode.Analyst)
	a := must(c.Do(t.Context(), http.MethodGet, testnode.Objects+"?limit=10", nil, nil))(t)
	if a.Status != http.StatusOK {
		t.Fatalf("the first page: %d %s", a.Status, a.Body)
	}
	return testnode.Next(a.Body)
}

func secondOfTwoPages(t *testing.T, n *testnode.Node, next string) {
	t.Helper()
	if next == "" {
		return
	}
	c := client(t, n, testnode.Analyst)
	a := must(c.Do(t.Context(), http.MethodGet, testnode.Objects+"?limit=10&next="+next, nil, nil))(t)
	if a.Status != http.StatusOK {
		t.Fatalf("the page after the restart: %d %s", a.Status, a.Body)
	}
}

// integrity has SQLite look at its whole file.
func integrity(path string) error {
	c, err := zs.OpenConn(path, zs.OpenReadOnly)
	if err != nil {
		return err
	}
	defer c.Close()
	return sqlitex.ExecuteTransient(c, "PRAGMA integrity_check", &sqlitex.ExecOptions{ResultFunc: func(st *zs.Stmt) error {
		if text := st.ColumnText(0); text != "ok" {
			return fmt.Errorf("the store's file is damaged: %s", text)
		}
		return nil
	}})
}
