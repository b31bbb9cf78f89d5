package stix

import (
	"fmt"
	"strings"
)

// Error says why bytes are not a STIX object, or not the container they claim to be.
type Error struct {
	Code    string // stable machine code, listed in Rules
	Pointer string // JSON pointer (RFC 6901) of the value, "" for the whole
	Section string // section of the standard that decides
	Message string
	Offset  int64 // byte offset into the input
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("stix: ")
	b.WriteString(e.Message)
	fmt.Fprintf(&b, " (%s", e.Code)
	if e.Pointer != "" {
		fmt.Fprintf(&b, " at %s", e.Pointer)
	}
	fmt.Fprintf(&b, ", byte %d", e.Offset)
	if e.Section != "" {
		fmt.Fprintf(&b, ", section %s", e.Section)
	}
	b.WriteByte(')')
	return b.String()
}
