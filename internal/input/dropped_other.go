//go:build !linux

package input

import "net"

// dropped is how many packets the system has dropped, where it tells.
func dropped(*net.UDPConn) (n uint32, ok bool) { return 0, false }

// granted is how many bytes the system gives the socket for packets that wait; 0: nobody knows.
func granted(*net.UDPConn) int { return 0 }
