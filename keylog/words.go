package keylog

import (
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/tyler-smith/go-bip39/wordlists"
)

// Fingerprint names a key log in 32 bytes.
type Fingerprint [32]byte

// String is the fingerprint in hex.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// Words writes the fingerprint as 24 words that can be read out and compared: its 256 bits and 8 bits of their SHA-256, eleven bits a word (the list and the
// layout are those of BIP-39).
func (f Fingerprint) Words() string {
	sum := sha256.Sum256(f[:])
	n := new(big.Int).SetBytes(append(f[:], sum[0]))
	words := make([]string, wordCount)
	for i := range words {
		words[wordCount-1-i] = wordlists.English[new(big.Int).And(n, elevenBits).Int64()]
		n.Rsh(n, 11)
	}
	return strings.Join(words, " ")
}

const wordCount = 24

var elevenBits = big.NewInt(1<<11 - 1)

// ParseWords reads 24 words, in any case and white space; the first four letters of a word are enough. The error says which word is wrong and
// which may be meant.
func ParseWords(text string) (Fingerprint, error) {
	if len(text) > 4096 {
		return Fingerprint{}, refuse("words.form", "a fingerprint is 24 words")
	}
	words := strings.Fields(strings.ToLower(text))
	if len(words) != wordCount {
		return Fingerprint{}, refuse("words.form", "a fingerprint is 24 words, and these are ", strconv.Itoa(len(words)))
	}
	n := new(big.Int)
	for i, w := range words {
		at, ok := find(w)
		if !ok {
			return Fingerprint{}, refuse("words.form", "word ", strconv.Itoa(i+1), ", ", strconv.Quote(clip(w)), ", is not in the list", meant(w))
		}
		n.Lsh(n, 11).Or(n, big.NewInt(int64(at)))
	}
	b := n.FillBytes(make([]byte, 33))
	f := Fingerprint(b[:32])
	if sum := sha256.Sum256(f[:]); sum[0] != b[32] {
		return Fingerprint{}, refuse("words.form", "every word is in the list, but together they make no fingerprint: one is wrong or two have changed places")
	}
	return f, nil
}

// find gives the word's number in the list, which is sorted and in which four letters tell every word from the others.
func find(w string) (int, bool) {
	at, ok := slices.BinarySearch(wordlists.English, w)
	if !ok && len(w) >= 4 && at < len(wordlists.English) && strings.HasPrefix(wordlists.English[at], w) {
		ok = true
	}
	return at, ok
}

// meant proposes the words that are nearest to one that is not in the list.
func meant(w string) string {
	if len(w) > 12 {
		return ""
	}
	best, near := 3, []string(nil)
	for _, candidate := range wordlists.English {
		switch d := distance(w, candidate); {
		case d < best:
			best, near = d, []string{candidate}
		case d == best && d < 3 && len(near) < 3:
			near = append(near, candidate)
		}
	}
	if near == nil {
		return ""
	}
	return "; it may be " + strings.Join(near, " or ")
}

// distance is the number of letters to change, drop or insert.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
