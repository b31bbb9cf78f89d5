// Package register is the language in which an organisation writes down whom it serves and what is theirs: constituents with their
// contacts, address ranges, domains, certificates and software, and an index that finds whom a value concerns.
//
// A constituent is a STIX 2.1 object of the type "constituent", which the extension definition in Definition declares (STIX 2.1
// section 7.3), so that it is stored, versioned and labelled as any other object.
package register

// Type is the type of a constituent as a STIX object.
const Type = "constituent"

// Constituent is one organisation that is served, with everything of it that is watched.
type Constituent struct {
	Type         string               `json:"type"`
	SpecVersion  string               `json:"spec_version"`
	ID           string               `json:"id"`
	CreatedByRef string               `json:"created_by_ref,omitempty"`
	Created      string               `json:"created"`
	Modified     string               `json:"modified"`
	Revoked      bool                 `json:"revoked,omitzero"`
	MarkingRefs  []string             `json:"object_marking_refs,omitempty"`
	Previous     string               `json:"previous,omitempty"` // SHA-256 of the version before this one, as stix.Object.Digest makes it, in hex; the first version has none
	ExternalRefs []Source             `json:"external_references,omitempty"`
	Name         string               `json:"name"`
	Aliases      []string             `json:"aliases,omitempty"`
	Description  string               `json:"description,omitempty"`
	Sectors      []string             `json:"sectors,omitempty"` // industry-sector-ov (STIX 2.1 section 10.11), or words of our own that begin with x-
	Criticality  Criticality          `json:"criticality,omitempty"`
	Country      string               `json:"country,omitempty"`   // ISO 3166-1, alpha-2 or alpha-3
	Languages    []string             `json:"languages,omitempty"` // BCP 47, the preferred first
	Org          string               `json:"org,omitempty"`       // its name in the node's register of organisations, where it has one
	Contacts     []Contact            `json:"contacts,omitempty"`  // in the order in which they are tried
	Networks     []Network            `json:"networks,omitempty"`
	ASNs         []uint32             `json:"asns,omitempty"`
	Domains      []Domain             `json:"domains,omitempty"`
	Certificates []Certificate        `json:"certificates,omitempty"`
	Software     []Software           `json:"software,omitempty"`
	Extensions   map[string]Extension `json:"extensions,omitempty"`
}

// Source says under which id another register knows the constituent. Imports find it again by that.
type Source struct {
	Name string `json:"source_name"`
	ID   string `json:"external_id"`
}

// Extension is what the property extensions holds under DefinitionID.
type Extension struct {
	Type string `json:"extension_type"`
}

// Criticality says how much depends on something. The empty one stands for an unknown one.
type Criticality string

const (
	Low    Criticality = "low"
	Medium Criticality = "medium"
	High   Criticality = "high"
	Vital  Criticality = "vital" // its loss endangers people or the state
)

// Rank orders criticalities: 0 is unknown, 4 vital.
func (c Criticality) Rank() int {
	switch c {
	case Low:
		return 1
	case Medium:
		return 2
	case High:
		return 3
	case Vital:
		return 4
	}
	return 0
}

// Contact is a person or desk that is told what concerns the constituent.
type Contact struct {
	Name      string    `json:"name"`
	Role      string    `json:"role,omitempty"`
	Email     string    `json:"email,omitempty"`
	Phone     string    `json:"phone,omitempty"`
	Hours     *Hours    `json:"hours,omitempty"` // none: unknown
	Languages []string  `json:"languages,omitempty"`
	PGPKey    string    `json:"pgp_key,omitempty"`           // armored (RFC 9580)
	SMIME     string    `json:"smime_certificate,omitempty"` // PEM
	Webhook   string    `json:"webhook,omitempty"`           // the name of a channel in the node's configuration
	Receives  []Subject `json:"receives,omitempty"`          // none: everything
	Purpose   string    `json:"purpose,omitempty"`           // what the contact may be used for, in words
}

// Subject is a kind of message.
type Subject string

const (
	Alerts          Subject = "alerts"
	Reports         Subject = "reports"
	Vulnerabilities Subject = "vulnerabilities"
)

// Wants tells whether the contact is to be told of a subject.
func (c *Contact) Wants(s Subject) bool {
	for _, r := range c.Receives {
		if r == s {
			return true
		}
	}
	return len(c.Receives) == 0
}

// Network is a range of addresses: CIDR (10.0.0.0/8), one address, or the first and the last with a hyphen between (10.0.0.5-10.0.0.20).
type Network struct {
	Range       string      `json:"range"`
	Name        string      `json:"name,omitempty"`
	Site        string      `json:"site,omitempty"`
	Criticality Criticality `json:"criticality,omitempty"`
	Shared      bool        `json:"shared,omitzero"` // others use it too: it must never be blocked
}

// Domain is a domain name. International names stand in either form.
type Domain struct {
	Name              string      `json:"name"`
	IncludeSubdomains bool        `json:"include_subdomains,omitzero"`
	Criticality       Criticality `json:"criticality,omitempty"`
	Shared            bool        `json:"shared,omitzero"`
}

// Certificate is named by the SHA-256 of its DER form, or by its serial number and issuer.
type Certificate struct {
	SHA256  string `json:"sha256,omitempty"`
	Serial  string `json:"serial,omitempty"` // in hex; colons between bytes are let pass
	Issuer  string `json:"issuer,omitempty"` // distinguished name (RFC 4514)
	Subject string `json:"subject,omitempty"`
}

// Software is named by a CPE 2.3 name, by a package URL, or by product with vendor and version.
type Software struct {
	CPE         string      `json:"cpe,omitempty"`  // formatted string (NISTIR 7695)
	PURL        string      `json:"purl,omitempty"` // without a version: every version
	Vendor      string      `json:"vendor,omitempty"`
	Product     string      `json:"product,omitempty"`
	Version     string      `json:"version,omitempty"`
	Criticality Criticality `json:"criticality,omitempty"`
	Count       int         `json:"count,omitzero"` // how many run
}

// Assets is how many things of the constituent are watched.
func (c *Constituent) Assets() int {
	return len(c.Networks) + len(c.ASNs) + len(c.Domains) + len(c.Certificates) + len(c.Software)
}
