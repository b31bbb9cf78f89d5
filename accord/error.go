package accord

import (
	"fmt"
	"strings"
)

// Error says what is wrong at one place of a text, by which rule, and what to write instead. Rule is stable.
type Error struct {
	File string
	Position
	Rule    string // "size", "token", "syntax", "word", "label", "duplicate", "missing", "value", "count", "form"
	Message string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Errors is everything that is wrong with a text, in its order, at most MaxErrors.
type Errors []*Error

// MaxErrors is how many errors are told at once.
const MaxErrors = 20

func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the errors one by one.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}
