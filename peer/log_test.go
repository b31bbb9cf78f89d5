package peer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"entente/dsse"
)

func TestPadme(t *testing.T) {
	for n, want := range map[uint64]uint64{0: 0, 1: 1, 8: 8, 9: 10, 1000: 1024, 1189: 1216, 1 << 20: 1 << 20, 1<<20 + 1: 1<<20 + 1<<15} {
		if got := Padme(n); got != want {
			t.Errorf("Padme(%d) is %d, want %d", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(2, 1<<40).Draw(t, "n")
		if p := Padme(n); p < n || p > n+n/8+1 || Padme(p) != p {
			t.Fatalf("Padme(%d) is %d", n, p)
		}
	})
}

func TestLeavesAreReadInOneFormOnly(t *testing.T) {
	l := Leaf{Kind: Relabel, Commit: [32]byte{1}, Accord: [32]byte{2}, Order: 3, Time: at, NotAfter: at.AddDate(1, 0, 0), Bucket: 64, Target: 5}
	b := l.Append(nil)
	again, err := ParseLeaf(b)
	if err != nil || again != l || len(b) != LeafSize {
		t.Fatalf("%+v %v", again, err)
	}
	if want := tlog.RecordHash(b); l.Hash() != want {
		t.Error("the leaf's hash is not that of RFC 6962")
	}
	for name, change := range map[string]func([]byte){
		"no kind":               func(b []byte) { b[0] = 0 },
		"a later kind":          func(b []byte) { b[0] = 9 },
		"a decision on nothing": func(b []byte) { b[0] = byte(Decision); clear(b[104:112]) },
		"a flag":                func(b []byte) { b[1] = 1 },
		"a reserved byte":       func(b []byte) { b[7] = 1 },
		"a topic of an order":   func(b []byte) { b[127] = 1 },
		"a time before 1970":    func(b []byte) { b[80] = 0xff },
		"no time":               func(b []byte) { clear(b[80:88]) },
		"an order to nothing":   func(b []byte) { clear(b[104:112]) },
		"a put with a target":   func(b []byte) { b[0] = byte(Put) },
	} {
		c := bytes.Clone(b)
		change(c)
		if _, err := ParseLeaf(c); code(err) != CodeForm {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBatchesTravelUnchanged(t *testing.T) {
	w := newWorld(t)
	w.grow(20)
	b := w.batch(3, 9, 2)
	wire := append(append([]byte{itemPing}, b.Append(nil)...), itemPing)
	in := bufio.NewReader(bytes.NewReader(wire))
	for i, want := range []bool{false, true, false} {
		got, err := ReadBatch(in, Limits{})
		if err != nil || (got != nil) != want || want && !bytes.Equal(got.Append(nil), wire[1:len(wire)-1]) {
			t.Fatalf("item %d: %v", i, err)
		}
	}
	if _, err := ReadBatch(in, Limits{}); err != io.EOF {
		t.Error(err)
	}
	wire = wire[1 : len(wire)-1]
	for n := range wire {
		if _, err := ParseBatch(wire[:n], Limits{}); err == nil {
			t.Fatalf("%d of %d bytes were taken for a batch", n, len(wire))
		}
		if _, err := ReadBatch(bufio.NewReader(bytes.NewReader(wire[:n])), Limits{}); err == nil {
			t.Fatalf("%d of %d bytes were taken for a batch of a stream", n, len(wire))
		}
	}
	for name, l := range map[string]Limits{"envelope": {Envelope: 5}, "frames": {Frames: 5}, "bytes": {BatchBytes: 500}} {
		if _, err := ReadBatch(bufio.NewReader(bytes.NewReader(wire)), l); code(err) != CodeSize {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever parts a log arrives in, the verifier ends where the log is.
func TestEveryWayOfCatchingUpEndsAtTheSignedRoot(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		v := &Verifier{Origin: w.origin}
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			w.grow(rapid.IntRange(0, 20).Draw(rt, "more"))
			if int(v.Size()) > len(w.frames) {
				rt.Fatal("beyond the log")
			}
			from := rapid.IntRange(0, int(v.Size())).Draw(rt, "from") // frames that are known may come again
			to := rapid.IntRange(int(v.Size()), len(w.frames)).Draw(rt, "to")
			known, _ := v.Last()
			before := v.Size()
			fresh, err := v.Extend(w.batch(from, to, int(known.Size)), w.node.Key())
			if err != nil || uint64(len(fresh)) != uint64(to)-before || v.Size() != uint64(to) {
				rt.Fatalf("%d frames, size %d: %v", len(fresh), v.Size(), err)
			}
			last, signed := v.Last()
			if c, _ := w.checkpoint(); last != c || len(signed) == 0 {
				rt.Fatal("the checkpoint was not kept")
			}
			m := v.Memory()
			if v, err = Resume(w.origin, m, Limits{}); err != nil {
				rt.Fatal(err)
			}
		}
	})
}

func TestWhatDoesNotLeadToTheSignedRootIsRefused(t *testing.T) {
	w := newWorld(t)
	w.grow(10)
	v := &Verifier{Origin: w.origin}
	if _, err := v.Extend(w.batch(0, 10, 0), w.node.Key()); err != nil {
		t.Fatal(err)
	}
	old, _ := w.checkpoint()
	w.grow(10)
	shorter, _ := SignCheckpoint(Checkpoint{w.origin, 5, old.Root, at}, w.node)
	other, _ := SignCheckpoint(Checkpoint{w.origin, 10, tlog.Hash{1}, at}, w.node)
	elsewhere, _ := SignCheckpoint(Checkpoint{Origin([]byte("another secret, of a log"), "a", "b", nil), 20, old.Root, at}, w.node)
	for name, tc := range map[string]struct {
		change func(*Batch)
		code   string
	}{
		"another log":                   {func(b *Batch) { b.Origin = "fed/v1/AAAAAAAAAAAAAAAAAAAA" }, CodeOrigin},
		"a checkpoint of another log":   {func(b *Batch) { b.Checkpoint = elsewhere }, CodeOrigin},
		"a gap":                         {func(b *Batch) { b.From++ }, CodeGap},
		"a smaller log":                 {func(b *Batch) { b.Frames, b.Checkpoint = nil, shorter }, CodeRollback},
		"another root of the same size": {func(b *Batch) { b.Frames, b.Checkpoint = nil, other }, "equivocation"},
		"a frame too few":               {func(b *Batch) { b.Frames = b.Frames[:9] }, CodeProof},
		"a frame too many":              {func(b *Batch) { b.Frames = append(b.Frames, b.Frames[0]) }, CodeProof},
		"two frames in another order":   {func(b *Batch) { b.Frames[2], b.Frames[3] = b.Frames[3], b.Frames[2] }, CodeProof},
		"frames of elsewhere as known":  {func(b *Batch) { b.From -= 1 }, CodeProof},
		"another time in a leaf":        {func(b *Batch) { b.Frames[4].Leaf.Time = at.Add(time.Second) }, CodeProof},
		"another envelope":              {func(b *Batch) { b.Frames[4].Envelope = []byte("envelope 99") }, CodeCommitment},
		"another salt":                  {func(b *Batch) { b.Frames[4].Salt[0]++ }, CodeCommitment},
		"another bucket":                {func(b *Batch) { b.Frames[4].Leaf.Bucket++ }, CodeCommitment},
		"a heartbeat with an envelope":  {func(b *Batch) { b.Frames[4].Leaf.Kind = Heartbeat }, CodeCommitment},
		"an order to what comes later":  {func(b *Batch) { b.Frames[4].Leaf.Kind, b.Frames[4].Leaf.Target = Purge, 40 }, CodeForm},
		"no checkpoint":                 {func(b *Batch) { b.Checkpoint = nil }, CodeCheckpoint},
		"half a signature":              {func(b *Batch) { b.Checkpoint = dropLine(b.Checkpoint) }, CodeCheckpoint},
		"a changed checkpoint":          {func(b *Batch) { b.Checkpoint[len(w.origin)+2]++ }, CodeCheckpoint},
	} {
		b := w.batch(10, 20, 10)
		tc.change(b)
		if _, err := v.Extend(b, w.node.Key()); code(err) != tc.code {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
		if _, err := v.Extend(b, private(t, true).Key()); err == nil {
			t.Errorf("%s was taken under another key", name)
		}
		if c, _ := v.Last(); v.Size() != 10 || c.Size != 10 {
			t.Fatalf("%s: what was refused left something: %d %d", name, v.Size(), c.Size)
		}
	}
	if _, err := v.Extend(w.batch(10, 20, 10), w.node.Key()); err != nil {
		t.Error(err)
	}
}

// Replaying what was recorded changes nothing, however often (threat 6).
func TestReplaysChangeNothing(t *testing.T) {
	w := newWorld(t)
	v := &Verifier{Origin: w.origin}
	var recorded []*Batch
	for range 4 {
		w.grow(5)
		b := w.batch(len(w.frames)-5, len(w.frames), len(w.frames)-5)
		recorded = append(recorded, b)
		if _, err := v.Extend(b, w.node.Key()); err != nil {
			t.Fatal(err)
		}
	}
	last, _ := v.Last()
	for i, b := range recorded {
		fresh, err := v.Extend(b, w.node.Key())
		if now, _ := v.Last(); len(fresh) > 0 || now != last || v.Size() != 20 || (err == nil) != (i == 3) {
			t.Errorf("%d: %d frames, %v", i, len(fresh), err)
		}
	}
}

// A log that shows another past than it did is caught, also when it shows it in parts, and the proof convinces whoever has its key (threats 9, 16, 33).
func TestForks(t *testing.T) {
	one, two := newWorld(t), newWorld(t)
	two.node = one.node
	one.grow(7)
	v := &Verifier{Origin: one.origin}
	if _, err := v.Extend(one.batch(0, 4, 0), one.node.Key()); err != nil { // it knows of 7, and has 4
		t.Fatal(err)
	}
	two.frames, two.hashes = append(two.frames, one.frames[:4]...), append(two.hashes, one.hashes[:tlog.StoredHashCount(4)]...)
	two.grow(8)
	var e *Equivocation
	_, err := v.Extend(two.batch(4, 12, 7), one.node.Key())
	if !errors.As(err, &e) || e.Verify(one.origin, one.node.Key()) != nil {
		t.Fatalf("%v", err)
	}
	if e.Verify(one.origin, private(t, true).Key()) == nil || e.Verify("fed/v1/AAAAAAAAAAAAAAAAAAAA", one.node.Key()) == nil {
		t.Error("the proof holds for another key or log")
	}
	if _, err := v.Extend(two.batch(4, 5, 7), one.node.Key()); code(err) != CodeFork {
		t.Errorf("in parts: %v", err)
	}
	_, honest := one.checkpoint()
	one.grow(3)
	_, later := one.checkpoint()
	proof, err := Prove(7, 10, tlog.HashReaderFunc(one.read))
	if err != nil {
		t.Fatal(err)
	}
	c, _ := OpenCheckpoint(honest, one.origin, one.node.Key())
	for name, e := range map[string]Equivocation{
		"twice the same": {First: honest, Second: honest}, "growth": {First: honest, Second: later, Prefix: c.Root, Proof: proof},
		"no proof": {First: honest, Second: later, Prefix: tlog.Hash{1}},
	} {
		if e.Verify(one.origin, one.node.Key()) == nil {
			t.Errorf("%s was taken for two pasts", name)
		}
	}
}

// After a purge the leaf still proves what it proved.
func TestDestroyedFramesStillLeadToTheRoot(t *testing.T) {
	w := newWorld(t)
	w.grow(6)
	w.add(Purge, 3, []byte("order"))
	w.frames[2] = w.frames[2].Bare()
	v := &Verifier{Origin: w.origin}
	b, err := ParseBatch(w.batch(0, 7, 0).Append(nil), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := v.Extend(b, w.node.Key())
	if err != nil || !fresh[2].Gone() || fresh[1].Gone() || fresh[6].Leaf.Target != 3 {
		t.Fatal(err)
	}
	c, _ := v.Last()
	proof, err := tlog.ProveRecord(7, 2, tlog.HashReaderFunc(w.read))
	if err != nil || !Included(c, 2, &fresh[2].Leaf, proof) || Included(c, 3, &fresh[2].Leaf, proof) || Included(c, 9, &fresh[2].Leaf, proof) {
		t.Error("the leaf's place does not hold")
	}
}

func TestCosignatures(t *testing.T) {
	w := newWorld(t)
	w.grow(3)
	_, signed := w.checkpoint()
	a, b := private(t, true), private(t, true)
	name := CosignerName(a.Key())
	seen := at.Add(7 * time.Second)
	co, err := Cosign(signed, name, seen, a)
	if err != nil {
		t.Fatal(err)
	}
	if co, err = Cosign(co, CosignerName(b.Key()), seen, b); err != nil {
		t.Fatal(err)
	}
	if c, when, err := OpenCosignature(co, name, a.Key()); err != nil || !when.Equal(seen) || c.Size != 3 {
		t.Errorf("%v %v", when, err)
	}
	if _, err := OpenCheckpoint(co, w.origin, w.node.Key()); err != nil {
		t.Errorf("with cosignatures the log's own no longer holds: %v", err)
	}
	for what, tc := range map[string]struct {
		note []byte
		name string
		key  int
	}{"another's key": {co, name, 1}, "not cosigned": {signed, name, 0}, "another name": {co, w.origin, 0}, "half": {dropLine(dropLine(dropLine(co))), name, 0}} {
		if _, _, err := OpenCosignature(tc.note, tc.name, []*dsse.Private{a, b}[tc.key].Key()); err == nil {
			t.Errorf("%s was taken for a cosignature", what)
		}
	}
	if _, err := Cosign([]byte("nothing\n"), name, seen, a); err == nil {
		t.Error("nothing was cosigned")
	}
}

// dropLine leaves out the last line of a note.
func dropLine(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return append([]byte(nil), b[:bytes.LastIndexByte(b, '\n')+1]...)
}

func TestOriginsTellNothing(t *testing.T) {
	set := []string{"org:USA/us.cisa", "org:KWT/kw.ncsc"}
	a := Origin([]byte("one secret of a log"), "us.cisa", "a", set)
	if !IsOrigin(a) || a != Origin([]byte("one secret of a log"), "us.cisa", "a", []string{set[1], set[0], set[0]}) {
		t.Error(a)
	}
	for name, b := range map[string]string{
		"another secret": Origin([]byte("two secrets of a log"), "us.cisa", "a", set), "another accord": Origin([]byte("one secret of a log"), "us.cisa", "b", set),
		"a smaller set": Origin([]byte("one secret of a log"), "us.cisa", "a", set[:1]), "other borders": Origin([]byte("one secret of a log"), "us.cis", "aa", set),
	} {
		if a == b {
			t.Errorf("%s gives the same origin", name)
		}
	}
	for _, s := range []string{"", "fed/v1/", "fed/v1/AAAAAAAAAAAAAAAAAAA1", "fed/v1/aaaaaaaaaaaaaaaaaaaa", "fed/v2/AAAAAAAAAAAAAAAAAAAA", a + "A"} {
		if IsOrigin(s) {
			t.Errorf("%q is an origin", s)
		}
	}
}

func FuzzParseBatch(f *testing.F) {
	w := newWorld(f)
	w.grow(5)
	f.Add(w.batch(1, 3, 1).Append(nil))
	f.Add((&Batch{Origin: w.origin}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		batch, err := ParseBatch(b, Limits{Envelope: 1 << 12, Frames: 20, BatchBytes: 1 << 16})
		if err != nil {
			return
		}
		if !bytes.Equal(batch.Append(nil), b) {
			t.Fatal("a batch was read that is written in another way")
		}
		v := &Verifier{Origin: batch.Origin}
		if _, err := v.Extend(batch, w.node.Key()); err == nil && batch.Origin != w.origin {
			t.Fatal("a batch that nobody signed was taken")
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	w := newWorld(f)
	w.grow(2)
	_, signed := w.checkpoint()
	f.Add(signed)
	f.Add(dropLine(signed))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := PeekCheckpoint(b)
		if err != nil {
			return
		}
		if again, err := parseCheckpoint(c.Text()); err != nil || again != c {
			t.Fatalf("%+v %+v %v", c, again, err)
		}
		_, _ = OpenCheckpoint(b, c.Origin, w.node.Key())
		_, _, _ = OpenCosignature(b, c.Origin, w.node.Key())
	})
}
