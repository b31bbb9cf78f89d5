package apitest

import (
	"encoding/base64"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// resolve follows a reference within the document.
func (d *Document) resolve(schema map[string]any) map[string]any {
	for range 8 {
		ref, ok := schema["$ref"].(string)
		if !ok {
			return schema
		}
		at := d.root
		for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			at = object(at[name])
		}
		schema = at
	}
	return nil
}

// valid holds a value to a schema. It knows the keywords that the document uses and refuses any other, so that none is passed over.
// Members that a schema with properties does not name are refused as well: an answer has none that is not described.
func (d *Document) valid(schema map[string]any, v any, at string) error {
	if schema == nil {
		return fmt.Errorf("%s: there is no schema", at)
	}
	if want, ok := schema["type"]; ok { // first: what the others say of a value of another type tells less
		if err := d.keyword(schema, "type", want, v, at); err != nil {
			return err
		}
	}
	for keyword, want := range schema {
		if err := d.keyword(schema, keyword, want, v, at); err != nil {
			return err
		}
	}
	return nil
}

func (d *Document) keyword(schema map[string]any, keyword string, want, v any, at string) error {
	wrong := func() error { return fmt.Errorf("%s: %v is not as %s %v says", at, v, keyword, want) }
	text, isText := v.(string)
	n, isNumber := v.(float64)
	switch keyword {
	case "description", "default", "readOnly", "additionalProperties": // the last with properties
		if keyword == "additionalProperties" && schema["properties"] == nil {
			return d.members(schema, v, at)
		}
		return nil
	case "$ref":
		return d.valid(d.resolve(schema), v, at)
	case "type":
		if !is(v, want) {
			return wrong()
		}
	case "enum":
		if !slices.ContainsFunc(list(want), func(e any) bool { return reflect.DeepEqual(e, v) }) {
			return wrong()
		}
	case "format":
		switch want {
		case "date-time":
			if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
				return wrong()
			}
		case "date":
			if _, err := time.Parse(time.DateOnly, text); err != nil {
				return wrong()
			}
		case "int64":
			if !isNumber || math.Abs(n) >= 1<<63 {
				return wrong()
			}
		default:
			return fmt.Errorf("%s: nobody checks the format %v", at, want)
		}
	case "contentEncoding":
		if _, err := base64.StdEncoding.DecodeString(text); want != "base64" || err != nil {
			return wrong()
		}
	case "minimum":
		if isNumber && n < want.(float64) {
			return wrong()
		}
	case "maximum":
		if isNumber && n > want.(float64) {
			return wrong()
		}
	case "minLength":
		if isText && float64(utf8.RuneCountInString(text)) < want.(float64) {
			return wrong()
		}
	case "maxLength":
		if isText && float64(utf8.RuneCountInString(text)) > want.(float64) {
			return wrong()
		}
	case "pattern":
		re, err := regexp.Compile(want.(string))
		if err != nil || isText && !re.MatchString(text) {
			return wrong()
		}
	case "items":
		for i, item := range list(v) {
			if err := d.valid(object(want), item, fmt.Sprintf("%s/%d", at, i)); err != nil {
				return err
			}
		}
	case "required":
		for _, name := range list(want) {
			if _, ok := object(v)[name.(string)]; !ok {
				return fmt.Errorf("%s: %v is missing", at, name)
			}
		}
	case "properties":
		return d.members(schema, v, at)
	case "anyOf":
		var err error
		for _, s := range list(want) {
			if err = d.valid(object(s), v, at); err == nil {
				return nil
			}
		}
		return err
	default:
		return fmt.Errorf("%s: nobody checks the keyword %s", at, keyword)
	}
	return nil
}

// members holds each member of an object to its schema.
func (d *Document) members(schema map[string]any, v any, at string) error {
	known := object(schema["properties"])
	for name, member := range object(v) {
		s := object(known[name])
		if s == nil {
			s = object(schema["additionalProperties"])
		}
		if s == nil {
			return fmt.Errorf("%s/%s is not in the document", at, name)
		}
		if err := d.valid(s, member, at+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

func is(v, name any) bool {
	switch v := v.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case float64:
		return name == "number" || name == "integer" && v == math.Trunc(v)
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	}
	return false
}
