package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/lite"
	"entente/peer"
)

var (
	now    = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	toKWT  = Identity{Org: "us.cisa", Accord: "us-kw-cip", Parties: []string{"org:USA/us.cisa", "org:KWT/kw.ncsc"}}
	notary = func() *dsse.Private {
		p, err := dsse.Generate(true)
		if err != nil {
			panic(err)
		}
		return p
	}()
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		os.Exit(killed(dir))
	}
	os.Exit(m.Run())
}

func openAt(t testing.TB, cfg Config) *Ledger {
	t.Helper()
	l, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func ownLog(t testing.TB, l *Ledger) Log {
	t.Helper()
	g, err := l.OpenLog(context.Background(), toKWT)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func put1(origin string, n int) Entry {
	return Entry{Origin: origin, Leaf: peer.Leaf{Kind: peer.Put, Order: 1, Time: now}, Envelope: fmt.Appendf(nil, "the envelope of object number %08d, which is secret", n), Object: objectID(n), Version: "v1"}
}

func objectID(n int) string { return fmt.Sprintf("indicator--%08d-0000-4000-8000-000000000000", n) }

func appendN(t testing.TB, l *Ledger, origin string, from, n int) {
	t.Helper()
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = put1(origin, from+i)
	}
	if _, err := l.Append(context.Background(), Cursor{"outflow", fmt.Append(nil, from+n)}, entries...); err != nil {
		t.Fatal(err)
	}
}

func sign(t testing.TB, l *Ledger, origin string) peer.Checkpoint {
	t.Helper()
	c, err := l.Sign(context.Background(), origin, now, notary)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What one node's ledger gives out, another's takes, also when both begin again in the middle.
func TestFromLedgerToLedger(t *testing.T) {
	here, there := Config{Dir: t.TempDir()}, Config{Dir: t.TempDir()}
	a, b := openAt(t, here), openAt(t, there)
	g := ownLog(t, a)
	if again := ownLog(t, a); again.Origin != g.Origin {
		t.Fatal("one identity has two logs")
	}
	total := 0
	for round := range 5 {
		appendN(t, a, g.Origin, total, 30+round)
		total += 30 + round
		if _, err := a.Frames(t.Context(), g.Origin, peer.Pull{From: uint64(total)}); fault.Of(err) != fault.NotFound {
			t.Fatalf("frames that are not under a checkpoint were given: %v", err)
		}
		sign(t, a, g.Origin)
		for {
			v, err := b.Mirror(t.Context(), g.Origin, "USA", toKWT)
			if err != nil {
				t.Fatal(err)
			}
			last, _ := v.Last()
			batch, err := a.Frames(t.Context(), g.Origin, peer.Pull{From: v.Size(), Known: last.Size, Frames: 13})
			if err != nil {
				t.Fatal(err)
			}
			if len(batch.Frames) == 0 {
				break
			}
			from := v.Size()
			fresh, err := v.Extend(batch, notary.Key())
			if err != nil {
				t.Fatal(err)
			}
			var taken []Taken
			for _, f := range fresh {
				taken = append(taken, Taken{Frame: f, Object: "indicator--x", Did: peer.DidStore})
			}
			if err := b.Extend(t.Context(), v, from, taken, []byte("receipt")); err != nil {
				t.Fatal(err)
			}
			if err := b.Extend(t.Context(), v, from, taken); fault.Of(err) != fault.Conflict {
				t.Fatalf("the same frames were kept twice: %v", err)
			}
		}
		a.Close()
		b.Close()
		a, b = openAt(t, here), openAt(t, there)
	}
	mine, err := a.Log(t.Context(), g.Origin)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := b.Logs(t.Context(), Filter{Nation: "USA"})
	if err != nil || len(theirs) != 1 || theirs[0].Size != uint64(total) || theirs[0].Root != mine.Root || theirs[0].Accord != "us-kw-cip" {
		t.Errorf("%+v %v", theirs, err)
	}
	if cursor, err := a.Cursor(t.Context(), "outflow"); err != nil || string(cursor) != fmt.Sprint(total) {
		t.Errorf("%s %v", cursor, err)
	}
	h, err := b.Held(t.Context(), g.Origin, 7)
	if err != nil || h.Object != "indicator--x" || h.Leaf.Kind != peer.Put {
		t.Errorf("%+v %v", h, err)
	}
	out, err := a.Out(t.Context(), objectID(7))
	if err != nil || len(out) != 1 || out[0].Index != 7 || out[0].Leaf.Commit != h.Leaf.Commit {
		t.Errorf("%+v %v", out, err)
	}
	if object, err := a.Object(t.Context(), g.Origin, 7); err != nil || object != objectID(7) {
		t.Errorf("%q %v", object, err)
	}
	c, proof, err := a.Inclusion(t.Context(), g.Origin, 7)
	if err != nil || !peer.Included(c, 7, &h.Leaf, proof) {
		t.Errorf("the leaf's place does not hold: %v", err)
	}
	if sent, err := b.Outbox(t.Context(), "USA", 1000); err != nil || len(sent) == 0 || b.Sent(t.Context(), sent[0].ID) != nil {
		t.Errorf("%d receipts, %v", len(sent), err)
	} else if left, _ := b.Outbox(t.Context(), "USA", 1000); len(left) != len(sent)-1 {
		t.Errorf("%d receipts are left of %d", len(left), len(sent))
	}
}

func TestWhatCannotBeAdded(t *testing.T) {
	l := openAt(t, Config{Dir: t.TempDir(), Limits: peer.Limits{Envelope: 100}})
	g := ownLog(t, l)
	appendN(t, l, g.Origin, 0, 3)
	long, noTime, ahead, order := put1(g.Origin, 9), put1(g.Origin, 9), put1(g.Origin, 9), put1(g.Origin, 9)
	long.Envelope = make([]byte, 101)
	noTime.Leaf.Time = time.Time{}
	ahead.Leaf.Kind, ahead.Leaf.Target = peer.Purge, 9
	order.Leaf.Kind = peer.Retract
	for name, e := range map[string]Entry{"too long": long, "no time": noTime, "an order to a later leaf": ahead, "an order to nothing": order, "no such log": put1("x", 1)} {
		if _, err := l.Append(t.Context(), Cursor{"outflow", []byte("beyond")}, put1(g.Origin, 8), e); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if now, _ := l.Log(t.Context(), g.Origin); now.Size != 3 {
		t.Errorf("%d leaves", now.Size)
	}
	if c, _ := l.Cursor(t.Context(), "outflow"); string(c) != "3" {
		t.Errorf("the cursor moved to %q", c)
	}
	if err := l.Retire(t.Context(), g.Origin); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), Cursor{}, put1(g.Origin, 8)); fault.Of(err) != fault.Conflict {
		t.Errorf("a retired log grew: %v", err)
	}
	if next := ownLog(t, l); next.Origin == g.Origin || next.Epoch != 1 || next.Size != 0 {
		t.Errorf("%+v", next)
	}
	for _, id := range []Identity{{}, {Org: "a", Accord: "b"}, {Org: "a", Accord: "b", Parties: []string{"with\nline"}}} {
		if _, err := l.OpenLog(t.Context(), id); fault.Of(err) != fault.Invalid {
			t.Errorf("%+v: %v", id, err)
		}
	}
	if _, err := l.Mirror(t.Context(), ownLog(t, l).Origin, "KWT", Identity{}); fault.Of(err) != fault.Conflict {
		t.Errorf("an own log was taken from another: %v", err)
	}
}

// The time of checkpoints never goes back, and whoever waits for news learns of each.
func TestSigning(t *testing.T) {
	l := openAt(t, Config{Dir: t.TempDir()})
	g := ownLog(t, l)
	appendN(t, l, g.Origin, 0, 1)
	news := l.Grown()
	c := sign(t, l, g.Origin)
	select {
	case <-news:
	default:
		t.Error("nobody was told")
	}
	again, err := l.Sign(t.Context(), g.Origin, now.Add(-time.Hour), notary)
	if err != nil || !again.Time.Equal(c.Time) {
		t.Errorf("%v %v", again.Time, err)
	}
}

func TestReceiptsAndCosignatures(t *testing.T) {
	l := openAt(t, Config{Dir: t.TempDir()})
	g := ownLog(t, l)
	appendN(t, l, g.Origin, 0, 3)
	out, _ := l.Out(t.Context(), objectID(1))
	receipt := peer.Receipt{Origin: g.Origin, Party: "KWT", Time: now, Acts: []peer.Act{{Index: 1, Commit: out[0].Leaf.Commit, Did: peer.DidPurge, At: now}}}
	for range 2 { // the second time it changes nothing
		if err := l.Ack(t.Context(), g.Origin, Received{"KWT", receipt, []byte("signed")}); err != nil {
			t.Fatal(err)
		}
	}
	acts, err := l.Receipts(t.Context(), g.Origin, 1)
	if err != nil || len(acts) != 1 || acts[0].Did != peer.DidPurge || string(acts[0].Envelope) != "signed" || !acts[0].At.Equal(now) {
		t.Errorf("%+v %v", acts, err)
	}
	for name, change := range map[string]func(*Received){
		"another's name": func(r *Received) { r.Party = "FRA" }, "another log": func(r *Received) { r.Receipt.Origin = "x" },
		"other bytes": func(r *Received) { r.Receipt.Acts = []peer.Act{{Index: 2, Commit: out[0].Leaf.Commit}} }, "no such leaf": func(r *Received) { r.Receipt.Acts = []peer.Act{{Index: 3}} },
	} {
		r := Received{"KWT", receipt, []byte("other " + name)}
		change(&r)
		if err := l.Ack(t.Context(), g.Origin, r); fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, k := range []Cosigned{{"KWT", 2, now, []byte("a")}, {"KWT", 3, now, []byte("b")}, {"KWT", 1, now.Add(time.Hour), []byte("c")}, {"FRA", 1, now, []byte("d")}} {
		if err := l.Cosign(t.Context(), g.Origin, k); err != nil {
			t.Fatal(err)
		}
	}
	if k, err := l.Cosignatures(t.Context(), g.Origin); err != nil || len(k) != 2 || k[0].Party != "FRA" || k[1].Size != 3 || string(k[1].Note) != "b" {
		t.Errorf("%+v %v", k, err)
	}
}

func TestOrdersWaitUntilTheyAreDone(t *testing.T) {
	dir := t.TempDir()
	a, b := openAt(t, Config{Dir: t.TempDir()}), openAt(t, Config{Dir: dir})
	g := ownLog(t, a)
	appendN(t, a, g.Origin, 0, 2)
	order := Entry{Origin: g.Origin, Leaf: peer.Leaf{Kind: peer.Purge, Time: now, Target: 2}, Envelope: []byte("purge that")}
	if _, err := a.Append(t.Context(), Cursor{}, order); err != nil {
		t.Fatal(err)
	}
	sign(t, a, g.Origin)
	v, _ := b.Mirror(t.Context(), g.Origin, "USA", Identity{})
	batch, err := a.Frames(t.Context(), g.Origin, peer.Pull{})
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := v.Extend(batch, notary.Key())
	if err != nil {
		t.Fatal(err)
	}
	err = b.Extend(t.Context(), v, 0, []Taken{{Frame: fresh[0], Object: objectID(0), Did: peer.DidStore}, {Frame: fresh[1], Object: objectID(1), Did: peer.DidStore}, {Frame: fresh[2], Wait: true}})
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	b = openAt(t, Config{Dir: dir})
	waiting, err := b.Orders(t.Context(), "", 0)
	if err != nil || len(waiting) != 1 || string(waiting[0].Envelope) != "purge that" || waiting[0].Leaf.Target != 2 || waiting[0].Nation != "USA" {
		t.Fatalf("%+v %v", waiting, err)
	}
	if _, err := b.Purge(t.Context(), objectID(1)); err != nil {
		t.Fatal(err)
	}
	if err := b.Done(t.Context(), g.Origin, waiting[0].Index, nil, peer.DidPurge, "", []byte("receipt")); err != nil {
		t.Fatal(err)
	}
	if err := b.Done(t.Context(), g.Origin, waiting[0].Index, nil, peer.DidPurge, ""); fault.Of(err) != fault.NotFound {
		t.Errorf("done twice: %v", err)
	}
	if left, _ := b.Orders(t.Context(), "", 0); len(left) != 0 {
		t.Error("the order still waits")
	}
	if h, err := b.Held(t.Context(), g.Origin, 1); err != nil || h.Did != peer.DidPurge || h.Object != "" {
		t.Errorf("%+v %v", h, err)
	}
	if h, err := b.HeldOf(t.Context(), objectID(0)); err != nil || len(h) != 1 || h[0].Did != peer.DidStore {
		t.Errorf("%+v %v", h, err)
	}
	if sent, _ := b.Outbox(t.Context(), "USA", 0); len(sent) != 1 {
		t.Errorf("%d receipts", len(sent))
	}
}

// After a purge no file holds a piece of what went out, and whoever begins only now still reaches the signed root.
func TestPurgeLeavesNoByte(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, Config{Dir: dir})
	g := ownLog(t, l)
	for i := range 20 {
		appendN(t, l, g.Origin, 10*i, 10)
	}
	sign(t, l, g.Origin)
	before, err := l.Frames(t.Context(), g.Origin, peer.Pull{From: 40, Frames: 3})
	if err != nil {
		t.Fatal(err)
	}
	needles := func(i int) [][]byte {
		f := before.Frames[i]
		return [][]byte{f.Salt[:], f.Envelope, []byte(objectID(40 + i))}
	}
	for i := range 3 {
		for _, n := range needles(i) {
			if !inFiles(t, dir, n) {
				t.Fatalf("%q is not there before the purge", n)
			}
		}
	}
	p, err := l.Purge(t.Context(), objectID(40), objectID(42))
	if err != nil || len(p.Leaves) != 2 || p.Leaves[1].Index != 42 || p.Bytes == 0 || p.Searched == 0 {
		t.Fatalf("%+v %v", p, err)
	}
	for i, want := range []bool{false, true, false} {
		for _, n := range needles(i) {
			if inFiles(t, dir, n) != want {
				t.Errorf("%q is in the files: %t", n, !want)
			}
		}
	}
	if out, _ := l.Out(t.Context(), objectID(40)); len(out) != 1 || !out[0].Gone || out[0].Version != "" {
		t.Errorf("%+v", out)
	}
	after, err := l.Frames(t.Context(), g.Origin, peer.Pull{})
	if err != nil || !after.Frames[40].Gone() || after.Frames[41].Gone() {
		t.Fatal(err)
	}
	v := &peer.Verifier{Origin: g.Origin}
	if _, err := v.Extend(after, notary.Key()); err != nil || v.Size() != 200 {
		t.Errorf("the log no longer leads to its root: %v", err)
	}
	if _, err := l.Purge(t.Context(), "x"); fault.Of(err) != fault.Invalid {
		t.Error(err)
	}
}

// Two that purge at the same time, a person and a partner's order, wait for each other.
func TestPurgesWaitForEachOther(t *testing.T) {
	l := openAt(t, Config{Dir: t.TempDir()})
	g := ownLog(t, l)
	appendN(t, l, g.Origin, 0, 8)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			if p, err := l.Purge(t.Context(), objectID(n)); err != nil || len(p.Leaves) != 1 {
				t.Errorf("object %d: %+v %v", n, p, err)
			}
		})
	}
	all.Wait()
}

// A purge that a crash cut short is completed when the ledger opens.
func TestPurgeIsCompleted(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, Config{Dir: dir})
	g := ownLog(t, l)
	appendN(t, l, g.Origin, 0, 50)
	out := put1(g.Origin, 7).Envelope
	err := l.write(t.Context(), "", func(c *conn) error {
		var p Purged
		if err := purge(c, objectID(7), l.blind(objectID(7)), &traces{}, &p); err != nil {
			return err
		}
		return execute(c, "INSERT INTO meta VALUES('scrub', 1)")
	})
	if err != nil || !inFiles(t, dir, out) {
		t.Fatalf("nothing is left to do: %v", err)
	}
	l.Close()
	openAt(t, Config{Dir: dir})
	if inFiles(t, dir, out) {
		t.Error("a piece is left")
	}
}

func inFiles(t *testing.T, dir string, piece []byte) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) == ".db-shm" {
			return err
		}
		b, err := os.ReadFile(path)
		found = found || bytes.Contains(b, piece)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A restored ledger holds what was backed up, and no log of its own goes on where others may know more.
func TestBackupAndRestore(t *testing.T) {
	l := openAt(t, Config{Dir: t.TempDir()})
	g := ownLog(t, l)
	appendN(t, l, g.Origin, 0, 20)
	sign(t, l, g.Origin)
	var backup bytes.Buffer
	if err := l.Backup(t.Context(), &backup); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := Restore(t.Context(), bytes.NewReader(backup.Bytes()), dir); err != nil {
		t.Fatal(err)
	}
	r := openAt(t, Config{Dir: dir})
	old, err := r.Log(t.Context(), g.Origin)
	if err != nil || old.Size != 20 || !old.Retired {
		t.Errorf("%+v %v", old, err)
	}
	if next := ownLog(t, r); next.Origin == g.Origin || next.Epoch != 1 {
		t.Errorf("%+v", next)
	}
	if _, err := r.Frames(t.Context(), g.Origin, peer.Pull{}); err != nil {
		t.Errorf("a retired log cannot be read: %v", err)
	}
	r.Close()
	if err := Restore(t.Context(), bytes.NewReader(backup.Bytes()), dir); fault.Of(err) != fault.Conflict {
		t.Errorf("a ledger was overwritten: %v", err)
	}
	damaged := bytes.Clone(backup.Bytes())
	clear(damaged[4096:8192])
	for name, b := range map[string][]byte{"damaged": damaged, "cut": backup.Bytes()[:9000], "nothing": nil} {
		empty := t.TempDir()
		if err := Restore(t.Context(), bytes.NewReader(b), empty); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := os.Stat(filepath.Join(empty, fileName)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: something was left: %v", name, err)
		}
	}
	var full bytes.Buffer
	if err := l.Backup(t.Context(), failing{}); err == nil || full.Len() > 0 {
		t.Error("a backup to nowhere succeeded")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("no") }

// When there is no room, what was acknowledged stays, and nothing is half there.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, Config{Dir: dir, MaxBytes: 1 << 20})
	g := ownLog(t, l)
	size := uint64(0)
	for full := 0; full < 3; {
		entries := make([]Entry, 20)
		for i := range entries {
			entries[i] = put1(g.Origin, int(size)+i)
			entries[i].Envelope = make([]byte, 2000)
		}
		_, err := l.Append(t.Context(), Cursor{"outflow", fmt.Append(nil, size+20)}, entries...)
		switch {
		case err == nil:
			size += 20
		case fault.Of(err) != fault.Full || fault.As(err).RetryAfter == 0:
			t.Fatal(err)
		default:
			full++
		}
	}
	check := func(l *Ledger) {
		t.Helper()
		now, err := l.Log(t.Context(), g.Origin)
		cursor, _ := l.Cursor(t.Context(), "outflow")
		if err != nil || now.Size != size || size == 0 || string(cursor) != fmt.Sprint(size) {
			t.Errorf("%d leaves of %d, cursor %s, %v", now.Size, size, cursor, err)
		}
	}
	check(l)
	l.Close()
	l = openAt(t, Config{Dir: dir})
	check(l)
	sign(t, l, g.Origin)
	v := &peer.Verifier{Origin: g.Origin}
	for v.Size() < size {
		last, _ := v.Last()
		b, err := l.Frames(t.Context(), g.Origin, peer.Pull{From: v.Size(), Known: last.Size, Frames: 50})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Extend(b, notary.Key()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	l := openAt(t, Config{Dir: dir})
	if _, err := Open(t.Context(), Config{Dir: dir}); fault.Of(err) != fault.Conflict {
		t.Error(err)
	}
	l.Close()
	if _, err := l.Logs(t.Context(), Filter{}); fault.Of(err) != fault.Unavailable {
		t.Error(err)
	}
	if _, err := Open(t.Context(), Config{Dir: filepath.Join(dir, "no")}); fault.Of(err) != fault.Invalid {
		t.Error(err)
	}
	openAt(t, Config{Dir: dir})
}

// Who comes when too many wait is told so, and who gives up has changed nothing.
func TestTooManyWriters(t *testing.T) {
	l := openAt(t, Config{Dir: t.TempDir(), Queue: 2})
	begun, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- l.write(context.Background(), "", func(*conn) error { close(begun); <-release; return nil })
	}()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	waits := make(chan error, 1)
	go func() { waits <- l.SetCursor(ctx, Cursor{"x", []byte("1")}) }()
	for len(l.queue) < 2 {
		time.Sleep(time.Millisecond)
	}
	if err := l.SetCursor(t.Context(), Cursor{"x", []byte("2")}); fault.Of(err) != fault.Unavailable {
		t.Error(err)
	}
	cancel()
	if err := <-waits; fault.Of(err) != fault.Unavailable {
		t.Error(err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if c, err := l.Cursor(t.Context(), "x"); c != nil || err != nil {
		t.Errorf("%s %v", c, err)
	}
}

// A nation names its logs, and cannot fill the ledger with names.
func TestLogsOfANationAreBounded(t *testing.T) {
	l := openAt(t, Config{Dir: t.TempDir()})
	err := l.write(t.Context(), "", func(c *conn) error {
		for i := range maxMirrors {
			if err := lite.Exec(c, "INSERT INTO log(origin, own, nation, org, accord, parties, epoch, retired, size) VALUES(?, 0, 'USA', '', '', '', 0, 0, 0)", nil, fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	name := peer.Origin(make([]byte, 32), "org", "accord", []string{"org:KWT/kw"})
	if _, err := l.Mirror(t.Context(), name, "USA", Identity{}); fault.Of(err) != fault.TooLarge {
		t.Errorf("one log more: %v", err)
	}
	if _, err := l.Mirror(t.Context(), name, "MEX", Identity{}); err != nil {
		t.Errorf("another nation's: %v", err)
	}
}
