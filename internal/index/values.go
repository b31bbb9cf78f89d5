package index

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"net/url"
	"strings"
)

// refang undoes what makes an indicator safe to send: hxxp, [.], (dot), [@], [:].
var refanging = strings.NewReplacer("[.]", ".", "(.)", ".", "{.}", ".", "[dot]", ".", "(dot)", ".", "[@]", "@", "[at]", "@", "(at)", "@", "[:]", ":", "[:]//", "://", "[://]", "://", `\.`, ".")

func refang(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	s = refanging.Replace(s)
	for from, to := range map[string]string{"hxxps": "https", "hxxp": "http", "hxtps": "https", "hxtp": "http", "fxp": "ftp", "meow": "http"} {
		if rest, ok := strings.CutPrefix(s, from+"://"); ok {
			return to + "://" + rest
		}
	}
	return s
}

// valueKey is the form of a value that it is found by exactly; what is long is cut and told apart by its hash.
func valueKey(v string) string {
	v = strings.ToLower(strings.TrimSpace(v))
	if len(v) <= maxTerm-1 {
		return v
	}
	sum := sha256.Sum256([]byte(v))
	return cut(v, maxTerm-34) + "#" + hex.EncodeToString(sum[:16])
}

// addrKey is an address as 16 bytes; IPv4 addresses stand in their place among the IPv6 ones.
func addrKey(a netip.Addr) string {
	b := a.WithZone("").As16()
	return string(b[:])
}

// prefixOf reads a network, and brings its length to that of IPv6.
func prefixOf(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, false
	}
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	return netip.PrefixFrom(netip.AddrFrom16(p.Addr().As16()), bits).Masked(), true
}

// netKey is a network's first address and, in a byte, its length.
func netKey(p netip.Prefix) string { return addrKey(p.Addr()) + string([]byte{byte(p.Bits())}) }

// last is the highest address of a network.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().As16()
	for i := p.Bits(); i < 128; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom16(b)
}

// domainOf reads a domain name, without the dot at its end.
func domainOf(s string) (string, bool) {
	s = strings.TrimSuffix(s, ".")
	if len(s) > 253 || !strings.Contains(s, ".") {
		return "", false
	}
	top := s[strings.LastIndexByte(s, '.')+1:]
	if top == "" || top[0] >= '0' && top[0] <= '9' {
		return "", false
	}
	for l := range strings.SplitSeq(s, ".") {
		if l == "" || len(l) > 63 {
			return "", false
		}
		for i := range len(l) {
			if c := l[i]; c < 0x80 && c != '-' && c != '_' && !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9') {
				return "", false
			}
		}
	}
	return s, true
}

// domainKey has the labels of a domain name from the top down, each with a dot behind it: subdomains begin with their parents.
func domainKey(d string) string {
	var b strings.Builder
	for d != "" {
		i := strings.LastIndexByte(d, '.')
		b.WriteString(d[i+1:])
		b.WriteByte('.')
		d = d[:max(i, 0)]
	}
	return b.String()
}

// hostOf is the host of a URL or of an e-mail address.
func hostOf(v string) string {
	if strings.Contains(v, "://") {
		u, err := url.Parse(v)
		if err != nil {
			return ""
		}
		return u.Hostname()
	}
	if at := strings.LastIndexByte(v, '@'); at > 0 && !strings.ContainsAny(v, " /") {
		return v[at+1:]
	}
	return ""
}

// Kinds of term; a term is its kind and then the text.
const (
	termWord   = 'w' // a word, or words with joiners, of any text
	termName   = 'n' // the same of a name, alias, value or external id
	termExact  = 'e' // a whole name or alias
	termValue  = 'v' // a whole value
	termAddr   = 'a' // an address
	termNet    = 'c' // a network: its first address and its length
	termDomain = 'd' // a domain name, or the host of a URL or e-mail address
	termLabel  = 'l' // an entry of the property labels
	termSource = 's' // where it came from: how it came (v:), nation (n:) or organisation (o:)
)

// valueTerms are the terms that a value is found by, beside its words.
func valueTerms(v string, add func(kind byte, text string)) {
	v = strings.ToLower(strings.TrimSpace(v))
	if v == "" {
		return
	}
	add(termValue, valueKey(v))
	if a, err := netip.ParseAddr(v); err == nil {
		add(termAddr, addrKey(a))
		return
	}
	if p, ok := prefixOf(v); ok {
		add(termNet, netKey(p))
		return
	}
	host := v
	if h := hostOf(v); h != "" {
		host = h
	}
	if a, err := netip.ParseAddr(host); err == nil {
		add(termAddr, addrKey(a))
	} else if d, ok := domainOf(host); ok {
		add(termDomain, domainKey(d))
	}
}
