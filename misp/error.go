package misp

import "fmt"

// The codes of an Error. They are stable.
const (
	CodeSyntax = "misp.syntax" // not JSON, or JSON of another shape
	CodeSize   = "misp.size"   // more bytes or elements than the limits allow
	CodeDepth  = "misp.depth"  // nested deeper than the limits allow
	CodeEmpty  = "misp.empty"  // sound JSON that holds no event
	CodeFeed   = "misp.feed"   // a manifest or hash list that breaks its form
)

// Error says why bytes are not what they claim to be.
type Error struct {
	Code    string
	Pointer string // RFC 6901 pointer into the input; empty: the whole of it
	Rule    string // the format and its part
	Message string
	Offset  int64 // byte offset into the input, -1 where none is known
	Err     error // of the JSON decoder or the reader
}

func (e *Error) Error() string {
	s := e.Code
	if e.Pointer != "" {
		s += " at " + e.Pointer
	}
	if e.Offset >= 0 {
		s += fmt.Sprintf(" (byte %d)", e.Offset)
	}
	return s + ": " + e.Message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// A Loss is something that the other side does not say, or not in the same way.
type Loss struct {
	Pointer string `json:"pointer"` // RFC 6901 pointer into the event, or "id#pointer" into a STIX object
	Code    string `json:"code"`    // one of the Loss codes
	Message string `json:"message"`
}

// The codes of a Loss. They are stable.
const (
	LossValue   = "value.unfit"    // the value is not what its type promises: it travels, but no pattern or observable states it
	LossUUID    = "uuid.replaced"  // no usable uuid, or one that another element has: the STIX id is derived
	LossTime    = "time.replaced"  // a time that is none: STIX has the event's instead
	LossChanged = "stix.changed"   // STIX that was changed after it had been made of MISP: the change wins
	LossDiffers = "stix.differs"   // a STIX property that does not come back as it was
	LossMissing = "stix.missing"   // a STIX property that does not come back
	LossAdded   = "stix.added"     // a STIX property that only the way back adds
	LossObject  = "stix.object"    // a STIX object that does not come back at all
	LossPattern = "pattern.opaque" // a pattern kept as text, because no attribute type says it
	LossTags    = "tag.unreadable" // a marking tag that contradicts another or is not understood: the stricter is stated
	LossRef     = "reference.void" // a reference to something that is not there
	LossLarge   = "element.large"  // more bytes than fit into one STIX object: they do not travel
)
