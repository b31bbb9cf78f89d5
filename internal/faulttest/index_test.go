package faulttest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"entente/internal/fault"
	"entente/internal/index"
	"entente/internal/sample"
	"entente/internal/surface/api"
	"entente/internal/testnode"
)

// watchedOne is an indicator of an address.
func watchedOne(address string) (id string, raw []byte) {
	id = "indicator--" + uuid.NewString()
	return id, fmt.Appendf(nil, watchedIndicator, id, address)
}

// patient asks again what the node has no time for: an index that is being opened, or is behind.
func patient[T any](ask func() (T, error)) (v T, err error) {
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if v, err = ask(); fault.Of(err) != fault.Unavailable || time.Now().After(end) {
			return v, err
		}
	}
}

// caughtUp waits until the index has followed whatever the node has written down by itself.
func caughtUp(t *testing.T, c *api.Client) {
	t.Helper()
	eventually(t, func() (index.State, error) {
		s, err := c.Index(t.Context())
		if err == nil && (s.Error != "" || !s.Caught) {
			err = fmt.Errorf("the index is %+v", s)
		}
		return s, err
	})
}

// finds asks the index, caught up, what has an address.
func finds(ctx context.Context, c *api.Client, address string) (ids []string, err error) {
	got, err := patient(func() (api.Finds, error) {
		return c.Finds(ctx, url.Values{"q": {"value:" + address}, "fresh": {"true"}})
	})
	for _, f := range got.Items {
		ids = append(ids, f.ID)
	}
	return ids, err
}

// TestAnIndexThatCannotBeReadIsMadeAnew starts a node over what somebody left of its index.
func TestAnIndexThatCannotBeReadIsMadeAnew(t *testing.T) {
	n, other := served(t, ""), served(t, "")
	const address = "10.1.2.3"
	id, raw := watchedOne(address)
	_, foreign := watchedOne(address)
	if s := must(client(t, n, testnode.Analyst).Post(t.Context(), testnode.Envelope(raw)))(t); s.Success != 1 {
		t.Fatalf("%+v", s)
	}
	if s := must(client(t, other, testnode.Analyst).Post(t.Context(), testnode.Envelope(foreign)))(t); s.Success != 1 {
		t.Fatalf("%+v", s)
	}
	here, there := &rooms{n: n}, &rooms{n: other}
	must(finds(t.Context(), here.local(), address))(t)
	must(finds(t.Context(), there.local(), address))(t)
	if err := other.Stop(); err != nil {
		t.Fatal(err)
	}
	dir, file := filepath.Join(n.Data, "index"), filepath.Join(n.Data, "index", "index.db")
	garbage := make([]byte, 100_000)
	rand.Read(garbage)
	whole := func(b []byte) error { return os.WriteFile(file, b, 0o600) }
	for _, damage := range []struct {
		name string
		do   func() error
	}{
		{"no directory, as of an older version", func() error { return os.RemoveAll(dir) }},
		{"nothing in it", func() error { return whole(nil) }},
		{"other bytes", func() error { return whole(garbage) }},
		{"cut off", func() error { return os.Truncate(file, 5000) }},
		{"damaged within", func() error {
			b, err := os.ReadFile(file)
			for i := 4096; i < len(b); i += 7 {
				b[i] ^= 0x5a
			}
			if err == nil {
				err = whole(b)
			}
			return err
		}},
		{"a log of something else", func() error { return os.WriteFile(file+"-wal", garbage, 0o600) }},
		{"of another node", func() error {
			b, err := os.ReadFile(filepath.Join(other.Data, "index", "index.db"))
			if err == nil {
				err = whole(b)
			}
			return err
		}},
	} {
		t.Run(damage.name, func(t *testing.T) {
			if err := n.Stop(); err != nil {
				t.Fatal(err)
			}
			if err := damage.do(); err != nil {
				t.Fatal(err)
			}
			t.Logf("ready after %s", must(n.Start(context.Background()))(t).Round(time.Millisecond))
			got := must(finds(t.Context(), here.local(), address))(t)
			if len(got) != 1 || got[0] != id {
				t.Errorf("the index finds %q, want %s", got, id)
			}
			caughtUp(t, here.local())
		})
	}
}

// TestAFullDiskOfTheIndexStopsTheIndexOnly gives the index a small disk of its own.
func TestAFullDiskOfTheIndexStopsTheIndexOnly(t *testing.T) {
	n := made(t, "")
	if out, err := exec.Command("unshare", "-m", "true").CombinedOutput(); err != nil {
		t.Skipf("a small disk of its own takes a mount namespace, which is not to be had here: %v %s", err, out)
	}
	index := filepath.Join(n.Data, "index")
	n.Wrap = []string{"unshare", "-m", "sh", "-ec", `
mkdir -p "$0"
mount -t tmpfs -o size=16m,mode=700 tmpfs "$0"
head -c 15728640 /dev/zero > "$0/ballast"
exec "$@"`, index}
	if _, err := n.Start(t.Context()); err != nil {
		if strings.Contains(err.Error(), "mount") {
			t.Skipf("a small disk of its own cannot be mounted here: %v", err)
		}
		t.Fatal(err)
	}
	f := &filler{c: client(t, n, testnode.Analyst), src: sample.New(81)}
	local := (&rooms{n: n}).local()
	postHead(t, f)
	behind := false
	for i := 0; i < 60 && !behind; i++ { // what is posted is taken, whatever becomes of the index
		must(f.post(t.Context(), 200))(t)
		behind = must(local.Index(t.Context()))(t).Error != ""
	}
	if !behind {
		eventually(t, func() (bool, error) {
			if s, err := local.Index(t.Context()); err != nil || s.Error == "" {
				return false, fmt.Errorf("the index does not say that it is behind: %+v %v", s, err)
			}
			return true, nil
		})
	}
	id, raw := watchedOne("10.1.2.3")
	if s := must(f.c.Post(t.Context(), testnode.Envelope(raw)))(t); s.Success != 1 {
		t.Fatalf("beside a full index a post ends as %+v", s)
	}
	f.there = append(f.there, id)
	f.readable(t)
	f.check(t)
	if a := must(f.c.Do(t.Context(), http.MethodGet, "/readyz", nil, nil))(t); a.Status != http.StatusOK {
		t.Errorf("/readyz is answered %d", a.Status)
	}
	if said, _ := os.ReadFile(n.Log); !strings.Contains(string(said), "index") {
		t.Error("the log does not speak of the index")
	}
	if err := os.Remove(filepath.Join("/proc", fmt.Sprint(n.PID()), "root", index, "ballast")); err != nil {
		t.Fatal(err)
	}
	got := eventually(t, func() ([]string, error) { return finds(t.Context(), local, "10.1.2.3") })
	if len(got) != 1 || got[0] != id {
		t.Errorf("with room again the index finds %q, want %s", got, id)
	}
	eventually(t, func() (bool, error) { // it finds what it has written a moment before it says that it gets on
		if s, err := local.Index(t.Context()); err != nil || s.Error != "" {
			return false, fmt.Errorf("with room again the index is %+v %v", s, err)
		}
		return true, nil
	})
}
