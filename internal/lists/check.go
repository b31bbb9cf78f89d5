package lists

import (
	"net/netip"
	"strings"

	"entente/misp/warninglist"
)

// Hit is one warning list that a value stands on.
type Hit struct {
	List        string `json:"list"`
	Entry       string `json:"entry"` // the entry that met it
	Category    string `json:"category,omitempty"`
	Description string `json:"description,omitempty"`
}

// Check tells which warning lists a value stands on. typ is its MISP attribute type; "any" asks all lists; without one it is found by its form.
func (l *Lists) Check(typ, value string) []Hit {
	switch typ {
	case "":
		typ = formOf(value)
	case "any":
		typ = ""
	}
	now := l.now.Load()
	var room [4]warninglist.Hit
	found := now.warnings.Match(typ, value, room[:0])
	out := make([]Hit, len(found))
	for i, f := range found {
		out[i] = Hit{List: f.List, Entry: f.Entry}
		if w := now.byName[f.List]; w != nil {
			out[i].Category, out[i].Description = w.Category, w.Description
		}
	}
	return out
}

// Known gives the first warning list that a value stands on; empty: none. It is what every value that comes in is asked for.
func (l *Lists) Known(value string) string {
	now := l.now.Load()
	if now.summary.Entries == 0 {
		return ""
	}
	var room [4]warninglist.Hit
	if found := now.warnings.Match(formOf(value), value, room[:0]); len(found) > 0 {
		return found[0].List
	}
	return ""
}

// hashes are the attribute types of hashes by their number of digits.
var hashes = map[int]string{32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}

// formOf is the MISP attribute type that a value has by its form: only lists for such values are meant for it.
func formOf(v string) string {
	if t, ok := hashes[len(v)]; ok && strings.Trim(v, "0123456789abcdefABCDEF") == "" {
		return t
	}
	switch {
	case strings.Contains(v, "://"):
		return "url"
	case strings.ContainsAny(v, " \\"):
		return "text"
	case strings.Count(v, "@") == 1:
		return "email"
	}
	if v != "" && (v[0] >= '0' && v[0] <= '9' || strings.Contains(v, ":")) {
		host, _, _ := strings.Cut(v, "/")
		if _, err := netip.ParseAddr(host); err == nil {
			return "ip-dst"
		}
	}
	switch dot := strings.LastIndexByte(v, '.'); {
	case dot <= 0 || strings.Contains(v, "/"):
		return "text"
	default:
		return "domain" // or a file name: those stand on no list of hosts
	}
}

// Inside gives a warning list that knows an address, or a range of them, within a network; empty: none.
func (l *Lists) Inside(p netip.Prefix) string {
	hit, ok := l.now.Load().warnings.Inside(p)
	if !ok {
		return ""
	}
	return hit.List
}
