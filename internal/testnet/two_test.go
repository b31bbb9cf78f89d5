package testnet_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"entente/internal/testnet"
	"entente/peer"
)

// observer is who must not learn what is hidden from it, giver the nation that it asks.
const (
	observer = "OBS"
	giver    = "GIV"
)

// number is how many worlds are tried: what the environment says, or so many.
func number(t testing.TB, name string, n int) int {
	if s := os.Getenv(name); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return n
}

// run is one of two runs of some worlds, which the same nations live through one after the other: what was hidden in those before is there in those that follow.
type run struct {
	t      *testing.T
	net    *testnet.Net
	giver  *testnet.Nation
	clock  *testnet.Clock
	log    strings.Builder // everything that the observer received in this world
	logs   []string        // and in those before
	stream *listener
	sizes  map[string]uint64 // of the observer's logs
	mine   []string          // those of them that began in this world
	hidden bool              // whether hidden things are there
	act    atomic.Int64      // the number of what happens now
	tick   tick              // held while something happens
	others [][]string        // by world, names of all logs that there are where hidden things are
	asked  map[string]bool   // those of them that were asked for already
	short  string            // what the stream did not bring
}

// play makes one of the two runs. Others are the names of logs that the other run had.
func play(t *testing.T, o testnet.Options, scripts []*script, hidden bool, others [][]string) *run {
	w := &run{t: t, clock: testnet.NewClock(testnet.Began.Add(time.Hour)), tick: make(tick, 1), sizes: map[string]uint64{}, hidden: hidden, others: others, asked: map[string]bool{}}
	o.Now, o.Deaf, o.Known = w.clock.Now, true, []string{observer, "OTH"}
	w.tick.lock() // the stream brings what is new when it ends, as one
	inner := o.Backend
	o.Backend = func(n *testnet.Nation, b peer.Backend) peer.Backend {
		if inner != nil {
			b = inner(n, b)
		}
		return ticking{b, w.tick}
	}
	o.Rand = func() io.Reader { return salt{&w.act} }
	if hidden {
		o.Known = append(o.Known, "THI")
	}
	w.net = testnet.New(t, o, giver)
	defer w.net.Close()
	w.giver = w.net.As(giver)
	w.stream = listen(w.giver.Handler(observer))
	defer w.stream.close()
	defer w.tick.unlock()
	for _, s := range scripts {
		w.live(s)
	}
	return w
}

// live is one world, after which the observer asks for everything.
func (w *run) live(s *script) {
	w.mine = nil
	for _, a := range s.acts {
		w.act.Add(1)
		if a.hidden && !w.hidden {
			continue
		}
		if !a.hidden {
			w.clock.Move(time.Second)
			fmt.Fprintf(&w.log, "\n== %s\n", a.name)
		}
		a.do(w)
		if a.hidden && a.hastes {
			continue
		}
		w.net.Settle()
		if !a.hidden {
			if err := w.giver.Federation.Keep(context.Background()); err != nil {
				w.t.Error(err)
			}
			w.look()
		}
	}
	w.askEverything(s)
	w.log.WriteString("\n== stream\n" + w.stream.text())
	w.logs = append(w.logs, w.log.String())
	w.log.Reset()
}

// ticking tells what is new at certain times only, so that it does not depend on how fast the giver works.
type ticking struct {
	peer.Backend
	tick tick
}

// tick is a lock for which time does not stand still.
type tick chan struct{}

func (t tick) lock()   { t <- struct{}{} }
func (t tick) unlock() { <-t }

func (t ticking) Wait(ctx context.Context, since []peer.Position) ([]peer.Head, error) {
	heads, err := t.Backend.Wait(ctx, since)
	if err != nil || len(heads) == 0 {
		return heads, err
	}
	t.tick.lock()
	defer t.tick.unlock()
	return t.Backend.Wait(ctx, since)
}

// salt is randomness that depends on what happens in both runs alone: all that is drawn in one act is the same.
type salt struct{ act *atomic.Int64 }

func (s salt) Read(b []byte) (int, error) {
	for i := range b {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", s.act.Load(), i/32))
		b[i] = sum[i%32]
	}
	return len(b), nil
}

// ask gives an answer as the caller receives it, but for what says when it was sent.
func ask(h http.Handler, method, path, media string, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://giver"+path, bytes.NewReader(body))
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	a := httptest.NewRecorder()
	h.ServeHTTP(a, r)
	return a
}

func (w *run) ask(method, path, media string, body []byte) []byte {
	return w.write(method+" "+path, ask(w.giver.Handler(observer), method, path, media, body))
}

func (w *run) write(what string, a *httptest.ResponseRecorder) []byte {
	fmt.Fprintf(&w.log, "%s -> %d", what, a.Code)
	var names []string
	for name := range a.Header() {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&w.log, " %s=%q", name, a.Header()[name])
	}
	fmt.Fprintf(&w.log, "\n%s\n", a.Body)
	return a.Body.Bytes()
}

// look is what the observer can ask after every act: what logs there are, and all that is in those that grew.
func (w *run) look() {
	var list struct {
		Logs []struct {
			Origin string
			Size   uint64
		}
	}
	if err := json.Unmarshal(w.ask("GET", "/fed/v1/logs", "", nil), &list); err != nil {
		w.t.Error(err)
	}
	for _, h := range list.Logs {
		size, known := w.sizes[h.Origin]
		if !known {
			w.mine = append(w.mine, h.Origin)
		}
		if size != h.Size {
			w.ask("GET", "/fed/v1/log/"+strings.TrimPrefix(h.Origin, peer.OriginPrefix), "", nil)
		}
		w.sizes[h.Origin] = h.Size
	}
	w.tick.unlock()
	synctest.Wait()
	if lacks := w.stream.lacks(w.sizes); lacks != "" && w.short == "" {
		w.short = lacks
	}
	w.tick.lock()
}

// listener reads a stream from its beginning to its end.
type listener struct {
	end  context.CancelFunc
	done chan struct{}

	mu  sync.Mutex
	raw bytes.Buffer
	at  map[string]uint64
}

func listen(h http.Handler) *listener {
	ctx, end := context.WithCancel(context.Background())
	l := &listener{end: end, done: make(chan struct{}), at: map[string]uint64{}}
	c := &peer.Client{URL: "https://giver", Doer: testnet.Through(h, func(b []byte) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.raw.Write(b)
	})}
	go func() {
		defer close(l.done)
		_ = c.Stream(ctx, nil, func(b *peer.Batch) error {
			if b != nil {
				l.mu.Lock()
				l.at[b.Origin] = b.End()
				l.mu.Unlock()
			}
			return nil
		})
	}()
	return l
}

// lacks says what is listed and the stream did not bring; empty: nothing.
func (l *listener) lacks(sizes map[string]uint64) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for origin, size := range sizes {
		if l.at[origin] < size {
			return fmt.Sprintf("the stream brought %d of %d of %s", l.at[origin], size, origin)
		}
	}
	return ""
}

func (l *listener) close() {
	l.end()
	<-l.done
}

// text is what came since it was asked for last.
func (l *listener) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.raw.Reset()
	return l.raw.String()
}

// differ is where two transcripts part; empty: nowhere.
func differ(a, b string) string {
	if a == b {
		return ""
	}
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d after %.100q:\n%.300q\n%.300q\n%s\n%s", i, x[max(0, i-1)], x[i], y[i], x[min(i+1, len(x)-1)], y[min(i+1, len(y)-1)])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}

// together is how many worlds the same nations live through: to stand nations up costs more than a world.
const together = 5

// two plays worlds twice, without what is hidden and with it, and says what of it shows. Time is virtual.
func two(t *testing.T, o testnet.Options, from, n int) (leak string) {
	var scripts []*script
	for i := range n {
		scripts = append(scripts, draw(from+i, i))
	}
	synctest.Test(t, func(t *testing.T) {
		b := play(t, o, scripts, true, nil)
		a := play(t, o, scripts, false, b.others)
		for i, s := range scripts {
			if leak = differ(a.logs[i], b.logs[i]); leak == "" {
				leak = newFinder(s.taints).in([]byte(b.logs[i]))
			}
			if leak != "" {
				leak = fmt.Sprintf("world %d: %s", s.seed, leak)
				return
			}
		}
		leak = a.short
	})
	return leak
}

// TestNothingHiddenShowsOnTheWire: whatever is hidden from a partner, what it receives is the same to the byte.
func TestNothingHiddenShowsOnTheWire(t *testing.T) {
	timeless(t)
	n := number(t, "ENTENTE_TWO_RUNS", 500)
	each((n+together-1)/together, func(i int) bool {
		leak := two(t, testnet.Options{}, i*together, min(together, n-i*together))
		if leak != "" {
			t.Error(leak)
		}
		return leak == "" && !t.Failed()
	})
	t.Logf("%d worlds, each in two runs", n)
}

// each does something for the numbers below n, several at once as most of it is waiting for the disk, until one says that it is enough.
func each(n int, do func(seed int) bool) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for {
				seed := int(next.Add(1)) - 1
				if seed >= n || !do(seed) {
					next.Store(int64(n))
					return
				}
			}
		})
	}
	workers.Wait()
}
