//go:build !linux

package testnode

import (
	"net"
	"os"
)

// Port is an address that is free at this moment. Here it cannot be held: the file is nil.
func Port() (addr string, held *os.File, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	return l.Addr().String(), nil, l.Close()
}
