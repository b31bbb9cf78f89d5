package indicator

import "encoding/binary"

// parseAddr reads an address. An IPv4 address, also one in IPv6 form, stands in the first four octets. Zones are no part of an address that can be
// looked for, and make it none.
func parseAddr(to *[16]byte, v []byte) (four, ok bool) {
	if a, ok := parse4(v); ok {
		binary.BigEndian.PutUint32(to[:4], a)
		return true, true
	}
	if !parse6(to, v) {
		return false, false
	}
	if [10]byte(to[:10]) == [10]byte{} && to[10] == 0xff && to[11] == 0xff {
		copy(to[:4], to[12:])
		clear(to[4:])
		return true, true
	}
	return false, true
}

// parse4 reads four decimal numbers without leading zeros.
func parse4(v []byte) (a uint32, ok bool) {
	if len(v) < 7 || len(v) > 15 {
		return 0, false
	}
	part, n, parts := uint32(0), 0, 1
	for _, c := range v {
		switch {
		case c >= '0' && c <= '9':
			if part = part*10 + uint32(c-'0'); part > 255 || n == 1 && part < 10 {
				return 0, false
			}
			n++
		case c == '.' && n > 0:
			a, part, n = a<<8|part, 0, 0
			parts++
		default:
			return 0, false
		}
	}
	return a<<8 | part, parts == 4 && n > 0
}

// parse6 reads RFC 4291, section 2.2, in all three forms.
func parse6(to *[16]byte, v []byte) bool {
	if len(v) < 2 || len(v) > 45 {
		return false
	}
	*to = [16]byte{}
	n, gap, i := 0, -1, 0
	if v[0] == ':' {
		if v[1] != ':' {
			return false
		}
		gap, i = 0, 2
	}
	for i < len(v) && n < 16 {
		group, from := 0, i
		for i < len(v) && hexDigit(v[i]) >= 0 {
			group = group<<4 | hexDigit(v[i])
			i++
		}
		if i < len(v) && v[i] == '.' {
			a, ok := parse4(v[from:])
			if !ok || n > 12 {
				return false
			}
			binary.BigEndian.PutUint32(to[n:], a)
			n, i = n+4, len(v)
			break
		}
		if i == from || i-from > 4 {
			return false
		}
		to[n], to[n+1] = byte(group>>8), byte(group)
		if n += 2; i == len(v) {
			break
		}
		if v[i] != ':' || i+1 == len(v) {
			return false
		}
		if i++; v[i] == ':' {
			if gap >= 0 {
				return false
			}
			gap = n
			i++
		}
	}
	switch {
	case i < len(v), n == 16 && gap >= 0, n < 16 && gap < 0:
		return false
	case gap >= 0:
		tail := n - gap
		copy(to[16-tail:], to[gap:n])
		clear(to[gap : 16-tail])
	}
	return true
}
