package observation

import (
	"bytes"
	"net/netip"
	"strconv"
)

// item is what one value of a field gives: which of the things that its row may be, and its text.
type item struct {
	given int
	text  []byte
}

// extraction takes values apart. What it gives is valid until the next reset.
type extraction struct {
	items []item
	arena []byte
}

func (x *extraction) reset() { x.items, x.arena = x.items[:0], x.arena[:0] }

func (x *extraction) give(given int, text []byte) {
	if len(text) > 0 {
		x.items = append(x.items, item{given, text})
	}
}

// kept keeps a text that is made.
func (x *extraction) kept(text ...[]byte) []byte {
	start := len(x.arena)
	for _, t := range text {
		x.arena = append(x.arena, t...)
	}
	return x.arena[start:len(x.arena):len(x.arena)]
}

// value takes apart one value of a field that holds it in a form.
func (x *extraction) value(f Form, text []byte) []item {
	x.items = x.items[:0]
	switch f {
	case Plain, Number:
		x.give(0, text)
	case Low:
		x.give(0, x.low(text))
	case Address:
		x.address(text)
	case Host:
		x.host(text)
	case Answers:
		EachAnswer(text, x.host)
	case Mailboxes:
		EachMailbox(text, func(box []byte) { x.give(0, box) })
	case Digest:
		x.digest(text)
	case Digests:
		EachDigest(text, x.digest)
	case File, Image:
		x.file(text)
		if f == Image && len(x.items) > 0 {
			x.give(2, x.items[0].text)
		}
	case Registry:
		x.registry(text)
	case Account:
		x.give(0, text[bytes.LastIndexByte(text, '\\')+1:])
	case Subject, Named:
		if distinguished(text) == (f == Named) {
			x.give(0, text)
		}
	}
	return x.items
}

func (x *extraction) low(text []byte) []byte {
	for _, c := range text {
		if c >= 'A' && c <= 'Z' {
			low := x.kept(text)
			for i, c := range low {
				if c >= 'A' && c <= 'Z' {
					low[i] = c | 0x20
				}
			}
			return low
		}
	}
	return text
}

// address gives an address as STIX has it: IPv6 in the canonical text of RFC 5952, and what is IPv4 as that.
func (x *extraction) address(text []byte) {
	if plain(text) {
		x.give(0, text)
		return
	}
	a, err := netip.ParseAddr(string(text))
	if err != nil {
		return
	}
	a = a.Unmap().WithZone("")
	start := len(x.arena)
	x.arena = a.AppendTo(x.arena)
	given := 0
	if a.Is6() {
		given = 1
	}
	x.give(given, x.arena[start:len(x.arena):len(x.arena)])
}

// plain tells whether a text is an IPv4 address in the one form that it has.
func plain(text []byte) bool {
	dots, digits, n := 0, 0, 0
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			if digits > 0 && n == 0 {
				return false
			}
			n = 10*n + int(c-'0')
			if digits++; n > 255 {
				return false
			}
		case c == '.' && digits > 0:
			dots, digits, n = dots+1, 0, 0
		default:
			return false
		}
	}
	return dots == 3 && digits > 0
}

func (x *extraction) host(text []byte) {
	text, is := HostOf(text)
	if is {
		x.address(text)
		return
	}
	if len(text) > 0 {
		x.give(2, bytes.TrimSuffix(x.low(text), []byte(".")))
	}
}

// HostOf cuts the port from a host. address: it is one, and not a name.
func HostOf(text []byte) (host []byte, address bool) {
	if i := bytes.LastIndexByte(text, ':'); i > 0 && bytes.IndexByte(text, ':') == i {
		text = text[:i]
	}
	if len(text) == 0 {
		return text, false
	}
	c := text[len(text)-1]
	return text, c >= '0' && c <= '9' || bytes.IndexByte(text, ':') >= 0
}

// EachAnswer calls f with the hosts of [Answers].
func EachAnswer(text []byte, f func(host []byte)) {
	for part := range bytes.SplitSeq(text, []byte{';'}) {
		if i := bytes.LastIndexByte(part, ' '); i >= 0 {
			part = part[i+1:]
		}
		if len(part) > 0 {
			f(part)
		}
	}
}

// EachMailbox calls f with the addresses of [Mailboxes].
func EachMailbox(text []byte, f func(box []byte)) {
	for part := range bytes.SplitSeq(text, []byte{','}) {
		if i, end := bytes.IndexByte(part, '<'), bytes.LastIndexByte(part, '>'); i >= 0 && end > i {
			part = part[i+1 : end]
		}
		f(bytes.TrimSpace(part))
	}
}

// EachDigest calls f with the hashes of [Digests].
func EachDigest(text []byte, f func(sum []byte)) {
	for part := range bytes.SplitSeq(text, []byte{','}) {
		_, sum, named := bytes.Cut(part, []byte{'='})
		if !named {
			sum = part
		}
		f(sum)
	}
}

// digest gives a hash in small letters.
func (x *extraction) digest(text []byte) {
	if bytes.IndexByte(text, ':') >= 0 {
		text = x.kept(bytes.ReplaceAll(text, []byte{':'}, nil))
	}
	given := -1
	switch len(text) {
	case 32:
		given = 0
	case 40:
		given = 1
	case 64:
		given = 2
	case 128:
		given = 3
	default:
		return
	}
	for _, c := range text {
		if !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f') {
			return
		}
	}
	x.give(given, x.low(text))
}

// file parts the name of a file from its folder.
func (x *extraction) file(text []byte) {
	i := bytes.LastIndexAny(text, `\/`)
	x.give(0, text[i+1:])
	switch {
	case i == 0, i == 2 && text[1] == ':': // the root is a folder too
		x.give(1, text[:i+1])
	case i > 0:
		x.give(1, text[:i])
	}
}

// hives are the roots of the registry as logs shorten them.
var hives = []struct{ short, long string }{
	{"HKLM", "HKEY_LOCAL_MACHINE"}, {"HKCU", "HKEY_CURRENT_USER"}, {"HKCR", "HKEY_CLASSES_ROOT"}, {"HKU", "HKEY_USERS"}, {"HKCC", "HKEY_CURRENT_CONFIG"},
	{`\REGISTRY\MACHINE`, "HKEY_LOCAL_MACHINE"}, {`\REGISTRY\USER`, "HKEY_USERS"},
}

// registry gives a key with its root in full, as STIX asks (section 6.17); and the same as a key with the name of a value behind it.
func (x *extraction) registry(text []byte) {
	for _, h := range hives {
		if n := len(h.short); len(text) >= n && (len(text) == n || text[n] == '\\') && bytes.EqualFold(text[:n], []byte(h.short)) {
			text = x.kept([]byte(h.long), text[n:])
			break
		}
	}
	x.give(0, text)
	if i := bytes.LastIndexByte(text, '\\'); i > 0 {
		x.give(1, text[:i])
		x.give(2, text[i+1:])
	}
}

// distinguished tells whether a text looks like the name of a holder of a certificate: CN=…, O=….
func distinguished(text []byte) bool {
	i := bytes.IndexByte(text, '=')
	if i <= 0 || i > 40 {
		return false
	}
	for _, c := range text[:i] {
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '.') {
			return false
		}
	}
	return true
}

// number reads a number as logs have it.
func number(text []byte) (float64, bool) {
	if n, err := strconv.ParseFloat(string(text), 64); err == nil {
		return n, true
	}
	n, err := strconv.ParseInt(string(text), 0, 64) // 0x…, as Windows has them
	return float64(n), err == nil
}
