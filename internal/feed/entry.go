package feed

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Entry is one line of a list or catalogue, which becomes one object. What it is decides the object's id, so that the same entry is the same
// object at every poll.
type Entry struct {
	Key         string // what the entry is
	Kind        *kind  // of indicators; nil: another object, of Body
	Value       string // of indicators, canonical
	Name        string
	Description string
	Confidence  int       // 0: not stated
	From, Until time.Time // zero: not stated
	Labels      []string
	Link        string
	Body        []byte // of other types: members as JSON, each behind a comma

	id uuid.UUID // of generation 0
}

// body is what the entry itself says, without times and markings.
func (e *Entry) body() []byte {
	if e.Kind == nil {
		return e.Body
	}
	b := make([]byte, 0, 256+len(e.Value)*2+len(e.Description))
	member := func(name, text string) {
		if text != "" {
			b = append(b, `,"`...)
			b = append(b, name...)
			b = append(b, `":`...)
			b = quote(b, text)
		}
	}
	name := e.Name
	if name == "" {
		name = cut(e.Value)
	}
	member("name", name)
	member("description", e.Description)
	b = append(b, `,"pattern_type":"stix","pattern_version":"2.1"`...)
	member("pattern", e.Kind.pattern(e.Value))
	if e.Confidence > 0 {
		b = fmt.Appendf(b, `,"confidence":%d`, e.Confidence)
	}
	if len(e.Labels) > 0 {
		b = append(b, `,"labels":[`...)
		for i, l := range e.Labels {
			if i > 0 {
				b = append(b, ',')
			}
			b = quote(b, l)
		}
		b = append(b, ']')
	}
	if e.Link != "" {
		b = append(b, `,"external_references":[{"source_name":"report","url":`...)
		b = quote(b, e.Link)
		b = append(b, `}]`...)
	}
	return b
}
