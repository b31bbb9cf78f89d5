//go:build !linux

package testnode

import "os"

// port leaves it to the node to find a free one.
func port() (addr string, held *os.File, err error) { return "127.0.0.1:0", nil, nil }
