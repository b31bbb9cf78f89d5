package testnet_test

import (
	"crypto/fips140"
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

// timeless skips a test in virtual time where random numbers come from a module that measures the clock for them: it stands still there.
func timeless(t *testing.T) {
	t.Helper()
	if fips140.Enabled() && fips140.Version() != "v1.0.0" {
		t.Skipf("the module %s takes its entropy from a clock, which virtual time has not: this is run without it", fips140.Version())
	}
}
