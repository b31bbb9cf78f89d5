//go:build linux

package observation

import (
	"syscall"
	"testing"
	"time"
)

// cpu reports the processor's time of what follows until the function that it gives is called: on a machine with other work the clock says little.
func cpu(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	return func() {
		d := used() - start
		b.ReportMetric(float64(b.N)/d.Seconds(), "events/cpu-s")
		b.ReportMetric(float64(d.Nanoseconds())/float64(b.N), "cpu-ns/event")
	}
}
