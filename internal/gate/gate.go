// Package gate decides: may this viewer have this record now, and why. The decision is pure and total, and returns every reason.
// The gate is a key and not a guard: every read of a store takes a Scope, and only this package makes one that admits anything.
package gate

import (
	"time"

	"entente/internal/record"
)

// Viewer is who asks: everything a decision may depend on.
type Viewer struct {
	Nation  string   // of the viewer's organisation
	Org     string   // the viewer's organisation; empty: nobody
	Person  string   // the account's name
	Roles   []string // see Roles
	Purpose []string // what the viewer asks for; empty: every purpose its organisation holds
	Realm   string   // "operational" or "exercise:NAME"
}

// Scope is the key without which no store can be read. Its zero value admits nothing.
type Scope struct {
	own    bool // the node's own followers
	viewer Viewer
	now    time.Time
}

// Admits tells whether the holder of the scope may have records with this mark; embargo and retention are InForce's.
func (s Scope) Admits(m record.Mark) bool { panic("not built") }

// InForce tells whether a record with these label times may be had now: notBefore ≤ now < notAfter; zero times do not bind.
func (s Scope) InForce(m record.Mark, notBefore, notAfter time.Time) bool { panic("not built") }

// Key identifies what the scope admits: two scopes with equal keys admit the same marks, so a store may keep the admitted set.
func (s Scope) Key() string { panic("not built") }
