package match

import (
	"encoding/binary"

	"entente/sigma"
)

// fold is sigma.Fold, eight bytes of ASCII at once.
func fold(dst, text []byte) []byte {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for len(text) >= 8 {
		w := binary.LittleEndian.Uint64(text)
		if w&highs != 0 {
			return sigma.Fold(dst, text)
		}
		from := w + ones*(0x80-'A')   // high bit: at least A
		beyond := w + ones*(0x7f-'Z') // high bit: beyond Z
		w |= (from &^ beyond & highs) >> 2
		dst = binary.LittleEndian.AppendUint64(dst, w)
		text = text[8:]
	}
	for i, c := range text {
		if c >= 0x80 {
			return sigma.Fold(dst, text[i:])
		}
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}
