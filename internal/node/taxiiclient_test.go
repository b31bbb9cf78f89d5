package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/taxii"
)

// taxiiClient is the project's own client, as one of the viewers.
func (w *world) taxiiClient(who string) *taxii.Client {
	return &taxii.Client{URL: w.n.URL() + "/taxii2/", Doer: w.http, Auth: taxii.Bearer(w.tokens[who]),
		Sleep: func(ctx context.Context, _ time.Duration) error { time.Sleep(5 * time.Millisecond); return ctx.Err() }, Retries: 10_000}
}

// asked is a Doer that notes what is asked.
type asked struct {
	*http.Client
	requests []*http.Request
}

func (a *asked) Do(r *http.Request) (*http.Response, error) {
	a.requests = append(a.requests, r)
	return a.Client.Do(r)
}

var clientRows = rows{
	135: func(b *bench) {
		ctx := b.t.Context()
		c := b.w.taxiiClient(alice)
		c.Auth = taxii.Basic("admin", password)
		if _, err := c.Discovery(ctx); err != nil {
			b.t.Error(err)
		}
		c.Doer = b.w.client(func(conf *tls.Config) { conf.RootCAs = nil })
		if _, err := c.Discovery(ctx); err == nil {
			b.t.Error("an unknown authority is believed")
		}
		c.URL = strings.Replace(c.URL, "https", "http", 1)
		if _, err := c.Discovery(ctx); !errors.Is(err, taxii.ErrAddress) {
			b.t.Error(err)
		}
	},
	136: func(b *bench) {
		c := b.w.taxiiClient(alice)
		a := &asked{Client: b.w.http}
		c.Doer = a
		if _, err := c.Discovery(b.t.Context()); err != nil {
			b.t.Fatal(err)
		}
		if h := a.requests[0].Header; !strings.Contains(h.Get("User-Agent"), "/") || !strings.Contains(h.Get("Accept"), "version=2.1") {
			b.t.Errorf("%v", h)
		}
	},
	142: func(b *bench) {
		c := b.w.taxiiClient(alice)
		a := &asked{Client: b.w.http}
		c.Doer = a
		var objects [][]byte
		for n := range 500 { // more than two envelopes of 64 KiB
			objects = append(objects, []byte(b.obj("tool", n+1, on("01"))))
		}
		done, err := c.Add(b.t.Context(), b.w.n.URL()+root, b.coll, objects, taxii.AddOptions{MaxPolls: 10_000})
		must(b.t, err)
		stored := 0
		for _, st := range done {
			if stored += st.SuccessCount; st.Status != taxii.Complete {
				b.t.Errorf("%+v", st)
			}
		}
		if len(done) < 2 || stored != len(objects) {
			b.t.Errorf("%d envelopes, %d stored", len(done), stored)
		}
	},
}

// versionOf is what names a version.
func versionOf(t testing.TB, raw []byte) string {
	var o struct {
		ID       string `json:"id"`
		Modified string `json:"modified"`
	}
	must(t, json.Unmarshal(raw, &o))
	return o.ID + " " + o.Modified
}

// consumer polls a collection as the standard wants it: from its checkpoint on, page by page.
type consumer struct {
	window time.Duration
	limit  int
	at     taxii.Checkpoint
	got    map[string][]byte
	times  map[string]int
}

func (c *consumer) poll(t testing.TB, client *taxii.Client, root, coll string) (ok bool) {
	all := taxii.Filter{AddedAfter: c.at.After(c.window), Versions: taxii.Versions{All: true}}
	for p, err := range client.Objects(context.Background(), root, coll, taxii.Select{Filter: all, Limit: c.limit}) {
		if err != nil || len(p.Tolerated) > 0 {
			t.Errorf("%v %v", err, p.Tolerated)
			return false
		}
		var fresh [][]byte
		fresh, c.at = c.at.Take(p, c.window)
		for _, raw := range fresh {
			v := versionOf(t, raw)
			c.got[v] = bytes.Clone(raw)
			c.times[v]++
		}
	}
	return true
}

// TestClientMeetsEverythingOnce polls the node with the project's own client while four writers post, make new versions and delete.
// What is there at the end was met once, with its bytes; nothing was met twice.
func TestClientMeetsEverythingOnce(t *testing.T) {
	w := newWorld(t, settings)
	b := w.bench(t, 900)
	b.coll = w.collection(exchange.Collection{})
	client, root := w.taxiiClient(alice), w.n.URL()+root
	consumers := []*consumer{{limit: 7}, {limit: 50, window: 2 * time.Second}, {limit: 1000, window: time.Millisecond}}
	done := make(chan struct{})
	var polling, writing sync.WaitGroup
	for _, c := range consumers {
		c.got, c.times = map[string][]byte{}, map[string]int{}
		polling.Go(func() {
			for c.poll(t, client, root, b.coll) {
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	kept := make([]map[string]string, 4)
	for k := range kept {
		kept[k] = map[string]string{}
		writing.Go(func() {
			ctx := context.Background()
			for round := range 40 {
				var objects [][]byte
				first := 10_000*(k+1) + 10*round
				for n := range 1 + round%30 { // some are stored after they are acknowledged
					o := b.obj("tool", first+n/2, on(fmt.Sprintf("%02d", 1+n%2)))
					objects = append(objects, []byte(o))
					kept[k][versionOf(t, []byte(o))] = o
				}
				if _, err := client.Add(ctx, root, b.coll, objects, taxii.AddOptions{MaxContentLength: 1 << 16, MaxPolls: 10_000}); err != nil {
					t.Error(err)
					return
				}
				if round%4 == 3 {
					id := b.id("tool", first)
					if err := client.Delete(ctx, root, b.coll, id, taxii.Filter{}); err != nil {
						t.Error(err)
					}
					maps.DeleteFunc(kept[k], func(v, _ string) bool { return strings.HasPrefix(v, id+" ") })
				}
			}
		})
	}
	writing.Wait()
	close(done)
	polling.Wait()
	want := map[string]string{}
	for _, m := range kept {
		maps.Copy(want, m)
	}
	for i, c := range consumers {
		c.poll(t, client, root, b.coll)
		for v, o := range want {
			if string(c.got[v]) != o {
				t.Fatalf("consumer %d: %s: %s", i, v, c.got[v])
			}
		}
		for v, n := range c.times {
			if n != 1 {
				t.Fatalf("consumer %d met %s %d times", i, v, n)
			}
		}
		before := len(c.got)
		if c.poll(t, client, root, b.coll); len(c.got) != before {
			t.Errorf("consumer %d met something new when nothing was written", i)
		}
	}
	// A full read, and the manifest, have what is there and nothing else.
	full := map[string]string{}
	for p, err := range client.Objects(t.Context(), root, b.coll, taxii.Select{Filter: taxii.Filter{Versions: taxii.Versions{All: true}}, Limit: 13}) {
		must(t, err)
		for _, raw := range p.Objects {
			full[versionOf(t, raw)] = string(raw)
		}
	}
	if !maps.Equal(full, want) {
		t.Errorf("%d versions are read, %d are there", len(full), len(want))
	}
	var listed []string
	for p, err := range client.Manifest(t.Context(), root, b.coll, taxii.Select{Filter: taxii.Filter{Versions: taxii.Versions{All: true}}, Limit: 13}) {
		must(t, err)
		for _, r := range p.Records {
			listed = append(listed, r.ID+" "+r.Version)
		}
	}
	slices.Sort(listed)
	if !slices.Equal(listed, slices.Sorted(maps.Keys(want))) {
		t.Errorf("%d versions are in the manifest, %d are there", len(listed), len(want))
	}
}
