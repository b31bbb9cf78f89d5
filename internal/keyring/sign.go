package keyring

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"entente/dsse"
	"entente/internal/fault"
	"entente/keylog"
)

// Signature is a node's signature over exact bytes.
type Signature struct {
	KeyID       string `json:"keyid"` // Fingerprint of the public key
	PayloadType string `json:"payloadType"`
	Sig         []byte `json:"sig"`
}

// originator is the key that signs what this node says.
func (r *Ring) originator() *dsse.Private {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.own["signing"].current(r.now())
}

// PublicKey is the node's signing key as others know it.
func (r *Ring) PublicKey() ed25519.PublicKey { return r.originator().Key().Bytes() }

// Fingerprint names a public key: SHA-256 of its bytes, in hex.
func Fingerprint(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:])
}

// Sign signs the exact bytes as what they are. The realm becomes part of the payload type, so that neither a signature for another
// use nor one from another realm can ever be taken for this one.
func (r *Ring) Sign(payloadType string, payload []byte) Signature {
	full := keylog.InRealm(payloadType, r.names.Realm)
	key := r.originator()
	sig, err := key.Sign(dsse.PAE(full, payload))
	if err != nil {
		sig = nil // never for an Ed25519 key; an empty one holds nowhere
	}
	return Signature{KeyID: key.Key().ID(), PayloadType: full, Sig: sig}
}

// Verify checks that the holder of the key signed exactly these bytes, as this type, in this realm.
func Verify(key ed25519.PublicKey, realm, payloadType string, payload []byte, s Signature) error {
	e := dsse.Envelope{PayloadType: s.PayloadType, Payload: payload, Signatures: []dsse.Signature{{KeyID: s.KeyID, Sig: s.Sig}}}
	return verify(&e, realm, payloadType, key)
}

// SignEnvelope signs the payload as Sign does and gives it in a DSSE v1 envelope.
func (r *Ring) SignEnvelope(payloadType string, payload []byte) ([]byte, error) {
	e, err := dsse.Sign(keylog.InRealm(payloadType, r.names.Realm), payload, r.originator())
	if err != nil {
		return nil, fault.New(fault.Internal, "", "an envelope cannot be signed").Because(err)
	}
	return e.Bytes(), nil
}

// OpenEnvelope checks that this node signed the envelope's payload, as this type, in this realm, with the key that it has or with one that it had,
// and gives the payload.
func (r *Ring) OpenEnvelope(payloadType string, b []byte) ([]byte, error) {
	keys := []ed25519.PublicKey{r.PublicKey()}
	for _, k := range r.KeyState().All() {
		if k.Org == r.names.Org && !k.Key.Hybrid() {
			keys = append(keys, k.Key.Bytes())
		}
	}
	return OpenEnvelope(r.names.Realm, payloadType, b, keys...)
}

// OpenEnvelope checks that the holder of one of the keys signed the envelope's payload, as this type, in this realm, and gives the payload.
// Signatures of others may stand beside it.
func OpenEnvelope(realm, payloadType string, b []byte, keys ...ed25519.PublicKey) ([]byte, error) {
	e, err := dsse.Parse(b)
	if refused := (*dsse.Error)(nil); errors.As(err, &refused) {
		kind := fault.Invalid
		if refused.Code == "envelope.size" {
			kind = fault.TooLarge
		}
		return nil, fault.New(kind, refused.Code, "%s", refused.Message).By("DSSE v1, envelope.md")
	}
	if err := verify(&e, realm, payloadType, keys...); err != nil {
		return nil, err
	}
	return e.Payload, nil
}

func verify(e *dsse.Envelope, realm, payloadType string, keys ...ed25519.PublicKey) error {
	_, err := e.Verify(keylog.InRealm(payloadType, realm), func(id string) *dsse.Key {
		for _, k := range keys {
			if len(k) == ed25519.PublicKeySize && Fingerprint(k) == id {
				key, err := dsse.ParseKey(k)
				if err == nil {
					return key
				}
			}
		}
		return nil
	})
	if err != nil {
		return fault.New(fault.Invalid, "signature.invalid", "the signature does not hold for these bytes, this type and this realm")
	}
	return nil
}
