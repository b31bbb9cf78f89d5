package faulttest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"entente/internal/node"
	"entente/internal/sample"
	"entente/internal/surface/api"
	"entente/internal/testnode"
	"entente/label"
)

// house is a node in this process, with a clock and limits of the test's own.
type house struct {
	*node.Node
	cfg      node.Config
	password string
}

func build(t *testing.T, change func(*node.Config)) *house {
	t.Helper()
	h := &house{password: rand.Text(), cfg: node.DefaultConfig(filepath.Join(t.TempDir(), "n"))}
	h.cfg.Listen = "127.0.0.1:0"
	if change != nil {
		change(&h.cfg)
	}
	if err := node.Create(t.Context(), node.Init{Data: h.cfg.Data, Nation: "UTO", Org: "Utopia CERT", AdminPassword: h.password, Now: h.cfg.Now}); err != nil {
		t.Fatal(err)
	}
	h.open(t)
	_, err := api.NewClient("http://node", h.Local(), nil).AddCollection(t.Context(),
		api.PutCollection{Title: "Indicators", Alias: testnode.Collection, Read: []string{}, Write: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) open(t *testing.T) {
	t.Helper()
	var err error
	if h.Node, err = node.New(t.Context(), h.cfg); err != nil {
		t.Fatal(err)
	}
	if err = h.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (h *house) close(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := h.Stop(ctx); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

func (h *house) client(t *testing.T) *testnode.Client {
	c := testnode.NewClient(h.URL(), "admin", h.password, h.ClientTLS())
	t.Cleanup(c.Close)
	return c
}

// nothingLeft waits until nothing runs that did not run before: what has been told to end is given the time to.
func nothingLeft(t *testing.T, before goleak.Option) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; {
		err := goleak.Find(before)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Error(err)
			return
		}
	}
}

// added is one line of a manifest.
type added struct {
	ID   string    `json:"id"`
	Date time.Time `json:"date_added"`
}

func manifest(t *testing.T, c *testnode.Client, query string) []added {
	t.Helper()
	a := must(c.Do(t.Context(), http.MethodGet, "/taxii2/api/collections/"+testnode.Collection+"/manifest/?"+query, nil, nil))(t)
	var env struct {
		Objects []added `json:"objects"`
	}
	if err := json.Unmarshal(a.Body, &env); a.Status != http.StatusOK || err != nil {
		t.Fatalf("the manifest: %d %v %s", a.Status, err, a.Body)
	}
	return env.Objects
}

func TestTimeAddedNeverGoesBackWithTheClock(t *testing.T) {
	var clock atomic.Int64
	start := time.Now().UTC().Truncate(time.Microsecond)
	clock.Store(start.UnixNano())
	h := build(t, func(c *node.Config) { c.Now = func() time.Time { return time.Unix(0, clock.Load()).UTC() } })
	defer func() { h.close(t) }()
	src := sample.New(4)
	var last time.Time
	total := 0
	var first testnode.Status
	post := func(what string) {
		t.Helper()
		c := h.client(t)
		s := must(c.Post(t.Context(), testnode.Envelope(src.File().Raw, src.File().Raw, src.File().Raw)))(t)
		if !s.Complete() || s.Success != 3 {
			t.Fatalf("%s: a post ends as %+v", what, s)
		}
		if first.ID == "" {
			first = s
		}
		total += 3
		all := manifest(t, c, "")
		if len(all) != total {
			t.Fatalf("%s: %d objects were stored and %d are there", what, total, len(all))
		}
		for i := range all[1:] {
			if !all[i].Date.Before(all[i+1].Date) {
				t.Fatalf("%s: %s was added at %s, after %s", what, all[i+1].ID, all[i+1].Date, all[i].Date)
			}
		}
		if !last.IsZero() {
			if news := manifest(t, c, "added_after="+last.Format("2006-01-02T15:04:05.000000Z")); len(news) != 3 {
				t.Fatalf("%s: a follower meets %d new objects, want 3", what, len(news))
			}
		}
		last = all[len(all)-1].Date
		if _, err := c.Status(t.Context(), first.ID); err != nil {
			t.Fatalf("%s: the first status: %v", what, err)
		}
	}
	post("at first")
	clock.Store(start.Add(-24 * time.Hour).UnixNano())
	post("a day back")
	h.close(t)
	clock.Store(start.Add(-48 * time.Hour).UnixNano())
	h.open(t)
	post("two days back, opened anew")
	clock.Store(start.Add(time.Hour).UnixNano())
	post("an hour ahead")
}

func TestTwoNodesInOneProcess(t *testing.T) {
	defer nothingLeft(t, goleak.IgnoreCurrent())
	a, b := build(t, nil), build(t, nil)
	ca, cb := a.client(t), b.client(t)
	defer ca.Close()
	defer cb.Close()
	if s := must(ca.Post(t.Context(), testnode.Envelope(sample.New(5).File().Raw)))(t); s.Success != 1 {
		t.Fatalf("the post ends as %+v", s)
	}
	if n, m := len(manifest(t, ca, "")), len(manifest(t, cb, "")); n != 1 || m != 0 {
		t.Errorf("one node has %d objects and the other %d, want 1 and 0", n, m)
	}
	a.close(t)
	if got := len(manifest(t, cb, "")); got != 0 {
		t.Errorf("the node that goes on has %d objects", got)
	}
	b.close(t)
}

func TestANodeLeavesNothingRunning(t *testing.T) {
	defer nothingLeft(t, goleak.IgnoreCurrent())
	h := build(t, func(c *node.Config) { c.Limits.PostObjects = 10 })
	for round := range 3 {
		c := h.client(t)
		src := sample.New(uint64(60 + round))
		var raws [][]byte
		for range 50 {
			raws = append(raws, src.Indicator(label.Green).Raw)
		}
		s := must(c.Post(t.Context(), testnode.Envelope(raws...)))(t) // its worker is interrupted by the stop
		c.Close()
		h.close(t)
		h.open(t)
		c = h.client(t)
		if s, err := c.Settle(t.Context(), s.ID, 2*time.Minute); err != nil || s.Success != 50 {
			t.Errorf("a post that a stop interrupted ends as %+v: %v", s, err)
		}
		c.Close()
	}
	h.close(t)
	if _, err := h.client(t).Do(t.Context(), http.MethodGet, "/healthz", nil, nil); err == nil {
		t.Error("a stopped node answers")
	}
}

func TestANodeThatCannotStartLeavesNothingBehind(t *testing.T) {
	defer nothingLeft(t, goleak.IgnoreCurrent())
	h := build(t, nil)
	if _, err := node.New(t.Context(), h.cfg); err == nil {
		t.Error("two nodes opened the same data")
	}
	taken := h.cfg
	taken.Data = filepath.Join(t.TempDir(), "other")
	taken.Listen = h.Addr()
	if err := node.Create(t.Context(), node.Init{Data: taken.Data, Nation: "UTO", Org: "Other", AdminPassword: rand.Text()}); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		n := must(node.New(t.Context(), taken))(t)
		if err := n.Start(t.Context()); err == nil {
			t.Error("two nodes listen on one address")
		}
		if err := n.Stop(t.Context()); err != nil {
			t.Error(fmt.Errorf("try %d: %w", i, err))
		}
	}
	h.close(t)
}
