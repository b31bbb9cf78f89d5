package stix

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

// locate is the JSON pointer of the value that stands at an offset of text that was refused, as far as the text can be followed. A
// pointer that is too long to help is cut to the nearest value above.
func locate(src []byte, offset int64) string {
	d := jsontext.NewDecoder(bytes.NewReader(src))
	for d.InputOffset() < offset {
		if _, err := d.ReadToken(); err != nil {
			if se := new(jsontext.SyntacticError); errors.As(err, &se) {
				return cutPointer(se.JSONPointer)
			}
			break
		}
	}
	return cutPointer(d.StackPointer())
}

func cutPointer(p jsontext.Pointer) string {
	for len(p) > maxPointer {
		p = p.Parent()
	}
	return string(p)
}
