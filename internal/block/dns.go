package block

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"entente/internal/indicator"
)

// A response policy zone (draft-vixie-dnsop-dns-rpz): a name whose record is CNAME . does not exist for those who ask, and neither does an answer
// with an address below rpz-ip. Names are relative, so that the zone can be loaded under any name.

func zoneBegin(p *page) {
	remarks(";")(p)
	c := &p.e.Config
	fmt.Fprintf(p, "$TTL %d\n@ SOA localhost. nobody.invalid. %d %d %d %d %d\n@ NS localhost.\n", c.TTL, p.e.Serial, 300, 60, 86_400, c.TTL)
}

// zoneRoom is what a name may have in octets so that it stands below a zone of a name of 60 with a wildcard before it (RFC 1035, section 2.3.4).
const zoneRoom = 253 - 60 - 1 - 2

func zoneTakes(x *Entry) string {
	if x.Kind == indicator.Domain && len(x.Value) > zoneRoom {
		return "the name is too long to stand in a zone"
	}
	return ""
}

func zoneEntry(p *page, x *Entry) {
	owner := x.Value
	if x.Kind != indicator.Domain {
		owner = zoneAddress(x.Value)
	}
	p.put(owner, " CNAME . ; ", x.trace(), "\n")
	if x.Beneath {
		p.put("*.", owner, " CNAME .\n")
	}
}

// zoneAddress is the owner name of an address or network: its length and its parts from the last to the first, the longest run of two zeros or more
// in IPv6 as zz.
func zoneAddress(s string) string {
	pre, _, err := place(s)
	if err != nil {
		return ""
	}
	var parts []string
	if a := pre.Addr(); a.Is4() {
		b := a.As4()
		for i := 3; i >= 0; i-- {
			parts = append(parts, strconv.Itoa(int(b[i])))
		}
	} else {
		parts = zoneWords(a)
	}
	return strconv.Itoa(pre.Bits()) + "." + strings.Join(parts, ".") + ".rpz-ip"
}

func zoneWords(a netip.Addr) (parts []string) {
	b := a.As16()
	var words [8]uint16
	for i := range words {
		words[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	from, most := -1, 1
	for i := 0; i < 8; {
		n := 0
		for i+n < 8 && words[i+n] == 0 {
			n++
		}
		if n > most {
			from, most = i, n
		}
		i += max(n, 1)
	}
	for i := 7; i >= 0; i-- {
		if from >= 0 && i == from+most-1 {
			parts = append(parts, "zz")
			i = from
			continue
		}
		parts = append(parts, strconv.FormatUint(uint64(words[i]), 16))
	}
	return parts
}

// hostsEntry gives a name the address that is none. A hosts file knows no names beneath.
func hostsEntry(p *page, x *Entry) {
	p.put("0.0.0.0 ", x.Value, " # ", x.trace(), "\n:: ", x.Value, "\n")
}
