package sensor

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"entente/internal/fault"
	"entente/internal/lite"
	wire "entente/sensor"
)

// The files of a sensor's identity, in its data directory.
const (
	keyFile      = "key.pem"
	identityFile = "enrolled.json"
	recallKey    = "recall.key"
	lockFile     = "lock"
)

// Identity is what a sensor is to its node.
type Identity struct {
	Node          string `json:"node"` // its address
	wire.Enrolled `json:",inline"`
}

// Enrol makes the data directory of a sensor: it makes a key that never leaves it, and has the node of a code vouch for it. A directory that has a sensor is refused, unless
// again is set: its key, its inputs and what it remembers stay.
func Enrol(ctx context.Context, dir, node, code string, again bool) (Identity, error) {
	var who Identity
	u, err := nodeURL(node)
	if err != nil {
		return who, err
	}
	trust, err := wire.ParseCode(code)
	if err != nil {
		return who, fault.New(fault.Invalid, "sensor.code", "the code %s", err.(*wire.Error).Why).Try("get one at the node with entente sensor add")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return who, fmt.Errorf("making the data directory: %w", err)
	}
	lock, err := lite.Lock(filepath.Join(dir, lockFile))
	if err != nil {
		return who, err
	}
	defer lock.Close()
	if had, err := readJSON(filepath.Join(dir, identityFile), &who); err != nil {
		return who, err
	} else if had && !again {
		return who, fault.New(fault.Conflict, "sensor.enrolled", "%s is the sensor %s of %s", dir, who.Name, who.Node).Try("give another directory, or --again to have this one vouched for anew")
	}
	key, err := openKey(dir, true)
	if err != nil {
		return who, err
	}
	csr, err := request(key)
	if err != nil {
		return who, err
	}
	c, err := newClient(u, &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // of names and authorities: the code says whom to trust, and VerifyConnection holds the server to it
		VerifyConnection:   func(s tls.ConnectionState) error { return trust.Trusts(s.PeerCertificates, time.Now()) },
	})
	if err != nil {
		return who, err
	}
	defer c.close()
	got, err := post[wire.Enrolled](ctx, c, wire.PathEnrol, wire.Request{Code: code, CSR: csr})
	if err != nil {
		return who, err
	}
	who = Identity{Node: u.String(), Enrolled: got}
	if _, err := pair(&who, key); err != nil {
		return who, err
	}
	if !exists(filepath.Join(dir, ConfigFile)) {
		if err := write(filepath.Join(dir, ConfigFile), []byte(Example)); err != nil {
			return who, err
		}
	}
	return who, writeJSON(filepath.Join(dir, identityFile), &who)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// nodeURL reads the address of a node: https, a host, and nothing more.
func nodeURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return nil, fault.New(fault.Invalid, "sensor.url", "%q is not the address of a node", s).Try("write it as https://node.example:8443")
	}
	u.Path = ""
	return u, nil
}

// openKey reads the sensor's key. One is made where none is, if that is wanted.
func openKey(dir string, make bool) (*ecdsa.PrivateKey, error) {
	path := filepath.Join(dir, keyFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && make {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fault.New(fault.Internal, "", "a key cannot be made").Because(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, fault.New(fault.Internal, "", "a key cannot be written").Because(err)
		}
		return key, write(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	if err != nil {
		return nil, fmt.Errorf("reading the sensor's key: %w", err)
	}
	bad := fault.New(fault.Unprocessable, "sensor.key", "%s holds no key of a sensor", path)
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, bad
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, bad.Because(err)
	}
	if key, ok := key.(*ecdsa.PrivateKey); ok {
		return key, nil
	}
	return nil, bad
}

// request is a signing request, in PEM.
func request(key crypto.Signer) (string, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return "", fault.New(fault.Internal, "", "a signing request cannot be made").Because(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})), nil
}

// pair is a sensor's certificate with its key.
func pair(who *Identity, key *ecdsa.PrivateKey) (*tls.Certificate, error) {
	bad := fault.New(fault.Unprocessable, "sensor.certificate", "the sensor's certificate is not one for its key").Try("enrol it again")
	c := &tls.Certificate{PrivateKey: key}
	for rest := []byte(who.Certificate); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c.Certificate = append(c.Certificate, block.Bytes)
	}
	if len(c.Certificate) == 0 {
		return nil, bad
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return nil, bad.Because(err)
	}
	if public, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(&key.PublicKey) {
		return nil, bad
	}
	c.Leaf = leaf
	return c, nil
}

// identity is who the sensor is, while it runs.
type identity struct {
	dir  string
	key  *ecdsa.PrivateKey
	who  atomic.Pointer[Identity]
	cert atomic.Pointer[tls.Certificate]
}

// openIdentity reads who the sensor of a data directory is.
func openIdentity(dir string) (*identity, error) {
	var who Identity
	if had, err := readJSON(filepath.Join(dir, identityFile), &who); err != nil {
		return nil, err
	} else if !had {
		return nil, fault.New(fault.NotFound, "sensor.enrolled", "%s has no sensor", dir).Try("entente sensor enrol --data " + dir + " URL CODE")
	}
	key, err := openKey(dir, false)
	if err != nil {
		return nil, err
	}
	id := &identity{dir: dir, key: key}
	return id, id.take(&who)
}

func (id *identity) take(who *Identity) error {
	cert, err := pair(who, id.key)
	if err != nil {
		return err
	}
	id.who.Store(who)
	id.cert.Store(cert)
	return nil
}

// tls is how the sensor meets its node: it shows the newest certificate, and trusts the authority that the node named, or else those that its machine does.
func (id *identity) tls() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return id.cert.Load(), nil }}
	if a := id.who.Load().Authority; a != "" {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM([]byte(a)) {
			return nil, fault.New(fault.Unprocessable, "sensor.authority", "the node's authority is no certificate").Try("enrol the sensor again")
		}
	}
	return conf, nil
}

// renew has the node vouch for the sensor anew.
func (id *identity) renew(ctx context.Context, c *client) error {
	csr, err := request(id.key)
	if err != nil {
		return err
	}
	got, err := post[wire.Enrolled](ctx, c, wire.PathRenew, wire.Request{CSR: csr})
	if err != nil {
		return err
	}
	who := &Identity{Node: id.who.Load().Node, Enrolled: got}
	if err := id.take(who); err != nil {
		return err
	}
	return writeJSON(filepath.Join(id.dir, identityFile), who)
}

// due is when the sensor asks for another certificate: when the node said, else after two thirds of its life.
func (id *identity) due() time.Time {
	if at := id.who.Load().RenewAfter; !at.IsZero() {
		return at
	}
	leaf := id.cert.Load().Leaf
	return leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 3 * 2)
}

// openRecallKey reads the key under which is remembered what was seen, and makes it where none is.
func openRecallKey(dir string) (key [16]byte, err error) {
	path := filepath.Join(dir, recallKey)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		rand.Read(key[:]) // crypto/rand never fails
		return key, write(path, bytes.Clone(key[:]))
	}
	if err != nil {
		return key, fmt.Errorf("reading the key of what was seen: %w", err)
	}
	if copy(key[:], b) != len(key) || len(b) != len(key) {
		return key, fault.New(fault.Unprocessable, "sensor.key", "%s is no key of %d bytes", path, len(key))
	}
	return key, nil
}
