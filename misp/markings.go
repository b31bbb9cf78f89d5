package misp

import (
	"strings"

	"entente/label"
	"entente/stix"
)

// markingRefs is the markings that state what restricts an element, and makes them when they are new.
func (c *converter) markingRefs(l level) []string {
	var refs []string
	if l.stated {
		refs = append(refs, label.TLPMarkingID(l.label.TLP, false))
		if !c.markings[refs[0]] {
			c.marking(refs[0], label.ToTLPMarking(l.label.TLP))
		}
	}
	if l.label.PAP != label.PAPClear {
		id, raw := papMarking(l.label.PAP)
		refs = append(refs, id)
		c.marking(id, raw)
	}
	return refs
}

func (c *converter) marking(id string, raw []byte) {
	if !c.markings[id] {
		c.markings[id] = true
		c.items = append(c.items, Item{ID: id, Raw: raw, Label: label.For(label.Clear), Stated: true})
	}
}

// labelsOf is the tags that mark nothing, and what MISP calls the element.
func labelsOf(tags []Tag, more ...string) []string {
	labels := more
	for i := range tags {
		name := tags[i].Name
		if len(name) >= 4 && (strings.EqualFold(name[:4], "tlp:") || strings.EqualFold(name[:4], "pap:")) || name == "" {
			continue
		}
		labels = append(labels, name)
	}
	return labels
}

// confidence is what the tags of a scale say.
func confidence(tags []Tag) (int, bool) {
	for i := range tags {
		name, value, ok := strings.Cut(tags[i].Name, "=")
		if !ok {
			continue
		}
		value = strings.Trim(value, `"`)
		switch name {
		case "misp:confidence-level":
			if n, ok := confidenceLevels[value]; ok {
				return n, true
			}
		case "admiralty-scale:information-credibility":
			if n, ok := stix.ScaleAdmiralty.Confidence(value); ok {
				return n, true
			}
		}
	}
	return 0, false
}

var confidenceLevels = map[string]int{"completely-confident": 100, "usually-confident": 75, "fairly-confident": 50, "rarely-confident": 25, "unconfident": 0}
