package stix

import (
	"bytes"
	"testing"
)

// The Unit 42 playbooks are STIX 2.0; what comes out of Upgrade keeps every MUST of 2.1.
func TestUpgradeUnit42(t *testing.T) {
	codes := map[string]int{}
	shown := map[string]int{}
	objects, results := 0, 0
	corpus(t, func(name string, raw []byte) {
		info, err := Split(bytes.NewReader(raw), func(obj []byte) error {
			objects++
			out, losses, err := Upgrade(obj)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, l := range losses {
				codes[l.Code]++
			}
			results += len(out)
			for _, raw := range out {
				o, err := Parse(raw)
				if err != nil {
					t.Fatalf("%s: %v: %s", name, err, raw)
				}
				if o.Spec() != "2.1" {
					t.Fatalf("%s: spec_version %s", name, o.Spec())
				}
				for _, f := range Validate(o, Options{}) {
					if f.Level == LevelError {
						if shown[f.Code]++; shown[f.Code] < 4 {
							t.Errorf("%s: %s: %v", name, o.ID(), f)
						}
					}
				}
			}
			return nil
		})
		if err != nil || info.SpecVersion != "2.0" {
			t.Errorf("%s: %+v %v", name, info, err)
		}
	}, "unit42-playbooks")
	t.Logf("%d objects, %d after, losses %v", objects, results, codes)
}

func TestUpgradeObservedData(t *testing.T) {
	src := `{"type":"observed-data","id":"observed-data--b67d30ff-02ac-498a-92f9-32f845f448cf","created":"2016-04-06T19:58:16Z",
		"modified":"2016-04-06T19:58:16.12Z","first_observed":"2015-12-21T19:00:00Z","last_observed":"2015-12-21T19:00:00Z","number_observed":5,
		"object_marking_refs":["marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"],
		"granular_markings":[
			{"marking_ref":"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed","selectors":["objects.0.value","objects.2.created"]},
			{"marking_ref":"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82","selectors":["objects.1","number_observed"]}],
		"objects":{
			"0":{"type":"ipv4-addr","value":"198.51.100.3"},
			"1":{"type":"network-traffic","dst_ref":"0","protocols":["tcp"],"src_ref":"0"},
			"2":{"type":"file","name":"a.zip","created":"2016-12-21T19:00:00Z","is_encrypted":true,"contains_refs":["3"],
				"extensions":{"archive-ext":{"contains_refs":["3"],"version":"5"}}},
			"3":{"type":"file","name":"b","hashes":{"MD5":"B365B9A80A06906FC9B400C06C33FF43"},"parent_directory_ref":"9"},
			"4":{"type":"process","pid":1,"name":"x","binary_ref":"3"}}}`
	out, losses, err := Upgrade([]byte(src))
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 6 {
		t.Fatalf("%d objects", len(out))
	}
	want := map[string]string{
		"ipv4-addr":       "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4",
		"network-traffic": "",
	}
	again, _, _ := Upgrade([]byte(src))
	for i, raw := range out {
		if !bytes.Equal(raw, again[i]) {
			t.Errorf("not repeatable: %s", raw)
		}
		o, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if id := want[o.Type()]; id != "" && o.ID() != id {
			t.Errorf("id %s, want %s", o.ID(), id)
		}
		for _, f := range Validate(o, Options{}) {
			if f.Level == LevelError {
				t.Errorf("%s: %v", o.ID(), f)
			}
		}
		switch o.Type() {
		case "ipv4-addr":
			if g := o.Granular(); len(g) != 1 || g[0].Selectors[0] != "value" {
				t.Errorf("granular %v", g)
			}
		case "network-traffic":
			if refs := o.MarkingRefs(); len(refs) != 2 {
				t.Errorf("markings %v", refs)
			}
			if o.Text("/dst_ref") != want["ipv4-addr"] {
				t.Errorf("dst_ref %s", o.Text("/dst_ref"))
			}
		case "observed-data":
			if o.Modified() != "2016-04-06T19:58:16.120Z" || o.Created() != "2016-04-06T19:58:16.000Z" {
				t.Errorf("times %s %s", o.Created(), o.Modified())
			}
			if refs := o.Refs(); len(refs) != 1+5+3 {
				t.Errorf("refs %v", refs)
			}
		}
	}
	for _, code := range []string{"upgrade.precision", "upgrade.objects", "upgrade.renamed", "upgrade.kept", "upgrade.reference", "upgrade.marking"} {
		found := false
		for _, l := range losses {
			found = found || l.Code == code
		}
		if !found {
			t.Errorf("no loss %s in %v", code, losses)
		}
	}
}
