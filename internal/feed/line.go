package feed

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"entente/internal/fault"
)

const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 30 * time.Second
	// stall is how long a server may send nothing in the middle of an answer.
	stall        = 30 * time.Second
	maxRedirects = 5
)

// line is the way to one server: it leads to the configured host and nowhere else.
type line struct {
	c     *Config
	http  *http.Client
	trans *http.Transport
	agent string
	auth  func(*http.Request)
	stall time.Duration
}

func newLine(c *Config, agent string, patience time.Duration) (*line, error) {
	l := &line{c: c, agent: agent, stall: patience, auth: func(*http.Request) {}}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		pem, err := os.ReadFile(c.path(c.CA))
		if err != nil {
			return nil, fault.New(fault.Invalid, "feed.ca", "the file of ca cannot be read").At("ca").Because(err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Invalid, "feed.ca", "the file of ca holds no certificate").At("ca")
		}
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.path(c.CertFile), c.path(c.KeyFile))
		if err != nil {
			return nil, fault.New(fault.Invalid, "feed.cert", "the client certificate cannot be used: %v", err).At("cert_file")
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	if err := l.signIn(); err != nil {
		return nil, err
	}
	d := &net.Dialer{Timeout: dialTimeout, Control: l.permitted}
	l.trans = &http.Transport{
		TLSClientConfig: conf, DisableCompression: true, TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: headerTimeout, ForceAttemptHTTP2: true,
		MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != hostPort(c.url) {
				return nil, fault.New(fault.Forbidden, "feed.host", "this feed leads to %s only", c.url.Host)
			}
			return d.DialContext(ctx, network, addr)
		},
	}
	l.http = &http.Client{Transport: l, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return l, nil
}

// signIn reads the secrets anew for every run, so that they can be changed.
func (l *line) signIn() error {
	c := l.c
	if c.User != "" {
		password, err := c.secret("password_file", c.PasswordFile)
		if err != nil {
			return err
		}
		l.auth = func(r *http.Request) { r.SetBasicAuth(c.User, password) }
	}
	if c.TokenFile != "" {
		token, err := c.secret("token_file", c.TokenFile)
		if err != nil {
			return err
		}
		basic := l.auth
		l.auth = func(r *http.Request) {
			basic(r)
			if c.Header != "" {
				r.Header.Set(c.Header, token)
			} else {
				r.Header.Set("Authorization", "Bearer "+token)
			}
		}
	}
	return nil
}

func (l *line) close() { l.trans.CloseIdleConnections() }

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func sameOrigin(a, b *url.URL) bool {
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

// permitted looks at the very address that is about to be connected to, whatever the name was resolved to before.
func (l *line) permitted(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fault.New(fault.Forbidden, "feed.address", "this is no address")
	}
	a := ap.Addr().Unmap().WithZone("")
	host := l.c.url.Hostname()
	if literal, err := netip.ParseAddr(host); err == nil && literal.Unmap() == a || host == "localhost" && a.IsLoopback() || public(a) {
		return nil
	}
	for _, p := range l.c.nets {
		if p.Contains(a) {
			return nil
		}
	}
	return fault.New(fault.Forbidden, "feed.address", "%s is a name of %s, which is not a public address", host, a).
		Try("if that is meant, name the network in the feed's addresses")
}

// RoundTrip bounds an answer: who sends it, how large it is, also unpacked, and how slow.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	if !sameOrigin(r.URL, l.c.url) {
		return nil, fault.New(fault.Forbidden, "feed.host", "this feed leads to %s only", l.c.url.Host)
	}
	r = r.Clone(r.Context())
	ctx, stop := context.WithCancelCause(r.Context())
	ctx, expire := context.WithTimeoutCause(ctx, l.c.times.timeout, fault.New(fault.Unavailable, "feed.timeout", "the answer was not complete after %s", l.c.times.timeout))
	r = r.WithContext(ctx)
	r.Header.Set("Accept-Encoding", "gzip")
	r.Header.Set("User-Agent", l.agent)
	l.auth(r)
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
	b := &answer{body: resp.Body, limit: l.c.Limits.Bytes, patience: l.stall, end: end, ctx: ctx}
	b.timer = time.AfterFunc(l.stall, b.stalled)
	resp.Body = b
	switch encoding := strings.ToLower(resp.Header.Get("Content-Encoding")); encoding {
	case "", "identity":
	case "gzip", "x-gzip":
		resp.Body = &unpacked{packed: b, limit: l.c.Limits.Bytes}
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.ContentLength = -1
	default:
		b.Close()
		return nil, fault.New(fault.Unsupported, "feed.encoding", "the answer is encoded in a way that was not asked for")
	}
	return resp, nil
}

// answer is the body of a response, bounded in size and time.
type answer struct {
	body     io.ReadCloser
	n, limit int64
	patience time.Duration
	timer    *time.Timer
	end      func(why error)
	ctx      context.Context
}

func (b *answer) stalled() {
	b.end(fault.New(fault.Unavailable, "feed.stalled", "the server sent nothing for %s in the middle of its answer", b.patience))
}

func (b *answer) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if n > 0 {
		b.timer.Reset(b.patience)
	}
	if b.n += int64(n); b.n > b.limit {
		return 0, tooLarge(b.limit)
	}
	if err == nil || err == io.EOF {
		return n, err
	}
	var f *fault.Error
	switch {
	case errors.As(context.Cause(b.ctx), &f):
		err = f
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = truncated(err)
	}
	return n, err
}

func (b *answer) Close() error {
	b.timer.Stop()
	b.end(nil)
	return b.body.Close()
}

func truncated(err error) *fault.Error {
	return fault.New(fault.Unavailable, "feed.truncated", "the answer broke off before its end; nothing of it was taken").Because(err)
}

func tooLarge(limit int64) *fault.Error {
	return fault.New(fault.TooLarge, "feed.size", "the feed has more than %d bytes", limit).Try("raise the feed's limits.bytes if that is right")
}

// unpacked is a gzip stream that ends with an error where it becomes too large.
type unpacked struct {
	packed   io.ReadCloser
	zip      *gzip.Reader
	n, limit int64
	failed   error
}

func (u *unpacked) Read(p []byte) (int, error) {
	if u.zip == nil && u.failed == nil {
		if u.zip, u.failed = gzip.NewReader(u.packed); u.failed != nil {
			u.failed = zipFault(u.failed)
		}
	}
	if u.failed != nil {
		return 0, u.failed
	}
	n, err := u.zip.Read(p)
	if u.n += int64(n); u.n > u.limit {
		return 0, tooLarge(u.limit)
	}
	if err != nil && err != io.EOF {
		err = zipFault(err)
	}
	return n, err
}

func (u *unpacked) Close() error { return u.packed.Close() }

func zipFault(err error) error {
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return truncated(err)
	}
	return fault.New(fault.Invalid, "feed.gzip", "the compressed answer is damaged; nothing of it was taken").Because(err)
}
