// Package accord is the language of agreements: who gives what to whom, for which purpose, how it must be handled, and how joint decisions are
// taken. An accord is written in HCL native syntax with a closed vocabulary: no variables, no functions, no includes, and no default but to deny. What
// people read is what is signed: the bytes of the canonical form (Format). The compiled form (Compile) is derived from it. The package is pure: no
// network, no disk, no clock.
package accord

import (
	"time"

	"entente/label"
)

// Accord is one version of an agreement, as its text says. Lists are in the order of the text.
type Accord struct {
	Name       string // "us-kw-cip"
	Title      string
	Version    int        // from 1
	Supersedes string     // "sha256:…" of the canonical form of the version before; empty for version 1
	Mode       label.Mode // operational, or the exercise that it is for
	Effective  time.Time  // from 00:00 UTC of the day
	Expires    time.Time  // until 00:00 UTC of the day; zero: never
	Review     time.Time  // zero: none

	Texts       []Text
	Parties     []Party
	Register    string // that names the parties: "nato.members" (parties = "register:nato.members"); before it is signed they are written out (WithMembers)
	Relays      []Relay
	Authorities []Authority
	Scope       Scope
	Sectors     []string // empty: every sector
	Purpose     label.Purposes
	Never       label.Purposes
	Gives       []Give
	Handle      Handle
	Reciprocity *Reciprocity
	Limits      Limits
	Decides     []Decide
	Exercises   []Exercise
	Derives     []Derive
	SuspendBy   string // "any-party" or "all"; empty: nobody may
	Terminate   *Leave // how the accord ends for all
	Withdraw    *Leave // how one party leaves

	at map[string]Position // of what the text says, by block, label and attribute
}

// Position is a place in a text, both counted from 1; a column is one character as people see it. The zero value is no place.
type Position struct {
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// Text is an equally authentic prose annex.
type Text struct{ Language, Digest string }

// Party is a nation that is bound, by one organisation of it.
type Party struct {
	Nation  string   // "USA"
	Org     string   // "us.cisa"; empty: the organisation whose node the nation's key log names
	Node    string   // host[:port] of its node; empty: as its card says
	Keys    string   // the nation's key log: "us" (keys = "keylog:us")
	Need    int      // signatures of Signers that bind the nation; at least 1
	Signers []string // organisations of the nation that may sign; empty: Org
}

// Relay is a node that carries what it cannot read.
type Relay struct {
	Name    string
	Read    bool
	Witness bool
	Queue   int64 // bytes
}

// Authority is a legal basis: when it lapses, the flows that it covers stop.
type Authority struct {
	Name   string
	Sunset time.Time // zero: none
	Covers []string  // kinds; empty: all
	Origin string    // only what came from there, for example "private-sector"; empty: all
}

// Scope binds the three words of TLP 2.0.
type Scope struct {
	Organization string   // "receiving-org"
	Clients      []string // registers of constituents; empty: none
	Community    string   // "parties": TLP:GREEN stays between the parties; empty: not defined
}

// Give is one clause: who gives what, up to which ceiling.
type Give struct {
	Name           string
	From           []string // nations; empty: any party
	To             []string // nations; empty: every other party
	Kinds          []string // STIX types, and kinds of other languages
	Ceiling        label.TLP
	Class          label.Class // ceiling of classification; zero value as label.Unclassified() when not said
	Strip          []string    // "type.property" or "type", removed in a rendition
	Anonymise      []string    // roles whose identity is replaced, for example "victim"
	ReleaseOfficer bool        // a release officer must sign each release
	Subset         bool        // audience = subset: the originator chooses the parties record by record
	Persons        string      // register of the persons who alone may have it; empty: the organisation
	Access         label.Access
	HasAccess      bool
}

// Handle is how what was received must be handled. It only adds to what a record's own label asks for: a PAP, attribution or access that the text
// does not state is the least strict one, and the canonical form writes it out.
type Handle struct {
	Default        label.TLP     // of what comes without a TLP
	Retain         time.Duration // 0: no limit
	RetainKind     map[string]time.Duration
	PAP            label.PAP
	Onward         label.Onward
	Clients        bool          // onward = clients: operators get renditions, never originals
	ConsentTimeout time.Duration // after it consent is refused
	Attribution    label.Attribution
	EmbargoMax     time.Duration // 0: no embargo is taken
	Access         label.Access
}

// Reciprocity is what must come back.
type Reciprocity struct {
	GiveBack     []string // kinds
	For          []string // kinds
	Within       time.Duration
	Minimum      int    // percent
	Otherwise    string // "notify" or "suspend"
	SuspendAfter time.Duration
}

// Limits bound the flow from one party to another; 0: no bound but the node's own.
type Limits struct {
	ObjectsPerDay int
	Object        int64 // bytes
	Attachment    int64
	Queue         int64
}

// Decide is a rule for joint decisions.
type Decide struct {
	Name        string
	Propose     string // "any" or a number of parties
	Consent     string // "all", "all-but-subject", "K", "K/N", "P%"
	Weights     string // digest of a table; empty: equal
	Deadline    time.Duration
	PAP         label.PAP // of the action
	HasPAP      bool
	Silence     bool   // silence = allowed
	Persons     int    // that must sign for each party; at least 1
	MinPositive int    // parties that must say yes themselves; 0: one, since silence alone never decides
	Unreachable string // "blocks" or "abstains"; empty: blocks
	Veto        string // "affected-party"; empty: none
	Evidence    bool
	Review      time.Duration
}

// Exercise is a time in which a derived accord binds an exercise realm. From and To are days, and both belong to it.
type Exercise struct {
	Name     string
	From, To time.Time
	Purge    time.Duration
}

// At tells whether the exercise is on at t: from 00:00 UTC of its first day until the end of its last.
func (e Exercise) At(t time.Time) bool { return !t.Before(e.From) && t.Before(e.To.AddDate(0, 0, 1)) }

// Derive names an accord whose records may be drawn on, with whose consent.
type Derive struct {
	Accord  string
	Consent []string // nations
}

// Leave is how an accord ends.
type Leave struct {
	Notice   time.Duration
	Purge    time.Duration // what came from others is destroyed within
	Receipts bool
}

// place is where the text says an attribute of a block; of what it leaves unsaid, where the block begins, or the accord.
func (a *Accord) place(block, label, attribute string) Position {
	where := ""
	if block != "" {
		where = block + "/" + label
	}
	for _, key := range []string{where + "/" + attribute, where} {
		if at, ok := a.at[key]; ok {
			return at
		}
	}
	return a.at[""]
}
