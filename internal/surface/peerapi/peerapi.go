// Package peerapi is the door for partners' nodes: a listener of its own, on which both sides prove by their keys who they are before a request is read.
package peerapi

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"

	"entente/internal/federation"
	"entente/internal/keyring"
	"entente/peer"
)

// Config is what the door needs.
type Config struct {
	Backend peer.Backend
	Carrier peer.Carrier // what carries for others; nil: nothing does
	TLS     *tls.Config  // of keyring.Ring.PeerTLS
	Know    keyring.KnowPeer
	Limits  peer.Limits
	Log     *slog.Logger
}

// Door serves partners' nodes.
type Door struct {
	cfg     Config
	handler http.Handler
	server  *http.Server
}

// New makes the door. Serve opens it.
func New(cfg Config) *Door {
	d := &Door{cfg: cfg}
	d.handler = peer.NewServer(cfg.Backend, peer.Options{Limits: cfg.Limits, Carrier: cfg.Carrier,
		Caller: func(ctx context.Context) string {
			c, _ := federation.CallerOf(ctx)
			return c.Nation
		},
		Failed: func(ctx context.Context, err error) {
			c, _ := federation.CallerOf(ctx)
			cfg.Log.Debug("a partner was refused", "partner", c.Nation, "error", err)
		}})
	d.server = &http.Server{Handler: http.HandlerFunc(d.serve), TLSConfig: cfg.TLS, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: 64, SendPingTimeout: 30 * time.Second, WriteByteTimeout: time.Minute}}
	return d
}

// serve tells the caller by the key of the connection, at every request: a key that was revoked since counts no more.
func (d *Door) serve(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil {
		http.NotFound(w, r)
		return
	}
	p, ok := keyring.PeerOf(*r.TLS, d.cfg.Know)
	if !ok {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusForbidden)
		return
	}
	d.handler.ServeHTTP(w, r.WithContext(federation.WithCaller(r.Context(), federation.Caller{Nation: p.Nation, Org: p.Org, Still: func() bool { _, ok := keyring.PeerOf(*r.TLS, d.cfg.Know); return ok }})))
}

// Serve answers on the listener until the door is closed.
func (d *Door) Serve(l net.Listener) error { return d.server.ServeTLS(l, "", "") }

// Close ends every connection.
func (d *Door) Close() error { return d.server.Close() }

// Client is how this node calls a partner's: requests of the connection carry nothing that says who calls but its key. dial carries the connections; nil: the network.
func Client(conf *tls.Config, dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	return &http.Client{
		Transport: &http.Transport{DialContext: dial, TLSClientConfig: conf, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 30 * time.Second,
			IdleConnTimeout: 2 * time.Minute, MaxIdleConnsPerHost: 4, HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
