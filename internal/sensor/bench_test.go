package sensor

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"entente/internal/indicator"
	"entente/internal/input"
	"entente/internal/recall"
	"entente/internal/spool"
)

// BenchmarkTake is what a sensor does with one event of Zeek: scan, look up 1,000,000 indicators, remember what was seen, tell what was met.
func BenchmarkTake(b *testing.B) {
	for _, remember := range []bool{true, false} {
		b.Run(fmt.Sprintf("remember=%t", remember), func(b *testing.B) {
			dir := b.TempDir()
			s := &Sensor{o: Options{Dir: dir, Now: time.Now, Log: slog.New(slog.DiscardHandler)}, workers: make(chan *worker, 1), gate: newGate(), live: map[*block]struct{}{}, errors: map[string]string{},
				telling: make(chan struct{}, 1), keeping: make(chan struct{}, 1), changed: make(chan struct{}, 1)}
			if err := s.o.Config.Validate(); err != nil {
				b.Fatal(err)
			}
			s.workers <- newWorker(s)
			var err error
			if s.spool, err = spool.Open(spool.Config{Dir: filepath.Join(dir, "spool"), MaxBytes: 1 << 30}); err != nil {
				b.Fatal(err)
			}
			defer s.spool.Close()
			if s.memory, err = recall.Open(recall.Config{Dir: filepath.Join(dir, "recall"), Hash: recall.NewHash([16]byte{1}), Now: time.Now}); err != nil {
				b.Fatal(err)
			}
			defer s.memory.Close()
			if s.mutes, err = openMutes(dir, s.o.Config.Limits, time.Now); err != nil {
				b.Fatal(err)
			}
			build := indicator.NewBuilder(indicator.Key{1})
			m := build.Meta(indicator.Meta{Source: "indicator--1", Confidence: -1})
			for i := range 1_000_000 {
				v, err := indicator.New(indicator.Domain, fmt.Sprintf("bad%d.example", i))
				if err == nil {
					err = build.Add(v, m)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			table, err := indicator.NewTable(build.Snapshot(0), indicator.DefaultDecay())
			if err != nil {
				b.Fatal(err)
			}
			l, err := newLook(compile(&keptRules{}, fit{}), table)
			if err != nil {
				b.Fatal(err)
			}
			s.look.Store(l)
			if !remember {
				w := <-s.workers
				w.look, w.watcher = l, l.set.Watcher()
				s.workers <- w
			}
			r := rand.New(rand.NewPCG(1, 2))
			batch, size := &input.Batch{Source: "zeek"}, 0
			for range 1000 {
				line := fmt.Sprintf(`{"ts":%d.5,"_path":"http","uid":"C%d","id.orig_h":"10.0.%d.%d","id.orig_p":50000,"id.resp_h":"198.51.100.%d","id.resp_p":80,"trans_depth":1,"method":"GET",`+
					`"host":"host%d.example.org","uri":"/index/%d","referrer":"-","version":"1.1","user_agent":"Mozilla/5.0 (X11; Linux) %d","request_body_len":0,"response_body_len":5000,"status_code":200}`,
					time.Now().Unix(), r.IntN(1e9), r.IntN(8), r.IntN(250), r.IntN(250), r.IntN(5000), r.IntN(300), r.IntN(20))
				batch.Lines = append(batch.Lines, []byte(line))
				size += len(line)
			}
			f := &Feed{Opened: input.Opened{Name: "zeek", Format: "auto"}}
			b.SetBytes(int64(size / 1000))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if n%1000 == 0 {
					batch.Block, batch.Last = fmt.Sprint(n/2000), n/1000%2 == 1
					if err := s.take(b.Context(), f, batch); err != nil {
						b.Fatal(err)
					}
					if n%50_000 == 0 {
						if err := s.keepRound(); err != nil {
							b.Fatal(err)
						}
					}
				}
				n++
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
