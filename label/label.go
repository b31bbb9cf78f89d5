// Package label is the lattice of everything that restricts a record: TLP 2.0, class, audience, purpose, PAP, onward rule,
// attribution, embargo, retention, purge, mode, sector, authority, caveat and access. Joining two labels never permits more than
// either. It is pure: no network, no disk, no clock.
package label

import "time"

// TLP is the Traffic Light Protocol 2.0 (FIRST, August 2022). The zero value is the strictest.
type TLP uint8

const (
	Red TLP = iota
	AmberStrict
	Amber
	Green
	Clear
)

// Label is one point of the lattice. The zero value admits nobody but the originator.
type Label struct {
	TLP       TLP
	NotBefore time.Time // embargo: zero means none
	NotAfter  time.Time // retention: zero means for ever
}

// Join is the least label that is at least as strict as both.
func Join(a, b Label) Label { panic("not built") }

// Timeless is the label without its embargo and retention times: what stores intern.
func (l Label) Timeless() Label { l.NotBefore, l.NotAfter = time.Time{}, time.Time{}; return l }

// MarshalJSON writes the one canonical form: equal labels have equal bytes.
func (l Label) MarshalJSON() ([]byte, error) { panic("not built") }

// UnmarshalJSON reads the canonical form strictly.
func (l *Label) UnmarshalJSON(b []byte) error { panic("not built") }
