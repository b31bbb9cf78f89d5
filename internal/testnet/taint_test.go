package testnet_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

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

// finder looks for many words in all their forms at once.
type finder struct {
	begins [1 << 16]bool           // hashes of what forms begin with
	found  map[uint64][]wordAsForm // by what they begin with
}

type wordAsForm struct {
	bytes []byte
	what  string
}

func newFinder(words []string) *finder {
	f := &finder{found: map[uint64][]wordAsForm{}}
	for _, w := range words {
		for form, b := range forms(w) {
			begin := binary.LittleEndian.Uint64(b)
			f.begins[hash(begin)] = true
			f.found[begin] = append(f.found[begin], wordAsForm{b, w + " is there " + form})
		}
	}
	return f
}

func hash(begin uint64) uint16 { return uint16((begin * 0x9E3779B97F4A7C15) >> 48) }

// in says which of the words stands in a text; empty: none.
func (f *finder) in(text []byte) string {
	for i := 0; i+8 <= len(text); i++ {
		begin := binary.LittleEndian.Uint64(text[i:])
		if !f.begins[hash(begin)] {
			continue
		}
		for _, w := range f.found[begin] {
			if bytes.HasPrefix(text[i:], w.bytes) {
				return w.what
			}
		}
	}
	return ""
}

// onDisk says in which file below a folder one of the words stands; empty: in none.
func onDisk(dir string, words []string) (string, error) {
	found, f := "", newFinder(words)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || found != "" {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // it is gone since it was listed
			return nil
		}
		if err != nil {
			return err
		}
		if what := f.in(b); what != "" {
			found = filepath.Base(path) + ": " + what
		}
		return nil
	})
	return found, err
}

// A word is found in each of its forms, wherever it stands.
func TestFinder(t *testing.T) {
	f := newFinder([]string{"taint0123456789abcdef", "taintfedcba9876543210"})
	for form, b := range forms("taint0123456789abcdef") {
		if f.in(append([]byte("something "), b...)) == "" {
			t.Errorf("it is not found %s", form)
		}
		if what := f.in(append([]byte("something "), b[:len(b)-1]...)); what != "" {
			t.Errorf("a part of it %s is taken for it: %s", form, what)
		}
	}
}
