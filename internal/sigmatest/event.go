// Package sigmatest gives tests the simplest possible events and the public corpus of rules, to hold what is fast against.
package sigmatest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"entente/sigma"
)

// Event reads one JSON object as an event: members of nested objects by their path with dots, lists as several values, and spaces in
// names left out, as Sigma writes the names of EventData. A list of objects gives the values of each.
func Event(line []byte) (sigma.Fields, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(line), jsontext.AllowDuplicateNames(true))
	out := sigma.Fields{}
	if dec.PeekKind() != '{' {
		return nil, fmt.Errorf("an event is a JSON object, and this is %q", dec.PeekKind())
	}
	if err := read(dec, "", out); err != nil {
		return nil, err
	}
	return out, nil
}

func read(dec *jsontext.Decoder, path string, out sigma.Fields) error {
	switch dec.PeekKind() {
	case '{':
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
		for dec.PeekKind() != '}' {
			name, err := dec.ReadToken()
			if err != nil {
				return err
			}
			member := strings.ReplaceAll(name.String(), " ", "")
			if path != "" {
				member = path + "." + member
			}
			if err := read(dec, member, out); err != nil {
				return err
			}
		}
		_, err := dec.ReadToken()
		return err
	case '[':
		if out[path] == nil {
			out[path] = []sigma.Value{}
		}
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
		for dec.PeekKind() != ']' {
			if err := read(dec, path, out); err != nil {
				return err
			}
		}
		_, err := dec.ReadToken()
		return err
	}
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	v := sigma.Null()
	switch raw.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return err
		}
		v = sigma.Value{Kind: sigma.KindText, Text: text}
	case '0':
		v = sigma.Number(string(raw))
	case 't', 'f':
		v = sigma.Bool(raw.Kind() == 't')
	}
	out[path] = append(out[path], v)
	return nil
}
