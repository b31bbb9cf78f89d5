package stix

import (
	"strings"
	"testing"
)

func TestRefusedTextIsLocated(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{"type":"x","confidence":1e999999}`, "/confidence"},
		{`{"type":"x","confidence":99999999999999999999,"a":1}`, "/confidence"},
		{`{"type":"x","a":{"b":[1,{"c":"` + "\xff" + `"}]}}`, "/a/b/1/c"},
		{`{"type":"x","a":[{},{"b":1,"b":2}]}`, "/a/1/b"},
		{`{"type":"x","a":tru}`, "/a"},
		{``, ""},
		{`{"` + strings.Repeat("n", 10_000) + `":1e999999}`, ""},
	} {
		_, err := Parse([]byte(c.text))
		e, ok := err.(*Error)
		if !ok {
			t.Errorf("%.80s: %v is no *Error", c.text, err)
			continue
		}
		if e.Pointer != c.want {
			t.Errorf("%.80s: the pointer is %q, want %q", c.text, e.Pointer, c.want)
		}
	}
}
