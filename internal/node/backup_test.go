package node

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/surface/api"
)

// made is a backup of a new node.
func backupOf(t *testing.T) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "d")
	if err := Create(t.Context(), Init{Data: dir, Nation: "UTO", Org: "Utopia CERT"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ConfigFile), []byte("[taxii]\ntitle = \"Ours\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop(context.Background())
	var b bytes.Buffer
	if err := n.Backup(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rewrite changes the parts of an archive: nil leaves one out.
func rewrite(t *testing.T, backup []byte, change func(name string, content []byte) []byte, more map[string]string) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(backup), int64(len(backup)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	put := func(name string, content []byte) {
		w, err := out.Create(name)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range in.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if content = change(f.Name, content); content != nil {
			put(f.Name, content)
		}
	}
	for name, content := range more {
		put(name, []byte(content))
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRestoreTakesOnlyAWholeBackup(t *testing.T) {
	good := backupOf(t)
	same := func(_ string, content []byte) []byte { return content }
	without := func(part string) func(string, []byte) []byte {
		return func(name string, content []byte) []byte {
			if name == part {
				return nil
			}
			return content
		}
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 0x55
	cases := map[string][]byte{
		"empty":              {},
		"cut off":            good[:len(good)-30],
		"a bit is wrong":     flipped,
		"without a store":    rewrite(t, good, without(storeEntry), nil),
		"without a key":      rewrite(t, good, without("keys/ca.json"), nil),
		"without all keys":   rewrite(t, good, func(name string, c []byte) []byte { return map[bool][]byte{true: c}[filepath.Dir(name) == "."] }, nil),
		"a file elsewhere":   rewrite(t, good, same, map[string]string{"../escaped": "x"}),
		"a file in the keys": rewrite(t, good, same, map[string]string{"keys/../../escaped": "x"}),
		"the format of others": rewrite(t, good, func(name string, c []byte) []byte {
			return bytes.Replace(c, []byte(`"format":1`), []byte(`"format":9`), 1)
		}, nil),
		"the store is none": rewrite(t, good, func(name string, c []byte) []byte {
			if name == storeEntry {
				return []byte("SQLite format 3\x00")
			}
			return c
		}, nil),
	}
	for name, b := range cases {
		parent := t.TempDir()
		_, err := Restore(t.Context(), bytes.NewReader(b), int64(len(b)), filepath.Join(parent, "d"), "")
		if err == nil {
			t.Errorf("%s: restored", name)
			continue
		}
		var f *fault.Error
		if !errors.As(err, &f) {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
}

func TestRestoreMakesTheSameNode(t *testing.T) {
	b := backupOf(t)
	dir := filepath.Join(t.TempDir(), "e")
	made, err := Restore(t.Context(), bytes.NewReader(b), int64(len(b)), dir, "")
	if err != nil || made.Org != "Utopia CERT" || made.Nation != "UTO" || time.Since(made.Created) > time.Hour {
		t.Fatalf("%+v %v", made, err)
	}
	if _, err := Restore(t.Context(), bytes.NewReader(b), int64(len(b)), dir, ""); fault.Of(err) != fault.Conflict {
		t.Fatalf("over a node: %v", err)
	}
	cfg, err := LoadConfig(dir)
	if err != nil || cfg.TAXII.Title != "Ours" {
		t.Fatalf("%+v %v", cfg.TAXII, err)
	}
	n, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop(context.Background())
	if len(n.ids.Register().Orgs) != 1 {
		t.Fatalf("%+v", n.ids.Register())
	}
}

// Blobs come along with a backup: what was sent can be had again from what was restored.
func TestBackupHasTheBlobs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := Create(t.Context(), Init{Data: dir, Nation: "UTO", Org: "Utopia CERT"}); err != nil {
		t.Fatal(err)
	}
	n, err := New(t.Context(), DefaultConfig(dir))
	if err != nil {
		t.Fatal(err)
	}
	content := strings.Repeat("evidence ", 20_000)
	b, err := api.NewClient("http://local", n.Local(), nil).AddBlob(t.Context(), strings.NewReader(content), nil)
	if err != nil {
		t.Fatal(err)
	}
	var backup bytes.Buffer
	if err := errors.Join(n.Backup(t.Context(), &backup), n.Stop(context.Background())); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "e")
	if _, err := Restore(t.Context(), bytes.NewReader(backup.Bytes()), int64(backup.Len()), to, ""); err != nil {
		t.Fatal(err)
	}
	if n, err = New(t.Context(), DefaultConfig(to)); err != nil {
		t.Fatal(err)
	}
	defer n.Stop(context.Background())
	var got bytes.Buffer
	if _, err := api.NewClient("http://local", n.Local(), nil).BlobContent(t.Context(), b.Blob.ID, false, &got); err != nil || got.String() != content {
		t.Errorf("%d bytes came back: %v", got.Len(), err)
	}
}
