package pattern

import (
	"net/netip"
	"strings"
)

// parsePrefix reads an IPv4 or IPv6 address or CIDR block as ipv4-addr and ipv6-addr hold them (sections 6.8 and 6.9). A single
// address is a block of one; bits beyond the prefix are cleared.
func parsePrefix(s string) (netip.Prefix, bool) {
	if strings.IndexByte(s, '/') < 0 {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return p.Masked(), true
}

// containsPrefix tells whether every address of inner is in outer.
func containsPrefix(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}
