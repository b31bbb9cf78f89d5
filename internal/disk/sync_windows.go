package disk

import "os"

// Sync makes durable which files a directory has, and what they are called. Windows keeps that by itself, and does not let a directory be written out: only that it is there is looked at.
func Sync(dir string) error {
	_, err := os.ReadDir(dir)
	return err
}
