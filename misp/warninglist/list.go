// Package warninglist tells which values are known to be harmless, shared or otherwise no indicator by themselves, from the warning lists
// that MISP publishes.
//
// Parse reads one list, New makes a Set of many, and Match finds the lists that know a value, in about the time of a few table lookups
// whatever their number. The Set keeps hashes instead of text.
package warninglist

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"entente/misp"
)

// MaxSize bounds the bytes of one list, MaxEntries its entries, MaxEntry the bytes of one entry.
const (
	MaxSize    = 256 << 20
	MaxEntries = 10_000_000
	MaxEntry   = 4096
)

// The types of a list: how its entries meet a value.
const (
	TypeString    = "string"    // equal
	TypeSubstring = "substring" // part of the value
	TypeHostname  = "hostname"  // the host of the value, or a domain above it
	TypeCIDR      = "cidr"      // an address, or range of them, within the entry
	TypeRegex     = "regex"
)

// List is one warning list.
type List struct {
	Name        string
	Description string
	Version     int64
	Type        string
	Category    string
	Attributes  []string // the attribute types whose values it meets; none: of all types
	Entries     []string
}

// Parse reads a list.json. The error is a *misp.Error.
func Parse(raw []byte) (*List, error) {
	if len(raw) > MaxSize {
		return nil, &misp.Error{Code: misp.CodeSize, Offset: -1, Rule: rule, Message: "the list is larger than 256 MiB"}
	}
	var l struct {
		Name        string   `json:"name"`
		Description string   `json:"description"`
		Version     int64    `json:"version"`
		Type        string   `json:"type"`
		Category    string   `json:"category"`
		Attributes  []string `json:"matching_attributes"`
		Entries     []string `json:"list"`
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return nil, &misp.Error{Code: misp.CodeSyntax, Offset: -1, Rule: rule, Message: "this is no warning list: " + err.Error(), Err: err}
	}
	switch l.Type {
	case TypeString, TypeSubstring, TypeHostname, TypeCIDR, TypeRegex:
	default:
		return nil, &misp.Error{Code: misp.CodeSyntax, Pointer: "/type", Offset: -1, Rule: rule, Message: fmt.Sprintf("%.32q is none of string, substring, hostname, cidr, regex", l.Type)}
	}
	if l.Name == "" {
		return nil, &misp.Error{Code: misp.CodeSyntax, Pointer: "/name", Offset: -1, Rule: rule, Message: "a list needs a name"}
	}
	if len(l.Entries) > MaxEntries {
		return nil, &misp.Error{Code: misp.CodeSize, Pointer: "/list", Offset: -1, Rule: rule, Message: "the list has more than 10,000,000 entries"}
	}
	return &List{l.Name, l.Description, l.Version, l.Type, l.Category, l.Attributes, l.Entries}, nil
}

const rule = "MISP warninglist format"
