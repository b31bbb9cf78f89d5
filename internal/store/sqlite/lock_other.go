//go:build !unix

package sqlite

import (
	"os"

	"entente/internal/fault"
)

// lockFile has no lock to offer here: two processes on one store would not know of each other, so none may open it.
func lockFile(string) (*os.File, error) {
	return nil, fault.New(fault.Unsupported, "store.platform", "the embedded store needs a Unix system")
}
