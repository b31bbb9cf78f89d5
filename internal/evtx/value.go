package evtx

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// value is what a record puts into a place of a template.
type value struct {
	kind byte
	from int // in the chunk
	b    []byte
}

// kinds of values.
const (
	null      = 0x00
	wide      = 0x01
	ansi      = 0x02
	int8s     = 0x03
	uint8s    = 0x04
	int16s    = 0x05
	uint16s   = 0x06
	int32s    = 0x07
	uint32s   = 0x08
	int64s    = 0x09
	uint64s   = 0x0a
	real32    = 0x0b
	real64    = 0x0c
	boolean   = 0x0d
	binaries  = 0x0e
	guid      = 0x0f
	sizes     = 0x10
	filetimes = 0x11
	systimes  = 0x12
	sid       = 0x13
	hex32     = 0x14
	hex64     = 0x15
	xml       = 0x21
	list      = 0x80 // with another
)

// widths are the sizes of values in lists; 0: they have none.
var widths = map[byte]int{int8s: 1, uint8s: 1, int16s: 2, uint16s: 2, int32s: 4, uint32s: 4, int64s: 8, uint64s: 8, real32: 4, real64: 8, boolean: 4, guid: 16, filetimes: 8, systimes: 16, hex32: 4, hex64: 8}

// each calls f with the values that one is: of a list, its elements.
func (v value) each(f func(value)) {
	kind := v.kind &^ list
	width := widths[kind]
	switch {
	case v.kind&list == 0:
		f(v)
	case kind == wide:
		for at, i := 0, 0; i+1 < len(v.b); i += 2 {
			if v.b[i] == 0 && v.b[i+1] == 0 {
				f(value{kind: kind, b: v.b[at:i]})
				at = i + 2
			} else if i+3 >= len(v.b) {
				f(value{kind: kind, b: v.b[at:]})
			}
		}
	case width > 0:
		for b := v.b; len(b) >= width; b = b[width:] {
			f(value{kind: kind, b: b[:width]})
		}
	default:
		f(value{kind: binaries, b: v.b})
	}
}

// write writes a value as text. Bare: it is a number or a truth, which JSON has without quotes.
func (v value) write(to []byte) (out []byte, bare bool) {
	le, n := binary.LittleEndian, len(v.b)
	switch v.kind {
	case null:
		return to, false
	case wide:
		return appendUTF16(to, v.b), false
	case ansi:
		for _, c := range v.b {
			if c != 0 {
				to = append(to, string(rune(c))...)
			}
		}
		return to, false
	case boolean:
		truth := false
		for _, c := range v.b {
			truth = truth || c != 0
		}
		return strconv.AppendBool(to, truth), true
	case guid:
		if n == 16 {
			return fmt.Appendf(to, "{%08X-%04X-%04X-%X-%X}", le.Uint32(v.b), le.Uint16(v.b[4:]), le.Uint16(v.b[6:]), v.b[8:10], v.b[10:]), false
		}
	case filetimes:
		if n == 8 {
			if out, ok := fileTime(to, le.Uint64(v.b)); ok {
				return out, false
			}
		}
	case systimes:
		if n == 16 {
			at := func(i int) uint16 { return le.Uint16(v.b[2*i:]) }
			return fmt.Appendf(to, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", at(0), at(1), at(3), at(4), at(5), at(6), at(7)), false
		}
	case sid:
		if n >= 8 && n == 8+4*int(v.b[1]) {
			to = fmt.Appendf(to, "S-%d-%d", v.b[0], uint64(v.b[2])<<40|uint64(v.b[3])<<32|uint64(v.b[4])<<24|uint64(v.b[5])<<16|uint64(v.b[6])<<8|uint64(v.b[7]))
			for i := 8; i < n; i += 4 {
				to = strconv.AppendUint(append(to, '-'), uint64(le.Uint32(v.b[i:])), 10)
			}
			return to, false
		}
	case real32:
		if n == 4 {
			return real(to, float64(math.Float32frombits(le.Uint32(v.b))))
		}
	case real64:
		if n == 8 {
			return real(to, math.Float64frombits(le.Uint64(v.b)))
		}
	case int8s, int16s, int32s, int64s, uint8s, uint16s, uint32s, uint64s, sizes, hex32, hex64:
		if n != 1 && n != 2 && n != 4 && n != 8 {
			break
		}
		var whole [8]byte
		copy(whole[:], v.b)
		x := le.Uint64(whole[:])
		switch v.kind {
		case sizes, hex32, hex64:
			return strconv.AppendUint(append(to, "0x"...), x, 16), false
		case int8s, int16s, int32s, int64s:
			return strconv.AppendInt(to, int64(x<<(64-8*n))>>(64-8*n), 10), true
		}
		return strconv.AppendUint(to, x, 10), true
	}
	return fmt.Appendf(to, "%X", v.b), false // as Windows shows what has no form of its own
}

func real(to []byte, x float64) ([]byte, bool) {
	return strconv.AppendFloat(to, x, 'g', -1, 64), !math.IsInf(x, 0) && !math.IsNaN(x)
}
