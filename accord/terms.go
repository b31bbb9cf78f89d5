package accord

import (
	"time"

	"entente/label"
)

// Terms is the compiled form of one version of an accord: finite tables, no text to interpret. Parties are numbered in the order of Parties, which
// is that of their nations; sets of parties are bit sets.
type Terms struct {
	Name        string
	Digest      [32]byte // SHA-256 of the canonical form
	Version     int
	Mode        label.Mode
	Effective   time.Time
	Expires     time.Time      // zero: never
	Parties     []Party        // sorted by nation; every Org is known
	Purpose     label.Purposes // purposes less never
	Sectors     label.Set      // all: every sector
	Community   bool           // TLP:GREEN means the parties
	Clauses     []Clause
	Handle      Handle
	Limits      Limits
	Bases       []Basis
	Reciprocity *Reciprocity
	Exercises   []Exercise
	Decides     []Decide
	Derives     []Derive
	Relays      []Relay
	Clients     []string // registers of constituents, whom a party may serve
	SuspendBy   string
	Terminate   *Leave
	Withdraw    *Leave

	// ByKind lists the clauses for a kind, as indices of Clauses, in their order. A kind that is not there is given by nobody.
	ByKind map[string][]int
}

// MaxParties is how many parties one accord has at most.
const MaxParties = 64

// Parties is a set of parties of one accord, by their numbers.
type Parties uint64

// Has tells whether the party of that number is in the set.
func (p Parties) Has(i int) bool { return i >= 0 && i < MaxParties && p&(1<<i) != 0 }

// Clause is a Give, compiled.
type Clause struct {
	Give
	Number  int // of the give in the text, from 1
	FromSet Parties
	ToSet   Parties
}

// Basis is an Authority, compiled: the flows that it covers need it in force.
type Basis struct {
	Authority
	Kinds map[string]bool // nil: all
}

// Number is the number of a party, or -1.
func (t *Terms) Number(nation, org string) int {
	for i := range t.Parties {
		if t.Parties[i].Nation == nation && (org == "" || t.Parties[i].Org == org) {
			return i
		}
	}
	return -1
}
