package label

import (
	"math/bits"
	"strings"
)

// Purposes is what a record may be used for, a set from a closed vocabulary. The zero value allows none.
type Purposes uint16

const (
	NetDefence Purposes = 1 << iota
	IncidentResponse
	AttributionOfAttacks
	LawEnforcement
	Military
	Sanctions
	Training
	Research
	PublicWarning

	// EveryPurpose is the whole vocabulary.
	EveryPurpose = PublicWarning<<1 - 1
)

var purposeNames = []string{"net-defence", "incident-response", "attribution", "law-enforcement", "military", "sanctions", "training", "research",
	"public-warning"}

// ParsePurposes reads words of the vocabulary; "all" is every one.
func ParsePurposes(words ...string) (Purposes, error) {
	var p Purposes
	for _, w := range words {
		if w == "all" {
			return EveryPurpose, nil
		}
		i, ok := parseName[uint8](purposeNames, w)
		if !ok {
			return 0, invalid("", "%s is no purpose: they are %s", quote(w), strings.Join(purposeNames, ", "))
		}
		p |= 1 << i
	}
	return p, nil
}

// List is the words of the purposes, in the order of the vocabulary.
func (p Purposes) List() []string {
	words := make([]string, 0, bits.OnesCount16(uint16(p)))
	for i, w := range purposeNames {
		if p&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return words
}

func (p Purposes) String() string {
	switch p & EveryPurpose {
	case 0:
		return "none"
	case EveryPurpose:
		return "all"
	}
	return strings.Join(p.List(), ", ")
}
