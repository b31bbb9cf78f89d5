//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package indicator

import "os"

func mapFile(path string) (*mapping, error) {
	data, err := os.ReadFile(path)
	return &mapping{data: data}, err
}
