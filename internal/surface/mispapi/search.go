package mispapi

import (
	"context"
	"net"
	"strings"

	"entente/internal/gate"
	"entente/internal/store"
	"entente/misp"
	"entente/stix"
)

// byValue gives the objects that have a value, among what events have. Values that patterns and observables state are found by the store's keys,
// the others among the attributes that STIX has no type for.
func (s *Surface) byValue(ctx context.Context, v gate.Viewer, value string, fn func(*store.Item, *stix.Object) (bool, error)) error {
	stop := false
	done := map[string]bool{}
	each := func(it *store.Item) (bool, error) {
		o, err := stix.Parse(it.Record.Body)
		if err != nil || it.Held || done[it.Record.ID] || misp.EventOf(o) == "" {
			return true, nil
		}
		done[it.Record.ID] = true
		more, err := fn(it, o)
		stop = !more
		return more, err
	}
	for _, form := range forms(value) {
		err := pages(ctx, s.x, v, store.Query{Lookups: []lookup{{Kind: valueKey, Text: form}}}, func(it *store.Item) (bool, error) {
			if it.Record.Type == "indicator" {
				return each(it)
			}
			more := true
			err := pages(ctx, s.x, v, store.Query{Lookups: []lookup{{Kind: refKey, Text: it.Record.ID}}, Types: []string{"observed-data"}}, func(it *store.Item) (bool, error) {
				var err error
				more, err = each(it)
				return more, err
			})
			return more, err
		})
		if err != nil || stop {
			return err
		}
	}
	for _, name := range []string{strings.ToLower(value)} {
		err := pages(ctx, s.x, v, store.Query{Lookups: []lookup{{Kind: nameKey, Text: name}}, Types: []string{"vulnerability", "campaign"}}, each)
		if err != nil || stop {
			return err
		}
	}
	return pages(ctx, s.x, v, store.Query{Types: []string{"x-misp-attribute", "x-misp-object"}}, func(it *store.Item) (bool, error) {
		if !strings.Contains(string(it.Record.Body), jsonEscaped(value)) {
			return true, nil
		}
		return each(it)
	})
}

// forms are the forms in which the store may know a value.
func forms(value string) []string {
	out := []string{value}
	if low := strings.ToLower(value); low != value {
		out = append(out, low)
	}
	if ip := net.ParseIP(value); ip != nil && ip.String() != value {
		out = append(out, ip.String())
	}
	for _, sep := range []string{"|"} { // composite values are stated one by one
		if a, b, ok := strings.Cut(value, sep); ok {
			out = append(out, a, b)
		}
	}
	return out
}
