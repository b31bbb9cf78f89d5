package label

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxMarking bounds the bytes of one marking definition.
const maxMarking = 1 << 20

// object is a JSON object as it came.
type object = map[string]any

// FromMarking is the label that a STIX marking definition states; see ReadMarking.
func FromMarking(raw []byte) (Label, error) {
	m, err := ReadMarking(raw)
	return m.Label, err
}

// ReadMarking reads a STIX marking definition: TLP 2.0, TLP 1, PAP, statements (which restrict nothing), FIRST IEP 2.0 and ACS 3.0. The id and
// every place that says something must agree: a marking that says two things is ErrContradictory, one whose meaning is not known is
// ErrUnintelligible, anything that is no marking definition is ErrInvalid. With an error the label is the zero value.
func ReadMarking(raw []byte) (Marking, error) {
	if len(raw) > maxMarking {
		return Marking{}, invalid("", "a marking definition is at most %d bytes", maxMarking)
	}
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return Marking{}, syntax(err)
	}
	r := reading{object: o}
	m, err := r.read()
	if err != nil {
		return Marking{}, err
	}
	return m, nil
}

func syntax(err error) error {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return invalid(short(syntactic.JSONPointer), "not JSON as RFC 8259 and I-JSON have it: %v", syntactic.Err)
	}
	return invalid("", "a marking definition is a JSON object")
}

// reading collects what the parts of one marking definition say.
type reading struct {
	object
	id       string
	tlp      []TLP // every statement of it; they must agree
	pap      []PAP
	defined  bool // the content, and not only the name, states a TLP
	chatham  bool
	said     bool // something was understood
	imported *Marking
}

func (r *reading) read() (Marking, error) {
	if r.object["type"] != "marking-definition" {
		return Marking{}, invalid("/type", "this must be marking-definition")
	}
	id, ok := r.object["id"].(string)
	if !ok || !strings.HasPrefix(id, markingPrefix) || checkMember(id) != nil {
		return Marking{}, invalid("/id", "this must be the id of a marking definition")
	}
	r.id = id
	for _, part := range []func() error{r.readDefinition, r.readOpenCTI, r.readExtensions, r.readName} {
		if err := part(); err != nil {
			return Marking{}, err
		}
	}
	return r.conclude()
}

func (r *reading) readDefinition() error {
	kind, has := r.object["definition_type"]
	definition, hasDefinition := r.object["definition"]
	if !has && !hasDefinition {
		return nil
	}
	word, ok := kind.(string)
	if !ok {
		return invalid("/definition_type", "a definition needs its type, a string")
	}
	content, ok := definition.(object)
	if !ok {
		return invalid("/definition", "this must be an object")
	}
	switch word = strings.ToLower(word); word {
	case "tlp", "pap":
		value, ok := content[word].(string)
		if !ok {
			return invalid("/definition/"+word, "this must be a string")
		}
		return r.claim(word, value, "/definition/"+word)
	case "statement":
		value, ok := content["statement"].(string)
		if !ok {
			return invalid("/definition/statement", "this must be a string")
		}
		r.said = true
		if prefix := modelOf(value); prefix != "" && !strings.ContainsAny(value, " \t\n") {
			return r.claim(prefix, value, "/definition/statement")
		}
		return nil
	case "iep":
		if inner, ok := content["iep"].(object); ok {
			content = inner
		}
		r.take(fromIEP(content))
		return nil
	}
	return unintelligible("marking.unknown_type", "/definition_type", "%s is no kind of marking that is known here", quote(word))
}

// readOpenCTI reads the two properties by which OpenCTI carries markings that STIX core has not.
func (r *reading) readOpenCTI() error {
	kind, has := r.object["x_opencti_definition_type"]
	value, hasValue := r.object["x_opencti_definition"]
	if !has && !hasValue {
		return nil
	}
	word, ok := kind.(string)
	if !ok {
		return invalid("/x_opencti_definition_type", "this must be a string beside x_opencti_definition")
	}
	text, ok := value.(string)
	if !ok {
		return invalid("/x_opencti_definition", "this must be a string beside x_opencti_definition_type")
	}
	switch word = strings.ToLower(word); word {
	case "tlp", "pap":
		return r.claim(word, text, "/x_opencti_definition")
	case "statement":
		r.said = true
		return nil
	}
	return unintelligible("marking.unknown_type", "/x_opencti_definition_type", "%s is no kind of marking that is known here", quote(word))
}

func (r *reading) readExtensions() error {
	value, has := r.object["extensions"]
	if !has {
		return nil
	}
	extensions, ok := value.(object)
	if !ok {
		return invalid("/extensions", "this must be an object")
	}
	for _, id := range slices.Sorted(maps.Keys(extensions)) {
		if checkMember(id) != nil {
			return invalid("/extensions", "%s is not the id of an extension", quote(id))
		}
		pointer := string(jsontext.Pointer("/extensions").AppendToken(id))
		content, ok := extensions[id].(object)
		if !ok {
			return invalid(pointer, "an extension must be an object")
		}
		switch {
		case id == tlp2Extension:
			word, ok := content["tlp_2_0"].(string)
			if !ok {
				return invalid(pointer+"/tlp_2_0", "this must be a string")
			}
			if err := r.claim("tlp", word, pointer+"/tlp_2_0"); err != nil {
				return err
			}
		case id == acsExtension:
			r.take(fromACS(content))
		case content["iep_version"] != nil:
			delete(content, "extension_type")
			r.take(fromIEP(content))
		case id == openCTIExtension:
		default:
			return unintelligible("marking.unknown_extension", pointer, "what this extension restricts is not known here")
		}
	}
	return nil
}

// readName heeds a name that states a label, so that what people read is what is meant.
func (r *reading) readName() error {
	name, has := r.object["name"]
	if !has {
		return nil
	}
	text, ok := name.(string)
	if !ok {
		return invalid("/name", "this must be a string")
	}
	model := modelOf(text)
	if model == "" {
		return nil
	}
	defined := r.defined
	err := r.claim(model, text, "/name")
	r.defined = defined
	return err
}

func modelOf(s string) string {
	switch s = fold(s); {
	case strings.HasPrefix(s, "TLP:"):
		return "tlp"
	case strings.HasPrefix(s, "PAP:"):
		return "pap"
	}
	return ""
}

// claim notes one statement of a TLP or PAP label.
func (r *reading) claim(model, word, pointer string) error {
	r.said = true
	if model == "pap" {
		p, err := ParsePAP(word)
		if err != nil {
			return at(err, pointer)
		}
		r.pap = append(r.pap, p)
		return nil
	}
	if isChatham(word) {
		r.chatham = true
		return nil
	}
	t, err := ParseTLP(word)
	if err != nil {
		return at(err, pointer)
	}
	r.tlp = append(r.tlp, t)
	r.defined = true
	return nil
}

func (r *reading) take(m Marking) {
	r.said = true
	if r.imported != nil {
		m.Label = Join(r.imported.Label, m.Label)
		m.StatesTLP = m.StatesTLP || r.imported.StatesTLP
	}
	r.imported = &m
}

func (r *reading) conclude() (Marking, error) {
	w, isKnown := lookUp(r.id)
	for _, t := range r.tlp {
		if t != r.tlp[0] {
			return Marking{}, contradictory("marking.two_labels", "it says both %s and %s", r.tlp[0], t)
		}
		if isKnown && t != w.tlp {
			return Marking{}, contradictory("marking.id_mismatch", "its id is that of %s, its content says %s", w.tlp, t)
		}
	}
	for _, p := range r.pap {
		if p != r.pap[0] {
			return Marking{}, contradictory("marking.two_labels", "it says both %s and %s", r.pap[0], p)
		}
	}
	other := len(r.pap) > 0 || r.chatham || r.imported != nil
	switch {
	case isKnown && !r.defined:
		return Marking{}, contradictory("marking.id_mismatch", "its id is that of %s, its content does not say so", w.tlp)
	case isKnown && other:
		return Marking{}, contradictory("marking.id_mismatch", "its id is that of %s, its content says more", w.tlp)
	case isKnown:
		return Marking{ID: r.id, Model: "tlp", Label: For(w.tlp), StatesTLP: true}, nil
	case len(r.tlp) > 0:
		return Marking{}, contradictory("marking.id_mismatch", "it says %s, under an id that does not carry it", r.tlp[0])
	case !r.said:
		return Marking{}, unintelligible("marking.empty", "", "the marking definition says nothing that is known here")
	}
	m := Marking{ID: r.id, Model: "statement", Label: Bottom()}
	if r.imported != nil {
		m.Model, m.Label, m.StatesTLP = r.imported.Model, r.imported.Label, r.imported.StatesTLP
	}
	if len(r.pap) > 0 {
		m.Model, m.Label = "pap", Join(m.Label, papLabel(r.pap[0]))
	}
	if r.chatham {
		m.Model, m.Label = "tlp", Join(m.Label, chathamLabel())
	}
	return m, nil
}

func papLabel(p PAP) Label {
	l := Bottom()
	l.PAP = p
	return l
}

// isChatham: the Chatham House Rule, which feeds tag beside a TLP. Who said it must not be told.
func isChatham(s string) bool {
	switch strings.TrimPrefix(fold(s), "TLP:") {
	case "EX:CHR", "EX-CHR":
		return true
	}
	return false
}

func chathamLabel() Label {
	l := Bottom()
	l.Attribution = MustNot
	return l
}

// ParseTag reads a tag as feeds write it beside objects: "tlp:amber+strict", "PAP:RED", "tlp:ex:chr" (the Chatham House Rule: attribution must-not).
// A tag without "TLP:" or "PAP:" is ErrUnintelligible: it may mean anything.
func ParseTag(s string) (Marking, error) {
	switch model := modelOf(s); {
	case isChatham(s):
		return Marking{Model: "tlp", Label: chathamLabel()}, nil
	case model == "pap":
		p, err := ParsePAP(s)
		if err != nil {
			return Marking{}, err
		}
		return Marking{Model: model, Label: papLabel(p)}, nil
	case model == "tlp":
		t, err := ParseTLP(s)
		if err != nil {
			return Marking{}, err
		}
		return Marking{Model: model, Label: For(t), StatesTLP: true}, nil
	}
	return Marking{}, unintelligible("tag.unknown", "", "%s is no TLP or PAP tag", quote(s))
}

func contradictory(code, format string, args ...any) *Error {
	return &Error{Kind: ErrContradictory, Code: code, Rule: "STIX 2.1 section 7.2.1.4", Message: "the marking definition contradicts itself: " + fmt.Sprintf(format, args...)}
}

func unintelligible(code, pointer, format string, args ...any) *Error {
	return &Error{Kind: ErrUnintelligible, Code: code, Pointer: pointer, Rule: "STIX 2.1 section 7.2.1", Message: fmt.Sprintf(format, args...)}
}

// readTime reads a timestamp of any precision, as STIX and IEP write them.
func readTime(v any) (time.Time, bool) {
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339Nano, s)
	return bounded(t), err == nil && !t.IsZero()
}
