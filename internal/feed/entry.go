package feed

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"entente/observable"
	"entente/outside"
)

// Entry is one line of a list or catalogue, which becomes one object. What it is decides the object's id, so that the same entry is the same
// object at every poll. Lists have many: an entry is small.
type Entry struct {
	ID         uuid.UUID        // see Run.Name; of the object's first generation
	Kind       *observable.Kind // of indicators; nil: another object, of Details.Body
	Value      string           // of indicators, canonical
	Confidence int              // 0: not stated
	Until      time.Time        // zero: not stated
	Details    *Details         // nil: none
}

// Details is what tables and catalogues say of an entry besides.
type Details struct {
	Name        string
	Description string
	From        time.Time // zero: not stated
	Labels      []string
	Link        string
	Body        []byte // of objects that are no indicators: members as JSON, each behind a comma
}

var noDetails Details

func (e *Entry) details() *Details {
	if e.Details == nil {
		return &noDetails
	}
	return e.Details
}

// Name is the id of the object that an entry of the feed becomes: by the object's type, and by what the entry is.
func (r *Run) Name(typ, entry string) uuid.UUID {
	return uuid.UUID(outside.UUID5(r.space, []byte(typ+"\n"+entry)))
}

// body is what the entry itself says, without times and markings.
func (e *Entry) body() []byte {
	d := e.details()
	if e.Kind == nil {
		return d.Body
	}
	b := make([]byte, 0, 256+len(e.Value)*2+len(d.Description))
	member := func(name, text string) {
		if text != "" {
			b = append(b, `,"`...)
			b = append(b, name...)
			b = append(b, `":`...)
			b = quote(b, text)
		}
	}
	name := d.Name
	if name == "" {
		name = cut(e.Value)
	}
	member("name", name)
	member("description", d.Description)
	b = append(b, `,"pattern_type":"stix","pattern_version":"2.1"`...)
	member("pattern", e.Kind.Pattern(e.Value))
	if e.Confidence > 0 {
		b = fmt.Appendf(b, `,"confidence":%d`, e.Confidence)
	}
	if len(d.Labels) > 0 {
		b = append(b, `,"labels":[`...)
		for i, l := range d.Labels {
			if i > 0 {
				b = append(b, ',')
			}
			b = quote(b, l)
		}
		b = append(b, ']')
	}
	if d.Link != "" {
		b = append(b, `,"external_references":[{"source_name":"report","url":`...)
		b = quote(b, d.Link)
		b = append(b, `}]`...)
	}
	return b
}
