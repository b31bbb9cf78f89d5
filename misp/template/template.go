// Package template reads the object templates that MISP publishes and checks objects against them.
package template

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"entente/misp"
)

// MaxSize bounds the bytes of one template.
const MaxSize = 8 << 20

// Template is the definition of one kind of object.
type Template struct {
	Name          string               `json:"name"`
	MetaCategory  string               `json:"meta-category"`
	Description   string               `json:"description"`
	UUID          string               `json:"uuid"`
	Version       int64                `json:"version"`
	Required      []string             `json:"required"`
	RequiredOneOf []string             `json:"requiredOneOf"`
	Attributes    map[string]Attribute `json:"attributes"` // by relation
}

// Attribute is what a template says of one relation.
type Attribute struct {
	Type               string   `json:"misp-attribute"`
	Description        string   `json:"description"`
	Categories         []string `json:"categories"`
	Multiple           bool     `json:"multiple"`
	ToIDs              *bool    `json:"to_ids"`
	DisableCorrelation bool     `json:"disable_correlation"`
	SaneDefaults       []string `json:"sane_default"`
	Values             []string `json:"values_list"` // where there are some, no others are allowed
	Priority           int      `json:"ui-priority"`
}

// Parse reads a definition.json. The error is a *misp.Error.
func Parse(raw []byte) (*Template, error) {
	if len(raw) > MaxSize {
		return nil, &misp.Error{Code: misp.CodeSize, Offset: -1, Rule: rule, Message: "the template is larger than 8 MiB"}
	}
	t := new(Template)
	if err := json.Unmarshal(raw, t); err != nil {
		return nil, &misp.Error{Code: misp.CodeSyntax, Offset: -1, Rule: rule, Message: "this is no object template: " + err.Error(), Err: err}
	}
	if t.Name == "" || len(t.Attributes) == 0 {
		return nil, &misp.Error{Code: misp.CodeSyntax, Offset: -1, Rule: rule, Message: "a template needs a name and attributes"}
	}
	for _, relation := range slices.Concat(t.Required, t.RequiredOneOf) {
		if _, ok := t.Attributes[relation]; !ok {
			return nil, &misp.Error{Code: misp.CodeSyntax, Pointer: "/required", Offset: -1, Rule: rule, Message: fmt.Sprintf("%.64q is required and none of the attributes", relation)}
		}
	}
	return t, nil
}

const rule = "MISP object template format"

// The codes of a Problem. They are stable.
const (
	ProblemRequired = "template.required" // a required relation is missing
	ProblemOneOf    = "template.one_of"   // none of those of which one is required is there
	ProblemUnknown  = "template.relation" // the template has no such relation
	ProblemType     = "template.type"     // the attribute has another type
	ProblemMultiple = "template.multiple" // a relation that stands once stands more often
	ProblemValue    = "template.value"    // a value that is not on the list
)

// Problem is one breach of a template.
type Problem struct {
	Code    string
	Pointer string // RFC 6901 pointer into the object
	Message string
}

// Check tells where an object breaks its template. Deleted attributes do not count.
func (t *Template) Check(o *misp.Object) []Problem {
	var out []Problem
	count := map[string]int{}
	for i := range o.Attributes {
		a := &o.Attributes[i]
		if a.Deleted.True() {
			continue
		}
		pointer := fmt.Sprintf("/Attribute/%d", i)
		def, ok := t.Attributes[a.ObjectRelation]
		if !ok {
			out = append(out, Problem{ProblemUnknown, pointer + "/object_relation", fmt.Sprintf("%s has no relation %.64q", t.Name, a.ObjectRelation)})
			continue
		}
		count[a.ObjectRelation]++
		if a.Type != def.Type {
			out = append(out, Problem{ProblemType, pointer + "/type", fmt.Sprintf("%s is of the type %s, not %.64q", a.ObjectRelation, def.Type, a.Type)})
		}
		if count[a.ObjectRelation] == 2 && !def.Multiple {
			out = append(out, Problem{ProblemMultiple, pointer, a.ObjectRelation + " may stand once"})
		}
		if len(def.Values) > 0 && !slices.Contains(def.Values, a.Value) {
			out = append(out, Problem{ProblemValue, pointer + "/value", fmt.Sprintf("%.64q is not a value of %s", a.Value, a.ObjectRelation)})
		}
	}
	for _, relation := range t.Required {
		if count[relation] == 0 {
			out = append(out, Problem{ProblemRequired, "", relation + " is required"})
		}
	}
	if len(t.RequiredOneOf) > 0 && !slices.ContainsFunc(t.RequiredOneOf, func(r string) bool { return count[r] > 0 }) {
		out = append(out, Problem{ProblemOneOf, "", "one of " + strings.Join(t.RequiredOneOf, ", ") + " is required"})
	}
	return out
}

// New begins an object by the template.
func (t *Template) New() misp.Object {
	return misp.Object{Name: t.Name, MetaCategory: t.MetaCategory, Description: t.Description, TemplateUUID: t.UUID, TemplateVersion: fmt.Sprint(t.Version),
		Distribution: misp.DistributionInherit}
}
