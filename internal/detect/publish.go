package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
	"entente/outside"
	"entente/sensor"
	"entente/stix"
)

// space is the namespace of the ids that this room makes (RFC 9562, version 5).
var space = uuid.MustParse("6d0c6f0e-6b1c-5a53-9d0e-3f6f1f6f7a11")

// named is the id of an object of a type, the same for the same words.
func named(typ string, words ...string) string {
	var b []byte
	for _, w := range words {
		b = fmt.Appendf(b, "%d:%s", len(w), w)
	}
	return typ + "--" + uuid.UUID(outside.UUID5(space, b)).String()
}

// identity is the id of an organisation that sees something.
func identity(p gate.Party) string { return named("identity", "identity", p.Nation, p.Org) }

const (
	together = 200              // sums that are published together
	longest  = 15 * time.Minute // between two versions of a sighting that goes on
	tryAgain = time.Minute      // what could not be said
)

// Take takes reports of a sensor. They are durable when it returns. What names nothing that the sensor was given counts as refused.
func (r *Room) Take(ctx context.Context, s *Sensor, reports []sensor.Report) (sensor.Taken, error) {
	if len(reports) > sensor.MaxReports {
		return sensor.Taken{}, fault.New(fault.TooLarge, "reports.many", "%d reports are more than %d", len(reports), sensor.MaxReports)
	}
	sources := map[string]bool{}
	for i := range reports {
		q := &reports[i]
		err := q.Check()
		if err == nil && (q.First.Year() < 1970 || q.Last.Year() > 9998) {
			err = &sensor.Error{At: "first", Why: "is no time of telemetry"}
		}
		if err != nil {
			return sensor.Taken{}, fault.New(fault.Invalid, "report", "report %d: %v", i, err).At("/" + strconv.Itoa(i))
		}
		sources[q.Source] = false
	}
	if err := r.given(ctx, s.party(), sources); err != nil {
		return sensor.Taken{}, err
	}
	good := reports[:0:0]
	for i := range reports {
		if sources[reports[i].Source] {
			good = append(good, reports[i])
		}
	}
	r.metrics.strange.Add(float64(len(reports) - len(good)))
	taken, err := r.told.take(s, good, r.o.Now())
	if err != nil {
		return sensor.Taken{}, room.Wrap("keeping reports", err)
	}
	r.metrics.reports.Add(float64(taken))
	r.metrics.again.Add(float64(len(good) - taken))
	return sensor.Taken{Taken: taken}, nil
}

// given notes which sources the sensors of an organisation may look for, or lately could. A table that is being made anew does not know all of them yet.
func (r *Room) given(ctx context.Context, p gate.Party, sources map[string]bool) error {
	if err := r.looked.given(p, sources); err != nil {
		return err
	}
	var rest []string
	for id, ok := range sources {
		if !ok {
			rest = append(rest, id)
		}
	}
	for part := range slices.Chunk(rest, 200) {
		found, err := r.o.World.For(ctx, p, part)
		if err != nil {
			return err
		}
		for i := range found {
			sources[found[i].Record.ID] = true
		}
	}
	return nil
}

// publish makes sightings of sums until the context ends.
func (r *Room) publish(ctx context.Context) {
	tidied := time.Time{}
	for wait := 200 * time.Millisecond; pause(ctx, wait); {
		busy, err := r.say(ctx)
		wait = 500 * time.Millisecond
		if err != nil && ctx.Err() == nil {
			wait = 5 * time.Second
			r.metrics.failed.Inc()
			r.o.Log.Warn("what sensors met is not said", "error", err)
		} else if busy {
			wait = 10 * time.Millisecond
		}
		if now := r.o.Now(); now.Sub(tidied).Abs() >= time.Minute {
			if r.tidy(now) {
				wait = 10 * time.Millisecond
			} else {
				tidied = now
			}
		}
	}
}

// tidy forgets some of what need not be known any more, and tells whether there is more.
func (r *Room) tidy(now time.Time) bool {
	forgot, more, err := r.told.tidy(now, r.o.Config.kept(), r.o.Config.MaxReports)
	if err != nil {
		r.o.Log.Warn("old reports were not forgotten", "error", err)
		return false
	}
	r.metrics.forgotten.Add(float64(forgot))
	return more
}

// say makes the sightings that are due.
func (r *Room) say(ctx context.Context) (busy bool, err error) {
	now := r.o.Now()
	due, err := r.told.due(now, together)
	if err != nil || len(due) == 0 {
		return false, err
	}
	done := make([]said, 0, len(due))
	for i := range due {
		var x said
		if x, err = r.sayOne(ctx, &due[i], now); err != nil {
			break
		}
		done = append(done, x)
	}
	return len(due) == together, errors.Join(err, r.told.note(done))
}

// sayOne makes a sighting of a sum, or a new version of it.
func (r *Room) sayOne(ctx context.Context, s *sum, now time.Time) (said, error) {
	later := said{of: s, due: now.Add(tryAgain)}
	of, ok := r.sensors.find(s.sensor)
	if !ok { // enrolled after the store was copied that this node was restored from
		of = Sensor{ID: s.sensor, Name: s.sensor, Nation: s.party.Nation, Org: s.party.Org}
	}
	id, who := named("sighting", s.source, s.party.Nation, s.party.Org, s.sensor, strconv.FormatInt(s.day, 10)), identity(s.party)
	found, err := r.o.World.For(ctx, s.party, []string{s.source, id, who})
	if err != nil {
		return later, err
	}
	source, was := item(found, s.source), item(found, id)
	if source == nil { // what it names is out of sight: there is nobody to whom it could be said
		return later, nil
	}
	if was != nil {
		if err := r.resume(s, was); err != nil {
			return later, err
		}
	}
	modified := now.UTC().Truncate(time.Millisecond)
	if !modified.After(s.modified) {
		modified = s.modified.Add(time.Millisecond)
	}
	var d drafts
	if item(found, who) == nil {
		d.identity(s.party, modified)
	}
	r.draft(&d, id, s, source.Record.Label, modified)
	if d.err != nil {
		return later, d.err
	}
	out, err := r.o.World.Accept(ctx, r.viewer(&of), exchange.Submission{Objects: d.objects, Labels: d.labels, Via: "sensor:" + of.Name, Needs: gate.Detect})
	if err != nil {
		return later, err
	}
	if last := out[len(out)-1]; !last.Stored() {
		r.metrics.failed.Inc()
		r.o.Log.Warn("a sighting was refused", "source", s.source, "code", last.Code, "reason", last.Message)
		return later, nil
	}
	if s.sighting == "" {
		r.metrics.sightings.Inc()
	}
	r.metrics.versions.Inc()
	return said{s, id, modified, now.Add(r.patience(s, now))}, nil
}

// patience is how long a sighting is left as it is: the longer it goes on, the longer.
func (r *Room) patience(s *sum, now time.Time) time.Duration {
	return max(r.o.Config.renew(), min(now.Sub(s.began)/10, longest))
}

func item(items []store.Item, id string) *store.Item {
	i := slices.IndexFunc(items, func(it store.Item) bool { return it.Record.ID == id })
	if i < 0 {
		return nil
	}
	return &items[i]
}

// resume goes on from the sighting that is there. It begins when the sum does, unless that began anew because what was reported was lost; then it adds to it. One that is newer than the sum knows was
// made before the node could note it, or by a life of the node that this one, restored from a backup, does not know: less is not said after more.
func (r *Room) resume(s *sum, was *store.Item) error {
	o, err := stix.Parse(was.Record.Body)
	if err != nil {
		return nil // it is written anew
	}
	var at [4]time.Time
	for i, text := range []string{o.Created(), o.Modified(), o.Text("/first_seen"), o.Text("/last_seen")} {
		if at[i], err = time.Parse(time.RFC3339Nano, text); err != nil {
			return nil
		}
	}
	created, modified, first, last := at[0], at[1], at[2], at[3]
	raw, _ := o.Property("/count")
	count, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || count < 1 {
		return nil
	}
	more := int64(0)
	switch {
	case s.sighting == "" && !created.Equal(s.began.Truncate(time.Millisecond)):
		more, s.began = count, created
	case modified.After(s.modified):
		more = max(count-s.count, 0)
	default:
		return nil
	}
	if modified.After(s.modified) {
		s.modified = modified
	}
	if more == 0 {
		return nil
	}
	s.count += more
	if first.Before(s.first) {
		s.first = first
	}
	if last.After(s.last) {
		s.last = last
	}
	return r.told.raise(s, more)
}

// object is what every STIX object says of itself (STIX 2.1, section 3.2).
type object struct {
	Type      string   `json:"type"`
	Spec      string   `json:"spec_version"`
	ID        string   `json:"id"`
	CreatedBy string   `json:"created_by_ref,omitempty"`
	Created   string   `json:"created"`
	Modified  string   `json:"modified"`
	Markings  []string `json:"object_marking_refs"`
}

// objectOf begins an object under a label. Without an author it names none.
func objectOf(typ, id, author string, created, modified time.Time, l label.Label) object {
	return object{Type: typ, Spec: "2.1", ID: id, CreatedBy: author, Created: stamp(created), Modified: stamp(modified), Markings: []string{label.TLPMarkingID(l.TLP, false)}}
}

// sightingObject is a STIX sighting (STIX 2.1, section 5.2), observedObject its observed-data (section 4.14), identityObject who sees (section 4.5).
type sightingObject struct {
	object
	First    string   `json:"first_seen"`
	Last     string   `json:"last_seen"`
	Count    int64    `json:"count"`
	Of       string   `json:"sighting_of_ref"`
	Evidence []string `json:"observed_data_refs,omitempty"`
	Where    []string `json:"where_sighted_refs"`
	Text     string   `json:"description,omitempty"`
}

type observedObject struct {
	object
	First   string   `json:"first_observed"`
	Last    string   `json:"last_observed"`
	Number  int64    `json:"number_observed"`
	Objects []string `json:"object_refs"`
}

type identityObject struct {
	object
	Name  string `json:"name"`
	Class string `json:"identity_class"`
}

// mostCount is the largest count that a sighting can have (STIX 2.1, section 5.2.1).
const mostCount = 999_999_999

// stamp is a time as STIX writes it, in milliseconds (STIX 2.1, section 3.2).
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// drafts are objects to be handed in, each with the label that it gets: that of the source, whose constraints go on in what is derived from it.
type drafts struct {
	objects [][]byte
	labels  []label.Label
	err     error
}

func (d *drafts) add(l label.Label, o any) {
	b, err := json.Marshal(o, json.Deterministic(true))
	d.objects, d.labels, d.err = append(d.objects, b), append(d.labels, l), errors.Join(d.err, err)
}

// valued are the types of observables that are a value, by the kind of the value.
var valued = map[string]string{"ipv4": "ipv4-addr", "ipv6": "ipv6-addr", "domain": "domain-name", "url": "url", "email": "email-addr"}

// hashed are the names of hashes (STIX 2.1, section 10.7), by the kind of the value.
var hashed = map[string]string{"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512"}

// observable adds what was met as an observable, and gives its id; empty: there is none for this kind.
func (d *drafts) observable(s *sum, l label.Label) string {
	o := map[string]any{"spec_version": "2.1"}
	if typ := valued[s.kind]; typ != "" {
		o["type"], o["value"] = typ, s.value
	} else if name := hashed[s.kind]; name != "" {
		o["type"], o["hashes"] = "file", map[string]string{name: s.value}
	} else if s.kind == "filename" {
		o["type"], o["name"] = "file", s.value
	} else {
		return ""
	}
	o["id"] = fmt.Sprint(o["type"], "--00000000-0000-4000-8000-000000000000")
	raw, err := json.Marshal(o, json.Deterministic(true))
	if err != nil {
		return ""
	}
	parsed, err := stix.Parse(raw)
	if err != nil {
		return ""
	}
	id, ok, err := stix.DeterministicID(parsed)
	if err != nil || !ok {
		return ""
	}
	o["id"] = id
	d.add(l, o)
	return id
}

// identity adds who an organisation is. It stays within the node's organisation: that it is there tells that something was met.
func (d *drafts) identity(p gate.Party, at time.Time) {
	l := label.For(label.AmberStrict)
	d.add(l, &identityObject{object: objectOf("identity", identity(p), "", at, at, l), Name: p.Org, Class: "organization"})
}

// draft adds what is handed in of a sum, its sighting last.
func (r *Room) draft(d *drafts, id string, s *sum, l label.Label, modified time.Time) {
	created := s.began.Truncate(time.Millisecond)
	if created.After(modified) {
		created = modified
	}
	who := identity(s.party)
	o := sightingObject{object: objectOf("sighting", id, who, created, modified, l), First: stamp(s.first), Last: stamp(s.last), Count: min(s.count, mostCount), Of: s.source, Where: []string{who}}
	if r.o.Config.Evidence {
		if sco := d.observable(s, l); sco != "" {
			evidence := named("observed-data", o.ID)
			d.add(l, &observedObject{object: objectOf("observed-data", evidence, who, created, modified, l), First: o.First, Last: o.Last, Number: o.Count, Objects: []string{sco}})
			o.Evidence = []string{evidence}
		}
	}
	if s.back {
		o.Text = "Met before the indicator came: a sensor's memory says so."
	}
	d.add(l, &o)
}
