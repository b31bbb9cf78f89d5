package pattern

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Level says how bad a Problem is.
type Level string

const (
	// LevelError makes a pattern invalid: it matches nothing (STIX 2.1, section 9.4).
	LevelError Level = "error"
	// LevelWarning leaves a pattern valid, but it may not do what its author meant.
	LevelWarning Level = "warning"
)

// The codes of problems. They are stable.
const (
	CodeTooLong         = "pattern.too_long"
	CodeTooDeep         = "pattern.too_deep"
	CodeEncoding        = "pattern.encoding"
	CodeSyntax          = "pattern.syntax"
	CodeString          = "pattern.string"
	CodeNumber          = "pattern.number"
	CodeTimestamp       = "pattern.timestamp"
	CodeHex             = "pattern.hex"
	CodeBinary          = "pattern.binary"
	CodePath            = "pattern.path"
	CodeSet             = "pattern.set"
	CodeHash            = "pattern.hash"
	CodeAddress         = "pattern.address"
	CodeQualifier       = "pattern.qualifier"
	CodeQualifierTwice  = "pattern.qualifier.twice"
	CodeRegex           = "pattern.regex"
	CodeMixedTypes      = "pattern.types.mixed"
	CodeUnknownType     = "pattern.type.unknown"
	CodeUnknownProperty = "pattern.property.unknown"
	CodeNever           = "pattern.never"
)

// Problem is something wrong with a pattern, and where.
type Problem struct {
	Code    string `json:"code"`
	Level   Level  `json:"level"`
	Message string `json:"message"`
	Offset  int    `json:"offset"` // in bytes, from 0
	Line    int    `json:"line"`   // from 1
	Col     int    `json:"col"`    // in code points, from 1
	Section string `json:"section"`
}

// Error is why a pattern is invalid. Section is that of STIX 2.1.
type Error struct {
	Code    string
	Message string
	Offset  int // in bytes, from 0
	Line    int // from 1
	Col     int // in code points, from 1
	Section string
}

func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s (STIX 2.1, section %s)", e.Line, e.Col, e.Message, e.Section)
}

// place fills in the line and column of an offset.
func place(src string, offset int) (line, col int) {
	before := src[:min(offset, len(src))]
	line = 1 + strings.Count(before, "\n")
	return line, 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}

// Check lists everything that is wrong with a pattern: errors first, then warnings, each in the order of the text. A syntax error
// ends the search for more. A pattern without errors is valid.
func Check(src string) []Problem {
	p, errs := parse(src)
	problems := make([]Problem, 0, len(errs))
	for _, e := range errs {
		problems = append(problems, Problem{Code: e.Code, Level: LevelError, Message: e.Message, Offset: e.Offset, Line: e.Line, Col: e.Col,
			Section: e.Section})
	}
	if p != nil {
		problems = append(problems, p.Warnings()...)
	}
	return problems
}
