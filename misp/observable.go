package misp

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"entente/stix"
)

// node is a cyber-observable object in the making: its properties, and the objects it refers to instead of their ids.
type node struct {
	typ   string
	props map[string]any // string, jsonNumber, bool, []any, map[string]any, *node
}

// jsonNumber is a number as JSON writes it.
type jsonNumber string

// MarshalJSONTo writes the number.
func (n jsonNumber) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteValue(jsontext.Value(n))
}

// put places a value at a path below the node. False: a property that holds one value has one already.
func (n *node) put(steps []step, f fitting) bool { return put(n.props, steps, f) }

func put(props map[string]any, steps []step, f fitting) bool {
	st, rest := steps[0], steps[1:]
	if len(rest) == 0 {
		return putLast(props, st, f)
	}
	old, exists := props[st.key]
	switch {
	case st.target != "" && st.every:
		list, _ := old.([]any)
		next := newNode(st.target, f)
		put(next.props, rest, f)
		props[st.key] = append(list, next)
		return true
	case st.target != "":
		next, ok := old.(*node)
		if !ok && exists {
			return false
		}
		if !ok {
			next = newNode(st.target, f)
		}
		if !put(next.props, rest, f) {
			return false
		}
		props[st.key] = next
		return true
	case st.every:
		list, _ := old.([]any)
		if len(list) > 0 {
			if last, ok := list[len(list)-1].(map[string]any); ok && put(last, rest, f) {
				return true
			}
		}
		next := map[string]any{}
		put(next, rest, f)
		props[st.key] = append(list, next)
		return true
	}
	next, ok := old.(map[string]any)
	if !ok {
		next = map[string]any{}
	}
	if !put(next, rest, f) {
		return false
	}
	props[st.key] = next
	return true
}

func putLast(props map[string]any, st step, f fitting) bool {
	var v any = f.text
	switch f.kind {
	case kindInt:
		v = jsonNumber(f.text)
	case kindBool:
		v = f.text == "true"
	}
	old, exists := props[st.key]
	if st.every {
		list, _ := old.([]any)
		if !slices.Contains(list, v) {
			props[st.key] = append(list, v)
		}
		return true
	}
	if exists {
		return false
	}
	props[st.key] = v
	return true
}

func newNode(typ string, f fitting) *node {
	if typ == "ip" {
		typ = f.address()
	}
	return &node{typ: typ, props: map[string]any{}}
}

// complete adds what the standard requires and the values did not give.
func (n *node) complete() {
	switch n.typ {
	case "email-message":
		_, parts := n.props["body_multipart"]
		n.props["is_multipart"] = parts
		if parts {
			delete(n.props, "body")
		}
	case "network-traffic":
		if _, ok := n.props["protocols"]; !ok {
			n.props["protocols"] = []any{"tcp"}
		}
	}
}

// observables makes the objects of a tree, those that others refer to first. Objects that break a rule of the standard are left out, with
// all that refer to them; the id of the root is "" then.
func (n *node) observables(into *[]*stix.Object) string {
	n.complete()
	props := map[string]any{"type": n.typ, "spec_version": "2.1"}
	for _, key := range slices.Sorted(maps.Keys(n.props)) { // in order, so that the same values give the same objects
		done, ok := resolve(n.props[key], into)
		if !ok {
			return ""
		}
		if list, isList := done.([]any); isList && strings.HasSuffix(key, "_refs") {
			done = unique(list)
		}
		props[key] = done
	}
	props["id"] = n.typ + "--00000000-0000-5000-8000-000000000000"
	raw, err := json.Marshal(props, writing)
	if err != nil {
		return ""
	}
	draft, err := stix.Parse(raw)
	if err != nil {
		return ""
	}
	id, ok, err := stix.DeterministicID(draft)
	if err != nil {
		return ""
	}
	if !ok {
		id = n.typ + "--" + shaped(raw)
	}
	raw = bytes.Replace(bytes.Clone(raw), []byte(props["id"].(string)), []byte(id), 1)
	o, err := stix.Parse(raw)
	if err != nil || !stix.Valid(stix.Validate(o, stix.Options{Only: []string{"none"}}), false) {
		return ""
	}
	if !slices.ContainsFunc(*into, func(other *stix.Object) bool { return other.ID() == id }) {
		*into = append(*into, o)
	}
	return id
}

func resolve(v any, into *[]*stix.Object) (any, bool) {
	switch v := v.(type) {
	case *node:
		id := v.observables(into)
		return id, id != ""
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			done, ok := resolve(item, into)
			if !ok {
				return nil, false
			}
			out[i] = done
		}
		return out, true
	case map[string]any:
		out := make(map[string]any, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			done, ok := resolve(v[key], into)
			if !ok {
				return nil, false
			}
			out[key] = done
		}
		return out, true
	}
	return v, true
}

func unique(list []any) []any {
	out := list[:0]
	for _, v := range list {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// shaped is a UUIDv4 that depends on the content: for objects to which the standard gives no deterministic id.
func shaped(content []byte) string {
	sum := sha256.Sum256(content)
	u := uuid.UUID(sum[:16])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return u.String()
}
