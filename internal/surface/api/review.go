package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
	"entente/misp"
	"entente/observable"
	"entente/stix"
)

// Bounds of a review.
const (
	reviewBytes  = 32 << 20 // of a file
	reviewText   = 4 << 20  // of a text, every word of which is looked at
	reviewTypes  = 200      // that are counted apart
	reviewsEach  = 2        // at once, of one account
	reviewsAll   = 8        // at once
	reviewItems  = 1000     // objects that are told one by one
	reviewLooked = 500      // values that are looked for
	reviewHere   = 10       // objects with one value that are counted
)

// Review is what a text or a file contains. Nothing of it is stored.
type Review struct {
	Kind    string         `json:"kind"` // stix, misp or text
	Objects int            `json:"objects"`
	Types   map[string]int `json:"types"`            // of the first 200 types
	Items   []ReviewItem   `json:"items"`            // the first 1,000 objects
	Found   []ReviewFound  `json:"found"`            // values in a text
	Cut     bool           `json:"cut"`              // there were more values
	Losses  []Loss         `json:"losses"`           // what a conversion cannot carry over
	Events  []ReviewEvent  `json:"events,omitempty"` // of MISP
}

// ReviewItem is one object of a file.
type ReviewItem struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Name     string    `json:"name,omitempty"`
	Version  string    `json:"version,omitempty"`
	State    string    `json:"state"`          // new, present, newer, older, or unusable
	Here     string    `json:"here,omitempty"` // the version that is here
	Findings []Finding `json:"findings"`
}

// Finding is a rule of STIX that an object breaks.
type Finding struct {
	Code    string `json:"code"`
	Level   string `json:"level"`             // error, warning or info
	Pointer string `json:"pointer"`           // where in the object (RFC 6901)
	Section string `json:"section,omitempty"` // of STIX 2.1
	Message string `json:"message"`
}

// ReviewFound is one value of a text.
type ReviewFound struct {
	observable.Found
	Means string `json:"means,omitempty"` // what the doubt is, in a sentence
	Here  int    `json:"here"`            // objects that hold it, up to 10; -1: it was not looked for
}

// ReviewEvent is one MISP event of a file.
type ReviewEvent struct {
	UUID       string      `json:"uuid"`
	Info       string      `json:"info"`
	Org        string      `json:"org,omitempty"`
	Attributes int         `json:"attributes"`
	Label      label.Label `json:"label"` // what its distribution and tags restrict
}

var reviewRoutes = []Route{
	{post, "/review", "What a text or a file contains: objects of STIX or MISP, or the values in a text, defanged or not. Nothing is stored.", gate.ObjectRead, nil,
		gives(Review{}).upload(bytesType), (*API).review},
}

func (a *API) review(c *call) error {
	leave, err := a.reviews.enter(who(c.v))
	if err != nil {
		return err
	}
	defer leave()
	raw, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, reviewBytes))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return fault.New(fault.TooLarge, "review.size", "a review takes at most %d bytes", reviewBytes).Try("import it without a review, or in parts")
	case err != nil:
		return fault.New(fault.Invalid, "body.read", "the body could not be read to its end").Because(err)
	}
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	r := Review{Types: map[string]int{}, Items: []ReviewItem{}, Found: []ReviewFound{}, Losses: []Loss{}}
	switch {
	case isEvent(raw):
		err = a.reviewMISP(c, &r, raw)
	case startsJSON(raw):
		err = a.reviewSTIX(c, &r, raw)
	default:
		err = a.reviewText(c, &r, raw)
	}
	if err != nil {
		return err
	}
	if err := a.compare(c, r.Items); err != nil {
		return err
	}
	return c.answer(r)
}

// startsJSON tells whether a file is a JSON object or list, or one that is compressed.
func startsJSON(raw []byte) bool {
	t := bytes.TrimLeft(raw, " \t\r\n")
	return len(t) > 0 && (t[0] == '{' || t[0] == '[' && bytes.IndexByte(t[:min(len(t), 200)], '{') > 0) || bytes.HasPrefix(raw, []byte{0x1f, 0x8b})
}

// isEvent tells whether a JSON file is of MISP: its first member, or that of its first element, is an event or an answer with events.
func isEvent(raw []byte) bool {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	for range 3 {
		t, err := d.ReadToken()
		if err != nil {
			return false
		}
		switch t.Kind() {
		case '{', '[':
		case '"':
			return t.String() == "Event" || t.String() == "response"
		default:
			return false
		}
	}
	return false
}

func (r *Review) object(raw []byte) {
	r.Objects++
	item := ReviewItem{State: "new", Findings: []Finding{}}
	o, err := stix.Parse(raw)
	if err != nil {
		item.State = "unusable"
		var se *stix.Error
		if errors.As(err, &se) {
			item.Findings = append(item.Findings, Finding{Code: se.Code, Level: stix.LevelError.String(), Pointer: se.Pointer, Section: se.Section, Message: se.Message})
		}
	} else {
		item.ID, item.Type, item.Version, item.Name = o.ID(), o.Type(), o.Version(), o.Name()
		found := stix.Validate(o, stix.Options{})
		for _, f := range found {
			item.Findings = append(item.Findings, Finding{Code: f.Code, Level: f.Level.String(), Pointer: f.Pointer, Section: f.Section, Message: f.Message})
		}
		if !stix.Valid(found, false) {
			item.State = "unusable"
		}
		if _, there := r.Types[item.Type]; there || len(r.Types) < reviewTypes {
			r.Types[item.Type]++
		}
	}
	if len(r.Items) < reviewItems {
		r.Items = append(r.Items, item)
	}
}

func (a *API) reviewSTIX(c *call, r *Review, raw []byte) error {
	r.Kind = "stix"
	sp := &spool{dir: a.ops.SpoolDir(), limit: 16 * reviewBytes} // a compressed file
	defer sp.close()
	_, losses, err := fill(sp, bytes.NewReader(raw))
	if err != nil {
		return err
	}
	r.Losses = append(r.Losses, losses...)
	for _, kind := range []byte{kindMarking, kindObject} {
		if err := sp.each(kind, func(raw []byte) error { r.object(raw); return c.ctx().Err() }); err != nil {
			return err
		}
	}
	return nil
}

func (a *API) reviewMISP(c *call, r *Review, raw []byte) error {
	r.Kind = "misp"
	events, err := parseEvents(raw)
	if err != nil {
		return err
	}
	policy := a.eventPolicy()
	for _, e := range events {
		if err := c.ctx().Err(); err != nil {
			return err
		}
		items, losses := misp.ToSTIX(e, misp.Options{Policy: policy})
		for _, l := range losses[:min(len(losses), maxOutcomes-len(r.Losses))] {
			r.Losses = append(r.Losses, Loss{ID: e.UUID, Code: l.Code, Pointer: l.Pointer, Message: l.Message})
		}
		for i := range items {
			r.object(items[i].Raw)
		}
		bound, _ := policy.LabelOf(e)
		v := ReviewEvent{UUID: e.UUID, Info: e.Info, Attributes: len(e.Attributes), Label: bound}
		if e.Orgc != nil {
			v.Org = e.Orgc.Name
		}
		for i := range e.Objects {
			v.Attributes += len(e.Objects[i].Attributes)
		}
		r.Events = append(r.Events, v)
	}
	return nil
}

// parseEvents reads the MISP events of a file.
func parseEvents(raw []byte) ([]*misp.Event, error) {
	events, err := misp.Parse(raw)
	if err != nil {
		return nil, fault.New(fault.Invalid, "misp.event", "%v", err)
	}
	return events, nil
}

// eventPolicy says whom the distributions of a MISP event reach that somebody brings as a file: what is for all communities may go on, anything
// less stays with the node's organisation.
func (a *API) eventPolicy() misp.Policy {
	p := misp.Policy{Origin: label.Org(a.us.Nation, a.us.Org)}
	p.Reach[3] = label.All()
	return p
}

func (a *API) reviewText(c *call, r *Review, raw []byte) error {
	if len(raw) > reviewText {
		return fault.New(fault.TooLarge, "review.size", "a review takes at most %d bytes of text", reviewText).Try("review it in parts")
	}
	if !utf8.Valid(raw) {
		return fault.New(fault.Invalid, "review.form", "this is neither text in UTF-8 nor a file of STIX or MISP").Try("store it as a blob")
	}
	r.Kind = "text"
	found, cut := observable.Find(string(raw))
	r.Cut = cut
	doubts := observable.Doubts()
	for i, f := range found {
		v := ReviewFound{Found: f, Means: doubts[f.Doubt], Here: -1}
		if i < reviewLooked {
			q := store.Query{Limit: reviewHere, Headers: true}
			switch f.Kind {
			case "vulnerability", "attack-pattern":
				source := map[string]string{"vulnerability": "cve", "attack-pattern": "mitre-attack"}[f.Kind]
				q.Lookups = []record.Lookup{{Kind: record.External, Text: source + ":" + f.Value}}
			default:
				q.Lookups = []record.Lookup{{Kind: record.Value, Text: f.Value}}
			}
			page, err := a.x.Read(c.ctx(), c.v, q)
			if err != nil {
				return err
			}
			v.Here = len(page.Items)
		}
		r.Found = append(r.Found, v)
	}
	return nil
}

// compare says of objects whether they are here.
func (a *API) compare(c *call, items []ReviewItem) error {
	const at = 200
	for start := 0; start < len(items); start += at {
		part := items[start:min(start+at, len(items))]
		q := store.Query{Limit: at, Headers: true}
		for i := range part {
			if part[i].ID != "" {
				q.IDs = append(q.IDs, part[i].ID)
			}
		}
		if len(q.IDs) == 0 {
			continue
		}
		here := map[string]*record.Record{}
		for {
			page, err := a.x.Read(c.ctx(), c.v, q)
			if err != nil {
				return err
			}
			for i := range page.Items {
				here[page.Items[i].Record.ID] = &page.Items[i].Record
			}
			if !page.More {
				break
			}
			q.After = page.Next
		}
		for i := range part {
			known := here[part[i].ID]
			if known == nil || part[i].State == "unusable" {
				continue
			}
			order, err := stix.Order(part[i].Version)
			part[i].Here = known.Version
			switch {
			case part[i].Version == "" || err == nil && order == known.Order:
				part[i].State = "present"
			case err == nil && order < known.Order:
				part[i].State = "older"
			default:
				part[i].State = "newer"
			}
		}
	}
	return nil
}
