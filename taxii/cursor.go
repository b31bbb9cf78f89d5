package taxii

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
)

// Cursor is what a next token carries: where the following page starts and a fingerprint of what was asked.
type Cursor struct {
	Pos         []byte
	Fingerprint [32]byte // of endpoint, root, collection, object and every filter; not of limit, which may change between pages
}

// Sealer turns cursors into tokens and back. A token must be unreadable and unforgeable, and open only for the caller it was made for
// (found in ctx) and with the same fingerprint. A token outlives the process and is good on every server that shares the key.
type Sealer interface {
	Seal(ctx context.Context, c Cursor) (string, error)
	// Open returns the position. Any error means that the token is not good here, and is answered 400 without its text.
	Open(ctx context.Context, token string, fingerprint [32]byte) ([]byte, error)
}

// NewSealer returns a Sealer that encrypts with AES-256-GCM under keys derived from secret (at least 32 random bytes). viewer names
// the caller in ctx: a token of one is no good for another. The nonce is derived from the content, so that the same page has
// the same token at every try.
func NewSealer(secret []byte, viewer func(context.Context) string) (Sealer, error) {
	if len(secret) < 32 {
		return nil, errors.New("taxii: the secret of a sealer needs at least 32 bytes")
	}
	block, err := aes.NewCipher(derive(secret, []byte("entente taxii next: encryption")))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &gcmSealer{aead, derive(secret, []byte("entente taxii next: nonce")), viewer}, nil
}

type gcmSealer struct {
	aead     cipher.AEAD
	nonceKey []byte
	viewer   func(context.Context) string
}

const maxToken = 1024

func (s *gcmSealer) bind(ctx context.Context, fingerprint [32]byte) []byte {
	var who string
	if s.viewer != nil {
		who = s.viewer(ctx)
	}
	return append(fingerprint[:], who...)
}

func (s *gcmSealer) Seal(ctx context.Context, c Cursor) (string, error) {
	bound := s.bind(ctx, c.Fingerprint)
	nonce := derive(s.nonceKey, binary.BigEndian.AppendUint32(nil, uint32(len(c.Pos))), c.Pos, bound)[:s.aead.NonceSize()]
	token := base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, c.Pos, bound))
	if len(token) > maxToken {
		return "", errors.New("taxii: the backend's position is too long for a token")
	}
	return token, nil
}

func (s *gcmSealer) Open(ctx context.Context, token string, fingerprint [32]byte) ([]byte, error) {
	if len(token) > maxToken {
		return nil, errors.New("taxii: token too long")
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return nil, err
	}
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("taxii: token too short")
	}
	return s.aead.Open([]byte{}, sealed[:n], sealed[n:], s.bind(ctx, fingerprint))
}

func derive(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// fingerprint digests what a page belongs to. Every part is preceded by its length, so that no two questions digest alike.
func fingerprint(endpoint, root, collection, object string, f Filter) [32]byte {
	var b []byte
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	instant := func(t time.Time) {
		b = binary.BigEndian.AppendUint64(b, uint64(t.Unix()))
		b = binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
	}
	for _, s := range []string{endpoint, root, collection, object} {
		text(s)
	}
	instant(f.AddedAfter)
	for _, list := range [][]string{f.IDs, f.Types, f.Specs} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			text(s)
		}
	}
	for _, on := range []bool{f.AddedAfter.IsZero(), f.Versions.All, f.Versions.First, f.Versions.Last} {
		if on {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	for _, t := range f.Versions.At {
		instant(t)
	}
	return sha256.Sum256(b)
}
