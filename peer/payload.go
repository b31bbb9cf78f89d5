package peer

import (
	"errors"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"entente/dsse"
	"entente/label"
)

// MaxDepth is how deep objects and lists of a payload and of the object in a rendition may nest.
const MaxDepth = 32

// Types of payloads. Sign and Open add the realm, so that nothing signed for an exercise is ever taken for the real thing.
const (
	RenditionType = "application/vnd.entente.rendition+json;v=1"
	OrderType     = "application/vnd.entente.order+json;v=1"
	NoticeType    = "application/vnd.entente.notice+json;v=1"
	ReceiptType   = "application/vnd.entente.receipt+json;v=1"
)

// InRealm is the payload type as it is signed.
func InRealm(payloadType, realm string) string { return payloadType + ";realm=" + strconv.Quote(realm) }

// Keys finds a key by its id, if it is known and in force; else it gives nil.
type Keys func(id string) *dsse.Key

// Opener opens envelopes of one realm. It remembers the roots of batches that held and labels it has read, so that the next of their kind cost
// little. It is for one goroutine at a time.
type Opener struct {
	Realm  string
	Keys   Keys
	Limits Limits

	verifier dsse.Verifier
	labels   map[string]label.Label
	types    map[string]string
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
		full = InRealm(payloadType, o.Realm)
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
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return false
			}
		case c == '}' || c == ']':
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
