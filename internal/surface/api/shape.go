package api

import (
	"strings"

	"entente/internal/fault"
)

// Param is a parameter of a query.
type Param struct {
	Name    string
	Doc     string
	Kind    ParamKind
	Enum    []string
	Default any
}

// ParamKind is how a parameter's value is read.
type ParamKind uint8

const (
	Text  ParamKind = iota
	Flag            // true or false
	Limit           // a number of items
	Time            // RFC 3339, or a date
	Words           // several, separated by commas or repeated
	Texts           // several, repeated; a comma is part of a value
)

// Shape is what a route takes and what it gives. Bodies and answers are values of their Go types; only the types count.
type Shape struct {
	Body     any      // nil: none, or one that Takes describes
	Required []string // members of Body
	Takes    string   // media type of a body that is not of a Go type
	Optional bool     // the body may be left out
	Status   int      // of success
	Again    int      // status of success where what was sent is here already; 0: there is none
	Answer   any      // nil: bytes, or none with 204
	Media    []string // of the answer
	Once     bool     // it makes something: Idempotency-Key is observed
}

const jsonType = "application/json"

// gives is an answer of one value, pages one of a list, streams one of a value per line, events one that goes on, copies one of bytes.
func gives(v any) Shape { return Shape{Status: 200, Answer: v, Media: []string{jsonType}} }

func pages[T any]() Shape { return gives(List[T]{}) }

func streams(v any) Shape { return Shape{Status: 200, Answer: v, Media: []string{linesType}} }

// events is an answer of server-sent events whose data is a value each.
func events(v any) Shape { return Shape{Status: 200, Answer: v, Media: []string{eventsType}} }

func copies(media ...string) Shape { return Shape{Status: 200, Media: media} }

// ends is a success that says nothing.
func ends() Shape { return Shape{Status: 204} }

// makes is the answer of what something made.
func makes(v any) Shape { return Shape{Status: 201, Answer: v, Media: []string{jsonType}, Once: true} }

// keeps is the answer of what something stored, once: its content tells whether it is here already, so it needs no key.
func keeps(v any) Shape { return Shape{Status: 201, Again: 200, Answer: v, Media: []string{jsonType}} }

// of says what the body is and which members it must have.
func (s Shape) of(body any, required ...string) Shape {
	s.Body, s.Required = body, required
	return s
}

func (s Shape) optional() Shape { s.Optional = true; return s }

func (s Shape) upload(media string) Shape { s.Takes = media; return s }

func (r Route) names() []string {
	out := make([]string, len(r.Query))
	for i, p := range r.Query {
		out[i] = p.Name
	}
	return out
}

// fails are the kinds of failure that a route can answer with.
func (r Route) fails() []fault.Kind {
	out := []fault.Kind{fault.Invalid, fault.Unauthenticated, fault.Forbidden, fault.TooLarge, fault.Throttled, fault.Internal, fault.Unavailable}
	finds := strings.Contains(r.Path, "{") || r.Method == post
	for _, p := range r.Query {
		finds = finds || p.Name == inCollection.Name || p.Name == ofUser.Name || p.Name == releaseKey.Name
	}
	if finds {
		out = append(out, fault.NotFound)
	}
	if r.Method != get {
		out = append(out, fault.Conflict, fault.Full, fault.Unprocessable)
	} else if strings.HasPrefix(r.Path, "/decisions/{id}") || strings.HasPrefix(r.Path, "/accords/{name}") { // an id that several begin with, or what is not ready
		out = append(out, fault.Conflict)
	}
	return out
}
