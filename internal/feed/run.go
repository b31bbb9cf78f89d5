package feed

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
	"entente/outside"
	"entente/stix"
	"entente/taxii"
)

// Bounds of what is stored in one transaction.
const (
	batchObjects = 2000
	batchBytes   = 8 << 20
	maxSamples   = 3
	// tasted is how many objects of a source of many pages a dry run looks at.
	tasted = 5000
)

// namespace is the root of all ids that feeds give.
var namespace = uuid.MustParse("7d1f3f0b-6f0a-5c59-9a3e-2f6d0a4b8c11")

// Run is one run of one feed: what a Source works with.
type Run struct {
	f      *Feeds
	c      *Config
	viewer gate.Viewer
	line   *line // nil for files
	state  State
	report Report
	target string // id of the collection; empty: the whole store
	space  uuid.UUID
	now    time.Time
	atDesk bool // holds one of Feeds.desks until the run ends
}

// Config is the feed's configuration.
func (r *Run) Config() *Config { return r.c }

// State is what the node knows of the source. What is changed here becomes durable with the next batch that is stored, or at the end of a run
// that succeeds.
func (r *Run) State() *State { return &r.state }

// Note tells of something odd that could be tolerated.
func (r *Run) Note(s string) { r.report.note(s) }

// Drop counts something of the source that is unusable.
func (r *Run) Drop(code, message, example string) {
	r.report.Counts.Dropped++
	r.report.problem("dropped", code, message, example)
}

// Document brings the feed's whole document, or nil when it is the one that was taken last. Done must be called when all of it is stored.
func (r *Run) Document(ctx context.Context) (*Document, error) {
	var d *Document
	var err error
	if r.c.File != "" {
		d, err = r.c.open(r.f.o.Spool)
	} else {
		var cond conditions
		if !r.stale() {
			cond = conditions{r.state.ETag, r.state.LastModified}
		}
		d, err = r.line.fetch(ctx, r.c.url, cond, r.f.o.Spool)
	}
	if err != nil || d == nil {
		return nil, err
	}
	r.report.Bytes += d.Size
	if d.Digest == r.state.Digest && !r.stale() {
		r.took(d)
		return nil, d.Close()
	}
	if err = r.looks(d); err == nil {
		err = r.sit(ctx)
	}
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// sit takes a desk until the run ends: from now on memory and processor are needed, and not the network.
func (r *Run) sit(ctx context.Context) error {
	if r.atDesk {
		return nil
	}
	select {
	case r.f.desks <- struct{}{}:
		r.atDesk = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stand gives a desk back, for runs that go on waiting for their server.
func (r *Run) stand() {
	if r.atDesk {
		<-r.f.desks
		r.atDesk = false
	}
}

// stale tells whether entries must be prolonged although the source has not changed.
func (r *Run) stale() bool {
	return r.c.times.expire > 0 && r.now.Sub(r.state.Read) >= r.c.times.expire/4
}

// looks refuses a web page where data is expected, and tells of a changed type.
func (r *Run) looks(d *Document) error {
	head := make([]byte, 512)
	n, err := d.ReadAt(head, 0)
	if n == 0 && err != nil && d.Size > 0 {
		return fault.New(fault.Full, "feed.spool", "the download cannot be read").Because(err)
	}
	start := bytes.ToLower(bytes.TrimLeft(head[:n], "\ufeff \t\r\n"))
	if bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html")) {
		return fault.New(fault.Invalid, "feed.format", "the answer is a web page; nothing of it was taken").Try("look at the feed's url in a browser: it may ask to sign in")
	}
	if was := r.state.ContentType; was != "" && d.ContentType != "" && was != d.ContentType {
		r.Note("the content type has changed from " + was + " to " + d.ContentType)
	}
	return nil
}

// took keeps what lets the next run see that nothing has changed.
func (r *Run) took(d *Document) {
	r.state.ETag, r.state.LastModified, r.state.Digest = d.ETag, d.LastModified, d.Digest
	r.state.ContentType = cmp.Or(d.ContentType, r.state.ContentType)
	r.state.Read = r.now
}

// Fetch brings another document of the feed's host, by an address relative to the feed's, or relative to its file.
func (r *Run) Fetch(ctx context.Context, relative string) (*Document, error) {
	if r.line == nil {
		if relative == "" || filepath.Base(relative) != relative {
			return nil, fault.New(fault.Forbidden, "feed.file", "the feed names a file that is not beside it")
		}
		beside := *r.c
		whole, err := filepath.Abs(r.c.path(r.c.File)) // the data directory itself may be named relatively
		if err != nil {
			return nil, fault.New(fault.NotFound, "feed.file", "the feed's file cannot be read").Because(err)
		}
		beside.File = filepath.Join(filepath.Dir(whole), relative)
		d, err := beside.open(r.f.o.Spool)
		if d != nil {
			r.report.Bytes += d.Size
		}
		return d, err
	}
	u, err := r.c.url.Parse(relative)
	if err != nil {
		return nil, bad("url", "this is no URL")
	}
	d, err := r.line.fetch(ctx, u, conditions{}, r.f.o.Spool)
	if d != nil {
		r.report.Bytes += d.Size
	}
	return d, err
}

// client is a TAXII client that goes the feed's bounded way.
func (r *Run) client() *taxii.Client {
	home := url.URL{Scheme: r.c.url.Scheme, Host: r.c.url.Host, Path: r.c.url.Path}
	return &taxii.Client{URL: home.String(), Doer: doer{r.line.Client()}, UserAgent: r.f.o.UserAgent, AllowPlaintext: true, MaxResponse: r.c.Limits.Bytes,
		Sleep: sleep, MaxWait: 30 * time.Second}
}

// doer gives wire failures their words.
type doer struct{ http *http.Client }

func (d doer) Do(r *http.Request) (*http.Response, error) {
	resp, err := d.http.Do(r)
	if err != nil {
		return nil, rules.Wire(err)
	}
	return resp, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enough tells whether a dry run has looked at so much that it can end.
func (r *Run) enough() bool {
	if !r.report.DryRun || r.report.Counts.Read < tasted {
		return false
	}
	r.Note("a dry run looks at the beginning only")
	return true
}

// Objects stores objects as they came. More than a batch of them take several transactions. advance, which may be nil, changes the state in the last
// one: what it says is durable exactly when all the objects are.
func (r *Run) Objects(ctx context.Context, objects [][]byte, advance func(*State)) error {
	r.report.Counts.Read += int64(len(objects))
	for {
		n, size := 0, 0
		for n < len(objects) && n < batchObjects && (n == 0 || size+len(objects[n]) <= batchBytes) {
			size += len(objects[n])
			n++
		}
		batch := objects[:n]
		objects = objects[n:]
		if len(objects) == 0 && advance != nil {
			advance(&r.state)
		}
		outcomes, err := r.store(ctx, batch, nil)
		if err != nil {
			return err
		}
		r.report.count(outcomes)
		if len(objects) == 0 {
			return nil
		}
	}
}

// store hands a batch to the exchange, with the state and further documents in the same transaction.
func (r *Run) store(ctx context.Context, objects [][]byte, docs func([]exchange.Outcome) []store.Doc) ([]exchange.Outcome, error) {
	return r.submit(ctx, objects, r.c.label, r.c.label, docs)
}

// submit is store under labels of its own.
func (r *Run) submit(ctx context.Context, objects [][]byte, restrict, fallback *label.Label, docs func([]exchange.Outcome) []store.Doc) ([]exchange.Outcome, error) {
	if r.report.DryRun {
		return r.check(objects), ctx.Err()
	}
	if !r.atDesk {
		if err := r.sit(ctx); err != nil {
			return nil, err
		}
		defer r.stand()
	}
	target := r.target
	if len(objects) == 0 {
		target = "" // a push reads a collection that it need not write to
	}
	looked := r.watch(len(objects))
	outcomes, err := r.f.o.Exchange.Accept(ctx, r.viewer, exchange.Submission{Collection: target, Objects: objects, Via: "feed:" + r.c.Name, Restrict: restrict, Default: fallback, Look: looked.look(),
		Also: func(outcomes []exchange.Outcome) []store.Doc {
			out := []store.Doc{stateDoc(r.c.Name, r.state)}
			if docs != nil {
				out = append(out, docs(outcomes)...)
			}
			return out
		}})
	looked.tell(&r.report, outcomes)
	return outcomes, err
}

// check says what a dry run would come to, as far as objects tell it by themselves.
func (r *Run) check(objects [][]byte) []exchange.Outcome {
	out := make([]exchange.Outcome, len(objects))
	for i, raw := range objects {
		if len(r.report.Samples) < maxSamples {
			r.report.Samples = append(r.report.Samples, string(raw))
		}
		out[i].State = exchange.Added
		o, err := stix.Parse(raw)
		if err != nil {
			out[i] = exchange.Outcome{State: exchange.Refused, Code: "stix.parse", Message: err.Error()}
			continue
		}
		out[i].ID, out[i].Version = o.ID(), o.Version()
		for _, f := range stix.Validate(o, stix.Options{}) {
			if f.Level == stix.LevelError {
				out[i].State, out[i].Code, out[i].Message = exchange.Refused, f.Code, f.Message
				break
			}
		}
	}
	return out
}

// identity is the id of the source's identity, and its object when that must be stored first.
func (r *Run) identity() (id string, object []byte) {
	id = "identity--" + uuid.UUID(outside.UUID5(r.space, []byte("identity"))).String()
	name := cmp.Or(r.c.Source, r.c.Name)
	s := &r.state.Identity
	if s.Name == name && s.Label == r.c.Label && !s.Created.IsZero() {
		return id, nil
	}
	if s.Created.IsZero() {
		s.Created = r.now
	}
	s.Name, s.Label, s.Modified = name, r.c.Label, later(r.now, s.Modified)
	b := head(nil, "identity", id, "", s.Created, s.Modified)
	b = append(b, `,"name":`...)
	b = quote(b, name)
	b = append(b, `,"description":`...)
	b = quote(b, "The source of the feed "+r.c.Name+" of "+r.f.o.Org+".")
	b = append(b, `,"identity_class":"system"`...)
	return id, r.tail(b)
}

// head begins an object.
func head(b []byte, typ, id, author string, created, modified time.Time) []byte {
	b = append(b, `{"type":"`...)
	b = append(b, typ...)
	b = append(b, `","spec_version":"2.1","id":"`...)
	b = append(b, id...)
	if author != "" {
		b = append(b, `","created_by_ref":"`...)
		b = append(b, author...)
	}
	b = append(b, `","created":"`...)
	b = created.UTC().AppendFormat(b, timeForm)
	b = append(b, `","modified":"`...)
	b = modified.UTC().AppendFormat(b, timeForm)
	return append(b, '"')
}

const timeForm = "2006-01-02T15:04:05.000Z"

// tail ends an object with the marking that the feed's label states.
func (r *Run) tail(b []byte) []byte {
	if r.c.label != nil {
		b = append(b, `,"object_marking_refs":["`...)
		b = append(b, label.TLPMarkingID(r.c.label.TLP, false)...)
		b = append(b, `"]`...)
	}
	return append(b, '}')
}

// later is now, or the millisecond after what must stand before it.
func later(now, before time.Time) time.Time {
	if !now.After(before) {
		return before.Add(time.Millisecond)
	}
	return now
}

func quote(b []byte, s string) []byte {
	q, err := json.Marshal(s)
	if err != nil {
		return append(b, `""`...) // cannot be: any string has a JSON form
	}
	return append(b, q...)
}
