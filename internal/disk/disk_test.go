package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func holds(t *testing.T, path, want string) {
	t.Helper()
	if b, err := os.ReadFile(path); err != nil || string(b) != want {
		t.Fatalf("%s holds %q, %v; want %q", path, b, err, want)
	}
	if _, err := os.Lstat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s.new was left: %v", path, err)
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"first", "", "a longer third"} {
		if err := Replace(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		holds(t, path, content)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("%v, %v; only the owner may read it", info, err)
	}
}

func TestReplaceAfterACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path+".new", []byte("what was being written, and is longer"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	holds(t, path, "new")
}

func TestReplaceFails(t *testing.T) {
	dir := t.TempDir()
	gone := filepath.Join(dir, "gone", "file")
	if err := Replace(gone, []byte("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}

	taken := filepath.Join(dir, "taken") // a directory with a file in it is replaced by nothing
	if err := os.MkdirAll(filepath.Join(taken, "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(taken, []byte("x")); err == nil {
		t.Error("a directory was replaced")
	}
	if _, err := os.Lstat(taken + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what could not be put in place was left: %v", err)
	}

	locked := filepath.Join(dir, "locked")
	path := filepath.Join(locked, "file")
	if err := os.Mkdir(locked, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(locked, 0o500); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(locked, 0o700)
	if probe, err := os.Create(filepath.Join(locked, "probe")); err == nil {
		probe.Close()
		t.Skip("whoever runs this may write everywhere: a directory that is only read cannot be made")
	}
	if err := Replace(path, []byte("new")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("in a directory that is only read: %v", err)
	}
	holds(t, path, "old")
}

// A disk on which nothing more can be written: what is there stays.
func TestReplaceWithoutRoom(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here")
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := Replace(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("new")); err == nil {
		t.Error("nothing was said")
	}
	holds(t, path, "old")
}

func TestSync(t *testing.T) {
	dir := t.TempDir()
	if err := Sync(dir); err != nil {
		t.Error(err)
	}
	if err := Sync(filepath.Join(dir, "gone")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is gone: %v", err)
	}
}
