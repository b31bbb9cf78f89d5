// Package taxonomy reads the taxonomies that MISP publishes and tells whether a machine tag is one of theirs.
package taxonomy

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"entente/misp"
)

// MaxSize bounds the bytes of one taxonomy.
const MaxSize = 32 << 20

// Taxonomy is one vocabulary of machine tags.
type Taxonomy struct {
	Namespace   string      `json:"namespace"`
	Expanded    string      `json:"expanded"`
	Description string      `json:"description"`
	Version     int64       `json:"version"`
	UUID        string      `json:"uuid"`
	Exclusive   bool        `json:"exclusive"` // at most one of its tags fits one thing
	Types       []string    `json:"type"`
	Refs        []string    `json:"refs"`
	Predicates  []Predicate `json:"predicates"`
	Values      []struct {
		Predicate string  `json:"predicate"`
		Entries   []Entry `json:"entry"`
	} `json:"values"`

	predicates map[string]*Predicate
	entries    map[string]map[string]*Entry
}

// Predicate is one predicate; without entries it is a tag by itself.
type Predicate struct {
	Value       string  `json:"value"`
	Expanded    string  `json:"expanded"`
	Description string  `json:"description"`
	Colour      string  `json:"colour"`
	UUID        string  `json:"uuid"`
	Exclusive   bool    `json:"exclusive"` // at most one of its entries fits one thing
	Numerical   float64 `json:"numerical_value"`
}

// Entry is one value of a predicate.
type Entry struct {
	Value       string  `json:"value"`
	Expanded    string  `json:"expanded"`
	Description string  `json:"description"`
	Colour      string  `json:"colour"`
	UUID        string  `json:"uuid"`
	Numerical   float64 `json:"numerical_value"`
}

// Parse reads a machinetag.json. The error is a *misp.Error.
func Parse(raw []byte) (*Taxonomy, error) {
	if len(raw) > MaxSize {
		return nil, &misp.Error{Code: misp.CodeSize, Offset: -1, Rule: rule, Message: "the taxonomy is larger than 32 MiB"}
	}
	t := &Taxonomy{predicates: map[string]*Predicate{}, entries: map[string]map[string]*Entry{}}
	if err := json.Unmarshal(raw, t); err != nil {
		return nil, &misp.Error{Code: misp.CodeSyntax, Offset: -1, Rule: rule, Message: "this is no taxonomy: " + err.Error(), Err: err}
	}
	if t.Namespace == "" || len(t.Predicates) == 0 {
		return nil, &misp.Error{Code: misp.CodeSyntax, Pointer: "/namespace", Offset: -1, Rule: rule, Message: "a taxonomy needs a namespace and predicates"}
	}
	for i := range t.Predicates {
		t.predicates[strings.ToLower(t.Predicates[i].Value)] = &t.Predicates[i]
	}
	for i := range t.Values {
		name := strings.ToLower(t.Values[i].Predicate)
		if t.predicates[name] == nil {
			return nil, &misp.Error{Code: misp.CodeSyntax, Pointer: fmt.Sprintf("/values/%d/predicate", i), Offset: -1, Rule: rule, Message: fmt.Sprintf("%.64q is none of the predicates", t.Values[i].Predicate)}
		}
		if t.entries[name] == nil {
			t.entries[name] = map[string]*Entry{}
		}
		for j := range t.Values[i].Entries {
			e := &t.Values[i].Entries[j]
			t.entries[name][strings.ToLower(e.Value)] = e
		}
	}
	return t, nil
}

const rule = "MISP taxonomy format"

// Tags is all tags of the taxonomy, in its order.
func (t *Taxonomy) Tags() []string {
	var tags []string
	for i := range t.Predicates {
		p := &t.Predicates[i]
		entries := false
		for j := range t.Values {
			if !strings.EqualFold(t.Values[j].Predicate, p.Value) {
				continue
			}
			for k := range t.Values[j].Entries {
				entries = true
				tags = append(tags, Tag{t.Namespace, p.Value, t.Values[j].Entries[k].Value}.String())
			}
		}
		if !entries {
			tags = append(tags, Tag{t.Namespace, p.Value, ""}.String())
		}
	}
	return tags
}

// Tag is a machine tag: namespace:predicate or namespace:predicate="value".
type Tag struct{ Namespace, Predicate, Value string }

// ParseTag takes a tag apart; false: it is a free tag.
func ParseTag(s string) (Tag, bool) {
	namespace, rest, ok := strings.Cut(s, ":")
	if !ok || namespace == "" || rest == "" || strings.ContainsAny(namespace, " \"=") {
		return Tag{}, false
	}
	predicate, value, ok := strings.Cut(rest, "=")
	if !ok {
		return Tag{namespace, predicate, ""}, !strings.Contains(predicate, `"`)
	}
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	return Tag{namespace, predicate, value}, predicate != "" && value != ""
}

// String writes the tag.
func (t Tag) String() string {
	if t.Value == "" {
		return t.Namespace + ":" + t.Predicate
	}
	return t.Namespace + ":" + t.Predicate + `="` + t.Value + `"`
}

// Library is taxonomies by their namespace.
type Library struct{ byName map[string]*Taxonomy }

// NewLibrary makes a library. Of two taxonomies of one namespace the later version counts.
func NewLibrary(taxonomies ...*Taxonomy) *Library {
	l := &Library{byName: map[string]*Taxonomy{}}
	for _, t := range taxonomies {
		name := strings.ToLower(t.Namespace)
		if old := l.byName[name]; old == nil || old.Version <= t.Version {
			l.byName[name] = t
		}
	}
	return l
}

// Taxonomy is the one of a namespace.
func (l *Library) Taxonomy(namespace string) (*Taxonomy, bool) {
	t, ok := l.byName[strings.ToLower(namespace)]
	return t, ok
}

// Verdict is what a library knows of a tag.
type Verdict string

// The verdicts.
const (
	Known            Verdict = "known"
	Free             Verdict = "free"              // no machine tag
	UnknownNamespace Verdict = "unknown-namespace" // no taxonomy at hand has it
	UnknownPredicate Verdict = "unknown-predicate"
	UnknownValue     Verdict = "unknown-value"
)

// Judge tells whether a tag is one of a taxonomy. Case makes no difference.
func (l *Library) Judge(tag string) Verdict {
	parsed, ok := ParseTag(tag)
	if !ok {
		return Free
	}
	t, ok := l.Taxonomy(parsed.Namespace)
	if !ok {
		return UnknownNamespace
	}
	predicate := strings.ToLower(parsed.Predicate)
	if t.predicates[predicate] == nil {
		return UnknownPredicate
	}
	entries := t.entries[predicate]
	if parsed.Value == "" {
		if len(entries) > 0 {
			return UnknownValue
		}
		return Known
	}
	if entries[strings.ToLower(parsed.Value)] == nil {
		return UnknownValue
	}
	return Known
}

// Conflicts is the pairs of tags of one thing that exclude each other.
func (l *Library) Conflicts(tags []string) [][2]string {
	var out [][2]string
	first := map[string]string{}
	for _, tag := range tags {
		parsed, ok := ParseTag(tag)
		if !ok || l.Judge(tag) != Known {
			continue
		}
		t, _ := l.Taxonomy(parsed.Namespace)
		key := ""
		switch {
		case t.Exclusive:
			key = strings.ToLower(t.Namespace)
		case t.predicates[strings.ToLower(parsed.Predicate)].Exclusive && parsed.Value != "":
			key = strings.ToLower(t.Namespace + ":" + parsed.Predicate)
		default:
			continue
		}
		if other, taken := first[key]; taken && !strings.EqualFold(other, tag) {
			out = append(out, [2]string{other, tag})
		} else if !taken {
			first[key] = tag
		}
	}
	return out
}
