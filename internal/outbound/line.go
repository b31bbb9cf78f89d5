// Package outbound is the node's one way to servers elsewhere: a line leads to the origins that the configuration names and nowhere else,
// and whatever comes back is bounded in size and time.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"entente/internal/fault"
)

const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 30 * time.Second
	// Stall is how long a server may send nothing in the middle of an answer, where a configuration says nothing else.
	Stall = 30 * time.Second
)

// Config is where a line leads and how it is bounded.
type Config struct {
	// Rules begins the code of every refusal: "feed" makes "feed.host".
	Rules Rules
	// Origins are the servers that may be reached: scheme, host and port count. At least one.
	Origins []*url.URL
	// Networks are those that the origins' names may lead into besides public ones.
	Networks []netip.Prefix

	CA        string      // PEM file of the authorities that vouch for the servers, instead of the system's
	Cert, Key string      // PEM files of a client certificate and its key
	TLS       *tls.Config // how the servers are met, instead of by CA, Cert and Key

	Auth    func(*http.Request)     // signs in, on every request; nil: does not
	Check   func(http.Header) error // refuses an answer by its head; nil: none
	Agent   string                  // User-Agent
	Bytes   int64                   // of an answer at most, also unpacked
	Timeout time.Duration           // until an answer is complete
	Stall   time.Duration           // without a byte; 0: Stall
}

// Line is the way. Requests to other origins are refused, redirects are handed to the caller, and an address is looked at in the moment
// of the connection, whatever its name was resolved to before.
type Line struct {
	cfg   Config
	http  *http.Client
	trans *http.Transport
	dial  *net.Dialer
}

// New opens a line. Nothing is connected yet.
func New(cfg Config) (*Line, error) {
	l := &Line{cfg: cfg}
	if l.cfg.Stall == 0 {
		l.cfg.Stall = Stall
	}
	conf := cfg.TLS
	if conf == nil {
		var err error
		if conf, err = TLS(cfg.Rules, cfg.CA, cfg.Cert, cfg.Key); err != nil {
			return nil, err
		}
	}
	l.dial = &net.Dialer{Timeout: dialTimeout}
	l.trans = &http.Transport{
		TLSClientConfig: conf, DisableCompression: true, TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: headerTimeout, ForceAttemptHTTP2: true,
		MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second,
		DialContext: l.Dial,
	}
	l.http = &http.Client{Transport: l, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return l, nil
}

// TLS is how a server elsewhere is met: an authority and a client certificate by file, or none.
func TLS(rules Rules, ca, cert, key string) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, rules.fault(fault.Invalid, "ca", "the file of ca cannot be read").At("ca").Because(err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, rules.fault(fault.Invalid, "ca", "the file of ca holds no certificate").At("ca")
		}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, rules.fault(fault.Invalid, "cert", "the client certificate cannot be used: %v", err).At("cert_file")
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

// Client speaks HTTP over the line.
func (l *Line) Client() *http.Client { return l.http }

// Close ends idle connections.
func (l *Line) Close() { l.trans.CloseIdleConnections() }

// Dial connects to one of the origins.
func (l *Line) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	i := slices.IndexFunc(l.cfg.Origins, func(o *url.URL) bool { return strings.EqualFold(addr, hostPort(o)) })
	if i < 0 {
		return nil, l.astray()
	}
	d := *l.dial
	d.Control = func(_, address string, _ syscall.RawConn) error {
		return l.permitted(l.cfg.Origins[i].Hostname(), address)
	}
	return d.DialContext(ctx, network, addr)
}

func (l *Line) astray() error {
	hosts := make([]string, len(l.cfg.Origins))
	for i, o := range l.cfg.Origins {
		hosts[i] = o.Host
	}
	return l.cfg.Rules.fault(fault.Forbidden, "host", "this leads to %s only", strings.Join(hosts, ", "))
}

// ports are those of the schemes whose URLs need not name one.
var ports = map[string]string{"https": "443", "http": "80", "smtp": "25", "smtps": "465", "submission": "587"}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = ports[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// SameOrigin tells whether two URLs have scheme, host and port in common.
func SameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(hostPort(a), hostPort(b))
}

// special are networks that no public server stands in, besides those that netip tells.
var special = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
	netip.MustParsePrefix("fec0::/10")}

func public(a netip.Addr) bool {
	if a.IsPrivate() || !a.IsGlobalUnicast() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// permitted looks at the very address that is about to be connected to.
func (l *Line) permitted(host, address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return l.cfg.Rules.fault(fault.Forbidden, "address", "this is no address")
	}
	a := ap.Addr().Unmap().WithZone("")
	if literal, err := netip.ParseAddr(host); err == nil && literal.Unmap() == a || host == "localhost" && a.IsLoopback() || public(a) {
		return nil
	}
	for _, p := range l.cfg.Networks {
		if p.Contains(a) {
			return nil
		}
	}
	return l.cfg.Rules.fault(fault.Forbidden, "address", "%s is a name of %s, which is not a public address", host, a).Try("if that is meant, name the network in addresses")
}

// RoundTrip bounds an answer: who sends it, how large it is, also unpacked, and how slow. It is what Client runs on.
func (l *Line) RoundTrip(r *http.Request) (*http.Response, error) {
	if !slices.ContainsFunc(l.cfg.Origins, func(o *url.URL) bool { return SameOrigin(r.URL, o) }) {
		return nil, l.astray()
	}
	r = r.Clone(r.Context())
	ctx, stop := context.WithCancelCause(r.Context())
	ctx, expire := context.WithTimeoutCause(ctx, l.cfg.Timeout, l.cfg.Rules.fault(fault.Unavailable, "timeout", "the answer was not complete after %s", l.cfg.Timeout))
	r = r.WithContext(ctx)
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("User-Agent", l.cfg.Agent)
	if l.cfg.Auth != nil {
		l.cfg.Auth(r)
	}
	end := func(why error) { stop(why); expire() }
	resp, err := l.trans.RoundTrip(r)
	if err != nil {
		cause := context.Cause(ctx)
		end(nil)
		var f *fault.Error
		if errors.As(cause, &f) {
			return nil, f
		}
		return nil, err
	}
	if l.cfg.Check != nil {
		if err := l.cfg.Check(resp.Header); err != nil {
			resp.Body.Close()
			end(nil)
			return nil, err
		}
	}
	b := &answer{body: resp.Body, rules: l.cfg.Rules, limit: l.cfg.Bytes, patience: l.cfg.Stall, end: end, ctx: ctx}
	b.timer = time.AfterFunc(b.patience, b.stalled)
	resp.Body = b
	switch encoding := strings.ToLower(resp.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		resp.Body = l.cfg.Rules.Unpack(b, l.cfg.Bytes)
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength = -1
	default:
		b.Close()
		return nil, l.cfg.Rules.fault(fault.Unsupported, "encoding", "the answer is encoded in a way that was not asked for")
	}
	return resp, nil
}
