package testnet_test

import (
	"fmt"
	"os"
	"runtime/debug"
	"testing"
)

// TestMain keeps the files of worlds in memory where the system has a place for that: what they are about is not the disk.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	dir := ""
	if _, set := os.LookupEnv("TMPDIR"); !set {
		if d, err := os.MkdirTemp("/dev/shm", "worlds"); err == nil {
			dir = d
			if err := os.Setenv("TMPDIR", d); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}
	code := m.Run()
	if dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}
