package sensor

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"time"
)

// Code is what somebody carries from the node to a sensor: a secret that enrols it once, and whom it must trust for that.
type Code struct {
	Secret      [20]byte
	Fingerprint [sha256.Size]byte // SHA-256 of a certificate (DER): of the node's own authority, or else the one that the node shows
}

const codePrefix = "entente-sensor-1."

// NewCode is a code with a random secret.
func NewCode(trust *x509.Certificate) Code {
	c := Code{Fingerprint: sha256.Sum256(trust.Raw)}
	rand.Read(c.Secret[:]) // crypto/rand never fails
	return c
}

// String is the code as it is carried: one word, without anything that a shell or a mail would change.
func (c Code) String() string {
	return codePrefix + base64.RawURLEncoding.EncodeToString(append(c.Secret[:], c.Fingerprint[:]...))
}

// ParseCode reads what String wrote. Spaces around it are nothing.
func ParseCode(s string) (c Code, err error) {
	s, ok := strings.CutPrefix(strings.TrimSpace(s), codePrefix)
	if !ok || len(s) > 200 {
		return c, &Error{"code", "is not a sensor's code: it begins with " + codePrefix}
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(c.Secret)+len(c.Fingerprint) {
		return c, &Error{"code", "is not a whole code: copy all of it"}
	}
	copy(c.Secret[:], b)
	copy(c.Fingerprint[:], b[len(c.Secret):])
	return c, nil
}

// Trusts tells whether a server that shows a chain of certificates, its own first, is the node that made the code: the chain has the certificate that the code names, and that one
// vouches for the server.
func (c Code) Trusts(chain []*x509.Certificate, now time.Time) error {
	bad := &Error{"certificate", "of the server is not the one that the code names: this is another node, or somebody stands between"}
	for i, cert := range chain {
		if sha256.Sum256(cert.Raw) != c.Fingerprint {
			continue
		}
		if i == 0 && now.After(cert.NotBefore) && now.Before(cert.NotAfter) {
			return nil
		}
		roots, between := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(cert)
		for _, other := range chain[1:] {
			between.AddCert(other)
		}
		if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now}); err != nil {
			return &Error{"certificate", err.Error()}
		}
		return nil
	}
	return bad
}
