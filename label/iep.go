package label

// Caveats that imports state.
const (
	CaveatEncrypt        = "ENCRYPT-IN-TRANSIT"
	CaveatNoNotification = "NO-VICTIM-NOTIFICATION"
	CaveatNoResale       = "NO-RESALE"
	CaveatPII            = "PII-POSSIBLE"
	CaveatProprietary    = "PROPRIETARY"
	CaveatLawEnforcement = "LES"
	CaveatOfficialUse    = "FOUO"
	CaveatFISA           = "FISA"
)

// caveat adds a word to a label's caveats. A word that cannot be one makes them all: the top.
func (l *Label) caveat(word string) {
	s, err := NewSet(word)
	if err != nil {
		s = All()
	}
	l.Caveat = l.Caveat.Union(s)
}

// fromIEP reads a policy of FIRST's Information Exchange Policy 2.0. It only restricts: a value that is not known is the top of its dimension,
// and a statement that is not known admits nobody but the originator.
func fromIEP(policy object) Marking {
	l := Bottom()
	stated := false
	for name, value := range policy {
		word, _ := value.(string)
		switch name {
		case "id", "name", "description", "external_reference":
		case "iep_version":
			if value != "2.0" && value != "2" && value != 2.0 {
				l = Join(l, Label{})
			}
		case "start_date":
			l.NotBefore = latest
			if t, ok := readTime(value); ok {
				l.NotBefore = t
			}
		case "end_date":
			if value == nil {
				continue
			}
			l.NotAfter = earliest
			if t, ok := readTime(value); ok {
				l.NotAfter = t
			}
		case "encrypt_in_transit":
			l.restrict(word, "may", "must", CaveatEncrypt)
		case "affected_party_notifications":
			l.restrict(word, "may", "must-not", CaveatNoNotification)
		case "unmodified_resale":
			l.restrict(word, "may", "must-not", CaveatNoResale)
		case "permitted_actions":
			l.PAP = min(l.PAP, iepActions[word]) // an unknown word is the zero value: ask
		case "attribution":
			a, _ := parseName[Attribution](attributionNames, word)
			l.Attribution = joinAttribution(l.Attribution, a)
		case "tlp":
			t, _ := ParseTLP(word)
			l.TLP, stated = min(l.TLP, t), true
		default:
			l = Join(l, Label{})
			l.caveat("iep:" + name)
		}
	}
	return Marking{Model: "iep", Label: l.normal(), StatesTLP: stated}
}

var iepActions = map[string]PAP{
	"none": PAPAsk, "contact-for-instruction": PAPAsk, "internally-visible-actions": PAPRed,
	"externally-visible-indirect-actions": PAPAmber, "externally-visible-direct-actions": PAPGreen,
}

// restrict adds the caveat for the word that binds, nothing for the word that frees, and every caveat for any other.
func (l *Label) restrict(word, free, binds, caveat string) {
	switch word {
	case free:
	case binds:
		l.caveat(caveat)
	default:
		l.Caveat = All()
	}
}
