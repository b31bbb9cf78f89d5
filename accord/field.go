package accord

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"entente/label"
)

// field is one attribute, bound to where its value stands: Parse reads into it, Format, Explain and Diff write from it. So a word of the language
// is said once, in schema.go.
type field struct {
	word   string
	must   bool // the text has to state it
	always bool // the canonical form states it, also where the text did not
	said   func() bool
	read   func(r *reader, e hclsyntax.Expression)
	write  func() string
}

// text is what the canonical form has for the field; empty: nothing.
func (f *field) text() string {
	if !f.must && !f.always && !f.said() {
		return ""
	}
	return f.write()
}

func (f field) required() field { f.must = true; return f }
func (f field) written() field  { f.always = true; return f }

// codec reads and writes one kind of value.
type codec[T any] struct {
	form  string // what to write, for messages
	read  func(r *reader, e hclsyntax.Expression) (T, bool)
	write func(T) string
}

// bare is a keyword: a word without quotes.
func bare[T any](form string, parse func(string) (T, bool), print func(T) string) codec[T] {
	return codec[T]{form, func(_ *reader, e hclsyntax.Expression) (v T, ok bool) {
		if w, is := keyword(e); is {
			return parse(w)
		}
		return v, false
	}, print}
}

// inQuotes is everything that is no word of the vocabulary.
func inQuotes[T any](form string, parse func(string) (T, bool), print func(T) string) codec[T] {
	return codec[T]{form, func(r *reader, e hclsyntax.Expression) (v T, ok bool) {
		if s, is := r.quoted(e); is {
			return parse(s)
		}
		return v, false
	}, func(v T) string { return quoted(print(v)) }}
}

func words(vocabulary ...string) codec[string] {
	return bare(oneOf(vocabulary), func(s string) (string, bool) { return s, slices.Contains(vocabulary, s) }, itself)
}

// flag is a pair of words for yes and no.
func flag(yes, no string) codec[bool] {
	return bare(oneOf([]string{yes, no}), func(s string) (bool, bool) { return s == yes, s == yes || s == no }, func(v bool) string {
		if v {
			return yes
		}
		return no
	})
}

// only is a word that is there or not.
func only(word string) codec[bool] {
	return bare(word, func(s string) (bool, bool) { return true, s == word }, func(bool) string { return word })
}

func number(least, most int) codec[int] {
	return codec[int]{"a whole number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most), func(r *reader, e hclsyntax.Expression) (int, bool) {
		n, ok := r.number(e, int64(most))
		return int(n), ok && int(n) >= least
	}, strconv.Itoa}
}

func itself(s string) string { return s }

func accepted(is func(string) bool) func(string) (string, bool) {
	return func(s string) (string, bool) { return s, is(s) }
}

func prefixed(prefix string) codec[string] {
	return inQuotes(`"`+prefix+`:NAME" in quotes`, func(s string) (string, bool) {
		name, ok := strings.CutPrefix(s, prefix+":")
		return name, ok && isName(name)
	}, func(s string) string { return prefix + ":" + s })
}

var (
	nation    = bare("a nation's code, three capital letters without quotes", accepted(label.IsNation), itself)
	kind      = bare("a kind, in small letters without quotes", accepted(isWord), itself)
	anyWord   = bare("a word in small letters without quotes", accepted(isWord), itself)
	org       = inQuotes("the name of an organisation in quotes, as its nation's key log has it, without /", accepted(isOrg), itself)
	host      = inQuotes("a host, with or without a port, in quotes", accepted(isHost), itself)
	path      = inQuotes(`a type or "type.property" in quotes`, accepted(isPath), itself)
	prose     = inQuotes("one line of text in quotes, at most 500 bytes", accepted(isText), itself)
	digest    = inQuotes(`"sha256:" and 64 digits of 0-9a-f in quotes`, accepted(isDigest), itself)
	date      = inQuotes(`a day in quotes, "2026-10-01"`, parseDay, printDay)
	duration  = inQuotes(`a time in quotes: "365d", "24h", "30m" or "1y" (365 days)`, parseDuration, printDuration)
	size      = inQuotes(`a size in quotes: "256KiB", "8MiB", "2GiB"`, parseSize, printSize)
	percent   = inQuotes(`a share in quotes, "1%" to "100%"`, parsePercent, func(n int) string { return strconv.Itoa(n) + "%" })
	tlp       = ranks("CLEAR, GREEN, AMBER, AMBER-STRICT or RED", map[string]label.TLP{"CLEAR": label.Clear, "GREEN": label.Green, "AMBER": label.Amber, "AMBER-STRICT": label.AmberStrict, "RED": label.Red})
	pap       = ranks("CLEAR, GREEN, AMBER, RED or ASK", map[string]label.PAP{"CLEAR": label.PAPClear, "GREEN": label.PAPGreen, "AMBER": label.PAPAmber, "RED": label.PAPRed, "ASK": label.PAPAsk})
	access    = ranks("copy or view", map[string]label.Access{"copy": label.Copy, "view": label.View})
	attribute = ranks("may, must, must-not or withhold", map[string]label.Attribution{"may": label.May, "must": label.Must, "must-not": label.MustNot, "withhold": label.Withhold})
	mode      = either(bare("operational", func(s string) (label.Mode, bool) { return label.OperationalMode, s == "operational" }, func(m label.Mode) string { return string(m) }),
		func(m label.Mode) bool { return m == label.OperationalMode },
		inQuotes(`"exercise:NAME" in quotes`, func(s string) (label.Mode, bool) {
			n, ok := strings.CutPrefix(s, "exercise:")
			return label.Exercise(n), ok && isName(n)
		}, func(m label.Mode) string { return string(m) }))
	class = either(bare("unclassified", func(s string) (label.Class, bool) { return label.Unclassified(), s == "unclassified" }, label.Class.String),
		func(c label.Class) bool { return c == label.Unclassified() },
		inQuotes(`a classification in quotes, "NATO:NR"`, func(s string) (label.Class, bool) {
			c, err := label.ParseClass(s)
			return c, err == nil && c != label.Mixed() && c != label.Unclassified()
		}, label.Class.String))
	proposers = either(words("any"), func(s string) bool { return s == "any" }, parties)
	consent   = either(words("all", "all-but-subject"), func(s string) bool { return strings.HasPrefix(s, "all") },
		either(parties, func(s string) bool { return !strings.ContainsAny(s, "/%") }, inQuotes(`a part of the parties in quotes, "2/3" or "75%"`, parseConsent, itself)))
	parties = codec[string]{"a number of parties", func(r *reader, e hclsyntax.Expression) (string, bool) {
		n, ok := r.number(e, MaxParties)
		return strconv.FormatInt(n, 10), ok && n > 0
	}, itself}
)

func ranks[T comparable](form string, values map[string]T) codec[T] {
	return bare(form, func(s string) (T, bool) { v, ok := values[s]; return v, ok }, func(v T) string {
		for w, x := range values {
			if x == v {
				return w
			}
		}
		return ""
	})
}

// either reads what one of two codecs reads; first tells which one writes a value.
func either[T any](a codec[T], first func(T) bool, b codec[T]) codec[T] {
	return codec[T]{a.form + ", or " + b.form, func(r *reader, e hclsyntax.Expression) (T, bool) {
		if v, ok := a.read(r, e); ok {
			return v, true
		}
		return b.read(r, e)
	}, func(v T) string {
		if first(v) {
			return a.write(v)
		}
		return b.write(v)
	}}
}

// one binds an attribute with one value. It says nothing while the value is the zero one.
func one[T comparable](word string, to *T, c codec[T]) field {
	return field{word: word, said: func() bool { var zero T; return *to != zero }, write: func() string { return c.write(*to) },
		read: func(r *reader, e hclsyntax.Expression) {
			if v, ok := c.read(r, e); ok {
				*to = v
			} else {
				r.value(e, word, c.form)
			}
		}}
}

// orWord is an attribute that has a word for its zero value: expires = never.
func orWord[T comparable](word string, to *T, nothing string, c codec[T]) field {
	var zero T
	none := bare(nothing, func(s string) (T, bool) { return zero, s == nothing }, func(T) string { return nothing })
	return one(word, to, either(none, func(v T) bool { return v == zero }, c))
}

// stated is an attribute whose zero value means something: has tells whether it was stated.
func stated[T comparable](word string, to *T, has *bool, c codec[T]) field {
	f := one(word, to, c)
	read := f.read
	f.said = func() bool { return *has }
	f.read = func(r *reader, e hclsyntax.Expression) { read(r, e); *has = true }
	return f
}

// many binds an attribute with a list, which is not empty and has no word twice.
func many[T comparable](word string, to *[]T, c codec[T]) field {
	return field{word: word, said: func() bool { return len(*to) > 0 },
		write: func() string {
			items := make([]string, len(*to))
			for i, v := range *to {
				items[i] = c.write(v)
			}
			return "[" + strings.Join(items, ", ") + "]"
		},
		read: func(r *reader, e hclsyntax.Expression) {
			for _, item := range r.list(e, word, c.form) {
				v, ok := c.read(r, item)
				switch {
				case !ok:
					r.value(item, "each of "+word, c.form)
				case slices.Contains(*to, v):
					r.refuse(item.Range(), "duplicate", "%s stands twice in %s: keep one", c.write(v), word)
				default:
					*to = append(*to, v)
				}
			}
		}}
}

// listOr is a list that has a word for the empty one: from = any, clients = none.
func listOr(word string, to *[]string, nothing string, c codec[string]) field {
	f := many(word, to, c)
	read, write := f.read, f.write
	f.read = func(r *reader, e hclsyntax.Expression) {
		if w, ok := keyword(e); !ok || w != nothing {
			read(r, e)
		}
	}
	f.write = func() string {
		if len(*to) == 0 {
			return nothing
		}
		return write()
	}
	return f
}

func purposes(word string, to *label.Purposes) field {
	purpose := bare("one of "+strings.Join(label.EveryPurpose.List(), ", "), func(s string) (label.Purposes, bool) {
		p, err := label.ParsePurposes(s)
		return p, err == nil && s != "all"
	}, label.Purposes.String)
	var list []label.Purposes
	f := many(word, &list, purpose)
	read := f.read
	f.said = func() bool { return *to != 0 }
	f.write = func() string { return "[" + strings.Join(to.List(), ", ") + "]" }
	f.read = func(r *reader, e hclsyntax.Expression) {
		read(r, e)
		for _, p := range list {
			*to |= p
		}
	}
	return f
}

// perKind is { kind = "90d", … }.
func perKind(word string, to *map[string]time.Duration) field {
	return field{word: word, said: func() bool { return len(*to) > 0 },
		write: func() string {
			items := make([]string, 0, len(*to))
			for _, k := range slices.Sorted(maps.Keys(*to)) {
				items = append(items, k+" = "+duration.write((*to)[k]))
			}
			return "{ " + strings.Join(items, ", ") + " }"
		},
		read: func(r *reader, e hclsyntax.Expression) {
			o, ok := e.(*hclsyntax.ObjectConsExpr)
			if !ok || len(o.Items) == 0 || len(o.Items) > maxList {
				r.value(e, word, `{ sighting = "90d" }, with 1 to 256 kinds`)
				return
			}
			*to = map[string]time.Duration{}
			for _, item := range o.Items {
				k, ok := keyword(item.KeyExpr)
				if !ok || !isWord(k) {
					r.value(item.KeyExpr, "each key of "+word, kind.form)
					continue
				}
				if _, twice := (*to)[k]; twice {
					r.refuse(item.KeyExpr.Range(), "duplicate", "%s stands twice in %s: keep one", k, word)
					continue
				}
				v, ok := duration.read(r, item.ValueExpr)
				if !ok {
					r.value(item.ValueExpr, k+" in "+word, duration.form)
				}
				(*to)[k] = v
			}
		}}
}

// window is two days.
func window(word string, from, to *time.Time) field {
	return field{word: word, said: func() bool { return true },
		write: func() string { return "[" + date.write(*from) + ", " + date.write(*to) + "]" },
		read: func(r *reader, e hclsyntax.Expression) {
			items := r.list(e, word, date.form)
			if len(items) == 0 {
				return
			}
			if len(items) != 2 {
				r.value(e, word, `two days, the first and the last: ["2027-03-01", "2027-03-05"]`)
				return
			}
			for i, t := range []*time.Time{from, to} {
				v, ok := date.read(r, items[i])
				if !ok {
					r.value(items[i], "each of "+word, date.form)
					return
				}
				*t = v
			}
			if to.Before(*from) {
				r.refuse(items[1].Range(), "value", "%s ends before it begins: write the first day first", word)
			}
		}}
}

func oneOf(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
