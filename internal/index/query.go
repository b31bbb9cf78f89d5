package index

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"entente/internal/fault"
	"entente/label"
)

const (
	maxQuery  = 4096 // bytes of a query
	maxParts  = 32   // words, phrases and filters of a query
	minPrefix = 2    // characters that a beginning of a word must have
)

// part is one condition of a query; all must hold.
type part struct {
	not    bool
	field  string   // of a filter; empty: text
	text   string   // as written, without quotes
	beside bool     // of a Filter, and not of the text
	or     []string // of a filter: further values, any of which will do
	phrase bool     // in quotes
	prefix bool     // the beginning of a word
}

// The fields of filters.
const (
	fieldType    = "type"
	fieldValue   = "value"
	fieldLabel   = "label"
	fieldTLP     = "tlp"
	fieldAuthor  = "author"
	fieldSource  = "source"
	fieldSince   = "since"
	fieldUntil   = "until"
	fieldRevoked = "revoked"
	fieldID      = "id"
)

var fields = []string{fieldType, fieldValue, fieldLabel, fieldTLP, fieldAuthor, fieldSource, fieldSince, fieldUntil, fieldRevoked, fieldID}

// Filter is a condition beside the text of a query: one of the fields of its language, and values of which any one will do.
type Filter struct {
	Field string
	Any   []string
}

func (f Filter) part() (part, error) {
	if !slices.Contains(fields, f.Field) || len(f.Any) == 0 {
		return part{}, fault.New(fault.Invalid, "search.filter", "there is no such filter, or it has no value").At(f.Field)
	}
	if len(f.Any) > maxParts {
		return part{}, fault.New(fault.TooLarge, "search.filter", "more than %d values", maxParts).At(f.Field)
	}
	return part{beside: true, field: f.Field, text: f.Any[0], or: f.Any[1:]}, nil
}

// parse reads a query: words, "phrases", word* and field:value, separated by spaces; a minus in front means not. With typing, what stands
// at the very end is a word that may go on.
func parse(text string, typing bool) ([]part, error) {
	if len(text) > maxQuery {
		return nil, fault.New(fault.TooLarge, "search.size", "the query has %d bytes, the limit is %d", len(text), maxQuery).At("q")
	}
	if !utf8.ValidString(text) {
		return nil, bad(0, "the query is not UTF-8")
	}
	var parts []part
	for i := 0; ; {
		for i < len(text) {
			r, n := utf8.DecodeRuneInString(text[i:])
			if !unicode.IsSpace(r) && r != utf8.RuneError {
				break
			}
			i += n
		}
		if i >= len(text) {
			return parts, nil
		}
		if len(parts) == maxParts {
			return nil, bad(i, "more than %d words and filters", maxParts)
		}
		var p part
		start := i
		if text[i] == '-' && i+1 < len(text) && text[i+1] != ' ' {
			p.not = true
			i++
		}
		for _, f := range fields {
			if len(text)-i > len(f) && text[i+len(f)] == ':' && strings.EqualFold(text[i:i+len(f)], f) {
				p.field = f
				i += len(f) + 1
				break
			}
		}
		if i < len(text) && text[i] == '"' {
			end := strings.IndexByte(text[i+1:], '"')
			if end < 0 {
				if !typing {
					return nil, bad(i, "a quotation mark is not closed")
				}
				end = len(text) - i - 1
			}
			p.text, p.phrase = text[i+1:i+1+end], true
			i = min(i+end+2, len(text))
		} else {
			end := strings.IndexFunc(text[i:], unicode.IsSpace)
			if end < 0 {
				end = len(text) - i
				p.prefix = typing
			}
			p.text = text[i : i+end]
			i += end
			if rest, ok := strings.CutSuffix(p.text, "*"); ok && p.field == "" {
				p.text, p.prefix = rest, true
			}
		}
		if p.field != "" {
			p.prefix = false
			if !p.phrase && (p.field == fieldType || p.field == fieldTLP) {
				list := strings.Split(p.text, ",")
				p.text, p.or = list[0], list[1:]
			}
			if strings.TrimSpace(p.text) == "" {
				if typing && i >= len(text) {
					return parts, nil
				}
				return nil, bad(start, "%s: has no value", p.field)
			}
		}
		if strings.TrimSpace(p.text) != "" {
			parts = append(parts, p)
		}
	}
}

func bad(at int, format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "search.query", format+" (at character %d)", append(args, at+1)...).At("q").
		Try(`write words, "phrases", begin*, or ` + strings.Join(fields, ":, ") + ":")
}

// when reads a moment: a time of RFC 3339, a day, a month, a year, or how long ago: 30m, 24h, 7d, 2w.
func when(text string, now time.Time) (time.Time, error) {
	if n := len(text); n > 1 && n < 7 {
		unit := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}[text[n-1]]
		if k, err := strconv.Atoi(text[:n-1]); unit > 0 && err == nil && k >= 0 {
			return now.Add(-time.Duration(k) * unit), nil
		}
	}
	for _, form := range []string{time.RFC3339Nano, time.DateOnly, "2006-01", "2006"} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fault.New(fault.Invalid, "search.time", "%q is no time", cut(text, 40)).At("q").
		Try("write 2026-01-31T12:00:00Z, 2026-01-31, 2026-01, 2026, or how long ago: 24h, 7d, 2w")
}

func readTLP(text string) (label.TLP, error) {
	t, err := label.ParseTLP(strings.ReplaceAll(strings.TrimSpace(text), " ", "+"))
	if err != nil {
		return t, fault.New(fault.Invalid, "search.tlp", "%q is no TLP label", cut(text, 40)).At("q").By("TLP 2.0").Try("use red, amber+strict, amber, green or clear")
	}
	return t, nil
}

func readBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "1":
		return true, nil
	case "false", "no", "0":
		return false, nil
	}
	return false, fault.New(fault.Invalid, "search.flag", "%q is neither true nor false", cut(text, 40)).At("q")
}
