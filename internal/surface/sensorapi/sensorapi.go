// Package sensorapi is the surface for sensors: what they take and what they tell, in the language of package sensor. A sensor is known by the certificate of its connection.
package sensorapi

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/detect"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/surface"
	"entente/sensor"
)

// Config is what the surface needs.
type Config struct {
	Room     *detect.Room
	Gate     func() *gate.Gate
	Render   surface.Render
	Stopping <-chan struct{} // closed when the node begins to stop: nobody is kept waiting then
	Now      func() time.Time
}

// Surface serves sensors.
type Surface struct {
	cfg   Config
	tries tries
	mux   http.ServeMux
}

// New makes the surface for enrolled sensors. Enrol is the one handler for those that are not.
func New(cfg Config) *Surface {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Surface{cfg: cfg}
	s.tries.now = cfg.Now
	for pattern, h := range map[string]func(*call) error{
		"POST " + sensor.PathRenew:   s.renew,
		"GET " + sensor.PathState:    s.state,
		"GET " + sensor.PathSnapshot: s.snapshot,
		"GET " + sensor.PathChanges:  s.changes,
		"GET " + sensor.PathRules:    s.rules,
		"POST " + sensor.PathReports: s.reports,
		"POST " + sensor.PathHealth:  s.health,
	} {
		s.mux.Handle(pattern, s.serve(h))
	}
	s.mux.Handle("/", s.serve(func(*call) error { return fault.New(fault.NotFound, "", "there is nothing here") }))
	return s
}

func (s *Surface) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// call is one request of a known sensor.
type call struct {
	w      http.ResponseWriter
	r      *http.Request
	sensor *detect.Sensor
}

func (c *call) ctx() context.Context { return c.r.Context() }

func (s *Surface) serve(h func(*call) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := s.known(w, r, h)
		if err != nil {
			s.cfg.Render(w, r, fault.As(err), surface.RequestID(r.Context()))
		}
	})
}

func (s *Surface) known(w http.ResponseWriter, r *http.Request, h func(*call) error) error {
	if !s.cfg.Gate().Can(surface.Viewer(r.Context()), gate.Detect) {
		return fault.RoleMissing(gate.Detect)
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 || r.Header.Get("Authorization") != "" {
		return fault.New(fault.Forbidden, "sensor.certificate", "a sensor comes with its certificate, and with nothing else")
	}
	who, err := s.cfg.Room.Known(r.Context(), r.TLS.PeerCertificates[0])
	if err != nil {
		return err
	}
	return h(&call{w, r, who})
}

// body reads a message of a sensor.
func body[T any](r *http.Request) (m T, err error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, sensor.MaxBody+1))
	if err != nil {
		return m, fault.New(fault.Invalid, "body.read", "the message could not be read").Because(err)
	}
	if len(b) > sensor.MaxBody {
		return m, fault.New(fault.TooLarge, "body.size", "a message has at most %d bytes", sensor.MaxBody)
	}
	if m, err = sensor.Decode[T](b); err != nil {
		return m, fault.New(fault.Invalid, "message", "%v", err)
	}
	return m, nil
}

func answer(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b) // a sensor that went away comes again
	return nil
}

// Enrol is for who has a code and no certificate yet.
func (s *Surface) Enrol(w http.ResponseWriter, r *http.Request) {
	err := func() error {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			return fault.New(fault.Invalid, "method", "only POST is understood here")
		}
		if err := s.tries.begin(remote(r)); err != nil {
			return err
		}
		q, err := body[sensor.Request](r)
		if err != nil {
			return err
		}
		out, err := s.cfg.Room.Enrol(r.Context(), q)
		if err != nil {
			return err
		}
		s.tries.good(remote(r))
		return answer(w, out)
	}()
	if err != nil {
		s.cfg.Render(w, r, fault.As(err), surface.RequestID(r.Context()))
	}
}

func (s *Surface) renew(c *call) error {
	q, err := body[sensor.Request](c.r)
	if err != nil {
		return err
	}
	out, err := s.cfg.Room.Renew(c.ctx(), c.sensor, q.CSR)
	if err != nil {
		return err
	}
	return answer(c.w, out)
}

func (s *Surface) state(c *call) error {
	q := c.r.URL.Query()
	wait := 0
	if text := q.Get("wait"); text != "" {
		var err error
		if wait, err = strconv.Atoi(text); err != nil || wait < 0 {
			return fault.New(fault.Invalid, "query.wait", "wait is a number of seconds").At("wait")
		}
	}
	ctx, stop := context.WithCancel(c.ctx())
	defer stop()
	go func() {
		select {
		case <-s.cfg.Stopping:
			stop()
		case <-ctx.Done():
		}
	}()
	st, err := s.cfg.Room.Await(ctx, c.sensor, q.Get("after"), min(time.Duration(min(wait, 3600))*time.Second, sensor.MaxWait))
	if err != nil && c.ctx().Err() == nil && ctx.Err() != nil {
		return fault.New(fault.Unavailable, "node.stopping", "the node stops").After(5 * time.Second)
	}
	if err != nil {
		return err
	}
	return answer(c.w, st)
}

func (s *Surface) snapshot(c *call) error {
	f, cursor, err := s.cfg.Room.Snapshot(c.ctx(), c.sensor)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	c.w.Header().Set(sensor.CursorHeader, cursor.String())
	c.w.Header().Set("Content-Type", "application/octet-stream")
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.Header().Set("ETag", `"`+cursor.String()+"."+strconv.FormatInt(info.Size(), 10)+`"`)
	http.ServeContent(c.w, c.r, "", time.Time{}, f)
	return nil
}

func (s *Surface) changes(c *call) error {
	after, err := sensor.ParseCursor(c.r.URL.Query().Get("after"))
	if err != nil {
		return fault.New(fault.Invalid, "query.after", "after is the cursor that a snapshot or changes came with").At("after").Because(err)
	}
	out, err := s.cfg.Room.Changes(c.ctx(), c.sensor, after)
	if err != nil {
		return err
	}
	return answer(c.w, out)
}

func (s *Surface) rules(c *call) error {
	out, etag, err := s.cfg.Room.Rules(c.ctx(), c.sensor)
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", `"`+etag+`"`)
	if c.r.Header.Get("If-None-Match") == `"`+etag+`"` {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return answer(c.w, out)
}

func (s *Surface) reports(c *call) error {
	list, err := body[[]sensor.Report](c.r)
	if err != nil {
		return err
	}
	taken, err := s.cfg.Room.Take(c.ctx(), c.sensor, list)
	if err != nil {
		return err
	}
	return answer(c.w, taken)
}

func (s *Surface) health(c *call) error {
	h, err := body[sensor.Health](c.r)
	if err != nil {
		return err
	}
	if err := s.cfg.Room.Hear(c.ctx(), c.sensor, h); err != nil {
		return err
	}
	st, err := s.cfg.Room.State(c.ctx(), c.sensor)
	if err != nil {
		return err
	}
	return answer(c.w, st)
}

func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Bounds of enrolling.
const (
	perRemote  = 10 // tries of one address in a minute
	perMinute  = 120
	maxRemotes = 10_000
)

// tries bounds how often somebody may come with a code: in a minute, from one address and from all.
type tries struct {
	now  func() time.Time
	mu   sync.Mutex
	from time.Time
	all  int
	by   map[string]int
}

func (t *tries) begin(remote string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if now.Sub(t.from).Abs() >= time.Minute || t.by == nil {
		t.from, t.all, t.by = now, 0, map[string]int{}
	}
	if t.by[remote] >= perRemote || t.all >= perMinute || len(t.by) >= maxRemotes {
		return fault.New(fault.Throttled, "sensor.tries", "too many codes were tried").After(max(time.Minute-now.Sub(t.from), time.Second))
	}
	t.by[remote]++
	t.all++
	return nil
}

// good takes a try back that was none.
func (t *tries) good(remote string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by[remote] > 0 {
		t.by[remote]--
		t.all--
	}
}
