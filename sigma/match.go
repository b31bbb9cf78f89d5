package sigma

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// Op is how a value is compared.
type Op uint8

const (
	OpEqual         Op = iota // the text is Text
	OpPrefix                  // the text begins with Text
	OpSuffix                  // the text ends with Text
	OpContains                // Text is in the text
	OpWild                    // the text as a whole is of the form of Text, a text with wildcards as ParsePattern reads it
	OpAny                     // there is a value, whatever it is: *
	OpRegex                   // Text, a regular expression, is found in the text
	OpNumber                  // the number is Text, a number as Canonical writes it
	OpLess                    // the number is less than Text
	OpLessEqual               // the number is less than Text or it
	OpGreater                 // the number is greater than Text
	OpGreaterEqual            // the number is greater than Text or it
	OpCIDR                    // the address is in Text, a prefix as netip.Prefix writes it
	OpExists                  // there is the field, even if it is null
	OpNull                    // the field is null, an empty list, or not there
	OpField                   // the text is that of the field Text
	OpFieldPrefix             // the text begins with that of the field Text
	OpFieldSuffix             // the text ends with that of the field Text
	OpFieldContains           // the text of the field Text is in the text
)

var opNames = [...]string{"equals", "begins with", "ends with", "contains", "is like", "is there", "matches", "is the number", "<", "<=", ">", ">=", "is in",
	"exists", "is null", "equals field", "begins with field", "ends with field", "contains field"}

func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return fmt.Sprintf("op %d", o)
}

// TimePart is what is taken out of a time before it is compared as a number.
type TimePart uint8

const (
	NoPart TimePart = iota
	Minute
	Hour
	Day
	Week // of ISO 8601, 1 to 53
	Month
	Year
)

var partNames = [...]string{"", "minute", "hour", "day", "week", "month", "year"}

func (p TimePart) String() string {
	if int(p) < len(partNames) {
		return partNames[p]
	}
	return fmt.Sprintf("part %d", p)
}

// Match is one question to one field, a leaf of a rule. Two of them that are equal with == ask the same, so a Match is its own key.
type Match struct {
	Field string // empty: any value of the event (keywords)
	Op    Op
	Text  string // in the form of Fold unless Cased; see the operators
	Cased bool
	Part  TimePart // with OpNumber and the orders alone
}

// String says a match in words.
func (m Match) String() string {
	var b strings.Builder
	if m.Field == "" {
		b.WriteString("any value")
	} else {
		b.WriteString(m.Field)
	}
	if m.Part != NoPart {
		b.WriteString(" (" + m.Part.String() + ")")
	}
	b.WriteString(" " + m.Op.String())
	if m.Op != OpAny && m.Op != OpExists && m.Op != OpNull {
		fmt.Fprintf(&b, " %q", m.Text)
	}
	if m.Cased && m.Op != OpRegex {
		b.WriteString(" (case counts)")
	}
	return b.String()
}

// Matcher is a match ready to be put to events.
type Matcher struct {
	Match
	parts  []Part
	regex  *regexp.Regexp
	prefix netip.Prefix
	number decimal
	text   []byte
}

// Matcher prepares a match. It fails when Text is not of the form that Op asks for.
func (m Match) Matcher() (*Matcher, error) {
	x := &Matcher{Match: m, text: []byte(m.Text)}
	var err error
	ok := true
	switch m.Op {
	case OpWild:
		x.parts = ParsePattern(m.Text)
	case OpRegex:
		x.regex, err = regexp.Compile(m.Text)
	case OpCIDR:
		x.prefix, err = netip.ParsePrefix(m.Text)
	case OpNumber, OpLess, OpLessEqual, OpGreater, OpGreaterEqual:
		x.number, ok = parseDecimal(m.Text)
	}
	if err != nil || !ok {
		return nil, &Problem{Level: LevelError, Code: CodeValue, Message: fmt.Sprintf("%q cannot be used with %q", m.Text, m.Op.String())}
	}
	return x, nil
}

// Holds puts the match to an event.
func (x *Matcher) Holds(e Event) bool {
	_, ok := x.Find(e)
	return ok
}

// Find is Holds, and gives the first value that was accepted; null where it was the field as such.
func (x *Matcher) Find(e Event) (found Value, ok bool) {
	if x.Field == "" {
		e.Keywords(func(text []byte) bool {
			found = Value{KindText, text}
			ok = x.Accepts(found)
			return !ok
		})
		return found, ok
	}
	values := e.Values(x.Field)
	switch x.Op {
	case OpExists:
		return Null(), values != nil
	case OpNull:
		if len(values) == 0 {
			return Null(), true
		}
	case OpField, OpFieldPrefix, OpFieldSuffix, OpFieldContains:
		others := e.Values(x.Text)
		for _, v := range values {
			for _, o := range others {
				if x.acceptsOther(v, o) {
					return v, true
				}
			}
		}
		return Null(), false
	}
	for _, v := range values {
		if x.Accepts(v) {
			return v, true
		}
	}
	return Null(), false
}

// acceptsOther compares the values of two fields.
func (x *Matcher) acceptsOther(v, o Value) bool {
	if v.Kind == KindNull || o.Kind == KindNull {
		return false
	}
	a, b := v.Text, o.Text
	if !x.Cased {
		a, b = Fold(nil, a), Fold(nil, b)
	}
	switch x.Op {
	case OpFieldPrefix:
		return bytes.HasPrefix(a, b)
	case OpFieldSuffix:
		return bytes.HasSuffix(a, b)
	case OpFieldContains:
		return bytes.Contains(a, b)
	}
	return bytes.Equal(a, b)
}

// Accepts puts the match to one value of the field. The operators that look at the whole event, OpExists and those of another field,
// have no answer for a single value: false.
func (x *Matcher) Accepts(v Value) bool {
	if v.Kind == KindNull {
		return x.Op == OpNull
	}
	switch x.Op {
	case OpAny:
		return true
	case OpRegex:
		return x.regex.Match(v.Text)
	case OpNumber, OpLess, OpLessEqual, OpGreater, OpGreaterEqual:
		return x.acceptsNumber(v)
	case OpCIDR:
		addr, err := netip.ParseAddr(string(v.Text))
		return err == nil && x.prefix.Contains(addr.WithZone("").Unmap())
	case OpEqual, OpPrefix, OpSuffix, OpContains, OpWild:
	default:
		return false
	}
	text := v.Text
	if !x.Cased {
		text = Fold(make([]byte, 0, 512), text) // of a size that needs no heap
	}
	switch x.Op {
	case OpEqual:
		return bytes.Equal(text, x.text)
	case OpPrefix:
		return bytes.HasPrefix(text, x.text)
	case OpSuffix:
		return bytes.HasSuffix(text, x.text)
	case OpContains:
		return bytes.Contains(text, x.text)
	}
	return matchParts(x.parts, text)
}

func (x *Matcher) acceptsNumber(v Value) bool {
	text := string(v.Text)
	if x.Part != NoPart {
		n, ok := timePart(text, x.Part)
		if !ok {
			return false
		}
		text = n
	}
	n, ok := parseDecimal(text)
	if !ok {
		return false
	}
	c := n.compare(x.number)
	switch x.Op {
	case OpLess:
		return c < 0
	case OpLessEqual:
		return c <= 0
	case OpGreater:
		return c > 0
	case OpGreaterEqual:
		return c >= 0
	}
	return c == 0
}
