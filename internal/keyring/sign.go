package keyring

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"entente/internal/fault"
)

// Signature is a node's signature over exact bytes.
type Signature struct {
	KeyID       string `json:"keyid"` // Fingerprint of the public key
	PayloadType string `json:"payloadType"`
	Sig         []byte `json:"sig"`
}

// PublicKey is the node's signing key as others know it.
func (r *Ring) PublicKey() ed25519.PublicKey { return r.signing.Public().(ed25519.PublicKey) }

// Fingerprint names a public key: SHA-256 of its bytes, in hex.
func Fingerprint(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:])
}

// Sign signs the exact bytes as what they are. The realm becomes part of the payload type, so that neither a signature for another
// use nor one from another realm can ever be taken for this one.
func (r *Ring) Sign(payloadType string, payload []byte) Signature {
	full := inRealm(payloadType, r.names.Realm)
	return Signature{KeyID: Fingerprint(r.PublicKey()), PayloadType: full, Sig: ed25519.Sign(r.signing, pae(full, payload))}
}

// Verify checks that the holder of the key signed exactly these bytes, as this type, in this realm.
func Verify(key ed25519.PublicKey, realm, payloadType string, payload []byte, s Signature) error {
	full := inRealm(payloadType, realm)
	if len(key) == ed25519.PublicKeySize && s.PayloadType == full && s.KeyID == Fingerprint(key) && ed25519.Verify(key, pae(full, payload), s.Sig) {
		return nil
	}
	return fault.New(fault.Invalid, "signature.invalid", "the signature does not hold for these bytes, this type and this realm")
}

func inRealm(payloadType, realm string) string { return payloadType + ";realm=" + strconv.Quote(realm) }

// pae is the pre-authentication encoding of DSSE v1 (protocol.md): the lengths make it unambiguous.
func pae(payloadType string, payload []byte) []byte {
	b := make([]byte, 0, len(payloadType)+len(payload)+48)
	b = append(b, "DSSEv1 "...)
	b = strconv.AppendInt(b, int64(len(payloadType)), 10)
	b = append(append(append(b, ' '), payloadType...), ' ')
	b = strconv.AppendInt(b, int64(len(payload)), 10)
	return append(append(b, ' '), payload...)
}
