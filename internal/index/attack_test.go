package index

import (
	"bytes"
	"os"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/shareddata"
	"entente/stix"
)

// BenchmarkAttack imports ATT&CK Enterprise, some 25,000 objects, while the index follows, and tells how far it is behind at the end.
func BenchmarkAttack(b *testing.B) {
	f, err := os.Open(shareddata.Dir(b, "stix", "attack", "enterprise-attack-18.1.json.gz"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var objects [][]byte
	if _, err := stix.Split(f, func(raw []byte) error { objects = append(objects, bytes.Clone(raw)); return nil }); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		w := newWorld(b)
		w.must(w.x.Close())
		c := w.config()
		c.Poll = 0
		w.x, err = Open(b.Context(), c, source{w})
		w.must(err)
		began := time.Now()
		for left := objects; len(left) > 0; {
			n := min(len(left), 1000)
			_, err := w.Accept(b.Context(), us, exchange.Submission{Objects: left[:n], Via: "test"})
			w.must(err)
			left = left[n:]
		}
		imported := time.Now()
		w.must(w.x.Sync(b.Context()))
		b.ReportMetric(imported.Sub(began).Seconds(), "s/import")
		b.ReportMetric(time.Since(imported).Seconds(), "s/lag")
		w.close()
	}
}
