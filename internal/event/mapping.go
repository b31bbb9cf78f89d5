package event

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/pelletier/go-toml/v2"
)

// Bounds of a mapping.
const (
	maxMapped = 10_000 // names
	maxOthers = 100    // of one
)

// ParseMapping reads a mapping from a file of TOML, in which each name that is known stands with one or more of the events' own, with dots between those of objects in each
// other:
//
//	"id.orig_h" = "client.address"
//	Image = ["proc.exe", "process_path"]
func ParseMapping(text []byte) (Mapping, error) {
	var table map[string]any
	if err := toml.NewDecoder(bytes.NewReader(text)).Decode(&table); err != nil {
		return nil, fmt.Errorf("a mapping is a file of TOML: %w", err)
	}
	out := Mapping{}
	add := func(name string, other any) error {
		s, ok := other.(string)
		if !ok || s == "" || len(s) > 256 {
			return fmt.Errorf("%q stands for no name: write one, or a list of them", name)
		}
		if len(out[name]) >= maxOthers || len(out) > maxMapped {
			return fmt.Errorf("%q is one name too many: at most %d names are mapped, to %d each", name, maxMapped, maxOthers)
		}
		if !slices.Contains(out[name], s) {
			out[name] = append(out[name], s)
		}
		return nil
	}
	for name, value := range table {
		others, list := value.([]any)
		if !list {
			others = []any{value}
		}
		for _, other := range others {
			if err := add(name, other); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
