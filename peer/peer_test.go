package peer

import (
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
	"entente/label"
)

var at = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

const realm = "operational"

// world is an originator with one log, in memory.
type world struct {
	t      testing.TB
	origin string
	node   *dsse.Private // hybrid: signs checkpoints
	author *dsse.Private // signs renditions
	frames []Frame
	hashes []tlog.Hash
}

func newWorld(t testing.TB) *world {
	return &world{t: t, origin: Origin([]byte("secret"), "us.cisa", "us-kw-cip", []string{"org:USA/us.cisa", "org:KWT/kw.ncsc"}), node: private(t, true), author: private(t, false)}
}

func private(t testing.TB, hybrid bool) *dsse.Private {
	t.Helper()
	p, err := dsse.Generate(hybrid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w *world) read(is []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range is {
		if i >= int64(len(w.hashes)) {
			return nil, errors.New("no such hash")
		}
		out = append(out, w.hashes[i])
	}
	return out, nil
}

func (w *world) add(kind Kind, target uint64, envelope []byte) Frame {
	f := Frame{Leaf: Leaf{Kind: kind, Accord: [32]byte{1}, Order: 1, Time: at, Bucket: Padme(uint64(len(envelope))), Target: target}, Envelope: envelope}
	_, _ = rand.Read(f.Salt[:])
	f.Leaf.Commit = Commit(f.Salt, envelope)
	hs, err := tlog.StoredHashesForRecordHash(int64(len(w.frames)), f.Leaf.Hash(), tlog.HashReaderFunc(w.read))
	if err != nil {
		w.t.Fatal(err)
	}
	w.hashes = append(w.hashes, hs...)
	w.frames = append(w.frames, f)
	return f
}

func (w *world) grow(n int) {
	for range n {
		w.add(Put, 0, fmt.Appendf(nil, "envelope %d", len(w.frames)))
	}
}

func (w *world) checkpoint() (Checkpoint, []byte) {
	root, err := Root(uint64(len(w.frames)), tlog.HashReaderFunc(w.read))
	if err != nil {
		w.t.Fatal(err)
	}
	c := Checkpoint{w.origin, uint64(len(w.frames)), root, at}
	b, err := SignCheckpoint(c, w.node)
	if err != nil {
		w.t.Fatal(err)
	}
	return c, b
}

func (w *world) batch(from, to, known int) *Batch {
	b := &Batch{Origin: w.origin, From: uint64(from), Frames: append([]Frame(nil), w.frames[from:to]...)}
	c, signed := w.checkpoint()
	b.Checkpoint = signed
	var err error
	if b.Leads, err = Prove(uint64(to), c.Size, tlog.HashReaderFunc(w.read)); err != nil {
		w.t.Fatal(err)
	}
	if b.Grows, err = Prove(uint64(known), c.Size, tlog.HashReaderFunc(w.read)); err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) rendition(i int) []byte {
	l := label.Bottom()
	object := fmt.Appendf(nil, `{"type":"indicator","spec_version":"2.1","id":"indicator--%08d-0000-4000-8000-000000000000","pattern":"[ipv4-addr:value = '198.51.100.%d']","n":1.0e0,"description":"%0900d"}`, i, i%250, i)
	r := &Rendition{Accord: [32]byte{1}, Audience: []string{"org:KWT/kw.ncsc", "org:USA/us.cisa"}, Class: Full, Label: l, Nation: "USA", Org: "us.cisa", Object: object}
	b, err := r.Payload()
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) find(id string) *dsse.Key {
	for _, k := range []*dsse.Key{w.author.Key(), w.node.Key()} {
		if k.ID() == id {
			return k
		}
	}
	return nil
}

func code(err error) string {
	var own *Error
	var e *Equivocation
	switch {
	case err == nil:
		return ""
	case errors.As(err, &own):
		return own.Code
	case errors.As(err, &e):
		return "equivocation"
	}
	return "other: " + err.Error()
}

func benchmarkVerified(b *testing.B, size int) {
	w := newWorld(b)
	var payloads [][]byte
	for i := range 1000 {
		payloads = append(payloads, w.rendition(i))
	}
	for i := 0; i < len(payloads); i += size {
		es, err := SignRenditions(realm, payloads[i:i+size], w.author)
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range es {
			w.add(Put, 0, e)
		}
	}
	wire := w.batch(0, len(w.frames), 0).Append(nil)
	b.SetBytes(int64(len(wire)))
	for b.Loop() {
		v := &Verifier{Origin: w.origin}
		o := &Opener{Realm: realm, Keys: w.find}
		batch, err := ParseBatch(wire, Limits{})
		if err != nil {
			b.Fatal(err)
		}
		fresh, err := v.Extend(batch, w.node.Key())
		if err != nil {
			b.Fatal(err)
		}
		for i := range fresh {
			if _, _, err := o.Rendition(fresh[i].Envelope); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N*len(w.frames))/b.Elapsed().Seconds(), "frames/s")
}

// BenchmarkVerifiedSingly verifies frames from the wire to the opened rendition; every envelope has a signature of its own.
func BenchmarkVerifiedSingly(b *testing.B) { benchmarkVerified(b, 1) }

// BenchmarkVerifiedInBatches does the same where a thousand envelopes share one signature.
func BenchmarkVerifiedInBatches(b *testing.B) { benchmarkVerified(b, 1000) }
