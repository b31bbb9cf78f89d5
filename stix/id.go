package stix

import (
	"slices"
	"strings"

	"entente/stix/internal/uuid5"
)

// namespace is that of the deterministic ids of cyber-observable objects (2.9): 00abedb4-aa42-466c-9c01-fed23315a9b7.
var namespace = [16]byte{0x00, 0xab, 0xed, 0xb4, 0xaa, 0x42, 0x46, 0x6c, 0x9c, 0x01, 0xfe, 0xd2, 0x33, 0x15, 0xa9, 0xb7}

// idProperties is the properties that contribute to the id of each type, in the order of their canonical form.
var idProperties = map[string][]string{
	"artifact":             {"hashes", "payload_bin"},
	"autonomous-system":    {"number"},
	"directory":            {"path"},
	"domain-name":          {"value"},
	"email-addr":           {"value"},
	"email-message":        {"body", "from_ref", "subject"},
	"file":                 {"extensions", "hashes", "name", "parent_directory_ref"},
	"ipv4-addr":            {"value"},
	"ipv6-addr":            {"value"},
	"mac-addr":             {"value"},
	"mutex":                {"name"},
	"network-traffic":      {"dst_port", "dst_ref", "end", "extensions", "protocols", "src_port", "src_ref", "start"},
	"software":             {"cpe", "name", "swid", "vendor", "version"},
	"url":                  {"value"},
	"user-account":         {"account_login", "account_type", "user_id"},
	"windows-registry-key": {"key", "values"},
	"x509-certificate":     {"hashes", "serial_number"},
}

func hasContributing(v value, typ string) bool {
	for _, name := range idProperties[typ] {
		if v.get(name).ok() {
			return true
		}
	}
	return false
}

// DeterministicID is the id that the contributing properties of a cyber-observable object give (2.9): the UUIDv5, in the standard's
// name space, of their canonical JSON (RFC 8785). ok is false where the object has none of them, or is of a type that has none: then a
// UUIDv4 must be used. Of several hashes one contributes: MD5, else SHA-1, SHA-256, SHA-512, else the one whose algorithm sorts first,
// so that the order of writing makes no difference; the usual other spellings of these names count as them.
// The error tells of an object that is no cyber-observable object; it is an *Error.
//
// The id rests on SHA-1: it is a name, and no proof of the content.
func DeterministicID(o *Object) (id string, ok bool, err error) {
	if !o.isSCO() {
		return "", false, &Error{Code: "id.format", Section: "2.9", Message: "only cyber-observable objects have deterministic ids, not " + o.typ}
	}
	return deterministicID(o.typ, o.root())
}

func deterministicID(typ string, v value) (id string, ok bool, err error) {
	var buf [512]byte
	name := append(buf[:0], '{')
	for _, property := range idProperties[typ] {
		val := v.get(property)
		if !val.ok() {
			continue
		}
		if property == "hashes" {
			name, _ = appendHash(name, val)
			continue
		}
		name = appendMember(name, property)
		name = appendCanonical(name, val, nil)
	}
	if len(name) == 1 {
		return "", false, nil
	}
	return typ + "--" + uuid5.New(namespace, append(name, '}')), true, nil
}

func appendMember(dst []byte, name string) []byte {
	if len(dst) > 1 {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

var hashPreference = []string{"MD5", "SHA-1", "SHA-256", "SHA-512"}

// appendHash appends the one hash that contributes.
func appendHash(dst []byte, hashes value) ([]byte, bool) {
	rank := func(name string) int {
		if i := slices.Index(hashPreference, name); i >= 0 {
			return i
		}
		return len(hashPreference)
	}
	var best value
	bestName := ""
	for key, val := range hashes.members {
		name := hashName(key.text())
		if !best.ok() || rank(name) < rank(bestName) || rank(name) == rank(bestName) && compareUTF16([]byte(name), []byte(bestName)) < 0 {
			best, bestName = val, name
		}
	}
	if !best.ok() {
		return dst, false
	}
	dst = appendMember(dst, "hashes")
	dst = append(dst, '{')
	dst = appendQuoted(dst, []byte(bestName))
	dst = append(dst, ':')
	dst = appendCanonical(dst, best, nil)
	return append(dst, '}'), true
}

// hashName brings the usual spellings of the preferred algorithms into that of the standard.
func hashName(name string) string {
	switch strings.ToUpper(strings.ReplaceAll(name, "_", "-")) {
	case "MD5", "MD-5":
		return "MD5"
	case "SHA1", "SHA-1":
		return "SHA-1"
	case "SHA256", "SHA-256":
		return "SHA-256"
	case "SHA512", "SHA-512":
		return "SHA-512"
	}
	return name
}
