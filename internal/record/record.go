// Package record is the one shape that is stored, gated, logged and shared.
package record

import (
	"time"

	"entente/label"
)

// Kind is the language of a record's body.
type Kind string

// STIX is a STIX 2.0 or 2.1 object.
const STIX Kind = "stix"

// Origin says where a record came from.
type Origin struct {
	Nation string `json:"nation"`           // the originating nation's code, ISO 3166-1 alpha-3 or an exercise code
	Org    string `json:"org"`              // the originating organisation, as named in the register of organisations
	Person string `json:"person,omitempty"` // who handed it in
	Via    string `json:"via,omitempty"`    // how: "taxii", "import", "feed:NAME", "peer:NATION"
}

// Mark is what the gate judges: a label and whose record it is. Stores intern marks, so a scope is a set of marks; the label's two
// times are kept per record and judged apart.
type Mark struct {
	Label  label.Label
	Nation string
	Org    string
}

// LookupKind tells the lookups apart that a store keeps besides the id.
type LookupKind byte

const (
	// Value is an observable's canonical value, wherever in the object it stands.
	Value LookupKind = 'v'
	// Ref is the id of another object that the body names.
	Ref LookupKind = 'r'
	// External is an external reference, "source_name:external_id".
	External LookupKind = 'x'
	// Name is a name or alias, folded to lower case.
	Name LookupKind = 'n'
)

// Lookup is one thing a record can be found by.
type Lookup struct {
	Kind LookupKind
	Text string
}

// Record is one version of one object, with its label.
type Record struct {
	ID        string
	Kind      Kind
	Type      string
	Spec      string // the language's version, for STIX "2.1" or "2.0"; part of the version's identity
	Version   string // verbatim modified, else created; empty: the store gives its date added (SCOs have no version)
	Order     string // compares as versions do, byte by byte; empty when Version is empty
	Digest    [32]byte
	CreatedBy string
	Revoked   bool
	Label     label.Label
	Origin    Origin
	Body      []byte // the object, exactly as received
	Envelope  []byte // the signed envelope it came in, exactly as received; nil when it came in none
	Lookups   []Lookup
}

// Mark is the part of the record that the gate judges.
func (r *Record) Mark() Mark {
	return Mark{Label: r.Label, Nation: r.Origin.Nation, Org: r.Origin.Org}
}

// Seq is a place in the node's order, and the date added: microseconds since 1970 UTC, unique, strictly increasing in commit order.
// Within a commit the microseconds are drawn at random, so that the gaps a viewer sees tell nothing about records it may not see.
type Seq int64

// Time is the date added.
func (s Seq) Time() time.Time { return time.UnixMicro(int64(s)).UTC() }

// Equal tells whether the gate cannot tell two marks apart.
func (m Mark) Equal(o Mark) bool {
	return m.Nation == o.Nation && m.Org == o.Org && label.Equal(m.Label, o.Label)
}
