package feed

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"hash/fnv"
	"slices"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/store"
)

// planned is what becomes of one item; object is its place in the batch, -1: none.
type planned struct {
	before, after item
	was           bool // before is something
	object        int
}

// plan is a batch of whole shards.
type plan struct {
	shards  []int
	items   map[int][]planned
	objects [][]byte
	typ     string
	gone    []string // ids of objects that have left, to be read
	goneAt  []*planned
	updated int64
	left    int64
}

// Entries stores a whole list: what is new, what has changed, what must be prolonged, and what the feed's configuration wants of entries that
// have left. All entries are of one type. define, which may be nil, makes an object that they need, by the source's identity.
func (r *Run) Entries(ctx context.Context, typ string, entries []Entry, define func(author string) []byte, d *Document) error {
	var before [][]byte
	author, identity := r.identity()
	if identity != nil {
		before = append(before, identity)
		if define != nil {
			before = append(before, define(author))
		}
	}
	r.report.Counts.Read += int64(len(entries))
	slices.SortStableFunc(entries, func(a, b Entry) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	entries = slices.CompactFunc(entries, func(a, b Entry) bool {
		if a.ID != b.ID {
			return false
		}
		r.Drop("entry.twice", "the list has this entry more than once; the first is taken", "")
		return true
	})
	known, err := r.known(ctx)
	if err != nil {
		return err
	}
	if err := r.shrunk(entries, known); err != nil {
		return err
	}
	p := newPlan(typ, before)
	for shard := range shards {
		n, _ := slices.BinarySearchFunc(entries, shard+1, func(e Entry, s int) int { return int(e.ID[0]) - s })
		r.plan(p, shard, entries[:n], decodeItems(known[shard]), author)
		entries = entries[n:]
		known[shard] = nil
		if len(p.objects)+len(p.gone) >= batchObjects {
			if err := r.flush(ctx, p); err != nil {
				return err
			}
			p = newPlan(typ, nil)
		}
	}
	r.took(d)
	return r.flush(ctx, p)
}

func newPlan(typ string, before [][]byte) *plan {
	return &plan{typ: typ, items: map[int][]planned{}, objects: before}
}

// shrunk refuses a list that has lost more of its entries at once than the feed's limit, where that would end them.
func (r *Run) shrunk(entries []Entry, known [shards][]byte) error {
	if r.c.Gone == "keep" {
		return nil
	}
	total, left, at := 0, 0, 0
	for _, shard := range known {
		for _, it := range decodeItems(shard) {
			if it.gone {
				continue
			}
			total++
			for at < len(entries) && bytes.Compare(entries[at].ID[:], it.key[:]) < 0 {
				at++
			}
			if at == len(entries) || entries[at].ID != it.key {
				left++
			}
		}
	}
	if left > 10 && left*100 > total*r.c.Limits.Gone {
		return fault.New(fault.Unprocessable, "feed.shrunk", "%d of %d entries have left the list at once, more than %d percent; nothing was taken", left, total, r.c.Limits.Gone).
			Try("if that is right, raise the feed's limits.gone for one run")
	}
	return nil
}

// plan compares the entries of a shard with what is known of it. Both are sorted.
func (r *Run) plan(p *plan, shard int, entries []Entry, known []item, author string) {
	var out []planned
	changed := false
	at := 0
	for i := range entries {
		e := &entries[i]
		for at < len(known) && bytes.Compare(known[at].key[:], e.ID[:]) < 0 {
			out, changed = r.leave(p, out, known[at], changed)
			at++
		}
		n := planned{object: -1}
		if at < len(known) && known[at].key == e.ID {
			n.before, n.was = known[at], true
			at++
		}
		if !r.renew(p, e, &n, author) {
			r.report.Counts.Present++
		} else {
			changed = true
		}
		out = append(out, n)
	}
	for ; at < len(known); at++ {
		out, changed = r.leave(p, out, known[at], changed)
	}
	if !changed {
		return
	}
	p.shards = append(p.shards, shard)
	p.items[shard] = out
	for i := range out {
		if out[i].object == goneObject {
			p.goneAt = append(p.goneAt, &out[i])
		}
	}
}

// goneObject marks items whose object must be read before it can be ended.
const goneObject = -2

// leave settles an item whose entry is not in the list any more.
func (r *Run) leave(p *plan, out []planned, it item, changed bool) ([]planned, bool) {
	n := planned{before: it, after: it, was: true, object: -1}
	now := r.now.UnixMilli()
	switch {
	case now-it.modified > forgotten.Milliseconds():
		return out, true
	case it.gone || r.c.Gone == "keep":
		return append(out, n), changed
	}
	n.after.gone = true
	n.after.modified = later(r.now, time.UnixMilli(it.modified)).UnixMilli()
	if r.c.Gone == "revoke" || it.until == 0 || it.until > now {
		n.object = goneObject
		p.gone = append(p.gone, it.id(p.typ))
	}
	return append(out, n), true
}

// renew makes the object of an entry where it is new or has changed, and tells whether it did.
func (r *Run) renew(p *plan, e *Entry, n *planned, author string) bool {
	body := e.body()
	h := fnv.New64a()
	h.Write([]byte(r.c.Label))
	h.Write(body)
	for _, t := range []time.Time{e.details().From, e.Until} {
		if !t.IsZero() {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(t.UnixMilli())))
		}
	}
	it := n.before
	now := r.now
	switch {
	case !n.was:
		it = item{key: e.ID, created: now.UnixMilli(), modified: now.UnixMilli()}
	case it.gone && r.c.Gone != "expire": // a revocation is final: what returns is a new object
		it.generation++
		it.created = now.UnixMilli()
		it.modified = it.created
	case it.gone || it.hash != h.Sum64() || r.prolong(it, e):
		it.modified = later(now, time.UnixMilli(it.modified)).UnixMilli()
	default:
		n.after = it
		return false
	}
	it.gone, it.hash, it.until = false, h.Sum64(), 0
	switch {
	case !e.Until.IsZero():
		it.until = e.Until.UnixMilli()
	case r.c.times.expire > 0:
		it.until = now.Add(r.c.times.expire).UnixMilli()
	}
	created := time.UnixMilli(it.created)
	b := head(make([]byte, 0, 512+len(body)), p.typ, it.id(p.typ), author, created, time.UnixMilli(it.modified))
	b = append(b, body...)
	if p.typ == "indicator" {
		from := e.details().From
		if from.IsZero() {
			from = created
		}
		b = append(b, `,"valid_from":"`...)
		b = from.UTC().AppendFormat(b, timeForm)
		if it.until > from.UnixMilli() {
			b = append(b, `","valid_until":"`...)
			b = time.UnixMilli(it.until).UTC().AppendFormat(b, timeForm)
		}
		b = append(b, '"')
	}
	n.object, n.after = len(p.objects), it
	p.objects = append(p.objects, r.tail(b))
	if n.was {
		p.updated++
	}
	return true
}

// prolong tells whether an entry that is still there needs a later end.
func (r *Run) prolong(it item, e *Entry) bool {
	return e.Until.IsZero() && r.c.times.expire > 0 && time.UnixMilli(it.until).Sub(r.now) < r.c.times.expire/2
}

// flush stores a plan: its objects, what is kept of them, and the state, in one transaction.
func (r *Run) flush(ctx context.Context, p *plan) error {
	if err := r.end(ctx, p); err != nil {
		return err
	}
	outcomes, err := r.store(ctx, p.objects, func(outcomes []exchange.Outcome) []store.Doc {
		docs := make([]store.Doc, 0, len(p.shards))
		for _, s := range p.shards {
			docs = append(docs, store.Doc{Kind: docItems, Key: shardKey(r.c.Name, s), Value: settle(p.items[s], outcomes), Version: -1})
		}
		return docs
	})
	if err != nil {
		return err
	}
	r.report.count(outcomes)
	r.report.Counts.Updated += p.updated
	r.report.Counts.Gone += p.left
	return nil
}

// settle is what is kept of a shard after a batch. What was not stored stays as it was, so that the next run tries again.
func settle(items []planned, outcomes []exchange.Outcome) []byte {
	b := make([]byte, 0, len(items)*itemSize)
	for i := range items {
		n := &items[i]
		it := n.after
		if n.object >= 0 && n.object < len(outcomes) && !outcomes[n.object].Stored() {
			if !n.was {
				continue
			}
			it = n.before
		}
		b = it.encode(b)
	}
	return b
}

// end makes the last versions of objects whose entries have left.
func (r *Run) end(ctx context.Context, p *plan) error {
	const some = 200
	stored := map[string][]byte{}
	for ids := range slices.Chunk(p.gone, some) {
		q := store.Query{IDs: ids, Limit: some}
		for {
			page, err := r.f.o.Exchange.Read(ctx, r.viewer, q)
			if err != nil {
				return err
			}
			for i := range page.Items {
				stored[page.Items[i].Record.ID] = page.Items[i].Record.Body
				q.After = page.Items[i].Seq
			}
			if !page.More || len(page.Items) == 0 {
				break
			}
		}
	}
	for _, n := range p.goneAt {
		n.object = -1
		body, ok := stored[n.before.id(p.typ)]
		if !ok {
			continue // somebody has removed it: there is nothing to end
		}
		if last, ok := r.last(body, n.after.modified); ok {
			n.object = len(p.objects)
			p.objects = append(p.objects, last)
			p.left++
		}
	}
	return nil
}

// last is the version that ends an object.
func (r *Run) last(body []byte, modified int64) ([]byte, bool) {
	var o map[string]json.RawMessage
	if json.Unmarshal(body, &o) != nil {
		return nil, false
	}
	at := func(ms int64) json.RawMessage {
		return json.RawMessage(`"` + time.UnixMilli(ms).UTC().Format(timeForm) + `"`)
	}
	o["modified"] = at(modified)
	if r.c.Gone == "revoke" {
		o["revoked"] = json.RawMessage("true")
	} else {
		var from time.Time
		if json.Unmarshal(o["valid_from"], &from) != nil {
			return nil, false
		}
		o["valid_until"] = at(max(modified, from.UnixMilli()+1))
	}
	b, err := json.Marshal(o)
	return b, err == nil
}
