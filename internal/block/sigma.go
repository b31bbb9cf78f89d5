package block

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"entente/internal/indicator"
)

// sigmaMost is how many values one rule has at most.
const sigmaMost = 5000

// sigmaForm is where the values of a kind are looked for.
type sigmaForm struct {
	title, category, field, before string
}

var sigmaForms = map[indicator.Kind]sigmaForm{
	indicator.IPv4:   {"Connection to a blocked address", "firewall", "dst_ip", ""},
	indicator.IPv6:   {"Connection to a blocked address", "firewall", "dst_ip", ""},
	indicator.CIDR:   {"Connection to a blocked network", "firewall", "dst_ip|cidr", ""},
	indicator.Domain: {"Question for a blocked name", "dns", "query", ""},
	indicator.URL:    {"Request for a blocked page", "proxy", "c-uri", ""},
	indicator.MD5:    {"Start of a blocked program", "process_creation", "Hashes|contains", "MD5="},
	indicator.SHA1:   {"Start of a blocked program", "process_creation", "Hashes|contains", "SHA1="},
	indicator.SHA256: {"Start of a blocked program", "process_creation", "Hashes|contains", "SHA256="},
}

func sigmaEntry(p *page, x *Entry) {
	f := sigmaForms[x.Kind]
	if p.kind != x.Kind || p.count >= sigmaMost {
		if p.kind != x.Kind {
			p.kind, p.part = x.Kind, 0
		}
		p.part++
		p.count = 0
		h := sha256.Sum256(fmt.Appendf(nil, "entente block sigma %s/%s %s %d", p.e.Nation, p.e.Org, x.Kind, p.part))
		h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80 // a UUID of version 8 (RFC 9562)
		fmt.Fprintf(p, "---\ntitle: '%s (%s, part %d)'\nid: %x-%x-%x-%x-%x\nstatus: stable\ndescription: 'Values that %s blocks'\nlogsource:\n  category: %s\ndetection:\n  condition: values\n  values:\n", f.title, x.Kind, p.part,
			h[:4], h[4:6], h[6:8], h[8:10], h[10:16], word(p.e.Nation+"/"+p.e.Org), f.category)
	}
	p.put("    - ", f.field, ": ", sigmaText(f.before+x.Value), " # ", x.trace(), "\n")
	if x.Beneath {
		p.put("    - ", f.field, "|endswith: ", sigmaText("."+x.Value), "\n")
	}
	p.count++
}

var sigmaEscapes = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `'`, `''`)

// sigmaText is a text that stands for itself: in quotes for YAML, with what is a wildcard in Sigma escaped.
func sigmaText(s string) string {
	return "'" + sigmaEscapes.Replace(s) + "'"
}
