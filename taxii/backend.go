package taxii

import (
	"context"
	"time"
)

// Backend is what a server serves. The caller was authenticated before the handler ran and is found in ctx by whatever key the
// application uses; every answer is that caller's own view. Root and collection names come from the request as they are: an unknown or
// hidden one is an error that Options.RenderError turns into a 404. Methods are called concurrently.
type Backend interface {
	// Discovery returns the roots that the caller may know of.
	Discovery(ctx context.Context) (Discovery, error)
	// Root returns a root by its name.
	Root(ctx context.Context, root string) (Root, error)
	// Collections returns what the caller may know of, in the same order at every call.
	Collections(ctx context.Context, root string) ([]Collection, error)
	// Collection returns a collection by its id or alias, with the rights of the caller.
	Collection(ctx context.Context, root, idOrAlias string) (Collection, error)
	// Objects returns one page, ascending by date added. It is called with a collection's id, after the handler saw can_read.
	Objects(ctx context.Context, root, collection string, q Query) (Page, error)
	// Add takes the exact bytes of each object of an envelope, which it may keep. It is called after the handler saw can_write.
	Add(ctx context.Context, root, collection string, objects [][]byte) (Status, error)
	// Status returns what became of an Add, to its submitter.
	Status(ctx context.Context, root, id string) (Status, error)
	// Delete removes the versions of an object; the zero Versions means all of them (section 5.7). An unknown object is an error that
	// renders as 404. It is called after the handler saw can_read and can_write.
	Delete(ctx context.Context, root, collection, object string, f Filter) error
}

// Filter selects objects (section 3.4). Fields combine by AND, the values of a list by OR; an empty field does not restrict.
type Filter struct {
	AddedAfter time.Time // strictly after this date added; zero: no bound
	IDs        []string
	Types      []string
	Specs      []string // "2.0", "2.1"; empty: for each object its latest only
	Versions   Versions
}

// Versions selects among the versions of each object that the other fields leave (section 3.4.1). The zero value means the latest,
// except in Delete.
type Versions struct {
	All   bool
	First bool
	Last  bool
	At    []time.Time // compared as instants
}

// IsZero tells whether no version was asked for.
func (v Versions) IsZero() bool { return !v.All && !v.First && !v.Last && len(v.At) == 0 }

// Query asks for one page.
type Query struct {
	Filter
	Object   string // the endpoints of one object: its id. An object that is not there at all is an error that renders as 404
	Headers  bool   // Object.Raw is not needed
	Limit    int    // at most this many, at least 1
	MaxBytes int    // end the page once its bytes reach this; one object always fits
	Pos      []byte // Page.Next of the page before; nil: from the start
}

// Page is one part of an answer. It may hold fewer objects than the limit, or none, and still have More.
type Page struct {
	Objects []Object
	More    bool
	Next    []byte // the backend's own position, sealed before it leaves; set when More is
}

// Object is one version of one object. Raw is written as it is and must be one JSON object; it is not read after the response.
type Object struct {
	Raw       []byte
	ID        string
	Version   string // verbatim modified, else created, else the date added
	DateAdded time.Time
	MediaType string // one of the collection's; empty: left out
}
