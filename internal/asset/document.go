package asset

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/fault"
	"entente/register"
)

// readJSON reads constituents in their own form: one object, a list, {"items": [...]}, or values one after another.
func readJSON(raw []byte, p *plan) error {
	seen := map[string]bool{}
	take := func(value jsontext.Value) error {
		if err := p.count(); err != nil {
			return err
		}
		c, err := register.ParseDraft(value)
		if err != nil {
			pointer, code, message := problemOf(err)
			p.refuse(p.rows, "", pointer, code, "%s", message)
			return nil
		}
		key := fold(c.Name)
		if c.ID != "" {
			key = c.ID
		}
		switch {
		case c.Revoked:
			p.refuse(p.rows, c.Name, "/revoked", "import.revoked", "a removed constituent is not imported")
		case seen[key]:
			p.refuse(p.rows, c.Name, "", "import.twice", "this constituent stands in the file already")
		default:
			seen[key] = true
			p.drafts = append(p.drafts, &draft{row: p.rows, whole: true, c: *c})
		}
		return nil
	}
	return values(raw, "items", take)
}

// values calls take with every object of a document: values one after another, lists of them, and objects that have a list under a name.
func values(raw []byte, under string, take func(jsontext.Value) error) error {
	d := jsontext.NewDecoder(bytes.NewReader(raw), jsontext.AllowDuplicateNames(false))
	broken := func(err error) error {
		return fault.New(fault.Unprocessable, "import.json", "this is not JSON: %v; nothing of it was taken", err).By("RFC 8259")
	}
	any := false
	for {
		value, err := d.ReadValue()
		if errors.Is(err, io.EOF) {
			if !any {
				return fault.New(fault.Unprocessable, "import.empty", "the document is empty")
			}
			return nil
		}
		if err != nil {
			return broken(err)
		}
		any = true
		list := value
		if value.Kind() == '{' {
			if inner, ok := member(value, under); ok && inner.Kind() == '[' {
				list = inner
			}
		}
		if list.Kind() != '[' {
			if err := take(list.Clone()); err != nil {
				return err
			}
			continue
		}
		if err := elements(list.Clone(), take); err != nil {
			return err
		}
	}
}

// elements calls take with every element of a list.
func elements(list jsontext.Value, take func(jsontext.Value) error) error {
	d := jsontext.NewDecoder(bytes.NewReader(list))
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		v, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := take(v.Clone()); err != nil {
			return err
		}
	}
	return nil
}

// member is the value of a member of an object.
func member(object jsontext.Value, name string) (jsontext.Value, bool) {
	d := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := d.ReadToken(); err != nil {
		return nil, false
	}
	for d.PeekKind() == '"' {
		key, err := d.ReadToken()
		if err != nil {
			return nil, false
		}
		found := key.String() == name
		v, err := d.ReadValue()
		if err != nil {
			return nil, false
		}
		if found {
			return v.Clone(), true
		}
	}
	return nil, false
}
