package misp

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Flag is a boolean that may be left out. Exports write it as true, 1 or "1".
type Flag uint8

// The values of a Flag.
const (
	Unset Flag = iota
	False
	True
)

// FlagOf is the Flag of a bool.
func FlagOf(b bool) Flag {
	if b {
		return True
	}
	return False
}

// True tells whether the flag is set and true.
func (f Flag) True() bool { return f == True }

// MarshalJSONTo writes true or false.
func (f Flag) MarshalJSONTo(enc *jsontext.Encoder) error {
	return enc.WriteToken(jsontext.Bool(f == True))
}

// UnmarshalJSONFrom reads a boolean, a number or a string; null and "" leave the flag unset.
func (f *Flag) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	switch s := strings.ToLower(strings.Trim(string(v), `"`)); s {
	case "null", "":
		*f = Unset
	case "true", "1", "yes":
		*f = True
	case "false", "0", "no":
		*f = False
	default:
		return &Error{Code: CodeSyntax, Pointer: string(dec.StackPointer()), Offset: dec.InputOffset(), Rule: "MISP core format",
			Message: "a boolean is written true, false, 1 or 0"}
	}
	return nil
}

// List is a JSON array. PHP writes one with gaps as an object with numbers for names, and none as null: both are read.
type List[T any] []T

// UnmarshalJSONFrom reads an array, the values of an object, or null.
func (l *List[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*l = nil
	return eachItem(dec, func() error {
		var item T
		if err := json.UnmarshalDecode(dec, &item); err != nil {
			return err
		}
		*l = append(*l, item)
		return nil
	})
}

// eachItem calls item at each value of an array or of an object with numbers for names; other scalars that stand for nothing are passed over.
func eachItem(dec *jsontext.Decoder, item func() error) error {
	named := false
	switch k := dec.PeekKind(); k {
	case jsontext.KindBeginArray:
	case jsontext.KindBeginObject:
		named = true
	case jsontext.KindNull, jsontext.KindString, jsontext.KindFalse:
		return dec.SkipValue()
	default:
		if k != jsontext.KindInvalid {
			return &Error{Code: CodeSyntax, Pointer: string(dec.StackPointer()), Offset: dec.InputOffset(), Rule: "MISP core format", Message: "a list is wanted here"}
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for k := dec.PeekKind(); k != jsontext.KindEndArray && k != jsontext.KindEndObject; k = dec.PeekKind() {
		if named {
			if _, err := dec.ReadToken(); err != nil {
				return err
			}
		}
		if err := item(); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// lenient reads strings that were written as numbers or booleans, and organisations and groups that were written as an empty list.
var lenient = json.WithUnmarshalers(json.JoinUnmarshalers(
	json.UnmarshalFromFunc(lenientString),
	json.UnmarshalFromFunc(notList[Org]),
	json.UnmarshalFromFunc(notList[SharingGroup]),
))

func lenientString(dec *jsontext.Decoder, s *string) error {
	switch dec.PeekKind() {
	case jsontext.KindNumber, jsontext.KindTrue, jsontext.KindFalse:
		v, err := dec.ReadValue()
		*s = string(v)
		return err
	case jsontext.KindNull:
		*s = ""
		return dec.SkipValue()
	}
	return errors.ErrUnsupported
}

func notList[T any](dec *jsontext.Decoder, p **T) error {
	switch dec.PeekKind() {
	case jsontext.KindBeginArray, jsontext.KindString, jsontext.KindFalse:
		*p = nil
		return dec.SkipValue()
	}
	return errors.ErrUnsupported
}

// unixTime reads a timestamp in seconds since 1970, as MISP writes it; false: it is none, or none that STIX can write.
func unixTime(s string) (time.Time, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > 253402300799 {
		return time.Time{}, false
	}
	return time.Unix(n, 0).UTC(), true
}

// seenTime reads a first_seen or last_seen: RFC 3339 with or without a fraction, or as databases write a time or day.
func seenTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999-0700", "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1 && t.UTC().Year() <= 9999 && t.UTC().Year() >= 1 {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
