//go:build !unix

package lite

import (
	"os"

	"entente/internal/fault"
)

// Lock has no lock to offer here: two processes on one store would not know of each other, so none may open it.
func Lock(string) (*os.File, error) {
	return nil, fault.New(fault.Unsupported, "store.platform", "the embedded store needs a Unix system")
}
