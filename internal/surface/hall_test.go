package surface

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"entente/internal/fault"
)

func TestTheLogKeepsNoSecrets(t *testing.T) {
	var log bytes.Buffer
	h := New(Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	render := func(w http.ResponseWriter, _ *http.Request, e *fault.Error, _ string) { w.WriteHeader(Status(e.Kind)) }
	open := h.Open("console", render, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			panic("a defect")
		}
	}))
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		r := httptest.NewRequest(method, "/setup/QFn1qQqiGuCw?token=hushhush", nil)
		r.SetBasicAuth("alice", "hushhush")
		open.ServeHTTP(httptest.NewRecorder(), r)
	}
	for _, secret := range []string{"QFn1qQqiGuCw", "hushhush"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log tells %q:\n%s", secret, log.String())
		}
	}
	if strings.Count(log.String(), "path=/setup/…") != 3 { // two requests, one defect
		t.Errorf("the log:\n%s", log.String())
	}
}
