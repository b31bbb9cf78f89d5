package misp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Limits bound what Read and Parse accept. A zero field stands for its default.
type Limits struct {
	Size       int64 // bytes of the whole input; default 1 GiB
	Element    int   // bytes of one attribute, object, or of all other members of an event together; default 64 MiB
	Depth      int   // nesting of objects and lists; default 64
	Attributes int   // attributes of one event, those in objects too; default 1,000,000
	Events     int   // default 100,000
}

func (l Limits) orDefaults() Limits {
	or := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if l.Size <= 0 {
		l.Size = 1 << 30
	}
	or(&l.Element, 64<<20)
	or(&l.Depth, 64)
	or(&l.Attributes, 1_000_000)
	or(&l.Events, 100_000)
	return l
}

// Handler receives what Read finds. A nil function passes its elements over; an error ends the reading and is returned as it is.
type Handler struct {
	Attribute func(*Attribute) error // of an event, outside of objects, or of a list of attributes
	Object    func(*Object) error
	Event     func(*Event) error // after all attributes and objects of it, which it does not hold
}

// Read reads events one element at a time: an event with or without its Event wrapper, a list of them, a response envelope, or a list of
// attributes or objects in one. Memory stays bounded by the largest element. Any error of its own is an *Error.
func Read(r io.Reader, l Limits, h Handler) error {
	l = l.orDefaults()
	bounded := &boundedReader{r: r, left: l.Size}
	d := reader{dec: jsontext.NewDecoder(bounded), limits: l, handler: h}
	err := d.value(0)
	if err == nil {
		if _, end := d.dec.ReadToken(); end == nil || !errors.Is(end, io.EOF) {
			err = &Error{Code: CodeSyntax, Offset: d.dec.InputOffset(), Rule: "RFC 8259", Message: "something follows the end of the document", Err: end}
		}
	}
	if err == nil && d.found == 0 {
		err = &Error{Code: CodeEmpty, Offset: -1, Rule: "MISP core format", Message: "there is no event in it: neither an Event, nor a response with some, nor a list of them"}
	}
	return d.explain(err)
}

// Parse reads all events of a document, in their order, with the exact bytes of each. The bytes given belong to the events from then on.
func Parse(raw []byte) ([]*Event, error) { return ParseLimits(raw, Limits{}) }

// ParseLimits is Parse with other limits. Attributes and objects that stand in no event come as an event of their own, without a uuid.
func ParseLimits(raw []byte, l Limits) ([]*Event, error) {
	l = l.orDefaults()
	if int64(len(raw)) > l.Size {
		return nil, tooLarge()
	}
	var events []*Event
	var attributes List[Attribute]
	var objects List[Object]
	d := reader{dec: jsontext.NewDecoder(bytes.NewBuffer(raw)), limits: l, source: raw, handler: Handler{
		Attribute: func(a *Attribute) error { attributes = append(attributes, *a); return nil },
		Object:    func(o *Object) error { objects = append(objects, *o); return nil },
		Event: func(e *Event) error {
			e.Attributes, e.Objects = attributes, objects
			attributes, objects = nil, nil
			events = append(events, e)
			return nil
		},
	}}
	err := d.value(0)
	if err == nil {
		if _, end := d.dec.ReadToken(); end == nil || !errors.Is(end, io.EOF) {
			err = &Error{Code: CodeSyntax, Offset: d.dec.InputOffset(), Rule: "RFC 8259", Message: "something follows the end of the document", Err: end}
		}
	}
	if err != nil {
		return nil, d.explain(err)
	}
	if len(attributes)+len(objects) > 0 {
		events = append(events, &Event{Attributes: attributes, Objects: objects})
	}
	if len(events) == 0 {
		return nil, &Error{Code: CodeEmpty, Offset: -1, Rule: "MISP core format", Message: "there is no event in it: neither an Event, nor a response with some, nor a list of them"}
	}
	return events, nil
}

// checked reads what the decoder has found to be sound JSON without members that stand twice.
var checked = json.JoinOptions(lenient, jsontext.AllowDuplicateNames(true))

type reader struct {
	dec     *jsontext.Decoder
	limits  Limits
	handler Handler
	source  []byte // the whole input, of Parse
	found   int    // elements given out
	events  int
	count   int // attributes of the event at hand
}

// value reads what an envelope may hold: an event, a list of events, or an envelope.
func (d *reader) value(depth int) error {
	if depth > 8 {
		return &Error{Code: CodeDepth, Offset: d.dec.InputOffset(), Rule: "MISP core format", Message: "envelopes are nested too deep"}
	}
	switch d.dec.PeekKind() {
	case jsontext.KindBeginObject:
		return d.object(depth)
	case jsontext.KindBeginArray:
		if _, err := d.dec.ReadToken(); err != nil {
			return err
		}
		for d.dec.PeekKind() != jsontext.KindEndArray {
			if err := d.value(depth + 1); err != nil {
				return err
			}
		}
		_, err := d.dec.ReadToken()
		return err
	}
	_, err := d.dec.ReadValue()
	return err
}

// object reads an event, or an envelope around others: which of the two shows only in its members.
func (d *reader) object(depth int) error {
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	start := d.dec.InputOffset() - 1
	head := []byte{'{'}
	var members []string
	inner, elements, isEvent := false, d.found, false
	if depth == 0 || d.count > 0 {
		d.count = 0
	}
	for d.dec.PeekKind() != jsontext.KindEndObject {
		name, err := d.dec.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		kind := d.dec.PeekKind()
		switch {
		case key == "Event" && kind == jsontext.KindBeginObject, key == "response" && (kind == jsontext.KindBeginObject || kind == jsontext.KindBeginArray):
			inner = true
			err = d.value(depth + 1)
		case key == "Attribute" && kind != jsontext.KindString:
			err = d.items(d.attribute)
		case key == "Object" && kind != jsontext.KindString:
			err = d.items(d.item)
		default:
			isEvent = isEvent || key == "uuid" || key == "info" || key == "date"
			members = append(members, key)
			head, err = d.keep(head, key)
		}
		if err != nil {
			return err
		}
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	if inner || !isEvent {
		if !inner && d.found == elements {
			return nil // says nothing
		}
		return nil
	}
	return d.event(append(head, '}'), members, start)
}

// keep adds a member to those of the event itself.
func (d *reader) keep(head []byte, key string) ([]byte, error) {
	v, err := d.dec.ReadValue()
	if err != nil {
		return head, err
	}
	if len(head)+len(key)+len(v) > d.limits.Element {
		return head, d.large("the members of the event")
	}
	if err := d.depth(v); err != nil {
		return head, err
	}
	if len(head) > 1 {
		head = append(head, ',')
	}
	if head, err = jsontext.AppendQuote(head, key); err != nil {
		return head, err
	}
	head = append(head, ':')
	return append(head, v...), nil
}

func (d *reader) event(head []byte, members []string, start int64) error {
	if d.events++; d.events > d.limits.Events {
		return d.large("the list of events")
	}
	e := new(Event)
	if err := json.Unmarshal(head, e, lenient); err != nil {
		return err
	}
	e.members = members
	if d.source != nil {
		e.raw = d.source[start:d.dec.InputOffset()]
	}
	d.found++
	d.count = 0
	if d.handler.Event == nil {
		return nil
	}
	return d.handler.Event(e)
}

// items reads a list of attributes or objects; PHP writes one with gaps as an object with numbers for names, and a search for objects gives
// them one at a time.
func (d *reader) items(item func(v []byte) error) error {
	switch d.dec.PeekKind() {
	case jsontext.KindBeginArray:
		if _, err := d.dec.ReadToken(); err != nil {
			return err
		}
		for d.dec.PeekKind() != jsontext.KindEndArray {
			v, err := d.dec.ReadValue()
			if err != nil {
				return err
			}
			if err := item(v); err != nil {
				return err
			}
		}
		_, err := d.dec.ReadToken()
		return err
	case jsontext.KindBeginObject:
		v, err := d.dec.ReadValue()
		if err != nil {
			return err
		}
		if len(v) > d.limits.Element {
			return d.large("the element")
		}
		inner := jsontext.NewDecoder(bytes.NewReader(v))
		if _, err := inner.ReadToken(); err != nil {
			return err
		}
		for first := true; inner.PeekKind() != jsontext.KindEndObject; first = false {
			name, err := inner.ReadToken()
			if err != nil {
				return err
			}
			if first && strings.Trim(name.String(), "0123456789") != "" {
				return item(v)
			}
			each, err := inner.ReadValue()
			if err != nil {
				return err
			}
			if err := item(each); err != nil {
				return err
			}
		}
		return nil
	}
	return d.dec.SkipValue()
}

func (d *reader) attribute(v []byte) error {
	a := new(Attribute)
	if err := d.element(v, a); err != nil {
		return err
	}
	if err := d.counted(1); err != nil || d.handler.Attribute == nil {
		return err
	}
	return d.handler.Attribute(a)
}

func (d *reader) item(v []byte) error {
	o := new(Object)
	if err := d.element(v, o); err != nil {
		return err
	}
	if err := d.counted(len(o.Attributes)); err != nil || d.handler.Object == nil {
		return err
	}
	return d.handler.Object(o)
}

func (d *reader) counted(n int) error {
	d.found++
	if d.count += n; d.count > d.limits.Attributes {
		return d.large("the list of attributes")
	}
	return nil
}

func (d *reader) element(v []byte, into any) error {
	if len(v) > d.limits.Element {
		return d.large("the element")
	}
	if err := d.depth(v); err != nil {
		return err
	}
	if err := json.Unmarshal(v, into, checked); err != nil {
		return &Error{Code: CodeSyntax, Pointer: string(d.dec.StackPointer()), Offset: d.dec.InputOffset() - int64(len(v)), Rule: "MISP core format", Message: err.Error(), Err: err}
	}
	return nil
}

// depth refuses a value that is nested too deep. It is sound JSON already.
func (d *reader) depth(v []byte) error {
	if bytes.Count(v, []byte{'{'})+bytes.Count(v, []byte{'['}) <= d.limits.Depth {
		return nil // as nearly always
	}
	depth, quoted := 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > d.limits.Depth {
				return &Error{Code: CodeDepth, Pointer: string(d.dec.StackPointer()), Offset: d.dec.InputOffset(), Rule: "MISP core format",
					Message: fmt.Sprintf("objects and lists are nested deeper than %d", d.limits.Depth)}
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}

func (d *reader) large(what string) error {
	return &Error{Code: CodeSize, Pointer: string(d.dec.StackPointer()), Offset: d.dec.InputOffset(), Rule: "limits of the reader", Message: what + " is larger than the limit; split it, or raise the limit"}
}

// explain makes an *Error of what the decoder says; errors of the handler pass.
func (d *reader) explain(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &Error{Code: CodeSyntax, Pointer: string(e.JSONPointer), Offset: e.ByteOffset, Rule: "RFC 8259", Message: "not sound JSON: " + e.Error(), Err: err}
	}
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		return &Error{Code: CodeSyntax, Pointer: string(e.JSONPointer), Offset: e.ByteOffset, Rule: "MISP core format", Message: e.Error(), Err: err}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Code: CodeSyntax, Offset: d.dec.InputOffset(), Rule: "RFC 8259", Message: "the document ends too early", Err: err}
	}
	return err
}
