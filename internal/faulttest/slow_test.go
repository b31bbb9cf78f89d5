package faulttest

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entente/internal/node"
	"entente/internal/sample"
	"entente/internal/surface/api"
	"entente/internal/testnode"
)

const (
	patience = 2 * time.Second
	// soon is far beyond every patience of the node: a connection that lives longer lives for ever.
	soon = 4 * time.Minute
	slow = 10 // clients of each kind
)

// TestSlowClientsKeepNobodyWaiting lets many clients stand still at every point of a request, while another one works.
func TestSlowClientsKeepNobodyWaiting(t *testing.T) {
	pages := &answered{}
	h := build(t, func(c *node.Config) {
		c.Limits.Patience, c.Limits.PostObjects, c.Limits.InFlight, c.Log = patience, 10_000, 20*slow, slog.New(pages)
	})
	defer h.close(t)
	c := h.client(t)
	src := sample.New(6)
	var raws [][]byte
	for range 10_000 {
		raws = append(raws, src.Mixed().Raw)
	}
	must(c.Post(t.Context(), testnode.Envelope(raws...)))(t)

	head := "Host: node\r\nAccept: " + testnode.Media + "\r\nAuthorization: Basic " + base64.StdEncoding.EncodeToString([]byte("admin:"+h.password)) + "\r\n"
	post := "POST " + testnode.Objects + " HTTP/1.1\r\n" + head + "Content-Type: " + testnode.Media + "\r\n"
	list := api.NewClient("http://node", h.Local(), nil)
	collection := must(list.Collection(t.Context(), testnode.Collection))(t)
	path := "/taxii2/api/collections/" + collection.ID + "/objects/" // by which none but the slow clients ask
	pages.path.Store(path)
	ctx, stop := context.WithTimeout(t.Context(), soon)
	defer stop()
	var all sync.WaitGroup
	for name, stand := range map[string]func(context.Context, net.Conn) error{
		"before the handshake":    ended,
		"in the first line":       secure(h, "GET /tax", ended),
		"in the header":           secure(h, "GET /taxii2/ HTTP/1.1\r\nHost: no", ended),
		"before the body":         secure(h, post+"Content-Length: 100000\r\n\r\n", refused),
		"in the body":             secure(h, post+"Content-Length: 100000\r\n\r\n{\"objects\":[", refused),
		"and drips":               secure(h, post+"Content-Length: 100000\r\n\r\n", drips),
		"in a chunk":              secure(h, post+"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"obj", refused),
		"in a body nobody reads":  secure(h, "POST /taxii2/ HTTP/1.1\r\n"+head+"Content-Length: 100000\r\n\r\nabc", ended),
		"and is nobody":           secure(h, "POST /healthz HTTP/1.1\r\nHost: node\r\nContent-Length: 10\r\n\r\n", ended),
		"while it takes a page":   secure(h, "GET "+path+"?limit=10000 HTTP/1.1\r\n"+head+"\r\n", pages.cutOff),
		"with a request that ran": secure(h, "GET /taxii2/ HTTP/1.1\r\nConnection: close\r\n"+head+"\r\n", ended),
	} {
		for range slow {
			all.Go(func() {
				conn, err := net.Dial("tcp", h.Addr())
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				defer conn.Close()
				conn.(*net.TCPConn).SetReadBuffer(64 << 10)
				if err := stand(ctx, conn); err != nil {
					t.Errorf("a client that stands still %s: %v", name, err)
				}
			})
		}
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	worked := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		worked++
		raw := testnode.Envelope(src.File().Raw)
		honest(ctx, t, "a post", func() (bool, error) { s, err := c.Post(ctx, raw); return s.Success == 1, err })
		honest(ctx, t, "a page", func() (bool, error) {
			a, err := c.Do(ctx, http.MethodGet, testnode.Objects+"?limit=100", nil, nil)
			return a.Status == http.StatusOK, err
		})
	}
	t.Logf("%d posts and as many pages beside %d slow clients", worked, 11*slow)
}

// honest does what a client does that takes what it is given: where the machine let it stand still for as long as the node's patience, and its connection is cut, it asks
// again.
func honest(ctx context.Context, t *testing.T, what string, ask func() (bool, error)) {
	t.Helper()
	for {
		ok, err := ask()
		if err == nil && ok {
			return
		}
		if err == nil || ctx.Err() != nil {
			t.Fatalf("beside slow clients %s is not answered well: %v", what, err)
		}
		t.Logf("beside slow clients %s was cut: %v", what, err)
	}
}

// secure makes a TLS connection, sends what is said and stands still.
func secure(h *house, says string, then func(context.Context, net.Conn) error) func(context.Context, net.Conn) error {
	return func(ctx context.Context, raw net.Conn) error {
		conf := h.ClientTLS()
		conf.ServerName = "127.0.0.1"
		conn := tls.Client(raw, conf)
		if err := conn.HandshakeContext(ctx); err != nil {
			return err
		}
		if _, err := io.WriteString(conn, says); err != nil {
			return err
		}
		return then(ctx, conn)
	}
}

// ended waits until the node has closed the connection.
func ended(ctx context.Context, conn net.Conn) error {
	end, _ := ctx.Deadline()
	conn.SetReadDeadline(end)
	_, err := io.Copy(io.Discard, conn)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		return fmt.Errorf("the connection is still open after %s", soon)
	}
	return nil // an end is an end, clean or not
}

// refused waits for an answer that says no, and then for the end.
func refused(ctx context.Context, conn net.Conn) error {
	end, _ := ctx.Deadline()
	conn.SetReadDeadline(end)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			return fmt.Errorf("no answer after %s", soon)
		}
		return nil // closed without an answer
	}
	defer resp.Body.Close()
	if resp.StatusCode < 400 || resp.StatusCode >= 500 {
		return fmt.Errorf("half a body is answered %s", resp.Status)
	}
	return ended(ctx, conn)
}

// drips sends one byte after another, each well within the patience.
func drips(ctx context.Context, conn net.Conn) error {
	for ctx.Err() == nil {
		if _, err := conn.Write([]byte(" ")); err != nil {
			return nil
		}
		time.Sleep(patience / 5)
	}
	return fmt.Errorf("a drip holds the connection for %s", soon)
}

// answered counts the requests for a path that the node is done with.
type answered struct {
	path atomic.Value
	n    atomic.Int64
}

func (a *answered) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (a *answered) WithAttrs([]slog.Attr) slog.Handler           { return a }
func (a *answered) WithGroup(string) slog.Handler                { return a }
func (a *answered) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(x slog.Attr) bool {
		if x.Key == "path" && r.Message == "request" && x.Value.String() == a.path.Load() {
			a.n.Add(1)
		}
		return true
	})
	return nil
}

// cutOff takes the beginning of the answer and nothing more until the node is done with all such clients, and finds that it did not wait.
func (a *answered) cutOff(ctx context.Context, conn net.Conn) error {
	end, _ := ctx.Deadline()
	conn.SetReadDeadline(end)
	answer := bufio.NewReaderSize(conn, 16)
	if _, err := answer.Peek(1); err != nil {
		return fmt.Errorf("no answer began: %w", err)
	}
	for a.n.Load() < slow && ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
	}
	resp, err := http.ReadResponse(answer, nil)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		return fmt.Errorf("the connection is still open after %s", soon)
	}
	if err == nil {
		return fmt.Errorf("all %d bytes came to a client that took nothing", n)
	}
	return nil
}
