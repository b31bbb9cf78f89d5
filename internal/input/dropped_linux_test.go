package input

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What the system drops while nobody reads is counted: every packet is taken, or counted.
func TestWhatTheSystemDrops(t *testing.T) {
	probe, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	_, ok := dropped(probe)
	if err := probe.Close(); err != nil || !ok {
		t.Skip("this system does not say what it drops (SO_MEMINFO): ", err)
	}
	const sent = 3000
	change, counts := tally()
	ctx, stop := context.WithCancel(t.Context())
	s := &Datagrams{Name: "x", Listen: "127.0.0.1:0", Buffer: 16 << 10, Counts: change,
		Decode: func(p []byte, _ netip.Addr, _ time.Time, line func([]byte)) { line(p) },
		Ready: func(a net.Addr) { // nothing is read before it returns
			c, err := net.Dial("udp", a.String())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			for range sent {
				if _, err := c.Write([]byte(strings.Repeat("x", 100))); err != nil {
					t.Error(err)
				}
			}
		}}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, func(*Batch) error { return nil }) }()
	until(t, "all are taken or counted", func() bool { c := counts(); return c.Lines+c.Lost >= sent })
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if c := counts(); c.Lines+c.Lost != sent || c.Lost == 0 || c.Lines == 0 {
		t.Errorf("%+v, of %d", c, sent)
	}
}

// A buffer that the system does not give is told.
func TestBufferThatIsNotGiven(t *testing.T) {
	b, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	if err != nil {
		t.Skip("the system does not say what it gives at most: ", err)
	}
	most, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, buffer := range []int{0, minBuffer, maxBuffer} {
		r := run(t, Table{"kind": "netflow", "listen": "127.0.0.1:0", "buffer": buffer})
		if got := r.o.Failing(); (got != "") != (buffer > most) {
			t.Errorf("%d bytes, of %d at most: %q", buffer, most, got)
		}
		r.end("x")
	}
}
