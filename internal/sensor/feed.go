package sensor

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"entente/internal/event"
	"entente/internal/fault"
	"entente/internal/input"
	"entente/internal/stream"
	wire "entente/sensor"
)

// Feed is an input that runs.
type Feed struct {
	input.Opened

	mu     sync.Mutex
	blocks map[string]*block
	forms  map[string]*form // by source
	state  wire.Input
}

// NewFeeds makes the inputs that are configured. They keep what they need below the data directory.
func NewFeeds(dir string, in io.Reader, tables []input.Table) (feeds []*Feed, err error) {
	place := input.Place{Dir: filepath.Join(dir, "inputs"), In: in}
	if err := os.MkdirAll(place.Dir, 0o700); err != nil {
		return nil, fault.New(fault.Unavailable, "sensor.input", "the directory of the inputs cannot be made").Because(err)
	}
	for i, t := range tables {
		o, err := input.Open(t, place, stream.Openers())
		if err != nil {
			if f, ok := errors.AsType[*fault.Error](err); ok {
				f.Pointer = strings.TrimSuffix(fmt.Sprintf("input[%d].%s", i, f.Pointer), ".")
			}
			return nil, err
		}
		for _, f := range feeds {
			if f.Name == o.Name {
				return nil, fault.New(fault.Invalid, "sensor.input", "two inputs are called %q", o.Name).Try("give each a name of its own")
			}
			if f.Kind == "stdin" && o.Kind == "stdin" {
				return nil, fault.New(fault.Invalid, "sensor.input", "there is one standard input, and not two")
			}
		}
		feeds = append(feeds, &Feed{Opened: *o})
	}
	return feeds, nil
}

// form is how the lines of one file are to be read.
type form struct {
	head [][]byte   // of Zeek's columns: the lines that say what they are
	look *look      // whose plan the reader is of
	tsv  *event.TSV // nil: the lines are JSON
}

// maxHead bounds the lines that say what columns are.
const maxHead = 64 << 10

// form finds how the lines of a batch are to be read. Of a file of which only a later part is read, its beginning says what its columns are.
func (f *Feed) form(b *input.Batch) *form {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.forms == nil {
		f.forms = map[string]*form{}
	}
	if known := f.forms[b.Source]; known != nil {
		return known
	}
	if len(f.forms) > 10_000 {
		clear(f.forms)
	}
	out := &form{}
	if len(b.Lines) == 0 {
		return out
	}
	f.forms[b.Source] = out
	if c := bytes.TrimSpace(b.Lines[0]); f.Format == "zeek" || f.Format == "auto" && !bytes.HasPrefix(c, []byte("{")) && !bytes.HasPrefix(c, []byte("#")) {
		out.head = b.Head
	}
	return out
}

// scan reads one line; false without an error: there is no event in it.
func (o *form) scan(l *look, format string, line []byte, ev *event.Event) (bool, error) {
	if format != "json" && len(line) > 0 && line[0] == '#' {
		if len(o.head) == 0 || bytes.HasPrefix(line, []byte("#separator")) {
			o.head, o.tsv = nil, nil
		}
		if len(o.head) < 64 && len(line) < maxHead {
			o.head = append(o.head, bytes.Clone(line))
		}
		o.look = nil // the columns are read anew
		return false, nil
	}
	if o.look != l {
		o.look, o.tsv = l, nil
		if len(o.head) > 0 {
			o.tsv = event.NewTSV(l.set.Plan())
			for _, h := range o.head {
				if _, err := o.tsv.Scan(h, ev); err != nil {
					return false, err
				}
			}
		}
	}
	if o.tsv != nil {
		return o.tsv.Scan(line, ev)
	}
	return true, l.set.Plan().Scan(line, ev)
}

// block finds the block of a batch, or begins it.
func (s *Sensor) block(f *Feed, b *input.Batch) *block {
	f.mu.Lock()
	defer f.mu.Unlock()
	if blk := f.blocks[b.Block]; blk != nil && b.Block != "" {
		if !b.First {
			return blk
		}
		s.forget(blk) // the source gives it anew
	}
	id := cmp.Or(b.Block, rand.Text()) // what has no name is never read again
	blk := &block{feed: f, name: b.Block, id: id, source: b.Source, hits: map[hitKey]*sighting{}, stage: s.memory.Stage()}
	if b.Block != "" {
		if f.blocks == nil {
			f.blocks = map[string]*block{}
		}
		f.blocks[b.Block] = blk
	}
	s.mu.Lock()
	s.live[blk] = struct{}{}
	s.mu.Unlock()
	return blk
}

// run runs an input until the context ends or the input does. One that fails begins again where it stands.
func (s *Sensor) runFeed(ctx context.Context, f *Feed) {
	wait := backoff{}
	for ctx.Err() == nil {
		err := f.Source.Run(ctx, func(b *input.Batch) error { return s.take(ctx, f, b) })
		if ctx.Err() != nil {
			return
		}
		if err := s.keepRound(); err != nil { // what ended is not read again
			s.failed("inputs", err)
		}
		s.abandon(f)
		if err == nil {
			return
		}
		f.mu.Lock()
		f.state.Error = err.Error()
		f.state.Restarts++
		f.mu.Unlock()
		s.o.Log.Warn("an input failed and begins again", "input", f.Name, "error", err)
		s.poke()
		if !wait.sleep(ctx, err) {
			return
		}
	}
}

// abandon forgets the blocks of an input that have not ended: they are read again from their beginnings.
func (s *Sensor) abandon(f *Feed) {
	f.mu.Lock()
	open := f.blocks
	f.blocks = nil
	f.mu.Unlock()
	for _, blk := range open {
		s.forget(blk)
	}
}

// forget forgets a block that has not ended. What was told of it stays told.
func (s *Sensor) forget(blk *block) {
	s.mu.Lock()
	delete(s.live, blk)
	s.mu.Unlock()
	blk.mu.Lock()
	defer blk.mu.Unlock()
	for _, x := range blk.hits {
		if x.told == 0 {
			s.untold.Add(-1)
		}
	}
	blk.hits, blk.dirty = nil, nil
}

// status is how an input is.
func (f *Feed) status() wire.Input {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.state
	out.Name, out.Kind, out.Lag = f.Name, f.Kind, -1
	if f.Lag != nil {
		out.Lag = f.Lag()
	}
	if f.Counts != nil {
		c := f.Counts()
		out.Dropped += c.Long + c.Lost + c.Missing
		out.Unread += c.Unread
	}
	if f.Failing != nil && out.Error == "" {
		out.Error = f.Failing()
	}
	return out
}

// backoff waits longer from time to time.
type backoff struct{ n int }

const (
	firstWait = time.Second
	mostWait  = time.Minute
)

// sleep waits, as long as the other side asked for or longer from time to time; false: the context ended.
func (b *backoff) sleep(ctx context.Context, err error) bool {
	d := min(mostWait, firstWait<<min(b.n, 6))
	b.n++
	var f *fault.Error
	if errors.As(err, &f) && f.RetryAfter > 0 {
		d = min(f.RetryAfter, 10*time.Minute)
	}
	var spread [1]byte
	rand.Read(spread[:]) // crypto/rand never fails
	d += d * time.Duration(spread[0]) / 1024
	return pause(ctx, d)
}
