package sqlite

import (
	"os"
	"testing"

	"entente/internal/store"
	"entente/internal/store/storetest"
)

func TestSuite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		return openTemp(t, dir)
	})
}
