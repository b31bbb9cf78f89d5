package sigma

// Event is what a rule is put to.
type Event interface {
	// Values are those of a field: several when it holds a list, one of KindNull when it holds null, none but not nil when it holds an
	// empty list, and nil when the event has no such field.
	Values(field string) []Value
	// Keywords calls f with the text of every value of the event, of whatever field, until f says false.
	Keywords(f func(text []byte) bool)
}

// Kind is the kind of a value.
type Kind uint8

const (
	KindNull Kind = iota
	KindText
	KindNumber
	KindBool
)

// Value is one value of a field. Text is a text itself, a number as the event writes it, "true" or "false", and nothing for null.
type Value struct {
	Kind Kind
	Text []byte
}

// Null, Text, Number and Bool make values.
func Null() Value                { return Value{} }
func Text(text string) Value     { return Value{KindText, []byte(text)} }
func Number(digits string) Value { return Value{KindNumber, []byte(digits)} }
func Bool(is bool) Value {
	if is {
		return Value{KindBool, []byte("true")}
	}
	return Value{KindBool, []byte("false")}
}

// Fields is the simplest Event: the values of each field.
type Fields map[string][]Value

// Values are those of a field.
func (e Fields) Values(field string) []Value { return e[field] }

// Keywords calls f with the text of every value.
func (e Fields) Keywords(f func([]byte) bool) {
	for _, values := range e {
		for _, v := range values {
			if v.Kind != KindNull && !f(v.Text) {
				return
			}
		}
	}
}
