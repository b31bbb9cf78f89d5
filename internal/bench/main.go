// Bench measures what the node must reach, on the real program over its command line and its two interfaces, and says of every figure
// whether it does. bench/run starts it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"entente/internal/testnode"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	*report
	bin  string
	dir  string // of everything it writes; removed at the end
	size int    // objects to grow to
}

func run() error {
	bin := flag.String("bin", "", "`PROGRAM` to measure; without, it is built")
	size := flag.Int("n", 100_000, "grow the store to `N` objects, at least 20,000")
	dir := flag.String("dir", "", "`DIR` to work in; without, a new one where temporary files are")
	asJSON := flag.Bool("json", false, "print one JSON value per line")
	only := flag.String("only", "", "measure only validate, attack or grow")
	keep := flag.Bool("keep", false, "leave the stores where they are, and say where")
	strict := flag.Bool("strict", false, "exit with 1 when a target is missed")
	flag.Parse()
	if *size < 2*small {
		return fmt.Errorf("-n %d: it takes at least %d objects to compare", *size, 2*small)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	work, err := os.MkdirTemp(*dir, "entente-bench-")
	if err != nil {
		return err
	}
	if *keep {
		defer fmt.Fprintln(os.Stderr, "the stores are in", work)
	} else {
		defer os.RemoveAll(work)
	}
	b := &bench{report: &report{out: os.Stdout, asJSON: *asJSON}, dir: work, size: *size}
	if b.bin, err = filepath.Abs(*bin); *bin == "" {
		b.bin, err = testnode.Build(ctx, work)
	}
	if err != nil {
		return err
	}
	b.head(fmt.Sprintf("%d objects, %d cores, %s %s/%s", *size, runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH))
	b.load()
	began := time.Now()
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{{"validate", b.validate}, {"attack", b.attack}, {"grow", b.grow}} {
		if *only != "" && *only != part.name {
			continue
		}
		if err := part.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	b.load()
	b.note("bench.took", time.Since(began).Seconds(), "s")
	if *strict && b.missed > 0 {
		return fmt.Errorf("%d targets were missed", b.missed)
	}
	return nil
}

// load tells how busy the machine is with everything, where it says so: figures of a busy machine say little.
func (b *bench) load() {
	text, err := os.ReadFile("/proc/loadavg")
	var last float64
	if err != nil {
		return
	}
	if _, err := fmt.Sscan(string(text), &last); err == nil {
		b.note("machine.load", last, "processes")
	}
}
