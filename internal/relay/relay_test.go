package relay

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/ledger"
	"entente/peer"
)

// world is an originator with a log, and a relay.
type world struct {
	t      *testing.T
	book   *ledger.Ledger
	key    *dsse.Private
	origin string
	now    time.Time
	room   *Room
	dir    string
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var (
	of     = Party{"CAN", "ca.cert"}
	reader = Party{"USA", "us.cert"}
	to     = []string{"org:USA/us.cert"}
	secret = [32]byte{1}
	object = "malware--0f0f0f0f-0000-4000-8000-000000000001"
)

func newWorld(t *testing.T, b Bounds) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	var err error
	w.book, err = ledger.Open(t.Context(), ledger.Config{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { w.book.Close() })
	g, err := w.book.OpenLog(t.Context(), ledger.Identity{Org: "ca.cert", Accord: "a", Parties: to})
	must(t, err)
	w.origin = g.Origin
	w.key, err = dsse.Generate(true)
	must(t, err)
	w.open(b)
	t.Cleanup(func() { w.room.Close() })
	return w
}

func (w *world) open(b Bounds) {
	var err error
	w.room, err = Open(context.Background(), Config{Dir: w.dir, Bounds: b, Now: func() time.Time { return w.now }})
	must(w.t, err)
}

// grow adds leaves and signs.
func (w *world) grow(n int) {
	for range n {
		envelope := make([]byte, 300)
		_, _ = rand.Read(envelope)
		_, err := w.book.Append(w.t.Context(), ledger.Cursor{}, ledger.Entry{Origin: w.origin, Envelope: envelope, Object: object, Leaf: peer.Leaf{Kind: peer.Put, Order: 1, Time: w.now}})
		must(w.t, err)
	}
	w.now = w.now.Add(time.Second)
	_, err := w.book.Sign(w.t.Context(), w.origin, w.now, w.key)
	must(w.t, err)
}

func (w *world) batch(p peer.Pull) *peer.SealedBatch {
	b, err := w.book.Frames(w.t.Context(), w.origin, p)
	must(w.t, err)
	s, err := b.Seal(1, secret, []peer.Wrap{{Key: [32]byte{7}, Data: []byte("wrapped")}})
	must(w.t, err)
	return s
}

func (w *world) take(b *peer.SealedBatch) error {
	_, err := w.room.Take(w.t.Context(), of, to, b, w.key.Key())
	return err
}

func code(err error) string {
	var e *peer.Error
	if errors.As(err, &e) {
		return e.Code
	}
	var fork *peer.Equivocation
	if errors.As(err, &fork) {
		return peer.CodeFork
	}
	return ""
}

// What the originator hands over comes out as it went in, for those whom it names and nobody else, also after the node was stopped.
func TestWhatIsTakenIsGivenToItsReaders(t *testing.T) {
	w := newWorld(t, Bounds{})
	w.grow(5)
	must(t, w.take(w.batch(peer.Pull{})))
	must(t, w.room.State(t.Context(), reader, []string{"CAN"}, Statement{Epoch: 1, Key: [32]byte{7}, Ends: w.now.Add(time.Hour), Envelope: []byte("e")}))
	must(t, w.room.Close())
	w.open(Bounds{})
	b, err := w.room.Batch(t.Context(), []string{"CAN"}, w.origin, reader, peer.Pull{Frames: 100})
	must(t, err)
	if len(b.Items) != 5 || len(b.Wraps) != 1 {
		t.Fatalf("%d items, %d wraps", len(b.Items), len(b.Wraps))
	}
	open, err := b.Open(secret, peer.Limits{})
	must(t, err)
	v := peer.Verifier{Origin: w.origin}
	if _, err := v.Extend(open, w.key.Key()); err != nil || v.Size() != 5 {
		t.Fatal(err)
	}
	for _, who := range []Party{{"MEX", "mx.cert"}, {"USA", "us.other"}} {
		if _, err := w.room.Batch(t.Context(), []string{"CAN"}, w.origin, who, peer.Pull{Frames: 100}); fault.Of(err) != fault.NotFound {
			t.Errorf("%v: %v", who, err)
		}
	}
	if _, err := w.room.Batch(t.Context(), []string{"MEX"}, w.origin, reader, peer.Pull{}); fault.Of(err) != fault.NotFound {
		t.Error(err)
	}
	if s, err := w.room.Statements(t.Context(), "USA", "CAN"); err != nil || len(s) != 1 {
		t.Error(s, err)
	}
	if s, err := w.room.Statements(t.Context(), "USA", "MEX"); err != nil || len(s) != 0 {
		t.Error("a key is shown to somebody whom its holder did not name")
	}
}

// A log grows without a gap, without another past, and by its originator's key alone.
func TestWhatDoesNotFollowIsRefused(t *testing.T) {
	w := newWorld(t, Bounds{})
	w.grow(4)
	must(t, w.take(w.batch(peer.Pull{})))
	w.grow(3)
	if err := w.take(w.batch(peer.Pull{From: 5})); code(err) != peer.CodeGap {
		t.Errorf("a gap: %v", err)
	}
	turned := w.batch(peer.Pull{From: 4})
	turned.Items[0], turned.Items[1] = turned.Items[1], turned.Items[0]
	if err := w.take(turned); code(err) != peer.CodeProof {
		t.Errorf("another order: %v", err)
	}
	other := w.batch(peer.Pull{From: 2})
	other.Items[0].Leaf = tlog.Hash{1}
	if err := w.take(other); code(err) != peer.CodeFork {
		t.Errorf("another leaf in a known place: %v", err)
	}
	thief, err := dsse.Generate(true)
	must(t, err)
	if _, err := w.room.Take(t.Context(), of, to, w.batch(peer.Pull{From: 4}), thief.Key()); code(err) != peer.CodeCheckpoint {
		t.Errorf("another's key: %v", err)
	}
	if l, err := w.room.All(t.Context()); err != nil || len(l) != 1 || l[0].Size != 4 {
		t.Fatalf("%+v %v", l, err)
	}
	must(t, w.take(w.batch(peer.Pull{From: 4, Known: 4})))
	if _, err := w.room.Take(t.Context(), Party{"MEX", "mx.cert"}, to, w.batch(peer.Pull{}), w.key.Key()); err != nil {
		t.Errorf("that another nation uses the name of a log keeps nobody from his own: %v", err)
	}
}

// A box is replaced by one without what was purged, and nothing of what was in it is left.
func TestABoxIsReplaced(t *testing.T) {
	w := newWorld(t, Bounds{})
	w.grow(3)
	must(t, w.take(w.batch(peer.Pull{})))
	before, err := w.room.Batch(t.Context(), []string{"CAN"}, w.origin, reader, peer.Pull{From: 1, Frames: 1})
	must(t, err)
	_, err = w.book.Purge(t.Context(), object)
	must(t, err)
	must(t, w.take(w.batch(peer.Pull{From: 1, Frames: 1})))
	after, err := w.room.Batch(t.Context(), []string{"CAN"}, w.origin, reader, peer.Pull{From: 1, Frames: 1})
	must(t, err)
	b, err := after.Open(secret, peer.Limits{})
	must(t, err)
	if !b.Frames[0].Gone() || len(after.Items[0].Box) >= len(before.Items[0].Box) || after.Items[0].Leaf != before.Items[0].Leaf {
		t.Error("the box still has what was purged")
	}
	l, err := w.room.All(t.Context())
	must(t, err)
	if want := int64(2*len(before.Items[0].Box) + len(after.Items[0].Box)); l[0].Bytes != want {
		t.Errorf("%d bytes are counted, not %d", l[0].Bytes, want)
	}
}

// Nobody has more here than the bounds let him, and what is old goes; how far a log was taken does not.
func TestBounds(t *testing.T) {
	w := newWorld(t, Bounds{Bytes: 4000, Logs: 1, Age: time.Hour, Messages: 2})
	w.grow(3)
	must(t, w.take(w.batch(peer.Pull{})))
	w.grow(20)
	if err := w.take(w.batch(peer.Pull{From: 3, Known: 3})); fault.Of(err) != fault.Full {
		t.Errorf("more bytes than are carried: %v", err)
	}
	for i, want := range []fault.Kind{0, 0, fault.Full} {
		if err := w.room.Send(t.Context(), "CAN", "USA", []byte{byte(i)}); err != nil && fault.Of(err) != want || err == nil && want != 0 {
			t.Errorf("message %d: %v", i, err)
		}
	}
	m, err := w.room.Mail(t.Context(), "USA", 0)
	if err != nil || len(m) != 2 || m[0].From != "CAN" {
		t.Fatalf("%+v %v", m, err)
	}
	if m, err = w.room.Mail(t.Context(), "USA", m[0].ID); err != nil || len(m) != 1 {
		t.Fatalf("%+v %v", m, err)
	}
	w.now = w.now.Add(2 * time.Hour)
	if n, err := w.room.Expire(t.Context()); err != nil || n != 3 {
		t.Fatal(n, err)
	}
	l, err := w.room.All(t.Context())
	if err != nil || l[0].Size != 3 || l[0].Bytes != 0 {
		t.Errorf("%+v %v", l, err)
	}
	if _, err := w.room.Batch(t.Context(), []string{"CAN"}, w.origin, reader, peer.Pull{Frames: 10}); fault.Of(err) != fault.NotFound {
		t.Error(err)
	}
	if m, err := w.room.Mail(t.Context(), "USA", 0); err != nil || len(m) != 0 {
		t.Error(m, err)
	}
}

// What all readers have is destroyed when the originator says so; then there is room again, and what still waits is given.
func TestRoomIsMade(t *testing.T) {
	w := newWorld(t, Bounds{Bytes: 4000})
	w.grow(3)
	must(t, w.take(w.batch(peer.Pull{})))
	w.grow(8)
	if err := w.take(w.batch(peer.Pull{From: 3, Known: 3})); fault.Of(err) != fault.Full {
		t.Fatalf("more bytes than are carried: %v", err)
	}
	for _, nation := range []string{"MEX", "CAN"} {
		if err := w.room.Done(t.Context(), nation, w.origin, 3); (err == nil) != (nation == "CAN") {
			t.Errorf("%s: %v", nation, err)
		}
	}
	must(t, w.take(w.batch(peer.Pull{From: 3, Known: 3})))
	for from, want := range map[uint64]int{0: 0, 2: 0, 3: 8} {
		b, err := w.room.Batch(t.Context(), []string{"CAN"}, w.origin, reader, peer.Pull{From: from, Frames: 100})
		if want == 0 && fault.Of(err) != fault.NotFound || want > 0 && (err != nil || len(b.Items) != want) {
			t.Errorf("from %d: %v %v", from, b, err)
		}
	}
	l, err := w.room.All(t.Context())
	if err != nil || l[0].Size != 11 {
		t.Errorf("%+v %v", l, err)
	}
	must(t, w.room.Done(t.Context(), "CAN", w.origin, 1<<40)) // no more than there is
	if l, err = w.room.All(t.Context()); err != nil || l[0].Bytes != 0 || l[0].Size != 11 {
		t.Errorf("%+v %v", l, err)
	}
}

// What a relay signs is judged by its times, so that they never go back.
func TestTimesDoNotGoBack(t *testing.T) {
	w := newWorld(t, Bounds{})
	var last time.Time
	for _, d := range []time.Duration{0, time.Minute, -time.Hour, 3 * time.Second} {
		w.now = w.now.Add(d)
		at, err := w.room.Stamp(t.Context())
		must(t, err)
		if at.Before(last) {
			t.Errorf("%s after %s", at, last)
		}
		last = at
	}
	must(t, w.room.Close())
	w.open(Bounds{})
	if at, err := w.room.Stamp(t.Context()); err != nil || at.Before(last) {
		t.Errorf("%s after %s, %v", at, last, err)
	}
}
