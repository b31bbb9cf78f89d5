//go:build unix

package blob

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"entente/label"
)

// helperDir makes the test binary change the blobs in that directory until it kills itself at a step.
const (
	helperDir  = "ENTENTE_BLOB_DIR"
	helperDo   = "ENTENTE_BLOB_DO"
	helperStep = "ENTENTE_BLOB_STEP"
)

func TestMain(m *testing.M) {
	if os.Getenv(helperDir) == "" {
		os.Exit(m.Run())
	}
	os.Args = []string{os.Args[0], "-test.run=^TestKillHelper$", "-test.count=1"}
	os.Exit(m.Run())
}

func killContent() []byte {
	return bytes.Repeat([]byte("what must not be half there, nor in the clear. "), 5000)
}

func TestKillHelper(t *testing.T) {
	dir := os.Getenv(helperDir)
	if dir == "" {
		t.Skip("for TestKill alone")
	}
	h := newHouse(t, dir, func(c *Config) {
		c.step = func(name string) {
			if name == os.Getenv(helperStep) {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	})
	u := Upload{Name: "x", Label: labelled(label.Clear)}
	id := os.Getenv("ENTENTE_BLOB_ID")
	var err error
	switch os.Getenv(helperDo) {
	case "add":
		_, _, err = h.Add(context.Background(), h.us(), u, bytes.NewReader(killContent()))
	case "remove":
		err = h.Remove(context.Background(), h.us(), id)
	case "purge":
		_, err = h.Purge(context.Background(), h.us(), id)
	}
	fmt.Println("it lived on", err)
}

// TestKill kills a process at every step of a change. Afterwards the change is done or not, in whole, and nothing is left over.
func TestKill(t *testing.T) {
	for _, c := range []struct{ do, step, after string }{
		{"add", "begin", "absent"}, {"add", "written", "absent"}, {"add", "synced", "absent"}, {"add", "renamed", "absent"}, {"add", "durable", "absent"}, {"add", "committed", "there"},
		{"remove", "removing", "there"}, {"remove", "forgotten", "absent"}, {"remove", "unlinked", "absent"},
		{"purge", "removing", "there"}, {"purge", "forgotten", "absent"}, {"purge", "unlinked", "absent"},
	} {
		t.Run(c.do+" "+c.step, func(t *testing.T) {
			dir := t.TempDir()
			ctx := context.Background()
			h := newHouse(t, dir, nil)
			u := Upload{Name: "x", Label: labelled(label.Clear)}
			b, _ := h.add(h.us(), u, killContent())
			if c.do == "add" {
				if err := h.Remove(ctx, h.us(), b.ID); err != nil {
					t.Fatal(err)
				}
			}
			h.db.Close()
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), helperDir+"="+dir, helperDo+"="+c.do, helperStep+"="+c.step, "ENTENTE_BLOB_ID="+b.ID)
			out, err := cmd.CombinedOutput()
			if err == nil || strings.Contains(string(out), "it lived on") {
				t.Fatalf("it was not killed: %v\n%s", err, out)
			}
			if where := holding(t, dir, killContent()[:40]); where != "" {
				t.Errorf("the content stands in %s", where)
			}
			h = newHouse(t, dir, nil)
			_, err = h.Get(ctx, h.us(), b.ID)
			switch count, _ := h.Usage(); c.after {
			case "there":
				if err != nil || count != 1 || len(h.files()) != 1 || !bytes.Equal(h.content(h.us(), b.ID), killContent()) {
					t.Errorf("%v, %d blobs, files %q", err, count, h.files())
				}
			case "absent":
				if err == nil || count != 0 || len(h.files()) != 0 {
					t.Errorf("%v, %d blobs, files %q", err, count, h.files())
				}
				if _, added := h.add(h.us(), u, killContent()); !added {
					t.Error("it cannot be sent again")
				}
			}
		})
	}
}
