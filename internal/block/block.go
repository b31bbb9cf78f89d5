// Package block makes of what the node knows what the enforcement points of a network load: zones of names, sets of addresses, rules and lists.
// An entry goes out only when its label, the permissible actions and the purposes in it let it, when it stands for itself today, and when it hits
// nobody that must not be hit. Whatever is left out is told with the reason.
package block

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/internal/indicator"
)

// Config says what may be blocked.
type Config struct {
	// MinConfidence is the least confidence (STIX 2.1, section 3.2, 0 to 100) of what is blocked. 50 is the middle of "medium", and "possibly true" on
	// the Admiralty scale (appendix A): below it, the source itself says that it is more likely wrong.
	MinConfidence int `toml:"min_confidence"`
	// UnstatedConfidence is what an indicator counts that states none: most sources do not.
	UnstatedConfidence int `toml:"unstated_confidence"`
	// Types are the indicator types that are blocked, any of them.
	Types []string `toml:"types"`
	// UntypedToo says that an indicator without types is blocked as well.
	UntypedToo bool `toml:"untyped_too"`
	// Days is how long an indicator without valid_until is blocked after its last version; 0: as long as it is here.
	Days int `toml:"days"`
	// Allow names networks and names that may be blocked though they are broad, reserved or public suffixes, for example "203.0.113.0/24".
	Allow []string `toml:"allow"`
	// Never names networks, addresses and names that are not blocked, whoever asks for it.
	Never []string `toml:"never"`
	// FreshHours is how long a signature says that a list may be loaded.
	FreshHours int `toml:"fresh_hours"`
	// TTL is that of the answers of a DNS zone, in seconds.
	TTL int `toml:"ttl"`
	// Action is what rules of Suricata and Snort do: alert, drop or reject.
	Action string `toml:"action"`
	// FirstRule is the first number (sid) of the rules of Suricata and Snort; the next 2³⁰ are theirs too.
	FirstRule uint32 `toml:"first_rule"`
}

// DefaultConfig blocks what is at least possibly true.
func DefaultConfig() Config {
	return Config{MinConfidence: 50, UnstatedConfidence: 50, Types: []string{"malicious-activity", "compromised"}, UntypedToo: true, Days: 90, FreshHours: 24, TTL: 60, Action: "drop",
		FirstRule: 1 << 31}
}

// Validate says what cannot be.
func (c *Config) Validate() error {
	bad := func(at, format string, args ...any) error {
		return fault.New(fault.Invalid, "config.value", format, args...).At("block." + at)
	}
	for _, l := range []struct {
		at           string
		v, low, high int
	}{
		{"min_confidence", c.MinConfidence, 0, 100}, {"unstated_confidence", c.UnstatedConfidence, 0, 100}, {"days", c.Days, 0, 3650}, {"fresh_hours", c.FreshHours, 1, 24 * 365}, {"ttl", c.TTL, 1, 86_400},
		{"types", len(c.Types), 0, 100}, {"allow", len(c.Allow), 0, 10_000}, {"never", len(c.Never), 0, 10_000},
	} {
		if l.v < l.low || l.v > l.high {
			return bad(l.at, "%d is outside %d to %d", l.v, l.low, l.high)
		}
	}
	if !slices.Contains([]string{"alert", "drop", "reject"}, c.Action) {
		return bad("action", "%q is not alert, drop or reject", c.Action)
	}
	if c.FirstRule == 0 || c.FirstRule > 1<<32-1-1<<30 {
		return bad("first_rule", "%d is outside 1 to %d", c.FirstRule, uint32(1<<32-1-1<<30))
	}
	for _, s := range c.Allow {
		if _, _, err := place(s); err != nil {
			return bad("allow", "%v", err)
		}
	}
	for _, s := range c.Never {
		if _, _, err := place(s); err != nil {
			return bad("never", "%v", err)
		}
	}
	return nil
}

// place reads a network, an address or a name.
func place(s string) (netip.Prefix, string, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), "", nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		a = a.Unmap().WithZone("")
		return netip.PrefixFrom(a, a.BitLen()), "", nil
	}
	name := strings.TrimSuffix(strings.ToLower(strings.TrimPrefix(s, "*.")), ".")
	if !nameLike(name) {
		return netip.Prefix{}, "", fmt.Errorf("%q is no network, address or name", s)
	}
	return netip.Prefix{}, name, nil
}

// nameLike tells whether a text is a host name in its ASCII form, of one label or more.
func nameLike(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for l := range strings.SplitSeq(s, ".") {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		for i := range len(l) {
			if c := l[i]; c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return false
			}
		}
	}
	return true
}

// Source is what stands behind an entry.
type Source struct {
	ID         string    `json:"id"`                // of the STIX object
	Version    string    `json:"version,omitempty"` // of it
	Origin     string    `json:"origin"`            // NATION/organisation
	Via        string    `json:"via,omitempty"`     // the way it came
	Accord     string    `json:"accord,omitempty"`  // under which it came
	TLP        string    `json:"tlp"`
	PAP        string    `json:"pap"`
	Confidence int       `json:"confidence"`           // what counted
	Until      time.Time `json:"valid_until,omitzero"` // for this source
}

// Entry is one value that is blocked.
type Entry struct {
	Kind    indicator.Kind
	Value   string    // canonical
	Beneath bool      // of a name: the names beneath it too
	Until   time.Time // the latest of its sources; zero: as long as it is listed
	Sources []Source  // at most maxSources
}

// maxSources bounds what is kept behind one value.
const maxSources = 16

// View is an entry as JSON tells it.
type View struct {
	Type    string    `json:"type"`
	Value   string    `json:"value"`
	Beneath bool      `json:"subdomains,omitempty"`
	Until   time.Time `json:"valid_until,omitzero"`
	Sources []Source  `json:"sources,omitempty"`
}

// View is the entry for JSON.
func (e *Entry) View() View {
	return View{e.Kind.String(), e.Value, e.Beneath, e.Until, e.Sources}
}

// Spared is a value, or an object, that is not blocked, and why.
type Spared struct {
	ID     string `json:"id"`
	Type   string `json:"type,omitempty"`
	Value  string `json:"value,omitempty"`
	Code   string `json:"code"` // stable
	Reason string `json:"reason"`
}

// Kinds are the kinds of values that an enforcement point can act on. Names of files, keys of registries and the like are for detection.
var Kinds = []indicator.Kind{indicator.IPv4, indicator.IPv6, indicator.CIDR, indicator.Domain, indicator.URL, indicator.Email, indicator.MD5, indicator.SHA1, indicator.SHA256, indicator.SHA512,
	indicator.JA3, indicator.JA3S, indicator.JA4}
