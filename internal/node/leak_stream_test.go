package node

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"entente/internal/surface/api"
)

// streamScript hears all that has come since the world began, and asks for what is no stream.
func streamScript(reading leakScript) {
	reading["api GET /stream"] = func(s *session) {
		for _, bad := range []string{"after=AAAA", "after={from-rita}x", "nonsense=1"} {
			s.get(api.Prefix + "/stream?" + bad)
		}
		if s.name == "" {
			return
		}
		s.get(api.Prefix + "/stream?after={from-" + s.name + "}")
		s.get(api.Prefix + "/stream?type=report,campaign&after={from-" + s.name + "}")
	}
}

// streamFrom notes where streams of viewers begin.
func (w *leakWorld) streamFrom(names ...string) {
	for _, name := range names {
		_, id, _ := strings.Cut(w.as(name).get(api.Prefix+"/stream").Body.String(), "\nid: ")
		w.names["from-"+name], _, _ = strings.Cut(id, "\n")
	}
}

// quiet is an answer, and how often one looked since it went on.
type quiet struct {
	*httptest.ResponseRecorder
	mu    sync.Mutex
	looks int // negative: nothing was said yet
}

func (q *quiet) Write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.looks = 0
	return q.ResponseRecorder.Write(b)
}

func (q *quiet) Flush() {}

// look tells how often one has looked now; 0: nothing was said yet.
func (q *quiet) look() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.looks >= 0 {
		q.looks++
	}
	return max(q.looks, 0)
}

// listen hears a stream until it has said nothing for 2 s, in which this process was at work: the time of a machine that stands still does not count. One that is of nothing that was has said everything
// with where it begins.
func listen(h http.Handler, rec *httptest.ResponseRecorder, r *http.Request) {
	ctx, stop := context.WithCancel(r.Context())
	q, enough := &quiet{ResponseRecorder: rec, looks: -1}, 200
	if !r.URL.Query().Has("after") {
		enough = 1
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(q, r.WithContext(ctx))
	}()
	for waiting := true; waiting; {
		select {
		case <-done:
			waiting = false
		case <-time.After(10 * time.Millisecond):
			waiting = q.look() < enough
		}
	}
	stop()
	<-done
}
