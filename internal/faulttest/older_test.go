package faulttest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/lite"
	"entente/internal/node"
)

// TestDataOfOlderProgramsOpens works in every room, takes the directory back to what each older program would have left, and holds the node of
// today to everything that was acknowledged: records, register, alerts, blobs, sessions, and search over an index that is made anew.
func TestDataOfOlderProgramsOpens(t *testing.T) {
	n := served(t, roomsConfig)
	house := openRooms(t, n)
	rnd := rand.New(rand.NewPCG(17, 1))
	house.work(t, 3*time.Second, rnd)
	if err := house.check(t.Context(), rnd); err != nil {
		t.Fatal(err)
	}
	if said, none := house.counted(); none {
		t.Fatalf("not every room was tried: %s", said)
	}
	index := filepath.Join(n.Data, "index", "index.db")
	oldIndex := func(version int) func() error {
		return func() (err error) {
			c, err := zs.OpenConn(index, zs.OpenReadWrite)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, c.Close()) }()
			return lite.Script(c, "DROP TABLE block; CREATE TABLE older(x); PRAGMA user_version="+strconv.Itoa(version)+";")
		}
	}
	type step struct {
		name string
		do   func() error
	}
	steps := []step{
		{"an index of the format before the first", oldIndex(0)},
		{"an index of a format to come", oldIndex(1000)},
		{"no index", func() error { return os.RemoveAll(filepath.Dir(index)) }},
	}
	for schema := node.Schema(); schema > 0; schema-- {
		steps = append(steps, step{"schema " + strconv.Itoa(schema), func() error {
			_, err := n.Run(t.Context(), "downgrade", "--data", n.Data, "--schema", strconv.Itoa(schema))
			return errors.Join(err, oldIndex(0)())
		}})
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			if err := n.Stop(); err != nil {
				t.Fatal(err)
			}
			if err := s.do(); err != nil {
				t.Fatal(err)
			}
			took, err := n.Start(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("ready after %s", took.Round(time.Millisecond))
			if err := house.check(t.Context(), rnd); err != nil {
				t.Fatal(err)
			}
			caughtUp(t, house.local())
			house.work(t, time.Second, rnd) // and everything goes on
			if err := house.check(t.Context(), rnd); err != nil {
				t.Fatal(err)
			}
		})
	}
	file := filepath.Join(t.TempDir(), "backup")
	must(n.Run(t.Context(), "backup", "--data", n.Data, file))(t)
	if b := must(os.ReadFile(file))(t); !bytes.HasPrefix(b, []byte("PK")) {
		t.Error("after all of that there is no backup")
	}
}
