package faulttest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"entente/internal/testnode"
)

var program struct {
	once sync.Once
	dir  string
	bin  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if program.dir != "" {
		os.RemoveAll(program.dir)
	}
	os.Exit(code)
}

// bin is the program, built when the first test needs it.
func bin(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		if program.dir, program.err = os.MkdirTemp("", "entente-fault-"); program.err == nil {
			program.bin, program.err = testnode.Build(context.Background(), program.dir)
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return program.bin
}

// made is a new node that is not served yet.
func made(t *testing.T, config string) *testnode.Node {
	t.Helper()
	n, err := testnode.Create(t.Context(), bin(t), filepath.Join(t.TempDir(), "node"), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Kill()
		if t.Failed() {
			said, _ := os.ReadFile(n.Log)
			t.Logf("the node said:\n%s", said[max(0, len(said)-8000):])
		}
	})
	return n
}

func start(t *testing.T, n *testnode.Node) {
	t.Helper()
	if _, err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// served is a new node that runs.
func served(t *testing.T, config string) *testnode.Node {
	t.Helper()
	n := made(t, config)
	start(t, n)
	return n
}

func client(t *testing.T, n *testnode.Node, user string) *testnode.Client {
	c := n.Client(user)
	t.Cleanup(c.Close)
	return c
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// once fails when an id comes twice, and returns the ids as a set.
func once(ids []string) (map[string]bool, error) {
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		if set[id] {
			return nil, fmt.Errorf("%s is there twice", id)
		}
		set[id] = true
	}
	return set, nil
}
