package misp

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"entente/stix"
)

var (
	anyText  = rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a|b", "192.0.2.1", "192.0.2.0/24|443", "2001:db8::1", "example.org", "it's \\ \"quoted\"", "x'] OR [a:b = 'c", "d41d8cd98f00b204e9800998ecf8427e", "CVE-2024-3094", "AS64500", "eicar.com|44d88612fea8a8f36de82e1278abb02f", "[file:name = 'a']", "02-00-5E-10-00-00", "\u2028", "\x00"}))
	anyUUID  = rapid.OneOf(rapid.Just(""), rapid.SampledFrom([]string{orgA, orgB, "nonsense", strings.ToUpper(orgC), "00000000-0000-0000-0000-000000000000"}), rapid.Map(rapid.IntRange(0, 40), func(n int) string { return fmt.Sprintf("5e7d6a5e-1111-4000-8000-%012d", n) }))
	anyTime  = rapid.SampledFrom([]string{"", "0", "1767225600", "1600000000", "-5", "99999999999999", "soon"})
	anySeen  = rapid.SampledFrom([]string{"", "2026-01-01T00:00:00+00:00", "2026-03-01T12:00:00.123456+02:00", "2025-01-01", "never"})
	anyFlag  = rapid.SampledFrom([]Flag{Unset, False, True})
	anyTags  = rapid.SliceOfN(rapid.Map(rapid.SampledFrom([]string{"tlp:amber", "tlp:red", "TLP:WHITE", "PAP:RED", "tlp:nonsense", "free tag", `osint:source-type="blog-post"`, `admiralty-scale:information-credibility="2"`, ""}), func(s string) Tag { return Tag{Name: s, Colour: "#ffffff"} }), 0, 3)
	anyGroup = rapid.Custom(func(t *rapid.T) List[Galaxy] {
		if !rapid.Bool().Draw(t, "galaxies") {
			return nil
		}
		return List[Galaxy]{{Type: rapid.SampledFrom([]string{"threat-actor", "mitre-attack-pattern", "country", "sector", "guidelines", "stix-2.1-malware"}).Draw(t, "galaxy"), Name: "g",
			Clusters: List[Cluster]{{UUID: anyUUID.Draw(t, "cluster"), Value: anyText.Draw(t, "value"), Description: anyText.Draw(t, "description"), Version: "1",
				Meta: []byte(rapid.SampledFrom([]string{`{}`, `{"synonyms":["a","b","a"],"external_id":"T1000"}`, `{"synonyms":"one","ISO":"LU"}`, `[]`}).Draw(t, "meta"))}}}}
	})
)

func attributes(typ *rapid.Generator[string]) *rapid.Generator[Attribute] {
	return rapid.Custom(func(t *rapid.T) Attribute {
		a := Attribute{Type: typ.Draw(t, "type"), Value: anyText.Draw(t, "value"), UUID: anyUUID.Draw(t, "uuid"), ToIDs: anyFlag.Draw(t, "to_ids"), Deleted: anyFlag.Draw(t, "deleted"),
			Timestamp: anyTime.Draw(t, "timestamp"), FirstSeen: anySeen.Draw(t, "first"), LastSeen: anySeen.Draw(t, "last"), Comment: anyText.Draw(t, "comment"),
			Distribution: distributions.Draw(t, "distribution"), SharingGroup: groups.Draw(t, "group"), Tags: anyTags.Draw(t, "tags"), Galaxies: anyGroup.Draw(t, "galaxy")}
		if known, ok := TypeByName(a.Type); ok {
			a.Category = known.Category
		}
		if rapid.IntRange(0, 4).Draw(t, "seen") == 0 {
			a.Sightings = List[Sighting]{{UUID: anyUUID.Draw(t, "sighting"), Type: rapid.SampledFrom([]string{"", "0", "1", "2", "9"}).Draw(t, "kind"), Date: anyTime.Draw(t, "when"), Source: anyText.Draw(t, "source"), Organisation: &Org{Name: "O", UUID: orgB}}}
		}
		return a
	})
}

var anyEvent = rapid.Custom(func(t *rapid.T) *Event {
	types := rapid.SampledFrom(append(Types(), "unheard-of", ""))
	e := &Event{UUID: anyUUID.Draw(t, "uuid"), Info: anyText.Draw(t, "info"), Date: anySeen.Draw(t, "date"), Timestamp: anyTime.Draw(t, "timestamp"), Published: anyFlag.Draw(t, "published"),
		PublishTimestamp: anyTime.Draw(t, "published at"), ThreatLevel: rapid.SampledFrom([]string{"", "1", "4", "9"}).Draw(t, "level"), Distribution: distributions.Draw(t, "distribution"),
		SharingGroup: groups.Draw(t, "group"), Tags: anyTags.Draw(t, "tags"), Galaxies: anyGroup.Draw(t, "galaxy"), Attributes: rapid.SliceOfN(attributes(types), 0, 6).Draw(t, "attributes")}
	if rapid.Bool().Draw(t, "orgc") {
		e.Orgc = &Org{UUID: anyUUID.Draw(t, "org"), Name: anyText.Draw(t, "name")}
	}
	var names []string
	for name := range mappings().objects {
		names = append(names, name)
	}
	for name := range mappings().domains {
		names = append(names, name)
	}
	names = append(sorted(names), "yara", "sigma", "stix2-pattern", stixObject, "unheard-of", "")
	e.Objects = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Object {
		o := Object{Name: rapid.SampledFrom(names).Draw(t, "name"), UUID: anyUUID.Draw(t, "uuid"), MetaCategory: "file", Timestamp: anyTime.Draw(t, "timestamp"), Comment: anyText.Draw(t, "comment"), Deleted: anyFlag.Draw(t, "deleted")}
		o.Attributes = rapid.SliceOfN(attributes(types), 0, 5).Draw(t, "attributes")
		relations := []string{"raw", "text", "name", "unheard-of"}
		if o.Name == stixObject {
			o.Attributes = append(o.Attributes, Attribute{Type: "text", ObjectRelation: "raw", Value: rapid.SampledFrom(heldObjects).Draw(t, "held")})
			relations = relations[1:]
		}
		if om := mappings().objects[o.Name]; om != nil {
			for r := range om.relations {
				relations = append(relations, r)
			}
		}
		if d := mappings().domains[o.Name]; d != nil {
			relations = append(relations, d.order...)
		}
		relations = sorted(relations)
		for i := range o.Attributes {
			if o.Attributes[i].ObjectRelation == "raw" {
				continue
			}
			o.Attributes[i].ObjectRelation = rapid.SampledFrom(relations).Draw(t, "relation")
		}
		o.References = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) ObjectReference {
			return ObjectReference{UUID: anyUUID.Draw(t, "uuid"), ReferencedUUID: anyUUID.Draw(t, "to"), RelationshipType: rapid.SampledFrom([]string{"", "Contains a", "-"}).Draw(t, "relationship")}
		}), 0, 2).Draw(t, "references")
		return o
	}), 0, 4).Draw(t, "objects")
	e.Reports = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) EventReport {
		return EventReport{UUID: anyUUID.Draw(t, "uuid"), Name: anyText.Draw(t, "name"), Content: anyText.Draw(t, "content"), Timestamp: anyTime.Draw(t, "timestamp"), Tags: anyTags.Draw(t, "tags")}
	}), 0, 2).Draw(t, "reports")
	return e
})

// heldObjects is STIX objects that a MISP object may hold, some of them with ids that stand for something else.
var heldObjects = []string{
	`{"type":"incident","spec_version":"2.1","id":"incident--` + orgA + `","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"i"}`,
	`{"type":"ipv4-addr","id":"ipv4-addr--7e8fb6e6-9d5c-5b3c-9fc8-000000000000","value":"192.0.2.1"}`,
	`{"type":"domain-name","id":"domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7","value":"example.org"}`,
	`{"type":"identity","spec_version":"2.1","id":"` + authorID + `","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"forged"}`,
	`{"type":"marking-definition","spec_version":"2.1","id":"marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1","created":"2026-01-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"forged"}}`,
	`{"type":"grouping","spec_version":"2.1","id":"grouping--` + orgA + `","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","context":"x","object_refs":["identity--` + orgA + `"]}`,
	`{"type":"indicator"}`,
}

func sorted(s []string) []string {
	// the generators must draw from the same list every time
	out := slices.Clone(s)
	slices.Sort(out)
	return out
}

// failer is what tests and properties have in common.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// checkEvent holds an event against what is promised of every one: the STIX is valid, and the event comes back.
func checkEvent(t failer, e *Event, o Options) {
	t.Helper()
	items, losses := ToSTIX(e, o)
	again, _ := ToSTIX(e, o)
	known := map[string]bool{}
	for i, item := range items {
		if !bytes.Equal(item.Raw, again[i].Raw) {
			t.Fatalf("%s is written in two ways", item.ID)
		}
		parsed, err := stix.Parse(item.Raw)
		if err != nil {
			t.Fatalf("%s: %v\n%s", item.ID, err, item.Raw)
		}
		if known[item.ID] || parsed.ID() != item.ID {
			t.Fatalf("%s stands there twice, or under another name", item.ID)
		}
		known[item.ID] = true
		for _, f := range stix.Validate(parsed, stix.Options{}) {
			if f.Level == stix.LevelError {
				t.Fatalf("%s: %s\n%s", item.ID, f, item.Raw)
			}
		}
	}
	for _, l := range losses {
		if l.Code == LossLarge {
			return
		}
	}
	list, more, err := FromSTIX(parseItems(t, items))
	if err != nil || len(list) != 1 {
		t.Fatalf("%d events came back: %v; %v", len(list), err, more)
	}
	before, err := Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Marshal(list[0])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Fatalf("the event differs: %s\nlosses %v", firstDifference(before, after), more)
	}
}

// Any event, with whatever nonsense in it, gives valid STIX and comes back as it was.
func TestGeneratedEventsReturn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := anyEvent.Draw(t, "event")
		// what JSON cannot say is not in an event that was read
		written, err := Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		list, err := Parse(written)
		if err != nil || len(list) != 1 {
			t.Fatalf("what was written is not read: %v", err)
		}
		checkEvent(t, list[0], Options{Observables: rapid.Bool().Draw(t, "observables"), Policy: samplePolicy()})
	})
}

func TestChangedSTIXWins(t *testing.T) {
	e := &Event{UUID: orgA, Info: "e", Date: "2026-01-01", Timestamp: "1767225600", Tags: List[Tag]{{Name: "tlp:amber"}},
		Attributes: List[Attribute]{{UUID: orgB, Type: "domain", Value: "evil.example", ToIDs: True, Timestamp: "1767225600"}, {UUID: orgC, Type: "url", Value: "http://a.example/", ToIDs: True, Timestamp: "1767225600"}}}
	items, _ := ToSTIX(e, Options{})
	for i := range items {
		if items[i].ID == "indicator--"+orgB {
			items[i].Raw = bytes.Replace(items[i].Raw, []byte(`domain-name:value = 'evil.example'`), []byte(`domain-name:value = 'worse.example'`), 1)
		}
		if items[i].ID == "indicator--"+orgC {
			items[i].Raw = bytes.Replace(items[i].Raw, []byte("marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"), []byte("marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"), 1)
		}
	}
	list, losses, err := FromSTIX(parseItems(t, items))
	if err != nil || len(list) != 1 || len(list[0].Attributes) != 2 {
		t.Fatalf("%+v: %v", list, err)
	}
	changed := 0
	for _, l := range losses {
		if l.Code == LossChanged {
			changed++
		}
	}
	if changed != 2 {
		t.Errorf("losses %v", losses)
	}
	if a := list[0].Attributes[0]; a.Value != "worse.example" || a.Type != "domain" || a.UUID != orgB {
		t.Errorf("%+v", a)
	}
	p := samplePolicy()
	outer, stated := p.LabelOf(list[0])
	a := list[0].Attributes[1]
	if l, _ := p.Within(outer, stated, nil, a.Distribution, nil, a.Tags); l.TLP.String() != "TLP:RED" {
		t.Errorf("what was marked RED came back as %s", l.TLP)
	}
}

// An event of which only a part was handed over says so.
func TestMissingPartsAreNamed(t *testing.T) {
	e := &Event{UUID: orgA, Info: "e", Date: "2026-01-01", Timestamp: "1767225600",
		Attributes: List[Attribute]{{UUID: orgB, Type: "domain", Value: "a.example", ToIDs: True}, {UUID: orgC, Type: "domain", Value: "b.example", ToIDs: True}}}
	items, _ := ToSTIX(e, Options{})
	items = slices.DeleteFunc(items, func(i Item) bool { return i.ID == "indicator--"+orgB })
	list, losses, err := FromSTIX(parseItems(t, items))
	if err != nil || len(list) != 1 || len(list[0].Attributes) != 1 || list[0].Attributes[0].UUID != orgC {
		t.Fatalf("%+v: %v", list, err)
	}
	if !slices.ContainsFunc(losses, func(l Loss) bool { return l.Code == LossRef }) {
		t.Errorf("losses %v", losses)
	}
}

// Whatever an object claims to carry, taking it back ends in an answer.
func FuzzFromSTIX(f *testing.F) {
	f.Add(`{"Event":{}}`, `{"uuid":"x","type":"domain","value":"a"}`, "attribute", "[domain-name:value = 'a']")
	f.Add(`{"info":"a","Tag":[{"name":"tlp:red"}]}`, `{"name":"file","Attribute":[]}`, "object", "[a:b = 1 AND a:b = 2]")
	f.Fuzz(func(t *testing.T, event, element, kind, source string) {
		ext := func(kind, text string) string {
			v, _ := json.Marshal(map[string]any{extensionID: map[string]string{"extension_type": "property-extension", "kind": kind, "text": text}})
			return string(v)
		}
		quoted, _ := json.Marshal(source)
		var objects []*stix.Object
		for _, raw := range []string{
			`{"type":"report","spec_version":"2.1","id":"report--` + orgA + `","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","name":"r","published":"2026-01-01T00:00:00Z","object_refs":["indicator--` + orgB + `"],"extensions":` + ext(kindEvent, event) + `}`,
			`{"type":"indicator","spec_version":"2.1","id":"indicator--` + orgB + `","created":"2026-01-01T00:00:00.000Z","modified":"2026-01-01T00:00:00.000Z","valid_from":"2026-01-01T00:00:00Z","pattern_type":"stix","pattern":` + string(quoted) + `,"extensions":` + ext(kind, element) + `}`,
		} {
			if o, err := stix.Parse([]byte(raw)); err == nil {
				objects = append(objects, o)
			}
		}
		if len(objects) == 0 {
			return
		}
		list, _, err := FromSTIX(objects)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if _, err := Marshal(e); err != nil {
				t.Fatalf("what came back is not written: %v", err)
			}
		}
	})
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"Event":{"info":"a","Attribute":[{"type":"md5","value":"x"}]}}`))
	f.Add([]byte(`{"response":[{"Event":{"info":7,"Tag":{"1":{"name":"a"}},"Object":[{"name":"file","Attribute":{"0":{"type":"md5","value":1}}}]}}]}`))
	f.Add([]byte(`{"response":{"Attribute":[{"type":"md5","value":"x","Galaxy":[]}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := ParseLimits(raw, Limits{Attributes: 100, Events: 10})
		if err != nil {
			return
		}
		for _, e := range list {
			written, err := Marshal(e)
			if err != nil {
				t.Fatalf("what was read is not written: %v", err)
			}
			again, err := Parse(written)
			if err != nil && e.Raw() != nil {
				t.Fatalf("what was written is not read: %v\n%s", err, written)
			}
			if len(again) == 1 {
				if rewritten, _ := Marshal(again[0]); !bytes.Equal(written, rewritten) {
					t.Fatalf("written in two ways: %s", firstDifference(written, rewritten))
				}
			}
		}
	})
}

func FuzzToSTIX(f *testing.F) {
	f.Add("domain", "evil.example", "2026-01-01", true, []byte(`{"name":"file","Attribute":[{"object_relation":"md5","type":"md5","value":"d41d8cd98f00b204e9800998ecf8427e","to_ids":true}]}`))
	f.Add("ip-dst|port", "192.0.2.1|443", "", false, []byte(`{"name":"email","Attribute":[{"object_relation":"to","type":"email-dst","value":"a@b.example"}]}`))
	f.Fuzz(func(t *testing.T, typ, value, seen string, toIDs bool, object []byte) {
		raw := append([]byte(`{"Event":{"info":"a","Object":[`), object...)
		list, err := ParseLimits(append(raw, `]}}`...), Limits{Attributes: 50})
		if err != nil || len(list) != 1 {
			list = []*Event{{Info: "a"}}
		}
		e := list[0]
		e.Attributes = append(e.Attributes, Attribute{Type: strings.ToValidUTF8(typ, ""), Value: strings.ToValidUTF8(value, ""), FirstSeen: strings.ToValidUTF8(seen, ""), ToIDs: FlagOf(toIDs), UUID: orgB})
		checkEvent(t, e, Options{Observables: toIDs})
	})
}
