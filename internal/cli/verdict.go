package cli

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"entente/stix"
)

// unreadable is the verdict on bytes that are no object at all.
func unreadable(err error) verdict {
	f := stix.Finding{Level: stix.LevelError, Code: "input.unreadable", Message: err.Error()}
	var e *stix.Error
	if errors.As(err, &e) {
		f = stix.Finding{Level: stix.LevelError, Code: e.Code, Pointer: e.Pointer, Section: e.Section, Message: fmt.Sprintf("%s (byte %d)", e.Message, e.Offset)}
	}
	return verdict{findings: []stix.Finding{f}}
}

// idOf looks for the id of an object that cannot be parsed, so that its line can be told from others.
func idOf(raw []byte) string {
	d := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return ""
	}
	for d.PeekKind() == '"' {
		key, err := d.ReadToken()
		if err != nil {
			return ""
		}
		if key.String() == "id" && d.PeekKind() == '"' {
			if id, err := d.ReadToken(); err == nil {
				return id.String()
			}
		}
		if d.SkipValue() != nil {
			return ""
		}
	}
	return ""
}

func (v *validator) render(b []byte, name string, d verdict) []byte {
	if !v.asJSON {
		return v.renderText(b, name, d)
	}
	b = append(b, '{')
	if d.bundle {
		b = append(b, `"bundle":true,`...)
	}
	b = append(b, `"id":`...)
	b = appendText(b, d.id)
	b = append(b, `,"valid":`...)
	b = fmt.Append(b, d.valid)
	b = append(b, `,"errors":[`...)
	b = v.appendFindings(b, d, true)
	b = append(b, `],"warnings":[`...)
	b = v.appendFindings(b, d, false)
	return append(b, "]}\n"...)
}

// isError tells whether a finding makes the object invalid.
func (v *validator) isError(f stix.Finding) bool {
	return f.Level == stix.LevelError || v.strict && f.Level == stix.LevelWarning
}

func (v *validator) appendFindings(b []byte, d verdict, errors bool) []byte {
	first := true
	for _, f := range d.findings {
		if f.Level == stix.LevelInfo || v.isError(f) != errors {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, `{"code":`...)
		b = appendText(b, f.Code)
		b = append(b, `,"pointer":`...)
		b = appendText(b, f.Pointer)
		b = append(b, `,"section":`...)
		b = appendText(b, f.Section)
		b = append(b, `,"message":`...)
		b = appendText(b, f.Message)
		b = append(b, '}')
	}
	return b
}

func (v *validator) renderText(b []byte, name string, d verdict) []byte {
	for _, f := range d.findings {
		word := f.Level.String()
		if v.isError(f) {
			word = "error"
		}
		where := d.id
		if where == "" {
			where = name
		}
		if f.Pointer != "" {
			where += " " + f.Pointer
		}
		b = fmt.Appendf(b, "%s: %s: %s [%s", word, clean(where), clean(f.Message), f.Code)
		if f.Section != "" {
			b = fmt.Appendf(b, ", section %s", f.Section)
		}
		b = append(b, "]\n"...)
	}
	return b
}

// appendText writes a JSON string; what is not UTF-8 in it is replaced.
func appendText(b []byte, s string) []byte {
	out, _ := jsontext.AppendQuote(b, s)
	return out
}
