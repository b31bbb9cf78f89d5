package taxii

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestClientAgainstServer runs every call of the client against the handler over TLS.
func TestClientAgainstServer(t *testing.T) {
	c, root, _ := realServer(t, Options{PageLimit: 2})
	d, err := c.Discovery(ctx)
	if err != nil || d.APIRoots[0] != root {
		t.Fatalf("%+v %v", d, err)
	}
	var objects [][]byte
	for n := range 5 {
		objects = append(objects, []byte(obj("x", n, "2026-01-01T00:00:00Z")), []byte(obj("x", n, "2026-01-02T00:00:00Z")))
	}
	if _, err := c.Add(ctx, root, "a", objects, AddOptions{MaxObjects: 3}); err != nil {
		t.Fatal(err)
	}
	n := 0
	for p, err := range c.Objects(ctx, root, "a", Select{Filter: Filter{Versions: Versions{First: true, Last: true}, Specs: []string{"2.1"}, IDs: []string{"x--1", "x--2", "x--3"}}}) {
		if err != nil || p.Tolerated != nil {
			t.Fatal(err, p.Tolerated)
		}
		n += len(p.Objects)
	}
	for p, err := range c.Object(ctx, root, "a", "x--1", Select{Filter: Filter{Versions: Versions{At: []time.Time{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}}}}) {
		if err != nil {
			t.Fatal(err)
		}
		n += len(p.Objects)
	}
	for p, err := range c.Manifest(ctx, root, "a", Select{}) {
		if err != nil {
			t.Fatal(err)
		}
		n += len(p.Records)
	}
	for p, err := range c.Versions(ctx, root, "a", "x--1", Select{Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		n += len(p.Versions)
	}
	if n != 6+1+5+2 {
		t.Errorf("%d items", n)
	}
	if err := c.Delete(ctx, root, "a", "x--1", Filter{Versions: Versions{First: true}}); err != nil {
		t.Error(err)
	}
	if err := c.Delete(ctx, root, "a", "x--1", Filter{}); err != nil {
		t.Error(err)
	}
	if err := c.Delete(ctx, root, "a", "x--1", Filter{}); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := c.Collection(ctx, root, "../../secret"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if _, err := c.Collection(ctx, root, ".."); !errors.Is(err, ErrAddress) {
		t.Error(err)
	}
}

// FuzzClientEnvelope: any body is a page or a protocol error, and the client always comes to an end.
func FuzzClientEnvelope(f *testing.F) {
	for _, s := range []string{`{"objects":[{}]}`, `{"more":true,"next":"a","objects":[{}]}`, `{"more":true}`, `{"items":[]}`, `{"versions":["a"],"next":null}`, `{"objects":[{"id":"a","version":"v","date_added":"2026-01-01T00:00:00Z"}],"more":true}`} {
		f.Add([]byte(s), "2026-01-01T00:00:00.000000Z")
	}
	f.Add([]byte("{}"), "Thu Jan 01 2026 00:00:00 GMT+0000 (UTC)")
	f.Fuzz(func(t *testing.T, body []byte, last string) {
		s := &same{body, last, 0}
		c := &Client{URL: "https://server.example/", Doer: s}
		end := func(err error) {
			if err != nil && !errors.Is(err, ErrProtocol) && !errors.Is(err, ErrStalled) {
				t.Fatal(err)
			}
		}
		for p, err := range c.Objects(ctx, scriptedRoot, "c", Select{}) {
			end(err)
			Checkpoint{}.Take(p, time.Second)
		}
		for _, err := range c.Manifest(ctx, scriptedRoot, "c", Select{}) {
			end(err)
		}
		for _, err := range c.Versions(ctx, scriptedRoot, "c", "o", Select{}) {
			end(err)
		}
		if s.asked > 20 {
			t.Fatalf("asked %d times", s.asked)
		}
	})
}

// same answers everything alike.
type same struct {
	body  []byte
	last  string
	asked int
}

func (s *same) Do(r *http.Request) (*http.Response, error) {
	s.asked++
	return &http.Response{StatusCode: 200, Header: http.Header{http.CanonicalHeaderKey(headerLast): {s.last}}, Body: io.NopCloser(strings.NewReader(string(s.body))), Request: r}, nil
}
