package testnet

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"entente/accord"
	"entente/label"
)

// Treaty is what a test says of an accord. What it does not say is as lenient as the language allows.
type Treaty struct {
	Name      string
	Parties   []string // nations
	PerDay    int      // objects that a party gives another; 0: any number
	Gives     []Give
	Relays    []string // nations whose nodes carry for the parties
	Keeps     string   // what a relay may keep, as a size; empty: any number of bytes
	Waits     string   // what may wait for a party, likewise
	Community bool     // TLP:GREEN stays between the parties
	Amends    *Treaty  // the version before; nil: this is the first
}

// Version is the number of the version that the treaty is.
func (a Treaty) Version() int {
	if a.Amends == nil {
		return 1
	}
	return a.Amends.Version() + 1
}

// Give is one clause of a treaty.
type Give struct {
	From, To []string // empty: everybody
	Kinds    []string
	Ceiling  label.TLP
	Strip    []string
	Subset   bool
	Officer  bool
}

// Text is the treaty in the language of accords.
func (a Treaty) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "accord %q {\n  version = %d\n", a.Name, a.Version())
	if a.Amends != nil {
		if before, err := accord.Format([]byte(a.Amends.Text())); err == nil {
			fmt.Fprintf(&b, "  supersedes = %q\n", accord.Digest(before))
		}
	}
	b.WriteString("  mode = operational\n  effective = \"2024-01-01\"\n  expires = \"2060-01-01\"\n")
	for _, c := range a.Parties {
		fmt.Fprintf(&b, "  party %q {\n    org = %q\n    keys = %q\n  }\n", c, Org(c), "keylog:"+strings.ToLower(c))
	}
	for _, c := range a.Relays {
		fmt.Fprintf(&b, "  relay %q {\n    read = no\n    witness = yes\n", Org(c))
		if a.Keeps != "" {
			fmt.Fprintf(&b, "    queue = %q\n", a.Keeps)
		}
		b.WriteString("  }\n")
	}
	b.WriteString("  scope {\n    organization = receiving-org\n    clients = none\n")
	if a.Community {
		b.WriteString("    community = parties\n")
	}
	b.WriteString("  }\n  purpose = [net-defence]\n")
	for i, g := range a.Gives {
		from, to := g.From, g.To
		if len(from) == 0 {
			from = a.Parties
		}
		fmt.Fprintf(&b, "  give \"g%d\" {\n    from = [%s]\n", i, strings.Join(from, ", "))
		if len(to) > 0 {
			fmt.Fprintf(&b, "    to = [%s]\n", strings.Join(to, ", "))
		}
		fmt.Fprintf(&b, "    kind = [%s]\n    ceiling = %s\n", strings.Join(g.Kinds, ", "), strings.ReplaceAll(strings.TrimPrefix(g.Ceiling.String(), "TLP:"), "+", "-"))
		if len(g.Strip) > 0 {
			fmt.Fprintf(&b, "    strip = [\"%s\"]\n", strings.Join(g.Strip, `", "`))
		}
		if g.Subset {
			b.WriteString("    audience = subset\n")
		}
		if g.Officer {
			b.WriteString("    release-officer = required\n")
		}
		b.WriteString("  }\n")
	}
	b.WriteString("  handle {\n    default = AMBER\n    retain = \"365d\"\n    pap = GREEN\n    onward = none\n    access = copy\n  }\n  suspend { by = any-party }\n" + a.limits() +
		"  terminate {\n    notice = \"30d\"\n    purge = \"30d\"\n    receipts = required\n  }\n}\n")
	return b.String()
}

// limits is the block that bounds what goes out in a day, and what waits.
func (a Treaty) limits() (text string) {
	if a.PerDay > 0 {
		text = fmt.Sprintf("    objects-per-day = %d\n", a.PerDay)
	}
	if a.Waits != "" {
		text += fmt.Sprintf("    queue = %q\n", a.Waits)
	}
	if text != "" {
		text = "  limits {\n" + text + "  }\n"
	}
	return text
}

// To is a label that names the organisations of nations.
func To(tlp label.TLP, codes ...string) label.Label {
	var names []string
	for _, c := range codes {
		names = append(names, label.Org(c, Org(c)))
	}
	s, err := label.NewAudience(names...)
	if err != nil {
		return label.Top()
	}
	return label.For(tlp).To(s)
}

// ID is the id of the nth object of a kind.
func ID(kind string, n int) string {
	h := sha256.Sum256(fmt.Append(nil, kind, n)) // ids have nothing in common, as those of the world
	return fmt.Sprintf("%s--%x-%x-4%s-8%s-%x", kind, h[:4], h[4:6], fmt.Sprintf("%x", h[6:8])[1:], fmt.Sprintf("%x", h[8:10])[1:], h[10:16])
}

// Malware is an object of which every word is told: its name, and a description, which accords can take out; v counts its versions.
func Malware(n, v int, name, description string) string {
	return fmt.Sprintf(`{"type":"malware","spec_version":"2.1","id":%q,"created":"2024-03-01T00:00:00.000Z","modified":%q,"name":%q,"description":%q,"is_family":false}`,
		ID("malware", n), Modified(v), name, description)
}

// Campaign is an object of another kind.
func Campaign(n, v int, name, description string) string {
	return fmt.Sprintf(`{"type":"campaign","spec_version":"2.1","id":%q,"created":"2024-03-01T00:00:00.000Z","modified":%q,"name":%q,"description":%q}`,
		ID("campaign", n), Modified(v), name, description)
}

// Relationship names two objects.
func Relationship(n, v int, from, to, description string) string {
	return fmt.Sprintf(`{"type":"relationship","spec_version":"2.1","id":%q,"created":"2024-03-01T00:00:00.000Z","modified":%q,"relationship_type":"related-to","description":%q,"source_ref":%q,"target_ref":%q}`,
		ID("relationship", n), Modified(v), description, from, to)
}

// Modified is the time of the vth version of an object.
func Modified(v int) string { return fmt.Sprintf("2024-03-01T00:%02d:%02d.000Z", v/60%60, v%60) }
