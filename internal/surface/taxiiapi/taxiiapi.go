// Package taxiiapi serves the exchange as TAXII 2.1.
package taxiiapi

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net/http"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/internal/surface"
	"entente/stix"
	"entente/taxii"
)

// Config is what the surface needs.
type Config struct {
	Title            string // of the discovery resource
	Contact          string
	Secret           []byte // seals next tokens; it must outlive the process and be the same on every node over one store
	MaxContentLength int64  // of a post, decoded
	Challenges       []string
	Log              *slog.Logger
}

// New serves the exchange: discovery at /taxii2/, roots below it.
func New(cfg Config, x *exchange.Exchange) (http.Handler, error) {
	sealer, err := taxii.NewSealer(cfg.Secret, func(ctx context.Context) string { return who(surface.Viewer(ctx)) })
	if err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return taxii.NewHandler(&backend{cfg, x}, taxii.Options{
		RootPrefix:       Prefix,
		MaxContentLength: cfg.MaxContentLength,
		PageBytes:        pageBytes,
		Sealer:           sealer,
		RenderError:      func(err error) *taxii.Error { return render(fault.As(err), cfg.Challenges) },
		ErrorID:          surface.RequestID,
		Report: func(r *http.Request, e *taxii.Error, cause error) {
			if e.HTTPStatus >= 500 {
				cfg.Log.Error("a request failed", "id", e.ErrorID, "path", r.URL.Path, "status", e.HTTPStatus, "cause", cause)
			}
		},
	}), nil
}

// pageBytes ends a page: larger ones take memory and are no faster.
const pageBytes = 4 << 20

// Prefix is where API roots stand.
const Prefix = "/taxii2/"

// Render writes a refusal of the hall as a TAXII error.
func Render(challenges []string) surface.Render {
	return func(w http.ResponseWriter, r *http.Request, e *fault.Error, id string) {
		out := render(e, challenges)
		out.ErrorID = id
		taxii.WriteError(w, r, out)
	}
}

// render is the one place where a fault becomes a TAXII error.
func render(e *fault.Error, challenges []string) *taxii.Error {
	out := &taxii.Error{HTTPStatus: surface.Status(e.Kind), Title: http.StatusText(surface.Status(e.Kind)), ErrorCode: e.MachineCode(), RetryAfter: e.RetryAfter}
	switch e.Kind {
	case fault.NotFound, fault.Withheld:
		return out // nothing more is told, so that what is hidden and what is not there look the same
	case fault.Internal:
		return out
	case fault.Unauthenticated:
		out.Challenge = challenges
	case fault.Unavailable, fault.Full, fault.Throttled:
		if out.RetryAfter == 0 {
			out.RetryAfter = 5 * time.Second
		}
	}
	out.Description = e.Message
	if e.Do != "" {
		out.Description += "; " + e.Do
	}
	details := map[string]string{}
	if e.Pointer != "" {
		details["field"] = e.Pointer
	}
	if e.Rule != "" {
		details["rule"] = e.Rule
	}
	if len(details) > 0 {
		out.Details = details
	}
	return out
}

func who(v gate.Viewer) string {
	return v.Realm + "\x00" + v.Nation + "\x00" + v.Org + "\x00" + v.Person
}

type backend struct {
	cfg Config
	x   *exchange.Exchange
}

var mediaTypes = []string{"application/stix+json;version=2.1", "application/stix+json;version=2.0"}

func (b *backend) Discovery(ctx context.Context) (taxii.Discovery, error) {
	out := taxii.Discovery{Title: b.cfg.Title, Contact: b.cfg.Contact}
	for _, r := range b.x.Roots(surface.Viewer(ctx)) {
		out.APIRoots = append(out.APIRoots, r.Path)
		if r.Path == b.x.DefaultRoot() {
			out.Default = r.Path
		}
	}
	return out, nil
}

func (b *backend) Root(ctx context.Context, root string) (taxii.Root, error) {
	r, err := b.x.Root(surface.Viewer(ctx), root)
	return taxii.Root{Title: r.Title, Description: r.Description, MaxContentLength: b.cfg.MaxContentLength}, err
}

func (b *backend) Collections(ctx context.Context, root string) ([]taxii.Collection, error) {
	v := surface.Viewer(ctx)
	if _, err := b.x.Root(v, root); err != nil {
		return nil, err
	}
	var out []taxii.Collection
	for _, c := range b.x.Collections(v, root) {
		out = append(out, resource(c))
	}
	return out, nil
}

func (b *backend) Collection(ctx context.Context, root, name string) (taxii.Collection, error) {
	v := surface.Viewer(ctx)
	if _, err := b.x.Root(v, root); err != nil {
		return taxii.Collection{}, err
	}
	c, err := b.x.Collection(v, root, name)
	return resource(c), err
}

func resource(c exchange.CollectionView) taxii.Collection {
	return taxii.Collection{ID: c.ID, Title: c.Title, Description: c.Description, Alias: c.Alias, CanRead: c.CanRead, CanWrite: c.CanWrite, MediaTypes: mediaTypes}
}

func (b *backend) Objects(ctx context.Context, _, collection string, q taxii.Query) (taxii.Page, error) {
	v := surface.Viewer(ctx)
	sq := store.Query{Collection: collection, AddedAfter: addedAfter(q.AddedAfter), Limit: q.Limit, MaxBytes: q.MaxBytes, IDs: q.IDs, Types: q.Types,
		Specs: q.Specs, Versions: versions(q.Versions), Headers: q.Headers}
	if q.Object != "" {
		sq.IDs = []string{q.Object}
	}
	if q.Pos != nil {
		if len(q.Pos) != 8 {
			return taxii.Page{}, fault.New(fault.Invalid, "next.invalid", "the next token is not good here").At("next")
		}
		sq.After = record.Seq(binary.BigEndian.Uint64(q.Pos))
	}
	page, err := b.x.Read(ctx, v, sq)
	if err != nil {
		return taxii.Page{}, err
	}
	if q.Object != "" && len(page.Items) == 0 && q.Pos == nil {
		// Nothing is 404 only when the object itself is not there for this viewer (TAXII 2.1 section 5.6).
		any, err := b.x.Read(ctx, v, store.Query{Collection: collection, IDs: []string{q.Object}, Versions: store.Versions{All: true}, Limit: 1, Headers: true, Specs: []string{"2.0", "2.1"}})
		if err != nil {
			return taxii.Page{}, err
		}
		if len(any.Items) == 0 {
			return taxii.Page{}, fault.New(fault.NotFound, "", "no such object")
		}
	}
	out := taxii.Page{More: page.More, Objects: make([]taxii.Object, len(page.Items))}
	if page.More {
		out.Next = binary.BigEndian.AppendUint64(nil, uint64(page.Next))
	}
	for i := range page.Items {
		it := &page.Items[i]
		media := mediaTypes[0]
		if it.Record.Spec == "2.0" {
			media = mediaTypes[1]
		}
		out.Objects[i] = taxii.Object{Raw: it.Record.Body, ID: it.Record.ID, Version: it.Record.Version, DateAdded: it.Seq.Time(), MediaType: media}
	}
	return out, nil
}

// addedAfter is the last place that the filter leaves out: dates added have whole microseconds.
func addedAfter(t time.Time) record.Seq {
	if t.IsZero() {
		return 0
	}
	return record.Seq(max(t.UnixMicro(), 0))
}

func versions(v taxii.Versions) store.Versions {
	out := store.Versions{All: v.All, First: v.First, Last: v.Last}
	for _, t := range v.At {
		if order, err := stix.Order(t.UTC().Format("2006-01-02T15:04:05.999999999Z")); err == nil {
			out.At = append(out.At, order)
		}
	}
	return out
}

func (b *backend) Add(ctx context.Context, _, collection string, objects [][]byte) (taxii.Status, error) {
	p, err := b.x.Post(ctx, surface.Viewer(ctx), collection, "taxii", objects)
	if err != nil {
		return taxii.Status{}, err
	}
	return status(p), nil
}

func (b *backend) Status(ctx context.Context, root, id string) (taxii.Status, error) {
	v := surface.Viewer(ctx)
	if _, err := b.x.Root(v, root); err != nil {
		return taxii.Status{}, err
	}
	p, err := b.x.Status(ctx, v, id)
	if err == nil && p.Root != root {
		err = fault.New(fault.NotFound, "", "no such status")
	}
	return status(p), err
}

func status(p exchange.Post) taxii.Status {
	out := taxii.Status{ID: p.ID, Status: taxii.Pending, RequestTimestamp: taxii.Time{Time: p.Requested}, SuccessCount: p.Added, FailureCount: p.Done - p.Added,
		PendingCount: p.Total - p.Done}
	if p.Final {
		out.Status = taxii.Complete
	}
	for _, o := range p.Outcomes {
		d := taxii.StatusDetail{ID: o.ID, Version: o.Version, Message: o.Message}
		if o.Stored() {
			if o.State == exchange.Held {
				d.Message = "kept in quarantine, for your organisation only: " + o.Message
			}
			out.Successes = append(out.Successes, d)
			continue
		}
		if d.ID == "" {
			d.ID = "unknown" // the object has no id that could be read
		}
		if d.Version == "" {
			d.Version = taxii.FormatTime(p.Requested)
		}
		out.Failures = append(out.Failures, d)
	}
	return out
}

func (b *backend) Delete(ctx context.Context, _, collection, object string, f taxii.Filter) error {
	_, err := b.x.Remove(ctx, surface.Viewer(ctx), collection, object, versions(f.Versions), f.Specs)
	return err
}
