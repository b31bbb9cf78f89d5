package register

import (
	"fmt"
	"strings"
)

// CPE is a CPE 2.3 name (NISTIR 7695): eleven attributes, each any value, no value, or a text that may have wildcards.
type CPE [11]Attribute

// The attributes in the order of the formatted string.
const (
	cpePart = iota
	cpeVendor
	cpeProduct
	cpeVersion
	cpeUpdate
	cpeEdition
	cpeLanguage
	cpeSWEdition
	cpeTargetSW
	cpeTargetHW
	cpeOther
)

// Attribute is "*" for any value, "-" for none, or a text in lower case in which everything but letters, digits, underscore and the
// wildcards * and ? is escaped with a backslash.
type Attribute string

const (
	anyValue Attribute = "*"
	noValue  Attribute = "-"
)

// ParseCPE reads a name as a formatted string ("cpe:2.3:a:…"), or in the older form of a URI ("cpe:/a:…").
func ParseCPE(s string) (CPE, error) {
	if len(s) > 1000 {
		return CPE{}, fmt.Errorf("a CPE name has at most 1000 bytes")
	}
	lower := strings.ToLower(strings.TrimSpace(s))
	if rest, ok := strings.CutPrefix(lower, "cpe:/"); ok {
		return parseURI(rest)
	}
	rest, ok := strings.CutPrefix(lower, "cpe:2.3:")
	if !ok {
		return CPE{}, fmt.Errorf("%s is not a CPE name, which begins with \"cpe:2.3:\"", quote(s))
	}
	var c CPE
	n := 0
	for start, i := 0, 0; i <= len(rest); i++ {
		if i < len(rest) && rest[i] == '\\' {
			i++
			continue
		}
		if i < len(rest) && rest[i] != ':' {
			continue
		}
		if n == len(c) {
			return CPE{}, fmt.Errorf("%s has more than eleven parts", quote(s))
		}
		a, err := attribute(rest[start:min(i, len(rest))])
		if err != nil {
			return CPE{}, fmt.Errorf("%s: part %d: %w", quote(s), n+1, err)
		}
		c[n] = a
		n++
		start = i + 1
	}
	if n != len(c) {
		return CPE{}, fmt.Errorf("%s has %d parts instead of eleven", quote(s), n)
	}
	return c, c.check(s)
}

func (c *CPE) check(s string) error {
	switch c[cpePart] {
	case "a", "o", "h", anyValue:
	default:
		return fmt.Errorf("%s: the first part must be a, o, h or *", quote(s))
	}
	return nil
}

// attribute checks one part and brings it into one form: a backslash before what needs none goes.
func attribute(s string) (Attribute, error) {
	if s == "*" || s == "-" {
		return Attribute(s), nil
	}
	if s == "" {
		return "", fmt.Errorf("it is empty: write * for any value and - for none")
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\':
			i++
			if i == len(s) || s[i] <= ' ' || s[i] >= 0x7F {
				return "", fmt.Errorf("a backslash escapes nothing")
			}
			if c = s[i]; !plainByte(c) {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		case c == '*' || c == '?':
			// A wildcard stands at an end: one *, or any number of ?.
			if !edge(s, i) {
				return "", fmt.Errorf("a wildcard stands within the text")
			}
			b.WriteByte(c)
		case plainByte(c):
			b.WriteByte(c)
		case c == '-' || c == '.' || c == '~': // these are let pass unescaped, as published names have them
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			return "", fmt.Errorf("%s must be escaped", quote(string(rune(c))))
		}
	}
	return Attribute(b.String()), nil
}

func plainByte(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' }

func edge(s string, i int) bool {
	if s[i] == '*' {
		return i == 0 || i == len(s)-1
	}
	return strings.Trim(s[:i], "?") == "" || strings.Trim(s[i:], "?") == ""
}

// parseURI reads the URI binding of CPE 2.2 (NISTIR 7695 section 6.1): up to seven parts, percent-encoded, the later ones left out.
func parseURI(s string) (CPE, error) {
	var c CPE
	for i := range c {
		c[i] = anyValue
	}
	parts := strings.Split(s, ":")
	if len(parts) > 7 {
		return CPE{}, fmt.Errorf("%s has more than seven parts", quote("cpe:/"+s))
	}
	for i, p := range parts {
		if i == cpeEdition && strings.HasPrefix(p, "~") {
			packed := strings.Split(p[1:], "~")
			if len(packed) != 5 {
				return CPE{}, fmt.Errorf("the edition of %s does not have five packed parts", quote("cpe:/"+s))
			}
			for j, at := range []int{cpeEdition, cpeSWEdition, cpeTargetSW, cpeTargetHW, cpeOther} {
				a, err := uriPart(packed[j])
				if err != nil {
					return CPE{}, err
				}
				c[at] = a
			}
			continue
		}
		a, err := uriPart(p)
		if err != nil {
			return CPE{}, err
		}
		c[i] = a
	}
	return c, c.check("cpe:/" + s)
}

func uriPart(s string) (Attribute, error) {
	if s == "" {
		return anyValue, nil
	}
	if s == "-" {
		return noValue, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) || !isHexText(s[i+1:i+3], 2) {
				return "", fmt.Errorf("a percent sign in %s begins no escape", quote(s))
			}
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
			switch {
			case c == 1:
				b.WriteByte('?')
				continue
			case c == 2:
				b.WriteByte('*')
				continue
			case c <= ' ' || c >= 0x7F:
				return "", fmt.Errorf("an escape in %s stands for no printing character", quote(s))
			case c >= 'A' && c <= 'Z':
				c |= 0x20
			}
		}
		if c <= ' ' || c >= 0x7F {
			return "", fmt.Errorf("%s has a character that is not allowed", quote(s))
		}
		if !plainByte(c) {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return attribute(b.String())
}

func unhex(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

// String is the name as a formatted string.
func (c CPE) String() string {
	var b strings.Builder
	b.WriteString("cpe:2.3")
	for _, a := range c {
		b.WriteByte(':')
		for i := 0; i < len(a); i++ { // dots, hyphens within a text stand without a backslash (NISTIR 7695 section 6.2)
			if a[i] == '\\' && i+1 < len(a) && (a[i+1] == '.' || a[i+1] == '-' && len(a) > 2) {
				continue
			}
			b.WriteByte(a[i])
		}
	}
	return b.String()
}

// Text is the attribute without escapes; "" for any value and for none.
func (a Attribute) Text() string {
	if a == anyValue || a == noValue {
		return ""
	}
	var b strings.Builder
	for i := 0; i < len(a); i++ {
		if a[i] == '\\' && i+1 < len(a) {
			i++
		}
		b.WriteByte(a[i])
	}
	return b.String()
}

// literal tells whether the attribute is one text.
func (a Attribute) literal() bool { return a != anyValue && a != noValue && !a.wild() }

func (a Attribute) wild() bool {
	for i := 0; i < len(a); i++ {
		switch a[i] {
		case '\\':
			i++
		case '*', '?':
			return a != anyValue
		}
	}
	return false
}

// relation is how two sets of products stand to each other.
type relation uint8

const (
	disjoint relation = iota
	equal
	superset // the first has all of the second
	subset
	overlap // they may share some
)

// compare is the relation of two attributes (NISTIR 7696 table 6-2). Where both have wildcards, which that leaves open, they may overlap.
func (a Attribute) compare(b Attribute) relation {
	switch {
	case a == b:
		return equal
	case a == anyValue:
		return superset
	case b == anyValue:
		return subset
	case a == noValue || b == noValue:
		return disjoint
	case a.wild() && b.wild():
		return overlap
	case a.wild():
		if glob(string(a), string(b)) {
			return superset
		}
	case b.wild():
		if glob(string(b), string(a)) {
			return subset
		}
	}
	return disjoint
}

// compare is the relation of two names (NISTIR 7696 section 6.3).
func (c CPE) compare(d CPE) relation {
	out := equal
	for i := range c {
		out = both(out, c[i].compare(d[i]))
		if out == disjoint {
			break
		}
	}
	return out
}

// both is the relation of two sets of pairs, each of whose sides has the given one.
func both(a, b relation) relation {
	switch {
	case a == disjoint || b == disjoint:
		return disjoint
	case a == equal:
		return b
	case b == equal || a == b:
		return a
	}
	return overlap
}

// glob matches a text without wildcards, where ? is one character or, at an end, none, and * any number; a backslash makes one unit
// of itself and what follows.
func glob(pattern, text string) bool {
	p, t := units(pattern), units(text)
	lead, trail := 0, 0
	for lead < len(p) && p[lead] == "?" {
		lead++
	}
	for trail < len(p)-lead && p[len(p)-1-trail] == "?" {
		trail++
	}
	starLead := lead < len(p) && p[lead] == "*"
	core := p[lead : len(p)-trail]
	if starLead {
		core = core[1:]
	}
	starTrail := len(core) > 0 && core[len(core)-1] == "*"
	if starTrail {
		core = core[:len(core)-1]
	}
	for at := 0; at+len(core) <= len(t); at++ {
		rest := len(t) - at - len(core)
		if (starLead || at <= lead) && (starTrail || rest <= trail) && same(t[at:at+len(core)], core) {
			return true
		}
	}
	return false
}

func units(s string) []string {
	out := make([]string, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			out = append(out, s[i:i+2])
			i++
			continue
		}
		out = append(out, s[i:i+1])
	}
	return out
}

func same(a, b []string) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
