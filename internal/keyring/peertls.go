package keyring

import (
	"bytes"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"sync"
	"time"

	"crypto/rand"

	"entente/dsse"
	"entente/internal/fault"
	"entente/keylog"
)

// Peer is another node, as the key log of its nation names it.
type Peer struct {
	Nation, Org, Node string
	Key               string // id of the node's key
}

// KnowPeer finds the node whose key has this Ed25519 half, and false when no key log that this node mirrors names it as one that counts now.
type KnowPeer func(ed25519.PublicKey) (Peer, bool)

// PeerTLS is both sides of the connections between nodes: TLS 1.3 with the hybrid post-quantum key agreement and no other, and on either side a
// self-signed certificate whose key is the node's in its nation's key log. No authority vouches for anything, no certificate holds a name, and no session is
// resumed, so that a key counts no longer than its log says.
func (r *Ring) PeerTLS(know KnowPeer) (server, client *tls.Config) {
	c := &certificates{ring: r}
	base := tls.Config{
		MinVersion:             tls.VersionTLS13,
		CurvePreferences:       []tls.CurveID{tls.X25519MLKEM768},
		NextProtos:             []string{"h2"},
		SessionTicketsDisabled: true,
		Time:                   r.now,
		VerifyConnection: func(s tls.ConnectionState) error {
			if s.CurveID != tls.X25519MLKEM768 {
				return errors.New("the connection is not safe against quantum computers")
			}
			if _, ok := PeerOf(s, know); !ok {
				return errors.New("no key log names the peer's key as one that counts now")
			}
			return nil
		},
	}
	server, client = base.Clone(), base.Clone()
	server.ClientAuth = tls.RequireAnyClientCert
	server.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.shown() }
	client.InsecureSkipVerify = true // of names and authorities, which there are none of: VerifyConnection holds the key to the key log
	client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.shown() }
	return server, client
}

// PeerOf tells who is at the other end of a connection.
func PeerOf(s tls.ConnectionState, know KnowPeer) (Peer, bool) {
	if len(s.PeerCertificates) != 1 {
		return Peer{}, false
	}
	public, ok := s.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok {
		return Peer{}, false
	}
	return know(public)
}

// PeerIn finds the node with this Ed25519 half among those that count in a key log at a time.
func PeerIn(state *keylog.State, public ed25519.PublicKey, at time.Time) (Peer, bool) {
	for _, k := range state.Keys("", keylog.RoleNode, at) {
		if bytes.Equal(k.Key.Bytes()[:ed25519.PublicKeySize], public) {
			return Peer{state.Nation, k.Org, k.Node, k.Key.ID()}, true
		}
	}
	return Peer{}, false
}

// certificates makes one certificate for each key of the node.
type certificates struct {
	ring *Ring
	mu   sync.Mutex
	key  string
	cert *tls.Certificate
}

func (c *certificates) shown() (*tls.Certificate, error) {
	signer, err := c.ring.Signer(keylog.RoleNode)
	if err != nil {
		return nil, err
	}
	private, ok := signer.(*dsse.Private)
	if !ok {
		return nil, fault.New(fault.Internal, "", "the node's key is not at hand")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := private.Key().ID(); c.key != id {
		cert, err := selfSigned(ed25519.NewKeyFromSeed(private.Seed()[:ed25519.SeedSize]))
		if err != nil {
			return nil, err
		}
		c.key, c.cert = id, cert
	}
	return c.cert, nil
}

// selfSigned is a certificate that says nothing but its key: how long it counts is said by the key log.
func selfSigned(key ed25519.PrivateKey) (*tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "entente"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // no well-defined end, RFC 5280 4.1.2.5
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fault.New(fault.Internal, "", "cannot make the node's certificate").Because(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
