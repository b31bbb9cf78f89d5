package misp

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/stix"
)

// compare converts the events back and names what differs.
func (b *back) compare() {
	made := map[string][]byte{}
	for _, e := range b.events {
		items, _ := ToSTIX(e, Options{})
		for i := range items {
			if _, twice := made[items[i].ID]; !twice {
				made[items[i].ID] = items[i].Raw
			}
		}
	}
	for _, o := range b.order {
		if b.whole[o.ID()] {
			continue
		}
		raw, ok := made[o.ID()]
		if !ok {
			kind, _ := ours(o)
			if kind != kindDerived {
				b.lose(LossObject, o.ID()+"#", "MISP has no place for it")
			}
			continue
		}
		if bytes.Equal(raw, o.Raw()) {
			continue
		}
		again, err := stix.Parse(raw)
		if err != nil || again.Digest() == o.Digest() {
			continue
		}
		b.losses = append(b.losses, Differences(o.ID(), o.Raw(), raw)...)
	}
}

// Differences names the members in which two STIX objects differ, our own extension and the labels that name MISP types left out.
func Differences(id string, before, after []byte) []Loss {
	var x, y map[string]jsontext.Value
	if json.Unmarshal(before, &x) != nil || json.Unmarshal(after, &y) != nil {
		return []Loss{{Pointer: id + "#", Code: LossObject, Message: "it cannot be compared"}}
	}
	var out []Loss
	for _, key := range sortedKeys(x) {
		pointer := id + "#" + string(jsontext.Pointer("").AppendToken(key))
		other, ok := y[key]
		switch {
		case !ok:
			out = append(out, Loss{pointer, LossMissing, "MISP has no place for " + key})
		case !sameValue(x[key], other):
			out = append(out, Loss{pointer, LossDiffers, key + " comes back in another form"})
		}
	}
	for _, key := range sortedKeys(y) {
		if _, ok := x[key]; !ok && key != "extensions" {
			out = append(out, Loss{id + "#" + string(jsontext.Pointer("").AppendToken(key)), LossAdded, "the way back adds " + key})
		}
	}
	return out
}

func sameValue(a, b jsontext.Value) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, y := jsontext.Value(bytes.Clone(a)), jsontext.Value(bytes.Clone(b))
	return x.Canonicalize() == nil && y.Canonicalize() == nil && bytes.Equal(x, y)
}

func sortedKeys(m map[string]jsontext.Value) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
