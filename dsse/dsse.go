// Package dsse signs exact bytes and says who signed them: DSSE v1 envelopes (github.com/secure-systems-lab/dsse, envelope.md and protocol.md) under
// Ed25519 keys (FIPS 186-5) and hybrid keys, where an ML-DSA-44 signature (FIPS 204) stands beside every Ed25519 one and both must hold. Many
// payloads can be signed at once (see SignBatch). It is pure: no network, no disk, no clock.
package dsse

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// Bounds of one envelope.
const (
	MaxEnvelope   = 16 << 20 // bytes
	MaxSignatures = 100
)

// Envelope is a payload, what it is, and who signed it.
type Envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"`
	Signatures  []Signature `json:"signatures"`
}

// Signature is one signature of an envelope.
type Signature struct {
	KeyID string `json:"keyid"` // Key.ID of the signer; it finds the key and proves nothing
	Sig   []byte `json:"sig"`
}

// Error says why an envelope or a key is refused. Code is stable.
type Error struct {
	Code    string // "envelope.form", "envelope.size", "envelope.type", "signature.missing", "signature.invalid", "key.form"
	Message string
}

func (e *Error) Error() string { return e.Message }

func refuse(code, message string) error { return &Error{code, message} }

// InRealm is a payload type as it is signed in a realm, so that nothing that was signed for an exercise is ever taken for the real thing.
func InRealm(payloadType, realm string) string { return payloadType + ";realm=" + strconv.Quote(realm) }

// Sign gives the payload in an envelope that every signer signed.
func Sign(payloadType string, payload []byte, signers ...Signer) (Envelope, error) {
	e := Envelope{PayloadType: payloadType, Payload: payload}
	for _, s := range signers {
		if err := e.Add(s); err != nil {
			return Envelope{}, err
		}
	}
	return e, nil
}

// Add puts the signer's signature beside those that are there, in place of an earlier one of its own.
func (e *Envelope) Add(s Signer) error {
	sig, err := s.Sign(PAE(e.PayloadType, e.Payload))
	if err != nil {
		return err
	}
	id := s.Key().ID()
	for i := range e.Signatures {
		if e.Signatures[i].KeyID == id {
			e.Signatures[i].Sig = sig
			return nil
		}
	}
	if len(e.Signatures) == MaxSignatures {
		return refuse("envelope.form", "an envelope has at most "+strconv.Itoa(MaxSignatures)+" signatures")
	}
	e.Signatures = append(e.Signatures, Signature{id, sig})
	return nil
}

// Bytes is the envelope as JSON.
func (e *Envelope) Bytes() []byte {
	b, err := json.Marshal(e)
	if err != nil {
		return nil // only for a payload type that is not UTF-8, which nothing verifies
	}
	return b
}

// Parse reads an envelope. It verifies nothing: the payload of what it returns is not to be used before Verify.
func Parse(b []byte) (Envelope, error) {
	if len(b) > MaxEnvelope {
		return Envelope{}, refuse("envelope.size", "an envelope has at most "+strconv.Itoa(MaxEnvelope)+" bytes")
	}
	var e Envelope
	if err := json.Unmarshal(b, &e, json.RejectUnknownMembers(true)); err != nil {
		return Envelope{}, refuse("envelope.form", "this is not a DSSE envelope: "+strings.TrimPrefix(err.Error(), "json: "))
	}
	if n := len(e.Signatures); n == 0 || n > MaxSignatures {
		return Envelope{}, refuse("envelope.form", "an envelope has 1 to "+strconv.Itoa(MaxSignatures)+" signatures")
	}
	return e, nil
}

// Verify checks the envelope's type and gives the keys, each once, whose signature holds; find is asked for a key by its id and gives nil for one that
// is unknown. Without a single one it is an error: "signature.missing" when nobody known signed, "signature.invalid" when a known one's does not hold.
func (e *Envelope) Verify(payloadType string, find func(id string) *Key) ([]*Key, error) {
	var v Verifier
	return v.Verify(e, payloadType, find)
}

// Verify is Envelope.Verify; roots of batches that hold are remembered, so that the next payload of the batch costs hashes only.
func (v *Verifier) Verify(e *Envelope, payloadType string, find func(id string) *Key) ([]*Key, error) {
	if e.PayloadType != payloadType {
		return nil, refuse("envelope.type", "the envelope holds "+strconv.Quote(clip(e.PayloadType))+", not "+strconv.Quote(payloadType))
	}
	var message []byte
	var held []*Key
	known := false
	for i := range e.Signatures[:min(len(e.Signatures), MaxSignatures)] {
		s := &e.Signatures[i]
		k := find(s.KeyID)
		if k == nil || k.ID() != s.KeyID || has(held, k) {
			continue
		}
		known = true
		if message == nil {
			message = PAE(e.PayloadType, e.Payload)
		}
		if v.holds(k, message, s.Sig) {
			held = append(held, k)
		}
	}
	switch {
	case len(held) > 0:
		return held, nil
	case known:
		return nil, refuse("signature.invalid", "the signature does not hold for these bytes and this type")
	}
	return nil, refuse("signature.missing", "nobody who is known signed this")
}

func has(keys []*Key, k *Key) bool {
	for _, h := range keys {
		if h.ID() == k.ID() {
			return true
		}
	}
	return false
}

// PAE is the pre-authentication encoding of DSSE v1 (protocol.md): the lengths make it unambiguous.
func PAE(payloadType string, payload []byte) []byte {
	b := make([]byte, 0, len(payloadType)+len(payload)+48)
	b = append(b, "DSSEv1 "...)
	b = strconv.AppendInt(b, int64(len(payloadType)), 10)
	b = append(append(append(b, ' '), payloadType...), ' ')
	b = strconv.AppendInt(b, int64(len(payload)), 10)
	return append(append(b, ' '), payload...)
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

func be32(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
