package input

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"entente/internal/flow"
	"entente/internal/syslog"
)

// Datagrams takes packets of UDP: of syslog (RFC 5426), or of NetFlow and IPFIX. What finds no room because nobody takes it is dropped and counted, by the system (where it tells how
// much: Linux) as well as here.
type Datagrams struct {
	Name   string
	Listen string // host:port
	Decode func(packet []byte, from netip.Addr, now time.Time, line func([]byte))
	Rate   int // packets a second that are taken at most; 0: all
	Buffer int // bytes that the system is asked to hold of what comes faster than it is read; 0: 8 MiB, or what there is
	Counts func(func(*Counts))
	Ready  func(net.Addr) // where it listens, once it does; may be nil

	short atomic.Int64 // bytes of the buffer that was given, where it is less than was configured
}

const (
	maxPacket  = 65_535
	maxWaiting = 32 << 20 // bytes of packets that wait to be taken
	socketRoom = 8 << 20  // that the system is asked for
	dropsTime  = 500 * time.Millisecond
)

type packet struct {
	b    []byte
	from netip.Addr
	at   time.Time
}

// Syslog gives the decoder of messages of syslog. One reads for one source.
func Syslog(p *syslog.Parser, counts func(func(*Counts))) func([]byte, netip.Addr, time.Time, func([]byte)) {
	var buf []byte
	return func(b []byte, from netip.Addr, now time.Time, line func([]byte)) {
		out, ok := p.Append(buf[:0], b, now, from.Unmap().String())
		if !ok {
			counts(func(c *Counts) { c.Unread++ })
			return
		}
		buf = out
		line(out)
	}
}

// Flows gives the decoder of packets with flows. One reads for one source.
func Flows(counts func(func(*Counts))) func([]byte, netip.Addr, time.Time, func([]byte)) {
	var c flow.Collector
	var told flow.Counts
	return func(b []byte, from netip.Addr, now time.Time, line func([]byte)) {
		c.Read(b, from.Unmap(), now, line)
		if is := c.Counts; is.Missing != told.Missing || is.Unread != told.Unread || is.Early != told.Early || is.Evicted != told.Evicted {
			counts(func(c *Counts) {
				c.Missing += is.Missing - told.Missing // less, where what was missing came late
				c.Unread += is.Unread - told.Unread + is.Early - told.Early
				c.Lost += is.Evicted - told.Evicted
			})
		}
		told = c.Counts
	}
}

// Run implements Source.
func (s *Datagrams) Run(ctx context.Context, take func(*Batch) error) error {
	if s.Counts == nil {
		s.Counts = counter(new(Counts))
	}
	var lc net.ListenConfig
	c, err := lc.ListenPacket(ctx, "udp", s.Listen)
	if err != nil {
		return fmt.Errorf("listening for %s: %w", s.Name, err)
	}
	conn, ok := c.(*net.UDPConn)
	if !ok {
		return errors.Join(fmt.Errorf("listening for %s: this is no UDP", s.Name), c.Close())
	}
	s.ask(conn)
	if s.Ready != nil {
		s.Ready(conn.LocalAddr())
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	waiting := make(chan packet, 16384)
	room := newRoom(maxWaiting)
	g := newGather(s.Name, s.Counts, take)
	var wg sync.WaitGroup
	var reading error
	wg.Go(func() {
		defer close(waiting)
		reading = s.receive(ctx, conn, waiting, room)
	})
	wg.Go(func() {
		s.watch(ctx, conn)
		_ = conn.Close() // which ends the reading; an error of closing would change nothing
	})
	wg.Go(func() { defer stop(); g.run(ctx) })
	var taking error
	for p := range waiting {
		room.give(len(p.b))
		if taking != nil {
			continue
		}
		s.Decode(p.b, p.from, p.at, func(line []byte) {
			if taking == nil {
				taking = g.add(line)
			}
		})
		if taking != nil {
			stop()
		}
	}
	stop()
	wg.Wait()
	return errors.Join(taking, reading, g.flush(true))
}

// ask asks the system for room for what waits to be read. It may give less.
func (s *Datagrams) ask(conn *net.UDPConn) {
	err := conn.SetReadBuffer(cmp.Or(s.Buffer, socketRoom))
	s.short.Store(0)
	if got := granted(conn); s.Buffer > 0 && (err != nil || got > 0 && got < s.Buffer) {
		s.short.Store(int64(max(got, 1)))
	}
}

// Failing says what is not as it was configured.
func (s *Datagrams) Failing() string {
	if got := s.short.Load(); got > 0 {
		return fmt.Sprintf("the system gives a buffer of %d bytes, not of %d: raise its limit (net.core.rmem_max), or configure less", got, s.Buffer)
	}
	return ""
}

// watch counts what the system drops, until the context ends.
func (s *Datagrams) watch(ctx context.Context, conn *net.UDPConn) {
	tick := time.NewTicker(dropsTime)
	defer tick.Stop()
	told := uint32(0)
	for over := false; ; {
		if is, ok := dropped(conn); ok && is != told {
			n := uint64(is - told) // which is right when the system's counter begins again, too
			s.Counts(func(c *Counts) { c.Lost += n })
			told = is
		}
		if over {
			return
		}
		select {
		case <-ctx.Done():
			over = true
		case <-tick.C:
		}
	}
}

// receive reads packets as they come.
func (s *Datagrams) receive(ctx context.Context, conn *net.UDPConn, to chan<- packet, room *room) error {
	buf := make([]byte, maxPacket)
	gate := newRate(s.Rate)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			s.Counts(func(c *Counts) { c.Errors++ })
			if errors.Is(err, net.ErrClosed) {
				return fmt.Errorf("receiving %s: %w", s.Name, err)
			}
			continue
		}
		now := time.Now()
		if !gate.let(now) || !room.take(n) {
			s.Counts(func(c *Counts) { c.Lost++ })
			continue
		}
		select {
		case to <- packet{append([]byte(nil), buf[:n]...), from.Addr(), now}:
		default:
			room.give(n)
			s.Counts(func(c *Counts) { c.Lost++ })
		}
	}
}

// room is how much may wait.
type room struct {
	mu   sync.Mutex
	left int
}

func newRoom(n int) *room { return &room{left: n} }

func (r *room) take(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > r.left {
		return false
	}
	r.left -= n
	return true
}

func (r *room) give(n int) {
	r.mu.Lock()
	r.left += n
	r.mu.Unlock()
}

// rate lets so many through in a second, and as many at once.
type rate struct {
	most   int
	tokens float64
	at     time.Time
}

func newRate(most int) *rate { return &rate{most: most, tokens: float64(most)} }

func (r *rate) let(now time.Time) bool {
	if r.most <= 0 {
		return true
	}
	if !r.at.IsZero() {
		r.tokens = min(float64(r.most), r.tokens+now.Sub(r.at).Seconds()*float64(r.most))
	}
	r.at = now
	if r.tokens < 1 {
		return false
	}
	r.tokens--
	return true
}
