package label

import "strings"

// Class is a security classification: a level in the chain of one regime. Levels of two regimes cannot be compared and join to the top, Mixed,
// which nobody is cleared for. The zero value is Mixed.
type Class struct {
	regime string // empty: see level
	level  uint8  // 1 is the lowest level of the regime; without a regime, 0 is Mixed and 1 Unclassified
}

var (
	natoLevels     = []string{"NU", "NR", "NC", "NS", "CTS"}
	nationalLevels = []string{"R", "C", "S", "TS"}
)

// Unclassified is the bottom: no regime restricts it. NATO UNCLASSIFIED is not it: that is the lowest level of NATO's chain.
func Unclassified() Class { return Class{level: 1} }

// Mixed is the top.
func Mixed() Class { return Class{} }

// ParseClass reads "unclassified", "mixed" or "REGIME:LEVEL". Regimes are NATO (NU, NR, NC, NS, CTS), EU and the codes of nations, three capital
// letters each (R, C, S, TS).
func ParseClass(s string) (Class, error) {
	switch s {
	case "unclassified":
		return Unclassified(), nil
	case "mixed":
		return Mixed(), nil
	}
	regime, level, _ := strings.Cut(s, ":")
	if chain := levelsOf(regime); chain != nil {
		if i, ok := parseName[uint8](chain, level); ok {
			return Class{strings.Clone(regime), i + 1}, nil
		}
	}
	return Mixed(), invalid("", "%s is no classification: write unclassified, mixed, NATO:NU to NATO:CTS, or EU or a nation's code with :R, :C, :S or :TS", quote(s))
}

func levelsOf(regime string) []string {
	switch {
	case regime == "NATO":
		return natoLevels
	case regime == "EU", IsNation(regime):
		return nationalLevels
	}
	return nil
}

// IsNation tells whether s has the form of a nation's code, ISO 3166-1 alpha-3: three capital letters.
func IsNation(s string) bool {
	return len(s) == 3 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func (c Class) String() string {
	switch {
	case c == Unclassified():
		return "unclassified"
	case c.regime == "":
		return "mixed"
	}
	return c.regime + ":" + levelsOf(c.regime)[c.level-1]
}

// LessEqual tells whether c is no stricter than d.
func (c Class) LessEqual(d Class) bool {
	return c == d || d == Mixed() || c == Unclassified() || c.regime != "" && c.regime == d.regime && c.level <= d.level
}

func joinClass(a, b Class) Class {
	switch {
	case b.LessEqual(a):
		return a
	case a.LessEqual(b):
		return b
	}
	return Mixed()
}

func meetClass(a, b Class) Class {
	switch {
	case a.LessEqual(b):
		return a
	case b.LessEqual(a):
		return b
	}
	return Unclassified()
}
