package taxii

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// envelope is a parsed envelope (section 3.7). Objects are slices of the parsed bytes.
type envelope struct {
	More     bool
	SaysMore bool // "more" is there
	Next     string
	Objects  [][]byte
	Items    bool // "items" is there, which some servers send for "objects"
}

// bounds limit what an envelope may hold.
type bounds struct {
	objects int  // in the list
	depth   int  // of one object, itself included
	nulls   bool // null is taken as absent
}

// bodyError is a fault of a message, and where it stands.
type bodyError struct {
	status  int
	code    string
	what    string
	pointer string
	rule    string
}

func (e *bodyError) Error() string {
	if e.pointer == "" {
		return e.what
	}
	return e.pointer + ": " + e.what
}

const (
	ruleIJSON    = "RFC 7493 (I-JSON); TAXII 2.1 section 1.6.7"
	ruleEnvelope = "TAXII 2.1 section 3.7"
	ruleAdd      = "TAXII 2.1 section 5.5"
)

func malformed(pointer, rule, what string) *bodyError {
	return &bodyError{http.StatusBadRequest, "envelope.malformed", what, pointer, rule}
}

func unprocessable(pointer, rule, what string) *bodyError {
	return &bodyError{http.StatusUnprocessableEntity, "envelope.invalid", what, pointer, rule}
}

// parseEnvelope reads one envelope as strict I-JSON. The objects are slices of data: nothing is decoded or copied. Unknown properties
// are ignored (section 7.1.1).
func parseEnvelope(data []byte, b bounds) (envelope, *bodyError) {
	var env envelope
	d := jsontext.NewDecoder(bytes.NewBuffer(data)) // which it reads in place
	if d.PeekKind() != '{' {
		if err := d.SkipValue(); err != nil {
			return env, syntax(err)
		}
		return env, unprocessable("", ruleEnvelope, "an envelope is a JSON object")
	}
	if _, err := d.ReadToken(); err != nil {
		return env, syntax(err)
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return env, syntax(err)
		}
		var fault *bodyError
		switch name.String() {
		case "objects":
			env.Objects, fault = parseObjects(d, data, b)
		case "more":
			env.SaysMore = true
			fault = parseMember(d, &env.More, b, "/more", "want true or false")
		case "next":
			fault = parseMember(d, &env.Next, b, "/next", "want a string")
		case "items":
			env.Items = true
			fault = skipMember(d, data, b.depth)
		default:
			fault = skipMember(d, data, b.depth)
		}
		if fault != nil {
			return env, fault
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return env, syntax(err)
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return env, malformed("", ruleIJSON, "something follows the envelope")
	}
	return env, nil
}

func parseObjects(d *jsontext.Decoder, data []byte, b bounds) ([][]byte, *bodyError) {
	if k := d.PeekKind(); k != '[' {
		if err := d.SkipValue(); err != nil {
			return nil, syntax(err)
		}
		if k == 'n' && b.nulls {
			return nil, nil
		}
		return nil, unprocessable("/objects", ruleEnvelope, "want a list")
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, syntax(err)
	}
	var out [][]byte
	for d.PeekKind() != ']' {
		if len(out) >= b.objects {
			return nil, &bodyError{http.StatusRequestEntityTooLarge, "envelope.too_many",
				"more than " + strconv.Itoa(b.objects) + " objects; send several envelopes", "/objects", ruleAdd}
		}
		kind := d.PeekKind()
		raw, fault := rawValue(d, data, b.depth)
		if fault != nil {
			return nil, fault
		}
		if kind != '{' {
			return nil, unprocessable("/objects/"+strconv.Itoa(len(out)), ruleEnvelope, "want a JSON object")
		}
		out = append(out, raw)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, syntax(err)
	}
	return out, nil
}

// rawValue reads the next value and returns its exact bytes within data.
func rawValue(d *jsontext.Decoder, data []byte, depth int) ([]byte, *bodyError) {
	value, err := d.ReadValue()
	if err != nil {
		return nil, syntax(err)
	}
	end := int(d.InputOffset())
	raw := data[end-len(value) : end : end]
	if tooDeep(raw, depth) {
		return nil, malformed(string(d.StackPointer()), ruleIJSON, "nested deeper than "+strconv.Itoa(depth)+" levels")
	}
	return raw, nil
}

func skipMember(d *jsontext.Decoder, data []byte, depth int) *bodyError {
	_, fault := rawValue(d, data, depth)
	return fault
}

func parseMember(d *jsontext.Decoder, into any, b bounds, pointer, want string) *bodyError {
	value, err := d.ReadValue()
	if err != nil {
		return syntax(err)
	}
	if value.Kind() == 'n' && b.nulls {
		return nil
	}
	if value.Kind() == 'n' || json.Unmarshal(value, into) != nil {
		return unprocessable(pointer, ruleEnvelope, want)
	}
	return nil
}

// tooDeep counts brackets outside strings in valid JSON.
func tooDeep(raw []byte, limit int) bool {
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; ; i++ {
				n := bytes.IndexByte(raw[i:], '"')
				i += n
				if n < 0 || !escaped(raw[:i]) {
					break
				}
			}
		case '{', '[':
			if depth++; depth > limit {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

// escaped tells whether an odd number of backslashes ends b.
func escaped(b []byte) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// syntax tells what is wrong with JSON text, without repeating any of it.
func syntax(err error) *bodyError {
	var se *jsontext.SyntacticError
	if !errors.As(err, &se) {
		return malformed("", ruleIJSON, "the JSON text ends too early")
	}
	what := "not valid JSON"
	switch msg := se.Err.Error(); {
	case errors.Is(se.Err, jsontext.ErrDuplicateName):
		what = "a name stands twice in one object"
	case errors.Is(se.Err, io.ErrUnexpectedEOF):
		what = "the JSON text ends too early"
	case strings.Contains(msg, "UTF-8"), strings.Contains(msg, "surrogate"):
		what = "a string is not valid Unicode"
	case strings.Contains(msg, "depth"):
		what = "nested too deep"
	}
	return malformed(string(se.JSONPointer), ruleIJSON, what+" (at byte "+strconv.FormatInt(se.ByteOffset, 10)+")")
}
