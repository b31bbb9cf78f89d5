package input

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"entente/internal/syslog"
)

// Connections takes syslog over TCP (RFC 6587), with TLS or not (RFC 5425). A sender waits while nobody takes what it sends.
type Connections struct {
	Name    string
	Listen  string      // host:port
	TLS     *tls.Config // nil: without
	Parser  syslog.Parser
	Longest int           // bytes of a message; 64 KiB
	Most    int           // connections at once; 256
	Idle    time.Duration // after which a connection is closed that says nothing; an hour
	Rate    int           // messages a second that are taken of one connection at most: more must wait; 0: all
	Counts  func(func(*Counts))
	Ready   func(net.Addr)
}

const shakeTime = 10 * time.Second // for the greeting of TLS

// Run implements Source.
func (s *Connections) Run(ctx context.Context, take func(*Batch) error) error {
	if s.Counts == nil {
		s.Counts = counter(new(Counts))
	}
	if s.Longest <= 0 {
		s.Longest = 64 << 10
	}
	if s.Most <= 0 {
		s.Most = 256
	}
	if s.Idle <= 0 {
		s.Idle = time.Hour
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listening for %s: %w", s.Name, err)
	}
	if s.Ready != nil {
		s.Ready(l.Addr())
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g := newGather(s.Name, s.Counts, take)
	var wg sync.WaitGroup
	wg.Go(func() { <-ctx.Done(); _ = l.Close() }) // which ends the accepting; an error of closing would change nothing
	wg.Go(func() { defer stop(); g.run(ctx) })
	room := newRoom(s.Most)
	var failed error
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			if err == nil {
				_ = conn.Close() // it came too late
			}
			break
		}
		if err != nil {
			s.Counts(func(c *Counts) { c.Errors++ })
			if errors.Is(err, net.ErrClosed) {
				failed = fmt.Errorf("listening for %s: %w", s.Name, err)
				break
			}
			select { // too many files are open, or the like
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		if !room.take(1) {
			s.Counts(func(c *Counts) { c.Errors++ })
			_ = conn.Close() // nobody is told: it was refused
			continue
		}
		wg.Go(func() {
			defer room.give(1)
			if err := s.serve(ctx, conn, g); err != nil {
				stop()
			}
		})
	}
	stop()
	wg.Wait()
	return errors.Join(failed, g.flush(true))
}

// serve takes what one sender sends. Its error is that of who takes it.
func (s *Connections) serve(ctx context.Context, conn net.Conn, g *gather) error {
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-ctx.Done():
		case <-over:
		}
		_ = conn.Close() // what was sent and not read is the sender's to send again
	}()
	bad := func() { s.Counts(func(c *Counts) { c.Errors++ }) }
	if s.TLS != nil {
		t := tls.Server(conn, s.TLS)
		shake, stop := context.WithTimeout(ctx, shakeTime)
		err := t.HandshakeContext(shake)
		stop()
		if err != nil {
			if ctx.Err() == nil {
				bad()
			}
			return nil
		}
		conn = t
	}
	from := ""
	if a, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
		from = a.Addr().Unmap().String()
	}
	frames := syslog.NewFrames(deadlined{conn, s.Idle}, s.Longest)
	gate := newRate(s.Rate)
	var buf []byte
	long := uint64(0)
	for ctx.Err() == nil {
		msg, err := frames.Next()
		if frames.Long != long {
			n := frames.Long - long
			s.Counts(func(c *Counts) { c.Long += n })
			long = frames.Long
		}
		if err != nil {
			switch {
			case errors.Is(err, io.EOF), ctx.Err() != nil:
			case errors.Is(err, syslog.ErrFrame):
				s.Counts(func(c *Counts) { c.Unread++ })
			default: // it was cut off, or said nothing for long
				bad()
			}
			return nil
		}
		for !gate.let(time.Now()) {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(5 * time.Millisecond):
			}
		}
		line, ok := s.Parser.Append(buf[:0], msg, time.Now(), from)
		if !ok {
			s.Counts(func(c *Counts) { c.Unread++ })
			continue
		}
		buf = line
		if err := g.add(line); err != nil {
			return err
		}
	}
	return nil
}

// deadlined reads with a limit of time for every reading.
type deadlined struct {
	net.Conn
	limit time.Duration
}

func (d deadlined) Read(b []byte) (int, error) {
	if err := d.SetReadDeadline(time.Now().Add(d.limit)); err != nil {
		return 0, err
	}
	return d.Conn.Read(b)
}
