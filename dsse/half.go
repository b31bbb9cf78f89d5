package dsse

import (
	"crypto/ed25519"
	"crypto/rand"

	"filippo.io/mldsa"
)

// Notary signs in formats of others, which sign bare messages and each half apart (C2SP signed-note): a Private does. Such a message must begin as
// no pre-authentication encoding does, and as none of another such format does.
type Notary interface {
	Key() *Key
	// Ed25519 signs the message with that half alone.
	Ed25519(message []byte) ([]byte, error)
	// MLDSA44 signs the message with that half alone, under the empty context.
	MLDSA44(message []byte) ([]byte, error)
}

// Ed25519 implements Notary.
func (p *Private) Ed25519(message []byte) ([]byte, error) { return ed25519.Sign(p.ed, message), nil }

// MLDSA44 implements Notary.
func (p *Private) MLDSA44(message []byte) ([]byte, error) {
	if p.pq == nil {
		return nil, refuse("key.form", "the key has no half of ML-DSA-44")
	}
	sig, err := p.pq.Sign(rand.Reader, message, &mldsa.Options{})
	if err != nil {
		return nil, refuse("signature.invalid", "the message cannot be signed: "+err.Error())
	}
	return sig, nil
}

// HoldsEd25519 checks what Notary.Ed25519 gave.
func (k *Key) HoldsEd25519(message, sig []byte) bool { return ed25519.Verify(k.ed, message, sig) }

// HoldsMLDSA44 checks what Notary.MLDSA44 gave.
func (k *Key) HoldsMLDSA44(message, sig []byte) bool {
	return k.pq != nil && mldsa.Verify(k.pq, message, sig, &mldsa.Options{}) == nil
}
