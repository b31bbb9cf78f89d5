package label

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// maxJSON bounds the bytes of one label: four sets at their bounds.
const maxJSON = 4*MaxMembers*(2*MaxMember+3) + 4096

const timeForm = "2006-01-02T15:04:05.000000Z"

// MarshalJSON writes the one canonical form: every dimension in a fixed order, times only where there are any, sets sorted. Equal labels have
// equal bytes. A label with a member that does not belong in its dimension is an error.
func (l Label) MarshalJSON() ([]byte, error) {
	l = l.normal()
	if !l.Mode.valid() {
		return nil, invalid("/mode", "%s is no mode", quote(string(l.Mode)))
	}
	for p := range l.Audience.Members() {
		if err := CheckPrincipal(p); err != nil {
			return nil, at(err, "/aud")
		}
	}
	b := make([]byte, 0, 320)
	b = append(b, '{')
	for _, m := range []struct{ name, value string }{
		{"tlp", l.TLP.String()}, {"class", l.Class.String()}, {"pap", l.PAP.String()}, {"onward", l.Onward.String()},
		{"attrib", l.Attribution.String()}, {"purge", l.Purge.String()}, {"mode", l.Mode.String()}, {"access", l.Access.String()},
	} {
		b = appendMember(b, m.name)
		b = appendString(b, m.value)
	}
	b = appendMember(b, "purpose")
	b = appendWords(b, l.Purpose == EveryPurpose, l.Purpose.List())
	for _, m := range []struct {
		name string
		set  Set
	}{{"aud", l.Audience}, {"sector", l.Sector}, {"authority", l.Authority}, {"caveat", l.Caveat}} {
		b = appendMember(b, m.name)
		b = appendWords(b, m.set.IsAll(), m.set.List())
	}
	b = strconv.AppendBool(appendMember(b, "named"), l.Named)
	for _, m := range []struct {
		name string
		time time.Time
	}{{"notbefore", l.NotBefore}, {"notafter", l.NotAfter}} {
		if !m.time.IsZero() {
			b = appendMember(b, m.name)
			b = appendString(b, m.time.Format(timeForm))
		}
	}
	return append(b, '}'), nil
}

func appendMember(b []byte, name string) []byte {
	if len(b) > 1 {
		b = append(b, ',')
	}
	return append(appendString(b, name), ':')
}

func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // every word was checked to be UTF-8
	return b
}

func appendWords(b []byte, all bool, words []string) []byte {
	if all {
		return append(b, `"all"`...)
	}
	b = append(b, '[')
	for i, w := range words {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, w)
	}
	return append(b, ']')
}

// UnmarshalJSON reads a label strictly: unknown, repeated and missing members, wrong types, unknown words, unsorted or oversize sets are
// errors, *Error with a pointer, and leave the label as it was.
func (l *Label) UnmarshalJSON(b []byte) error {
	if len(b) > maxJSON {
		return invalid("", "a label is at most %d bytes", maxJSON)
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(b))
	var got Label
	seen := map[string]bool{}
	if err := readLabel(d, &got, seen); err != nil {
		return located(d, err)
	}
	for _, name := range []string{"tlp", "class", "pap", "onward", "attrib", "purge", "mode", "access", "purpose", "aud", "sector", "authority", "caveat", "named"} {
		if !seen[name] {
			return invalid("/"+name, "a label states every dimension, and this one is missing")
		}
	}
	if got.Named && !got.named() {
		return invalid("/named", "an audience of all is named only under TLP:CLEAR")
	}
	*l = got
	return nil
}

func readLabel(d *jsontext.Decoder, l *Label, seen map[string]bool) error {
	if k := d.PeekKind(); k != '{' && k != 0 {
		return invalid("", "a label is an object")
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := t.String()
		seen[name] = true
		if err := readMember(d, l, name); err != nil {
			return err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	if d.PeekKind() != 0 {
		return invalid("", "nothing may follow a label")
	}
	return nil
}

func readMember(d *jsontext.Decoder, l *Label, name string) (err error) {
	switch name {
	case "tlp":
		l.TLP, err = readChain[TLP](d, tlpNames)
	case "pap":
		l.PAP, err = readChain[PAP](d, papNames)
	case "onward":
		l.Onward, err = readChain[Onward](d, onwardNames)
	case "attrib":
		l.Attribution, err = readChain[Attribution](d, attributionNames)
	case "purge":
		l.Purge, err = readChain[Purge](d, purgeNames)
	case "access":
		l.Access, err = readChain[Access](d, accessNames)
	case "class":
		l.Class, err = readWord(d, ParseClass)
	case "mode":
		l.Mode, err = readWord(d, ParseMode)
	case "purpose":
		l.Purpose, err = readPurposes(d)
	case "aud":
		l.Audience, err = readSet(d, CheckPrincipal)
	case "named":
		l.Named, err = readBool(d)
	case "sector":
		l.Sector, err = readSet(d, checkMember)
	case "authority":
		l.Authority, err = readSet(d, checkMember)
	case "caveat":
		l.Caveat, err = readSet(d, checkMember)
	case "notbefore":
		l.NotBefore, err = readWord(d, parseTime)
	case "notafter":
		l.NotAfter, err = readWord(d, parseTime)
	default:
		return invalid("", "a label has no such dimension")
	}
	return err
}

func readString(d *jsontext.Decoder) (string, error) {
	if k := d.PeekKind(); k != '"' && k != 0 {
		_ = d.SkipValue()
		return "", invalid("", "this must be a string")
	}
	t, err := d.ReadToken()
	if err != nil {
		return "", err
	}
	return t.String(), nil
}

func readBool(d *jsontext.Decoder) (bool, error) {
	switch d.PeekKind() {
	case 't', 'f', 0:
		t, err := d.ReadToken()
		if err != nil {
			return false, err
		}
		return t.Bool(), nil
	}
	_ = d.SkipValue()
	return false, invalid("", "this must be true or false")
}

func readWord[T any](d *jsontext.Decoder, parse func(string) (T, error)) (v T, err error) {
	s, err := readString(d)
	if err != nil {
		return v, err
	}
	return parse(s)
}

func readChain[T ~uint8](d *jsontext.Decoder, names []string) (T, error) {
	return readWord(d, func(s string) (T, error) {
		v, ok := parseName[T](names, s)
		if !ok {
			return 0, invalid("", "%s is not one of %s", quote(s), strings.Join(names, ", "))
		}
		return v, nil
	})
}

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(timeForm, s)
	if err != nil || t.Before(earliest) || t.After(latest) || t.Format(timeForm) != s {
		return time.Time{}, invalid("", "%s is not a time of the form 2026-01-31T12:00:00.000000Z after 1970", quote(s))
	}
	return t, nil
}

// readWords reads "all" or an array of strings; all is true for the first.
func readWords(d *jsontext.Decoder, check func(string) error) (words []string, all bool, err error) {
	switch d.PeekKind() {
	case '"':
		s, err := readString(d)
		if err == nil && s != "all" {
			err = invalid("", `this must be "all" or an array of strings`)
		}
		return nil, true, err
	case '[', 0:
	default:
		_ = d.SkipValue()
		return nil, false, invalid("", `this must be "all" or an array of strings`)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, false, err
	}
	for d.PeekKind() != ']' {
		s, err := readString(d)
		if err != nil {
			return nil, false, err
		}
		if err := check(s); err != nil {
			return nil, false, err
		}
		if len(words) == MaxMembers {
			return nil, false, invalid("", "a set holds at most %d members", MaxMembers)
		}
		words = append(words, s)
	}
	_, err = d.ReadToken()
	return words, false, err
}

func readSet(d *jsontext.Decoder, check func(string) error) (Set, error) {
	words, all, err := readWords(d, check)
	if err != nil {
		return Set{}, err
	}
	if all {
		return All(), nil
	}
	for i := 1; i < len(words); i++ {
		if words[i-1] >= words[i] {
			return Set{}, invalid("", "the members of a set are sorted and distinct, and %s is out of place", quote(words[i]))
		}
	}
	return pack(words), nil
}

func readPurposes(d *jsontext.Decoder) (Purposes, error) {
	words, all, err := readWords(d, func(s string) error { return nil })
	if err != nil {
		return 0, err
	}
	if all {
		return EveryPurpose, nil
	}
	var p Purposes
	for _, w := range words {
		next, err := ParsePurposes(w)
		if err != nil {
			return 0, err
		}
		if next <= p {
			return 0, invalid("", "purposes stand once each, in the order of the vocabulary, and %s is out of place", quote(w))
		}
		p |= next
	}
	if p == EveryPurpose {
		return 0, invalid("", `every purpose is written "all"`)
	}
	return p, nil
}

// located gives an error its pointer: where the decoder stands.
func located(d *jsontext.Decoder, err error) error {
	var own *Error
	if errors.As(err, &own) {
		if own.Pointer == "" {
			return at(own, short(d.StackPointer()))
		}
		return own
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return invalid(short(syntactic.JSONPointer), "not JSON as RFC 8259 and I-JSON have it: %v", syntactic.Err)
	}
	return invalid(short(d.StackPointer()), "the label ends before it is whole")
}

// short keeps hostile names from filling an error.
func short(p jsontext.Pointer) string {
	const most = 512
	if len(p) > most {
		p = p[:most]
	}
	return strings.ToValidUTF8(string(p), "")
}

func at(err error, pointer string) *Error {
	var own *Error
	if !errors.As(err, &own) {
		return invalid(pointer, "%v", err)
	}
	e := *own
	e.Pointer = pointer
	return &e
}
