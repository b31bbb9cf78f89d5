package sigma

import (
	"encoding/base64"
	"unicode/utf16"
)

// utf16Bytes is a text in UTF-16, with or without the byte order mark.
func utf16Bytes(s string, big, mark bool) string {
	units := utf16.Encode([]rune(s))
	out := make([]byte, 0, 2*len(units)+2)
	if mark {
		out = append(out, 0xff, 0xfe)
	}
	for _, u := range units {
		if big {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return string(out)
}

// base64Offsets is what stands in a Base64 text for s, when s begins at each of the three places that a byte can have in a group of
// three: only those characters that s alone decides.
func base64Offsets(s string) (forms []string) {
	for i := range 3 {
		padded := append(make([]byte, i, i+len(s)), s...)
		text := base64.StdEncoding.EncodeToString(padded)
		from := [...]int{0, 2, 3}[i]
		to := len(text) - [...]int{0, 3, 2}[len(padded)%3]
		if from < to {
			forms = append(forms, text[from:to])
		}
	}
	return forms
}
