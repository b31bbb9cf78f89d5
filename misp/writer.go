package misp

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"entente/label"
	"entente/outside"
)

// What stands in our own extension. It has two properties: kind says what the element is, and text is the element in canonical MISP JSON.
// It is a string and no tree, so that what MISP allows as a name or a null never breaks a rule of STIX.
const (
	extensionID = "extension-definition--6e2f3c40-3f0a-5d3b-9d52-1c6a5f8f3a10"
	authorID    = "identity--0c8d9f6e-5b1f-5f0c-8e58-7a4f5c1f2b77"

	kindEvent     = "event"
	kindAttribute = "attribute"
	kindObject    = "object"
	kindReport    = "event-report"
	kindDerived   = "derived" // said by another object already; nothing comes of it on the way back
)

// namespace is that of the ids that are derived from MISP elements.
var namespace = uuid.MustParse("8c0c6a44-0a53-5a4e-9a4c-2f0f6d3e7a51")

// derived is a UUIDv5 of our own name space.
func derived(parts ...string) string {
	return uuid.UUID(outside.UUID5(namespace, []byte(strings.Join(parts, "\x00")))).String()
}

// Definitions is the objects that explain the rest and are the same in every conversion: the extension definition, and whom it is by.
func Definitions() [][]byte {
	return [][]byte{
		[]byte(`{"type":"identity","spec_version":"2.1","id":"` + authorID + `","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z",` +
			`"name":"Entente","identity_class":"system"}`),
		[]byte(`{"type":"extension-definition","spec_version":"2.1","id":"` + extensionID + `","created_by_ref":"` + authorID + `",` +
			`"created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"MISP element",` +
			`"description":"kind: what the object was in MISP: event, attribute, object, event-report, sighting, proposal and so on; derived where another object carries it. text: the element as MISP JSON.",` +
			`"schema":"docs/misp.md","version":"1.0.0","extension_types":["property-extension","new-sdo"]}`),
	}
}

// writer builds one STIX object.
type writer struct{ b []byte }

func (w *writer) begin(typ, id string) {
	w.b = append(w.b[:0], `{"type":"`...)
	w.b = append(append(w.b, typ...), `","spec_version":"2.1","id":"`...)
	w.b = append(append(w.b, id...), '"')
}

// maxText bounds each property that is written openly. Longer ones are cut: the whole text travels in the extension.
const maxText = 1 << 20

// text adds a property, if it says anything.
func (w *writer) text(key, value string) {
	if value == "" {
		return
	}
	w.key(key)
	w.quote(clipTo(value, maxText))
}

func (w *writer) key(key string) {
	w.b = append(append(append(w.b, `,"`...), key...), `":`...)
}

func (w *writer) raw(key, value string) {
	w.key(key)
	w.b = append(w.b, value...)
}

func (w *writer) quote(s string) {
	b, err := jsontext.AppendQuote(w.b, s)
	if err != nil { // not UTF-8
		b, _ = jsontext.AppendQuote(w.b, strings.ToValidUTF8(s, "\uFFFD"))
	}
	w.b = b
}

func (w *writer) list(key string, values []string) {
	if len(values) == 0 {
		return
	}
	w.key(key)
	w.b = append(w.b, '[')
	start := len(w.b)
	for i, v := range values {
		if len(w.b)-start+len(v) > 2*maxText {
			break
		}
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.quote(v)
	}
	w.b = append(w.b, ']')
}

func (w *writer) times(created, modified time.Time) {
	w.key("created")
	w.b = append(created.AppendFormat(append(w.b, '"'), stixTime), '"')
	w.key("modified")
	w.b = append(modified.AppendFormat(append(w.b, '"'), stixTime), '"')
}

func (w *writer) time(key string, t time.Time) {
	w.key(key)
	w.b = append(t.AppendFormat(append(w.b, '"'), "2006-01-02T15:04:05.999999999Z"), '"')
}

// extension adds our own.
func (w *writer) extension(how, kind string, carried []byte) {
	w.key("extensions")
	w.b = append(w.b, `{"`+extensionID+`":{"extension_type":"`...)
	w.b = append(append(append(w.b, how...), `","kind":"`...), kind...)
	w.b = append(w.b, '"')
	if carried != nil {
		w.raw("text", "")
		w.quote(string(carried))
	}
	w.b = append(w.b, "}}"...)
}

func (w *writer) end() []byte { return append(w.b, '}') }

// papMarking is the marking definition that states a PAP: a statement, which is the form that everybody reads.
func papMarking(p label.PAP) (id string, raw []byte) {
	id = "marking-definition--" + derived("pap", p.String())
	return id, []byte(`{"type":"marking-definition","spec_version":"2.1","id":"` + id + `","created":"2026-01-01T00:00:00.000Z","name":"` + p.String() +
		`","definition_type":"statement","definition":{"statement":"` + p.String() + `"}}`)
}
