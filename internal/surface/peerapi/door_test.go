package peerapi

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"entente/internal/federation"
	"entente/internal/keyring"
	"entente/peer"
)

// pipes is a listener of connections in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "door", Net: "unix"} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// told is a backend that notes who says hello.
type told struct {
	peer.Backend
	mu  sync.Mutex
	who []federation.Caller
}

func (b *told) Hello(ctx context.Context) (peer.Hello, error) {
	c, _ := federation.CallerOf(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.who = append(b.who, c)
	return peer.Hello{Versions: []int{1}, Nation: "UTO"}, nil
}

// house is a door and the keys of those before it.
type house struct {
	backend       *told
	lines         *pipes
	door          *Door
	uto, rur, eve *keyring.Ring
	made          time.Time // the keys
	mu            sync.Mutex
	distrusted    bool // of RUR, since it connected
}

func newHouse(t *testing.T) *house {
	ring := func(nation string) *keyring.Ring {
		r, err := keyring.Create(t.TempDir(), keyring.Names{Nation: nation, Org: nation + " CERT"}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	return &house{backend: &told{}, uto: ring("UTO"), rur: ring("RUR"), eve: ring("EVE"), made: time.Now()}
}

func (h *house) knows(public ed25519.PublicKey) (keyring.Peer, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.distrusted {
		return keyring.Peer{}, false
	}
	return keyring.PeerIn(h.rur.KeyState(), public, h.made)
}

// test opens the door under a clock of its own, which moves on when everybody waits.
func (h *house) test(t *testing.T, f func(t *testing.T, h *house)) {
	synctest.Test(t, func(t *testing.T) {
		h.lines = newPipes()
		h.open(t)
		f(t, h)
	})
}

func (h *house) open(t *testing.T) {
	server, _ := h.uto.PeerTLS(h.knows)
	h.door = New(Config{Backend: h.backend, TLS: server, Know: h.knows, Log: slog.New(slog.DiscardHandler)})
	served := make(chan error, 1)
	go func() { served <- h.door.Serve(h.lines) }()
	t.Cleanup(func() {
		_ = h.door.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// client is how the holder of a ring calls.
func (h *house) client(t *testing.T, r *keyring.Ring) *peer.Client {
	_, conf := r.PeerTLS(func(public ed25519.PublicKey) (keyring.Peer, bool) {
		return keyring.PeerIn(h.uto.KeyState(), public, h.made)
	})
	c := Client(conf, h.lines.dial)
	t.Cleanup(c.CloseIdleConnections)
	return &peer.Client{URL: "https://uto", Doer: c}
}

// Who calls is whose key the connection has; nobody else is answered, and who is not known any more is not, on a connection from before either.
func TestTheDoorKnowsItsCallers(t *testing.T) {
	newHouse(t).test(t, func(t *testing.T, h *house) {
		rur := h.client(t, h.rur)
		if _, err := rur.Hello(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := h.client(t, h.eve).Hello(t.Context()); err == nil {
			t.Error("a stranger is answered")
		}
		if len(h.backend.who) != 1 || h.backend.who[0].Nation != "RUR" || h.backend.who[0].Org != "RUR CERT" || !h.backend.who[0].Still() {
			t.Fatalf("%+v", h.backend.who)
		}
		h.mu.Lock()
		h.distrusted = true
		h.mu.Unlock()
		if _, err := rur.Hello(t.Context()); err == nil || len(h.backend.who) != 1 || h.backend.who[0].Still() {
			t.Errorf("who is known no more is answered: %v", err)
		}
	})
}

// Whoever connects and says nothing, stops in a handshake, or has shown its key and sends no request, is hung up on.
func TestWhoDoesNotSpeakIsHungUpOn(t *testing.T) {
	newHouse(t).test(t, func(t *testing.T, h *house) {
		_, conf := h.rur.PeerTLS(func(public ed25519.PublicKey) (keyring.Peer, bool) {
			return keyring.PeerIn(h.uto.KeyState(), public, h.made)
		})
		for name, begin := range map[string]func(c net.Conn) (net.Conn, error){
			"nothing is said": func(c net.Conn) (net.Conn, error) { return c, nil },
			"a handshake that stops": func(c net.Conn) (net.Conn, error) {
				_, err := c.Write([]byte{0x16, 3, 1, 0, 200, 1})
				return c, err
			},
			"no request": func(c net.Conn) (net.Conn, error) {
				s := tls.Client(c, conf)
				return s, s.Handshake()
			},
		} {
			c, err := h.lines.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			if c, err = begin(c); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, io.ErrUnexpectedEOF) { // it ends, or the test would wait for ever
				t.Errorf("%s: %v", name, err)
			}
			_ = c.Close()
		}
		if len(h.backend.who) != 0 {
			t.Errorf("%+v", h.backend.who)
		}
	})
}
