package dsse

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"

	"filippo.io/mldsa"
)

// Sizes in bytes.
const (
	edKey    = ed25519.PublicKeySize
	pqKey    = 1312 // ML-DSA-44, FIPS 204 table 2
	edSig    = ed25519.SignatureSize
	pqSig    = 2420
	SeedSize = 32 // of an Ed25519 key; of a hybrid one it is twice that
)

// Key is a public key: Ed25519, or Ed25519 with ML-DSA-44 beside it.
type Key struct {
	ed ed25519.PublicKey
	pq *mldsa.PublicKey // nil: Ed25519 alone
	id string
}

// ParseKey reads what Bytes gives: 32 bytes, or 32 + 1312.
func ParseKey(b []byte) (*Key, error) {
	if len(b) != edKey && len(b) != edKey+pqKey {
		return nil, refuse("key.form", "a public key has 32 bytes (Ed25519) or 1344 (Ed25519 and ML-DSA-44)")
	}
	sum := sha256.Sum256(b)
	k := &Key{ed: ed25519.PublicKey(append([]byte(nil), b[:edKey]...)), id: hex.EncodeToString(sum[:])}
	if len(b) > edKey {
		pq, err := mldsa.NewPublicKey(mldsa.MLDSA44(), b[edKey:])
		if err != nil {
			return nil, refuse("key.form", "the second part of the public key is no key of ML-DSA-44")
		}
		k.pq = pq
	}
	return k, nil
}

// ID names the key: SHA-256 of Bytes, in hex.
func (k *Key) ID() string { return k.id }

// Hybrid tells whether ML-DSA stands beside Ed25519.
func (k *Key) Hybrid() bool { return k.pq != nil }

// Bytes is the key as it is written down.
func (k *Key) Bytes() []byte {
	b := append([]byte(nil), k.ed...)
	if k.pq != nil {
		b = append(b, k.pq.Bytes()...)
	}
	return b
}

// MarshalText writes the key in hex.
func (k *Key) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(k.Bytes())), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *Key) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil {
		return refuse("key.form", "a public key is written in hex")
	}
	p, err := ParseKey(b)
	if err == nil {
		*k = *p
	}
	return err
}

// size is the number of bytes of one plain signature.
func (k *Key) size() int {
	if k.pq != nil {
		return edSig + pqSig
	}
	return edSig
}

// verify checks one plain signature: of a hybrid key both parts must hold.
func (k *Key) verify(message, sig []byte) bool {
	if len(sig) != k.size() || !ed25519.Verify(k.ed, message, sig[:edSig]) {
		return false
	}
	return k.pq == nil || mldsa.Verify(k.pq, message, sig[edSig:], &mldsa.Options{Context: context}) == nil
}

// context keeps ML-DSA signatures of this kind apart from all others (FIPS 204, section 5.2).
const context = "entente/dsse/1"

// Signer signs messages: a private key here, or one that never leaves its device.
type Signer interface {
	Key() *Key
	// Sign signs a message that is a pre-authentication encoding.
	Sign(message []byte) ([]byte, error)
}

// Private is a private key. It is a Signer.
type Private struct {
	seed []byte
	ed   ed25519.PrivateKey
	pq   *mldsa.PrivateKey
	key  *Key
}

// Generate makes a private key; a hybrid one is what keys, accords, checkpoints and decisions are signed with.
func Generate(hybrid bool) (*Private, error) {
	n := SeedSize
	if hybrid {
		n *= 2
	}
	seed := make([]byte, n)
	rand.Read(seed) // never fails: the process ends when the system has no randomness
	return FromSeed(seed)
}

// FromSeed is the private key that Seed gave: 32 bytes make an Ed25519 key, 64 a hybrid one.
func FromSeed(seed []byte) (*Private, error) {
	if len(seed) != SeedSize && len(seed) != 2*SeedSize {
		return nil, refuse("key.form", "the seed of a private key has 32 or 64 bytes")
	}
	p := &Private{seed: append([]byte(nil), seed...), ed: ed25519.NewKeyFromSeed(seed[:SeedSize])}
	public := append([]byte(nil), p.ed.Public().(ed25519.PublicKey)...)
	if len(seed) > SeedSize {
		pq, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed[SeedSize:])
		if err != nil {
			return nil, refuse("key.form", "the seed makes no key of ML-DSA-44")
		}
		p.pq = pq
		public = append(public, pq.PublicKey().Bytes()...)
	}
	var err error
	p.key, err = ParseKey(public)
	return p, err
}

// Seed is the secret that the whole key is made from.
func (p *Private) Seed() []byte { return append([]byte(nil), p.seed...) }

// Key is the public key.
func (p *Private) Key() *Key { return p.key }

// Sign signs a message.
func (p *Private) Sign(message []byte) ([]byte, error) {
	sig := ed25519.Sign(p.ed, message)
	if p.pq == nil {
		return sig, nil
	}
	second, err := p.pq.Sign(rand.Reader, message, &mldsa.Options{Context: context})
	if err != nil {
		return nil, refuse("signature.invalid", "the message cannot be signed: "+err.Error())
	}
	return append(sig, second...), nil
}
