package register

import (
	"cmp"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"entente/stix"
)

// Bounds of one constituent. Whoever has more is written down as several, for example one per site.
const (
	MaxNetworks     = 5000
	MaxDomains      = 5000
	MaxCertificates = 2000
	MaxSoftware     = 5000
	MaxASNs         = 1000
	MaxContacts     = 100

	maxList = 50 // aliases, sectors, languages, sources
	maxWord = 255
	maxText = 10_000
	maxKey  = 65_536
)

// Check tells what of the constituent breaks the rules, the first of it. The error is an *Error.
func (c *Constituent) Check() error {
	order := func(s string) string { o, _ := stix.Order(s); return o }
	switch {
	case c.Type != Type:
		return fail("constituent.type", "/type", "the type must be %s", Type)
	case c.SpecVersion != "2.1":
		return fail("constituent.spec", "/spec_version", "the spec_version must be 2.1")
	case !isID(c.ID, Type):
		return fail("constituent.id", "/id", "the id must be %s-- and a UUID", Type).by("STIX 2.1 section 2.9")
	case order(c.Created) == "":
		return fail("constituent.time", "/created", "%s is not a timestamp", quote(c.Created)).by("STIX 2.1 section 2.16")
	case order(c.Modified) == "":
		return fail("constituent.time", "/modified", "%s is not a timestamp", quote(c.Modified)).by("STIX 2.1 section 2.16")
	case order(c.Modified) < order(c.Created):
		return fail("constituent.time", "/modified", "modified is before created").by("STIX 2.1 section 3.2")
	case len(c.Extensions) != 1 || c.Extensions[DefinitionID].Type != "new-sdo":
		return fail("constituent.extension", "/extensions", "the object must name the extension %s as new-sdo, and no other", DefinitionID).by("STIX 2.1 section 7.3")
	}
	return c.CheckDraft()
}

// CheckDraft is Check without what the register itself sets: a draft may lack it, and what it has must still be of the right form.
func (c *Constituent) CheckDraft() error {
	switch {
	case c.Type != "" && c.Type != Type:
		return fail("constituent.type", "/type", "the type must be %s", Type)
	case c.ID != "" && !isID(c.ID, Type):
		return fail("constituent.id", "/id", "the id must be %s-- and a UUID", Type).by("STIX 2.1 section 2.9")
	case c.CreatedByRef != "" && !isID(c.CreatedByRef, "identity"):
		return fail("constituent.author", "/created_by_ref", "the author must be the id of an identity").by("STIX 2.1 section 3.2")
	case c.Previous != "" && !isHexText(c.Previous, 64):
		return fail("constituent.previous", "/previous", "the version before must be named by its SHA-256: 64 digits in hex, in lower case")
	}
	k := checker{}
	k.word("/name", c.Name, true)
	k.words("/aliases", c.Aliases, func(s string) bool { return isWord(s) }, "a name of 1 to 255 printing characters")
	k.text("/description", c.Description, maxText)
	k.words("/object_marking_refs", c.MarkingRefs, func(s string) bool { return isID(s, "marking-definition") }, "the id of a marking definition")
	k.words("/sectors", c.Sectors, isSector, "a sector of industry-sector-ov (STIX 2.1 section 10.11) or a word that begins with x-")
	k.criticality("", c.Criticality)
	if c.Country != "" && !isCountry(c.Country) {
		k.fail("constituent.country", "/country", "%s is not a country's code of two or three capital letters", quote(c.Country)).rule("ISO 3166-1")
	}
	k.languages("/languages", c.Languages)
	if c.Org != "" {
		k.word("/org", c.Org, true)
	}
	if k.bound("/external_references", len(c.ExternalRefs), maxList) {
		for i, s := range c.ExternalRefs {
			at := fmt.Sprintf("/external_references/%d", i)
			k.word(at+"/source_name", s.Name, true)
			k.word(at+"/external_id", s.ID, true)
		}
	}
	k.contacts(c.Contacts)
	k.assets(c)
	if k.err != nil {
		return k.err
	}
	return nil
}

// checker keeps the first rule that is broken.
type checker struct{ err *Error }

func (k *checker) fail(code, pointer, format string, args ...any) *checker {
	if k.err == nil {
		k.err = fail(code, pointer, format, args...)
	}
	return k
}

func (k *checker) rule(rule string) {
	if k.err.Rule == "" {
		k.err.Rule = rule
	}
}

func (k *checker) bound(at string, n, most int) bool {
	if n > most {
		k.fail("constituent.many", at, "there are %d, the most is %d: write more than one constituent", n, most)
	}
	return n <= most && k.err == nil
}

func (k *checker) word(at, s string, needed bool) {
	if s == "" && !needed {
		return
	}
	if !isWord(s) {
		k.fail("constituent.word", at, "%s must have 1 to %d printing characters, without spaces around it", quote(s), maxWord)
	}
}

func (k *checker) text(at, s string, most int) {
	if len(s) > most || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }) {
		k.fail("constituent.text", at, "the text must have at most %d bytes and no control characters", most)
	}
}

func (k *checker) words(at string, list []string, ok func(string) bool, what string) {
	if !k.bound(at, len(list), maxList) {
		return
	}
	for i, s := range list {
		if !ok(s) {
			k.fail("constituent.word", fmt.Sprintf("%s/%d", at, i), "%s is not %s", quote(s), what)
			return
		}
		if slices.Contains(list[:i], s) {
			k.fail("constituent.twice", fmt.Sprintf("%s/%d", at, i), "%s stands there twice", quote(s))
			return
		}
	}
}

func (k *checker) languages(at string, list []string) {
	k.words(at, list, func(s string) bool { _, err := language.Parse(s); return err == nil && len(s) <= 35 }, "a language tag (BCP 47), as de or pt-BR is")
}

func (k *checker) criticality(at string, c Criticality) {
	if c != "" && c.Rank() == 0 {
		k.fail("constituent.criticality", at+"/criticality", "%s must be low, medium, high or vital", quote(string(c)))
	}
}

func (k *checker) contacts(list []Contact) {
	if !k.bound("/contacts", len(list), MaxContacts) {
		return
	}
	for i := range list {
		c, at := &list[i], fmt.Sprintf("/contacts/%d", i)
		k.word(at+"/name", c.Name, true)
		k.word(at+"/role", c.Role, false)
		k.word(at+"/phone", c.Phone, false)
		k.word(at+"/webhook", c.Webhook, false)
		k.text(at+"/purpose", c.Purpose, 1000)
		k.languages(at+"/languages", c.Languages)
		if c.Email != "" && !isEmail(c.Email) {
			k.fail("constituent.email", at+"/email", "%s is not an e-mail address", quote(c.Email)).rule("RFC 5322 section 3.4.1")
		}
		if c.Hours != nil {
			if where, message := c.Hours.check(); message != "" {
				k.fail("constituent.hours", at+"/hours"+where, "%s", message)
			}
		}
		for j, s := range c.Receives {
			if s != Alerts && s != Reports && s != Vulnerabilities || slices.Contains(c.Receives[:j], s) {
				k.fail("constituent.receives", fmt.Sprintf("%s/receives/%d", at, j), "%s must be alerts, reports or vulnerabilities, each once", quote(string(s)))
				break
			}
		}
		k.keys(at, c)
	}
}

// keys looks at the outer form only: whether a key can be used is for who encrypts with it.
func (k *checker) keys(at string, c *Contact) {
	k.text(at+"/pgp_key", c.PGPKey, maxKey)
	if c.PGPKey != "" && !strings.Contains(c.PGPKey, "-----BEGIN PGP PUBLIC KEY BLOCK-----") {
		k.fail("constituent.key", at+"/pgp_key", "this is not an armored public key").rule("RFC 9580 section 6.2")
	}
	if strings.Contains(c.PGPKey, "PRIVATE KEY") || strings.Contains(c.SMIME, "PRIVATE KEY") {
		k.fail("constituent.secret", at, "this is a private key, which belongs to the contact alone")
	}
	k.text(at+"/smime_certificate", c.SMIME, maxKey)
	if c.SMIME != "" {
		if block, _ := pem.Decode([]byte(c.SMIME)); block == nil || block.Type != "CERTIFICATE" {
			k.fail("constituent.key", at+"/smime_certificate", "this is not a certificate in PEM").rule("RFC 7468 section 5")
		}
	}
}

func (k *checker) assets(c *Constituent) {
	if k.bound("/networks", len(c.Networks), MaxNetworks) {
		seen := map[string]bool{}
		for i, n := range c.Networks {
			at := fmt.Sprintf("/networks/%d", i)
			r, err := ParseRange(n.Range)
			if err != nil {
				k.fail("constituent.range", at+"/range", "%s", err.Error())
			}
			k.once(seen, r.String(), at)
			k.word(at+"/name", n.Name, false)
			k.word(at+"/site", n.Site, false)
			k.criticality(at, n.Criticality)
		}
	}
	if k.bound("/asns", len(c.ASNs), MaxASNs) {
		seen := map[uint32]bool{}
		for i, n := range c.ASNs {
			if n == 0 || seen[n] {
				k.fail("constituent.asn", fmt.Sprintf("/asns/%d", i), "the number must be 1 to 4294967295, each once").rule("RFC 6793")
			}
			seen[n] = true
		}
	}
	if k.bound("/domains", len(c.Domains), MaxDomains) {
		seen := map[string]bool{}
		for i, d := range c.Domains {
			at := fmt.Sprintf("/domains/%d", i)
			name, ok := HostName(d.Name)
			switch {
			case strings.HasPrefix(d.Name, "*."):
				k.fail("constituent.domain", at+"/name", "write the domain itself, and say include_subdomains")
			case !ok:
				k.fail("constituent.domain", at+"/name", "%s is not a domain name", quote(d.Name)).rule("RFC 1035 section 2.3.1, RFC 5890")
			case d.IncludeSubdomains && !strings.Contains(name, "."):
				k.fail("constituent.domain", at+"/name", "%s is a whole top-level domain, which nobody can watch as one's own", quote(d.Name))
			}
			k.once(seen, name, at)
			k.criticality(at, d.Criticality)
		}
	}
	if k.bound("/certificates", len(c.Certificates), MaxCertificates) {
		for i, x := range c.Certificates {
			at := fmt.Sprintf("/certificates/%d", i)
			switch {
			case x.SHA256 == "" && (x.Serial == "" || x.Issuer == ""):
				k.fail("constituent.certificate", at, "a certificate is named by its sha256, or by its serial and issuer")
			case x.SHA256 != "" && !isHexText(strings.ToLower(x.SHA256), 64):
				k.fail("constituent.certificate", at+"/sha256", "%s is not a SHA-256 in hex", quote(x.SHA256))
			case x.Serial != "" && serial(x.Serial) == "":
				k.fail("constituent.certificate", at+"/serial", "%s is not a serial number in hex", quote(x.Serial)).rule("RFC 5280 section 4.1.2.2")
			}
			k.text(at+"/issuer", x.Issuer, 1000)
			k.text(at+"/subject", x.Subject, 1000)
		}
	}
	if k.bound("/software", len(c.Software), MaxSoftware) {
		for i := range c.Software {
			k.software(fmt.Sprintf("/software/%d", i), &c.Software[i])
		}
	}
}

func (k *checker) software(at string, s *Software) {
	forms := 0
	for _, f := range []string{s.CPE, s.PURL, s.Product} {
		if f != "" {
			forms++
		}
	}
	switch {
	case forms != 1:
		k.fail("constituent.software", at, "software is named by exactly one of cpe, purl and product")
	case s.Product == "" && (s.Vendor != "" || s.Version != ""):
		k.fail("constituent.software", at, "vendor and version stand beside product only")
	case s.CPE != "":
		if _, err := ParseCPE(s.CPE); err != nil {
			k.fail("constituent.cpe", at+"/cpe", "%s", err.Error()).rule("NISTIR 7695 section 6.2")
		}
	case s.PURL != "":
		if _, err := parsePURL(s.PURL); err != nil {
			k.fail("constituent.purl", at+"/purl", "%s", err.Error()).rule("ECMA-427")
		}
	}
	if _, ok := readSoftware(s.CPE, s.PURL, s.Vendor, s.Product, s.Version); !ok && forms == 1 {
		k.fail("constituent.software", at, "what names the software has neither a letter nor a digit")
	}
	k.word(at+"/vendor", s.Vendor, false)
	k.word(at+"/product", s.Product, false)
	k.word(at+"/version", s.Version, false)
	k.criticality(at, s.Criticality)
	if s.Count < 0 || s.Count > 1_000_000_000 {
		k.fail("constituent.count", at+"/count", "the count must be 0 to 1,000,000,000")
	}
}

func (k *checker) once(seen map[string]bool, key, at string) {
	if seen[key] {
		k.fail("constituent.twice", at, "%s stands there twice", quote(key))
	}
	seen[key] = true
}

// Normalise brings what can be written in several ways into one: names in lower case, ranges in their shortest form, assets in order
// and each once. Two drafts that say the same are equal after it. What Check refuses stays as it is.
func (c *Constituent) Normalise() {
	c.Name = strings.TrimSpace(c.Name)
	c.Country = strings.ToUpper(c.Country)
	for i := range c.Networks {
		if r, err := ParseRange(c.Networks[i].Range); err == nil {
			c.Networks[i].Range = r.String()
		}
	}
	slices.SortStableFunc(c.Networks, func(a, b Network) int {
		ra, _ := ParseRange(a.Range)
		rb, _ := ParseRange(b.Range)
		return cmp.Or(ra.From.Compare(rb.From), ra.To.Compare(rb.To))
	})
	c.Networks = slices.CompactFunc(c.Networks, func(a, b Network) bool { return a == b })
	slices.Sort(c.ASNs)
	c.ASNs = slices.Compact(c.ASNs)
	for i := range c.Domains {
		if name, ok := HostName(c.Domains[i].Name); ok {
			c.Domains[i].Name = name
		}
	}
	slices.SortStableFunc(c.Domains, func(a, b Domain) int { return strings.Compare(a.Name, b.Name) })
	c.Domains = slices.CompactFunc(c.Domains, func(a, b Domain) bool { return a == b })
	for i := range c.Certificates {
		x := &c.Certificates[i]
		x.SHA256 = strings.ToLower(x.SHA256)
		if s := serial(x.Serial); s != "" {
			x.Serial = s
		}
	}
	slices.SortStableFunc(c.Certificates, func(a, b Certificate) int {
		return cmp.Or(strings.Compare(a.SHA256, b.SHA256), strings.Compare(a.Serial, b.Serial), strings.Compare(a.Issuer, b.Issuer))
	})
	c.Certificates = slices.CompactFunc(c.Certificates, func(a, b Certificate) bool { return a == b })
	slices.SortStableFunc(c.Software, func(a, b Software) int {
		return cmp.Or(strings.Compare(a.CPE, b.CPE), strings.Compare(a.PURL, b.PURL), strings.Compare(a.Vendor, b.Vendor), strings.Compare(a.Product, b.Product),
			strings.Compare(a.Version, b.Version))
	})
	c.Software = slices.CompactFunc(c.Software, func(a, b Software) bool { return a == b })
}
