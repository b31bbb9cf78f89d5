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

// quiet is an answer, and when it last went on.
type quiet struct {
	*httptest.ResponseRecorder
	mu   sync.Mutex
	last time.Time
}

func (q *quiet) Write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last = time.Now()
	return q.ResponseRecorder.Write(b)
}

func (q *quiet) Flush() {}

// listen hears a stream until it has said nothing for a while.
func listen(h http.Handler, rec *httptest.ResponseRecorder, r *http.Request) {
	ctx, stop := context.WithCancel(r.Context())
	q := &quiet{ResponseRecorder: rec, last: time.Now()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(q, r.WithContext(ctx))
	}()
	for waiting := true; waiting; {
		select {
		case <-done:
			waiting = false
		case <-time.After(50 * time.Millisecond):
			q.mu.Lock()
			waiting = time.Since(q.last) < 400*time.Millisecond
			q.mu.Unlock()
		}
	}
	stop()
	<-done
}
