package api

import (
	"errors"
	"testing"

	"entente/internal/fault"
)

// A client that listens is told what comes, goes on where it was, and learns why a stream ends.
func TestClientWatches(t *testing.T) {
	w := newWorld(t)
	s := w.serve(admin)
	c := NewClient(s.URL, s.Client().Transport, nil)
	enough := errors.New("enough")
	var place string
	watch := func(after string, types []string, begin func(), want int) (ids []string) {
		t.Helper()
		err := c.Watch(t.Context(), after, types, func(id string, l Live) error {
			if place = id; begin != nil {
				go begin()
				begin = nil
			}
			if l.Object != nil {
				if ids = append(ids, l.Object.ID); len(ids) == want {
					return enough
				}
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatal(err)
		}
		return ids
	}
	first := watch("", []string{"identity"}, func() { w.importAll(admin, nil, object(uuidOf(1), "One", "")) }, 1)
	w.importAll(admin, nil, "["+object(uuidOf(2), "Two", "")+","+object(uuidOf(3), "Three", "")+"]")
	rest := watch(place, nil, nil, 2)
	if first[0] != "identity--"+uuidOf(1) || rest[0] != "identity--"+uuidOf(2) || rest[1] != "identity--"+uuidOf(3) {
		t.Errorf("%v, then %v", first, rest)
	}
	if err := c.Watch(t.Context(), "AAAA", nil, nil); fault.As(err).Code != "stream.after" {
		t.Error(err)
	}
	err := c.Watch(t.Context(), "", nil, func(string, Live) error { s.CloseClientConnections(); return nil })
	if fault.As(err).Code != "stream.cut" {
		t.Error(err)
	}
	close(w.stopping)
	if err := c.Watch(t.Context(), "", nil, func(string, Live) error { return nil }); fault.Of(err) != fault.Unavailable {
		t.Error(err)
	}
}
