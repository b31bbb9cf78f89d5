package input

import (
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dropped is how many packets the system has dropped because its buffer for the socket was full, or because they were damaged, modulo 2³². SO_MEMINFO tells it at once, whereas
// SO_RXQ_OVFL comes only with the next packet.
func dropped(conn *net.UDPConn) (n uint32, ok bool) {
	var info [unix.SK_MEMINFO_DROPS + 1]uint32
	size := uint32(unsafe.Sizeof(info))
	control(conn, func(fd uintptr) {
		_, _, no := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		ok = no == 0 && size == uint32(unsafe.Sizeof(info))
	})
	return info[unix.SK_MEMINFO_DROPS], ok
}

// granted is how many bytes the system gives the socket for packets that wait; 0: nobody knows. Linux cuts off at net.core.rmem_max without a word, and doubles for its own needs.
func granted(conn *net.UDPConn) (n int) {
	control(conn, func(fd uintptr) {
		if twice, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF); err == nil {
			n = twice / 2
		}
	})
	return n
}

func control(conn *net.UDPConn, f func(fd uintptr)) {
	if raw, err := conn.SyscallConn(); err == nil {
		_ = raw.Control(f) // of a socket that is closed nothing is known
	}
}
