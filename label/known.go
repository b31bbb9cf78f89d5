package label

import (
	"cmp"
	"fmt"
	"slices"
)

const (
	tlp2Extension    = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
	acsExtension     = "extension-definition--3a65884d-005a-4290-8335-cb2d778a83ce"
	openCTIExtension = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba" // housekeeping of one product, restricts nothing

	markingPrefix = "marking-definition--"
)

// wellKnown is one marking definition whose id everybody knows.
type wellKnown struct {
	id     string
	tlp    TLP
	legacy bool // of STIX core, or minted where STIX core had none
}

// wellKnowns is the only table of such ids: TLP 2.0 as FIRST and OASIS carry it, TLP 1 of STIX 2.1 section 7.2.1.4, and the id that OpenCTI
// mints for the label that TLP 1 has not.
var wellKnowns = []wellKnown{
	{markingPrefix + "94868c89-83c2-464b-929b-a1a8aa3c8487", Clear, false},
	{markingPrefix + "bab4a63c-aed9-4cf5-a766-dfca5abac2bb", Green, false},
	{markingPrefix + "55d920b0-5e8b-4f79-9ee9-91f868d9b421", Amber, false},
	{markingPrefix + "939a9414-2ddd-4d32-a0cd-375ea402b003", AmberStrict, false},
	{markingPrefix + "e828b379-4e03-4974-9ac4-e53a884c97c1", Red, false},
	{markingPrefix + "613f2e26-407d-48c7-9eca-b8e91df99dc9", Clear, true},
	{markingPrefix + "34098fce-860f-48ae-8e50-ebd3cc5e41da", Green, true},
	{markingPrefix + "f88d31f6-486f-44da-b317-01333bde0b82", Amber, true},
	{markingPrefix + "826578e1-40ad-459f-bc73-ede076f81f37", AmberStrict, true},
	{markingPrefix + "5e57c739-391a-4eb3-b6be-7d15ca92d5ed", Red, true},
}

func lookUp(id string) (wellKnown, bool) {
	i := slices.IndexFunc(wellKnowns, func(w wellKnown) bool { return w.id == id })
	if i < 0 {
		return wellKnown{}, false
	}
	return wellKnowns[i], true
}

// MarkingByID is the marking of a well-known id, which needs no definition at hand.
func MarkingByID(id string) (Marking, bool) {
	w, ok := lookUp(id)
	return Marking{ID: w.id, Model: "tlp", Label: For(w.tlp), StatesTLP: true}, ok
}

// ByID is the label of a well-known marking definition id.
func ByID(id string) (Label, bool) {
	m, ok := MarkingByID(id)
	return m.Label, ok
}

// TLPMarkingID is the id of the marking definition that states the TLP: TLP 2.0, or the older one for those who do not read that.
func TLPMarkingID(t TLP, legacy bool) string {
	t = known(tlpNames, t)
	i := slices.IndexFunc(wellKnowns, func(w wellKnown) bool { return w.tlp == t && w.legacy == legacy })
	return wellKnowns[i].id
}

// ToTLPMarking is the STIX 2.1 marking definition that states the TLP, as TLP 2.0 carries it.
func ToTLPMarking(t TLP) []byte {
	t = known(tlpNames, t)
	return fmt.Appendf(nil, `{"type":"marking-definition","spec_version":"2.1","id":%q,"created":"2022-10-01T00:00:00.000Z","name":%q,`+
		`"extensions":{%q:{"extension_type":"property-extension","tlp_2_0":%q}}}`, TLPMarkingID(t, false), t, tlp2Extension, tlpWords[t])
}

// ToLegacyTLPMarking is the marking definition of STIX core that states the TLP. AMBER+STRICT, which it has not, takes the form and id that
// OpenCTI mints.
func ToLegacyTLPMarking(t TLP) []byte {
	t = known(tlpNames, t)
	name, word := t.String(), tlpWords[t]
	if t == Clear {
		name, word = "TLP:WHITE", "white"
	}
	return fmt.Appendf(nil, `{"type":"marking-definition","spec_version":"2.1","id":%q,"created":"2017-01-20T00:00:00.000Z","definition_type":"tlp",`+
		`"name":%q,"definition":{"tlp":%q}}`, TLPMarkingID(t, true), name, word)
}

var tlpWords = [...]string{Red: "red", AmberStrict: "amber+strict", Amber: "amber", Green: "green", Clear: "clear"}

// Marking is what one marking definition says.
type Marking struct {
	ID        string
	Model     string // "tlp", "pap", "statement", "iep" or "acs"
	Label     Label
	StatesTLP bool // it states a TLP, so that no default is needed
}

// Of is the label of an object with these markings on the whole of it and on parts of it: the join of all, because what is released is released
// whole. Two different TLPs on the whole are contradictory. stated tells whether a TLP was stated for the whole; otherwise the default of the
// object's agreement, feed or collection is to be joined.
func Of(object, granular []Marking) (l Label, stated bool, err error) {
	l = Bottom()
	var first Marking
	for _, m := range object {
		l = Join(l, m.Label)
		switch {
		case !m.StatesTLP:
		case stated && m.Label.TLP != first.Label.TLP:
			return Label{}, true, &Error{Kind: ErrContradictory, Code: "marking.several_tlp", Rule: "STIX 2.1 section 7.2.1.4",
				Message: fmt.Sprintf("the object is %s by %s and %s by %s", first.Label.TLP, cmp.Or(first.ID, "one marking"), m.Label.TLP, cmp.Or(m.ID, "another"))}
		default:
			stated, first = true, m
		}
	}
	for _, m := range granular {
		l = Join(l, m.Label)
	}
	return l, stated, nil
}
