package register

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Addr finds the ranges that an address lies in, the smallest first. The list must not be changed.
func (x *Index) Addr(a netip.Addr) []Match {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return nil
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	smallest, ok := x.networks.Lookup(a)
	if !ok {
		return nil
	}
	if known := smallest.answer.Load(); known != nil && known.changes == x.changes {
		return known.matches
	}
	found := slices.Clip(x.networksOf(Range{a, a}, []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}))
	smallest.answer.Store(&answer{x.changes, found})
	return found
}

// Prefix finds the ranges that share addresses with a network.
func (x *Index) Prefix(p netip.Prefix) []Match {
	if !p.IsValid() {
		return nil
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return x.Range(prefixRange(p.Masked()))
}

// Range finds the ranges that share addresses with a range: those it lies in, the smallest first, and then those that lie in it or
// overlap it.
func (x *Index) Range(r Range) []Match {
	if !r.From.IsValid() || r.From.BitLen() != r.To.BitLen() {
		return nil
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.networksOf(r, r.Prefixes())
}

func (x *Index) networksOf(r Range, prefixes []netip.Prefix) []Match {
	var out []Match
	var seen map[*entry]bool // only where one range may be met twice
	add := func(found []*entry) bool {
		for _, e := range found {
			if len(out) == MaxMatches {
				return false
			}
			if seen != nil {
				if seen[e] {
					continue
				}
				seen[e] = true
			}
			out = append(out, Match{e.owner.constituent, &e.asset, standingOf(r, e.reach)})
		}
		return true
	}
	if r.From != r.To {
		seen = map[*entry]bool{}
	}
	for _, p := range prefixes {
		for _, found := range x.networks.Supernets(p) {
			if !add(found.entries) {
				return out
			}
		}
		if p.IsSingleIP() {
			continue
		}
		for _, found := range x.networks.Subnets(p) {
			if !add(found.entries) {
				return out
			}
		}
	}
	return out
}

// standingOf is how a range of addresses stands to a registered one with which it shares some.
func standingOf(r, asset Range) How {
	switch {
	case r == asset:
		return Exact
	case asset.Contains(r):
		return Inside
	case r.Contains(asset):
		return Contains
	}
	return Overlaps
}

// ASN finds an autonomous system.
func (x *Index) ASN(n uint32) []Match {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return matches(nil, x.asns[n], Exact)
}

// Domain finds a domain name, and the domains above it that are registered with their subdomains, the nearest first.
func (x *Index) Domain(name string) []Match {
	name, ok := HostName(name)
	if !ok {
		return nil
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	out := matches(nil, x.domains[name], Exact)
	for {
		_, rest, more := strings.Cut(name, ".")
		if !more {
			return out
		}
		name = rest
		for _, e := range x.domains[name] {
			if e.below && len(out) < MaxMatches {
				out = append(out, Match{e.owner.constituent, &e.asset, Parent})
			}
		}
	}
}

// Host finds a host: an address, in brackets or not, or a domain name, with a port or without.
func (x *Index) Host(host string) []Match {
	host = strings.TrimSpace(host)
	if ap, err := netip.ParseAddrPort(host); err == nil {
		return x.Addr(ap.Addr())
	}
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")); err == nil {
		return x.Addr(a)
	}
	if name, port, ok := strings.Cut(host, ":"); ok && port != "" && strings.Trim(port, "0123456789") == "" {
		host = name
	}
	return x.Domain(host)
}

// URL finds the host of a URL.
func (x *Index) URL(raw string) []Match {
	if u, err := url.Parse(strings.TrimSpace(raw)); err == nil && u.Host != "" {
		return x.Host(u.Host)
	}
	// Malicious URLs need not parse: what stands between // and the next separator is the host all the same.
	_, rest, ok := strings.Cut(raw, "//")
	if !ok {
		return nil
	}
	if end := strings.IndexAny(rest, "/?#\\ "); end >= 0 {
		rest = rest[:end]
	}
	return x.Host(rest[strings.LastIndexByte(rest, '@')+1:])
}

// Email finds the domain of an e-mail address.
func (x *Index) Email(addr string) []Match {
	at := strings.LastIndexByte(addr, '@')
	if at < 0 {
		return nil
	}
	return x.Host(strings.Trim(addr[at+1:], "<> "))
}

// Hash finds certificates by the SHA-256 of their DER form.
func (x *Index) Hash(sum string) []Match {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return matches(nil, x.hashes[hash(sum)], Exact)
}

// Certificate finds certificates by serial number and issuer. Where only one side names the issuer, they may be the same.
func (x *Index) Certificate(number, issuer string) []Match {
	number, issuer = serial(number), distinguished(issuer)
	if number == "" {
		return nil
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	var out []Match
	for _, e := range x.serials[number] {
		switch {
		case e.issuer == issuer:
			out = matches(out, []*entry{e}, Exact)
		case e.issuer == "" || issuer == "":
			out = matches(out, []*entry{e}, Overlaps)
		}
	}
	return out
}

// Software finds software. CPE names are matched as NISTIR 7696 says; where either side has none, vendor, product and version are
// compared without regard to case and punctuation, and what is left open agrees with everything.
func (x *Index) Software(p Product) []Match {
	s, ok := readSoftware(p.CPE, p.PURL, p.Vendor, p.Product, p.Version)
	if !ok {
		return nil
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	var out []Match
	look := func(found []*entry) {
		for _, e := range found {
			if r := s.relate(&e.software, p.Versions); r != disjoint && len(out) < MaxMatches {
				out = append(out, Match{e.owner.constituent, &e.asset, [...]How{equal: Exact, superset: Contains, subset: Inside, overlap: Overlaps}[r]})
			}
		}
	}
	if s.open() {
		keys := make([]string, 0, len(x.products))
		for key := range x.products {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			look(x.products[key])
		}
	} else {
		look(x.products[s.product])
	}
	look(x.opens)
	slices.SortStableFunc(out, func(a, b Match) int {
		return cmp.Or(strings.Compare(a.Constituent.ID, b.Constituent.ID), cmp.Compare(a.Asset.Position, b.Asset.Position))
	})
	return out
}

// Value finds what a text concerns, whatever it is: an address or range, a URL, an e-mail address, a CPE name or package URL, a hash,
// an AS number (AS64496), a domain name.
func (x *Index) Value(text string) []Match {
	text = strings.TrimSpace(text)
	lower := strings.ToLower(text)
	switch {
	case text == "" || len(text) > 8192:
		return nil
	case strings.HasPrefix(lower, "cpe:"):
		return x.Software(Product{CPE: text})
	case strings.HasPrefix(lower, "pkg:"):
		return x.Software(Product{PURL: text})
	case strings.Contains(text, "://"):
		return x.URL(text)
	case strings.HasPrefix(lower, "as") && len(lower) > 2 && strings.Trim(lower[2:], "0123456789") == "":
		n, err := strconv.ParseUint(lower[2:], 10, 32)
		if err != nil {
			return nil
		}
		return x.ASN(uint32(n))
	case hash(text) != "":
		return x.Hash(text)
	}
	if r, err := ParseRange(text); err == nil {
		return x.Range(r)
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return x.Prefix(p)
	}
	if strings.Contains(text, "@") {
		return x.Email(text)
	}
	return x.Host(text)
}

func matches(out []Match, found []*entry, how How) []Match {
	for _, e := range found {
		if len(out) == MaxMatches {
			break
		}
		out = append(out, Match{e.owner.constituent, &e.asset, how})
	}
	return out
}

// hash is a SHA-256 in lower case; "" when it is none.
func hash(s string) string {
	s = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(s), ":", ""))
	if !isHexText(s, 64) {
		return ""
	}
	return s
}

func asnText(n uint32) string { return "AS" + strconv.FormatUint(uint64(n), 10) }

func softwareText(s Software) string {
	switch {
	case s.CPE != "":
		return s.CPE
	case s.PURL != "":
		return s.PURL
	}
	return strings.Join(strings.Fields(s.Vendor+" "+s.Product+" "+s.Version), " ")
}
