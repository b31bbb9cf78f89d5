package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"entente/internal/sample"
	"entente/internal/testnode"
)

const (
	readTarget      = 100_000 // objects per second
	matchMillis     = 5       // p99
	firstPageMillis = 50
	growthRatio     = 1.5 // from the smaller store to the larger
	memoryTarget    = 512 // MiB
	startSeconds    = 1

	matches = 2000 // requests
	pages   = 100
)

// latency is how long one kind of request takes at one size.
type latency struct {
	name string
	p50  float64 // ms
}

// latencies asks one request after another over one connection, at the size the store has now.
func (s *stock) latencies(ctx context.Context) ([]latency, error) {
	time.Sleep(2 * time.Second) // what follows the last write in the background is not the reader's
	own, ally := s.node.Client(testnode.Analyst), s.node.Client(testnode.Ally)
	defer own.Close()
	defer ally.Close()
	seen := 0
	if err := ally.Pages(ctx, "", 0, func(page []byte) error { seen += count(page); return nil }); err != nil {
		return nil, err
	}
	if seen != s.visible {
		return nil, fmt.Errorf("the other organisation has %d objects of the %d that it may have", seen, s.visible)
	}
	var out []latency
	for _, m := range []struct {
		name   string
		client *testnode.Client
		query  func(i int) string
		n      int
		target float64
	}{
		{"match.id", own, func(i int) string { return "match[id]=" + s.ids[i*7%len(s.ids)] }, matches, matchMillis},
		{"first_page.all", own, fixed(""), pages, firstPageMillis},
		{"first_page.type", own, fixed("match[type]=indicator"), pages, firstPageMillis},
		{"first_page.rare_type", own, fixed("match[type]=malware"), pages, firstPageMillis},
		// one object, so that what is compared between sizes is the way to it and not how many there are
		{"first_page.rare_viewer", ally, fixed("limit=1"), pages, firstPageMillis},
		{"first_page.rare_viewer_type", ally, fixed("match[type]=indicator&limit=1"), pages, firstPageMillis},
		{"first_page.rare_viewer_all", ally, fixed(""), pages, firstPageMillis},
	} {
		var t times
		for i := range m.n {
			began := time.Now()
			a, err := m.client.Do(ctx, http.MethodGet, testnode.Objects+"?"+m.query(i), nil, nil)
			if err != nil {
				return nil, err
			}
			if a.Status != http.StatusOK || count(a.Body) == 0 {
				return nil, fmt.Errorf("%s: the node answered %d with %d objects", m.query(i), a.Status, count(a.Body))
			}
			t = append(t, time.Since(began))
		}
		at := fmt.Sprintf("@%d", s.stored)
		s.note(m.name+".p50"+at, t.at(0.5), "ms")
		s.atMost(m.name+".p99"+at, t.at(0.99), "ms", m.target)
		if m.name != "first_page.rare_viewer_all" {
			out = append(out, latency{m.name, t.at(0.5)})
		}
	}
	return out, nil
}

func fixed(query string) func(int) string { return func(int) string { return query } }

func count(page []byte) int { return bytes.Count(page, []byte(sample.Mark)) }

// compare holds the larger store to the smaller one.
func (s *stock) compare(base, now []latency) {
	for i := range base {
		s.atMost(fmt.Sprintf("%s.p50@%d:%d", base[i].name, s.stored, small), now[i].p50/base[i].p50, "ratio", growthRatio)
	}
}

// readAll reads the whole collection over one connection.
func (s *stock) readAll(ctx context.Context) error {
	c := s.node.Client(testnode.Analyst)
	defer c.Close()
	for _, limit := range []int{10_000, 0} {
		name := "read.limit_10000"
		if limit == 0 {
			name = "read.limit_default"
		}
		n, bytes := 0, 0
		began := time.Now()
		if err := c.Pages(ctx, "", limit, func(page []byte) error { n, bytes = n+count(page), bytes+len(page); return nil }); err != nil {
			return err
		}
		took := time.Since(began)
		if n != s.stored {
			return fmt.Errorf("%d objects are stored and %d were read", s.stored, n)
		}
		s.atLeast(name, rate(n, took), "objects/s", readTarget)
		s.note(name+".bytes", float64(bytes)/took.Seconds()/(1<<20), "MiB/s")
	}
	return nil
}

// weigh looks at what the process and its files take, and how soon it serves again.
func (s *stock) weigh(ctx context.Context) error {
	for _, m := range []struct{ name, field string }{{"memory.resident", "VmRSS"}, {"memory.resident_peak", "VmHWM"}} {
		v, err := s.node.Memory(m.field)
		if err != nil {
			s.skip(m.name, "this system does not tell: "+err.Error())
			continue
		}
		s.atMost(m.name, float64(v)/(1<<20), "MiB", memoryTarget)
	}
	if err := s.node.Stop(); err != nil {
		return err
	}
	disk, err := s.node.DiskBytes()
	if err != nil {
		return err
	}
	s.note("disk", float64(disk)/float64(s.stored), "B/object")
	took, err := s.node.Start(ctx)
	if err != nil {
		return err
	}
	s.atMost("start", took.Seconds(), "s", startSeconds)
	s.node.Kill()
	if took, err = s.node.Start(ctx); err != nil {
		return err
	}
	s.atMost("start.after_kill", took.Seconds(), "s", startSeconds)
	return s.node.Stop()
}
