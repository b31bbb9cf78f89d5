// Package stream brings telemetry from brokers: NATS JetStream and Kafka. Each message is one event, or several lines of them.
//
// Sensors of one group share a stream, and what each finds is counted once, whoever dies when: a block of 1,000 positions of the stream is always read from its beginning, by one
// sensor, in order. What that sensor found so far it reports under the block's name. A sensor that is given a block which another did not finish reads it whole and reports under the same
// name, so that of two reports the larger is the right one, and no two sensors' counts are ever added for one block. A broker learns only of whole blocks that they are done with.
//
// A source goes on through everything that a broker may do: it connects again with growing pauses, and what it could not do is counted. It connects to the addresses of its
// configuration and to no others, even where a broker names them.
package stream

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"entente/internal/fault"
	"entente/internal/input"
	"entente/internal/outbound"
)

// blockSize is how many positions of a partition or stream a block has.
const blockSize = 1000

// Bounds.
const (
	maxLines    = 1000    // of a batch
	maxBytes    = 1 << 20 // of a batch, beyond which no line is added
	fetchBytes  = 8 << 20 // that a broker is asked for at once
	dialTime    = 10 * time.Second
	firstPause  = 100 * time.Millisecond // before a broker is tried again
	longPause   = 10 * time.Second
	maxSecret   = 64 << 10
	maxBrokers  = 1000
	maxSubjects = 100
)

// Counts are what a source did and could not do, since it was made.
type Counts struct {
	input.Counts
	Binary      uint64    // lines that are not UTF-8: they are passed on
	Messages    uint64    // that were read
	Gone        uint64    // messages that the broker had removed before anybody read them
	Redelivered uint64    // stretches that were taken over from somebody who did not finish them
	Rebalances  uint64    // times that the partitions of the group were divided anew
	Restarts    uint64    // times that the source began anew after a failure
	Lag         int64     // messages that wait; negative: nobody knows
	Last        time.Time // when a message came
	Error       string    // the newest failure; empty since something came after it
}

// counter holds the counts of a source.
type counter struct {
	mu sync.Mutex
	c  Counts
}

// Counts are those now.
func (c *counter) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.c
}

func (c *counter) count(f func(*Counts)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.c)
}

// failed counts a failure, if it is one.
func (c *counter) failed(err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	c.count(func(c *Counts) { c.Errors++; c.Error = err.Error() })
}

// TLS says how a broker is met.
type TLS struct {
	Mode string `toml:"tls"`       // on, the default; off: only where something else keeps the network safe
	CA   string `toml:"ca_file"`   // PEM; empty: the authorities of the system
	Cert string `toml:"cert_file"` // PEM, of a client certificate
	Key  string `toml:"key_file"`  // PEM
}

func (t *TLS) validate() error {
	switch {
	case t.Mode != "" && t.Mode != "on" && t.Mode != "off":
		return invalid("tls", "tls is on or off, not %q", t.Mode)
	case t.Mode == "off" && (t.CA != "" || t.Cert != "" || t.Key != ""):
		return invalid("tls", "without TLS there are no certificates")
	case (t.Cert == "") != (t.Key == ""):
		return invalid("cert_file", "a client certificate needs cert_file and key_file")
	}
	return nil
}

func (t *TLS) on() bool { return t.Mode != "off" }

// config is nil without TLS.
func (t *TLS) config() (*tls.Config, error) {
	if !t.on() {
		return nil, nil
	}
	return outbound.TLS("stream", t.CA, t.Cert, t.Key)
}

func invalid(at, format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "stream."+at, format, args...).At(at)
}

// addresses checks a list of host:port.
func addresses(at string, list []string) error {
	if len(list) == 0 || len(list) > maxBrokers {
		return invalid(at, "one to %d addresses are needed", maxBrokers)
	}
	for _, a := range list {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" {
			return invalid(at, "%q is no host:port", a)
		}
	}
	return nil
}

func from(at string) error {
	if at != "" && at != "oldest" && at != "newest" {
		return invalid("from", "a group begins at the oldest or the newest message, not at %q", at)
	}
	return nil
}

// secret reads the first line of a file.
func secret(at, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", invalid(at, "the file of %s cannot be read", at).Because(err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", invalid(at, "the file of %s cannot be read", at).Because(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return "", invalid(at, "the file of %s is empty", at)
	}
	return line, nil
}

// dialer connects to configured addresses only.
type dialer struct {
	allowed []string
	tls     *tls.Config // nil: without
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if !slices.Contains(d.allowed, address) {
		return nil, fault.New(fault.Forbidden, "stream.address", "the broker names %s, which the configuration does not", address).
			Try("add it to the addresses of the input, if it is one of them")
	}
	ctx, stop := context.WithTimeout(ctx, dialTime)
	defer stop()
	raw := &net.Dialer{}
	if d.tls == nil {
		return raw.DialContext(ctx, network, address)
	}
	return (&tls.Dialer{NetDialer: raw, Config: d.tls}).DialContext(ctx, network, address)
}

// Dial is what the NATS client connects by, which adds TLS itself.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	return d.dial(context.Background(), network, address)
}

// pause is how long the n-th attempt waits, from 0.
func pause(n int) time.Duration {
	d := min(firstPause<<min(n, 20), longPause)
	return d/2 + rand.N(d/2)
}

// keepOn runs sessions until the context ends or what takes the lines refuses them.
func (c *counter) keepOn(ctx context.Context, session func(context.Context) (progress bool, err error)) error {
	for n := 0; ; n++ {
		progress, err := session(ctx)
		var r *refusal
		switch {
		case errors.As(err, &r):
			return r.err
		case ctx.Err() != nil:
			return nil
		case progress:
			n = 0
		}
		c.failed(err)
		c.count(func(c *Counts) { c.Restarts++ })
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause(n)):
		}
	}
}

// refusal is the error of who takes the lines: it ends the source.
type refusal struct{ err error }

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// giver makes batches of the messages of one block after another.
type giver struct {
	take  func(*input.Batch) error
	count func(func(*Counts))
	batch input.Batch
	size  int
	seen  Counts // what is not counted yet
}

// open begins a block.
func (g *giver) open(source, block string) {
	g.batch, g.size = input.Batch{Source: source, Block: block, First: true}, 0
}

// message adds the lines of one.
func (g *giver) message(b []byte) error {
	g.seen.Messages++
	for len(b) > 0 {
		line := b
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			line, b = b[:i], b[i+1:]
		} else {
			b = nil
		}
		switch line = bytes.TrimSuffix(line, []byte{'\r'}); {
		case len(line) == 0:
			continue
		case len(line) > input.MaxLine:
			g.seen.Long++
			continue
		case !utf8.Valid(line):
			g.seen.Binary++
		}
		g.batch.Lines = append(g.batch.Lines, line)
		if g.size += len(line); len(g.batch.Lines) >= maxLines || g.size >= maxBytes {
			if err := g.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush gives the lines that are gathered.
func (g *giver) flush() error {
	if len(g.batch.Lines) == 0 {
		g.tally()
		return nil
	}
	return g.give()
}

// end gives what is left of the block, and that it ends.
func (g *giver) end(done func() error) error {
	g.batch.Last, g.batch.Done = true, done
	return g.give()
}

func (g *giver) give() error {
	b, size := g.batch, g.size
	g.batch, g.size = input.Batch{Source: b.Source, Block: b.Block}, 0
	if err := g.take(&b); err != nil {
		return &refusal{err}
	}
	g.seen.Lines += uint64(len(b.Lines))
	g.seen.Bytes += uint64(size)
	g.tally()
	return nil
}

// tally counts what was seen.
func (g *giver) tally() {
	seen := g.seen
	if seen.Messages == 0 && seen.Lines == 0 {
		return
	}
	g.seen = Counts{}
	g.count(func(c *Counts) {
		c.Messages += seen.Messages
		c.Lines += seen.Lines
		c.Bytes += seen.Bytes
		c.Long += seen.Long
		c.Binary += seen.Binary
		c.Last, c.Error = time.Now(), ""
	})
}
