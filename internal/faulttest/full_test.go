package faulttest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/sample"
	"entente/internal/testnode"
)

// filler fills a node and remembers what was acknowledged.
type filler struct {
	c     *testnode.Client
	src   *sample.Source
	there []string
}

// post sends an envelope of n new objects.
func (f *filler) post(ctx context.Context, n int) (testnode.Status, error) {
	var ids []string
	var raws [][]byte
	for range n {
		o := f.src.Mixed()
		ids, raws = append(ids, o.ID), append(raws, o.Raw)
	}
	s, err := f.c.Post(ctx, testnode.Envelope(raws...))
	if err == nil && s.Failure > 0 {
		err = fmt.Errorf("%d of %d objects failed: %v", s.Failure, n, s.Failures[0])
	}
	if err == nil {
		f.there = append(f.there, ids...)
	}
	return s, err
}

// untilFull posts until the node has no room and checks how it says so.
func (f *filler) untilFull(t *testing.T) {
	t.Helper()
	for range 1000 {
		_, err := f.post(t.Context(), 200)
		if err == nil {
			continue
		}
		var no *testnode.Refusal
		if !errors.As(err, &no) {
			t.Fatal(err)
		}
		if no.Status != http.StatusInsufficientStorage || no.Header.Get("Retry-After") == "" {
			t.Fatalf("a full node answers %v with Retry-After %q", err, no.Header.Get("Retry-After"))
		}
		if !strings.Contains(string(no.Body), "store.full") || !strings.Contains(string(no.Body), "room") {
			t.Errorf("the answer does not say what is wrong and what to do: %s", no.Body)
		}
		return
	}
	t.Fatal("the node never filled up")
}

// check holds the node to everything that it acknowledged.
func (f *filler) check(t *testing.T) {
	t.Helper()
	there := must(once(must(f.c.Manifest(t.Context()))(t)))(t)
	for _, id := range f.there {
		if !there[id] {
			t.Fatalf("%s was acknowledged and is lost", id)
		}
	}
	if len(there) != len(f.there) {
		t.Fatalf("%d objects were acknowledged and %d are there", len(f.there), len(there))
	}
	n := 0
	if err := f.c.Pages(t.Context(), "", 1000, func(page []byte) error { n += strings.Count(string(page), sample.Mark); return nil }); err != nil {
		t.Fatal(err)
	}
	if n != len(f.there) {
		t.Fatalf("%d objects were acknowledged and %d are read", len(f.there), n)
	}
}

// readable checks that a node without room still answers who only asks.
func (f *filler) readable(t *testing.T) {
	t.Helper()
	for _, path := range []string{"/taxii2/", testnode.Objects + "?limit=5", testnode.Objects + f.there[0] + "/", "/healthz"} {
		if a := must(f.c.Do(t.Context(), http.MethodGet, path, nil, nil))(t); a.Status != http.StatusOK {
			t.Errorf("without room, %s is answered %d %s", path, a.Status, a.Body)
		}
	}
}

func TestAFullStoreRefusesWritesOnly(t *testing.T) {
	n := made(t, "[limits]\nstore_bytes = 12582912\n")
	start(t, n)
	f := &filler{c: client(t, n, testnode.Analyst), src: sample.New(1)}
	f.there = nil
	postHead(t, f)
	f.untilFull(t)
	f.readable(t)
	f.check(t)
	if _, err := f.post(t.Context(), 200); err == nil {
		t.Error("a full store took an envelope that is as large as the one it refused")
	}
	if err := n.Stop(); err != nil {
		t.Fatalf("a full node does not end well: %v", err)
	}
	if err := os.WriteFile(filepath.Join(n.Data, "entente.toml"), []byte("[limits]\nstore_bytes = 50331648\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, n)
	f.check(t)
	must(f.post(t.Context(), 200))(t)
	f.check(t)
}

// postHead stores what the other samples refer to.
func postHead(t *testing.T, f *filler) {
	t.Helper()
	var raws [][]byte
	for _, o := range f.src.Head() {
		raws, f.there = append(raws, o.Raw), append(f.there, o.ID)
	}
	if s := must(f.c.Post(t.Context(), testnode.Envelope(raws...)))(t); s.Success != len(raws) {
		t.Fatalf("of %d objects %d were stored", len(raws), s.Success)
	}
}

func TestAFullDiskRefusesWritesOnly(t *testing.T) {
	n := made(t, "[limits]\npost_objects = 300\n")
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		t.Skipf("a small disk of its own takes a mount namespace, which is not to be had here: %v %s", err, out)
	}
	// The process has the small disk mounted over its data directory, where nobody else sees it.
	n.Wrap = []string{"unshare", "-m", "sh", "-ec", `
cp -a "$0" "$0.before"
mount -t tmpfs -o size=40m,mode=700 tmpfs "$0"
cp -a "$0.before/." "$0"
head -c 12582912 /dev/zero > "$0/ballast"
exec "$@"`, n.Data}
	if _, err := n.Start(t.Context()); err != nil {
		if strings.Contains(err.Error(), "mount") {
			t.Skipf("a small disk of its own cannot be mounted here: %v", err)
		}
		t.Fatal(err)
	}
	f := &filler{c: client(t, n, testnode.Analyst), src: sample.New(2)}
	postHead(t, f)
	f.untilFull(t)
	f.readable(t)
	f.check(t)
	nothingHalfTaken(t, f)
	ballast := filepath.Join("/proc", fmt.Sprint(n.PID()), "root", n.Data, "ballast")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	// The process is the same: with room on the disk it works again by itself.
	s := eventually(t, func() (testnode.Status, error) { return f.post(t.Context(), 400) })
	if s, err := f.c.Settle(t.Context(), s.ID, 2*time.Minute); err != nil || s.Success != 400 {
		t.Fatalf("a large post after room was made ended as %+v: %v", s, err)
	}
	f.check(t)
	n.Kill()
}

// nothingHalfTaken hands a node without room a blob and an event of MISP: both are refused with 507, and nothing of them is there.
func nothingHalfTaken(t *testing.T, f *filler) {
	t.Helper()
	content := make([]byte, 16<<20)
	rand.Read(content)
	full := func(what string, a testnode.Answer, err error) {
		t.Helper()
		if err != nil || a.Status != http.StatusInsufficientStorage || a.Header.Get("Retry-After") == "" {
			t.Errorf("without room, %s is answered %d with Retry-After %q: %.300s %v", what, a.Status, a.Header.Get("Retry-After"), a.Body, err)
		}
	}
	plain := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/octet-stream"}}
	a, err := f.c.Do(t.Context(), http.MethodPost, "/api/v1/blobs?label=tlp:green", plain, bytes.NewReader(content))
	full("a blob", a, err)
	a = must(f.c.Do(t.Context(), http.MethodGet, "/api/v1/blobs", plain, nil))(t)
	if a.Status != http.StatusOK || !bytes.Contains(a.Body, []byte(`"items":[]`)) {
		t.Errorf("the refused blob is there: %d %.300s", a.Status, a.Body)
	}
	const id = "6f3b3b4e-3d0e-4b0a-9d0f-0a7f4b1b2c3d"
	var event bytes.Buffer
	event.WriteString(`{"Event":{"uuid":"` + id + `","info":"large","date":"2026-01-31","distribution":"1","timestamp":"1700000000","Tag":[{"name":"tlp:green"}],"Attribute":[`)
	for i := range 4000 {
		if i > 0 {
			event.WriteByte(',')
		}
		fmt.Fprintf(&event, `{"type":"domain","category":"Network activity","value":"%x.example","to_ids":true,"comment":"%x"}`, content[i*32:i*32+16], content[i*500:i*500+400])
	}
	event.WriteString("]}}")
	plain.Set("Content-Type", "application/json")
	a, err = f.c.Do(t.Context(), http.MethodPost, "/misp/events/add", plain, &event)
	full("an event of MISP", a, err)
	if a = must(f.c.Do(t.Context(), http.MethodGet, "/misp/events/view/"+id, plain, nil))(t); a.Status != http.StatusNotFound {
		t.Errorf("the refused event is answered %d %.300s", a.Status, a.Body)
	}
}

// eventually tries for two minutes.
func eventually[T any](t *testing.T, try func() (T, error)) T {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		v, err := try()
		if err == nil {
			return v
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
