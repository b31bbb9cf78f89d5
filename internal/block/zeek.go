package block

import (
	"fmt"
	"strings"

	"entente/internal/indicator"
)

func zeekBegin(p *page) {
	p.put("#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\n")
}

// zeekType is what Zeek's intelligence framework calls a kind.
func zeekType(k indicator.Kind) string {
	switch k {
	case indicator.CIDR:
		return "Intel::SUBNET"
	case indicator.Domain:
		return "Intel::DOMAIN"
	case indicator.URL:
		return "Intel::URL"
	case indicator.Email:
		return "Intel::EMAIL"
	case indicator.MD5, indicator.SHA1, indicator.SHA256:
		return "Intel::FILE_HASH"
	}
	return "Intel::ADDR"
}

func zeekEntry(p *page, x *Entry) {
	value := x.Value
	if x.Kind == indicator.URL { // Zeek keeps them without a scheme
		if _, rest, ok := strings.Cut(value, "://"); ok {
			value = rest
		}
	}
	p.put(zeekText(value), "\t", zeekType(x.Kind), "\tentente ", word(p.e.Nation+"/"+p.e.Org), "\t", x.trace(), "\n")
}

// zeekText is a text as Zeek reads it from a column: what is not printable, a backslash, and what would mean that there is nothing, in hexadecimal.
func zeekText(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '\\' || i == 0 && (c == '#' || c == '-' || c == '(') {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
