package sensor

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"entente/internal/event"
	"entente/internal/fault"
	"entente/internal/input"
	"entente/internal/outbound"
	"entente/internal/stream"
	"entente/internal/syslog"
	wire "entente/sensor"
)

// Feed is an input that runs: where lines come from, and how the sensor calls it.
type Feed struct {
	Name, Kind string
	Format     string // auto, json or zeek
	Source     input.Source
	Lossy      bool                // what comes cannot wait: it is dropped and counted while nothing can be kept
	Counts     func() input.Counts // nil: it counts nothing
	Lag        func() int64        // what waits; nil: nobody knows
	failing    func() string       // what fails now, where the source tries again by itself; nil: nothing

	mu     sync.Mutex
	blocks map[string]*block
	forms  map[string]*form // by source
	state  wire.Input
}

// inputDir is where inputs keep what they need.
const inputDir = "inputs"

// NewFeed makes an input that is configured.
func NewFeed(dir string, cfg InputConfig) (*Feed, error) {
	dir = filepath.Join(dir, inputDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.New(fault.Unavailable, "sensor.input", "the directory of the inputs cannot be made").Because(err)
	}
	f := &Feed{Name: cfg.Name, Kind: cfg.Kind, Format: cfg.Format}
	var mu sync.Mutex
	var counts input.Counts
	change := func(f func(*input.Counts)) { mu.Lock(); f(&counts); mu.Unlock() }
	f.Counts = func() input.Counts { mu.Lock(); defer mu.Unlock(); return counts }
	switch cfg.Kind {
	case "files":
		marks, err := input.OpenCheckpoints(filepath.Join(dir, short(cfg.Name)+".json"))
		if err != nil {
			return nil, err
		}
		f.Source = &input.Files{Patterns: cfg.Paths, Follow: true, Marks: marks, Counts: change}
	case "stdin":
		f.Source = &input.Reader{Name: cfg.Name, In: os.Stdin, Counts: change}
	case "syslog-udp":
		f.Source, f.Lossy = &input.Datagrams{Name: cfg.Name, Listen: cfg.Listen, Decode: input.Syslog(&syslog.Parser{}, change), Counts: change}, true
	case "netflow":
		f.Source, f.Lossy = &input.Datagrams{Name: cfg.Name, Listen: cfg.Listen, Decode: input.Flows(change), Counts: change}, true
	case "syslog-tcp":
		f.Source = &input.Connections{Name: cfg.Name, Listen: cfg.Listen, Counts: change}
	case "syslog-tls":
		conf, err := cfg.tls()
		if err != nil {
			return nil, err
		}
		f.Source = &input.Connections{Name: cfg.Name, Listen: cfg.Listen, TLS: conf, Counts: change}
	case "kafka":
		k, err := stream.Kafka(*cfg.Kafka)
		if err != nil {
			return nil, err
		}
		f.Source = k
		f.streams(k.Counts)
	case "nats":
		n, err := stream.NATS(*cfg.NATS)
		if err != nil {
			return nil, err
		}
		f.Source = n
		f.streams(n.Counts)
	}
	return f, nil
}

// streams has the counts of a stream be those of the input.
func (f *Feed) streams(counts func() stream.Counts) {
	f.Counts = func() input.Counts {
		c := counts()
		c.Lost += c.Gone
		return c.Counts
	}
	f.Lag = func() int64 { return counts().Lag }
	f.failing = func() string { return counts().Error }
}

// tls is how syslog is taken with TLS (RFC 5425): under a certificate, and from senders that an authority vouches for, where one is named.
func (c *InputConfig) tls() (*tls.Config, error) {
	conf, err := outbound.TLS(rules, c.CA, c.Cert, c.Key)
	if err != nil {
		return nil, err
	}
	if conf.RootCAs != nil {
		conf.ClientCAs, conf.ClientAuth, conf.RootCAs = conf.RootCAs, tls.RequireAndVerifyClientCert, nil
	}
	return conf, nil
}

// form is how the lines of one file are to be read.
type form struct {
	head [][]byte   // of Zeek's columns: the lines that say what they are
	look *look      // whose plan the reader is of
	tsv  *event.TSV // nil: the lines are JSON
}

// maxHead bounds the lines that say what columns are.
const maxHead = 64 << 10

// form finds how the lines of a batch are to be read. A file of which only a later part is read still says at its beginning what its columns are.
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
	if f.Format == "json" {
		return out
	}
	if c := bytes.TrimSpace(b.Lines[0]); f.Format == "auto" && len(c) > 0 && (c[0] == '{' || c[0] == '#') {
		return out
	}
	file, err := os.Open(b.Source)
	if err != nil {
		return out // it has no beginning that could be read
	}
	defer file.Close()
	head := make([]byte, maxHead)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return out
	}
	for line := range bytes.Lines(head[:n]) {
		if line[0] != '#' || line[len(line)-1] != '\n' {
			break
		}
		out.head = append(out.head, bytes.Clone(bytes.TrimRight(line, "\r\n")))
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
	blk := &block{feed: f, id: id, source: b.Source, hits: map[hitKey]*sighting{}, stage: s.memory.Stage()}
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
	if f.failing != nil && out.Error == "" {
		out.Error = f.failing()
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
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
