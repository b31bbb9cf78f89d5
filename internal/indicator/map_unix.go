//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package indicator

import (
	"os"
	"runtime"
	"syscall"
)

func mapFile(path string) (*mapping, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	n := info.Size()
	if n == 0 || n != int64(int(n)) || !info.Mode().IsRegular() {
		return &mapping{}, nil // Read refuses it
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, int(n), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	m := &mapping{data: data}
	runtime.AddCleanup(m, func(b []byte) { _ = syscall.Munmap(b) }, data)
	return m, nil
}
