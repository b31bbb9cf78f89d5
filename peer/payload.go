package peer

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"entente/dsse"
)

// MaxDepth is how deep objects and lists of a payload and of the object in a rendition may nest.
const MaxDepth = 32

// Types of payloads. Sign and Open add the realm, so that nothing signed for an exercise is ever taken for the real thing.
const (
	RenditionType = "application/vnd.entente.rendition+json;v=1"
	OrderType     = "application/vnd.entente.order+json;v=1"
	ReceiptType   = "application/vnd.entente.receipt+json;v=1"
)

// Keys finds a key by its id, if it is known and in force; else it gives nil.
type Keys func(id string) *dsse.Key

// Opener opens envelopes of one realm. It remembers the roots of batches that held and the heads of renditions it has read, so that the next of their kind cost
// little. It is for one goroutine at a time.
type Opener struct {
	Realm  string
	Keys   Keys
	Limits Limits

	verifier dsse.Verifier
	heads    map[string]Rendition // what stood before the object, with its bytes
	types    map[string]string
	decoder  jsontext.Decoder
	again    []byte // a payload that is written again, to compare
}

// open verifies an envelope and gives its payload and who signed it. Nothing of the payload was looked at before its signature held.
func (o *Opener) open(envelope []byte, payloadType string) (payload []byte, signers []*dsse.Key, err error) {
	if limit := o.Limits.Values().Envelope; len(envelope) > limit {
		return nil, nil, refuse(CodeSize, "an envelope has %d bytes, more than %d", len(envelope), limit)
	}
	e, err := dsse.Parse(envelope)
	if err != nil {
		return nil, nil, refuse(CodeSignature, "%v", err)
	}
	full := o.types[payloadType]
	if full == "" {
		if o.types == nil {
			o.types = map[string]string{}
		}
		full = dsse.InRealm(payloadType, o.Realm)
		o.types[payloadType] = full
	}
	if signers, err = o.verifier.Verify(&e, full, o.Keys); err != nil {
		return nil, nil, refuse(CodeSignature, "%v", err)
	}
	if !shallow(e.Payload, MaxDepth+1) {
		return nil, nil, refuse(CodeRendition, "the payload is nested deeper than %d", MaxDepth)
	}
	return e.Payload, signers, nil
}

// shallow tells whether JSON text nests no deeper than the limit. Of text that is not JSON it tells nothing.
func shallow(b []byte, limit int) bool {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for { // to the quote that ends the string: one after an even number of backslashes
				n := bytes.IndexByte(b[i+1:], '"')
				if n < 0 {
					return true
				}
				part := b[i+1 : i+1+n]
				i += n + 1
				if (len(part)-len(bytes.TrimRight(part, "\\")))%2 == 0 {
					break
				}
			}
		case '{', '[':
			if depth++; depth > limit {
				return false
			}
		case '}', ']':
			depth--
		}
	}
	return true
}

// badPayload says what is wrong with a payload, without its content.
func badPayload(err error) error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return refuse(CodeRendition, "the payload is not strict JSON: %v", syntax.Err)
	}
	return refuse(CodeRendition, "the payload breaks its form: %v", err)
}
