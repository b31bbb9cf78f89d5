package input

import (
	"bytes"
	"fmt"
	"io"

	"entente/internal/evtx"
	"entente/internal/flow"
)

// magicBytes is how much of a file says in what form it is.
const magicBytes = 8

// Decode gives the lines of what begins so and is in a form of its own: a Windows event log (EVTX), or flows of Argus. Unread is how much of it could not be read, so far. Text
// is nil where it is plain.
func Decode(head []byte, r io.Reader) (text io.Reader, unread func() uint64, err error) {
	switch {
	case bytes.HasPrefix(head, []byte(evtx.Magic)):
		l, err := evtx.NewReader(r)
		if err != nil {
			return nil, nil, fmt.Errorf("reading an event log: %w", err)
		}
		return l, func() uint64 { return l.Counts.Damaged + l.Counts.Chunks }, nil
	case bytes.HasPrefix(head, []byte(flow.ArgusMagic)):
		a, err := flow.NewArgus(r)
		if err != nil {
			return nil, nil, err
		}
		return a, func() uint64 { return a.Unread }, nil
	}
	return nil, nil, nil
}
