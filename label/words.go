package label

import "strings"

// ParseWords reads a label as people write it: words with commas between them, "tlp:amber,pap:green,org:UTO/cert". Words that are neither a TLP
// nor a PAP are principals of the audience. statesTLP tells whether one of the words was a TLP.
func ParseWords(s string) (l Label, statesTLP bool, err error) {
	l = Bottom()
	var audience []string
	for word := range strings.SplitSeq(s, ",") {
		word = strings.TrimSpace(word)
		kind, _, _ := strings.Cut(strings.ToLower(word), ":")
		part := Bottom()
		switch kind {
		case "tlp":
			statesTLP = true
			part.TLP, err = ParseTLP(word)
		case "pap":
			part.PAP, err = ParsePAP(word)
		default:
			audience = append(audience, word)
		}
		if err != nil {
			return Label{}, false, err
		}
		l = Join(l, part)
	}
	if len(audience) > 0 {
		if l.Audience, err = NewAudience(audience...); err != nil {
			return Label{}, false, err
		}
	}
	return l, statesTLP, nil
}
