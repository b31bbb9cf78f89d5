//go:build unix

package sqlite

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"entente/internal/fault"
	"entente/internal/store"
	"entente/label"
)

// Files that others could read are closed to them, whatever the mode that they were left with.
func TestFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	s := openTemp(t, dir)
	putAll(t, s, "c", indicator(1, "cert", label.Clear, 50))
	check := func(when string) {
		t.Helper()
		for _, path := range filesOf(t, dir) {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %s has mode %v, %v", when, filepath.Base(path), info.Mode(), err)
			}
		}
	}
	check("made")
	s.Close()
	for _, name := range []string{fileName, fileName + "-wal", fileName + "-shm", lockName} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if err := os.Chmod(filepath.Join(dir, name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s = openTemp(t, dir)
	check("opened")
	if n := count(t, s, store.Query{}); n != 1 {
		t.Fatal(n)
	}
}

// A backup taken while others write is one consistent state, and restores to a store that goes on.
func TestBackupAndRestore(t *testing.T) {
	ctx := context.Background()
	s := openTemp(t, "")
	for i := range 30 {
		putAll(t, s, "c", indicator(2*i, "cert", label.Clear, 900), indicator(2*i+1, "cert", label.Clear, 900))
	}
	i := 100
	stop := meanwhile(1, func() {
		putAll(t, s, "c", indicator(2*i, "cert", label.Clear, 900), indicator(2*i+1, "cert", label.Clear, 900))
		i++
	})
	var file bytes.Buffer
	calls, end := 0, int64(0)
	err := s.Backup(ctx, &file, func(done, total int64) {
		calls++
		if done < end || done > total {
			t.Errorf("progress %d of %d after %d", done, total, end)
		}
		end = done
	})
	stop()
	if err != nil || calls == 0 || end != int64(file.Len()) {
		t.Fatal(err, calls, end, file.Len())
	}
	dir := t.TempDir()
	if err := Restore(ctx, bytes.NewReader(file.Bytes()), dir); err != nil {
		t.Fatal(err)
	}
	back := openTemp(t, dir)
	n := count(t, back, store.Query{Collection: "c"})
	if st, err := back.Stats(ctx); err != nil || n < 60 || n%2 != 0 || st.Records != int64(n) {
		t.Fatal(n, st, err)
	}
	if out := putAll(t, back, "c", indicator(3, "cert", label.Clear, 900)); out[0].State != store.Present {
		t.Fatalf("the keys do not work: %+v", out)
	}
	putAll(t, back, "c", indicator(1_000_000, "cert", label.Clear, 900))
	if err := Restore(ctx, bytes.NewReader(file.Bytes()), dir); fault.Of(err) != fault.Conflict {
		t.Fatalf("restored over a store: %v", err)
	}
	stray := t.TempDir() // a log of another store would be played into the restored one
	if err := os.WriteFile(filepath.Join(stray, fileName+"-wal"), []byte("frames"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Restore(ctx, bytes.NewReader(file.Bytes()), stray); fault.Of(err) != fault.Conflict {
		t.Fatalf("restored beside the log of another store: %v", err)
	}
	torn := append([]byte(nil), file.Bytes()[:file.Len()/2]...)
	for name, data := range map[string][]byte{"torn": torn, "no database": []byte("hello"), "empty": nil} {
		dir := t.TempDir()
		if err := Restore(ctx, bytes.NewReader(data), dir); fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		for _, f := range filesOf(t, dir) {
			if filepath.Base(f) != lockName {
				t.Errorf("%s: %s was left", name, f)
			}
		}
	}
	if err := s.Backup(ctx, failing{}, nil); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a writer that fails: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
