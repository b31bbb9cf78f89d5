package alliance

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"
)

// stand starts an alliance in a directory of the test's own, whose nations know each other.
func stand(t *testing.T) *Alliance {
	t.Helper()
	ctx := context.Background()
	a, err := Start(ctx, Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}, Members...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := a.Stop(end); err != nil {
			t.Error(err)
		}
	})
	if err := a.Meet(ctx); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTheInventedDay(t *testing.T) {
	a := stand(t)
	began := time.Now()
	err := a.Play(context.Background(), Invented(), func(e Event) {
		b, _ := json.Marshal(e)
		t.Logf("%5.2f %s", time.Since(began).Seconds(), b)
		if e.Kind == "failed" {
			t.Error(e.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
