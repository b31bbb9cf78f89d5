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

// request is one kind of request whose latency is measured.
type request struct {
	name   string
	user   string
	query  func(s *stock, i int) string
	n      int
	target float64 // ms, of the p99
	ratio  bool    // compare it with the small store
}

var requests = []request{
	{"match.id", testnode.Analyst, func(s *stock, i int) string { return "match[id]=" + s.ids[i*7%len(s.ids)] }, matches, matchMillis, true},
	{"first_page.all", testnode.Analyst, fixed(""), pages, firstPageMillis, true},
	{"first_page.type", testnode.Analyst, fixed("match[type]=indicator"), pages, firstPageMillis, true},
	{"first_page.rare_type", testnode.Analyst, fixed("match[type]=malware"), pages, firstPageMillis, true},
	// one object, so that what is compared between sizes is the way to it and not how many there are
	{"first_page.rare_viewer", testnode.Ally, fixed("limit=1"), pages, firstPageMillis, true},
	{"first_page.rare_viewer_type", testnode.Ally, fixed("match[type]=indicator&limit=1"), pages, firstPageMillis, true},
	{"first_page.rare_viewer_all", testnode.Ally, fixed(""), pages, firstPageMillis, false},
}

// compare asks the store and a small one in turn, over one connection each, so that whatever else the machine does meets both.
func (s *stock) compare(ctx context.Context, base *stock) error {
	time.Sleep(2 * time.Second) // what follows the last write in the background is not the reader's
	if err := s.seesItsShare(ctx); err != nil {
		return err
	}
	for _, r := range requests {
		var took [2]times
		for k, from := range []*stock{s, base} {
			c := from.node.Client(r.user)
			defer c.Close()
			if err := ask(ctx, c, r.query(from, 0), &times{}); err != nil {
				return err
			}
			took[k] = make(times, 0, r.n)
			from.client = c
		}
		for i := range r.n {
			for k, from := range []*stock{s, base} {
				if err := ask(ctx, from.client, r.query(from, i), &took[k]); err != nil {
					return err
				}
			}
		}
		at := fmt.Sprintf("@%d", s.stored)
		s.note(r.name+".p50"+at, took[0].at(0.5), "ms")
		s.atMost(r.name+".p99"+at, took[0].at(0.99), "ms", r.target)
		if r.ratio {
			s.atMost(fmt.Sprintf("%s.p50@%d:%d", r.name, s.stored, small), took[0].at(0.5)/took[1].at(0.5), "ratio", growthRatio)
		}
	}
	return nil
}

func ask(ctx context.Context, c *testnode.Client, query string, into *times) error {
	began := time.Now()
	a, err := c.Do(ctx, http.MethodGet, testnode.Objects+"?"+query, nil, nil)
	if err != nil {
		return err
	}
	if a.Status != http.StatusOK || count(a.Body) == 0 {
		return fmt.Errorf("%s: the node answered %d with %d objects", query, a.Status, count(a.Body))
	}
	*into = append(*into, time.Since(began))
	return nil
}

// seesItsShare checks that the other organisation is given all that it may have, and nothing else.
func (s *stock) seesItsShare(ctx context.Context) error {
	ally := s.node.Client(testnode.Ally)
	defer ally.Close()
	seen := 0
	if err := ally.Pages(ctx, "", 0, func(page []byte) error { seen += count(page); return nil }); err != nil {
		return err
	}
	if seen != s.visible {
		return fmt.Errorf("the other organisation has %d objects of the %d that it may have", seen, s.visible)
	}
	return nil
}

func fixed(query string) func(*stock, int) string { return func(*stock, int) string { return query } }

func count(page []byte) int { return bytes.Count(page, []byte(sample.Mark)) }

// readAll reads the whole collection over one connection.
func (s *stock) readAll(ctx context.Context) error {
	c := s.node.Client(testnode.Analyst)
	defer c.Close()
	for _, limit := range []int{10_000, 0} {
		name := "read.limit_10000"
		if limit == 0 {
			name = "read.limit_default"
		}
		n, bytes, cpu := 0, 0, s.processor(name+".cpu", s.stored)
		began := time.Now()
		if err := c.Pages(ctx, "", limit, func(page []byte) error { n, bytes = n+count(page), bytes+len(page); return nil }); err != nil {
			return err
		}
		took := time.Since(began)
		cpu()
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
