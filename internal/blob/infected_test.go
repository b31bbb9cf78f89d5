package blob

import (
	"archive/zip"
	"bytes"
	"context"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A sample comes back from its ZIP with the password, and with no other.
func TestInfected(t *testing.T) {
	h := newHouse(t, t.TempDir(), nil)
	for _, size := range []int{0, 1, 11, chunkSize, chunkSize + 1, 300_000} {
		content := append([]byte("MZ"), pattern(size)...)
		b, _ := h.add(h.us(), Upload{Name: "Übel.exe", Sample: true}, content)
		c, err := h.Store.Open(context.Background(), h.us(), b.ID)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := c.Infected(&out); err != nil {
			t.Fatal(err)
		}
		c.Close()
		if int64(out.Len()) != c.InfectedSize() {
			t.Errorf("the archive has %d bytes, said were %d", out.Len(), c.InfectedSize())
		}
		if bytes.Contains(out.Bytes(), content) && size > 10 {
			t.Error("the sample stands in the archive in the clear")
		}
		z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil || len(z.File) != 1 || z.File[0].Name != "Übel.exe" || z.File[0].Flags&1 == 0 {
			t.Fatalf("%v %v", z, err)
		}
		raw, err := z.File[0].OpenRaw()
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := io.ReadAll(raw)
		if err != nil {
			t.Fatal(err)
		}
		plain := decrypt(sealed, Password)
		if plain[zipHead-1] != byte(z.File[0].CRC32>>24) || !bytes.Equal(plain[zipHead:], content) || crc32.ChecksumIEEE(content) != z.File[0].CRC32 {
			t.Errorf("%d bytes do not come back", len(content))
		}
		if bytes.Equal(decrypt(sealed, "other")[zipHead:], content) && size > 10 { // two bytes are the same by chance at times
			t.Error("any password opens the archive")
		}
	}
}

// decrypt is the reading side, APPNOTE.TXT section 6.1.
func decrypt(b []byte, password string) []byte {
	k := newZipKeys(password)
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = c ^ k.stream()
		k.update(out[i])
	}
	return out
}

// Another program opens the archive.
func TestInfectedWithUnzip(t *testing.T) {
	unzip, err := exec.LookPath("unzip")
	if err != nil {
		t.Skip("there is no unzip on this machine")
	}
	h := newHouse(t, t.TempDir(), nil)
	content := append([]byte("MZ"), pattern(100_000)...)
	b, _ := h.add(h.us(), Upload{Name: "bad.exe"}, content)
	c, err := h.Store.Open(context.Background(), h.us(), b.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	path := filepath.Join(t.TempDir(), "x.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Infected(f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	out, err := exec.Command(unzip, "-p", "-P", Password, path).Output()
	if err != nil || !bytes.Equal(out, content) {
		t.Errorf("unzip gives %d bytes: %v", len(out), err)
	}
	if _, err := exec.Command(unzip, "-t", "-P", "wrong", path).Output(); err == nil {
		t.Error("unzip takes a wrong password")
	}
}
