package notify

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"github.com/smallstep/pkcs7"

	"entente/internal/fault"
	"entente/outside"
)

// maxKey bounds a recipient's key or certificate.
const maxKey = 64 << 10

// S/MIME 4.0 asks for AES (RFC 8551 section 2.7); the module's own choice would be DES.
func init() { pkcs7.ContentEncryptionAlgorithm = pkcs7.EncryptionAlgorithmAES256CBC }

// sealPGP encrypts for the owner of an armored OpenPGP key (RFC 9580).
func sealPGP(content []byte, key string, now time.Time) (out []byte, err error) {
	outside.Run(func() { out, err = encryptPGP(content, key, now) }) // fingerprints are SHA-1, messages CFB
	return out, err
}

func encryptPGP(content []byte, key string, now time.Time) ([]byte, error) {
	entity, err := readPGP(key, now)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	a, err := armor.Encode(&out, "PGP MESSAGE", nil)
	if err != nil {
		return nil, noSeal(err)
	}
	w, err := openpgp.Encrypt(a, []*openpgp.Entity{entity}, nil, nil, nil, pgpConfig(now))
	if err != nil {
		return nil, noSeal(err)
	}
	if _, err := w.Write(content); err != nil {
		return nil, noSeal(err)
	}
	if err := w.Close(); err != nil {
		return nil, noSeal(err)
	}
	if err := a.Close(); err != nil {
		return nil, noSeal(err)
	}
	return out.Bytes(), nil
}

func pgpConfig(now time.Time) *packet.Config {
	return &packet.Config{Time: func() time.Time { return now }, DefaultCipher: packet.CipherAES256}
}

// readPGP reads a key that can be encrypted to now.
func readPGP(key string, now time.Time) (e *openpgp.Entity, err error) {
	outside.Run(func() { e, err = parsePGP(key, now) })
	return e, err
}

func parsePGP(key string, now time.Time) (*openpgp.Entity, error) {
	if len(key) > maxKey {
		return nil, badKey("the OpenPGP key has more than %d bytes", maxKey)
	}
	ring, err := openpgp.ReadArmoredKeyRing(strings.NewReader(key))
	switch {
	case err != nil:
		return nil, badKey("the OpenPGP key cannot be read").Because(err)
	case len(ring) != 1:
		return nil, badKey("there are %d OpenPGP keys where one is wanted", len(ring))
	}
	if _, err := ring[0].EncryptionKeyWithError(now, pgpConfig(now)); err != nil {
		return nil, badKey("the OpenPGP key cannot be encrypted to: it is expired, revoked or for signatures only").Because(err)
	}
	return ring[0], nil
}

// sealSMIME encrypts for the owner of a certificate (RFC 8551).
func sealSMIME(content []byte, certificate string, now time.Time) ([]byte, error) {
	cert, err := readSMIME(certificate, now)
	if err != nil {
		return nil, err
	}
	var out []byte
	outside.Run(func() { out, err = pkcs7.Encrypt(content, []*x509.Certificate{cert}) }) // RSA with PKCS #1 v1.5, as every mail program reads
	if err != nil {
		return nil, noSeal(err)
	}
	return out, nil
}

// readSMIME reads a certificate that can be encrypted to now.
func readSMIME(certificate string, now time.Time) (*x509.Certificate, error) {
	if len(certificate) > maxKey {
		return nil, badKey("the S/MIME certificate has more than %d bytes", maxKey)
	}
	block, _ := pem.Decode([]byte(certificate))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, badKey("the S/MIME certificate is no certificate in PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, badKey("the S/MIME certificate cannot be read").Because(err)
	}
	if _, ok := cert.PublicKey.(*rsa.PublicKey); !ok {
		return nil, badKey("the S/MIME certificate has no RSA key, and only to those can be encrypted")
	}
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return nil, badKey("the S/MIME certificate is valid from %s to %s, and not now", cert.NotBefore.Format(time.DateOnly), cert.NotAfter.Format(time.DateOnly))
	}
	if cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageKeyEncipherment == 0 {
		return nil, badKey("the S/MIME certificate is not for encryption")
	}
	return cert, nil
}

func badKey(format string, args ...any) *fault.Error {
	return final("key", format, args...).Try("enter a valid key for the contact; the message is not sent without it")
}

func noSeal(err error) error {
	return final("key", "the message cannot be encrypted with the contact's key").Because(err)
}
