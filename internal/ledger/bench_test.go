package ledger

import (
	"context"
	"fmt"
	"testing"

	"entente/dsse"
	"entente/label"
	"entente/peer"
)

const realm = "operational"

// signedBatch is a log of renditions, signed by the hundred, as its wire bytes.
func signedBatch(b *testing.B, n int) (wires [][]byte, origin string, author *dsse.Key) {
	b.Helper()
	p, err := dsse.Generate(false)
	if err != nil {
		b.Fatal(err)
	}
	l := openAt(b, Config{Dir: b.TempDir()})
	g := ownLog(b, l)
	var payloads [][]byte
	for i := range n {
		r := peer.Rendition{Audience: []string{"org:KWT/kw.ncsc"}, Class: peer.Full, Label: label.Bottom(), Nation: "USA", Org: "us.cisa", Object: fmt.Appendf(nil, `{"id":%q,"description":"%01000d"}`, objectID(i), i)}
		text, err := r.Payload()
		if err != nil {
			b.Fatal(err)
		}
		payloads = append(payloads, text)
	}
	envelopes, err := peer.SignRenditions(realm, payloads, p)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < n; i += 500 {
		var entries []Entry
		for j := i; j < i+500; j++ {
			e := put1(g.Origin, j)
			e.Envelope = envelopes[j]
			entries = append(entries, e)
		}
		if _, err := l.Append(context.Background(), Cursor{}, entries...); err != nil {
			b.Fatal(err)
		}
	}
	sign(b, l, g.Origin)
	known := uint64(0)
	for i := 0; i < n; i += 500 {
		batch, err := l.Frames(context.Background(), g.Origin, peer.Pull{From: uint64(i), Known: known, Frames: 500})
		if err != nil {
			b.Fatal(err)
		}
		wires = append(wires, batch.Append(nil))
		known = uint64(n)
	}
	return wires, g.Origin, p.Key()
}

// BenchmarkVerifiedAndDurable takes batches of 500 frames from the wire: verified, their renditions opened, and the log mirrored, one commit a batch. What
// the store of objects costs is not in it.
func BenchmarkVerifiedAndDurable(b *testing.B) {
	const n = 5000
	wires, origin, author := signedBatch(b, n)
	find := func(id string) *dsse.Key {
		if id == author.ID() {
			return author
		}
		return nil
	}
	ctx := context.Background()
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		l := openAt(b, Config{Dir: b.TempDir()})
		v, err := l.Mirror(ctx, origin, "USA", toKWT)
		if err != nil {
			b.Fatal(err)
		}
		o := &peer.Opener{Realm: realm, Keys: find}
		b.StartTimer()
		for _, w := range wires {
			batch, err := peer.ParseBatch(w, peer.Limits{})
			if err != nil {
				b.Fatal(err)
			}
			from := v.Size()
			fresh, err := v.Extend(batch, notary.Key())
			if err != nil {
				b.Fatal(err)
			}
			taken := make([]Taken, len(fresh))
			for i, f := range fresh {
				if _, _, err := o.Rendition(f.Envelope); err != nil {
					b.Fatal(err)
				}
				taken[i] = Taken{Frame: f, Object: objectID(int(from) + i), Did: peer.DidStore}
			}
			if err := l.Extend(ctx, v, from, taken); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		l.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "frames/s")
}

// BenchmarkAppend adds leaves with envelopes of 1.2 kB to an own log, 500 a commit.
func BenchmarkAppend(b *testing.B) {
	l := openAt(b, Config{Dir: b.TempDir()})
	g := ownLog(b, l)
	entries := make([]Entry, 500)
	n := 0
	for b.Loop() {
		for i := range entries {
			entries[i] = put1(g.Origin, n)
			entries[i].Envelope = make([]byte, 1200)
			n++
		}
		if _, err := l.Append(context.Background(), Cursor{"outflow", []byte("1")}, entries...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "leaves/s")
}
