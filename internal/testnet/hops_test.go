package testnet_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/record"
	"entente/internal/store"
	"entente/internal/testnet"
	"entente/label"
)

// steps are times that something took.
type steps []time.Duration

// report gives the median and the slow end.
func (s steps) report(b *testing.B, what string) {
	slices.Sort(s)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(ms(s[len(s)/2]), what+"-p50-ms")
	b.ReportMetric(ms(s[len(s)*99/100]), what+"-p99-ms")
}

// Objects that are handed in at 500 a second.
const (
	handEvery  = 20 * time.Millisecond
	handAtOnce = 10
)

// used is the processor time of this process.
func used() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rounds is how often objects are handed in.
func rounds(b *testing.B) int { return max(50, min(b.N, 1000)) }

// watch waits until a nation sees the last object of each round, and gives how long each took since it began.
func watch(n *testnet.Nation, began []time.Time, mu *sync.Mutex, id func(round int) string) <-chan steps {
	out := make(chan steps, 1)
	go func() {
		took := make(steps, len(began))
		for i := range took {
			for {
				mu.Lock()
				at := began[i]
				mu.Unlock()
				if !at.IsZero() && n.Sees(id(i)) {
					took[i] = time.Since(at)
					break
				}
				time.Sleep(time.Millisecond)
			}
		}
		out <- took
	}()
	return out
}

// BenchmarkThreeHops is from handing in to reading at the last node, at 500 objects a second, with every file synchronised at each node before it passes anything on.
// Over a relay the hops are from a source to its node, to the relay, and to the reader; between nations each is from one nation to the next, which
// makes what it tells of what it read.
func BenchmarkThreeHops(b *testing.B) {
	b.Run("relay", func(b *testing.B) {
		net := carried(b, testnet.Options{})
		arc, bal := net.As("ARC"), net.As("BAL")
		arc.Push(testnet.To(label.Green, "BAL"), testnet.Malware(0, 1, "first", ""))
		net.Eventually("the first is there", func() bool { return bal.Sees(testnet.ID("malware", 0)) })
		began := make([]time.Time, rounds(b))
		var mu sync.Mutex
		done := watch(bal, began, &mu, func(i int) string { return testnet.ID("malware", (i+1)*handAtOnce) })
		b.ResetTimer()
		cpu := used()
		hand(began, &mu, func(i int) {
			var all []string
			for n := i*handAtOnce + 1; n <= (i+1)*handAtOnce; n++ {
				all = append(all, testnet.Malware(n, 1, fmt.Sprint("object ", n), strings.Repeat("what is known of it. ", 40)))
			}
			arc.Push(testnet.To(label.Green, "BAL"), all...)
		})
		(<-done).report(b, "visible")
		b.ReportMetric(float64((used()-cpu).Microseconds())/float64(len(began)*handAtOnce), "cpu-µs/object") // of all nodes
	})
	b.Run("nations", func(b *testing.B) {
		net := testnet.New(b, testnet.Options{}, "ARC", "BAL", "CAR", "DAN")
		codes := []string{"ARC", "BAL", "CAR", "DAN"}
		for i := range 3 {
			net.Agree(testnet.Treaty{Name: "chain-" + fmt.Sprint(i), Parties: codes[i : i+2], Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Green}}}.Text(), codes[i:i+2]...)
		}
		// The number of an object of which a nation of the chain tells: each has its own.
		number := func(hop, n int) int { return hop*10_000_000 + n }
		ctx, stop := context.WithCancel(b.Context())
		var passing sync.WaitGroup
		for hop := 1; hop < 3; hop++ {
			passing.Go(func() { pass(ctx, net.As(codes[hop]), codes[hop-1], codes[hop+1], hop, number) })
		}
		defer passing.Wait()
		defer stop()
		net.As("ARC").Push(testnet.To(label.Green, "BAL"), testnet.Malware(number(0, 0), 1, "0", ""))
		net.Eventually("the first is there", func() bool { return net.As("DAN").Sees(testnet.ID("malware", number(2, 0))) })
		began := make([]time.Time, rounds(b))
		var mu sync.Mutex
		done := watch(net.As("DAN"), began, &mu, func(i int) string { return testnet.ID("malware", number(2, (i+1)*handAtOnce)) })
		b.ResetTimer()
		cpu := used()
		hand(began, &mu, func(i int) {
			var all []string
			for n := i*handAtOnce + 1; n <= (i+1)*handAtOnce; n++ {
				all = append(all, testnet.Malware(number(0, n), 1, fmt.Sprint(n), strings.Repeat("what is known of it. ", 40)))
			}
			net.As("ARC").Push(testnet.To(label.Green, "BAL"), all...)
		})
		(<-done).report(b, "visible")
		b.ReportMetric(float64((used()-cpu).Microseconds())/float64(len(began)*handAtOnce), "cpu-µs/object") // of all nodes
	})
}

// hand does something again and again, as often as objects are handed in.
func hand(began []time.Time, mu *sync.Mutex, do func(i int)) {
	tick := time.NewTicker(handEvery)
	defer tick.Stop()
	for i := range began {
		<-tick.C
		mu.Lock()
		began[i] = time.Now()
		mu.Unlock()
		do(i)
	}
}

// pass has a nation tell the next of what the one before told it, as its workers do.
func pass(ctx context.Context, n *testnet.Nation, from, to string, hop int, number func(hop, n int) int) {
	for at := record.Seq(0); ; {
		entries, grown := n.Follow(at)
		var s exchange.Submission
		for _, e := range entries {
			at = e.Seq
			if e.Kind != store.EntryPut || e.Record == nil || e.Record.Origin.Nation != from {
				continue
			}
			var told struct {
				Name string `json:"name"`
			}
			var i int
			if json.Unmarshal(e.Record.Body, &told) != nil {
				continue
			}
			if _, err := fmt.Sscan(told.Name, &i); err != nil {
				continue
			}
			s.Objects = append(s.Objects, []byte(testnet.Malware(number(hop, i), 1, told.Name, strings.Repeat("what is known of it. ", 40))))
			s.Labels = append(s.Labels, testnet.To(label.Green, to))
		}
		if len(s.Objects) > 0 {
			n.Submit(s)
		} else {
			select {
			case <-ctx.Done():
				return
			case <-grown:
			}
		}
	}
}

// BenchmarkRelay is what goes through a relay when much waits: taken from the originator, kept, given to the reader, and verified and durable there.
func BenchmarkRelay(b *testing.B) {
	for _, size := range []int{1, 32} { // KiB of an object
		b.Run(fmt.Sprintf("KiB=%d", size), func(b *testing.B) {
			net := carried(b, testnet.Options{})
			arc, bal := net.As("ARC"), net.As("BAL")
			text := strings.Repeat("0123456789abcde\n", size*64)
			text = strings.ReplaceAll(text, "\n", ".")
			objects, at := 8192/size, 0
			load := func(n int) {
				for end := at + n; at < end; {
					var all []string
					for ; at < end && len(all) < 256; at++ {
						all = append(all, testnet.Malware(at, 1, "one", text))
					}
					arc.Push(testnet.To(label.Green, "BAL"), all...)
				}
			}
			load(1)
			net.Eventually("the first is there", func() bool { return bal.Sees(testnet.ID("malware", 0)) })
			var took time.Duration
			b.ResetTimer()
			for range b.N {
				net.Part("ARC", "HUB")
				load(objects)
				for arc.Federation.Settle(b.Context()) != nil {
				}
				net.Heal("ARC", "HUB")
				began := time.Now()
				for got := int64(0); got < int64(at); time.Sleep(5 * time.Millisecond) {
					got = 0
					for _, r := range bal.Federation.Relays() {
						got += r.Got
					}
				}
				took += time.Since(began)
			}
			b.ReportMetric(float64(b.N*objects*len(text))/1e6/took.Seconds(), "MB/s")
			b.ReportMetric(float64(b.N*objects)/took.Seconds(), "objects/s")
		})
	}
}
