package register

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxBytes bounds one constituent as JSON.
const MaxBytes = 1 << 20

// Parse reads a constituent as it is stored: strict I-JSON, no member that is not defined, all bounds kept. The error is an *Error.
func Parse(raw []byte) (*Constituent, error) {
	c, err := decode(raw)
	if err != nil {
		return nil, err
	}
	if err := c.Check(); err != nil {
		return nil, located(raw, err)
	}
	return c, nil
}

// ParseDraft reads a constituent that a person or an import hands in: what the register itself sets (type, spec_version, id, created,
// modified, extensions) may be left out.
func ParseDraft(raw []byte) (*Constituent, error) {
	c, err := decode(raw)
	if err != nil {
		return nil, err
	}
	if err := c.CheckDraft(); err != nil {
		return nil, located(raw, err)
	}
	return c, nil
}

func decode(raw []byte) (*Constituent, error) {
	if len(raw) > MaxBytes {
		return nil, fail("constituent.size", "", "a constituent has at most %d bytes, this has %d", MaxBytes, len(raw))
	}
	c := new(Constituent)
	err := json.Unmarshal(raw, c, json.RejectUnknownMembers(true))
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	switch {
	case err == nil:
		return c, nil
	case errors.As(err, &semantic):
		at := string(semantic.JSONPointer)
		message := "the value is of another kind than this member has"
		code := "constituent.kind"
		if errors.Is(err, json.ErrUnknownName) {
			code, message = "constituent.member", "a constituent has no such member"
		}
		return nil, &Error{Code: code, Pointer: clipPointer(at), Offset: max(semantic.ByteOffset, offset(raw, at)), Message: message}
	case errors.As(err, &syntactic):
		return nil, &Error{Code: "constituent.json", Pointer: clipPointer(string(syntactic.JSONPointer)), Offset: syntactic.ByteOffset, Rule: "RFC 7493",
			Message: "this is not JSON: " + syntactic.Err.Error()}
	}
	return nil, fail("constituent.json", "", "this is not one JSON object").by("RFC 7493")
}

func clipPointer(p string) string {
	if len(p) > 256 {
		return p[:256]
	}
	return p
}

func located(raw []byte, err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.Offset = offset(raw, e.Pointer)
	}
	return err
}

// offset is the byte at which the value at a pointer begins, or that of the nearest value around it which is there.
func offset(raw []byte, pointer string) int64 {
	want := jsontext.Pointer(pointer)
	var best int64
	depth := -1
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	for {
		before := d.InputOffset()
		if _, err := d.ReadToken(); err != nil {
			return best
		}
		if isName(d) {
			continue
		}
		at := d.StackPointer()
		if n := len(at); n > depth && at.Contains(want) {
			depth = n
			best = begin(raw, before)
			if at == want {
				return best
			}
		}
	}
}

// isName tells whether the token just read was the name of a member, whose value comes next.
func isName(d *jsontext.Decoder) bool {
	kind, n := d.StackIndex(d.StackDepth())
	return kind == '{' && n%2 == 1
}

// begin skips what may stand before a token.
func begin(raw []byte, at int64) int64 {
	for at < int64(len(raw)) {
		switch raw[at] {
		case ' ', '\t', '\r', '\n', ',', ':':
			at++
		default:
			return at
		}
	}
	return at
}

// Canonical is the one way a constituent is written: JCS (RFC 8785), empty members left out. What Check lets through is written.
func (c *Constituent) Canonical() ([]byte, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fail("constituent.json", "", "the constituent cannot be written as JSON: a text in it is not UTF-8")
	}
	v := jsontext.Value(b)
	if err := v.Canonicalize(); err != nil {
		return nil, fail("constituent.json", "", "the constituent cannot be written as JSON: %v", err)
	}
	if len(v) > MaxBytes {
		return nil, fail("constituent.size", "", "a constituent has at most %d bytes, this has %d", MaxBytes, len(v))
	}
	return v, nil
}
