package register

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"

	"entente/stix"
	"entente/stix/pattern"
)

// Found is a match, and the value of the object by which it was found.
type Found struct {
	Value string
	Match
}

// Object finds what a STIX object concerns: by the value of an observable, by what the pattern of an indicator looks for, by the
// observables in observed data, by a certificate or software, and by the vendor and product that a vulnerability's extension names as
// vendor_project and product. Each asset stands there once, at most MaxMatches.
func (x *Index) Object(o *stix.Object) []Found {
	f := finder{x: x, seen: map[*Asset]bool{}}
	switch o.Type() {
	case "autonomous-system":
		if raw, ok := o.Property("/number"); ok {
			f.asn(string(raw))
		}
	case "software":
		f.software(Product{CPE: o.Text("/cpe"), Vendor: o.Text("/vendor"), Product: o.Text("/name"), Version: o.Text("/version")})
	case "x509-certificate":
		f.add(o.Text("/hashes/SHA-256"), x.Hash(o.Text("/hashes/SHA-256")))
		f.add(o.Text("/serial_number"), x.Certificate(o.Text("/serial_number"), o.Text("/issuer")))
	case "vulnerability":
		f.vulnerability(o)
	case "indicator":
		if kind := o.Text("/pattern_type"); kind == "stix" || kind == "" && o.Spec() == "2.0" {
			f.pattern(o.Text("/pattern"))
		}
	case Type, "attack-pattern", "malware", "tool", "threat-actor", "relationship":
	default:
		for _, v := range o.Values() {
			f.add(v, x.Value(v))
		}
	}
	return f.out
}

type finder struct {
	x    *Index
	seen map[*Asset]bool
	out  []Found
}

func (f *finder) add(value string, found []Match) {
	for _, m := range found {
		if !f.seen[m.Asset] && len(f.out) < MaxMatches {
			f.seen[m.Asset] = true
			f.out = append(f.out, Found{value, m})
		}
	}
}

func (f *finder) asn(text string) {
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		f.add(asnText(uint32(n)), f.x.ASN(uint32(n)))
	}
}

func (f *finder) software(p Product) {
	found := f.x.Software(p)
	if p.CPE != "" && len(found) == 0 {
		p.CPE = "" // a name that cannot be read must not hide the product
		found = f.x.Software(p)
	}
	text := p.CPE
	if text == "" {
		text = softwareText(Software{PURL: p.PURL, Vendor: p.Vendor, Product: p.Product, Version: p.Version})
	}
	f.add(text, found)
}

// vulnerability reads every extension for what names a product.
func (f *finder) vulnerability(o *stix.Object) {
	for _, name := range o.Extensions() {
		raw, ok := o.Property("/extensions/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1"))
		if !ok {
			continue
		}
		var product struct {
			Vendor  string `json:"vendor_project"`
			Product string `json:"product"`
		}
		if json.Unmarshal(raw, &product) == nil && product.Product != "" {
			f.software(Product{Vendor: product.Vendor, Product: product.Product})
		}
	}
}

// pattern looks up what a STIX pattern compares for equality, and the networks that it names.
func (f *finder) pattern(src string) {
	p, err := pattern.Parse(src)
	if err != nil {
		return
	}
	p.EachTest(func(t *pattern.Test) {
		if t.Not {
			return
		}
		switch t.Op {
		case pattern.Equal, pattern.IsSubset, pattern.IsSuperset:
			f.compared(t, &t.Value)
		case pattern.In:
			for i := range t.Set {
				f.compared(t, &t.Set[i])
			}
		}
	})
}

func (f *finder) compared(t *pattern.Test, c *pattern.Constant) {
	property := t.Path.Property()
	if c.Kind == pattern.Integer {
		if t.Path.Type == "autonomous-system" && property == "number" {
			f.asn(strconv.FormatInt(c.Int, 10))
		}
		return
	}
	if c.Kind != pattern.String {
		return
	}
	v := c.Text
	switch t.Path.Type {
	case "software":
		switch property {
		case "cpe":
			f.add(v, f.x.Software(Product{CPE: v}))
		case "name":
			f.add(v, f.x.Software(Product{Product: v}))
		}
	case "x509-certificate":
		switch {
		case property == "serial_number":
			f.add(v, f.x.Certificate(v, ""))
		case strings.HasPrefix(property, "hashes"):
			f.add(v, f.x.Hash(v))
		}
	case "url":
		f.add(v, f.x.URL(v))
	case "ipv4-addr", "ipv6-addr", "domain-name", "email-addr":
		f.add(v, f.x.Value(v))
	case "network-traffic", "email-message":
		if strings.HasSuffix(property, "_ref.value") || strings.Contains(property, "request_value") {
			f.add(v, f.x.Value(v))
		}
	}
}
