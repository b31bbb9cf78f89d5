package console

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"entente/internal/fault"
	"entente/internal/surface"
)

// stuck is a body that never comes.
type stuck struct{ began, end chan struct{} }

func (s stuck) Read([]byte) (int, error) {
	s.began <- struct{}{}
	<-s.end
	return 0, io.ErrUnexpectedEOF
}

// Neither clients that send no body nor a provider that does not answer keep anybody else from signing in.
func TestNobodyIsKeptOut(t *testing.T) {
	s := &signIn{SignInConfig: SignInConfig{Render: func(w http.ResponseWriter, _ *http.Request, e *fault.Error, _ string) {
		w.WriteHeader(surface.Status(e.Kind))
	}},
		places: make(chan struct{}, signInPlaces), abroad: make(chan struct{}, abroadPlaces)}
	began, end := make(chan struct{}), make(chan struct{})
	password := s.serve(signInRoute{most: maxForm, handle: func(_ *signIn, w http.ResponseWriter, _ *http.Request, _ []byte) error { return answer(w, "in") }})
	provider := s.serve(signInRoute{abroad: true, handle: func(*signIn, http.ResponseWriter, *http.Request, []byte) error {
		began <- struct{}{}
		<-end
		return nil
	}})
	ask := func(h http.Handler, method string, body io.Reader) int {
		r := httptest.NewRequest(method, "/auth", body)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(end)
	for range 2 * signInPlaces {
		wg.Go(func() { ask(password, "POST", stuck{began, end}) })
		<-began
	}
	for range abroadPlaces {
		wg.Go(func() { ask(provider, "GET", nil) })
		<-began
	}
	if got := ask(provider, "GET", nil); got != http.StatusServiceUnavailable {
		t.Errorf("one more who asks the provider: %d", got)
	}
	if got := ask(password, "POST", strings.NewReader("{}")); got != http.StatusOK {
		t.Errorf("one more with a password: %d", got)
	}
}
