//go:build !windows

package disk

import (
	"errors"
	"os"
)

// Sync makes durable which files a directory has, and what they are called.
func Sync(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
