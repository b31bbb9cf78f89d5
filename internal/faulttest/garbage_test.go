package faulttest

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// tree is a value of JSON that is written by hand, so that any of its parts can be replaced by what no encoder would write: a map, a list, or
// the text of anything else.
type tree any

// grown is a tree that has every member of a Go type, each with a value that could be meant.
func grown(t reflect.Type, depth int) tree {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for _, own := range []reflect.Type{reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[json.Marshaler]()} {
		if t.Implements(own) || reflect.PointerTo(t).Implements(own) {
			return `"2026-01-31T12:00:00Z"`
		}
	}
	if depth > 5 {
		return `null`
	}
	switch t.Kind() {
	case reflect.String:
		return `"words of some length"`
	case reflect.Bool:
		return `true`
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return `{"id":"AA","type":"public-key"}`
		}
		return []tree{grown(t.Elem(), depth+1)}
	case reflect.Map:
		return map[string]tree{"x": grown(t.Elem(), depth+1)}
	case reflect.Struct:
		m := map[string]tree{}
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case name == "-" || !f.IsExported() && !f.Anonymous:
			case f.Anonymous && name == "":
				if inner, ok := grown(f.Type, depth).(map[string]tree); ok {
					for k, v := range inner {
						m[k] = v
					}
				}
			case name == "":
				m[f.Name] = grown(f.Type, depth+1)
			default:
				m[name] = grown(f.Type, depth+1)
			}
		}
		return m
	case reflect.Interface:
		return `{}`
	}
	return `1`
}

// planted reads a tree from JSON.
func planted(text string) tree {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		panic(err)
	}
	var plant func(any) tree
	plant = func(v any) tree {
		switch v := v.(type) {
		case map[string]any:
			m := map[string]tree{}
			for k, inner := range v {
				m[k] = plant(inner)
			}
			return m
		case []any:
			var l []tree
			for _, inner := range v {
				l = append(l, plant(inner))
			}
			return l
		}
		b, _ := json.Marshal(v)
		return string(b)
	}
	return plant(v)
}

// wrong is what stands where something else should.
var wrong = []string{
	`null`, `true`, `-1`, `0`, `1e400`, `123456789012345678901234567890`, `1.5`, `""`, `"\u0000"`, `"\ud800"`, "\"\xff\xfe\"", "\"\x00\"", `[]`, `{}`, `[[[[[[[[[[[]]]]]]]]]]]`,
	`{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":null}}}}}}}}}}`, `["x",1,null,{}]`, `{"a":1,"a":2}`, `"../../etc/passwd"`, `"::/0"`, `"1' OR '1'='1"`, `"2026-02-30T25:61:61Z"`,
	`"` + strings.Repeat("é", 40_000) + `"`, `[` + strings.Repeat(`"a",`, 20_000) + `"a"]`,
}

// spoilt is every text that comes of a tree by putting something wrong in the place of one of its parts, or by cutting it off.
func spoilt(root tree) []string {
	var out []string
	whole := written(root, -1, "")
	for at := range parts(root) {
		for _, w := range wrong {
			out = append(out, written(root, at, w))
		}
	}
	for _, cut := range []int{1, len(whole) / 3, len(whole) / 2, len(whole) - 1} {
		if cut > 0 && cut < len(whole) {
			out = append(out, whole[:cut])
		}
	}
	return append(out, "", " ", "\x00", "\xff\xfe{\x00}\x00", "<?xml version='1.0'?><a/>", "a=1&b=2", whole+whole, whole+",", strings.Repeat("[", 100_000),
		strings.Repeat(`{"a":`, 50_000), `{"unknown_to_all":1,`+strings.TrimPrefix(whole, "{"), whole)
}

func parts(t tree) int {
	n := 1
	switch t := t.(type) {
	case map[string]tree:
		for _, v := range t {
			n += parts(v)
		}
	case []tree:
		for _, v := range t {
			n += parts(v)
		}
	}
	return n
}

// written is the text of a tree whose part at a place, counted from the root on, is another.
func written(root tree, at int, other string) string {
	var b strings.Builder
	n := -1
	var write func(tree)
	write = func(t tree) {
		if n++; n == at {
			b.WriteString(other)
			n += parts(t) - 1
			return
		}
		switch t := t.(type) {
		case map[string]tree:
			names := make([]string, 0, len(t))
			for name := range t {
				names = append(names, name)
			}
			slices.Sort(names)
			b.WriteByte('{')
			for i, name := range names {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(`"` + name + `":`)
				write(t[name])
			}
			b.WriteByte('}')
		case []tree:
			b.WriteByte('[')
			for i, v := range t {
				if i > 0 {
					b.WriteByte(',')
				}
				write(v)
			}
			b.WriteByte(']')
		case string:
			b.WriteString(t)
		}
	}
	write(root)
	return b.String()
}
