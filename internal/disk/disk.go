// Package disk puts files in their places so that they stay there after a loss of power.
package disk

import (
	"errors"
	"os"
	"path/filepath"
)

// Replace puts a file in the place of another, for its owner's eyes alone: it is there as a whole or not at all, and durable when Replace returns nil. What fails leaves the old file,
// unless only the directory could not be made durable. Of one path, one call at a time: the new file is path with ".new" until it is whole.
func Replace(path string, b []byte) error {
	part := path + ".new"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return Sync(filepath.Dir(path))
}
