package misp

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Marshal writes an event in its Event wrapper, as MISP 2.5 accepts it: known members first in a fixed order, numbers as strings, booleans
// as booleans, empty ones left out, unknown ones as they came.
func Marshal(e *Event) ([]byte, error) {
	return json.Marshal(struct {
		Event *Event `json:"Event"`
	}{e}, writing)
}

// writing is how every element is written.
var writing = json.JoinOptions(jsontext.EscapeForHTML(false), json.Deterministic(true), jsontext.AllowInvalidUTF8(true))

// text is the canonical form of one element.
func text(v any) ([]byte, error) { return json.Marshal(v, writing) }
