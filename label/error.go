package label

import "fmt"

// Kind is why a label or a marking was not understood. Kinds are errors, so that errors.Is(err, ErrContradictory) tells them apart.
type Kind string

const (
	// ErrInvalid is input that is not in the form it must have.
	ErrInvalid Kind = "invalid"
	// ErrContradictory is a marking, or a set of markings, that says two things: an id against its content, or two TLP labels.
	ErrContradictory Kind = "contradictory"
	// ErrUnintelligible is a well-formed marking whose meaning is not known here.
	ErrUnintelligible Kind = "unintelligible"
)

func (k Kind) Error() string { return "label: " + string(k) }

// Error says what was wrong with a label or a marking, where, and by which rule.
type Error struct {
	Kind    Kind
	Code    string // stable machine code, for example "marking.id_mismatch"
	Message string
	Pointer string // RFC 6901 pointer into the input; empty: the whole of it
	Rule    string // standard and section
}

func (e *Error) Error() string {
	s := e.Message
	if e.Pointer != "" {
		s = e.Pointer + ": " + s
	}
	if e.Rule != "" {
		s += " (" + e.Rule + ")"
	}
	return s
}

// Unwrap gives the kind, for errors.Is.
func (e *Error) Unwrap() error { return e.Kind }

func invalid(pointer, format string, args ...any) *Error {
	return &Error{Kind: ErrInvalid, Code: "label.invalid", Pointer: pointer, Message: fmt.Sprintf(format, args...)}
}
