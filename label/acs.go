package label

import (
	"slices"
	"strings"
)

// fromACS reads a marking of the Access Control Specification 3.0 (the ISA extension that AIS 2.0 carries). It only restricts. What is not
// permitted is denied; a value that is not known is the top of its dimension, and a member that is not known admits nobody but the originator.
func fromACS(acs object) Marking {
	l := Bottom()
	privilegeDefault, sharingDefault := acsDefaults(acs["policy_reference"])
	for name, value := range acs {
		switch name {
		case "extension_type", "identifier", "name", "create_date_time", "responsible_entity_custodian", "responsible_entity_originator",
			"original_classification", "derivative_classification", "policy_reference", "access_privilege", "further_sharing", "control_set":
		case "declassification", "public_release": // they free, and an import never does
		case "authority_reference":
			l.Authority = l.Authority.Union(wordSet(value))
		case "resource_disposition":
			l.dispose(value)
		default:
			l = Join(l, Label{})
			l.caveat("acs:" + name)
		}
	}
	l.privileges(acs["access_privilege"], privilegeDefault)
	l.sharing(acs["further_sharing"], sharingDefault)
	l.controls(acs["control_set"])
	return Marking{Model: "acs", Label: l.normal()}
}

// acsDefaults tells whether the policy permits what it does not speak of.
func acsDefaults(reference any) (privilege, sharing bool) {
	s, _ := reference.(string)
	policy, query, _ := strings.Cut(s, "?")
	if policy != "urn:isa:policy:acs:ns:v3.0" {
		return false, false
	}
	parts := strings.Split(query, "&")
	return slices.Contains(parts, "privdefault=permit"), slices.Contains(parts, "sharedefault=permit")
}

// wordSet is a word or a list of words; anything else is everything.
func wordSet(v any) Set {
	words, ok := words(v)
	if !ok {
		return All()
	}
	s, err := NewSet(words...)
	if err != nil {
		return All()
	}
	return s
}

// words are the strings of a string or a list of strings.
func words(v any) ([]string, bool) {
	switch v := v.(type) {
	case string:
		return []string{v}, true
	case []any:
		list := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			list = append(list, s)
		}
		return list, true
	}
	return nil, false
}

// dispose: what is to be disposed of is kept until then, and without a date that is understood not at all.
func (l *Label) dispose(v any) {
	o, _ := v.(object)
	t, ok := readTime(o["disposition_date"])
	if !ok {
		t = earliest
	}
	l.NotAfter = firstEnd(l.NotAfter, t)
	l.Purge = PurgeBoth
}

// acsPurposes are the purposes that an action permits. Actions that serve none of ours permit nothing.
var acsPurposes = map[string]Purposes{
	"NETDEF": NetDefence | IncidentResponse, "CISAUSES": NetDefence | IncidentResponse, "LEGAL": LawEnforcement, "INTEL": AttributionOfAttacks,
	"OPACTION": 0, "DSPLY": 0, "IDSRC": 0, "TENOT": 0, "TEARLINE": 0, "REQUEST": 0, "ANONYMOUSACCESS": 0,
}

// privileges reads who may do what. Each permit has a scope of its own and a label has one audience: it is what all their scopes share.
func (l *Label) privileges(v any, permitDefault bool) {
	list, ok := v.([]any)
	if v != nil && !ok {
		l.Audience, l.Purpose = Set{}, 0
		return
	}
	var permitted, denied Purposes
	source, notify := permitDefault, permitDefault
	var sourceDenied, notifyDenied bool // a denial stands whatever else permits
	if permitDefault {
		permitted = EveryPurpose
	}
	for _, e := range list {
		p, _ := e.(object)
		action, _ := p["privilege_action"].(string)
		purposes, isKnown := acsPurposes[action]
		permit := p["rule_effect"] == "permit"
		switch {
		case permit:
			permitted |= purposes
			l.grant(p["privilege_scope"])
		case !isKnown:
			denied = EveryPurpose
		default:
			denied |= purposes
		}
		switch action {
		case "DSPLY":
			if !permit {
				l.Audience = Set{}
			}
		case "IDSRC":
			source = source || permit
			sourceDenied = sourceDenied || !permit
		case "TENOT":
			notify = notify || permit
			notifyDenied = notifyDenied || !permit
		}
	}
	l.Purpose &= permitted &^ denied
	if !source || sourceDenied {
		l.Attribution = joinAttribution(l.Attribution, MustNot)
	}
	if !notify || notifyDenied {
		l.caveat(CaveatNoNotification)
	}
}

// grant narrows the audience to those that the scope of a permit names; a permit without a scope, or with one that is not understood, is for
// nobody.
func (l *Label) grant(v any) {
	o, _ := v.(object)
	if len(o) == 0 {
		l.Audience = Set{}
	}
	for name, value := range o {
		l.scope(name, value)
	}
}

// scope narrows the audience by one member of a scope. Nations can be named here; organisations, shareabilities and entities of the ISA
// vocabulary cannot, so that a scope that names them admits nobody but the originator.
func (l *Label) scope(name string, value any) {
	list, ok := words(value)
	switch name {
	case "permitted_nationalities", "permitted_organizations", "shareability", "entity":
	default:
		ok = false
	}
	switch {
	case ok && slices.Equal(list, []string{"ALL"}):
	case ok && name == "permitted_nationalities":
		l.nations(list)
	default:
		l.Audience = Set{}
	}
}

func (l *Label) nations(codes []string) {
	principals := make([]string, len(codes))
	for i, c := range codes {
		principals[i] = Nation(c)
	}
	audience, err := NewAudience(principals...)
	if err != nil {
		audience = Set{}
	}
	l.Audience = l.Audience.Intersect(audience)
}

// sharing reads to whom a holder may pass it on. Short of everybody, it stays with the organisation that got it.
func (l *Label) sharing(v any, permitDefault bool) {
	list, ok := v.([]any)
	everybody := permitDefault && (ok || v == nil)
	some := false
	for _, e := range list {
		s, _ := e.(object)
		scope, _ := words(s["sharing_scope"])
		permit := s["rule_effect"] == "permit"
		everybody = everybody && permit || permit && slices.Equal(scope, []string{"ALL"}) && len(list) == 1
		some = some || permit
	}
	switch {
	case everybody:
	case some:
		l.Onward, l.TLP = min(l.Onward, OnwardConsent), min(l.TLP, AmberStrict)
	default:
		l.Onward, l.TLP = OnwardNone, min(l.TLP, AmberStrict)
	}
}

var acsClasses = map[string]Class{"U": Unclassified(), "C": {"USA", 2}, "S": {"USA", 3}, "TS": {"USA", 4}}

// controls reads the control set: classification, determinations, caveats, and a scope for the whole.
func (l *Label) controls(v any) {
	o, _ := v.(object)
	class, _ := o["classification"].(string)
	l.Class = joinClass(l.Class, acsClasses[class]) // an unknown class is the zero value: mixed
	for name, value := range o {
		list, ok := words(value)
		switch name {
		case "classification":
			continue
		case "permitted_nationalities", "permitted_organizations", "shareability", "entity":
			l.scope(name, value)
			continue
		case "formal_determination", "caveat", "sensitivity", "logical_authority_category":
		case "sci_controls":
			l.Class = Mixed()
		default:
			*l = Join(*l, Label{})
		}
		if !ok {
			*l = Join(*l, Label{})
		}
		for _, w := range list {
			l.control(name, w)
		}
	}
}

// control heeds one word of the control set. A word that is not known could limit release: it admits nobody but the originator.
func (l *Label) control(name, word string) {
	switch word {
	case "PUBREL", "NO-PII-PRESENT", "INFORMATION-DIRECTLY-RELATED-TO-CYBERSECURITY-THREAT":
	case "NF", "NOFORN":
		l.nations([]string{"USA"})
	case "AIS":
		l.Attribution = joinAttribution(l.Attribution, MustNot)
	case "OC", "ORCON":
		l.Onward = min(l.Onward, OnwardConsent)
	case "FOUO":
		l.caveat(CaveatOfficialUse)
	case "POSSIBLEPII", "PII", "PII-NECESSARY-TO-UNDERSTAND-THREAT":
		l.caveat(CaveatPII)
	case "CISAPROPRIETARY", "PR":
		l.caveat(CaveatProprietary)
	case "LES":
		l.caveat(CaveatLawEnforcement)
	case "FISA":
		l.caveat(CaveatFISA)
	default:
		l.Audience = Set{}
		l.caveat("acs:" + name + ":" + word)
	}
}
