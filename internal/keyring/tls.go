package keyring

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"entente/internal/fault"
)

const (
	serverLife = 90 * 24 * time.Hour
	lookAgain  = time.Second // how often given files are looked at, at most
)

// leaf is a certificate that the server shows.
type leaf struct {
	tls   *tls.Certificate
	hosts []string
}

// TLSOptions says how the server meets its clients. The zero value serves the node's own certificate.
type TLSOptions struct {
	Hosts     []string // further names and addresses for the node's own certificate
	CertFile  string   // PEM chain to serve instead, with KeyFile; both are read again when they change
	KeyFile   string
	ClientCAs []string                          // PEM files of further authorities that vouch for clients
	Revoked   func(leaf *x509.Certificate) bool // may be nil; asked in every handshake, resumed ones too
	Warn      func(message string, err error)   // may be nil; told when a certificate cannot be renewed or read again
}

// TLSConfig is the server side of every connection: TLS 1.2 with forward secrecy and AEAD only (RFC 7540 appendix A leaves no
// others), TLS 1.3 with the hybrid post-quantum key agreement first, no early data, client certificates when the client has one.
func (r *Ring) TLSConfig(o TLSOptions) (*tls.Config, error) {
	if o.Warn == nil {
		o.Warn = func(string, error) {}
	}
	show, err := r.certificates(o)
	if err != nil {
		return nil, err
	}
	clients := r.CAPool()
	for _, path := range o.ClientCAs {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fault.New(fault.Invalid, "tls.client_ca", "cannot read the client authority %s", path).At("client_ca").Because(err)
		}
		if !clients.AppendCertsFromPEM(b) {
			return nil, fault.New(fault.Invalid, "tls.client_ca", "%s holds no certificate in PEM", path).At("client_ca")
		}
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		// CurvePreferences stays unset: the default puts X25519MLKEM768 first. crypto/tls never takes early data over TCP.
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: show,
		ClientAuth:     tls.VerifyClientCertIfGiven,
		ClientCAs:      clients,
		Time:           r.now,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return nil
			}
			client := s.PeerCertificates[0]
			for _, chain := range s.VerifiedChains {
				if chain[len(chain)-1].Equal(r.ca.cert) && !r.ours(client) {
					return errors.New("the client certificate belongs to another realm")
				}
			}
			if o.Revoked != nil && o.Revoked(client) {
				return errors.New("the client certificate has been revoked")
			}
			return nil
		},
	}, nil
}

// certificates chooses what the server shows: given files, or the node's own certificate for all wanted hosts.
func (r *Ring) certificates(o TLSOptions) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	if (o.CertFile == "") != (o.KeyFile == "") {
		return nil, fault.New(fault.Invalid, "tls.files", "a certificate file needs its key file, and the reverse").At("tls")
	}
	if o.CertFile != "" {
		w := &watched{cert: o.CertFile, key: o.KeyFile, now: r.now, warn: o.Warn}
		if err := w.read(); err != nil {
			return nil, fault.New(fault.Invalid, "tls.files", "cannot use the certificate %s with the key %s", o.CertFile, o.KeyFile).At("tls").Because(err)
		}
		return w.show, nil
	}
	if err := checkHosts(o.Hosts); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	wanted := union(r.server.hosts, o.Hosts)
	if len(wanted) > len(r.server.hosts) {
		if err := checkHosts(wanted); err != nil {
			return nil, err
		}
		if err := r.renewServer(wanted); err != nil {
			return nil, err
		}
	}
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return r.current(o.Warn), nil }, nil
}

// current is the node's own certificate, renewed once less than a third of its life is left or the clock stands before it.
func (r *Ring) current(warn func(string, error)) *tls.Certificate {
	r.mu.RLock()
	cert := r.server.tls
	r.mu.RUnlock()
	if !due(cert.Leaf, r.now()) {
		return cert
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if due(r.server.tls.Leaf, r.now()) {
		if err := r.renewServer(r.server.hosts); err != nil {
			warn("cannot renew the server certificate", err)
		}
	}
	return r.server.tls
}

func due(cert *x509.Certificate, now time.Time) bool {
	life := cert.NotAfter.Sub(cert.NotBefore)
	return now.Before(cert.NotBefore) || cert.NotAfter.Sub(now) < life/3
}

// renewServer makes the node's own certificate. The caller holds mu or is alone with the ring. A certificate that cannot be written
// is used nevertheless: the next start makes another.
func (r *Ring) renewServer(hosts []string) error {
	hosts = union(machine(), hosts)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fault.New(fault.Internal, "", "cannot make a server key").Because(err)
	}
	now := r.now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: r.subject(cut(hosts[0]), r.names.Org, r.names.Nation),
		NotBefore: now.Add(-backdate), NotAfter: earlier(now.Add(serverLife), r.ca.cert.NotAfter),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	cert, err := issue(template, r.ca.cert, &key.PublicKey, r.ca.key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fault.New(fault.Internal, "", "cannot encode the server's key").Because(err)
	}
	r.showing(key, cert, hosts)
	return r.save("server", certFile{head: r.head("server"), Key: der, Certificate: cert.Raw, Hosts: hosts})
}

func (r *Ring) showing(key *ecdsa.PrivateKey, cert *x509.Certificate, hosts []string) {
	r.server = leaf{tls: &tls.Certificate{Certificate: [][]byte{cert.Raw, r.ca.cert.Raw}, PrivateKey: key, Leaf: cert}, hosts: hosts}
}

func (r *Ring) openServer() error {
	var f certFile
	if err := r.load("server", r.names.Realm, &f); err != nil {
		return err
	}
	key, cert, err := f.pair()
	if err == nil {
		err = cert.CheckSignatureFrom(r.ca.cert)
	}
	if err != nil || !r.ours(cert) {
		return damaged(r.path("server"), err)
	}
	r.showing(key, cert, f.Hosts)
	return nil
}

// machine is how this machine is reached by those who sit at it.
func machine() []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil && checkHosts([]string{name}) == nil {
		hosts = union(hosts, []string{name})
	}
	return hosts
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// watched is a certificate in files that somebody else renews.
type watched struct {
	cert, key string
	now       func() time.Time
	warn      func(string, error)

	mu     sync.Mutex
	looked time.Time
	stamp  [2]fileStamp
	pair   *tls.Certificate
}

type fileStamp struct {
	mod  time.Time
	size int64
}

func (w *watched) show(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := w.now(); now.Sub(w.looked).Abs() >= lookAgain {
		w.looked = now
		if stamp := w.stat(); stamp != w.stamp {
			// The last good pair is served on: the files may be half replaced.
			if err := w.read(); err != nil {
				w.warn("cannot read the changed server certificate", err)
			}
		}
	}
	return w.pair, nil
}

func (w *watched) read() error {
	stamp := w.stat()
	pair, err := tls.LoadX509KeyPair(w.cert, w.key)
	if err != nil {
		return err
	}
	w.pair, w.stamp = &pair, stamp
	return nil
}

func (w *watched) stat() (s [2]fileStamp) {
	for i, path := range []string{w.cert, w.key} {
		if info, err := os.Stat(path); err == nil {
			s[i] = fileStamp{info.ModTime(), info.Size()}
		}
	}
	return s
}
