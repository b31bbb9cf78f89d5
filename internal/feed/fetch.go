package feed

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
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

// Document is what a feed has now, whole, in a file that goes away at the latest when it is closed.
type Document struct {
	*os.File
	Size         int64
	Digest       string // SHA-256 of the content
	ContentType  string
	ETag         string
	LastModified string
}

// Close also removes the file.
func (d *Document) Close() error { return errors.Join(d.File.Close(), remove(d.Name())) }

func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// conditions make a request conditional.
type conditions struct{ etag, modified string }

// fetch brings a document of the feed's host into the spool. No document and no error: it has not changed.
func (l *line) fetch(ctx context.Context, u *url.URL, cond conditions, dir string) (*Document, error) {
	for range maxRedirects {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, bad("url", "this is no URL")
		}
		req.Header.Set("Accept", "*/*")
		if cond.etag != "" {
			req.Header.Set("If-None-Match", cond.etag)
		}
		if cond.modified != "" {
			req.Header.Set("If-Modified-Since", cond.modified)
		}
		resp, err := l.http.Do(req)
		if err != nil {
			return nil, wireFault(err)
		}
		switch resp.StatusCode {
		case http.StatusOK:
			d, err := spool(dir, resp.Body, l.c.Limits.Bytes)
			resp.Body.Close()
			if err != nil {
				return nil, err
			}
			d.ETag, d.LastModified = resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")
			d.ContentType, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
			return d, nil
		case http.StatusNotModified:
			resp.Body.Close()
			return nil, nil
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
			resp.Body.Close()
			to, err := u.Parse(resp.Header.Get("Location"))
			if err != nil {
				return nil, fault.New(fault.Unavailable, "feed.redirect", "the server redirects to what is no URL")
			}
			if !sameOrigin(to, l.c.url) {
				return nil, fault.New(fault.Forbidden, "feed.redirect", "the server redirects to another host, %s, which was not asked", to.Host).
					Try("if that is where the feed is now, change its url")
			}
			u = to
		default:
			resp.Body.Close()
			return nil, statusFault(resp)
		}
	}
	return nil, fault.New(fault.Unavailable, "feed.redirect", "the server redirects more than %d times", maxRedirects)
}

// wireFault says in words why there was no answer.
func wireFault(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // without the URL, which may hold a key
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fault.New(fault.Unavailable, "feed.timeout", "the server does not answer in time").Because(err)
	}
	return fault.New(fault.Unavailable, "feed.connect", "no answer from the server: %v", err)
}

func statusFault(resp *http.Response) error {
	said := fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	switch c := resp.StatusCode; {
	case c == http.StatusUnauthorized || c == http.StatusForbidden || c == http.StatusProxyAuthRequired:
		return fault.New(fault.Forbidden, "feed.refused", "the server answers %s", said).Try("look at the feed's credential")
	case c == http.StatusNotFound || c == http.StatusGone:
		return fault.New(fault.NotFound, "feed.missing", "the server answers %s", said).Try("look at the feed's url")
	case c == http.StatusTooManyRequests || c == http.StatusServiceUnavailable:
		return fault.New(fault.Throttled, "feed.throttled", "the server answers %s", said).After(retryAfter(resp.Header))
	}
	return fault.New(fault.Unavailable, "feed.status", "the server answers %s", said)
}

// retryAfter reads seconds, or a date, which is measured from the server's own.
func retryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseInt(v, 10, 32); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	at, err := http.ParseTime(v)
	now, nerr := http.ParseTime(h.Get("Date"))
	if err != nil || nerr != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}

// open brings a file of this machine into the spool, so that what is taken is one state of it.
func (c *Config) open(dir string) (*Document, error) {
	path := c.path(c.File)
	before, err := os.Stat(path)
	if err != nil {
		return nil, fault.New(fault.NotFound, "feed.file", "the feed's file cannot be read").Because(err)
	}
	if !before.Mode().IsRegular() {
		return nil, fault.New(fault.Invalid, "feed.file", "%s is no file", c.File).At("file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.New(fault.Forbidden, "feed.file", "the feed's file cannot be read").Because(err)
	}
	defer f.Close()
	d, err := spool(dir, f, c.Limits.Bytes)
	if err != nil {
		return nil, err
	}
	if after, err := f.Stat(); err != nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		d.Close()
		return nil, fault.New(fault.Unavailable, "feed.file", "the feed's file changed while it was read; nothing of it was taken").Try("replace it by renaming a complete file over it")
	}
	return d, nil
}

// spool writes a stream to its end into a file, unpacked where it is a gzip file.
func spool(dir string, from io.Reader, limit int64) (*Document, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.New(fault.Full, "feed.spool", "the directory for downloads cannot be made").Because(err)
	}
	f, err := os.CreateTemp(dir, "feed-*")
	if err != nil {
		return nil, fault.New(fault.Full, "feed.spool", "no file can be made for the download").Because(err)
	}
	d := &Document{File: f}
	os.Remove(f.Name()) // where the system lets an open file go: a node that is killed leaves none
	b := bufio.NewReaderSize(from, 64<<10)
	var r io.Reader = b
	if magic, _ := b.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		r = &unpacked{packed: io.NopCloser(b), limit: limit}
	}
	sum := sha256.New()
	d.Size, err = io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, limit+1))
	if err == nil && d.Size > limit {
		err = tooLarge(limit)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		d.Close()
		var fe *fault.Error
		var pe *os.PathError
		switch {
		case errors.As(err, &fe):
			return nil, fe
		case errors.As(err, &pe):
			return nil, fault.New(fault.Full, "feed.spool", "the download cannot be written").Because(err)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, truncated(err)
		}
		return nil, wireFault(err)
	}
	d.Digest = hex.EncodeToString(sum.Sum(nil))
	return d, nil
}
