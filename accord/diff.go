package accord

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"entente/label"
)

// Way is where a change leads.
type Way uint8

const (
	Other  Way = iota // neither, or both
	Narrow            // less may flow, or less may be done with it
	Widen             // more may flow, or more may be done with it
)

// Ways are the names of all ways, in their order.
var Ways = []string{"other", "narrow", "widen"}

func (w Way) String() string { return Ways[min(w, Widen)] }

// MarshalText writes the name.
func (w Way) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads a name.
func (w *Way) UnmarshalText(b []byte) error {
	i := slices.Index(Ways, string(b))
	if i < 0 {
		return fmt.Errorf("%q is no way: it is %s", b, oneOf(Ways))
	}
	*w = Way(i)
	return nil
}

// Change is one thing that differs between two versions, as a sentence.
type Change struct {
	Way       Way    `json:"way"`
	Clause    string `json:"clause,omitempty"`    // "give incidents"; empty: the accord as a whole
	Attribute string `json:"attribute,omitempty"` // "ceiling"; empty: the clause as a whole, or what follows from all of them
	Old       string `json:"old,omitempty"`       // as the canonical forms have it
	New       string `json:"new,omitempty"`
	Text      string `json:"text"`

	said *Phrase
}

// In is the change with its sentence in one of Languages; in any other it is English. A change that was read from JSON is as it is.
func (c Change) In(lang string) Change {
	if c.said != nil {
		c.Text = c.say(lang)
	}
	return c
}

// ChangesIn are changes with their sentences in one of Languages; in any other they are English.
func ChangesIn(lang string, all []Change) []Change {
	out := make([]Change, len(all))
	for i, c := range all {
		out[i] = c.In(lang)
	}
	return out
}

func (c *Change) say(lang string) string {
	text := remarks.Say(lang, *c.said)
	if c.Clause != "" && c.Attribute != "" {
		text = c.Clause + ": " + text
	}
	return text
}

// Diff tells what an amendment changes: first what every party receives more or less, then every clause that differs. It is empty exactly when the
// canonical forms are equal but for version and supersedes. Its sentences are English; Change.In has them in others.
func Diff(old, new *Accord) []Change {
	d := &difference{}
	d.flows(old, new)
	if old.Name != new.Name {
		d.add(Change{Attribute: "accord", Old: old.Name, New: new.Name}, "the accord is %[1]s, before %[2]s", new.Name, old.Name)
	}
	was, is := old.schema(), new.schema()
	for i := range is {
		if f, g := was[i].field, is[i].field; f != nil {
			if f.word != "version" && f.word != "supersedes" {
				d.attribute("", "", f, g)
			}
			continue
		}
		d.blocks(is[i].block.word, was[i].block.all(), is[i].block.all())
	}
	return d.out
}

type difference struct{ out []Change }

// add adds a change, with its sentence.
func (d *difference) add(c Change, english string, args ...any) {
	c.said = &Phrase{english, args}
	c.Text = c.say(Languages[0])
	d.out = append(d.out, c)
}

// attribute compares one attribute of a block that both have.
func (d *difference) attribute(word, label string, f, g *field) {
	old, new := f.text(), g.text()
	if old == new {
		return
	}
	clause := strings.TrimSpace(word + " " + label)
	way := Other
	if decide := ways[word+"."+f.word]; decide != nil {
		way = decide(old, new)
	}
	c := Change{Way: way, Clause: clause, Attribute: f.word, Old: old, New: new}
	if was, is, ok := lists(old, new); ok && old != "" && new != "" && was != nil && is != nil {
		more, less := without(is, was), without(was, is)
		switch {
		case len(more) > 0 && len(less) > 0:
			d.add(c, "%[1]s now also has %[2]s and no longer has %[3]s", f.word, strings.Join(more, ", "), strings.Join(less, ", "))
		case len(more) > 0:
			d.add(c, "%[1]s now also has %[2]s", f.word, strings.Join(more, ", "))
		case len(less) > 0:
			d.add(c, "%[1]s no longer has %[2]s", f.word, strings.Join(less, ", "))
		default:
			d.add(c, "%[1]s has another order", f.word)
		}
	} else {
		switch {
		case old == "":
			d.add(c, "%[1]s is now %[2]s, before nothing was said", f.word, new)
		case new == "":
			d.add(c, "%[1]s is no longer said, before it was %[2]s", f.word, old)
		default:
			d.add(c, "%[1]s is now %[2]s, before %[3]s", f.word, new, old)
		}
	}
}

func (d *difference) blocks(word string, old, new []entry) {
	index := func(es []entry, label string) int {
		return slices.IndexFunc(es, func(e entry) bool { return e.label == label })
	}
	var was, is []string // labels of those that stay, in both orders
	for _, e := range old {
		if index(new, e.label) >= 0 {
			was = append(was, e.label)
			continue
		}
		clause := strings.TrimSpace(word + " " + e.label)
		way := Other
		switch word {
		case "give", "party", "exercise":
			way = Narrow
		case "authority", "limits":
			way = Widen
		}
		d.add(Change{Way: way, Clause: clause, Old: e.line()}, "%[1]s is gone", clause)
	}
	for _, e := range new {
		i := index(old, e.label)
		if i < 0 {
			clause := strings.TrimSpace(word + " " + e.label)
			way := Other
			switch word {
			case "give", "party", "exercise":
				way = Widen
			case "authority", "limits":
				way = Narrow
			}
			d.add(Change{Way: way, Clause: clause, New: e.line()}, "%[1]s is new: %[2]s", clause, e.line())
			continue
		}
		is = append(is, e.label)
		for k := range e.fields {
			d.attribute(word, e.label, &old[i].fields[k], &e.fields[k])
		}
	}
	if !slices.Equal(was, is) {
		d.add(Change{Attribute: word, Old: strings.Join(was, ", "), New: strings.Join(is, ", ")}, "the blocks of %[1]s stand in another order: %[2]s", word, strings.Join(is, ", "))
	}
}

// line is a block in one line.
func (e *entry) line() string {
	var parts []string
	for _, p := range e.pairs() {
		parts = append(parts, p.word+" = "+p.text)
	}
	return strings.Join(parts, ", ")
}

// lists takes two values as lists, when they are; a single word stands for the empty or the full list and gives nil.
func lists(old, new string) (was, is []string, ok bool) {
	split := func(s string) []string {
		inner, ok := strings.CutPrefix(s, "[")
		if !ok {
			return nil
		}
		return strings.Split(strings.TrimSuffix(inner, "]"), ", ")
	}
	was, is = split(old), split(new)
	return was, is, was != nil || is != nil
}

func without(a, b []string) (out []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// ways tells for an attribute, by block and word, where a change leads, from its two values as the canonical forms have them; empty: not said.
var ways = map[string]func(old, new string) Way{
	".effective":                opposite(later),
	".expires":                  later,
	".sectors":                  longer,
	".purpose":                  longer,
	".never":                    opposite(shorter),
	"give.from":                 longer,
	"give.to":                   longer,
	"give.kind":                 longer,
	"give.ceiling":              rank("CLEAR", "GREEN", "AMBER", "AMBER-STRICT", "RED"),
	"give.class":                classes,
	"give.strip":                opposite(shorter),
	"give.anonymise":            opposite(shorter),
	"give.release-officer":      rank("required", ""),
	"give.audience":             rank("subset", ""),
	"give.access":               rank("view", "", "copy"),
	"handle.default":            rank("RED", "AMBER-STRICT", "AMBER", "GREEN", "CLEAR"),
	"handle.retain":             amount,
	"handle.pap":                rank("ASK", "RED", "AMBER", "GREEN", "CLEAR"),
	"handle.onward":             rank("none", "clients", "consent", "audience-relay", "community", "free"),
	"handle.attribution":        attribution,
	"handle.access":             rank("view", "copy"),
	"limits.objects-per-day":    amount,
	"limits.object":             amount,
	"limits.attachment":         amount,
	"limits.queue":              amount,
	"authority.sunset":          later,
	"authority.covers":          opposite(longer),
	"relay.read":                rank("no", "yes"),
	"scope.clients":             shorter,
	"scope.community":           rank("", "parties"),
	"terminate.purge":           amount,
	"withdraw.purge":            amount,
	"exercise.purge":            amount,
	"reciprocity.minimum":       opposite(amount),
	"reciprocity.within":        amount,
	"reciprocity.suspend-after": amount,
}

func way(c int) Way {
	switch {
	case c < 0:
		return Narrow
	case c > 0:
		return Widen
	}
	return Other
}

func opposite(f func(old, new string) Way) func(old, new string) Way {
	return func(old, new string) Way { return f(new, old) }
}

// rank orders words from the narrowest.
func rank(words ...string) func(old, new string) Way {
	return func(old, new string) Way { return way(slices.Index(words, new) - slices.Index(words, old)) }
}

// later widens; never is the latest.
func later(old, new string) Way {
	if old == "never" || new == "never" {
		return way(cmp.Compare(strconv.FormatBool(new == "never"), strconv.FormatBool(old == "never")))
	}
	return way(strings.Compare(new, old))
}

// amount is wider when it is more; not said is no bound.
func amount(old, new string) Way {
	value := func(s string) int64 {
		s = strings.Trim(s, `"`)
		if d, ok := parseDuration(s); ok {
			return int64(d)
		}
		if n, ok := parseSize(s); ok {
			return n
		}
		n, _ := strconv.ParseInt(strings.TrimSuffix(s, "%"), 10, 64)
		return n
	}
	if old == "" || new == "" {
		return way(cmp.Compare(len(old), len(new)))
	}
	return way(cmp.Compare(value(new), value(old)))
}

// longer lists widen; not said, or a word, means everything.
func longer(old, new string) Way {
	was, is, _ := lists(old, new)
	return extent(was == nil, is == nil, was, is)
}

// shorter is longer for lists of which none means nothing.
func shorter(old, new string) Way {
	was, is, _ := lists(old, new)
	return extent(false, false, was, is)
}

func extent(allBefore, allNow bool, was, is []string) Way {
	more, less := len(without(is, was)) > 0, len(without(was, is)) > 0
	switch {
	case allBefore || allNow:
		return way(cmp.Compare(strconv.FormatBool(allNow), strconv.FormatBool(allBefore)))
	case more && !less:
		return Widen
	case less && !more:
		return Narrow
	}
	return Other
}

func classes(old, new string) Way {
	read := func(s string) label.Class {
		if s == "" {
			return label.Unclassified()
		}
		c, err := label.ParseClass(strings.Trim(s, `"`))
		if err != nil {
			return label.Mixed()
		}
		return c
	}
	switch was, is := read(old), read(new); {
	case was.LessEqual(is):
		return Widen
	case is.LessEqual(was):
		return Narrow
	}
	return Other
}

func attribution(old, new string) Way {
	switch {
	case new == "may" || old == "withhold":
		return Widen
	case old == "may" || new == "withhold":
		return Narrow
	}
	return Other
}
