package testnet_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"entente/outside"
)

// forms are the forms in which a word may be found: as it is, in hexadecimal, in base64 wherever it begins, hashed, and as an id that can be made of it.
func forms(word string) map[string][]byte {
	sum := sha256.Sum256([]byte(word))
	out := map[string][]byte{
		"as it is":           []byte(word),
		"in hex":             []byte(hex.EncodeToString([]byte(word))),
		"hashed":             sum[:],
		"hashed, in hex":     []byte(hex.EncodeToString(sum[:])),
		"hashed, in base64":  []byte(base64.StdEncoding.EncodeToString(sum[:])[:42]),
		"as an id":           []byte(uuid.UUID(outside.UUID5(stixIDs, []byte(word))).String()),
		"as an id of a name": []byte(uuid.UUID(outside.UUID5(stixIDs, fmt.Appendf(nil, `{"name":%q}`, word))).String()),
	}
	for shift := range 3 {
		for name, e := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
			coded := e.EncodeToString(append(make([]byte, shift), word...))
			out[fmt.Sprintf("in %s from %d on", name, shift)] = []byte(coded[(shift*8+5)/6 : len(coded)-2])
		}
	}
	return out
}

// stixIDs is the namespace of ids that are made of values (STIX 2.1, 2.9).
var stixIDs = uuid.MustParse("00abedb4-aa42-466c-9c01-fed23315a9b7")

// find says which of the words stands in a text; empty: none.
func find(words []string, text []byte) string {
	for _, w := range words {
		for form, b := range forms(w) {
			if bytes.Contains(text, b) {
				return fmt.Sprintf("%s is there %s", w, form)
			}
		}
	}
	return ""
}

// onDisk says in which file below a folder one of the words stands; empty: in none.
func onDisk(dir string, words []string) (string, error) {
	found := ""
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || found != "" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if what := find(words, b); what != "" {
			found = filepath.Base(path) + ": " + what
		}
		return nil
	})
	return found, err
}
