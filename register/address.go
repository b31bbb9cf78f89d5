package register

import (
	"fmt"
	"net/netip"
	"strings"
)

// Range is the addresses from From to To, both included, of one family.
type Range struct{ From, To netip.Addr }

// ParseRange reads CIDR, one address, or two addresses with a hyphen between.
func ParseRange(s string) (Range, error) {
	s = strings.TrimSpace(s)
	if len(s) > 100 {
		return Range{}, fmt.Errorf("%s is not a range of addresses", quote(s))
	}
	if strings.ContainsRune(s, '/') {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return Range{}, fmt.Errorf("%s is not a range of addresses in CIDR form (RFC 4632, RFC 4291)", quote(s))
		}
		if p.Addr().Is4In6() {
			if p.Bits() < 96 {
				return Range{}, fmt.Errorf("%s mixes the two families of addresses", quote(s))
			}
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if p.Masked() != p {
			return Range{}, fmt.Errorf("%s names an address within its network: write %s for the network, or %s for the address", quote(s), p.Masked(), p.Addr())
		}
		return prefixRange(p), nil
	}
	if a, b, two := strings.Cut(s, "-"); two {
		from, err1 := netip.ParseAddr(strings.TrimSpace(a))
		to, err2 := netip.ParseAddr(strings.TrimSpace(b))
		from, to = from.Unmap(), to.Unmap()
		if err1 != nil || err2 != nil || from.Zone() != "" || to.Zone() != "" {
			return Range{}, fmt.Errorf("%s is not a range of addresses: write the first and the last, as 192.0.2.5-192.0.2.20", quote(s))
		}
		if from.BitLen() != to.BitLen() || to.Less(from) {
			return Range{}, fmt.Errorf("%s does not go from a first address up to a last one of the same family", quote(s))
		}
		return Range{from, to}, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return Range{}, fmt.Errorf("%s is not an address or a range of addresses", quote(s))
	}
	a = a.Unmap()
	return Range{a, a}, nil
}

func prefixRange(p netip.Prefix) Range { return Range{p.Addr(), last(p)} }

// last is the highest address of a network.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// String is the range in its shortest form: an address, a network, or the first and the last address.
func (r Range) String() string {
	if !r.From.IsValid() {
		return ""
	}
	if r.From == r.To {
		return r.From.String()
	}
	if ps := r.Prefixes(); len(ps) == 1 {
		return ps[0].String()
	}
	return r.From.String() + "-" + r.To.String()
}

// Prefixes is the fewest networks that make up the range, in order: at most 2·32 or 2·128.
func (r Range) Prefixes() []netip.Prefix {
	var out []netip.Prefix
	for at := r.From; at.IsValid() && !r.To.Less(at); {
		bits := at.BitLen()
		for bits > 0 {
			p, err := at.Prefix(bits - 1)
			if err != nil || p.Addr() != at || r.To.Less(last(p)) {
				break
			}
			bits--
		}
		p := netip.PrefixFrom(at, bits)
		out = append(out, p)
		at = last(p).Next() // not valid after the very last address
	}
	return out
}

// Contains tells whether every address of o is in r.
func (r Range) Contains(o Range) bool {
	return r.From.BitLen() == o.From.BitLen() && !o.From.Less(r.From) && !r.To.Less(o.To)
}
