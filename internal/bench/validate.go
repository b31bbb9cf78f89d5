package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"entente/internal/sample"
	"entente/label"
	"entente/stix"
)

const (
	validateTarget  = 20_000 // objects per second on one core
	validateObjects = 20_000
)

// validate measures the language alone, in process and as a command, on one core.
func (b *bench) validate(ctx context.Context) error {
	src := sample.New(1)
	raws := make([][]byte, validateObjects)
	for i := range raws {
		raws[i] = src.Indicator(label.Green).Raw
	}
	before := runtime.GOMAXPROCS(1)
	began := time.Now()
	for _, raw := range raws {
		o, err := stix.Parse(raw)
		if err != nil {
			return err
		}
		if f := stix.Validate(o, stix.Options{}); !stix.Valid(f, false) {
			return fmt.Errorf("a sample is not valid: %v", f[0])
		}
	}
	took := time.Since(began)
	runtime.GOMAXPROCS(before)
	b.atLeast("validate.language", rate(len(raws), took), "objects/s", validateTarget)

	path := filepath.Join(b.dir, "validate.json")
	if err := writeLines(path, raws); err != nil {
		return err
	}
	defer os.Remove(path)
	c := exec.CommandContext(ctx, b.bin, "object", "validate", "--json", path)
	c.Env = append(os.Environ(), "GOMAXPROCS=1")
	began = time.Now()
	if err := c.Run(); err != nil {
		return fmt.Errorf("object validate: %w", err)
	}
	b.atLeast("validate.command", rate(len(raws), time.Since(began)), "objects/s", validateTarget)
	return nil
}

func rate(n int, took time.Duration) float64 { return float64(n) / took.Seconds() }

// writeLines writes one object per line.
func writeLines(path string, raws [][]byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for _, raw := range raws {
		w.Write(raw)
		w.WriteByte('\n')
	}
	if err := w.Flush(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
