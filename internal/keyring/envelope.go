package keyring

import (
	"crypto/ed25519"
	"strings"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
)

// maxEnvelope bounds the bytes of one envelope.
const maxEnvelope = 16 << 20

// envelope is a DSSE v1 envelope (envelope.md): the payload, what it is, and who signed it.
type envelope struct {
	PayloadType string              `json:"payloadType"`
	Payload     []byte              `json:"payload"`
	Signatures  []envelopeSignature `json:"signatures"`
}

type envelopeSignature struct {
	KeyID string `json:"keyid,omitempty"`
	Sig   []byte `json:"sig"`
}

// SignEnvelope signs the payload as Sign does and gives it in a DSSE v1 envelope.
func (r *Ring) SignEnvelope(payloadType string, payload []byte) ([]byte, error) {
	s := r.Sign(payloadType, payload)
	b, err := json.Marshal(envelope{s.PayloadType, payload, []envelopeSignature{{s.KeyID, s.Sig}}})
	if err != nil {
		return nil, fault.New(fault.Internal, "", "an envelope cannot be written").Because(err)
	}
	return b, nil
}

// OpenEnvelope checks that the holder of the key signed the envelope's payload, as this type, in this realm, and gives the payload.
// Signatures of others may stand beside it.
func OpenEnvelope(key ed25519.PublicKey, realm, payloadType string, b []byte) ([]byte, error) {
	if len(b) > maxEnvelope {
		return nil, fault.New(fault.TooLarge, "envelope.size", "the envelope has more than %d bytes", maxEnvelope)
	}
	var e envelope
	if err := json.Unmarshal(b, &e, json.RejectUnknownMembers(true)); err != nil {
		return nil, fault.New(fault.Invalid, "envelope.form", "this is not an envelope: %s", strings.TrimPrefix(err.Error(), "json: ")).By("DSSE v1, envelope.md")
	}
	if len(e.Signatures) == 0 || len(e.Signatures) > 100 {
		return nil, fault.New(fault.Invalid, "envelope.form", "an envelope has 1 to 100 signatures, this has %d", len(e.Signatures)).By("DSSE v1, envelope.md")
	}
	var err error
	for _, s := range e.Signatures {
		if err = Verify(key, realm, payloadType, e.Payload, Signature{s.KeyID, e.PayloadType, s.Sig}); err == nil {
			return e.Payload, nil
		}
	}
	return nil, err
}
