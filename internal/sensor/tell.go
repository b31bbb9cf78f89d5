package sensor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/fault"
	"entente/internal/spool"
	wire "entente/sensor"
)

const (
	tellEvery = 250 * time.Millisecond // between two rounds of telling
	keepEvery = 5 * time.Second        // between two rounds of marking what was read
	maxEnded  = 4096                   // blocks that ended and are not marked as read, before that is done at once
	maxPost   = 8 << 20                // bytes of a post
)

// gate lets inputs through while what they meet can be kept.
type gate struct {
	mu   sync.Mutex
	open chan struct{} // closed: it is open
	shut bool
}

func newGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

// set opens or shuts the gate, and tells whether that is another state.
func (g *gate) set(shut bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == shut {
		return false
	}
	if g.shut = shut; shut {
		g.open = make(chan struct{})
	} else {
		close(g.open)
	}
	return true
}

func (g *gate) state() (open <-chan struct{}, shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open, g.shut
}

// admit waits until what an input meets can be kept; false: it cannot, and the input cannot wait.
func (s *Sensor) admit(ctx context.Context, f *Feed) (bool, error) {
	open, shut := s.gate.state()
	if shut && f.Lossy {
		return false, nil
	}
	select {
	case <-open:
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// tell puts what was met into the spool: at once what is new, and what grew from time to time and when its block ended. All: without waiting.
func (s *Sensor) tell(all bool) error {
	s.round.Lock()
	defer s.round.Unlock()
	type toldOne struct {
		blk   *block
		x     *sighting
		count int64
	}
	var tellings []toldOne
	var records [][]byte
	now := s.o.Now()
	for _, blk := range s.blocks() {
		blk.mu.Lock()
		var rest []*sighting
		for _, x := range blk.dirty {
			switch {
			case s.mutes.silenced(x.source):
				x.waits = false
				if x.told == 0 {
					s.untold.Add(-1)
					delete(blk.hits, x.hitKey)
				}
				continue
			case x.count == x.told:
				x.waits = false
				continue
			case x.told > 0 && !blk.ended && !all && now.Sub(x.toldAt) < again:
				rest = append(rest, x)
				continue
			}
			r := blk.report(x)
			b, err := json.Marshal(&r, json.Deterministic(true))
			if err != nil {
				blk.mu.Unlock()
				return fault.New(fault.Internal, "", "a report cannot be written").Because(err)
			}
			records = append(records, b)
			tellings = append(tellings, toldOne{blk, x, x.count})
			rest = append(rest, x) // until it is durable
		}
		blk.dirty = rest
		blk.mu.Unlock()
	}
	loose, unkept := s.loose.take(), error(nil)
	if len(loose) > 0 {
		if unkept = s.several.sync(); unkept != nil {
			loose = nil
		}
	}
	for i := range loose {
		b, err := json.Marshal(&loose[i], json.Deterministic(true))
		if err != nil {
			return fault.New(fault.Internal, "", "a report cannot be written").Because(err)
		}
		records = append(records, b)
	}
	if len(records) == 0 {
		if unkept != nil {
			return s.halted(unkept)
		}
		if open, shut := s.gate.state(); shut && open != nil && !s.spoolFull() {
			s.opened()
		}
		return nil
	}
	for len(records) > 0 {
		n, size := 0, 0
		for n < len(records) && (n == 0 || size+len(records[n]) <= maxPost) && n < wire.MaxReports {
			size += len(records[n])
			n++
		}
		if err := s.spool.Append(records[:n]); err != nil {
			return s.halted(err)
		}
		of := min(n, len(tellings)) // the others are of several events
		s.loose.told(n - of)
		for _, t := range tellings[:of] {
			t.blk.mu.Lock()
			if t.x.told == 0 {
				s.untold.Add(-1)
			}
			t.x.told, t.x.toldAt = t.count, now
			t.blk.mu.Unlock()
		}
		records, tellings = records[n:], tellings[of:]
	}
	if unkept != nil {
		return s.halted(unkept)
	}
	s.opened()
	return nil
}

// halted lets inputs wait, as what is met cannot be kept.
func (s *Sensor) halted(err error) error {
	if s.gate.set(true) {
		s.o.Log.Warn("reports cannot be kept: inputs wait", "error", err)
		s.failed("spool", err)
		s.poke()
	}
	if fault.Of(err) == fault.Full {
		return nil // the inputs wait
	}
	return err
}

// spoolFull tells whether the spool has so little room that it is not worth beginning again.
func (s *Sensor) spoolFull() bool {
	st := s.spool.Stats()
	return st.Bytes > st.Max/10*9
}

func (s *Sensor) opened() {
	if s.gate.set(false) {
		s.failed("spool", nil)
		s.o.Log.Info("reports can be kept again: inputs go on")
		s.poke()
	}
}

// keepRound marks as read what ended and is told: first what was seen is made durable, then where inputs stand.
func (s *Sensor) keepRound() error {
	s.settling.Lock()
	defer s.settling.Unlock()
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	if err := s.tell(false); err != nil {
		return err
	}
	n := 0
	for n < len(ended) && ended[n].settled() {
		n++
	}
	if n == 0 {
		return nil
	}
	for _, blk := range ended[:n] {
		blk.mu.Lock()
		blk.stage.Commit()
		blk.mu.Unlock()
	}
	if err := errors.Join(s.memory.Flush(), s.several.sync()); err != nil {
		return err
	}
	newest := map[[2]string]*block{} // of each source of each input
	for _, blk := range ended[:n] {
		if blk.done != nil {
			newest[[2]string{blk.feed.Name, blk.source}] = blk
		}
	}
	var errs []error
	for _, blk := range newest {
		errs = append(errs, blk.done())
	}
	s.several.over(ended[:n])
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = s.ended[n:]
	s.held = 0
	for _, blk := range ended[:n] {
		delete(s.live, blk)
	}
	return errors.Join(errs...)
}

// settled tells whether everything of a block that ended is in the spool.
func (b *block) settled() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, x := range b.dirty {
		if x.count > x.told {
			return false
		}
	}
	return true
}

// blocks are those that are not marked as read.
func (s *Sensor) blocks() []*block {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*block, 0, len(s.live))
	for blk := range s.live {
		out = append(out, blk)
	}
	return out
}

// post gives what is in the spool to the node.
func (s *Sensor) post(ctx context.Context) {
	wait, most := backoff{}, wire.MaxReports
	for {
		records, err := s.spool.Next(most)
		if err == nil && len(records) == 0 {
			wait, most = backoff{}, wire.MaxReports
			select {
			case <-ctx.Done():
				return
			case <-s.spool.Wake():
				continue
			}
		}
		if err == nil {
			err = s.give(ctx, &records)
		}
		if k := fault.Of(err); err != nil && (k == fault.Unprocessable || k == fault.TooLarge) {
			if len(records) > 1 { // one of them is what the node does not take: find it
				most = len(records) / 2
				continue
			}
			s.refused.Add(1)
			s.o.Log.Warn("the node does not take a report: it is dropped", "error", err)
			s.failed("reports", err)
			err = nil
		} else if err == nil {
			s.failed("reports", nil)
		}
		if err == nil {
			wait, most = backoff{}, min(2*most, wire.MaxReports)
			if err = s.spool.Ack(records[len(records)-1].Seq); err == nil {
				continue
			}
		}
		if ctx.Err() != nil {
			return
		}
		s.failed("reports", err)
		if !wait.sleep(ctx, err) {
			return
		}
	}
}

// give posts records, as many of them as one post may have.
func (s *Sensor) give(ctx context.Context, records *[]spool.Record) error {
	body, n := []byte{'['}, 0
	for _, r := range *records {
		if n > 0 && len(body)+len(r.Data) > maxPost {
			break
		}
		if n++; n > 1 {
			body = append(body, ',')
		}
		body = append(body, r.Data...)
	}
	*records = (*records)[:n]
	body = append(body, ']')
	_, err := post[wire.Taken](ctx, s.client, wire.PathReports, jsontext.Value(body))
	if err == nil {
		s.given.Add(int64(n))
	}
	return err
}
