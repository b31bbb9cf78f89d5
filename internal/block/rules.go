package block

import (
	"fmt"
	"hash/fnv"
	"strings"

	"entente/internal/indicator"
)

// sid is the number of an entry's first rule, of four: the same for the same value, unless another value has taken it.
func (p *page) sid(x *Entry) uint32 {
	h := fnv.New64a()
	h.Write([]byte{byte(x.Kind)})
	h.Write([]byte(x.Value))
	slot := uint32(h.Sum64()>>32) & (1<<28 - 1)
	for p.sids[slot] {
		slot = (slot + 1) & (1<<28 - 1)
	}
	p.sids[slot] = true
	return p.e.Config.FirstRule + slot*4
}

// content is a text for the option content: letters, digits and a few signs as they are, everything else in hexadecimal.
func content(s string) string {
	var b strings.Builder
	open := false
	for i := range len(s) {
		c := s[i]
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._-/", c) >= 0
		if plain == open {
			b.WriteByte('|')
			open = !open
		} else if !plain {
			b.WriteByte(' ')
		}
		if plain {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%02X", c)
		}
	}
	if open {
		b.WriteByte('|')
	}
	return b.String()
}

// rule writes one rule. What it says of the entry has no character that could end an option.
func (p *page) rule(x *Entry, head, options string, sid uint32) {
	id := ""
	if len(x.Sources) > 0 {
		id = word(x.Sources[0].ID)
	}
	p.put(p.e.Config.Action, " ", head, ` (msg:"entente `, x.trace(), `"; `, options, "metadata:stix ", id, fmt.Sprintf("; sid:%d; rev:1;)\n", sid))
}

func suricataEntry(p *page, x *Entry) {
	sid := p.sid(x)
	switch x.Kind {
	case indicator.IPv4, indicator.IPv6, indicator.CIDR:
		p.rule(x, "ip any any <> "+bracket(x.Value)+" any", "", sid)
	case indicator.Domain:
		match := `content:"` + content(x.Value) + `"; startswith; endswith; `
		if x.Beneath {
			match = `dotprefix; content:"` + content("."+x.Value) + `"; endswith; `
		}
		p.rule(x, "dns any any -> any any", "dns.query; "+match+"nocase; ", sid)
		p.rule(x, "tls any any -> any any", "tls.sni; "+match+"nocase; ", sid+1)
		p.rule(x, "http any any -> any any", "http.host; "+match, sid+2) // http.host is in lower case, and takes no nocase
	case indicator.URL:
		host, rest := split(x.Value)
		p.rule(x, "http any any -> any any", `http.host; content:"`+content(host)+`"; startswith; endswith; http.uri.raw; content:"`+content(rest)+`"; startswith; endswith; `, sid)
	case indicator.JA3:
		p.rule(x, "tls any any -> any any", `ja3.hash; content:"`+content(x.Value)+`"; `, sid)
	case indicator.JA3S:
		p.rule(x, "tls any any -> any any", `ja3s.hash; content:"`+content(x.Value)+`"; `, sid)
	}
}

// bracket is an address for the head of a rule.
func bracket(s string) string { return "[" + s + "]" }

// split is the host and the rest of a canonical URL.
func split(s string) (host, rest string) {
	host = hostOf(s)
	_, rest, _ = strings.Cut(s, "://")
	at := strings.IndexAny(rest, "/?#")
	if at < 0 {
		return host, "/"
	}
	rest, _, _ = strings.Cut(rest[at:], "#")
	if rest == "" || rest[0] != '/' {
		rest = "/" + rest
	}
	return host, rest
}

// plainHTTP refuses addresses of pages that nobody sees on the wire.
func plainHTTP(x *Entry) string {
	if x.Kind != indicator.URL {
		return ""
	}
	if !strings.HasPrefix(x.Value, "http://") {
		return "only what goes over plain HTTP is seen there; use the name of its host"
	}
	if _, rest := split(x.Value); len(rest) > 2000 {
		return "it is too long for a rule"
	}
	return printable(x)
}

func snortEntry(p *page, x *Entry) {
	sid := p.sid(x)
	if x.Kind != indicator.Domain {
		p.rule(x, "ip any any <> "+bracket(x.Value)+" any", "", sid)
		return
	}
	// The name as it stands in a question of DNS: that of a name beneath ends the same.
	wire := ""
	for l := range strings.SplitSeq(x.Value, ".") {
		wire += string(rune(len(l))) + l
	}
	wire += "\x00"
	match := `content:"` + content(wire) + `",nocase`
	p.rule(x, "udp any any -> any 53", match+anchor(x, 12, len(wire))+"; ", sid)
	p.rule(x, "tcp any any -> any 53", match+anchor(x, 14, len(wire))+"; ", sid+1)
}

// anchor binds a name without those beneath to the place of the question, after a header of twelve octets and, over TCP, a length of two.
func anchor(x *Entry, at, size int) string {
	if x.Beneath {
		return ""
	}
	return fmt.Sprintf(",offset %d,depth %d", at, size)
}
