//go:build unix

package sqlite

import (
	"context"
	"os"
	"testing"
	"time"

	"entente/internal/store"
	"entente/internal/store/storetest"
)

func TestSuite(t *testing.T) {
	for name, cfg := range map[string]Config{"as it is": {}, "merging all the time": {freezeAt: 3, slice: 2, ReadConns: 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, func(t *testing.T, now func() time.Time) store.Store {
				dir, err := os.MkdirTemp(t.TempDir(), "")
				if err != nil {
					t.Fatal(err)
				}
				c := cfg
				c.Dir, c.Now = dir, now
				s, err := Open(context.Background(), c)
				if err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}
