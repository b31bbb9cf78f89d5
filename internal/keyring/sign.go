package keyring

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"entente/dsse"
	"entente/internal/fault"
	"entente/keylog"
)

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

// SignEnvelope signs the exact bytes as what they are, and gives them in a DSSE v1 envelope. The realm becomes part of the payload type, so that neither a
// signature for another use nor one from another realm can ever be taken for this one. A key that counts no longer signs nothing.
func (r *Ring) SignEnvelope(payloadType string, payload []byte) ([]byte, error) {
	key, err := r.Signer(keylog.RoleOriginate)
	if err != nil {
		return nil, err
	}
	e, err := dsse.Sign(dsse.InRealm(payloadType, r.names.Realm), payload, key)
	if err != nil {
		return nil, fault.New(fault.Internal, "", "an envelope cannot be signed").Because(err)
	}
	return e.Bytes(), nil
}

// OpenEnvelope checks that this organisation signed the envelope's payload, as this type, in this realm, with a key that counted at the time, and gives the payload.
// What a key signed before the key log began to name it counts too.
func (r *Ring) OpenEnvelope(payloadType string, b []byte, at time.Time) ([]byte, error) {
	state := r.KeyState()
	var keys []ed25519.PublicKey
	refused := error(nil)
	for _, k := range state.All() {
		if k.Org != r.names.Org || k.Key.Hybrid() {
			continue
		}
		if err := state.Valid(k.Key.ID(), keylog.RoleOriginate, later(at, k.Since)); err != nil {
			refused = err
			continue
		}
		keys = append(keys, k.Key.Bytes())
	}
	payload, err := OpenEnvelope(r.names.Realm, payloadType, b, keys...)
	if err != nil && refused != nil {
		return nil, fault.New(fault.Invalid, "signature.invalid", "no key that counted at the time signed this: %v", refused).Try("hand it in once more: it is signed with the key of today")
	}
	return payload, err
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
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
	_, err := e.Verify(dsse.InRealm(payloadType, realm), func(id string) *dsse.Key {
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
