package taxii

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// doer is a Doer made of a function.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// halfBody breaks off.
type halfBody struct{ io.Reader }

func (h halfBody) Read(b []byte) (int, error) {
	n, err := h.Reader.Read(b)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// TestClientFaults: whatever goes wrong on the way, the error says where and hides query and credentials.
func TestClientFaults(t *testing.T) {
	offline := errors.New("offline")
	for name, c := range map[string]struct {
		do   doer
		want error
	}{
		"no network": {func(*http.Request) (*http.Response, error) { return nil, offline }, offline},
		"breaks off": {func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(halfBody{strings.NewReader(`{"ob`)}), Request: r}, nil
		}, io.ErrUnexpectedEOF},
		"redirect to nowhere": {func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"http://[bad"}}, Body: http.NoBody, Request: r}, nil
		}, ErrProtocol},
	} {
		client := &Client{URL: "https://server.example/taxii2/", Doer: c.do, Auth: Basic("user", "hunter2")}
		for _, err := range client.Objects(ctx, scriptedRoot, "c", Select{Filter: Filter{IDs: []string{"secret--1"}}}) {
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), "server.example/r/collections/c/objects/") || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if _, err := (&Client{URL: "https://server.example/"}).Discovery(ctx); !errors.Is(err, ErrAddress) {
		t.Error(err)
	}
	for _, body := range []string{`{"objects":[{"date_added":"never"}]}`, `{"objects":{}}`, `{"versions":[1]}`} {
		c, _ := script(t, map[string]scriptedAnswer{"/r/collections/c/manifest/": {body: body}, listPath + "o/versions/": {body: body}})
		faults := 0
		for _, err := range c.Manifest(ctx, scriptedRoot, "c", Select{}) {
			if errors.Is(err, ErrProtocol) {
				faults++
			}
		}
		for _, err := range c.Versions(ctx, scriptedRoot, "c", "o", Select{}) {
			if errors.Is(err, ErrProtocol) {
				faults++
			}
		}
		if faults == 0 {
			t.Errorf("%s is taken", body)
		}
	}
	// A POST is not turned into something else by a redirect that would.
	c, s := script(t, map[string]scriptedAnswer{listPath: {status: 303, header: map[string]string{"Location": "/r/"}}})
	if _, err := c.Add(ctx, scriptedRoot, "c", [][]byte{[]byte("{}")}, AddOptions{MaxContentLength: 100}); err == nil || len(s.asked) != 1 {
		t.Errorf("%v %v", err, s.asked)
	}
}

func TestErrorTexts(t *testing.T) {
	e := &ResponseError{Method: "GET", URL: "https://server.example/r/", HTTPStatus: 422, Err: &Error{HTTPStatus: 422, Title: "T", Description: "D", ErrorID: "I"}}
	if got := e.Error(); got != "taxii: GET https://server.example/r/: 422 Unprocessable Entity: 422 T: D (error_id I)" {
		t.Error(got)
	}
}

// TestAddStopsWhereItFails: what was taken before a failure is told.
func TestAddStopsWhereItFails(t *testing.T) {
	posted := 0
	c := &Client{URL: "https://server.example/taxii2/", Doer: doer(func(r *http.Request) (*http.Response, error) {
		body, status := `{"title":"no","http_status":"422"}`, 422
		if r.Method == http.MethodPost {
			if posted++; posted == 1 {
				body, status = `{"id":"s","status":"pending","total_count":1,"success_count":0,"failure_count":0,"pending_count":1}`, 202
			}
		}
		return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
	})}
	objects := [][]byte{[]byte(`{"a":1}`), []byte(`{"a":2}`), []byte(`{"a":3}`)}
	done, err := c.Add(ctx, scriptedRoot, "c", objects, AddOptions{MaxContentLength: 100, MaxObjects: 1})
	if !errors.Is(err, ErrUnprocessable) || len(done) != 1 || posted != 2 {
		t.Errorf("%v %v, %d posts", done, err, posted)
	}
	if _, err := c.Await(ctx, scriptedRoot, done[0], 0); !errors.Is(err, ErrPending) {
		t.Errorf("without a way to wait: %v", err)
	}
	c.Sleep = func(context.Context, time.Duration) error { return nil }
	if st, err := c.Await(ctx, scriptedRoot, done[0], 0); !errors.Is(err, ErrUnprocessable) || st.ID != "s" {
		t.Errorf("%v %v", st, err)
	}
	if _, err := c.Add(ctx, scriptedRoot, "c", objects, AddOptions{}); !errors.Is(err, ErrUnprocessable) {
		t.Errorf("the root is not there: %v", err)
	}
}

// noRights is a Backend that tells of a collection which its caller may neither read nor write.
type noRights struct{ *mem }

func (noRights) Collection(context.Context, string, string) (Collection, error) {
	return Collection{ID: collA, Title: "A"}, nil
}

func TestBackendFaults(t *testing.T) {
	h := NewHandler(noRights{newMem()}, Options{RenderError: func(error) *Error { return nil }})
	for method, path := range map[string]string{"GET": "objects/", "POST": "objects/", "DELETE": "objects/x--1/"} {
		r := httptest.NewRequest(method, "/cti/collections/a/"+path, nil)
		r.Header.Set("Content-Type", MediaType)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != 404 {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	// An error that is not rendered, or rendered as none, is a bare 500.
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/other/", nil))
	if w.Code != 500 || !strings.Contains(w.Body.String(), `"title":"Internal error"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// A page whose position cannot be sealed is no page.
	big := benchPage(1)
	big.page.Next = make([]byte, 2000)
	w = httptest.NewRecorder()
	NewHandler(big, Options{}).ServeHTTP(w, httptest.NewRequest("GET", "/cti/collections/a/objects/", nil))
	if w.Code != 500 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestBoundsOfQueries(t *testing.T) {
	b := newBench(t, Options{MaxFilterValues: 3})
	for _, name := range []string{"match[id]", "match[type]", "match[spec_version]", "match[version]"} {
		value := map[string]string{"match[spec_version]": "2.0,2.1,2.2,2.3", "match[version]": "2026-01-01T00:00:00Z,2026-01-02T00:00:00Z,2026-01-03T00:00:00Z,2026-01-04T00:00:00Z"}[name]
		setDefault(&value, "a,b,c,d")
		b.get("objects/?" + name + "=" + value).want(400)
		b.get("objects/?" + name + "=" + value[:strings.LastIndexByte(value, ',')]).want(200)
	}
}

// TestQuoting: a version or id that is not Unicode still makes valid JSON.
func TestQuoting(t *testing.T) {
	if got := string(appendQuote([]byte("x"), "a\xff\"\n")); got != "x\"a\ufffd\\\"\\n\"" {
		t.Errorf("%q", got)
	}
}
