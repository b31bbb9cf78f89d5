package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

// Post is what a surface that answers with a status keeps of a number of objects handed in (TAXII 2.1 section 4.3).
type Post struct {
	ID        string    `json:"id"` // UUIDv4
	Owner     string    `json:"owner"`
	Root      string    `json:"root"` // of the collection
	Requested time.Time `json:"requested"`
	Total     int       `json:"total"`
	Done      int       `json:"done"`
	Added     int       `json:"added"` // of Done, those that are stored; the others failed
	Final     bool      `json:"final"`
	Outcomes  []Outcome `json:"outcomes,omitempty"` // of Done, in order; of posts of more than maxListed objects only the failures
}

// Stored tells whether the object is in the store after this outcome, for its submitter to read.
func (o Outcome) Stored() bool { return o.State == Added || o.State == Present || o.State == Held }

const (
	docPost = "post" // statuses
	docPart = "part" // objects of large posts that wait; key: status id, part number
	// maxListed is how many outcomes a status lists one by one.
	maxListed = 5000
	partSize  = 1000
	// maxWaiting is how many objects wait at most for the worker; one more post is sent away until later.
	maxWaiting = 1_000_000
)

// part is a piece of a large post that waits for the worker.
type part struct {
	Post       string       `json:"post"`
	Viewer     gate.Viewer  `json:"viewer"`
	Collection string       `json:"collection"`
	Via        string       `json:"via"`
	Objects    []lazyObject `json:"objects"`
}

// lazyObject keeps the exact bytes of an object that may not even be JSON.
type lazyObject []byte

// Post accepts objects and returns their status. Up to Config.PostObjects objects are stored when it returns; more are durable in a
// queue and stored by the worker, and the status counts them as pending until then.
func (x *Exchange) Post(ctx context.Context, v gate.Viewer, collection, via string, objects [][]byte) (Post, error) {
	c, err := x.writable(v, collection)
	if err != nil {
		return Post{}, err
	}
	p := Post{ID: uuid.NewString(), Owner: actor(v), Root: c.Root, Requested: x.cfg.Now().UTC(), Total: len(objects)}
	if len(objects) > x.cfg.PostObjects {
		return p, x.enqueue(ctx, v, p, collection, via, objects)
	}
	_, err = x.accept(ctx, v, c, x.prepare(v, Submission{Collection: collection, Objects: objects, Via: via}, c.Policy), func(outcomes []Outcome) []store.Doc {
		p.count(outcomes)
		return []store.Doc{x.postDoc(p)}
	})
	return p, err
}

func (p *Post) count(outcomes []Outcome) {
	for _, o := range outcomes {
		p.Done++
		if o.Stored() {
			p.Added++
		}
		if p.Total <= maxListed || !o.Stored() && len(p.Outcomes) < maxListed {
			p.Outcomes = append(p.Outcomes, o)
		}
	}
	p.Final = p.Done == p.Total
}

func (x *Exchange) postDoc(p Post) store.Doc {
	b, err := json.Marshal(p)
	if err != nil {
		b = []byte("{}") // cannot be: the fields are plain
	}
	d := store.Doc{Kind: docPost, Key: p.ID, Value: b, Version: -1}
	if p.Final {
		d.Expires = x.cfg.Now().Add(x.cfg.StatusKept)
	}
	return d
}

// Status finds what became of a post. Only who posted it may, and who audits the node, if it came from the own organisation; for others
// it does not exist.
func (x *Exchange) Status(ctx context.Context, v gate.Viewer, id string) (Post, error) {
	none := fault.New(fault.NotFound, "", "no such status")
	if _, err := uuid.Parse(id); err != nil {
		return Post{}, none
	}
	d, err := x.store.Doc(ctx, docPost, id)
	if fault.Of(err) == fault.NotFound {
		return Post{}, none
	}
	if err != nil {
		return Post{}, err
	}
	var p Post
	if err := json.Unmarshal(d.Value, &p); err != nil {
		return Post{}, fmt.Errorf("reading status %s: %w", id, err)
	}
	if p.Owner != actor(v) && !(strings.HasPrefix(p.Owner, x.cfg.Org+"/") && x.Gate().Can(v, gate.AuditRead)) {
		return Post{}, none
	}
	return p, nil
}

func partKey(post string, n int) string { return fmt.Sprintf("%s/%08d", post, n) }

// enqueue makes a large post durable: its status and its objects in one transaction.
func (x *Exchange) enqueue(ctx context.Context, v gate.Viewer, p Post, collection, via string, objects [][]byte) error {
	if x.waiting.Add(int64(len(objects))) > maxWaiting {
		x.waiting.Add(-int64(len(objects)))
		return fault.New(fault.Unavailable, "post.queue", "too many objects are waiting to be stored").After(30 * time.Second)
	}
	docs := []store.Doc{x.postDoc(p)}
	for n := 0; n*partSize < len(objects); n++ {
		w := part{Post: p.ID, Viewer: v, Collection: collection, Via: via}
		for _, o := range objects[n*partSize : min(len(objects), (n+1)*partSize)] {
			w.Objects = append(w.Objects, o)
		}
		b, err := json.Marshal(w)
		if err != nil {
			return err
		}
		docs = append(docs, store.Doc{Kind: docPart, Key: partKey(p.ID, n), Value: b})
	}
	if err := x.store.PutDocs(ctx, store.Act{}, docs...); err != nil {
		x.waiting.Add(-int64(len(objects)))
		return fmt.Errorf("queueing %d objects: %w", len(objects), err)
	}
	select {
	case x.posts <- struct{}{}:
	default:
	}
	return nil
}

// workPosts stores what waits, also what an earlier run of the node left.
func (x *Exchange) workPosts(ctx context.Context) {
	defer x.workers.Done()
	for {
		err := x.workAll(ctx)
		if err != nil && ctx.Err() == nil {
			x.cfg.Log.Warn("storing a large post; it will be tried again", "error", err)
		}
		retry := time.NewTimer(time.Minute)
		if err != nil {
			retry.Reset(2 * time.Second)
		}
		select {
		case <-ctx.Done():
			retry.Stop()
			return
		case <-x.posts:
			retry.Stop()
		case <-retry.C:
		}
	}
}

func (x *Exchange) workAll(ctx context.Context) error {
	for {
		docs, err := x.store.Docs(ctx, docPart, "", 1)
		if err != nil || len(docs) == 0 {
			return err
		}
		if err := x.workOne(ctx, docs[0]); err != nil {
			return err
		}
	}
}

func (x *Exchange) workOne(ctx context.Context, d store.Doc) error {
	var w part
	if err := json.Unmarshal(d.Value, &w); err != nil {
		return fmt.Errorf("reading the waiting part %s: %w", d.Key, err)
	}
	sd, err := x.store.Doc(ctx, docPost, w.Post)
	if err != nil {
		return err
	}
	var p Post
	if err := json.Unmarshal(sd.Value, &p); err != nil {
		return fmt.Errorf("reading status %s: %w", w.Post, err)
	}
	objects := make([][]byte, len(w.Objects))
	for i, o := range w.Objects {
		objects[i] = o
	}
	finish := func(outcomes []Outcome) []store.Doc {
		next := p
		next.count(outcomes)
		return []store.Doc{x.postDoc(next), {Kind: docPart, Key: d.Key, Version: -1}}
	}
	c, err := x.writable(w.Viewer, w.Collection)
	if err == nil {
		_, err = x.accept(ctx, w.Viewer, c, x.prepare(w.Viewer, Submission{Collection: w.Collection, Objects: objects, Via: w.Via}, c.Policy), finish)
	}
	switch k := fault.Of(err); {
	case err == nil:
		x.worked(len(objects))
		return nil
	case k == fault.NotFound, k == fault.Forbidden:
		// The right to write went while the post waited: its objects fail, and the status says so.
		e := fault.As(err)
		outcomes := make([]Outcome, len(objects))
		for i := range outcomes {
			outcomes[i] = Outcome{State: Refused, Code: e.MachineCode(), Message: e.Message}
		}
		if err := x.store.PutDocs(ctx, store.Act{}, finish(outcomes)...); err != nil {
			return err
		}
		x.worked(len(objects))
		return nil
	case errors.Is(err, context.Canceled):
		return nil
	}
	return err
}

// worked takes a part that is done out of the count. What an earlier run of the node left was never in it.
func (x *Exchange) worked(n int) {
	for {
		w := x.waiting.Load()
		if x.waiting.CompareAndSwap(w, max(0, w-int64(n))) {
			return
		}
	}
}
