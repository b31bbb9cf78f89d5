package misp

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/label"
	"entente/stix"
)

// Decode reads one element of MISP, such as an Attribute, a Tag or a Cluster, as loosely as Parse reads events. Any error is an *Error.
func Decode(raw []byte, into any) error {
	d := reader{dec: jsontext.NewDecoder(strings.NewReader("")), limits: Limits{}.orDefaults()}
	if err := d.depth(raw); err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into, lenient); err != nil {
		return d.explain(err)
	}
	return nil
}

// Encode writes one element as Marshal writes it in an event.
func Encode(element any) ([]byte, error) { return text(element) }

// Downgraded is what an instance makes of a distribution that it receives from another: what was for the community there is for one organisation
// here, and what was for connected communities is for this one (MISP 2.5, Server.php).
func Downgraded(distribution string) string {
	switch distribution {
	case DistributionCommunity:
		return DistributionOrganisation
	case DistributionConnected:
		return DistributionCommunity
	}
	return distribution
}

// Downgrade downgrades every distribution of an event.
func (e *Event) Downgrade() {
	down := func(d *string) { *d = Downgraded(*d) }
	down(&e.Distribution)
	for i := range e.Attributes {
		down(&e.Attributes[i].Distribution)
	}
	for i := range e.Objects {
		down(&e.Objects[i].Distribution)
		for j := range e.Objects[i].Attributes {
			down(&e.Objects[i].Attributes[j].Distribution)
		}
	}
	for i := range e.Reports {
		down(&e.Reports[i].Distribution)
	}
}

// Withdrawn is the next and last version of an object that ToSTIX made: revoked, and carrying nothing. It is for elements that are something
// else in STIX after a change, and for events that are deleted.
func Withdrawn(o *stix.Object, at time.Time) ([]byte, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(o.Raw(), &members); err != nil {
		return nil, err
	}
	stamp, err := json.Marshal(at.UTC().Format(stixTime))
	if err != nil {
		return nil, err
	}
	members["modified"], members["revoked"] = stamp, jsontext.Value("true")
	if kind, _ := ours(o); kind != "" {
		how := "property-extension"
		if strings.HasPrefix(o.ID(), "x-") {
			how = "new-sdo"
		}
		var w writer
		w.extension(how, kindDerived, nil)
		members["extensions"] = jsontext.Value(strings.TrimPrefix(string(w.b), `,"extensions":`))
	}
	return json.Marshal(members, writing)
}

// KeepRefs lets the new version of an event's report name what an earlier version named, besides what it names itself; those that are in made are
// what the new version was made with, and were decided on.
func KeepRefs(raw []byte, earlier *stix.Object, made map[string]bool) ([]byte, error) {
	var members map[string]jsontext.Value
	var refs []string
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(members["object_refs"], &refs); err != nil {
		return nil, err
	}
	if len(refs) == 1 && refs[0] == authorID {
		refs = nil
	}
	known := map[string]bool{}
	for _, id := range refs {
		known[id] = true
	}
	for _, id := range refsOf(earlier, "object_refs") {
		if len(refs) < maxRefs && !known[id] && !made[id] && id != authorID {
			refs = append(refs, id)
		}
	}
	if len(refs) == 0 {
		refs = []string{authorID}
	}
	list, err := json.Marshal(refs, writing)
	if err != nil {
		return nil, err
	}
	members["object_refs"] = list
	return json.Marshal(members, writing)
}

// Loose is something of MISP that stands by itself and that STIX has no type for: a proposal, a note on somebody's data, a cluster. Kind becomes
// part of the type.
type Loose struct {
	Kind  string // "proposal", "note" …: a-z
	UUID  string
	At    time.Time // its version
	Of    string    // uuid of the event or element that it is about; may be empty
	Event string    // uuid of the event of that; may be empty
	Label label.Label
	TLP   bool // the label states a TLP
	Text  []byte
}

// AboutSource is the source_name of the external reference by which a Loose names what it is about.
const AboutSource = "misp-about"

// LooseType is the STIX type of a kind.
func LooseType(kind string) string { return "x-misp-" + kind }

// Item is the STIX object of it. ok is false where its uuid is none that STIX allows.
func (l *Loose) Item() (it Item, ok bool) {
	id := stixUUID(l.UUID)
	if id == "" {
		return it, false
	}
	it.ID, it.Label, it.Stated = LooseType(l.Kind)+"--"+id, l.Label, l.TLP
	var w writer
	w.begin(LooseType(l.Kind), it.ID)
	w.times(l.At.UTC(), l.At.UTC())
	if refs := [][2]string{{AboutSource, l.Of}, {EventSource, l.Event}}; l.Of != "" || l.Event != "" {
		w.key("external_references")
		w.b = append(w.b, '[')
		for _, r := range refs {
			if r[1] == "" {
				continue
			}
			if w.b[len(w.b)-1] != '[' {
				w.b = append(w.b, ',')
			}
			w.b = append(w.b, `{"source_name":"`+r[0]+`","external_id":`...)
			w.quote(strings.ToLower(r[1]))
			w.b = append(w.b, '}')
		}
		w.b = append(w.b, ']')
	}
	w.extension("new-sdo", l.Kind, l.Text)
	it.Raw = w.end()
	return it, true
}

// LooseText is the MISP JSON that the object of a Loose carries.
func LooseText(o *stix.Object) ([]byte, bool) {
	kind, text := ours(o)
	return text, text != nil && LooseType(kind) == o.Type()
}

// Time reads a timestamp of MISP: seconds since 1970, or a date and time.
func Time(s string) (time.Time, bool) {
	if t, ok := unixTime(s); ok {
		return t, true
	}
	if t, err := time.Parse(time.DateTime, s); err == nil && t.Unix() >= 0 {
		return t, true
	}
	return seenTime(s)
}

// Unix writes a time as MISP does.
func Unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// UUID is a uuid as ids of STIX have it, or empty where STIX does not allow it.
func UUID(s string) string { return stixUUID(cmp.Or(strings.TrimSpace(s), "-")) }

// Derived is the uuid of something that has none, made of what it is.
func Derived(parts ...string) string { return derived(parts...) }
