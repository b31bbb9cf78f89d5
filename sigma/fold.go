package sigma

import (
	"unicode"
	"unicode/utf8"
)

// Fold appends a text to dst in the form in which texts are compared without regard to case: each code point becomes the first of
// those that simple case folding (Unicode, CaseFolding.txt, status C and S) holds equal, ASCII letters the small ones. Bytes that are
// not UTF-8 stay as they are. It is the same equality as that of (?i) in a regular expression.
func Fold(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, c)
		} else {
			dst = utf8.AppendRune(dst, foldRune(r))
		}
		i += n
	}
	return dst
}

// foldRune is the canonical one of the code points that are equal to r.
func foldRune(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}

func foldString(s string) string { return string(Fold(make([]byte, 0, len(s)), []byte(s))) }
