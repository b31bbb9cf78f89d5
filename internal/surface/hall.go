// Package surface is the hall behind the one listener: it finds out who asks, bounds what one asker may take, writes the request log
// and turns failures into answers. Handlers decode, call the exchange or a worker, encode, and return an error.
package surface

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/identity"
)

// Credentials says who a credential belongs to. Every failure is a *fault.Error that tells nothing of why.
type Credentials interface {
	Authenticate(ctx context.Context, name, password, remote string) (gate.Viewer, error)
	AuthenticateToken(ctx context.Context, token string) (gate.Viewer, error)
	AuthenticateCertificate(ctx context.Context, leaf *x509.Certificate, issuers ...*x509.Certificate) (gate.Viewer, error)
	AuthenticateSession(ctx context.Context, text string) (gate.Viewer, identity.Session, error)
	CheckSession(ctx context.Context, text string) (gate.Viewer, identity.Session, error) // the same, and no use of it
}

// Render writes a failure in the words of one protocol. id is the occurrence's, for the caller to quote.
type Render func(w http.ResponseWriter, r *http.Request, e *fault.Error, id string)

// Config is what the hall needs.
type Config struct {
	Credentials Credentials
	Log         *slog.Logger
	// InFlight is how many requests of one viewer are worked on at once; one more is told to come back. 0: 64.
	InFlight int
	// Patience is how long a client may let a connection stand still while it sends or takes a body. 0: 30 s.
	Patience time.Duration
	// NoBasic turns HTTP Basic off (TAXII 2.1 section 8.2.2).
	NoBasic bool
	// Cookie is where browsers keep their sessions.
	Cookie Cookie
}

// Hall authenticates, bounds and logs.
type Hall struct {
	cfg      Config
	mu       sync.Mutex
	inFlight map[string]int
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// New makes a hall.
func New(cfg Config) *Hall {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.InFlight == 0 {
		cfg.InFlight = 64
	}
	if cfg.Patience == 0 {
		cfg.Patience = 30 * time.Second
	}
	return &Hall{cfg: cfg, inFlight: map[string]int{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "entente_http_requests_total", Help: "Requests answered, by surface and status class."},
			[]string{"surface", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "entente_http_seconds", Help: "Time to answer a request, by surface.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9)}, []string{"surface"})}
}

// Collectors are the hall's metrics, for the node to register.
func (h *Hall) Collectors() []prometheus.Collector {
	return []prometheus.Collector{h.requests, h.seconds}
}

type viewerKey struct{}
type requestKey struct{}
type renewKey struct{}

// Viewer is who asks. A context that did not pass the hall has the viewer that may see nothing.
func Viewer(ctx context.Context) gate.Viewer {
	v, _ := ctx.Value(viewerKey{}).(gate.Viewer)
	return v
}

// WithViewer is for requests that a person on the machine itself makes, over the administration socket or in the process.
func WithViewer(ctx context.Context, v gate.Viewer) context.Context {
	return context.WithValue(ctx, viewerKey{}, v)
}

// Renew finds out once more who asks: for answers that take longer than a credential may be good. It fails when the credential does not
// count any more.
func Renew(ctx context.Context) (gate.Viewer, error) {
	if again, ok := ctx.Value(renewKey{}).(func() (gate.Viewer, error)); ok {
		return again()
	}
	return Viewer(ctx), nil
}

// RequestID is the id under which the request stands in the log.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// Protect wraps the handler of one surface: it runs only for a known viewer, within its share of the node.
func (h *Hall) Protect(surface string, render Render, next http.Handler) http.Handler {
	return h.protect(surface, render, next, false)
}

// ProtectPeople is Protect for a surface that people use with a browser: without another credential, its session is one.
func (h *Hall) ProtectPeople(surface string, render Render, next http.Handler) http.Handler {
	return h.protect(surface, render, next, true)
}

func (h *Hall) protect(surface string, render Render, next http.Handler, people bool) http.Handler {
	return h.Open(surface, render, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := Viewer(r.Context())
		if v.Org == "" {
			found, ctx, err := h.authenticate(r, people)
			if err != nil {
				h.cfg.Log.Info("refused", "id", RequestID(r.Context()), "remote", remote(r), "reason", err)
				render(w, r, fault.As(err), RequestID(r.Context()))
				return
			}
			v = found
			again := func() (gate.Viewer, error) {
				if text := h.session(r, people); text != "" {
					v, _, err := h.cfg.Credentials.CheckSession(r.Context(), text)
					return v, err
				}
				return h.byMachine(r)
			}
			r = r.WithContext(context.WithValue(WithViewer(ctx, v), renewKey{}, again))
		}
		who := v.Nation + "/" + v.Org + "/" + v.Person
		if !h.enter(who) {
			render(w, r, fault.New(fault.Throttled, "requests.busy", "more than %d requests of yours are under way", h.cfg.InFlight).After(time.Second), RequestID(r.Context()))
			return
		}
		defer h.leave(who)
		w.(*recorder).viewer = who
		next.ServeHTTP(w, r)
	}))
}

// Open wraps a handler that anyone may reach: it is logged, measured and cannot bring the node down.
func (h *Hall) Open(surface string, render Render, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		id := rand.Text()
		rec := &recorder{ResponseWriter: w, control: http.NewResponseController(w), patience: h.cfg.Patience}
		r = r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
		if r.Body != nil && r.Body != http.NoBody {
			rec.owed = true
			r.Body = &patient{body: r.Body, rec: rec}
		}
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
				h.cfg.Log.Error("a handler failed", "id", id, "path", loggedPath(r), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				if rec.status == 0 {
					render(rec, r, &fault.Error{Kind: fault.Internal, Message: "internal error"}, id)
				}
			}
			rec.leaveUnread()
			took := time.Since(started)
			h.requests.WithLabelValues(surface, class(rec.status)).Inc()
			h.seconds.WithLabelValues(surface).Observe(took.Seconds())
			h.cfg.Log.Info("request", "id", id, "surface", surface, "method", r.Method, "path", loggedPath(r), "status", rec.status, "bytes", rec.bytes,
				"ms", took.Milliseconds(), "viewer", rec.viewer, "remote", remote(r))
		}()
		next.ServeHTTP(rec, r)
	})
}

var errNoCredential = fault.New(fault.Unauthenticated, "auth.missing", "this needs a credential").
	Try("send HTTP Basic, a bearer token, or a client certificate")

// authenticate finds out who asks: what the Authorization header says, else the session of a browser, else the client certificate.
func (h *Hall) authenticate(r *http.Request, people bool) (gate.Viewer, context.Context, error) {
	if text := h.session(r, people); text != "" {
		return h.byCookie(r, text)
	}
	v, err := h.byMachine(r)
	if err == nil && goesAlong(r) {
		err = SameOrigin(r)
	}
	if err != nil {
		return gate.Viewer{}, nil, err
	}
	return v, r.Context(), nil
}

// goesAlong tells whether a browser that has the credential of a request sends it with whatever it asks, as it does with a cookie: a
// password that it was told once, and a certificate.
func goesAlong(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return scheme == "" || strings.EqualFold(scheme, "Basic")
}

// session is the text of the session that a request is made in; empty: of none.
func (h *Hall) session(r *http.Request, people bool) string {
	if !people || r.Header.Get("Authorization") != "" {
		return ""
	}
	return h.cfg.Cookie.Read(r)
}

func (h *Hall) byMachine(r *http.Request) (gate.Viewer, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
			return h.cfg.Credentials.AuthenticateCertificate(r.Context(), r.TLS.PeerCertificates[0], r.TLS.VerifiedChains[0][1:]...)
		}
		return gate.Viewer{}, errNoCredential
	}
	scheme, rest, _ := strings.Cut(header, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return h.cfg.Credentials.AuthenticateToken(r.Context(), strings.TrimSpace(rest))
	case strings.EqualFold(scheme, "Basic") && !h.cfg.NoBasic:
		if name, password, ok := r.BasicAuth(); ok {
			return h.cfg.Credentials.Authenticate(r.Context(), name, password, remote(r))
		}
	}
	return gate.Viewer{}, errNoCredential
}

func (h *Hall) enter(who string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inFlight[who] >= h.cfg.InFlight {
		return false
	}
	h.inFlight[who]++
	return true
}

func (h *Hall) leave(who string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.inFlight[who]--; h.inFlight[who] == 0 {
		delete(h.inFlight, who)
	}
}

// loggedPath is the path of a request for the log, never its query. The code of a first-run link is a secret.
func loggedPath(r *http.Request) string {
	const setup = "/setup/"
	if len(r.URL.Path) > len(setup) && strings.HasPrefix(r.URL.Path, setup) {
		return setup + "…"
	}
	return r.URL.Path
}

// Challenges are the WWW-Authenticate headers of a refusal.
func (h *Hall) Challenges() []string {
	if h.cfg.NoBasic {
		return []string{`Bearer realm="entente"`}
	}
	return []string{`Basic realm="entente", charset="UTF-8"`, `Bearer realm="entente"`}
}

func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func class(status int) string {
	if status == 0 {
		status = http.StatusOK
	}
	return fmt.Sprintf("%dxx", status/100)
}

// recorder notes what was answered, and gives a client only so long to take it.
type recorder struct {
	http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
	status   int
	bytes    int64
	viewer   string
	owed     bool // the client has not sent its whole body
}

// leaveUnread bounds how long the server waits for a body that nobody will read: before it answers, and before the next request, it
// takes what the client still owes.
func (w *recorder) leaveUnread() {
	if w.owed {
		w.control.SetReadDeadline(time.Now().Add(w.patience))
	}
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
		w.leaveUnread()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
		w.leaveUnread()
	}
	w.control.SetWriteDeadline(time.Now().Add(w.patience)) // not every transport has deadlines; those without need none
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) Flush() { w.control.Flush() }

// leastBody is how many bytes of a body must come within the patience, so that a drip is no way to hold a connection for ever.
const leastBody = 4 << 10

// patient gives a client only so long to send the next piece of its body.
type patient struct {
	body interface {
		Read([]byte) (int, error)
		Close() error
	}
	rec    *recorder
	waited time.Duration // for the bytes that came since
	came   int
}

func (p *patient) Read(b []byte) (int, error) {
	if p.came >= leastBody {
		p.waited, p.came = 0, 0
	}
	began := time.Now()
	p.rec.control.SetReadDeadline(began.Add(p.rec.patience - p.waited))
	n, err := p.body.Read(b)
	p.waited += time.Since(began)
	p.came += n
	if err == io.EOF { // the connection is still read, to learn of its end: that has all the time that the answer takes
		p.rec.owed = false
		p.rec.control.SetReadDeadline(time.Time{})
		return n, err
	}
	if err != nil && errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		err = fault.New(fault.Invalid, "body.slow", "the body came too slowly: less than %d bytes of it within %s", leastBody, p.rec.patience).Because(err)
	}
	return n, err
}

func (p *patient) Close() error { return p.body.Close() }

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// Status is the HTTP status of a fault, the same for every protocol.
func Status(k fault.Kind) int {
	switch k {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound, fault.Withheld:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.Unsupported:
		return http.StatusUnsupportedMediaType
	case fault.NotAcceptable:
		return http.StatusNotAcceptable
	case fault.Unprocessable:
		return http.StatusUnprocessableEntity
	case fault.Throttled:
		return http.StatusTooManyRequests
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Full:
		return http.StatusInsufficientStorage
	}
	return http.StatusInternalServerError
}
