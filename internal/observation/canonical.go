package observation

import (
	"bytes"
	"slices"
	"strings"

	"entente/stix/pattern"
)

// Canonical is a pattern with its constants in the forms in which [Events] give their values: hashes and names of domains in small letters, addresses of IPv6 as RFC 5952 writes
// them, keys of the registry with their root in full. It changes what is compared by =, !=, IN and LIKE; a MATCHES is the author's own.
func Canonical(p *pattern.Pattern) (*pattern.Pattern, error) {
	return p.Changed(func(t *pattern.Test) {
		switch t.Op {
		case pattern.Equal, pattern.NotEqual, pattern.Like:
			canonical(&t.Path, &t.Value, t.Op == pattern.Like)
		case pattern.In:
			t.Set = slices.Clone(t.Set)
			for i := range t.Set {
				canonical(&t.Path, &t.Set[i], false)
			}
		}
	})
}

func canonical(p *pattern.Path, c *pattern.Constant, like bool) {
	if c.Kind != pattern.String {
		return
	}
	var x extraction
	name := p.Name()
	form := Plain
	switch {
	case len(p.Steps) > 1 && p.Steps[len(p.Steps)-2].Key == "hashes":
		form = Low
	case p.Type == "domain-name" && len(p.Steps) == 1 && name == "value":
		if form = Low; !like {
			c.Text = strings.TrimSuffix(c.Text, ".")
		}
	case name == "protocols", name == "request_method", p.Type == "mac-addr" && name == "value":
		form = Low
	case name == "value" && !like && strings.IndexByte(c.Text, ':') >= 0 && strings.IndexByte(c.Text, '/') < 0:
		form = Address
	case name == "key" && p.Type == "windows-registry-key":
		form = Registry
	}
	if items := x.value(form, []byte(c.Text)); len(items) > 0 {
		c.Text = string(bytes.Clone(items[0].text))
	}
}
