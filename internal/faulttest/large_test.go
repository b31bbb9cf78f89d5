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
	"entente/label"
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
	for end := time.Now().Add(2 * time.Minute); ; {
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

// TestManySlowReadersAreBounded has many clients ask for the largest page and take nothing of it.
func TestManySlowReadersAreBounded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system does not tell what memory a process takes")
	}
	n := served(t, "")
	c := client(t, n, testnode.Analyst)
	src := sample.New(8)
	for range 10 {
		var raws [][]byte
		for range 1000 {
			raws = append(raws, src.Indicator(label.Green).Raw)
		}
		must(c.Post(t.Context(), testnode.Envelope(raws...)))(t)
	}
	const readers = 60 // of one account, which may have 64 requests under way
	var started, ended sync.WaitGroup
	stop := make(chan struct{})
	for range readers {
		started.Add(1)
		ended.Go(func() {
			c := n.Client(testnode.Analyst)
			c.ReadBuffer = 64 << 10
			body, err := c.Open(t.Context(), testnode.Objects+"?limit=10000")
			started.Done()
			if err != nil {
				t.Error(err)
				return
			}
			<-stop
			body.Close()
		})
	}
	started.Wait()
	peak := must(n.Memory("VmHWM"))(t)
	if a := must(client(t, n, testnode.Analyst).Do(t.Context(), http.MethodGet, testnode.Objects+"?limit=10", nil, nil))(t); a.Status != http.StatusOK {
		t.Errorf("beside slow readers a page is answered %d", a.Status)
	}
	close(stop)
	ended.Wait()
	t.Logf("at most %d MiB", peak>>20)
	if peak > memoryBound {
		t.Errorf("the process took %d MiB", peak>>20)
	}
}
