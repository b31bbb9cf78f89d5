package testnet_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entente/accord"
	"entente/dsse"
	"entente/internal/exchange"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/internal/testnet"
	"entente/label"
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

// act is something that happens at the giver. What is hidden leaves the observer no trace.
type act struct {
	hidden bool
	name   string
	do     func(w *run)
}

// run is one of the two runs of a world.
type run struct {
	t      *testing.T
	net    *testnet.Net
	giver  *testnet.Nation
	clock  *testnet.Clock
	log    strings.Builder // everything that the observer received
	stream *listener
	sizes  map[string]uint64 // of the observer's logs
	hidden bool              // whether hidden things are there
	act    atomic.Int64      // the number of what happens now
	tick   sync.RWMutex      // held while something happens
	others []string          // names of all logs that there are where hidden things are
}

// script is a world: what happens, of which the observer may know a part.
type script struct {
	known  []string // partners that are there only where hidden things are
	acts   []act
	taints []string
}

func taint(r *rand.Rand) string { return fmt.Sprintf("taint%016x", r.Uint64()) }

// draw makes a world. Objects up to 9 are for the observer, those from 10 on are not, and 20 to 29 are for the observer in part.
func draw(seed int) *script {
	r := rand.New(rand.NewPCG(uint64(seed), 9))
	s := &script{known: []string{"THI"}}
	word := func() string { w := taint(r); s.taints = append(s.taints, w); return w }
	add := func(hidden bool, name string, do func(w *run)) { s.acts = append(s.acts, act{hidden, name, do}) }
	agree := func(a testnet.Treaty) func(w *run) { return func(w *run) { w.net.Agree(a.Text(), a.Parties...) } }

	open := testnet.Treaty{Name: "open", Parties: []string{giver, observer}, Community: r.IntN(2) == 0, Gives: []testnet.Give{
		{Kinds: []string{"malware", "relationship"}, Ceiling: label.Amber}, {Kinds: []string{"campaign"}, Ceiling: label.Amber, Strip: []string{"campaign.description"}}}}
	third := []string{giver, "OTH"}
	if r.IntN(2) == 0 {
		third = append(third, "THI")
	}
	slices.Sort(third)
	hiddenName := word()
	secret := testnet.Treaty{Name: hiddenName, Parties: third, Community: true, Gives: []testnet.Give{{Kinds: []string{"malware", "relationship", "campaign"}, Ceiling: label.Red, Officer: r.IntN(4) == 0}}}
	secretAct := agree(secret)
	if r.IntN(2) == 0 {
		add(true, "a hidden accord before", secretAct)
		secretAct = nil
	}
	add(false, "an accord", agree(open))
	if secretAct != nil {
		add(true, "a hidden accord after", secretAct)
	}

	seen := testnet.To(label.Amber, observer)
	both := testnet.To(label.Amber, observer, "OTH")
	add(false, "the first", func(w *run) { w.giver.Push(seen, testnet.Malware(0, 1, "first", "of all")) }) // so that logs are there before anything is purged
	add(true, "the first for another", func(w *run) {
		w.giver.Push(testnet.To(label.Amber, "OTH"), testnet.Malware(99, 1, hiddenName, hiddenName))
	})
	for n := 1; n < 4+r.IntN(4); n++ {
		l := seen
		if r.IntN(3) == 0 {
			l = both
		}
		name, description, other, part := fmt.Sprintf("shared %d", n), "all of it", word(), word()
		companions := r.IntN(4)
		switch r.IntN(6) {
		case 0, 1: // objects for the observer, handed in with others that are not, before and after
			first := r.IntN(2) == 0
			add(false, "shared in company", func(w *run) {
				sub := exchange.Submission{}
				put := func(o string, l label.Label) {
					sub.Objects, sub.Labels = append(sub.Objects, []byte(o)), append(sub.Labels, l)
				}
				hide := func() {
					for i := range companions {
						if w.hidden {
							put(testnet.Malware(100+10*n+i, 1, other, other), testnet.To(label.Amber, "OTH"))
						}
					}
				}
				if first {
					hide()
				}
				put(testnet.Malware(n, 1, name, description), l)
				if !first {
					hide()
				}
				w.giver.Submit(sub)
			})
		case 2: // a copy without what the accord takes out, then edits of that alone
			id := 20 + n
			add(false, "shared in part", func(w *run) {
				hide := part
				if !w.hidden {
					hide = "plain"
				}
				w.giver.Push(l, testnet.Campaign(id, 1, name, hide))
			})
			for v := range r.IntN(3) {
				edited := word()
				add(true, "a hidden edit", func(w *run) { w.giver.Push(l, testnet.Campaign(id, v+2, name, edited)) })
			}
		case 3: // what names something hidden
			add(true, "a hidden object", func(w *run) { w.giver.Push(testnet.To(label.Amber, giver), testnet.Malware(200+n, 1, other, other)) })
			add(true, "a relationship to it", func(w *run) {
				w.giver.Push(seen, testnet.Relationship(200+n, 1, testnet.ID("malware", 0), testnet.ID("malware", 200+n), part))
			})
		case 4: // a life that the observer has no part in
			id := 300 + n
			hidden := testnet.To(label.Amber, "OTH")
			add(true, "given to another", func(w *run) { w.giver.Push(hidden, testnet.Malware(id, 1, other, part)) })
			switch r.IntN(4) {
			case 0:
				add(true, "kept from it", func(w *run) { w.giver.Relabel(testnet.ID("malware", id), testnet.To(label.Amber, giver)) })
			case 1:
				add(true, "retracted", func(w *run) { w.giver.Retract(testnet.ID("malware", id)) })
			case 2:
				add(true, "purged", func(w *run) { w.giver.Purge(testnet.ID("malware", id)) })
			case 3:
				add(true, "another's load", func(w *run) {
					for range 20 {
						ask(w.giver.Handler("OTH"), "GET", "/fed/v1/logs", "", nil)
					}
				})
			}
		case 5: // of the observer's own, a new version, less, and nothing any more
			add(false, "shared", func(w *run) { w.giver.Push(seen, testnet.Malware(n, 1, name, description)) })
			id := testnet.ID("malware", n)
			switch r.IntN(4) {
			case 0:
				add(false, "a new version", func(w *run) { w.giver.Push(seen, testnet.Malware(n, 2, name+"+", description)) })
			case 1:
				add(false, "retracted", func(w *run) { w.giver.Retract(id) })
			case 2:
				add(false, "purged", func(w *run) { w.giver.Purge(id) })
			case 3:
				add(false, "kept from it", func(w *run) { w.giver.Relabel(id, testnet.To(label.Amber, giver)) })
			}
		}
	}
	if r.IntN(3) == 0 {
		add(true, "the hidden accord is suspended", func(w *run) {
			_, err := w.giver.Accords.Say(context.Background(), w.giver.Viewer(gate.RoleOfficer), hiddenName, accord.Suspend, "")
			if err != nil {
				w.t.Error(err)
			}
		})
	}
	add(false, "everything is asked for", func(w *run) { w.askEverything(hiddenName) })
	return s
}

// play makes one of the two runs. Others are the names of logs that the other run had.
func (s *script) play(t *testing.T, o testnet.Options, hidden bool, others []string) *run {
	w := &run{t: t, clock: testnet.NewClock(began), sizes: map[string]uint64{}, hidden: hidden, others: others}
	o.Now, o.Deaf, o.Known = w.clock.Now, true, []string{observer, "OTH"}
	w.tick.Lock() // the stream brings what is new when it ends, as one
	inner := o.Backend
	o.Backend = func(n *testnet.Nation, b peer.Backend) peer.Backend {
		if inner != nil {
			b = inner(n, b)
		}
		return ticking{b, &w.tick}
	}
	o.Rand = func() io.Reader { return salt{&w.act} }
	if hidden {
		o.Known = append(o.Known, s.known...)
	}
	w.net = testnet.New(t, o, giver)
	defer w.net.Close()
	w.giver = w.net.As(giver)
	w.stream = listen(w.giver.Handler(observer))
	defer w.stream.close()
	defer w.tick.Unlock()
	for i, a := range s.acts {
		w.act.Store(int64(i + 1))
		if a.hidden && !hidden {
			continue
		}
		if !a.hidden {
			w.clock.Move(time.Second)
			fmt.Fprintf(&w.log, "\n== %s\n", a.name)
		}
		a.do(w)
		w.net.Settle()
		if !a.hidden {
			w.look()
		}
	}
	w.log.WriteString("\n== stream\n" + w.stream.text())
	return w
}

// began is where the clocks of all runs stand at first: when the keys were in force already.
var began = time.Now().UTC().Truncate(time.Second).Add(time.Hour)

// ticking tells what is new at certain times only, so that it does not depend on how fast the giver works.
type ticking struct {
	peer.Backend
	tick *sync.RWMutex
}

func (t ticking) Wait(ctx context.Context, since []peer.Position) ([]peer.Head, error) {
	heads, err := t.Backend.Wait(ctx, since)
	if err != nil || len(heads) == 0 {
		return heads, err
	}
	t.tick.RLock()
	defer t.tick.RUnlock()
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
	a := ask(w.giver.Handler(observer), method, path, media, body)
	return w.write(method+" "+path, a)
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

// look is what the observer can ask after every act: what logs there are, and all that is in them.
func (w *run) look() {
	w.ask("GET", "/fed/v1/logs", "", nil)
	heads, err := w.giver.Federation.Backend().Logs(federation.WithCaller(context.Background(), federation.Caller{Nation: observer, Org: testnet.Org(observer)}))
	if err != nil {
		w.t.Error(err)
	}
	for _, h := range heads {
		w.ask("GET", "/fed/v1/log/"+strings.TrimPrefix(h.Origin, peer.OriginPrefix), "", nil)
		w.sizes[h.Origin] = h.Size
	}
	w.tick.Unlock()
	w.stream.await(w.t, w.sizes)
	w.tick.Lock()
}

// routes are the routes of the peer server, each with what the observer asks there. A route without a row fails TestEveryRouteOfTheWire.
var routes = map[string]func(w *run, hiddenName string){
	"GET /fed/v1/hello": func(w *run, _ string) { w.ask("GET", "/fed/v1/hello", "", nil) },
	"GET /fed/v1/logs": func(w *run, _ string) {
		w.ask("GET", "/fed/v1/logs", "", nil)
		w.ask("GET", "/fed/v1/logs?all=1", "", nil)
		for _, caller := range []string{"", "NOB"} { // nobody, and who is no partner
			w.write("logs as "+caller, ask(w.giver.Handler(caller), "GET", "/fed/v1/logs", "", nil))
		}
	},
	"GET /fed/v1/log/{name}": func(w *run, _ string) {
		for _, origin := range slices.Sorted(maps.Keys(w.sizes)) {
			name := strings.TrimPrefix(origin, peer.OriginPrefix)
			for _, q := range []string{"?limit=1", "?from=1&known=1&limit=2", "?from=99999", "?from=x", "?from=1&from=2"} {
				w.ask("GET", "/fed/v1/log/"+name+q, "", nil)
			}
			w.write("another's log", ask(w.giver.Handler("OTH"), "GET", "/fed/v1/log/"+name, "", nil))
		}
		for _, origin := range slices.Clone(w.others) { // whoever heard the name of another's log learns nothing by it
			for _, q := range []string{"", "?from=1", "?from=99999"} {
				w.ask("GET", "/fed/v1/log/"+strings.TrimPrefix(origin, peer.OriginPrefix)+q, "", nil)
			}
		}
	},
	"GET /fed/v1/stream": func(w *run, _ string) {
		w.ask("GET", "/fed/v1/stream?since=x", "", nil)
		w.ask("GET", "/fed/v1/stream?until=1", "", nil)
	},
	"GET /fed/v1/keylog": func(w *run, _ string) {
		for _, q := range []string{"", "?nation=" + giver, "?nation=" + observer, "?nation=OTH", "?nation=THI", "?nation=NOB", "?from=1", "?from=99"} {
			w.ask("GET", "/fed/v1/keylog"+q, "", nil)
		}
	},
	"POST /fed/v1/ack": func(w *run, _ string) {
		w.ask("POST", "/fed/v1/ack", "application/json", []byte(`{"logs":[]}`))
		w.ask("POST", "/fed/v1/ack", "application/json", []byte(`{`))
		for _, origin := range append(slices.Clone(w.others), peer.OriginPrefix+strings.Repeat("a", 20)) {
			w.ask("POST", "/fed/v1/ack", "application/json", fmt.Appendf(nil, `{"logs":[{"origin":%q}]}`, origin))
			w.ask("POST", "/fed/v1/ack", "application/json", fmt.Appendf(nil, `{"logs":[{"origin":%q,"receipts":["e30="]}]}`, origin))
		}
	},
	"POST /fed/v1/push": func(w *run, _ string) {
		w.ask("POST", "/fed/v1/push", peer.BatchMedia, []byte("no batch"))
		w.ask("POST", "/fed/v1/push", "text/plain", nil)
	},
	"POST /fed/v1/heads": func(w *run, _ string) {
		w.ask("POST", "/fed/v1/heads", "application/json", []byte(`{}`))
		w.ask("POST", "/fed/v1/heads", "application/json", []byte(`{"logs":["e30="],"keylogs":[{"origin":"keylog:THI","size":1,"root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}`))
		w.ask("POST", "/fed/v1/heads", "application/json", []byte(`{`))
	},
	"POST /fed/v1/{document}": func(w *run, hiddenName string) {
		for _, document := range []peer.Offered{peer.OfferAccord, peer.OfferNotice, peer.OfferKeys, peer.OfferProof, "other"} {
			w.ask("POST", "/fed/v1/"+string(document), "application/octet-stream", []byte("{}"))
		}
		for _, name := range []string{hiddenName, "free-name"} { // an accord of the same name as one that the observer has no part in
			text := testnet.Treaty{Name: name, Parties: []string{giver, observer}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Green}}}.Text()
			b, err := accord.NewBundle([]byte(text), testnet.Realm)
			if err == nil {
				err = b.Sign(testnet.Signer(w.t, observer))
			}
			if err != nil {
				w.t.Error(err)
				return
			}
			w.ask("POST", "/fed/v1/accord", "application/octet-stream", b.Bytes())
			n := accord.Notice{Accord: b.Digest(), Verb: accord.Suspend, Party: observer, At: w.clock.Now()}
			var e dsse.Envelope
			if e, err = n.Sign(testnet.Realm, testnet.Signer(w.t, observer)); err == nil {
				w.ask("POST", "/fed/v1/notice", "application/octet-stream", e.Bytes())
			}
		}
	},
	"/": func(w *run, _ string) {
		for _, r := range []string{"GET /", "GET /fed/v1/", "GET /fed/v2/hello", "GET /fed/v1/object/x", "DELETE /fed/v1/logs", "PUT /fed/v1/push", "GET /fed/v1/accord"} {
			method, path, _ := strings.Cut(r, " ")
			w.ask(method, path, "", nil)
		}
	},
}

func (w *run) askEverything(hiddenName string) {
	if w.hidden {
		logs, err := w.giver.Ledger.Logs(context.Background(), ledger.Filter{Own: true})
		if err != nil {
			w.t.Error(err)
		}
		for _, g := range logs {
			w.others = append(w.others, g.Origin)
		}
		slices.Sort(w.others)
	}
	var order []string
	for route := range routes {
		order = append(order, route)
	}
	slices.Sort(order)
	for _, route := range order {
		fmt.Fprintf(&w.log, "-- %s\n", route)
		routes[route](w, hiddenName)
	}
}

// listener reads a stream from its beginning to its end.
type listener struct {
	end  context.CancelFunc
	done chan struct{}

	mu   sync.Mutex
	raw  bytes.Buffer
	at   map[string]uint64
	more *sync.Cond
}

func listen(h http.Handler) *listener {
	ctx, end := context.WithCancel(context.Background())
	l := &listener{end: end, done: make(chan struct{}), at: map[string]uint64{}}
	l.more = sync.NewCond(&l.mu)
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
				l.more.Broadcast()
			}
			return nil
		})
	}()
	return l
}

// await waits until the stream brought all that there is.
func (l *listener) await(t *testing.T, sizes map[string]uint64) {
	late := time.AfterFunc(20*time.Second, func() {
		t.Error("the stream does not bring what is there")
		l.end()
		l.more.Broadcast()
	})
	defer late.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !t.Failed() {
		all := true
		for origin, size := range sizes {
			all = all && l.at[origin] >= size
		}
		if all {
			return
		}
		l.more.Wait()
	}
}

func (l *listener) close() {
	l.end()
	<-l.done
}

func (l *listener) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
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
			return fmt.Sprintf("line %d after %.100q:\n%.300q\n%.300q", i, x[max(0, i-1)], x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}

// two plays a world twice, without what is hidden and with it, and says what of it shows.
func two(t *testing.T, o testnet.Options, seed int) string {
	s := draw(seed)
	b := s.play(t, o, true, nil)
	a := s.play(t, o, false, b.others)
	if leak := differ(a.log.String(), b.log.String()); leak != "" {
		return leak
	}
	return find(s.taints, []byte(b.log.String()))
}

// TestNothingHiddenShowsOnTheWire: whatever is hidden from a partner, what it receives is the same to the byte.
func TestNothingHiddenShowsOnTheWire(t *testing.T) {
	seeds := number(t, "ENTENTE_TWO_RUNS", 60)
	each(seeds, func(seed int) bool {
		leak := two(t, testnet.Options{}, seed)
		if leak != "" {
			t.Errorf("world %d: %s", seed, leak)
		}
		return leak == "" && !t.Failed()
	})
	t.Logf("%d worlds, each in two runs", seeds)
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

// TestEveryRouteOfTheWire: a route that nobody asks in two runs is not there.
func TestEveryRouteOfTheWire(t *testing.T) {
	source, err := os.ReadFile("../../peer/server.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\t\t"((?:[A-Z]+ )?/[^"]*)":`).FindAllStringSubmatch(string(source), -1)
	if len(found) < 9 {
		t.Fatalf("only %d routes were found", len(found))
	}
	for _, m := range found {
		if routes[m[1]] == nil {
			t.Errorf("%s has no row: say what the observer asks there", m[1])
		}
	}
	if len(found) != len(routes) {
		t.Errorf("there are %d rows for %d routes", len(routes), len(found))
	}
}
