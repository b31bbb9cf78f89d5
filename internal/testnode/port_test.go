package testnode

import (
	"net"
	"runtime"
	"testing"
)

// TestANodesPortIsItsOwn takes what ports the system gives: the one that a node has is not among them, and the node can have it again and again.
func TestANodesPortIsItsOwn(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("here a node finds its port by itself")
	}
	addr, held, err := Port()
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	for range 3 {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		for range 1000 {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if l.Close(); l.Addr().String() == addr {
				t.Fatalf("%s was given to another", addr)
			}
		}
	}
}
