package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"slices"
	"time"
	"unicode/utf8"

	"entente/internal/fault"
)

const (
	caLife     = 10 * 365 * 24 * time.Hour
	caRenew    = caLife / 2 // left at a start: clients have years to learn of the new certificate
	clientLife = 365 * 24 * time.Hour
	maxLife    = 3 * clientLife
	backdate   = time.Hour // clocks of clients differ
	maxCSR     = 64 << 10
)

// authority is the node's certificate authority: P-256, because every client of TLS knows it.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// makeAuthority makes the authority's certificate, or makes it anew with the same key and name: what the old one vouched for stays
// valid under both.
func (r *Ring) makeAuthority(key *ecdsa.PrivateKey, since time.Time) error {
	subject := r.subject("Entente authority of "+r.names.Org, r.names.Org, r.names.Nation)
	subject.CommonName = cut(subject.CommonName)
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: subject,
		NotBefore: since, NotAfter: r.now().Add(caLife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	cert, err := issue(template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fault.New(fault.Internal, "", "cannot encode the authority's key").Because(err)
	}
	r.ca = authority{key: key, cert: cert}
	if err := r.save("ca", certFile{head: r.head("ca"), Key: der, Certificate: cert.Raw}); err != nil {
		return err
	}
	return replace(filepath.Join(r.dir, "ca.pem"), r.CAPEM())
}

func (r *Ring) openAuthority() error {
	var f certFile
	if err := r.load("ca", r.names.Realm, &f); err != nil {
		return err
	}
	key, cert, err := f.pair()
	if err != nil || !cert.IsCA || !r.ours(cert) {
		return damaged(r.path("ca"), err)
	}
	r.ca = authority{key: key, cert: cert}
	if r.now().Add(caRenew).After(cert.NotAfter) {
		return r.makeAuthority(key, cert.NotBefore)
	}
	return nil
}

func (f certFile) pair() (*ecdsa.PrivateKey, *x509.Certificate, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(f.Key)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(f.Certificate)
	if err != nil {
		return nil, nil, err
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, nil, fault.New(fault.Invalid, "", "key and certificate do not belong together")
	}
	return key, cert, nil
}

// CAPEM is the certificate of the node's authority, for clients to trust.
func (r *Ring) CAPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.ca.cert.Raw})
}

// CA is the certificate of the node's authority.
func (r *Ring) CA() *x509.Certificate { return r.ca.cert }

// ClientRequest asks for a client certificate.
type ClientRequest struct {
	Nation string
	Org    string
	Person string        // the account or service that will use it
	CSR    []byte        // PKCS #10, PEM or DER; empty: a new key is made
	Life   time.Duration // 0: one year; at most three
}

// Issued is a client certificate. KeyPEM is empty when the key never left its holder.
type Issued struct {
	Certificate *x509.Certificate
	CertPEM     []byte
	KeyPEM      []byte
}

// IssueClient issues a certificate for mutual TLS. Of a signing request only the key is taken; the names are those of the request
// made here, so that nobody can ask for another's name.
func (r *Ring) IssueClient(q ClientRequest) (Issued, error) {
	if !nationForm.MatchString(q.Nation) {
		return Issued{}, fault.New(fault.Invalid, "keyring.name", "%q is not a nation's code", q.Nation).At("nation")
	}
	if err := checkName("org", q.Org); err != nil {
		return Issued{}, err
	}
	if err := checkName("person", q.Person); err != nil {
		return Issued{}, err
	}
	if utf8.RuneCountInString(q.Person) > 64 {
		return Issued{}, fault.New(fault.Invalid, "keyring.name", "the name is too long for a certificate").At("person").By("X.520: at most 64 characters")
	}
	if q.Life == 0 {
		q.Life = clientLife
	}
	if q.Life < time.Minute || q.Life > maxLife {
		return Issued{}, fault.New(fault.Invalid, "certificate.life", "a certificate cannot be valid for %s", q.Life).At("life").By("one minute to three years")
	}
	var out Issued
	public, err := requestedKey(q.CSR)
	if err != nil {
		return Issued{}, err
	}
	if public == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return Issued{}, fault.New(fault.Internal, "", "cannot make a client key").Because(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return Issued{}, fault.New(fault.Internal, "", "cannot encode a client key").Because(err)
		}
		out.KeyPEM, public = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), &key.PublicKey
	}
	now := r.now()
	out.Certificate, err = issue(&x509.Certificate{
		SerialNumber: serial(), Subject: r.subject(q.Person, q.Org, q.Nation),
		NotBefore: now.Add(-backdate), NotAfter: earlier(now.Add(q.Life), r.ca.cert.NotAfter),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}, r.ca.cert, public, r.ca.key)
	if err != nil {
		return Issued{}, err
	}
	out.CertPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: out.Certificate.Raw})
	return out, nil
}

// requestedKey is the key of a signing request, nil for no request. The holder proves possession by the request's own signature.
func requestedKey(csr []byte) (crypto.PublicKey, error) {
	if len(csr) == 0 {
		return nil, nil
	}
	bad := fault.New(fault.Invalid, "certificate.request", "this is not a usable certificate signing request").At("csr").
		By("PKCS #10 (RFC 2986), PEM or DER, with a P-256, P-384, RSA of 2048 to 8192 bits, or Ed25519 key")
	if len(csr) > maxCSR {
		return nil, bad
	}
	if block, _ := pem.Decode(csr); block != nil {
		csr = block.Bytes
	}
	req, err := x509.ParseCertificateRequest(csr)
	if err != nil {
		return nil, bad.Because(err)
	}
	switch key := req.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := key.N.BitLen(); n < 2048 || n > 8192 {
			return nil, bad
		}
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() && key.Curve != elliptic.P384() {
			return nil, bad
		}
	default:
		if req.PublicKeyAlgorithm != x509.Ed25519 {
			return nil, bad
		}
	}
	if err := req.CheckSignature(); err != nil {
		return nil, bad.Because(err)
	}
	return req.PublicKey, nil
}

// Revoked is one certificate that no longer counts.
type Revoked struct {
	Serial *big.Int
	At     time.Time
}

// CRL is the signed list of revoked certificates, in PEM, valid for a week. The number must grow with every list (RFC 5280 5.2.3).
func (r *Ring) CRL(revoked []Revoked, number int64) ([]byte, error) {
	now := r.now()
	list := &x509.RevocationList{Number: big.NewInt(number), ThisUpdate: now, NextUpdate: now.Add(7 * 24 * time.Hour)}
	for _, e := range revoked {
		if e.Serial == nil || e.Serial.Sign() <= 0 {
			return nil, fault.New(fault.Invalid, "certificate.serial", "a revoked certificate needs a positive serial number")
		}
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: e.Serial, RevocationTime: e.At})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, r.ca.cert, r.ca.key)
	if err != nil {
		return nil, fault.New(fault.Internal, "", "cannot sign the revocation list").Because(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), nil
}

// The realm and the nation stand in every subject. X.509's own country attribute holds two letters only, and nations are three.
func (r *Ring) subject(common, org, nation string) pkix.Name {
	return pkix.Name{CommonName: common, Organization: []string{org}, OrganizationalUnit: []string{"nation:" + nation, realmUnit(r.names.Realm)}}
}

// ours tells whether a certificate of this authority carries this ring's realm.
func (r *Ring) ours(cert *x509.Certificate) bool {
	return slices.Contains(cert.Subject.OrganizationalUnit, realmUnit(r.names.Realm))
}

func realmUnit(realm string) string { return "realm:" + realm }

func issue(template, parent *x509.Certificate, public crypto.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fault.New(fault.Internal, "", "cannot issue a certificate").Because(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fault.New(fault.Internal, "", "cannot read the issued certificate").Because(err)
	}
	return cert, nil
}

// serial is a random positive number of 127 bits (RFC 5280 4.1.2.2 allows 20 octets).
func serial() *big.Int {
	b := random(16)
	b[0] &= 0x7f
	b[15] |= 1 // never zero
	return new(big.Int).SetBytes(b)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// cut keeps a common name within the 64 characters of X.520.
func cut(name string) string {
	if runes := []rune(name); len(runes) > 64 {
		return string(runes[:64])
	}
	return name
}
