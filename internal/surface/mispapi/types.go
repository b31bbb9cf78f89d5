package mispapi

import (
	"strings"

	"entente/internal/exchange"
	"entente/internal/record"
)

type (
	lookup          = record.Lookup
	exchangeOutcome = exchange.Outcome
)

const (
	external = record.External
	valueKey = record.Value
	refKey   = record.Ref
	nameKey  = record.Name
)

// jsonEscaped is the part of a text that stands unchanged in any JSON, however often it was quoted: up to the first character that is escaped.
func jsonEscaped(s string) string {
	if i := strings.IndexAny(s, "\"\\\b\f\n\r\t</>&"); i >= 0 {
		return s[:i]
	}
	return s
}
