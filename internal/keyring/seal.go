package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"

	"entente/internal/fault"
)

const (
	sealVersion = 1
	sealHead    = 1 + 4 // version, key id
	maxSealed   = 64 << 10
	maxKeys     = 16 // older sealing keys are forgotten, and what they sealed with them
)

type sealer struct {
	key  sealingKey
	aead cipher.AEAD
}

func newSealer(k sealingKey) (sealer, error) {
	block, err := aes.NewCipher(k.Secret)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{key: k, aead: aead}, err
}

// Seal hides and authenticates a small text that this node hands out and takes back: a paging cursor, a stream id. The token is safe
// in a URL. It opens only in the same context and realm. AES-256-GCM with a random nonce: rotate before 2^32 tokens.
func (r *Ring) Seal(context string, plaintext []byte) string {
	r.mu.RLock()
	s := r.sealing[len(r.sealing)-1]
	r.mu.RUnlock()
	buf := make([]byte, sealHead, sealHead+len(plaintext)+s.aead.Overhead())
	buf[0] = sealVersion
	binary.BigEndian.PutUint32(buf[1:], s.key.ID)
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(buf, nil, plaintext, r.bind(context)))
}

// Open returns what was sealed in this context. Every token that does not open gives the same error.
func (r *Ring) Open(context, token string) ([]byte, error) {
	if len(token) > maxSealed {
		return nil, unsealed()
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < sealHead || b[0] != sealVersion {
		return nil, unsealed()
	}
	id := binary.BigEndian.Uint32(b[1:])
	r.mu.RLock()
	keys := r.sealing
	r.mu.RUnlock()
	for i := len(keys) - 1; i >= 0; i-- {
		if keys[i].key.ID != id {
			continue
		}
		if plain, err := keys[i].aead.Open(nil, nil, b[sealHead:], r.bind(context)); err == nil {
			return plain, nil
		}
	}
	return nil, unsealed()
}

// RotateSealing makes a new sealing key. The newest key seals; the sixteen newest open.
func (r *Ring) RotateSealing() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := sealingKey{ID: binary.BigEndian.Uint32(random(4)), Created: r.now().UTC(), Secret: random(32)}
	s, err := newSealer(key)
	if err != nil {
		return fault.New(fault.Internal, "", "cannot make a sealing key").Because(err)
	}
	keys := append(append([]sealer{}, r.sealing...), s) // readers hold the old slice
	if len(keys) > maxKeys {
		keys = keys[len(keys)-maxKeys:]
	}
	file := sealingFile{head: r.head("sealing")}
	for _, k := range keys {
		file.Keys = append(file.Keys, k.key)
	}
	if err := r.save("sealing", file); err != nil {
		return err
	}
	r.sealing = keys
	return nil
}

func (r *Ring) openSealing() error {
	var f sealingFile
	if err := r.load("sealing", r.names.Realm, &f); err != nil {
		return err
	}
	if len(f.Keys) == 0 || len(f.Keys) > maxKeys {
		return damaged(r.path("sealing"), nil)
	}
	for _, k := range f.Keys {
		s, err := newSealer(k)
		if err != nil || len(k.Secret) != 32 {
			return damaged(r.path("sealing"), nil)
		}
		r.sealing = append(r.sealing, s)
	}
	return nil
}

func (r *Ring) bind(context string) []byte {
	return []byte("entente/seal/1\x00" + r.names.Realm + "\x00" + context)
}

func unsealed() error {
	return fault.New(fault.Invalid, "seal.invalid", "the token was not issued by this node for this use")
}
