package indicator

import (
	"runtime"
	"syscall"
)

// fewPages is the size below which large pages are not worth it.
const fewPages = 4 << 20

// largePages is memory that the system is asked to hold in large pages; nil: it is not worth it, or there is none.
func largePages(n int) *mapping {
	if n < fewPages {
		return nil
	}
	data, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	_ = syscall.Madvise(data, syscall.MADV_HUGEPAGE) // a wish: without it everything works, only slower
	m := &mapping{data: data}
	runtime.AddCleanup(m, func(b []byte) { _ = syscall.Munmap(b) }, data)
	return m
}
