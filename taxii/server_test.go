package taxii

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
)

// bench is a server under test and what the last request got.
type bench struct {
	t      *testing.T
	mem    *mem
	h      http.Handler
	as     string      // caller; empty: alice
	header http.Header // added to each request
	*httptest.ResponseRecorder
}

func newBench(t *testing.T, o Options) *bench {
	m := newMem()
	return &bench{t: t, mem: m, h: testHandler(m, o), header: http.Header{}}
}

// do sends a request. A path without a leading slash is below collection A.
func (b *bench) do(method, path, body string) *bench {
	b.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = "/cti/collections/" + collA + "/" + path
	}
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Accept", MediaType)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", MediaType)
	}
	for k, v := range b.header {
		r.Header[k] = v
	}
	if b.as != "" {
		r.SetBasicAuth(b.as, "secret")
	}
	b.ResponseRecorder = httptest.NewRecorder()
	b.h.ServeHTTP(b.ResponseRecorder, r)
	if ct := b.Result().Header.Get("Content-Type"); ct != MediaType {
		b.t.Errorf("%s %s: Content-Type %q", method, path, ct)
	}
	if b.Code >= 400 {
		b.checkError(method + " " + path)
	}
	return b
}

func (b *bench) get(path string) *bench { b.t.Helper(); return b.do(http.MethodGet, path, "") }

func (b *bench) post(objects ...string) *bench {
	b.t.Helper()
	return b.do(http.MethodPost, "objects/", `{"objects":[`+strings.Join(objects, ",")+`]}`)
}

// checkError holds every error to section 3.6.1.
func (b *bench) checkError(what string) {
	b.t.Helper()
	var e struct {
		Title      string            `json:"title"`
		HTTPStatus string            `json:"http_status"`
		ErrorID    string            `json:"error_id"`
		Details    map[string]string `json:"details"`
	}
	if err := json.Unmarshal(b.Body.Bytes(), &e); err != nil && b.Body.Len() > 0 {
		b.t.Errorf("%s: error body %q: %v", what, b.Body, err)
	}
	if b.Body.Len() > 0 && (e.Title == "" || e.HTTPStatus != strconv.Itoa(b.Code) || e.ErrorID == "") {
		b.t.Errorf("%s: %d with error body %s", what, b.Code, b.Body)
	}
	if b.Code >= 500 {
		b.t.Errorf("%s: %d %s", what, b.Code, b.Body)
	}
}

// want checks the status.
func (b *bench) want(status int) *bench {
	b.t.Helper()
	if b.Code != status {
		b.t.Errorf("status %d, want %d: %s", b.Code, status, b.Body)
	}
	return b
}

// body checks the exact body.
func (b *bench) body(want string) *bench {
	b.t.Helper()
	if got := b.Body.String(); got != want {
		b.t.Errorf("body\n %s\nwant\n %s", got, want)
	}
	return b
}

// into decodes the body.
func into[T any](b *bench) T {
	b.t.Helper()
	var v T
	if err := json.Unmarshal(b.Body.Bytes(), &v); err != nil {
		b.t.Fatalf("%s: %v", b.Body, err)
	}
	return v
}

func gunzip(t *testing.T, r io.Reader) string {
	t.Helper()
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// fetchPage gets a page outside of a test's own checks.
func (b *bench) fetchPage(path string) (ids []string, next, last string) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	var page struct {
		Next    string `json:"next"`
		Objects []struct {
			ID string `json:"id"`
		} `json:"objects"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != http.StatusOK {
		panic(w.Body.String())
	}
	for _, o := range page.Objects {
		ids = append(ids, o.ID)
	}
	return ids, page.Next, w.Header().Get(headerLast)
}
