package feed

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/misp"
)

// MISPPush sends the published events that another party may have to that party's MISP 2.5, as another MISP does.
type MISPPush struct{}

func (MISPPush) Kind() string { return "misp-push" }

func (MISPPush) Check(c *Config) error {
	switch {
	case c.url == nil:
		return bad("url", "a MISP server is reached by the url of its start page")
	case c.TokenFile == "":
		return bad("token_file", "a MISP server wants an authentication key: write it into a file and name that")
	}
	if err := c.checkParty(); err != nil {
		return err
	}
	c.Header = cmp.Or(c.Header, "Authorization")
	return c.checkMISP()
}

// offered is how many events a server is asked about at once.
const offered = 500

// candidate is an event that the server may lack.
type candidate struct {
	id        uuid.UUID
	timestamp int64
}

// Pull sends what is newer than what the server was sent. That it has an event is written down when it has said so.
func (MISPPush) Pull(ctx context.Context, r *Run) error {
	if r.f.o.Events == nil {
		return fault.New(fault.Unavailable, "feed.events", "this node makes no MISP events")
	}
	about, err := r.mispVersion(ctx)
	if err != nil {
		return err
	}
	if about.Sync == refused {
		return fault.New(fault.Forbidden, "push.right", "the key may not push: its role on the server lacks the right to synchronise").Try("ask the server's administrator for a sync user")
	}
	known, err := r.takenEvents(ctx)
	if err != nil {
		return err
	}
	viewer := r.receiver()
	events, err := r.f.o.Events.Published(ctx, viewer, r.target)
	if err != nil {
		return err
	}
	var newer []candidate
	for id, stamp := range events {
		u, err := uuid.Parse(id)
		switch {
		case err != nil:
		case known.at(u).timestamp >= stamp:
			r.report.Counts.Present++
		default:
			newer = append(newer, candidate{u, stamp})
		}
		r.report.Counts.Read++
	}
	slices.SortFunc(newer, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.timestamp, b.timestamp), strings.Compare(string(a.id[:]), string(b.id[:])))
	})
	for some := range slices.Chunk(newer, offered) {
		if err := r.offer(ctx, viewer, some, known, about); err != nil {
			return err
		}
	}
	if slices.Contains(r.c.MISP.Without, "sightings") || r.report.DryRun {
		return nil
	}
	return r.pushSightings(ctx, viewer, known)
}

// offer asks which of some events the server wants, and sends those.
func (r *Run) offer(ctx context.Context, viewer gate.Viewer, some []candidate, known *taken, about mispAbout) error {
	some, err := r.foreign(ctx, viewer, some, known)
	if err != nil || len(some) == 0 {
		return err
	}
	type event struct {
		Event map[string]any `json:"Event"`
	}
	ask := make([]event, len(some))
	for i, e := range some {
		ask[i].Event = map[string]any{"uuid": e.id.String(), "timestamp": fmt.Sprint(e.timestamp)}
	}
	var wants []string
	if err := r.mispJSON(ctx, http.MethodPost, "events/filterEventIdsForPush", ask, &wants); err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, id := range wants {
		wanted[strings.ToLower(id)] = true
	}
	var there []candidate
	for _, e := range some {
		if !wanted[e.id.String()] {
			r.report.Counts.Present++
			there = append(there, e)
		}
	}
	if err := r.keepSent(ctx, known, there); err != nil {
		return err
	}
	for _, e := range some {
		if !wanted[e.id.String()] {
			continue
		}
		if r.report.DryRun {
			r.report.Counts.Pushed++
			continue
		}
		if err := r.pushEvent(ctx, viewer, e, about); err != nil {
			f := fault.As(err)
			if ctx.Err() != nil || f.Code != "push.refused" && f.Kind != fault.NotFound && f.Kind != fault.TooLarge {
				return err
			}
			r.report.Counts.Refused++
			r.report.problem("refused", f.MachineCode(), said(f), e.id.String())
		} else {
			r.report.Counts.Pushed++
		}
		if err := r.keepSent(ctx, known, []candidate{e}); err != nil {
			return err
		}
	}
	return nil
}

// foreign leaves out what the party has already: its own events, and what came from this very server.
func (r *Run) foreign(ctx context.Context, viewer gate.Viewer, some []candidate, known *taken) ([]candidate, error) {
	ids := make([]string, len(some))
	for i, e := range some {
		ids[i] = "report--" + e.id.String()
	}
	q := store.Query{IDs: ids, Headers: true, Limit: len(ids)}
	theirs := map[string]bool{}
	for {
		page, err := r.f.o.Exchange.Read(ctx, viewer, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			if r.theirs(&page.Items[i].Record.Origin) {
				theirs[page.Items[i].Record.ID] = true
			}
		}
		if q.After = page.Next; !page.More {
			break
		}
	}
	var out, had []candidate
	for _, e := range some {
		if theirs["report--"+e.id.String()] {
			r.report.Counts.Present++
			had = append(had, e)
		} else {
			out = append(out, e)
		}
	}
	return out, r.keepSent(ctx, known, had)
}

// keepSent writes down what the server has.
func (r *Run) keepSent(ctx context.Context, known *taken, events []candidate) error {
	if len(events) == 0 || r.report.DryRun {
		return nil
	}
	touched := map[byte]bool{}
	for _, e := range events {
		known.put(e.id, takenEvent{timestamp: e.timestamp})
		touched[e.id[0]] = true
	}
	_, err := r.submit(ctx, nil, nil, nil, func([]exchange.Outcome) []store.Doc {
		var docs []store.Doc
		for shard := range touched {
			docs = append(docs, known.doc(r.c.Name, shard))
		}
		return docs
	})
	return err
}

// pushEvent sends one event. It is made whole first, by which it is written down as released.
func (r *Run) pushEvent(ctx context.Context, viewer gate.Viewer, e candidate, about mispAbout) error {
	id := e.id.String()
	file, packed, err := r.eventFile(ctx, viewer, id, about.Gzip)
	if err != nil {
		return err
	}
	defer file.Close()
	resp, err := r.mispCall(ctx, http.MethodHead, "events/view/"+id, nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	path := "events/add/metadata:1"
	switch resp.StatusCode {
	case http.StatusOK:
		path = "events/edit/" + id + "/metadata:1"
	case http.StatusNotFound, http.StatusForbidden: // not there, or not for us: adding it will tell
	default:
		return rules.Status(resp)
	}
	for range 2 {
		status, duplicate, err := r.sendEvent(ctx, path, file, packed)
		if err != nil || status == http.StatusOK {
			return err
		}
		if !duplicate {
			break
		}
		path = "events/edit/" + id + "/metadata:1"
	}
	return fault.New(fault.Unprocessable, "push.refused", "the server says that it has the event, and does not take a change of it")
}

// eventFile is the event as the party may have it, in a file that goes away when it is closed.
func (r *Run) eventFile(ctx context.Context, viewer gate.Viewer, id string, pack bool) (f *os.File, packed bool, err error) {
	if err := os.MkdirAll(r.f.o.Spool, 0o700); err != nil {
		return nil, false, fault.New(fault.Full, "feed.spool", "the directory for events cannot be made").Because(err)
	}
	if f, err = os.CreateTemp(r.f.o.Spool, "push-*"); err != nil {
		return nil, false, fault.New(fault.Full, "feed.spool", "no file can be made for the event").Because(err)
	}
	os.Remove(f.Name())
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	out := bufio.NewWriterSize(&bounded{w: f, left: r.c.Limits.Bytes}, 64<<10)
	var z *gzip.Writer
	var w io.Writer = out
	if pack {
		z = gzip.NewWriter(out)
		w = z
	}
	if err = r.f.o.Events.WriteEvent(ctx, viewer, r.target, id, true, w); err != nil {
		return nil, false, err
	}
	if z != nil {
		err = z.Close()
	}
	if err = errors.Join(err, out.Flush()); err != nil {
		if errors.As(err, new(*fault.Error)) {
			return nil, false, fault.As(err)
		}
		return nil, false, fault.New(fault.Full, "feed.spool", "the event cannot be written").Because(err)
	}
	return f, pack, nil
}

// bounded refuses to write more than is left.
type bounded struct {
	w    io.Writer
	left int64
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, fault.New(fault.TooLarge, "push.size", "the event is larger than the feed's limits.bytes")
	}
	return b.w.Write(p)
}

// stale is what MISP says of an event that is not newer than its own.
const stale = "not newer than the local copy"

// sendEvent posts an event. duplicate: the server has one of that uuid, and it must be changed instead.
func (r *Run) sendEvent(ctx context.Context, path string, f *os.File, packed bool) (status int, duplicate bool, err error) {
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return 0, false, fault.New(fault.Full, "feed.spool", "the event cannot be read").Because(err)
	}
	header := []string{"Content-Encoding", ""}
	if packed {
		header[1] = "gzip"
	}
	resp, err := r.mispCall(ctx, http.MethodPost, path, io.NewSectionReader(f, 0, size), header...)
	if err != nil {
		return 0, false, err
	}
	defer resp.Body.Close()
	r.report.Bytes += size
	var answer struct {
		Message string          `json:"message"`
		Errors  json.RawMessage `json:"errors"`
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, false, rules.Wire(err)
	}
	json.Unmarshal(raw, &answer) // a refusal may be no JSON: then its status tells
	switch c := resp.StatusCode; {
	case c == http.StatusOK:
		return c, false, nil
	case c == http.StatusNotFound && resp.Header.Get("Location") != "" && strings.HasPrefix(path, "events/add"):
		return c, true, nil
	case c == http.StatusForbidden && strings.Contains(string(answer.Errors), stale):
		return http.StatusOK, false, nil
	case c == http.StatusTooManyRequests || c >= 500:
		return c, false, rules.Status(resp)
	}
	why := cmp.Or(strings.Trim(string(answer.Errors), `"`), answer.Message, http.StatusText(resp.StatusCode))
	return resp.StatusCode, false, fault.New(fault.Unprocessable, "push.refused", "the server answers %d: %s", resp.StatusCode, cut(why))
}

// pushSightings sends the sightings that the party may have and that came since the last run, of events that it has.
func (r *Run) pushSightings(ctx context.Context, viewer gate.Viewer, known *taken) error {
	q := store.Query{Collection: r.target, Types: []string{"sighting"}, Limit: 500}
	for {
		q.After = r.state.Pushed
		page, err := r.f.o.Exchange.Read(ctx, viewer, q)
		if err != nil {
			return err
		}
		if len(page.Items) == 0 && !page.More {
			return nil
		}
		byEvent, err := r.seen(ctx, viewer, page.Items, known)
		if err != nil {
			return err
		}
		for id, list := range byEvent {
			if err := r.bulkSightings(ctx, id, list); err != nil {
				return err
			}
		}
		if next := page.Next; page.More {
			r.state.Pushed = next
		} else {
			r.state.Pushed = page.Items[len(page.Items)-1].Seq
		}
		if err := r.Objects(ctx, nil, nil); err != nil || !page.More {
			return err
		}
	}
}

// sentSighting is a sighting as MISP takes it.
type sentSighting struct {
	UUID      string `json:"uuid"`
	Attribute string `json:"attribute_uuid"`
	Date      string `json:"date_sighting"`
	Source    string `json:"source"`
	Type      string `json:"type"`
}

// seen says of which attributes sightings are, by event: of those that are attributes of an event that the server has.
func (r *Run) seen(ctx context.Context, viewer gate.Viewer, items []store.Item, known *taken) (map[string][]sentSighting, error) {
	type sighting struct {
		Of          string    `json:"sighting_of_ref"`
		First       time.Time `json:"first_seen"`
		Modified    time.Time `json:"modified"`
		Description string    `json:"description"`
	}
	list := make([]sighting, len(items))
	var of []string
	for i := range items {
		if r.theirs(&items[i].Record.Origin) || items[i].Held || json.Unmarshal(items[i].Record.Body, &list[i]) != nil {
			list[i] = sighting{}
			continue
		}
		of = append(of, list[i].Of)
	}
	events := map[string]string{} // by the id of the object that was seen
	for part := range slices.Chunk(of, 200) {
		page, err := r.f.o.Exchange.Read(ctx, viewer, store.Query{IDs: part, Limit: len(part)})
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			events[page.Items[i].Record.ID] = eventOf(page.Items[i].Record.Body)
		}
	}
	out := map[string][]sentSighting{}
	for i, s := range list {
		event, err := uuid.Parse(events[s.Of])
		if err != nil || known.at(event).timestamp == 0 {
			continue
		}
		if s.First.IsZero() {
			s.First = s.Modified
		}
		_, id, _ := strings.Cut(items[i].Record.ID, "--")
		_, attribute, _ := strings.Cut(s.Of, "--")
		out[event.String()] = append(out[event.String()], sentSighting{id, attribute, fmt.Sprint(s.First.Unix()), s.Description, "0"})
	}
	return out, nil
}

// eventOf is the uuid of the event that an element names; empty: it is none of an event.
func eventOf(body []byte) string {
	var o struct {
		External []struct {
			Source string `json:"source_name"`
			ID     string `json:"external_id"`
		} `json:"external_references"`
	}
	if json.Unmarshal(body, &o) != nil {
		return ""
	}
	for _, e := range o.External {
		if e.Source == misp.EventSource {
			return e.ID
		}
	}
	return ""
}

// bulkSightings sends those of an event's sightings that the server lacks.
func (r *Run) bulkSightings(ctx context.Context, event string, list []sentSighting) error {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].UUID
	}
	var wants []string
	err := r.mispJSON(ctx, http.MethodPost, "sightings/filterSightingUuidsForPush/"+event, ids, &wants)
	if err == nil {
		list = slices.DeleteFunc(list, func(s sentSighting) bool { return !slices.Contains(wants, s.UUID) })
		if len(list) == 0 {
			return nil
		}
		_, err = r.mispBytes(ctx, http.MethodPost, "sightings/bulkSaveSightings/"+event, list)
	}
	f := fault.As(err)
	switch {
	case err == nil:
		r.report.Counts.Pushed += int64(len(list))
		return nil
	case f.Kind == fault.Forbidden || f.Kind == fault.NotFound || f.Kind == fault.Unprocessable:
		r.report.Counts.Refused += int64(len(list))
		r.report.problem("refused", "push.sightings", said(f), event)
		return nil
	}
	return err
}
