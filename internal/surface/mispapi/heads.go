package mispapi

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
	"entente/misp"
	"entente/stix"
)

// head is what is known of an event without its body: one version of its report or grouping.
type head struct {
	uuid      string
	id        string // in STIX
	rec       record.Seq
	order     string
	at        time.Time
	creator   string // uuid
	published bool
	revoked   bool
	held      bool
	origin    record.Origin
	label     *label.Label // not to be changed: the events of a list share it
}

var headTypes = []string{"grouping", "report"}

func headOf(it *store.Item) head {
	typ, id, _ := strings.Cut(it.Record.ID, "--")
	_, creator, _ := strings.Cut(it.Record.CreatedBy, "--")
	at, _ := time.Parse(time.RFC3339Nano, it.Record.Version)
	return head{uuid: id, id: it.Record.ID, rec: it.Rec, order: it.Record.Order, at: at, creator: creator, published: typ == "report", revoked: it.Record.Revoked,
		held: it.Held, origin: it.Record.Origin, label: &it.Record.Label}
}

// newer tells which of an event's two forms counts: the later one, of two that are as late the published one.
func (h *head) newer(o *head) bool {
	if c := cmp.Compare(h.order, o.order); c != 0 {
		return c > 0
	}
	return h.published && !o.published
}

// pageItems is how many records are read at once.
const pageItems = 5000

// pages reads everything that a query selects, page by page.
func pages(ctx context.Context, x *exchange.Exchange, v gate.Viewer, q store.Query, fn func(*store.Item) (bool, error)) error {
	q.Limit = cmp.Or(q.Limit, pageItems)
	for {
		p, err := x.Read(ctx, v, q)
		if err != nil {
			return err
		}
		for i := range p.Items {
			if more, err := fn(&p.Items[i]); err != nil || !more {
				return err
			}
		}
		if !p.More {
			return nil
		}
		q.After = p.Next
	}
}

// headsAtOnce is how many heads are read at once.
const headsAtOnce = 4096

// allHeads lists the events that the viewer may have, one for each uuid, in the order of their latest versions. Many events share few labels, and few
// are here as grouping and as report: what is kept of each is small, for a list of 100,000 is read at once.
func (s *Surface) allHeads(ctx context.Context, v gate.Viewer) ([]head, error) {
	var list []head
	var shared *label.Label
	drafts := map[string]int{} // groupings by uuid
	err := pages(ctx, s.x, v, store.Query{Types: headTypes, Headers: true, Limit: headsAtOnce}, func(it *store.Item) (bool, error) {
		h := headOf(it)
		if shared == nil || !label.Equal(*shared, *h.label) {
			l := *h.label // the page must not stay for it
			shared = &l
		}
		h.label = shared
		if !h.published {
			drafts[h.uuid] = len(list)
		}
		if len(list) == cap(list) { // doubled: append would copy a long list five times over
			list = slices.Grow(list, len(list)+64)
		}
		list = append(list, h)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	lost := map[int]bool{}
	for i := range list {
		if at, both := drafts[list[i].uuid]; both && list[i].published {
			if list[i].newer(&list[at]) {
				i = at
			}
			lost[i] = true
		}
	}
	kept := list[:0]
	for i := range list {
		if h := &list[i]; !lost[i] && !h.revoked && !h.held {
			kept = append(kept, *h)
		}
	}
	return kept, nil
}

// find is the event of a uuid as the viewer has it, deleted ones included.
func (s *Surface) find(ctx context.Context, v gate.Viewer, uuid string, headers bool) (store.Item, bool, error) {
	p, err := s.x.Read(ctx, v, store.Query{IDs: []string{"report--" + uuid, "grouping--" + uuid}, Headers: true})
	if err != nil {
		return store.Item{}, false, err
	}
	best := -1
	for i := range p.Items {
		h := headOf(&p.Items[i])
		if best < 0 {
			best = i
		} else if b := headOf(&p.Items[best]); h.newer(&b) {
			best = i
		}
	}
	if best < 0 {
		return store.Item{}, false, nil
	}
	if headers {
		return p.Items[best], true, nil
	}
	it, err := s.x.Get(ctx, v, "", p.Items[best].Record.ID, store.Versions{})
	return it, err == nil, err
}

// event finds an event by a uuid or number of a request; NotFound where there is none for this viewer.
func (s *Surface) event(c *call, text string) (store.Item, error) {
	uuid, err := s.eventUUID(c, text)
	if err != nil {
		return store.Item{}, err
	}
	it, ok, err := s.find(c.r.Context(), c.v, uuid, false)
	if err != nil {
		return it, err
	}
	if !ok || it.Record.Revoked || it.Held {
		return it, noSuch("no such event")
	}
	return it, nil
}

// eventUUID is the uuid that a request names. A number that was not given out since the start is looked for among what the viewer may have.
func (s *Surface) eventUUID(c *call, text string) (string, error) {
	if u := s.numbers.uuid(text); u != "" {
		return u, nil
	}
	if strings.Trim(text, "0123456789") != "" || text == "" || len(text) > 19 {
		return "", noSuch("no such event")
	}
	heads, err := s.allHeads(c.r.Context(), c.v)
	if err != nil {
		return "", err
	}
	for i := range heads {
		if s.numbers.give("event", heads[i].uuid) == text {
			return heads[i].uuid, nil
		}
	}
	return "", noSuch("no such event")
}

// summary is what an event says of itself, without its elements.
type summary struct {
	event *misp.Event
	tags  []string // in lower case
}

// creator is the name of an event's creator, as far as it is known: by the register, or by what was read of the event, which may be nil.
func (o *orgs) creator(h *head, sum *summary) string {
	if org, ok := o.byUUID[h.creator]; ok {
		return org.Name
	}
	if sum != nil && sum.event.Orgc != nil {
		return sum.event.Orgc.Name
	}
	return ""
}

// cache keeps what was read of records: a record never changes. Who may know it is asked anew each time.
type cache[T any] struct {
	mu    sync.Mutex
	known map[record.Seq]T
}

const maxCached = 200_000

func (m *cache[T]) get(rec record.Seq) (T, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.known[rec]
	return v, ok
}

func (m *cache[T]) put(rec record.Seq, v T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= maxCached {
		m.known = map[record.Seq]T{}
	}
	m.known[rec] = v
}

// summaryOf reads the body of a head.
func summaryOf(it *store.Item) *summary {
	o, err := stix.Parse(it.Record.Body)
	if err != nil {
		return &summary{event: &misp.Event{}}
	}
	var e misp.Event
	if r, ok := misp.OpenEvent(o); ok {
		e = *r.Event()
	} else {
		events, _, err := misp.FromSTIX([]*stix.Object{o})
		if err == nil && len(events) > 0 {
			e = *events[0]
		}
	}
	e.Attributes, e.Objects, e.Reports, e.Shadows, e.Galaxies = nil, nil, nil, nil, nil
	sum := &summary{event: &e}
	for _, t := range e.Tags {
		sum.tags = append(sum.tags, strings.ToLower(t.Name))
	}
	return sum
}

// withSummaries reads the bodies of heads that are not known yet.
func (s *Surface) withSummaries(ctx context.Context, v gate.Viewer, heads []head) ([]*summary, error) {
	out := make([]*summary, len(heads))
	var ids []string
	want := map[string]int{}
	for i := range heads {
		if out[i], _ = s.heads.get(heads[i].rec); out[i] == nil {
			ids = append(ids, heads[i].id)
			want[heads[i].id] = i
		}
	}
	for chunk := range slices.Chunk(ids, 2000) {
		err := pages(ctx, s.x, v, store.Query{IDs: chunk}, func(it *store.Item) (bool, error) {
			sum := summaryOf(it)
			s.heads.put(it.Rec, sum)
			if i, ok := want[it.Record.ID]; ok {
				out[i] = sum
			}
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	for i := range out {
		if out[i] == nil { // gone since
			out[i] = &summary{event: &misp.Event{}}
		}
	}
	return out, nil
}
