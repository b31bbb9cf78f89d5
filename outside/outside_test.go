package outside

import (
	"bytes"
	"encoding/hex"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// uses are the packages of the program that compute something outside of FIPS 140. docs/fips.md says what and why.
var uses = []string{"internal/detect", "internal/feed", "internal/identity", "internal/notify", "internal/surface/api", "misp", "stix/internal/uuid5"}

// Nobody but this package hashes with SHA-1 or MD5 or turns the enforcement off, and who uses it is listed.
func TestOnlyThisPackageStandsOutside(t *testing.T) {
	root := ".."
	doc, err := os.ReadFile(filepath.Join(root, "docs", "fips.md"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	files := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if slices.Contains([]string{"web/node_modules", "outside", ".git", "bin"}, rel) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		files++
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			switch name, _ := strconv.Unquote(i.Path.Value); name {
			case "crypto/sha1", "crypto/md5", "crypto/des", "crypto/rc4", "golang.org/x/crypto/md4":
				t.Errorf("%s imports %s", rel, name)
			case "entente/outside":
				if dir := rel[:strings.LastIndexByte(rel, '/')]; !strings.HasSuffix(rel, "_test.go") && !slices.Contains(found, dir) {
					found = append(found, dir)
				}
			}
		}
		for _, word := range []string{"WithoutEnforcement(", "uuid.NewSHA1(", "uuid.NewMD5(", "uuid.NewHash("} {
			if bytes.Contains(src, []byte(word)) {
				t.Errorf("%s has %s", rel, word)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	if !slices.Equal(found, uses) || files < 100 {
		t.Errorf("these use package outside: %v, listed are %v", found, uses)
	}
	for _, dir := range uses {
		if !bytes.Contains(doc, []byte("`"+dir+"`")) {
			t.Errorf("docs/fips.md does not name %s", dir)
		}
	}
}

// The example of RFC 9562, appendix A.4, and the empty text of RFC 1321.
func TestNames(t *testing.T) {
	dns := [16]byte{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	id := UUID5(dns, []byte("www.example.com"))
	if got := hex.EncodeToString(id[:]); got != "2ed6657de927568b95e12665a8aea6a2" {
		t.Error(got)
	}
	sum := MD5(nil)
	if got := hex.EncodeToString(sum[:]); got != "d41d8cd98f00b204e9800998ecf8427e" {
		t.Error(got)
	}
	ran := false
	Run(func() { ran = true })
	if !ran {
		t.Error("it was not computed")
	}
}
