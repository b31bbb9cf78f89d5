package detect

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/indicator"
	"entente/internal/lite"
	"entente/sensor"
)

// SensorState is how a sensor is, as the node sees it.
type SensorState string

const (
	SensorNew     SensorState = "new" // it said nothing yet
	SensorWell    SensorState = "well"
	SensorSilent  SensorState = "silent"
	SensorRevoked SensorState = "revoked"
)

// SensorView is a sensor for people.
type SensorView struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Nation  string         `json:"nation"`
	Org     string         `json:"org"`
	Added   time.Time      `json:"added"`
	By      string         `json:"by"`
	Revoked time.Time      `json:"revoked,omitzero"`
	Expires time.Time      `json:"expires,omitzero"`
	State   SensorState    `json:"state"`
	Heard   time.Time      `json:"heard,omitzero"`
	Behind  int64          `json:"behind"`
	Events  uint64         `json:"events"`
	Dropped uint64         `json:"dropped"`
	Unread  uint64         `json:"unread"`
	Lag     int64          `json:"lag"`
	Spooled int64          `json:"spooled"`
	Refused int64          `json:"refused"`
	Left    int            `json:"left"`
	Health  *sensor.Health `json:"health,omitempty"`
}

// Sensors lists every sensor, by name; those that were revoked only where all is asked for.
func (r *Room) Sensors(ctx context.Context, all bool) ([]SensorView, error) {
	out := []SensorView{}
	for _, s := range r.sensors.all() {
		if !all && !s.Revoked.IsZero() {
			continue
		}
		v, err := r.viewOf(&s)
		if err != nil {
			return nil, err
		}
		v.Health = nil
		out = append(out, v)
	}
	return out, nil
}

// Sensor is one sensor by its id, or by its name where it is not revoked, with all that it said of itself.
func (r *Room) Sensor(ctx context.Context, name string) (SensorView, error) {
	s, ok := r.Find(name)
	if !ok {
		return SensorView{}, unknown("sensor")
	}
	return r.viewOf(&s)
}

func (r *Room) viewOf(s *Sensor) (SensorView, error) {
	v := SensorView{ID: s.ID, Name: s.Name, Nation: s.Nation, Org: s.Org, Added: s.Added, By: s.By, Revoked: s.Revoked, Behind: -1, Lag: -1}
	if n := len(s.Certificates); n > 0 {
		v.Expires = s.Certificates[n-1].Expires
	}
	at, h, err := r.told.health(s.ID)
	if err != nil {
		return v, err
	}
	switch {
	case !s.Revoked.IsZero():
		v.State = SensorRevoked
	case at.IsZero():
		v.State = SensorNew
	case r.o.Now().Sub(at) >= r.o.Config.silent():
		v.State = SensorSilent
	default:
		v.State = SensorWell
	}
	if at.IsZero() {
		return v, nil
	}
	v.Heard, v.Health, v.Spooled, v.Refused, v.Left = at, &h, h.Spooled, h.Refused, h.LeftCount
	for i := range h.Inputs {
		in := &h.Inputs[i]
		v.Events, v.Dropped, v.Unread = v.Events+in.Events, v.Dropped+in.Dropped, v.Unread+in.Unread
		if in.Lag >= 0 {
			v.Lag = max(v.Lag, 0) + in.Lag
		}
	}
	err = r.looked.read(func(c *zs.Conn) error {
		t, err := tableOf(c, s.party())
		if err == nil && t.epoch == h.Indicators.Epoch {
			v.Behind = max(t.seq-h.Indicators.Seq, 0)
		}
		if fault.Of(err) == fault.NotFound {
			err = nil
		}
		return err
	})
	return v, err
}

// Detection is what a sensor met of a source on one day.
type Detection struct {
	Source   string            `json:"source"`
	Kind     string            `json:"kind,omitempty"`
	Value    string            `json:"value,omitempty"`
	Sensor   string            `json:"sensor"`
	Name     string            `json:"name"`
	Org      string            `json:"org"`
	Day      string            `json:"day"`
	First    time.Time         `json:"first"`
	Last     time.Time         `json:"last"`
	Count    int64             `json:"count"`
	Input    string            `json:"input,omitempty"`
	Fields   map[string]string `json:"fields,omitempty"`
	Back     bool              `json:"back,omitempty"`
	Sighting string            `json:"sighting,omitempty"`
	Muted    string            `json:"muted,omitempty"` // why

	place string
}

// After is the place behind the detection in its list.
func (d *Detection) After() string { return d.place }

// DetectionFilter selects detections.
type DetectionFilter struct {
	Source string
	Sensor string // id or name
	Value  string
	Since  time.Time // told at this time or later
	Day    time.Time // met on the day (UTC) of this time; the zero time: on any
}

// Detections are the newest sums of what sensors met, those last whose count grew longest ago. A viewer has those whose source it may have.
func (r *Room) Detections(ctx context.Context, v gate.Viewer, f DetectionFilter, after string, limit int) (out []Detection, more bool, err error) {
	out = []Detection{}
	if ok := r.stored(&f); !ok {
		return out, false, nil
	}
	at, id := int64(1<<62), int64(1<<62)
	if after != "" {
		if _, err := fmt.Sscanf(after, "%d.%d", &at, &id); err != nil {
			return nil, false, fault.New(fault.Invalid, "next.invalid", "this next was not given to you for this query").At("next")
		}
	}
	on := int64(-1)
	if !f.Day.IsZero() {
		if on = day(f.Day); on < 0 { // nothing was met before 1970
			return out, false, nil
		}
	}
	names := map[string]string{}
	for _, s := range r.sensors.all() {
		names[s.ID] = s.Name
	}
	for ctx.Err() == nil { // however many rows there are that the viewer may not have, its pages are the same
		var page []sum
		err := r.told.read(func(c *zs.Conn) error {
			return lite.Exec(c, "SELECT "+sumColumns+` WHERE (at < ?1 OR at = ?1 AND sum.id < ?2) AND at >= ?3 AND (?4 = '' OR source = ?4) AND (?5 = '' OR sensor = ?5) AND (?6 = '' OR value = ?6) AND (?7 < 0 OR day = ?7)
				ORDER BY at DESC, sum.id DESC LIMIT ?8`, func(st *zs.Stmt) error {
				s, err := readSum(st)
				page = append(page, s)
				return err
			}, at, id, lite.PackTime(f.Since), f.Source, f.Sensor, f.Value, on, min(limit+1, 500))
		})
		if err != nil || len(page) == 0 {
			return out, false, err
		}
		may, err := r.mayHave(ctx, v, page)
		if err != nil {
			return nil, false, err
		}
		for i := range page {
			s := &page[i]
			if !may[s.source] {
				at, id = lite.PackTime(s.at), s.id
				continue
			}
			if len(out) == limit {
				return out, true, nil
			}
			at, id = lite.PackTime(s.at), s.id
			d := Detection{Source: s.source, Kind: s.kind, Value: s.value, Sensor: s.sensor, Name: names[s.sensor], Org: s.party.Org, Day: dayTime(s.day).Format(time.DateOnly), First: s.first, Last: s.last,
				Count: s.count, Input: s.input, Fields: s.fields, Back: s.back, Sighting: s.sighting, place: strconv.FormatInt(at, 10) + "." + strconv.FormatInt(id, 10)}
			if m, ok := r.mutes.find(s.source); ok {
				d.Muted = m.Why
			}
			out = append(out, d)
		}
	}
	return nil, false, ctx.Err()
}

// mayHave are the sources of a page that a viewer may have.
func (r *Room) mayHave(ctx context.Context, v gate.Viewer, page []sum) (map[string]bool, error) {
	var ids []string
	for i := range page {
		ids = append(ids, page[i].source)
	}
	return r.visible(ctx, v, ids)
}

// visible are those objects of a list that a viewer may have.
func (r *Room) visible(ctx context.Context, v gate.Viewer, ids []string) (map[string]bool, error) {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	out := map[string]bool{}
	for part := range slices.Chunk(ids, 200) {
		there, err := r.o.World.Visible(ctx, v, part)
		if err != nil {
			return nil, err
		}
		for i := range there {
			out[there[i].Record.ID] = true
		}
	}
	return out, nil
}

// LeftOut is something that sensors do not look for, and why. Without a value it is all of the source.
type LeftOut struct {
	Source string `json:"source"`
	Org    string `json:"org"` // of the sensors that do not look for it
	Code   string `json:"code"`
	Kind   string `json:"kind,omitempty"`
	Value  string `json:"value,omitempty"`
	Why    string `json:"why"`

	place string
}

// After is the place behind the entry in its list.
func (l *LeftOut) After() string { return l.place }

// Lefts lists what is not looked for, by source. A viewer has what it may have the source of.
func (r *Room) Lefts(ctx context.Context, v gate.Viewer, code, source, after string, limit int) (out []LeftOut, more bool, err error) {
	out = []LeftOut{}
	for ctx.Err() == nil { // however many rows there are that the viewer may not have, its pages are the same
		at := strings.SplitN(after+"\x00\x00\x00\x00", "\x00", 6)
		party, _ := strconv.ParseInt(at[1], 10, 64)
		var page []LeftOut
		err := r.looked.read(func(c *zs.Conn) error {
			return lite.Exec(c, `SELECT left.party, name, source, code, kind, value, why FROM left JOIN party ON party.id = left.party
				WHERE (source, left.party, code, kind, value) > (?1, ?2, ?3, ?4, ?5) AND (?6 = '' OR code = ?6) AND (?7 = '' OR source = ?7)
				ORDER BY source, left.party, code, kind, value LIMIT ?8`, func(st *zs.Stmt) error {
				p, _ := gate.ParseParty(st.ColumnText(1))
				l := LeftOut{Source: st.ColumnText(2), Org: p.Org, Code: st.ColumnText(3), Kind: st.ColumnText(4), Value: st.ColumnText(5), Why: short(st.ColumnText(6))}
				l.place = strings.Join([]string{l.Source, st.ColumnText(0), l.Code, l.Kind, l.Value}, "\x00")
				page = append(page, l)
				return nil
			}, at[0], party, at[2], at[3], at[4], code, source, min(limit+1, 500))
		})
		if err != nil || len(page) == 0 {
			return out, false, err
		}
		ids := make([]string, len(page))
		for i := range page {
			ids[i] = page[i].Source
		}
		may, err := r.visible(ctx, v, ids)
		if err != nil {
			return nil, false, err
		}
		for i := range page {
			if may[page[i].Source] {
				if len(out) == limit {
					return out, true, nil
				}
				out = append(out, page[i])
			}
			after = page[i].place
		}
	}
	return nil, false, ctx.Err()
}

// Table is how much the sensors of an organisation look for.
type Table struct {
	Nation  string         `json:"nation"`
	Org     string         `json:"org"`
	Sources int64          `json:"sources"`
	Rules   int64          `json:"rules"`
	Left    map[string]int `json:"left"` // values and sources, by code
	Cursor  sensor.Cursor  `json:"cursor"`
	Current bool           `json:"current"` // all that is in the store is in it
}

// Tables lists them.
func (r *Room) Tables(ctx context.Context) ([]Table, error) {
	newest, _ := r.o.World.Newest()
	out := []Table{}
	err := r.looked.read(func(c *zs.Conn) error {
		tables, err := tablesIn(c, "")
		if err != nil {
			return err
		}
		cursor, err := lite.Number(c, "SELECT value FROM meta WHERE name = ?", placeJournal)
		if err != nil {
			return err
		}
		sweep, err := lite.Number(c, "SELECT value FROM meta WHERE name = ?", placeSweep)
		if err != nil {
			return err
		}
		for i := range tables {
			t := &tables[i]
			v := Table{Nation: t.party.Nation, Org: t.party.Org, Sources: t.sources, Rules: t.ruled, Left: map[string]int{}, Cursor: t.cursor(), Current: cursor >= int64(newest) && sweep == 0}
			if err := lite.Exec(c, "SELECT code, n FROM leftsum WHERE party = ? AND n > 0", func(st *zs.Stmt) error {
				v.Left[st.ColumnText(0)] = int(st.ColumnInt64(1))
				return nil
			}, t.id); err != nil {
				return err
			}
			out = append(out, v)
		}
		return nil
	})
	return out, err
}

// canonical is a value as reports have it; what is none stays as it is.
func canonical(text string) string {
	if v, err := indicator.Of(text); err == nil {
		return v.Text()
	}
	return text
}
