package sensor

import (
	"strconv"
	"strings"
)

// String is how a cursor stands in a header or a query: EPOCH:SEQ.
func (c Cursor) String() string { return c.Epoch + ":" + strconv.FormatInt(c.Seq, 10) }

// ParseCursor reads what String wrote.
func ParseCursor(s string) (c Cursor, err error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || i > 100 {
		return c, &Error{"cursor", "is not EPOCH:SEQ"}
	}
	n, err := strconv.ParseInt(s[i+1:], 10, 64)
	if err != nil || n < 0 {
		return c, &Error{"cursor", "has no number that counts behind its colon"}
	}
	return Cursor{s[:i], n}, nil
}
