package identity

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

// Certificate is a client certificate, or a subject of another authority, that stands for somebody.
type Certificate struct {
	ID          string    `json:"id"`
	Fingerprint string    `json:"fingerprint,omitempty"` // SHA-256 of the certificate, hex; empty for a subject
	Issuer      string    `json:"issuer,omitempty"`      // of a subject: SHA-256 of its authority's public key, hex
	Subject     string    `json:"subject"`               // RFC 2253 form, to read
	Serial      string    `json:"serial,omitempty"`      // decimal
	Name        string    `json:"name"`
	Org         string    `json:"org"`
	User        string    `json:"user,omitempty"` // the account it acts for; empty: it acts as itself
	Roles       []string  `json:"roles"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires,omitzero"` // with the certificate; a subject stays until it is revoked
	Revoked     time.Time `json:"revoked,omitzero"`
}

// doc is the certificate to be stored. An expired one is listed for a while and then goes by itself.
func (c Certificate) doc(version int64) (store.Doc, error) {
	doc, err := write(kindCert, c.ID, c, version)
	if !c.Expires.IsZero() {
		doc.Expires = c.Expires.Add(keepExpired)
	}
	return doc, err
}

// CertificateSpec says for whom a certificate stands.
type CertificateSpec struct {
	Name  string
	Org   string // empty: the account's, or the node's own
	User  string
	Roles []string
}

// RegisterCertificate lets exactly this certificate sign in.
func (d *Directory) RegisterCertificate(ctx context.Context, actor string, leaf *x509.Certificate, q CertificateSpec) (Certificate, error) {
	print := fingerprint(leaf)
	return d.register(ctx, actor, q, Certificate{
		ID: "fp-" + print, Fingerprint: print, Subject: leaf.Subject.String(), Serial: leaf.SerialNumber.String(), Expires: leaf.NotAfter.UTC(),
	})
}

// RegisterSubject lets every certificate sign in that this authority issues to the subject of the given certificate, so that it may
// be renewed without telling the node.
func (d *Directory) RegisterSubject(ctx context.Context, actor string, leaf, issuer *x509.Certificate, q CertificateSpec) (Certificate, error) {
	if err := leaf.CheckSignatureFrom(issuer); err != nil {
		return Certificate{}, fault.New(fault.Invalid, "certificate.issuer", "the certificate was not issued by this authority").At("issuer").Because(err)
	}
	return d.register(ctx, actor, q, Certificate{
		ID: subjectID(leaf, issuer), Issuer: keyprint(issuer), Subject: leaf.Subject.String(),
	})
}

func (d *Directory) register(ctx context.Context, actor string, q CertificateSpec, c Certificate) (Certificate, error) {
	var err error
	if c.Name, err = AccountName(q.Name); err != nil {
		return Certificate{}, err
	}
	if c.Roles, err = d.roles(q.Roles); err != nil {
		return Certificate{}, err
	}
	if err := d.enter(ctx); err != nil {
		return Certificate{}, err
	}
	defer d.change.Unlock()
	if c.Org, c.User, err = d.holder(ctx, q.Org, q.User, c.Roles); err != nil {
		return Certificate{}, err
	}
	c.Created = d.now().UTC()
	switch _, _, err := read[Certificate](ctx, d.store, kindCert, c.ID); {
	case err == nil:
		return Certificate{}, fault.New(fault.Conflict, "certificate.exists", "the certificate is registered already, or was revoked").Try("issue another")
	case fault.Of(err) != fault.NotFound:
		return Certificate{}, err
	}
	doc, err := c.doc(0)
	if err != nil {
		return Certificate{}, err
	}
	act := store.Act{Actor: actor, Verb: "certificate.add", Target: c.ID, Detail: "name=" + c.Name + " org=" + c.Org + " roles=" + strings.Join(c.Roles, ",")}
	if err := d.commit(ctx, act, doc); err != nil {
		return Certificate{}, err
	}
	return c, nil
}

// AuthenticateCertificate finds the viewer of a client certificate that TLS has verified: leaf is the certificate, issuers are the
// other certificates of the verified chain, which count for registered subjects.
func (d *Directory) AuthenticateCertificate(ctx context.Context, leaf *x509.Certificate, issuers ...*x509.Certificate) (gate.Viewer, error) {
	if leaf == nil {
		return gate.Viewer{}, wrong()
	}
	generation, now := d.generation.Load(), d.now()
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return gate.Viewer{}, wrong()
	}
	// The whole chain is the key: a subject counts under its own authority only.
	key := chainKey(leaf, issuers)
	if hit, ok := d.certs.get(key, now, generation); ok {
		return hit.viewer, nil
	}
	c, err := d.certificate(ctx, leaf, issuers)
	if err != nil {
		return gate.Viewer{}, absentCredential(err)
	}
	if !c.Revoked.IsZero() {
		return gate.Viewer{}, wrong()
	}
	v, ok, err := d.acting(ctx, c.User, c.Org, c.Name, c.Roles)
	if err != nil {
		return gate.Viewer{}, err
	}
	if !ok {
		return gate.Viewer{}, wrong()
	}
	d.certs.put(key, verified{viewer: v, since: now, until: now.Add(d.cacheFor), generation: generation})
	return v, nil
}

// certificate finds the registration of a certificate itself, which goes before that of its subject: a revoked certificate stays so.
func (d *Directory) certificate(ctx context.Context, leaf *x509.Certificate, issuers []*x509.Certificate) (Certificate, error) {
	c, _, err := read[Certificate](ctx, d.store, kindCert, "fp-"+fingerprint(leaf))
	for _, issuer := range issuers[:min(len(issuers), 8)] {
		if err == nil || fault.Of(err) != fault.NotFound {
			break
		}
		// Only the authority that signed the certificate itself speaks for its subject.
		if leaf.CheckSignatureFrom(issuer) == nil {
			c, _, err = read[Certificate](ctx, d.store, kindCert, subjectID(leaf, issuer))
		}
	}
	return c, err
}

// CertificateRevoked tells whether exactly this certificate was revoked; for use in handshakes.
func (d *Directory) CertificateRevoked(leaf *x509.Certificate) bool {
	revoked := d.known.Load().revoked
	return len(revoked) > 0 && revoked[fingerprint(leaf)]
}

// RevokeCertificate ends a certificate or a subject, at once and for good.
func (d *Directory) RevokeCertificate(ctx context.Context, actor, id string) error {
	if err := d.enter(ctx); err != nil {
		return err
	}
	defer d.change.Unlock()
	c, version, err := read[Certificate](ctx, d.store, kindCert, id)
	if err != nil {
		return absent(err, fault.New(fault.NotFound, "certificate.unknown", "there is no such certificate").At("id"))
	}
	if !c.Revoked.IsZero() {
		return nil
	}
	c.Revoked = d.now().UTC()
	doc, err := c.doc(version)
	if err != nil {
		return err
	}
	return d.commit(ctx, store.Act{Actor: actor, Verb: "certificate.revoke", Target: id}, doc)
}

// Certificates is a page of certificates in the order of their ids, those after the given one. limit 0 is 500, the most is 1000.
func (d *Directory) Certificates(ctx context.Context, after string, limit int) ([]Certificate, error) {
	return list[Certificate](ctx, d.store, kindCert, after, limit)
}

func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// keyprint names an authority by its key, which stays when its certificate is renewed.
func keyprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

func subjectID(leaf, issuer *x509.Certificate) string {
	h := sha256.New()
	h.Write([]byte("entente/subject/1\x00"))
	h.Write([]byte(keyprint(issuer)))
	h.Write(leaf.RawSubject)
	return "sub-" + hex.EncodeToString(h.Sum(nil))
}

func chainKey(leaf *x509.Certificate, issuers []*x509.Certificate) (key [32]byte) {
	h := sha256.New()
	sum := sha256.Sum256(leaf.Raw)
	h.Write(sum[:])
	for _, i := range issuers[:min(len(issuers), 8)] {
		sum = sha256.Sum256(i.Raw)
		h.Write(sum[:])
	}
	h.Sum(key[:0])
	return key
}
