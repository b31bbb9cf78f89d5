package starter

import (
	"bytes"
	"io/fs"
	"testing"

	"entente/stix"
)

// Every object keeps what STIX 2.1 demands and what it recommends.
func TestValidInEveryPoint(t *testing.T) {
	check := func(from fs.FS, name string) {
		raw, err := fs.ReadFile(from, name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = stix.Split(bytes.NewReader(raw), func(object []byte) error {
			o, err := stix.Parse(object)
			if err != nil {
				return err
			}
			for _, f := range stix.Validate(o, stix.Options{KnownTypes: true, KnownProperties: true}) {
				t.Errorf("%s: %s %s: %s %s", name, o.ID(), f.Pointer, f.Code, f.Message)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range glob(t, Files, "*.json") {
		check(Files, name)
	}
	for _, name := range []string{"salt-wind", "handover", "held"} {
		check(Day, "day/"+name+".json")
	}
}
