// Package seal keeps bytes from everybody but named recipients: statements of the keys that one seals to, a stream sealed to several of them in chunks of
// 1 MiB, and a key wrapped for one of them. Keys are agreed by HPKE (RFC 9180) with ML-KEM-768 and X25519 together (MLKEM768-X25519 of draft-ietf-hpke-pq),
// so that a sealed copy which somebody keeps stays closed as long as one of the two holds; bytes are sealed with AES-256-GCM. Sealing says nothing about who
// sealed: what is inside must be signed. docs/bundles.md is its specification. The package is pure: no network, no disk, no clock.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Sizes in bytes.
const (
	SeedSize   = 32   // of a private key
	PublicSize = 1216 // of a public key: ML-KEM-768 and X25519
	WrapSize   = encapsulated + overhead + secretSize

	encapsulated = 1120
	secretSize   = 32
	nonceSize    = 12
	overhead     = nonceSize + 16 // of AES-256-GCM
)

// Error says why a key, a statement or something sealed is refused. Code is stable.
type Error struct {
	Code    string // "key.form", "statement.form", "statement.signature", "statement.time", "seal.form", "seal.size", "seal.recipient", "seal.broken", "seal.short"
	Message string
}

func (e *Error) Error() string { return "seal: " + e.Message }

func refuse(code, format string, args ...any) *Error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// KeyID names a key that one seals to: SHA-256 of its public bytes.
type KeyID [32]byte

// String is the id in hex.
func (k KeyID) String() string { return hex.EncodeToString(k[:]) }

// Private is a key that opens what was sealed to it.
type Private struct {
	key hpke.PrivateKey
	id  KeyID
}

// Generate makes a key.
func Generate() (*Private, error) {
	k, err := hpke.MLKEM768X25519().GenerateKey()
	if err != nil {
		return nil, refuse("key.form", "no key can be made: %v", err)
	}
	return private(k), nil
}

// FromSeed is the key that Seed gave.
func FromSeed(seed []byte) (*Private, error) {
	if len(seed) != SeedSize {
		return nil, refuse("key.form", "a key to open with has %d bytes, this has %d", SeedSize, len(seed))
	}
	k, err := hpke.MLKEM768X25519().NewPrivateKey(seed)
	if err != nil {
		return nil, refuse("key.form", "these bytes make no key: %v", err)
	}
	return private(k), nil
}

func private(k hpke.PrivateKey) *Private {
	return &Private{k, sha256.Sum256(k.PublicKey().Bytes())}
}

// Seed is the secret that the whole key is made from.
func (p *Private) Seed() ([]byte, error) {
	b, err := p.key.Bytes()
	if err != nil {
		return nil, refuse("key.form", "the key cannot be written down: %v", err)
	}
	return b, nil
}

// Public is what others seal to.
func (p *Private) Public() []byte { return p.key.PublicKey().Bytes() }

// ID names the key.
func (p *Private) ID() KeyID { return p.id }

// Wrap seals a key of 32 bytes to one recipient. Realm and purpose must be the same to unwrap it: they are no secrets, and what was wrapped for one purpose
// opens for no other.
func Wrap(secret [32]byte, to *Statement, realm, purpose string) ([]byte, error) {
	public, err := to.public()
	if err != nil {
		return nil, err
	}
	enc, agreed, err := hpke.NewSender(public, hpke.HKDFSHA256(), hpke.ExportOnly(), info(realm, purpose))
	if err != nil {
		return nil, refuse("key.form", "nothing can be sealed to the key: %v", err)
	}
	aead, err := exported(agreed.Export)
	if err != nil {
		return nil, err
	}
	return aead.Seal(enc, nil, secret[:], nil), nil
}

// Unwrap opens what Wrap gave.
func (p *Private) Unwrap(wrapped []byte, realm, purpose string) (secret [32]byte, err error) {
	if len(wrapped) != WrapSize {
		return secret, refuse("seal.form", "a wrapped key has %d bytes, this has %d", WrapSize, len(wrapped))
	}
	broken := refuse("seal.broken", "the key was not wrapped for this recipient, realm and purpose, or was changed on its way")
	agreed, err := hpke.NewRecipient(wrapped[:encapsulated], p.key, hpke.HKDFSHA256(), hpke.ExportOnly(), info(realm, purpose))
	if err != nil {
		return secret, broken
	}
	aead, err := exported(agreed.Export)
	if err != nil {
		return secret, err
	}
	if _, err := aead.Open(secret[:0], nil, wrapped[encapsulated:], nil); err != nil {
		return [32]byte{}, broken
	}
	return secret, nil
}

// info binds a wrap to its realm and purpose.
func info(realm, purpose string) []byte {
	b := append([]byte("entente-seal/1"), 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(realm)))
	return append(append(b, realm...), purpose...)
}

// exported makes the cipher of a wrap. The agreement gives a key and nothing more (RFC 9180, section 5.3), because Go's certified module of FIPS 140-3 has
// no AES-GCM but with random nonces, which HPKE's own sealing does not use.
func exported(export func(string, int) ([]byte, error)) (cipher.AEAD, error) {
	key, err := export("entente-seal/1 wrap", secretSize)
	if err != nil {
		return nil, refuse("key.form", "no key can be agreed: %v", err)
	}
	return gcm([32]byte(key))
}

// gcm is AES-256-GCM that puts a random nonce before what it seals.
func gcm(key [32]byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, refuse("key.form", "no cipher can be made: %v", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, refuse("key.form", "no cipher can be made: %v", err)
	}
	return aead, nil
}
