package sensor

import (
	"strconv"
	"strings"
)

// String is how a cursor stands in a header or a query: its epoch and its seq, with a dot between.
func (c Cursor) String() string { return c.Epoch + "." + strconv.FormatInt(c.Seq, 10) }

// ParseCursor reads what String wrote.
func ParseCursor(s string) (c Cursor, err error) {
	epoch, seq, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(seq, 10, 64)
	if err != nil || n < 0 || len(epoch) > 64 {
		return c, &Error{"cursor", "is not an epoch and a number with a dot between"}
	}
	return Cursor{epoch, n}, nil
}
