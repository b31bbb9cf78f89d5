package stix

import (
	"errors"
	"fmt"
	"strings"

	"entente/stix/pattern"
)

func (c *checker) indicator(v value) {
	c.notBefore(v, "valid_from", "valid_until", true, "4.7")
	if !v.get("name").ok() || !v.get("description").ok() {
		c.report("indicator.text", "", "an indicator should have a name and a description")
	}
	src := v.get("pattern")
	if !src.isString() || string(v.get("pattern_type").bytes()) != "stix" {
		return
	}
	p, err := pattern.Parse(src.text())
	c.path = append(c.path, pathStep{key: src.at - 1})
	defer func() { c.path = c.path[:len(c.path)-1] }()
	if err != nil {
		section := "9"
		if e, ok := errors.AsType[*pattern.Error](err); ok {
			section = e.Section
		}
		c.report("pattern.syntax", section, "the pattern is not valid: "+err.Error())
		return
	}
	c.patternNames(p)
}

// patternNames tells of types and properties in a pattern that the standard does not define. Real feeds have them, and the grammar
// allows them, so that they never make a pattern invalid.
func (c *checker) patternNames(p *pattern.Pattern) {
	for _, problem := range p.Warnings() {
		message := fmt.Sprintf("%s (line %d, column %d)", problem.Message, problem.Line, problem.Col)
		switch problem.Code {
		case pattern.CodeUnknownType:
			if typ := patternType(p.Source()[problem.Offset:]); c.opt.KnownTypes || !strings.HasPrefix(typ, "x-") {
				c.report("pattern.type", problem.Section, message)
			}
		case pattern.CodeUnknownProperty:
			if c.opt.KnownProperties {
				c.report("pattern.property", problem.Section, message)
			}
		}
	}
}

// patternType is the object type that stands at the start of a piece of a pattern.
func patternType(src string) string {
	typ, _, _ := strings.Cut(src, ":")
	return strings.Trim(typ, "[( \t\r\n'")
}
