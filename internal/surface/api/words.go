package api

import (
	"reflect"

	"entente/label"
)

// stands are members whose Go type says less than is known of them.
var stands = map[string]reflect.Type{"Explanation.label": reflect.TypeFor[label.Label]()}

// readOnly are members that the node sets, whatever a body says.
var readOnly = []string{"Org.created"}

// words describe types, members and wildcards for the document.
var words = map[string]string{
	"Problem": "A failure (RFC 9457).",
	"Label":   "What may be done with a record, and by whom. Every dimension is stated.",

	"/objects/{id}":       "The id of a STIX object.",
	"/collections/{name}": "The id or alias of a collection.",
	"/users/{name}":       "The account's name.",
	"/tokens/{id}":        "The token's id.",
	"/certificates/{id}":  "The certificate's id.",
	"/orgs/{name}":        "The organisation's name.",
	"/communities/{name}": "The community's name.",
	"/quarantine/{id}":    "The record's id in quarantine, or the object's id where one version is held only.",
}
