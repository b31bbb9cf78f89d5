package input

import (
	"context"
	"crypto/rand"
	"strconv"
	"sync"
	"time"
)

// gather makes batches of what comes in pieces and cannot be read again: its blocks have names that are drawn, and end after so many lines or so long.
type gather struct {
	take   func(*Batch) error
	counts func(func(*Counts))
	name   string
	id     string

	mu    sync.Mutex
	block int
	count int       // lines of the block
	began time.Time // the block; zero: it has no lines
	buf   []byte    // of the batch
	ends  []int
	err   error // that ended it
}

const (
	blockLines = 10_000
	blockTime  = 10 * time.Second
	flushTime  = 100 * time.Millisecond
)

func newGather(name string, counts func(func(*Counts)), take func(*Batch) error) *gather {
	return &gather{take: take, counts: counts, name: name, id: rand.Text()}
}

// run gives what there is from time to time, until the context ends or nobody takes it any more.
func (g *gather) run(ctx context.Context) {
	tick := time.NewTicker(flushTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if g.flush(false) != nil {
				return
			}
		}
	}
}

// add takes one line, which is copied.
func (g *gather) add(line []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return g.err
	}
	if len(line) > MaxLine {
		g.counts(func(c *Counts) { c.Long++ })
		return nil
	}
	if g.began.IsZero() {
		g.began = time.Now()
	}
	g.buf = append(g.buf, line...)
	g.ends = append(g.ends, len(g.buf))
	if len(g.ends) >= maxBatch || len(g.buf) >= maxBytes {
		g.give(false)
	}
	return g.err
}

// flush gives what there is. End: the block ends, too.
func (g *gather) flush(end bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil && !g.began.IsZero() {
		g.give(end)
	}
	return g.err
}

// give gives a batch. The caller holds mu.
func (g *gather) give(end bool) {
	last := end || g.count+len(g.ends) >= blockLines || time.Since(g.began) >= blockTime
	if len(g.ends) == 0 && !last {
		return
	}
	b := &Batch{Source: g.name, Block: g.id + "/" + strconv.Itoa(g.block), Last: last}
	at := 0
	for _, end := range g.ends {
		b.Lines = append(b.Lines, g.buf[at:end:end])
		at = end
	}
	if g.err = g.take(b); g.err != nil {
		return
	}
	lines, bytes := uint64(len(g.ends)), uint64(len(g.buf))
	g.counts(func(c *Counts) { c.Lines += lines; c.Bytes += bytes })
	g.count += len(g.ends)
	g.buf, g.ends = g.buf[:0], g.ends[:0]
	if last {
		g.block++
		g.count, g.began = 0, time.Time{}
	}
}
