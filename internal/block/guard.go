package block

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"entente/internal/indicator"
	"entente/label"
)

// Guard knows what must not be blocked. The node makes it of the rooms that know.
type Guard interface {
	// Warned is the warning list that a value stands on, or that names an address within a network; empty: none.
	Warned(value string) string
	// Owner is the constituent whose service, network or mailbox a value is, or lies in it; empty: nobody's.
	Owner(ctx context.Context, value string) (string, error)
	// Names are the names of constituents, so that nothing above them is blocked.
	Names(ctx context.Context) ([]string, error)
	// Hosts are the names and addresses of this node, of partners' nodes and of servers that the node talks to.
	Hosts(ctx context.Context) ([]string, error)
	// Generation changes with the warning lists and the hosts.
	Generation() string
}

// special are the networks that no host of the internet has (IANA's registries of special-purpose addresses, RFC 6890 and its updates).
var special = prefixes("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
	"198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8")

// documentation are the networks of examples (RFC 5737, RFC 3849): the adversaries of exercises live there.
var documentation = prefixes("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")

// specialNames are names that are no names of the internet (RFC 6761 and IANA's registry of special-use names).
var specialNames = []string{"localhost", "local", "arpa", "internal", "lan", "home", "corp", "onion", "alt"}

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

// The broadest networks that are blocked without being named in the configuration.
const (
	broadest4 = 16
	broadest6 = 32
)

// wall is what must not be hit, at one generation.
type wall struct {
	guard   Guard
	ctx     context.Context
	exempt  []netip.Prefix // by configuration
	names   map[string]bool
	special []netip.Prefix
	hosts   []netip.Prefix
	owned   map[string]owned  // a name, and every name above it
	below   map[string]string // a name below which nothing is blocked
	err     error             // of asking
}

type verdict struct{ code, reason string }

// owned is why a name is not blocked: itself, or one below it.
type owned struct {
	why   string
	exact bool
}

func (r *Room) newWall(ctx context.Context) (*wall, error) {
	w := &wall{guard: r.o.Guard, ctx: ctx, names: map[string]bool{}, owned: map[string]owned{}, below: map[string]string{}, special: special}
	if _, exercise := label.Mode(r.o.Realm).Exercise(); !exercise {
		w.special = append(w.special[:len(special):len(special)], documentation...)
	}
	for _, s := range r.o.Config.Allow {
		if p, name, err := place(s); err == nil && name != "" {
			w.names[name] = true
		} else if err == nil {
			w.exempt = append(w.exempt, p)
		}
	}
	own, err := w.guard.Names(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range own {
		w.own(name, "a constituent's name", false)
	}
	hosts, err := w.guard.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range hosts {
		w.own(h, "this node, a partner's or one that this node talks to", false)
	}
	for _, s := range r.o.Config.Never {
		w.own(s, "the configuration says never", true)
	}
	return w, nil
}

// own takes a place in that must not be hit. What is above a name would take it along.
func (w *wall) own(s, why string, deep bool) {
	p, name, err := place(s)
	switch {
	case err != nil:
	case name == "":
		w.hosts = append(w.hosts, p)
	default:
		if deep {
			w.below[name] = why
		}
		for above := name; above != ""; {
			if old, ok := w.owned[above]; !ok || above == name && !old.exact {
				w.owned[above] = owned{name + ": " + why, above == name}
			}
			_, above, _ = strings.Cut(above, ".")
		}
	}
}

// ask says why a value must not be blocked; the zero verdict: it may.
func (w *wall) ask(k indicator.Kind, text string) (out verdict) {
	if !sound(k, text) {
		return verdict{"value", "it is no " + k.String() + " that could be written down for others"}
	}
	switch k {
	case indicator.IPv4, indicator.IPv6, indicator.CIDR:
		p, _, err := place(text)
		if err != nil {
			return verdict{"value", "it is no address"}
		}
		out = w.network(p)
	case indicator.Domain:
		out = w.name(text, true)
	case indicator.URL:
		host := hostOf(text)
		if p, name, err := place(host); err == nil && name == "" {
			out = w.network(p)
		} else {
			out = w.name(name, false)
		}
	case indicator.Email:
		_, host, _ := strings.Cut(text, "@")
		out = w.name(host, false)
	}
	if out.code != "" {
		return out
	}
	if list := w.guard.Warned(text); list != "" {
		return verdict{"warninglist", "it stands on the warning list " + list}
	}
	switch k {
	case indicator.IPv4, indicator.IPv6, indicator.CIDR, indicator.Domain, indicator.URL, indicator.Email, indicator.SHA256:
		whose, err := w.guard.Owner(w.ctx, text)
		if err != nil {
			w.err = err
			return verdict{"own", "the register could not be asked"}
		}
		if whose != "" {
			return verdict{"own", "it is, or has in it, what is registered for " + whose}
		}
	}
	return verdict{}
}

func (w *wall) network(p netip.Prefix) verdict {
	for _, h := range w.hosts {
		if h.Overlaps(p) {
			return verdict{"own", h.String() + " is this node, a partner's, one that this node talks to, or named in block.never"}
		}
	}
	for _, e := range w.exempt {
		if e.Bits() <= p.Bits() && e.Contains(p.Addr()) {
			return verdict{}
		}
	}
	for _, s := range w.special {
		if s.Overlaps(p) {
			return verdict{"reserved", s.String() + " is private or reserved"}
		}
	}
	broadest := broadest4
	if p.Addr().Is6() {
		broadest = broadest6
	}
	if p.Bits() < broadest {
		return verdict{"broad", fmt.Sprintf("a network of /%d is broader than /%d: see block.allow", p.Bits(), broadest)}
	}
	return verdict{}
}

// name judges a host's name; whole: all of it would be blocked, and not a page of it or a mailbox.
func (w *wall) name(name string, whole bool) verdict {
	if o, ok := w.owned[name]; ok && (whole || o.exact) {
		return verdict{"own", o.why}
	}
	for above := name; above != ""; {
		if why := w.below[above]; why != "" {
			return verdict{"own", above + ": " + why}
		}
		_, above, _ = strings.Cut(above, ".")
	}
	if w.names[name] || !whole {
		return verdict{}
	}
	if suffix, icann := publicsuffix.PublicSuffix(name); suffix == name && (icann || strings.Contains(name, ".")) {
		return verdict{"suffix", "it is a public suffix, under which many register: see block.allow"}
	}
	if !strings.Contains(name, ".") {
		return verdict{"suffix", "it is a whole top-level domain: see block.allow"}
	}
	for _, s := range specialNames {
		if name == s || strings.HasSuffix(name, "."+s) {
			return verdict{"reserved", "names below " + s + " are no names of the internet"}
		}
	}
	return verdict{}
}

// sound tells whether a value is what its kind says, letter by letter, so that the writers need not think about it again. Of the others each writer
// says what it takes.
func sound(k indicator.Kind, text string) bool {
	switch k {
	case indicator.IPv4, indicator.IPv6, indicator.CIDR:
		p, name, err := place(text)
		return err == nil && name == "" && p.Addr().Zone() == ""
	case indicator.Domain:
		return nameLike(text)
	case indicator.MD5, indicator.SHA1, indicator.SHA256, indicator.SHA512, indicator.JA3, indicator.JA3S:
		return text != "" && strings.Trim(text, "0123456789abcdef") == ""
	case indicator.URL:
		_, _, err := place(hostOf(text))
		return err == nil && strings.Contains(text, "://")
	}
	return true
}

// hostOf is the host of a canonical URL.
func hostOf(s string) string {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	if end := strings.IndexAny(s, "/?#"); end >= 0 {
		s = s[:end]
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	if strings.HasPrefix(s, "[") {
		host, _, _ := strings.Cut(s[1:], "]")
		return host
	}
	host, _, _ := strings.Cut(s, ":")
	return host
}
