package federation_test

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/label"
	"entente/peer"
)

// load hands in malware of the nation's own, from one number to another, a thousand at a time.
func (n *nation) load(from, to int, l label.Label) {
	n.net.t.Helper()
	for ; from < to; from += 1000 {
		var s exchange.Submission
		for i := from; i < min(from+1000, to); i++ {
			s.Objects = append(s.Objects, []byte(malware(i, v1)))
			s.Labels = append(s.Labels, l)
		}
		out, err := n.exchange.Accept(context.Background(), n.as(gate.RoleAnalyst), s)
		must(n.net.t, err)
		if out[len(out)-1].State != exchange.Added {
			n.net.t.Fatalf("%+v", out[len(out)-1])
		}
	}
}

// got is how many records came from partners since the start.
func (n *nation) got() (count int64) {
	links, err := n.Links(context.Background())
	must(n.net.t, err)
	for _, l := range links {
		count += l.Got
	}
	return count
}

// report gives the median and the slow end of some durations, in milliseconds.
func report(b *testing.B, what string, took []time.Duration) {
	slices.Sort(took)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(took[len(took)/2]), what+"-p50-ms")
	b.ReportMetric(ms(took[len(took)*99/100]), what+"-p99-ms")
}

// used is the processor time of this process.
func used() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPurge is from the order to the receipts of all three holders, with stores of 10,000 objects and more.
func BenchmarkPurge(b *testing.B) {
	net := ally(b, "UTO", "RUR", "FRE", "KWT")
	uto := net.nodes["UTO"]
	net.agree(between("all", "malware", "UTO", "RUR", "FRE", "KWT"), "UTO", "RUR", "FRE", "KWT")
	const objects = 10_000
	uto.load(1, objects+1, to(label.Amber, "RUR", "FRE", "KWT"))
	net.patient("all have all", func() bool {
		return net.nodes["RUR"].got() == objects && net.nodes["FRE"].got() == objects && net.nodes["KWT"].got() == objects
	})
	b.ResetTimer()
	var took []time.Duration
	cpu := used()
	for i := range b.N {
		n := i%objects + 1
		began := time.Now()
		if _, err := uto.TakeBack(context.Background(), id("malware", n), peer.Purge, ""); err != nil {
			b.Fatal(err)
		}
		for uto.receipts(id("malware", n), peer.DidPurge) < 3 {
			time.Sleep(5 * time.Millisecond)
		}
		took = append(took, time.Since(began))
	}
	b.ReportMetric(float64((used()-cpu).Milliseconds())/float64(b.N), "cpu-ms/purge") // of all four nodes
	report(b, "receipts", took)
}

// BenchmarkPropagation is from handing in to reading at the partner, over one hop, at 500 objects a second.
func BenchmarkPropagation(b *testing.B) {
	net := ally(b, "UTO", "RUR")
	uto, rur := net.nodes["UTO"], net.nodes["RUR"]
	net.agree(between("ut-ru", "malware", "UTO", "RUR"), "UTO", "RUR")
	const every, batch = 20 * time.Millisecond, 10
	rounds := max(50, min(b.N, 500))
	began := make([]time.Time, rounds)
	took := make([]time.Duration, rounds)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range rounds {
			for began[i].IsZero() || !rur.sees(id("malware", (i+1)*batch)) {
				time.Sleep(time.Millisecond)
			}
			took[i] = time.Since(began[i])
		}
	}()
	b.ResetTimer()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for i := range rounds {
		<-tick.C
		began[i] = time.Now()
		uto.load(i*batch+1, (i+1)*batch+1, to(label.Amber, "RUR"))
	}
	<-done
	report(b, "visible", took)
}

// BenchmarkCatchUp is what a partner takes after a partition, verified and durable.
func BenchmarkCatchUp(b *testing.B) {
	const objects = 20_000
	net := ally(b, "UTO", "RUR")
	uto, rur := net.nodes["UTO"], net.nodes["RUR"]
	net.agree(between("ut-ru", "malware", "UTO", "RUR"), "UTO", "RUR")
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.patient("the first arrives", func() bool { return rur.got() == 1 })
	b.ResetTimer()
	n := 2
	for range b.N {
		net.part("UTO", "RUR", true)
		began, cpu := time.Now(), used()
		uto.load(n, n+objects, to(label.Amber, "RUR"))
		net.patient("the log has it", func() bool { return uto.logged() == uint64(n+objects) }) // the accord is a leaf too
		b.ReportMetric(objects/time.Since(began).Seconds(), "given/s")
		b.ReportMetric(float64((used()-cpu).Microseconds())/objects, "cpu-µs/given")
		began, cpu = time.Now(), used()
		net.part("UTO", "RUR", false)
		net.patient("everything arrives", func() bool { return rur.got() == int64(n+objects-1) })
		b.ReportMetric(objects/time.Since(began).Seconds(), "taken/s")
		b.ReportMetric(float64((used()-cpu).Microseconds())/objects, "cpu-µs/taken")
		n += objects
	}
}

// logged is how many leaves the own logs have under checkpoints.
func (n *nation) logged() (size uint64) {
	logs, err := n.ledger.Logs(context.Background(), own)
	must(n.net.t, err)
	for _, g := range logs {
		size += g.Signed.Size
	}
	return size
}

// BenchmarkOwnRecord is the processor time of one own record that goes nowhere: with no accord, and with one that does not permit it.
func BenchmarkOwnRecord(b *testing.B) {
	for _, accords := range []int{0, 1} {
		b.Run(fmt.Sprintf("accords=%d", accords), func(b *testing.B) {
			const objects = 20_000
			net := ally(b, "UTO", "RUR")
			uto := net.nodes["UTO"]
			for range accords {
				net.agree(between("ut-ru", "malware", "UTO", "RUR"), "UTO", "RUR")
			}
			n := 1
			b.ResetTimer()
			for range b.N {
				uto.Close() // what is handed in now waits in the journal
				uto.load(n, n+objects, to(label.Amber, "UTO"))
				n += objects
				uto.federate()
				cpu := used()
				if accords == 0 {
					uto.Start()
					time.Sleep(500 * time.Millisecond)
				} else {
					must(b, uto.CatchUp(context.Background()))
				}
				b.ReportMetric(float64((used()-cpu).Microseconds())/objects, "cpu-µs/record")
			}
		})
	}
}
