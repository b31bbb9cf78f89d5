package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"entente/internal/sample"
	"entente/internal/testnode"
	"entente/label"
)

const (
	small        = 10_000  // objects of the smaller stores that larger ones are compared with
	rare         = 100_000 // one object in so many may be had by the other organisation
	envelopeSize = 1000

	ingestTarget  = 8000 // indicators per second
	importStretch = 12_000
	postStretch   = 10_000
)

// stock is the store that grows, and what it must hold.
type stock struct {
	*bench
	node    *testnode.Node
	client  *testnode.Client // of the running comparison
	src     *sample.Source
	stored  int
	visible int      // to the other organisation
	ids     []string // some of what is stored
}

// grow fills one node in stages, by every way in, and at each size measures it side by side with a small one.
func (b *bench) grow(ctx context.Context) error {
	base, err := b.newStock(ctx, "small", 2)
	if err != nil {
		return err
	}
	defer base.node.Kill()
	if _, err := base.store(ctx, base.take(small-base.stored, base.src.Mixed)); err != nil {
		return err
	}
	if _, err := base.node.Start(ctx); err != nil {
		return err
	}
	s, err := b.newStock(ctx, "large", 3)
	if err != nil {
		return err
	}
	defer s.node.Kill()
	sizes := []int{b.size}
	if b.size > rare {
		sizes = []int{rare, b.size}
	}
	for _, size := range sizes {
		if err := s.growTo(ctx, size); err != nil {
			return err
		}
		if err := s.caughtUp(ctx, fmt.Sprintf("find.lag.after_growth@%d", size)); err != nil {
			return err
		}
		if err := s.compare(ctx, base); err != nil {
			return err
		}
		if err := s.find(ctx); err != nil {
			return err
		}
	}
	if err := s.readAll(ctx); err != nil {
		return err
	}
	return s.weigh(ctx)
}

// newStock makes a node that holds only what all samples refer to.
func (b *bench) newStock(ctx context.Context, name string, seed uint64) (*stock, error) {
	n, err := testnode.Create(ctx, b.bin, filepath.Join(b.dir, name), "")
	if err != nil {
		return nil, err
	}
	s := &stock{bench: b, node: n, src: sample.New(seed)}
	first := raws(s.src.Head())
	s.stored, s.visible = len(first), 1 // the author
	_, err = s.store(ctx, first)
	return s, err
}

// growTo fills the store up to a size: a part by each way, measured, and what is left as a usual mix.
func (s *stock) growTo(ctx context.Context, size int) error {
	part := min(50_000, (size-s.stored)/4) / envelopeSize * envelopeSize
	at := fmt.Sprintf("@%d", size)
	if err := s.node.Stop(); err != nil {
		return err
	}
	took, err := s.store(ctx, s.take(part, s.indicator))
	if err != nil {
		return err
	}
	s.atLeast("ingest.import"+at, rate(part, took), "objects/s", ingestTarget)
	s.note("ingest.import.stretch"+at, rate(part, took)/importStretch*100, "% of goal")
	if _, err := s.node.Start(ctx); err != nil {
		return err
	}
	for _, connections := range []int{1, 4} {
		name := fmt.Sprintf("ingest.post.%dconn", connections)
		objects, cpu := s.take(part, s.indicator), s.processor(name+".cpu"+at, part)
		took, err := s.post(ctx, objects, connections)
		if err != nil {
			return err
		}
		cpu()
		s.atLeast(name+at, rate(part, took), "objects/s", ingestTarget)
		s.note(name+".stretch"+at, rate(part, took)/postStretch*100, "% of goal")
	}
	for s.stored < size {
		n := min(size-s.stored, 100_000)
		if _, err := s.store(ctx, s.take(n, s.src.Mixed)); err != nil {
			return err
		}
	}
	return nil
}

// processor tells, when what it returns is called, how much of the node's processor time each object took since: a figure that does not
// depend on what else the machine does.
func (s *stock) processor(name string, objects int) func() {
	before, err := s.node.CPU()
	return func() {
		if after, e := s.node.CPU(); err == nil && e == nil {
			s.note(name, float64(after-before)/float64(objects)/float64(time.Microsecond), "us/object")
		}
	}
}

func (s *stock) indicator() sample.Object { return s.src.Indicator(label.Green) }

// take makes n objects, and now and then one that the other organisation may have.
func (s *stock) take(n int, next func() sample.Object) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		s.stored++
		var o sample.Object
		if s.stored == small/2 || s.stored%rare == 0 {
			o = s.src.Indicator(label.Clear)
			s.visible++
		} else {
			o = next()
		}
		if len(s.ids) < 5000 {
			s.ids = append(s.ids, o.ID)
		} else if s.stored%97 == 0 {
			s.ids[(s.stored/97)%len(s.ids)] = o.ID
		}
		out[i] = o.Raw
	}
	return out
}

func raws(objects []sample.Object) (out [][]byte) {
	for _, o := range objects {
		out = append(out, o.Raw)
	}
	return out
}

// store imports objects from a file and returns how long the command took.
func (s *stock) store(ctx context.Context, objects [][]byte) (time.Duration, error) {
	path := filepath.Join(s.dir, "objects.json")
	if err := writeLines(path, objects); err != nil {
		return 0, err
	}
	defer os.Remove(path)
	began := time.Now()
	sum, err := importFile(ctx, s.node, path)
	if err == nil && sum.Added != len(objects) {
		err = fmt.Errorf("of %d objects %d were added, %d held and %d refused", len(objects), sum.Added, sum.Held, sum.Refused)
	}
	return time.Since(began), err
}

// post sends objects in envelopes over several connections and returns how long it took until all were acknowledged as stored.
func (s *stock) post(ctx context.Context, objects [][]byte, connections int) (time.Duration, error) {
	envelopes := make(chan []byte, len(objects)/envelopeSize+1)
	for i := 0; i < len(objects); i += envelopeSize {
		envelopes <- testnode.Envelope(objects[i:min(i+envelopeSize, len(objects))]...)
	}
	close(envelopes)
	var wg sync.WaitGroup
	errs := make([]error, connections)
	began := time.Now()
	for i := range connections {
		wg.Go(func() {
			c := s.node.Client(testnode.Analyst)
			defer c.Close()
			for e := range envelopes {
				st, err := c.Post(ctx, e)
				if err == nil && (!st.Complete() || st.Failure > 0) {
					err = fmt.Errorf("a post of %d ended %s with %d failures", st.Total, st.Status, st.Failure)
				}
				if err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began), errors.Join(errs...)
}
