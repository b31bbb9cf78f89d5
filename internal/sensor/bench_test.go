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
	wire "entente/sensor"
	"entente/sigma"
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

// BenchmarkCut is what it costs to write down all that correlations and patterns have seen, and to go on from it: with 1,000,000 groups of a correlation, and with 10,000 patterns
// of two events of which one came.
func BenchmarkCut(b *testing.B) {
	lone := newLone(b)
	feed := &Feed{Opened: input.Opened{Name: "zeek", Format: "json"}}
	now := time.Now()
	groups := func() (*look, *Sensor, string) {
		l, dir := lookFor(b, severalRules()...), b.TempDir()
		s := lone.sensor(b, dir, l)
		var rule *sigma.Meta
		for _, q := range l.rules.ready.Queries {
			if q.Rule.Name == "named" {
				rule = &q.Rule.Meta
			}
		}
		blk := &block{feed: feed, name: "0"}
		for i := 0; i < 1_000_000; {
			var hits []sigma.Hit
			for range 1000 {
				when := now.Add(time.Duration(i) * time.Nanosecond)
				hits = append(hits, sigma.Hit{Rule: rule, Time: when, Index: uint64(i), Event: sigma.Fields{"query": {sigma.Text(fmt.Sprintf("host%d.r.example", i))}}})
				i++
			}
			blk.lines += 1000
			s.several.add(blk, "zeek\x00log", hits, nil, time.Time{})
		}
		s.several.engine.Flush()
		return l, s, dir
	}
	patterns := func() (*look, *Sensor, string) {
		var rules []wire.Rule
		batch := &input.Batch{Source: "log", Block: "0"}
		for i := range 10_000 {
			rules = append(rules, wire.Rule{Source: fmt.Sprint("indicator--", i), Type: "stix", Pattern: fmt.Sprintf("[domain-name:value = 'a%d.example'] FOLLOWEDBY [ipv4-addr:value = '203.0.113.5'] WITHIN 300 SECONDS", i)})
			batch.Lines = append(batch.Lines, fmt.Appendf(nil, `{"ts":%q,"_path":"dns","query":"a%d.example","id.orig_h":"10.0.0.1"}`, now.UTC().Format(time.RFC3339Nano), i))
		}
		l, dir := lookFor(b, rules...), b.TempDir()
		s := lone.sensor(b, dir, l)
		if err := s.take(b.Context(), feed, batch); err != nil {
			b.Fatal(err)
		}
		return l, s, dir
	}
	for _, x := range []struct {
		name string
		make func() (*look, *Sensor, string)
	}{{"groups=1000000", groups}, {"patterns=10000", patterns}} {
		l, s, dir := x.make()
		b.Run(x.name+"/cut", func(b *testing.B) {
			for b.Loop() {
				s.several.journal.stale = true
				if err := s.several.sync(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(s.several.journal.cut)/1e6, "MB")
		})
		b.Run(x.name+"/restore", func(b *testing.B) {
			for b.Loop() {
				if again := lone.sensor(b, dir, l); again.several.covered("0") == 0 {
					b.Fatal("it does not go on from the cut")
				}
			}
		})
		if said := lone.said.String(); said != "" {
			b.Fatal(said)
		}
	}
}
