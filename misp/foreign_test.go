package misp

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"entente/internal/shareddata"
	"entente/stix"
)

// foreignSTIX calls f with the objects of each file of STIX 2.1 below a folder of the shared data.
func foreignSTIX(t testing.TB, f func(name string, objects []*stix.Object), elem ...string) {
	t.Helper()
	root := shareddata.Dir(t, append([]string{"stix"}, elem...)...)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(strings.TrimSuffix(path, ".gz"), ".json") && !strings.HasSuffix(path, ".stix2") {
			return err
		}
		raw := load(t, path)
		if !bytes.Contains(raw, []byte(`"type"`)) || bytes.Contains(raw, []byte(`"$schema"`)) {
			return nil
		}
		var objects []*stix.Object
		stix.Split(bytes.NewReader(raw), func(raw []byte) error {
			if o, err := stix.Parse(bytes.Clone(raw)); err == nil && o.Spec() == "2.1" {
				objects = append(objects, o)
			}
			return nil
		})
		if len(objects) > 0 {
			name, _ := filepath.Rel(root, path)
			f(name, objects)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkForeign takes STIX to MISP, through the bytes that MISP stores, and back, and tells whether the losses name everything that differs.
func checkForeign(t testing.TB, name string, objects []*stix.Object) (differing, lost int) {
	t.Helper()
	list, losses, err := FromSTIX(objects)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	named := map[string]bool{}
	for _, l := range losses {
		named[l.Pointer] = true
		if l.Code == LossObject {
			lost++
		}
	}
	returned := map[string]*stix.Object{}
	for _, e := range list {
		written, err := Marshal(e)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		stored, err := Parse(written)
		if err != nil || len(stored) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		items, _ := ToSTIX(stored[0], Options{})
		for _, o := range parseItems(t, items) {
			returned[o.ID()] = o
			for _, f := range stix.Validate(o, stix.Options{}) {
				if kind, _ := ours(o); f.Level == stix.LevelError && kind != "" {
					t.Errorf("%s: %s: %s\n%.400s", name, o.ID(), f, o.Raw())
				}
			}
		}
	}
	latest := map[string]*stix.Object{}
	for _, o := range objects {
		if old := latest[o.ID()]; old == nil || o.Order() > old.Order() {
			latest[o.ID()] = o
		}
	}
	for id, o := range latest {
		again := returned[id]
		if again == nil {
			if !named[id+"#"] && !isDefinition(id) {
				t.Errorf("%s: %s does not come back, and no loss says so", name, id)
			}
			continue
		}
		if again.Digest() == o.Digest() {
			continue
		}
		differing++
		for _, d := range Differences(id, o.Raw(), again.Raw()) {
			if !named[d.Pointer] && !named[id+"#"] {
				t.Errorf("%s: %s differs, and no loss says so", name, d.Pointer)
			}
		}
	}
	return differing, lost
}

func TestForeignSTIXReturnsOrIsNamed(t *testing.T) {
	for _, dir := range []string{"oasis-examples", "oasis-schema-examples", "spyware-iocs", "misp-stix-tests", "attack", "capec", "disarm", "unit42-playbooks", "elevator-2.1", "extensions"} {
		t.Run(dir, func(t *testing.T) {
			total, differing, lost := 0, 0, 0
			foreignSTIX(t, func(name string, objects []*stix.Object) {
				d, l := checkForeign(t, name, objects)
				total, differing, lost = total+len(objects), differing+d, lost+l
			}, dir)
			t.Logf("%d objects: %d come back changed, %d not at all", total, differing, lost)
		})
	}
}
