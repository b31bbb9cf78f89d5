package sensor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"

	"entente/internal/disk"
	"entente/internal/fault"
)

// write puts a file of the sensor's own in the place of another.
func write(path string, b []byte) error {
	if err := disk.Replace(path, b); err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	return nil
}

func writeJSON(path string, v any) error {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return fault.New(fault.Internal, "", "%s cannot be written", filepath.Base(path)).Because(err)
	}
	return write(path, b)
}

// readJSON reads a file that writeJSON wrote; false: there is none.
func readJSON(path string, v any) (bool, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading %s: %w", filepath.Base(path), err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fault.New(fault.Unprocessable, "sensor.file", "%s is not as the sensor wrote it: %v", path, err)
	}
	return true, nil
}

// remove removes files that may be there.
func remove(paths ...string) error {
	var errs []error
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("removing %s: %w", filepath.Base(p), err))
		}
	}
	return errors.Join(errs...)
}
