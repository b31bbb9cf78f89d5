package testnode

import (
	"net"
	"os"
	"strconv"
	"syscall"
)

// Port is a free address of this machine that the system gives to nobody else while the file is open: a node that ends and starts again finds it free. A socket that is bound and does not listen
// is in nobody's way who asks for its port by number, and in the way of whoever asks for any.
func Port() (addr string, held *os.File, err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, os.NewSyscallError("socket", err)
	}
	held = os.NewFile(uintptr(fd), "port")
	if err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	var at syscall.Sockaddr
	if err == nil {
		at, err = syscall.Getsockname(fd)
	}
	if err != nil {
		held.Close()
		return "", nil, os.NewSyscallError("bind", err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(at.(*syscall.SockaddrInet4).Port)), held, nil
}
