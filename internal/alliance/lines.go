package alliance

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// lines carry the connections between nodes, and can be cut.
type lines struct {
	mu    sync.Mutex
	where map[string]string // nations by the address of their door
	off   map[string]bool   // nations whose lines are cut
	open  map[net.Conn][2]string
}

func newLines() *lines {
	return &lines{where: map[string]string{}, off: map[string]bool{}, open: map[net.Conn][2]string{}}
}

// lead says whose door is at an address.
func (l *lines) lead(address, code string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.where[address] = code
}

// from dials for a nation.
func (l *lines) from(code string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		to := l.where[address]
		if l.off[code] || l.off[to] {
			c.Close()
			return nil, fmt.Errorf("the line between %s and %s is cut", code, to)
		}
		conn := &line{c, l}
		l.open[conn] = [2]string{code, to}
		return conn, nil
	}
}

// cut cuts every line of a nation, or heals them.
func (l *lines) cut(code string, cut bool) {
	l.mu.Lock()
	l.off[code] = cut
	var ends []net.Conn
	for c, between := range l.open {
		if cut && (between[0] == code || between[1] == code) {
			ends = append(ends, c)
		}
	}
	l.mu.Unlock()
	for _, c := range ends {
		c.Close()
	}
}

// line is one open connection.
type line struct {
	net.Conn
	of *lines
}

func (c *line) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
