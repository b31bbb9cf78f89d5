package pattern

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// MaxData bounds the bytes that Observations reads.
const MaxData = 64 << 20

// maxObserved is the greatest number_observed (section 4.14).
const maxObserved = 999_999_999

// Observation is one observed-data object with the objects that it refers to: Count observations of them, each at an unknown
// moment between First and Last.
type Observation struct {
	ID          string
	First, Last time.Time
	Count       int64
	objects     []map[string]any
	byID        map[string]map[string]any
}

// NewObservation makes an observation of objects that are at hand as JSON values (maps, slices, strings, float64 and booleans), by
// the id with which they refer to each other.
func NewObservation(id string, first, last time.Time, count int64, objects map[string]map[string]any) Observation {
	o := Observation{ID: id, First: first, Last: last, Count: count, byID: make(map[string]map[string]any, len(objects))}
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		o.add(key, objects[key])
	}
	return o
}

// DataError is observed data that cannot be read.
type DataError struct {
	Message string
	Pointer string // RFC 6901, into the input
	Section string // of STIX 2.1
	Err     error  // of the JSON decoder
}

func (e *DataError) Error() string {
	s := e.Message
	if e.Pointer != "" {
		s = e.Pointer + ": " + s
	}
	if e.Section != "" {
		s += " (STIX 2.1, section " + e.Section + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *DataError) Unwrap() error { return e.Err }

// Observations reads the observed-data objects of a bundle, a TAXII envelope, one bare observed-data, or an array of any of them,
// in their order. Of several versions of one object the latest counts. Objects in object_refs are looked for in the same bundle,
// or the same array; those that are missing are simply not observed.
func Observations(raw []byte) ([]Observation, error) {
	if len(raw) > MaxData {
		return nil, &DataError{Message: "more than " + strconv.Itoa(MaxData) + " bytes of observed data"}
	}
	var doc any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, &DataError{Message: "not I-JSON", Section: "2", Err: err}
	}
	r := reader{seen: map[string]int{}}
	switch doc := doc.(type) {
	case map[string]any:
		if err := r.container(doc, ""); err != nil {
			return nil, err
		}
	case []any:
		if err := r.pool(doc, ""); err != nil {
			return nil, err
		}
	default:
		return nil, &DataError{Message: "a bundle, an observed-data object or an array of them must stand here", Section: "8"}
	}
	return r.out, nil
}

type reader struct {
	out  []Observation
	seen map[string]int // observed-data id → place in out
	when []instant      // modified, by place in out
}

// container reads one object that may hold others.
func (r *reader) container(m map[string]any, at string) error {
	if m["type"] == "observed-data" {
		return r.observed(m, nil, at)
	}
	list, ok := m["objects"].([]any)
	if !ok {
		if _, typed := m["type"].(string); typed && m["type"] != "bundle" || m["type"] == "bundle" && m["objects"] == nil {
			return nil
		}
		return &DataError{Message: "neither a bundle nor an observed-data object", Pointer: at, Section: "8"}
	}
	return r.pool(list, at+"/objects")
}

// pool reads objects that may refer to each other, and bundles that stand among them.
func (r *reader) pool(list []any, at string) error {
	byID := make(map[string]map[string]any, len(list))
	for _, item := range list {
		m, ok := item.(map[string]any)
		if id, named := m["id"].(string); ok && named && byID[id] == nil {
			byID[id] = m
		}
	}
	for i, item := range list {
		at := at + "/" + strconv.Itoa(i)
		m, ok := item.(map[string]any)
		if !ok {
			return &DataError{Message: "an object must stand here", Pointer: at, Section: "8.1"}
		}
		var err error
		if m["type"] == "observed-data" {
			err = r.observed(m, byID, at)
		} else if m["type"] == "bundle" {
			err = r.container(m, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) observed(m map[string]any, pool map[string]map[string]any, at string) error {
	bad := func(name, format string, args ...any) error {
		return &DataError{Message: fmt.Sprintf(format, args...), Pointer: at + "/" + name, Section: "4.14"}
	}
	o := Observation{byID: map[string]map[string]any{}}
	o.ID, _ = m["id"].(string)
	for _, f := range []struct {
		name string
		into *time.Time
	}{{"first_observed", &o.First}, {"last_observed", &o.Last}} {
		text, _ := m[f.name].(string)
		t, ok := parseInstant(text)
		if !ok || !t.exists() {
			return bad(f.name, "a timestamp must stand here")
		}
		*f.into = t.time()
	}
	if o.Last.Before(o.First) {
		return bad("last_observed", "earlier than first_observed")
	}
	count, ok := m["number_observed"].(float64)
	if !ok || count < 1 || count > maxObserved || count != math.Trunc(count) {
		return bad("number_observed", "an integer from 1 to %d must stand here", maxObserved)
	}
	o.Count = int64(count)
	if objects, ok := m["objects"]; ok {
		dict, ok := objects.(map[string]any)
		if !ok {
			return bad("objects", "a dictionary of objects must stand here")
		}
		for _, key := range slices.Sorted(maps.Keys(dict)) {
			object, ok := dict[key].(map[string]any)
			if !ok {
				return bad("objects/"+key, "an object must stand here")
			}
			o.add(key, object)
		}
	}
	refs, ok := m["object_refs"].([]any)
	if !ok && m["object_refs"] != nil {
		return bad("object_refs", "a list of identifiers must stand here")
	}
	for i, ref := range refs {
		id, ok := ref.(string)
		if !ok {
			return bad("object_refs/"+strconv.Itoa(i), "an identifier must stand here")
		}
		if object := pool[id]; object != nil {
			o.add(id, object)
		}
	}
	r.add(o, m)
	return nil
}

// add keeps one version of each observed-data.
func (r *reader) add(o Observation, m map[string]any) {
	text, _ := m["modified"].(string)
	modified, _ := parseInstant(text)
	if at, ok := r.seen[o.ID]; ok && o.ID != "" {
		if modified.compare(r.when[at]) >= 0 {
			r.out[at], r.when[at] = o, modified
		}
		return
	}
	r.seen[o.ID] = len(r.out)
	r.out, r.when = append(r.out, o), append(r.when, modified)
}

func (o *Observation) add(id string, object map[string]any) {
	if o.byID[id] != nil {
		return
	}
	o.byID[id] = object
	o.objects = append(o.objects, object)
}
