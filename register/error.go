package register

import (
	"fmt"
	"strconv"
	"strings"
)

// Error says why bytes are no constituent.
type Error struct {
	Code    string // stable machine code
	Pointer string // RFC 6901 pointer to the value; "" for the whole
	Offset  int64  // byte offset of the value in the input; of drafts that were not read from bytes 0
	Rule    string // the standard and section, where one decides
	Message string
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("register: ")
	b.WriteString(e.Message)
	fmt.Fprintf(&b, " (%s", e.Code)
	if e.Pointer != "" {
		fmt.Fprintf(&b, " at %s", e.Pointer)
	}
	if e.Offset > 0 {
		fmt.Fprintf(&b, ", byte %d", e.Offset)
	}
	if e.Rule != "" {
		fmt.Fprintf(&b, ", %s", e.Rule)
	}
	b.WriteByte(')')
	return b.String()
}

func fail(code, pointer, format string, args ...any) *Error {
	return &Error{Code: code, Pointer: pointer, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) by(rule string) *Error { e.Rule = rule; return e }

// quote shows a text from outside in a message, short.
func quote(s string) string {
	if len(s) > 80 {
		return strconv.Quote(strings.ToValidUTF8(s[:80], "")) + "…"
	}
	return strconv.Quote(s)
}
