package peer

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"entente/dsse"
)

var epochKey = [32]byte{5}

func (w *world) sealed(from, to, known int) *SealedBatch {
	w.t.Helper()
	s, err := w.batch(from, to, known).Seal(3, epochKey, []Wrap{{Key: [32]byte{9}, Data: []byte("wrapped")}})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// What goes through a relay arrives as it would have come straight, whatever parts it takes, and the relay ends where the reader does.
func TestSealedBatchesCarryTheLog(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		relay, reader := &Verifier{Origin: w.origin}, &Verifier{Origin: w.origin}
		for range rapid.IntRange(1, 5).Draw(rt, "steps") {
			w.grow(rapid.IntRange(0, 12).Draw(rt, "more"))
			from := rapid.IntRange(0, int(relay.Size())).Draw(rt, "from")
			to := rapid.IntRange(int(relay.Size()), len(w.frames)).Draw(rt, "to")
			known, _ := relay.Last()
			whole := w.batch(from, to, int(known.Size))
			sent, err := whole.Seal(3, epochKey, nil)
			if err != nil {
				rt.Fatal(err)
			}
			s, err := ParseSealed(sent.Append(nil), Limits{})
			if err != nil || !bytes.Equal(s.Append(nil), sent.Append(nil)) {
				rt.Fatal(err)
			}
			before := relay.Size()
			fresh, err := relay.Witness(s, w.node.Key())
			if err != nil || uint64(len(fresh)) != uint64(to)-before {
				rt.Fatal(len(fresh), err)
			}
			b, err := s.Open(epochKey, Limits{})
			if err != nil {
				rt.Fatal(err)
			}
			if !bytes.Equal(b.Append(nil), whole.Append(nil)) {
				rt.Fatal("another batch came out than went in")
			}
			if _, err := reader.Extend(b, w.node.Key()); err != nil {
				rt.Fatal(err)
			}
			if relay.edge.Root() != reader.edge.Root() || relay.Size() != reader.Size() {
				rt.Fatal("the relay ended elsewhere than the reader")
			}
		}
	})
}

func TestStreamsOfSealedBatches(t *testing.T) {
	w := newWorld(t)
	w.grow(5)
	one := w.sealed(0, 5, 0).Append(nil)
	in := bufio.NewReader(bytes.NewReader(slices.Concat([]byte{itemPing}, one, one)))
	for i, want := range []bool{false, true, true} {
		if got, err := ReadSealed(in, Limits{}); err != nil || (got != nil) != want {
			t.Fatalf("item %d: %v", i, err)
		}
	}
	if _, err := ReadSealed(in, Limits{}); err != io.EOF {
		t.Error(err)
	}
	if _, err := ReadSealed(bufio.NewReader(bytes.NewReader(w.batch(0, 5, 0).Append(nil))), Limits{}); code(err) != CodeForm {
		t.Errorf("a batch in clear: %v", err)
	}
	if _, err := ReadBatch(bufio.NewReader(bytes.NewReader(one)), Limits{}); code(err) != CodeForm {
		t.Errorf("a sealed batch among others: %v", err)
	}
	for n := range one {
		if _, err := ParseSealed(one[:n], Limits{}); err == nil {
			t.Fatalf("%d of %d bytes were taken", n, len(one))
		}
	}
	for name, l := range map[string]Limits{"items": {Frames: 4}, "bytes": {BatchBytes: 500}} {
		if _, err := ReadSealed(bufio.NewReader(bytes.NewReader(one)), l); code(err) != CodeSize {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A relay sees a log's name, padded sizes and its checkpoints; nothing of a leaf or an envelope is among the bytes.
func TestSealedBatchesTellNothingOfFrames(t *testing.T) {
	w := newWorld(t)
	w.grow(8)
	b := w.sealed(0, 8, 0).Append(nil)
	for i := range w.frames {
		f := &w.frames[i]
		for _, secret := range [][]byte{f.Leaf.Append(nil), f.Leaf.Commit[:], f.Leaf.Accord[:], f.Salt[:], f.Envelope} {
			if len(secret) > 8 && bytes.Contains(b, secret) {
				t.Errorf("frame %d shows %x", i, secret)
			}
		}
	}
}

func TestRelaysAreCaughtAndCatch(t *testing.T) {
	w := newWorld(t)
	w.grow(20)
	fresh := func() *SealedBatch { return w.sealed(10, 20, 10) }
	relay := &Verifier{Origin: w.origin}
	if _, err := relay.Witness(w.sealed(0, 10, 0), w.node.Key()); err != nil {
		t.Fatal(err)
	}
	if last, _ := relay.Last(); last.Size != 20 {
		t.Fatal(last)
	}
	shorter, _ := SignCheckpoint(Checkpoint{w.origin, 15, tlog.Hash{1}, at}, w.node)
	other, _ := SignCheckpoint(Checkpoint{w.origin, 20, tlog.Hash{1}, at}, w.node)
	for name, c := range map[string]struct {
		change  func(*SealedBatch)
		witness string // what the relay finds in a batch of the originator
		open    string // what a reader finds in a batch of the relay
	}{
		"a gap":                         {func(b *SealedBatch) { b.From++ }, CodeGap, CodeSealed},
		"another log":                   {func(b *SealedBatch) { b.Origin = "fed/v1/AAAAAAAAAAAAAAAAAAAA" }, CodeOrigin, CodeSealed},
		"a smaller log":                 {func(b *SealedBatch) { b.Items, b.Checkpoint = b.Items[:0], shorter }, CodeRollback, ""},
		"another past":                  {func(b *SealedBatch) { b.Checkpoint = other }, "equivocation", ""},
		"an item left out":              {func(b *SealedBatch) { b.Items = slices.Delete(b.Items, 3, 4) }, CodeProof, CodeSealed},
		"an item twice":                 {func(b *SealedBatch) { b.Items[4] = b.Items[3] }, CodeProof, CodeSealed},
		"items in another order":        {func(b *SealedBatch) { b.Items[3], b.Items[4] = b.Items[4], b.Items[3] }, CodeProof, CodeSealed},
		"a leaf under another box":      {func(b *SealedBatch) { b.Items[3].Leaf[0]++ }, CodeProof, CodeSealed},
		"a changed box":                 {func(b *SealedBatch) { b.Items[3].Box[40]++ }, "", CodeSealed},
		"another epoch":                 {func(b *SealedBatch) { b.Epoch++ }, "", CodeSealed},
		"no epoch":                      {func(b *SealedBatch) { b.Epoch = 0 }, CodeForm, CodeForm},
		"a box of another size":         {func(b *SealedBatch) { b.Items[3].Box = append(b.Items[3].Box, 0) }, CodeSize, CodeSize},
		"no box":                        {func(b *SealedBatch) { b.Items[3].Box = nil }, CodeSize, CodeSize},
		"half a checkpoint's signature": {func(b *SealedBatch) { b.Checkpoint = dropLine(b.Checkpoint) }, CodeCheckpoint, ""},
	} {
		b := fresh()
		c.change(b)
		v, err := Resume(w.origin, relay.Memory(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Witness(b, w.node.Key()); code(err) != c.witness {
			t.Errorf("%s: the relay says %v, want %q", name, err, c.witness)
		}
		if _, err := b.Open(epochKey, Limits{}); code(err) != c.open {
			t.Errorf("%s: the reader says %v, want %q", name, err, c.open)
		}
	}
	if _, err := fresh().Open([32]byte{6}, Limits{}); code(err) != CodeSealed {
		t.Errorf("under another key: %v", err)
	}
	if _, err := relay.Witness(fresh(), private(t, true).Key()); code(err) != CodeCheckpoint {
		t.Errorf("by another node: %v", err)
	}
}

// Who has the key and lies about the leaf is found out, and so is one who hides something in the padding.
func TestBoxesHoldWhatStandsThere(t *testing.T) {
	w := newWorld(t)
	w.grow(3)
	aead, err := boxCipher(epochKey)
	if err != nil {
		t.Fatal(err)
	}
	f := w.frames[1]
	put := func(plain []byte) error {
		b := w.sealed(0, 3, 0)
		b.Items[1].Box = aead.Seal(nil, nil, plain, boxData(b.Origin, 1, b.Items[1].Leaf, b.Epoch))
		_, err := b.Open(epochKey, Limits{})
		return err
	}
	pad := func(b []byte, n int) []byte { return append(b, make([]byte, n-len(b))...) }
	plain := f.Append(nil)
	n := int(Padme(uint64(len(plain))))
	if n == len(plain) {
		t.Fatal("the frame has no padding to try")
	}
	loud := pad(slices.Clone(plain), n)
	loud[n-1] = 1
	for name, c := range map[string]struct {
		plain []byte
		code  string
	}{
		"itself":         {pad(slices.Clone(plain), n), ""},
		"too much":       {pad(slices.Clone(plain), int(Padme(uint64(n+1)))), CodeForm},
		"in the padding": {loud, CodeForm},
		"another frame":  {pad(w.frames[0].Append(nil), int(Padme(uint64(len(w.frames[0].Append(nil)))))), CodeProof},
		"no frame":       {pad(nil, n), CodeForm},
	} {
		if err := put(c.plain); code(err) != c.code {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
}

func TestWhatRelaysSign(t *testing.T) {
	w := newWorld(t)
	w.grow(7)
	v := &Verifier{Origin: w.origin}
	if _, err := v.Witness(w.sealed(0, 7, 0), w.node.Key()); err != nil {
		t.Fatal(err)
	}
	custody := Custody{Origin: w.origin, Of: "CAN", Nation: "KWT", Org: "kw.hub", Size: 7, Root: v.edge.Root(), Time: at}
	receipt, err := SignCustody(realm, custody, w.node)
	if err != nil {
		t.Fatal(err)
	}
	o := opener(w)
	got, signers, err := o.Custody(receipt)
	if err != nil || got.Root != custody.Root || got.Size != 7 || len(signers) != 1 {
		t.Fatalf("%+v %v", got, err)
	}
	if _, _, err := o.RelayHead(receipt); code(err) != CodeSignature {
		t.Errorf("a receipt was taken for a head: %v", err)
	}
	exercise := Opener{Realm: "exercise:x", Keys: w.find}
	if _, _, err := exercise.Custody(receipt); code(err) != CodeSignature {
		t.Errorf("in another realm: %v", err)
	}
	head := func(size uint64, root tlog.Hash, after time.Duration) RelayHead {
		b, err := SignRelayHead(realm, RelayHead{Origin: w.origin, Of: "CAN", Nation: "KWT", Org: "kw.hub", Size: size, Root: root, Time: at.Add(after)}, w.node)
		if err != nil {
			t.Fatal(err)
		}
		h, _, err := o.RelayHead(b)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for name, c := range map[string]struct {
		h    RelayHead
		want bool
	}{
		"less than before":    {head(6, tlog.Hash{1}, time.Second), true},
		"less, but earlier":   {head(6, tlog.Hash{1}, -time.Second), false},
		"as much":             {head(7, custody.Root, time.Second), false},
		"as much, but other":  {head(7, tlog.Hash{1}, time.Second), true},
		"more":                {head(9, tlog.Hash{1}, time.Second), false},
		"nothing, after that": {head(0, emptyRoot, time.Hour), true},
	} {
		if c.h.Contradicts(got) != c.want {
			t.Errorf("%s: contradicts is %t", name, !c.want)
		}
	}
	elsewhere := head(6, tlog.Hash{1}, time.Second)
	elsewhere.Org = "kw.other"
	if elsewhere.Contradicts(got) {
		t.Error("another relay was accused")
	}
	for name, change := range map[string]func(*Custody){
		"no log": func(c *Custody) { c.Origin = "x" }, "no nation": func(c *Custody) { c.Nation = "kw" }, "of nobody": func(c *Custody) { c.Of = "" }, "no organisation": func(c *Custody) { c.Org = "" },
		"no time": func(c *Custody) { c.Time = time.Time{} }, "nothing with a root": func(c *Custody) { c.Size = 0 }, "too much": func(c *Custody) { c.Size = maxSize + 1 },
	} {
		c := custody
		change(&c)
		if _, err := SignCustody(realm, c, w.node); code(err) != CodeRendition {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever is changed on the way, a relay and a reader together take what the originator logged or nothing. ENTENTE_MUTATIONS says how many changes are tried.
func TestMutatedSealedBatchesAreNeverTaken(t *testing.T) {
	w := newWorld(t)
	w.grow(3)
	wire := w.sealed(0, 3, 0).Append(nil)
	want := w.batch(0, 3, 0)
	whole, _ := w.checkpoint()
	n := 80_000
	if v, err := strconv.Atoi(os.Getenv("ENTENTE_MUTATIONS")); err == nil {
		n = v
	}
	r := rand.New(rand.NewPCG(5, uint64(n)))
	taken := 0
	for i := range n {
		c := slices.Clone(wire)
		from := r.IntN(len(c))
		to := from + 1 + r.IntN(min(len(c)-from, 40))
		switch r.IntN(4) {
		case 0:
			c[from] ^= 1 << r.IntN(8)
		case 1:
			r.Shuffle(to-from, func(i, j int) { c[from+i], c[from+j] = c[from+j], c[from+i] })
		case 2:
			c = slices.Delete(c, from, to)
		case 3:
			c = slices.Insert(c, from, c[from:to]...)
		}
		s, err := ParseSealed(c, Limits{})
		if err != nil {
			continue
		}
		b, err := s.Open(epochKey, Limits{})
		if err != nil {
			continue
		}
		v := &Verifier{Origin: w.origin}
		frames, err := v.Extend(b, w.node.Key())
		if err != nil {
			continue
		}
		taken++
		if len(frames) > 3 || v.last.Root != whole.Root {
			t.Fatalf("mutation %d led to another log", i)
		}
		for j := range frames {
			if !bytes.Equal(frames[j].Append(nil), want.Frames[j].Append(nil)) {
				t.Fatalf("mutation %d: another frame was taken at %d", i, j)
			}
		}
	}
	t.Logf("%d of %d changes were of no consequence", taken, n)
}

func FuzzSealedBatch(f *testing.F) {
	w := newWorld(f)
	w.grow(4)
	f.Add(w.sealed(0, 4, 0).Append(nil))
	f.Add(w.sealed(2, 3, 1).Append(nil))
	f.Add([]byte("S\x00\x00\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSealed(b, Limits{})
		var own *Error
		if err != nil {
			if !errors.As(err, &own) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		if !bytes.Equal(s.Append(nil), b) {
			t.Fatal("what was read is written otherwise")
		}
		if opened, err := s.Open(epochKey, Limits{}); err == nil {
			if again, err := opened.Seal(s.Epoch, epochKey, s.Wraps); err != nil || len(again.Append(nil)) != len(b) {
				t.Fatal(err)
			}
		}
	})
}

func FuzzCarried(f *testing.F) {
	signer, err := dsse.FromSeed(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		f.Fatal(err)
	}
	c := Custody{Origin: "fed/v1/AAAAAAAAAAAAAAAAAAAA", Of: "CAN", Nation: "KWT", Org: "kw.hub", Size: 7, Time: at}
	b, err := SignCustody(realm, c, signer)
	if err != nil {
		f.Fatal(err)
	}
	e, err := dsse.Parse(b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.Payload)
	f.Add([]byte(`{"v":1,"size":1e3}`))
	o := Opener{Realm: realm, Keys: func(string) *dsse.Key { return signer.Key() }}
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := dsse.Sign(dsse.InRealm(CustodyType, realm), payload, signer)
		if err != nil {
			return
		}
		if got, _, err := o.Custody(e.Bytes()); err == nil {
			if _, err := SignCustody(realm, got, signer); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkSealedBatch(b *testing.B) {
	w := newWorld(b)
	for i := range 1000 {
		w.add(Put, 0, w.rendition(i))
	}
	plain := w.batch(0, 1000, 0)
	s, err := plain.Seal(1, epochKey, nil)
	if err != nil {
		b.Fatal(err)
	}
	wire := s.Append(nil)
	b.Run("seal", func(b *testing.B) {
		b.SetBytes(int64(len(wire)))
		for b.Loop() {
			if _, err := plain.Seal(1, epochKey, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("witness", func(b *testing.B) {
		b.SetBytes(int64(len(wire)))
		for b.Loop() {
			s, err := ParseSealed(wire, Limits{})
			if err != nil {
				b.Fatal(err)
			}
			v := &Verifier{Origin: w.origin}
			if _, err := v.Witness(s, w.node.Key()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		b.SetBytes(int64(len(wire)))
		for b.Loop() {
			if _, err := s.Open(epochKey, Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
