package index

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	maxWord = 64  // bytes of a word; a longer one is cut
	maxRun  = 128 // bytes of words with joiners between them that are found as a whole
)

// fold brings a text into the form in which it is compared: lower case, compatible forms alike, without diacritics.
func fold(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.Map(func(r rune) rune {
				if unicode.Is(unicode.Mn, r) {
					return -1
				}
				return unicode.ToLower(r)
			}, norm.NFKD.String(s))
		}
	}
	return strings.ToLower(s)
}

// Scripts that put no space between words: each of their characters is a word, and what is written together is sought as a phrase.
var unspaced = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar}

func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return plain[r]
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

// plain are the ASCII characters that words are of.
var plain = func() (is [256]bool) {
	for c := range is {
		is[c] = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z'
	}
	return is
}()

// isJoiner tells whether a character between two words joins them: CVE-2024-1234, T1059.001, evil.example, first_last@mail.example.
func isJoiner(r byte) bool { return r == '-' || r == '.' || r == '_' || r == '@' }

// run is some words of a folded text with nothing but single joiners between them.
type run struct {
	whole string
	parts []string
}

// runs takes a folded text apart and visits its runs in order.
func runs(s string, visit func(run)) {
	var parts [16]string
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !isWord(r) {
			i += n
			continue
		}
		if r >= utf8.RuneSelf && unicode.In(r, unspaced...) {
			visit(run{s[i : i+n], append(parts[:0], s[i:i+n])})
			i += n
			continue
		}
		at := run{parts: parts[:0]}
		start, word := i, i
		for i < len(s) {
			if plain[s[i]] {
				i++
				continue
			}
			r, n := utf8.DecodeRuneInString(s[i:])
			if isWord(r) && (r < utf8.RuneSelf || !unicode.In(r, unspaced...)) {
				i += n
				continue
			}
			if n != 1 || !isJoiner(s[i]) {
				break
			}
			if next, _ := utf8.DecodeRuneInString(s[i+1:]); !isWord(next) || next >= utf8.RuneSelf && unicode.In(next, unspaced...) {
				break
			}
			at.parts = append(at.parts, cut(s[word:i], maxWord))
			i++
			word = i
		}
		at.parts = append(at.parts, cut(s[word:i], maxWord))
		at.whole = s[start:i]
		visit(at)
	}
}

// cut is the beginning of a text of at most n bytes, no character cut through.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// wordHash is what a word leaves in the sequence that phrases are sought in. It is never 0, which stands between two texts.
func wordHash(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return max(h, 1)
}
