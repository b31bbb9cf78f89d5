package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strings"
	"sync"
	"testing"
)

type whoKey struct{}

// node is a backend: logs of one world, and who may read which.
type node struct {
	mu      sync.Mutex
	w       *world
	readers []string
	many    int // heads that are made up
	news    chan struct{}
	acks    []Ack
	pushed  []*Batch
	heads   []Heads
	offers  []string
	holds   int // leaves that it says to hold, whatever it is asked
}

func (n *node) Hello(context.Context) (Hello, error) {
	return Hello{Versions: []int{1}, Envelope: 1 << 20, Frames: 1000, Nation: "USA", Time: at, PQ: []string{"X25519MLKEM768", "ML-DSA-44"}}, nil
}

func (n *node) may(ctx context.Context) bool {
	who, _ := ctx.Value(whoKey{}).(string)
	return slices.Contains(n.readers, who)
}

func (n *node) Logs(ctx context.Context) ([]Head, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.may(ctx) {
		return nil, nil
	}
	c, _ := n.w.checkpoint()
	out := []Head{{Origin: n.w.origin, Size: c.Size, Root: c.Root}}
	for i := range n.many {
		out = append(out, Head{Origin: Origin(fmt.Appendf(nil, "the secret of log %d", i), "", "", nil), Size: 1})
	}
	return out, nil
}

func (n *node) Log(ctx context.Context, origin string, p Pull) (*Batch, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if origin != n.w.origin || !n.may(ctx) || p.From > uint64(len(n.w.frames)) {
		return nil, &Error{CodeNotFound, "there is no log " + origin}
	}
	return n.w.batch(int(p.From), min(len(n.w.frames), int(p.From)+p.Frames), int(p.Known)), nil
}

func (n *node) Wait(ctx context.Context, since []Position) ([]Head, error) {
	for {
		n.mu.Lock()
		size, news := uint64(len(n.w.frames)), n.news
		n.mu.Unlock()
		have := uint64(0)
		for _, p := range since {
			if p.Origin == n.w.origin {
				have = p.Size
			}
		}
		if n.may(ctx) && have < size {
			return []Head{{Origin: n.w.origin, Size: size}}, nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (n *node) Ack(_ context.Context, a Ack) error { n.acks = append(n.acks, a); return nil }
func (n *node) Push(_ context.Context, b *Batch) error {
	if b.Origin != n.w.origin {
		return &Error{CodeRefused, "not a log of the caller"}
	}
	n.pushed = append(n.pushed, b)
	return nil
}
func (n *node) KeyLog(_ context.Context, nation string, from uint64) (KeyLog, error) {
	if nation == "XXX" {
		return KeyLog{}, errors.New("a disk said something private")
	}
	return KeyLog{Nation: "USA", From: from, Statements: [][]byte{[]byte("statement")}}, nil
}
func (n *node) Heads(_ context.Context, h Heads) (Heads, error) {
	n.heads = append(n.heads, h)
	return Heads{KeyLogs: []Head{{Origin: KeyLogPrefix + "UTO", Size: 4}}, Logs: h.Logs}, nil
}
func (n *node) Reconcile(_ context.Context, q Reconcile) (out Reconciled, err error) {
	if q.Origin != "" && q.Origin != n.w.origin {
		return out, errNotFound
	}
	if len(q.Want) > 0 {
		return Reconciled{Held: make([]Known, n.holds)}, nil
	}
	out.Compare, err = NewSet(someItems(rand.New(rand.NewPCG(1, 1)), 1000)).Answer(q.Compare, CompareBytes)
	return out, err
}
func (n *node) Offer(_ context.Context, what Offered, document []byte) error {
	n.offers = append(n.offers, string(what)+" "+string(document))
	return nil
}

func (n *node) grow(k int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.w.grow(k)
	close(n.news)
	n.news = make(chan struct{})
}

// pair gives a node and a client of it for one caller. Who it is comes from the surface alone.
func pair(t testing.TB, who string, o Options) (*node, *Client, *recorder) {
	n := &node{w: newWorld(t), readers: []string{"KWT"}, news: make(chan struct{})}
	n.w.grow(25)
	o.Caller = func(ctx context.Context) string { return ctx.Value(whoKey{}).(string) }
	h := NewServer(n, o)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), whoKey{}, who)))
	}))
	t.Cleanup(s.Close)
	rec := &recorder{d: s.Client()}
	return n, &Client{URL: s.URL, Doer: rec}, rec
}

// recorder counts requests and their bytes both ways.
type recorder struct {
	d        Doer
	mu       sync.Mutex
	requests int
	bytes    int
}

func (r *recorder) Do(q *http.Request) (*http.Response, error) {
	out, _ := httputil.DumpRequestOut(q, true)
	w, err := r.d.Do(q)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	r.bytes += len(out)
	if err == nil && w.Header.Get("Content-Type") != StreamMedia {
		in, _ := httputil.DumpResponse(w, true)
		r.bytes += len(in)
	}
	return w, err
}

func TestPullingToTheEnd(t *testing.T) {
	n, c, _ := pair(t, "KWT", Options{})
	heads, tag, changed, err := c.Logs(t.Context(), "")
	if err != nil || !changed || len(heads) != 1 || tag == "" {
		t.Fatalf("%v %v", heads, err)
	}
	v := &Verifier{Origin: heads[0].Origin}
	for v.Size() < heads[0].Size {
		last, _ := v.Last()
		b, err := c.Pull(t.Context(), Position{Origin: v.Origin, Size: v.Size(), Known: last.Size}, 7)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Extend(b, n.w.node.Key()); err != nil {
			t.Fatal(err)
		}
	}
	if last, _ := v.Last(); last.Root != heads[0].Root {
		t.Error("another root")
	}
	h, err := c.Hello(t.Context())
	if err != nil || h.Nation != "USA" || h.Versions[0] != 1 {
		t.Errorf("%+v %v", h, err)
	}
}

// A sync that finds nothing new is one request and less than a kilobyte, however much there is.
func TestNothingNewIsOneSmallRequest(t *testing.T) {
	n, c, rec := pair(t, "KWT", Options{})
	n.many = 500
	_, tag, _, err := c.Logs(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	rec.requests, rec.bytes = 0, 0
	_, again, changed, err := c.Logs(t.Context(), tag)
	if err != nil || changed || again != tag || rec.requests != 1 || rec.bytes >= 1000 {
		t.Errorf("changed %t, %d requests, %d bytes, %v", changed, rec.requests, rec.bytes, err)
	}
	t.Logf("%d bytes both ways", rec.bytes)
	n.grow(1)
	if _, _, changed, _ := c.Logs(t.Context(), tag); !changed {
		t.Error("news was not told")
	}
}

// What one has no part in, what does not exist and what cannot exist have the same answer, byte for byte (threat 3).
func TestNothingIsToldOfWhatIsAnothers(t *testing.T) {
	n, _, _ := pair(t, "", Options{})
	ask := func(who, path string) string {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", path, nil)
		NewServer(n, Options{}).ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), whoKey{}, who)))
		out, _ := httputil.DumpResponse(w.Result(), true)
		return string(out)
	}
	name := strings.TrimPrefix(n.w.origin, OriginPrefix)
	want := ask("FRA", "/fed/v1/log/AAAAAAAAAAAAAAAAAAAA")
	if !strings.HasPrefix(want, "HTTP/1.1 404") {
		t.Fatal(want)
	}
	for _, q := range [][2]string{{"FRA", "/fed/v1/log/" + name}, {"FRA", "/fed/v1/log/" + name + "?from=3"}, {"KWT", "/fed/v1/log/" + name + "?from=99"}, {"KWT", "/fed/v1/log/x"}, {"FRA", "/fed/v1/nothing"}, {"FRA", "/"}} {
		if got := ask(q[0], q[1]); got != want {
			t.Errorf("%v:\n%s\nand not\n%s", q, got, want)
		}
	}
	if a, b := ask("FRA", "/fed/v1/logs"), ask("ESP", "/fed/v1/logs"); a != b || strings.Contains(a, name) {
		t.Error(a)
	}
	if a, b := ask("FRA", "/fed/v1/hello"), ask("KWT", "/fed/v1/hello"); a != b {
		t.Error("hello is not the same for every caller")
	}
	if got := ask("KWT", "/fed/v1/keylog?nation=XXX"); strings.Contains(got, "private") || !strings.Contains(got, `{"code":"internal"}`) {
		t.Error(got)
	}
}

func TestStreamsBringNewsOnTheSameVerifier(t *testing.T) {
	n, c, _ := pair(t, "KWT", Options{Streams: 1, Limits: Limits{Frames: 10}})
	v := &Verifier{Origin: n.w.origin}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	enough := errors.New("enough")
	pings := 0
	err := c.Stream(ctx, nil, func(b *Batch) error {
		if b == nil {
			pings++
			return nil
		}
		if _, err := v.Extend(b, n.w.node.Key()); err != nil {
			return err
		}
		switch v.Size() {
		case 25:
			if err := c.Stream(ctx, nil, func(*Batch) error { return nil }); code(err) != CodeThrottled {
				t.Errorf("a second stream: %v", err)
			}
			n.grow(3)
		case 28:
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || pings == 0 {
		t.Fatalf("%v, %d pings, size %d", err, pings, v.Size())
	}
}

func TestWhatIsSentArrives(t *testing.T) {
	n, c, _ := pair(t, "KWT", Options{Limits: Limits{Body: 4000}})
	_, signed := n.w.checkpoint()
	for _, err := range []error{
		c.Ack(t.Context(), Ack{[]LogAck{{Origin: n.w.origin, Cosigned: signed[:10], Receipts: [][]byte{[]byte("receipt")}}}}),
		c.Push(t.Context(), n.w.batch(2, 5, 2)),
		c.Offer(t.Context(), OfferAccord, []byte("bundle")),
		c.Offer(t.Context(), OfferKeys, []byte("statements")),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if k, err := c.KeyLog(t.Context(), "", 4); err != nil || k.From != 4 || string(k.Statements[0]) != "statement" {
		t.Errorf("%+v %v", k, err)
	}
	if len(n.acks) != 1 || string(n.acks[0].Logs[0].Receipts[0]) != "receipt" || len(n.pushed) != 1 || len(n.pushed[0].Frames) != 3 || !slices.Equal(n.offers, []string{"accord bundle", "keylog statements"}) {
		t.Errorf("%+v %v %v", n.acks, n.pushed, n.offers)
	}
	other := *n.w.batch(2, 3, 2)
	other.Origin = "fed/v1/AAAAAAAAAAAAAAAAAAAA"
	for name, tc := range map[string]struct {
		err  error
		code string
	}{
		"another's log":      {c.Push(t.Context(), &other), CodeRefused},
		"too large":          {c.Offer(t.Context(), OfferProof, make([]byte, 4001)), CodeSize},
		"no kind":            {c.Offer(t.Context(), "vote", nil), CodeNotFound},
		"an ack of no log":   {c.Ack(t.Context(), Ack{[]LogAck{{Origin: "x"}}}), CodeForm},
		"a batch that is no": {c.post(t.Context(), "/fed/v1/push", BatchMedia, []byte("B")), CodeForm},
		"another media type": {c.post(t.Context(), "/fed/v1/push", jsonMedia, []byte("{}")), CodeForm},
		"an unknown member":  {c.post(t.Context(), "/fed/v1/ack", jsonMedia, []byte(`{"logs":[],"x":1}`)), CodeForm},
	} {
		if code(tc.err) != tc.code {
			t.Errorf("%s: %v, want %s", name, tc.err, tc.code)
		}
	}
}

func TestRequestsAreReadStrictly(t *testing.T) {
	n, c, _ := pair(t, "KWT", Options{Limits: Limits{Logs: 2}})
	name := strings.TrimPrefix(n.w.origin, OriginPrefix)
	for path, want := range map[string]string{
		"/fed/v1/log/" + name + "?from=x":                                     CodeForm,
		"/fed/v1/log/" + name + "?from=1&from=2":                              CodeForm,
		"/fed/v1/log/" + name + "?caller=USA":                                 CodeForm,
		"/fed/v1/log/" + name + "?from=-1":                                    CodeForm,
		"/fed/v1/log/" + name + "?from=999999999999999":                       CodeForm,
		"/fed/v1/stream?since=x":                                              CodeForm,
		"/fed/v1/stream?since=" + name:                                        CodeForm,
		"/fed/v1/stream?since=" + name + ":1," + name + ":1":                  CodeForm,
		"/fed/v1/stream?since=" + name + ":5:4":                               CodeForm,
		"/fed/v1/stream?since=" + name + ":5," + name + ":5," + name + ":5:5": CodeSize,
	} {
		var any struct{}
		if err := c.json(t.Context(), path, &any); code(err) != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

// liar answers every request with the same.
type liar struct {
	status int
	media  string
	body   []byte
}

func (l liar) Do(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: l.status, Header: http.Header{"Content-Type": {l.media}}, Body: io.NopCloser(bytes.NewReader(l.body))}, nil
}

func TestAnswersAreNotTrusted(t *testing.T) {
	w := newWorld(t)
	w.grow(5)
	whole := w.batch(0, 5, 0).Append(nil)
	at := Position{Origin: w.origin}
	for name, tc := range map[string]struct {
		d    liar
		ask  func(*Client) error
		code string
	}{
		"another part": {liar{200, BatchMedia, whole}, func(c *Client) error {
			_, err := c.Pull(t.Context(), Position{Origin: w.origin, Size: 1, Known: 1}, 0)
			return err
		}, CodeOrigin},
		"cut short":         {liar{200, BatchMedia, whole[:99]}, func(c *Client) error { _, err := c.Pull(t.Context(), at, 0); return err }, CodeUnavailable},
		"another form":      {liar{200, "text/html", whole}, func(c *Client) error { _, err := c.Pull(t.Context(), at, 0); return err }, CodeForm},
		"a ping":            {liar{200, BatchMedia, []byte("P")}, func(c *Client) error { _, err := c.Pull(t.Context(), at, 0); return err }, CodeOrigin},
		"a redirect":        {liar{302, "", nil}, func(c *Client) error { _, err := c.Hello(t.Context()); return err }, CodeRefused},
		"unasked unchanged": {liar{304, "", nil}, func(c *Client) error { _, _, _, err := c.Logs(t.Context(), ""); return err }, CodeRefused},
		"too much":          {liar{200, jsonMedia, make([]byte, 9<<20)}, func(c *Client) error { _, err := c.Hello(t.Context()); return err }, CodeSize},
		"no log":            {liar{200, jsonMedia, []byte(`{"logs":[{"origin":"x","size":1}]}`)}, func(c *Client) error { _, _, _, err := c.Logs(t.Context(), ""); return err }, CodeForm},
		"a code of its own": {liar{422, jsonMedia, []byte(`{"code":"<b>"}`)}, func(c *Client) error { _, err := c.Hello(t.Context()); return err }, CodeRefused},
		"a stream of lies":  {liar{200, StreamMedia, []byte("PPX")}, func(c *Client) error { return c.Stream(t.Context(), nil, func(*Batch) error { return nil }) }, CodeForm},
	} {
		if err := tc.ask(&Client{URL: "https://node.example", Doer: tc.d}); code(err) != tc.code {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
	}
}

func FuzzPositions(f *testing.F) {
	f.Add("AAAAAAAAAAAAAAAAAAAA:5,BBBBBBBBBBBBBBBBBBBB:7:9")
	f.Fuzz(func(t *testing.T, s string) {
		at, err := parsePositions(s, 10)
		if err != nil {
			return
		}
		if again, err := parsePositions(formatPositions(at), 10); err != nil || !slices.Equal(again, at) {
			t.Fatalf("%v %v %v", at, again, err)
		}
	})
}

func FuzzAck(f *testing.F) {
	f.Add([]byte(`{"logs":[{"origin":"fed/v1/AAAAAAAAAAAAAAAAAAAA","receipts":["AAAA"]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if a, err := parseAck(b, 5); err == nil && len(a.Logs) > 5 {
			t.Fatal("too many")
		}
	})
}

// A comparison over the wire finds what a local one finds; what is asked wrongly is refused before anything is looked up.
func TestReconcileOverTheWire(t *testing.T) {
	n, c, _ := pair(t, "KWT", Options{})
	all := someItems(rand.New(rand.NewPCG(1, 1)), 1000)
	d, err := c.Differences(t.Context(), n.w.origin, NewSet(slices.Clone(all[:900])), 1000)
	if err != nil || len(d.Need) != 100 || len(d.Have) != 0 {
		t.Fatalf("%+v: %v", d, err)
	}
	for _, q := range []struct {
		name, body, code string
	}{
		{"nothing", `{}`, CodeForm},
		{"both", `{"compare":"AQ==","want":["` + strings.Repeat("A", 54) + `=="]}`, CodeForm},
		{"a comparison and notices", `{"compare":"AQ==","notices":true}`, CodeForm},
		{"no notices", `{"notices":false}`, CodeForm},
		{"another member", `{"compare":"AQ==","x":1}`, CodeForm},
		{"no message", `{"compare":"AgA="}`, CodeForm},
		{"no log", `{"origin":"x","compare":"AQ=="}`, CodeNotFound},
		{"another's log", `{"origin":"fed/v1/` + strings.Repeat("A", 20) + `","compare":"AQ=="}`, CodeNotFound},
		{"too many", `{"want":["` + strings.Join(slices.Repeat([]string{strings.Repeat("A", 54)}, 1001), `","`) + `"]}`, CodeForm},
	} {
		err := c.post(t.Context(), "/fed/v1/reconcile", jsonMedia, []byte(q.body))
		if codeOf(err) != q.code {
			t.Errorf("%s: %v", q.name, err)
		}
	}
	n.holds = 3
	if _, err := c.Reconcile(t.Context(), Reconcile{Want: make([]Item, 2)}); codeOf(err) != CodeForm {
		t.Errorf("more than was asked for: %v", err)
	}
}
