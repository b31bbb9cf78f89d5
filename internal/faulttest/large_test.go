package faulttest

import (
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"entente/internal/sample"
	"entente/internal/testnode"
)

// TestManyLargePostsAtOnceAreBounded sends more bytes at once than the node has memory for: those that do not fit are told to come back.
func TestManyLargePostsAtOnceAreBounded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system does not tell what memory a process takes")
	}
	n := served(t, "")
	const posts = 12
	var wg sync.WaitGroup
	var taken, later atomic.Int64
	for range posts {
		wg.Go(func() {
			c := n.Client(testnode.Analyst)
			defer c.Close()
			body := repeated(`{"objects":[{"x":"`, "a", 90_000_000, `"}]}`)()
			a, err := c.Do(t.Context(), http.MethodPost, testnode.Objects, nil, io.NopCloser(body))
			switch {
			case err != nil: // refused before it was sent to its end
				later.Add(1)
			case a.Status == http.StatusAccepted:
				taken.Add(1)
			case a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") != "" && strings.Contains(string(a.Body), "at once"):
				later.Add(1)
			default:
				t.Errorf("a large post among many is answered %d %s", a.Status, a.Body)
			}
		})
	}
	wg.Wait()
	peak := must(n.Memory("VmHWM"))(t)
	t.Logf("%d taken, %d to come back, at most %d MiB", taken.Load(), later.Load(), peak>>20)
	if !n.Alive() || taken.Load() == 0 {
		t.Fatalf("of %d posts %d were taken", posts, taken.Load())
	}
	if peak > 3*memoryBound/2 {
		t.Errorf("the process took %d MiB", peak>>20)
	}
	c := client(t, n, testnode.Analyst)
	for end := time.Now().Add(10 * time.Second); ; {
		s, err := c.Post(t.Context(), testnode.Envelope(sample.New(3).File().Raw))
		if err == nil && s.Success == 1 {
			return
		}
		var no *testnode.Refusal
		if !errors.As(err, &no) || time.Now().After(end) {
			t.Fatalf("afterwards a post ends as %+v: %v", s, err)
		}
	}
}
