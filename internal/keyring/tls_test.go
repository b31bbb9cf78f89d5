package keyring

import (
	"crypto/fips140"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// handshake connects a client to a server over TCP on the loopback and sends one byte each way, so that both sides have judged the
// other's certificate.
func handshake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan error, 1)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			done <- err
			return
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(3 * time.Minute))
		s := tls.Server(c, server)
		_, err = io.CopyN(s, s, 1)
		done <- err
	}()
	raw, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(3 * time.Minute))
	c := tls.Client(raw, client)
	_, err = c.Write([]byte{1})
	if err == nil {
		_, err = io.ReadFull(c, make([]byte, 1))
	}
	state := c.ConnectionState()
	c.Close()
	return state, errors.Join(err, <-done)
}

func serve(t *testing.T, r *Ring, o TLSOptions) *tls.Config {
	t.Helper()
	c, err := r.TLSConfig(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func trusting(r *Ring) *tls.Config { return &tls.Config{RootCAs: r.CAPool(), ServerName: "localhost"} }

func clientCert(t *testing.T, r *Ring, person string) tls.Certificate {
	t.Helper()
	out, err := r.IssueClient(ClientRequest{Nation: "UTO", Org: "Utopia CERT", Person: person})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(out.CertPEM, out.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func TestVersionsAndSuites(t *testing.T) {
	r, _ := create(t, utopia)
	server := serve(t, r, TLSOptions{})
	for _, c := range []struct {
		name     string
		change   func(c *tls.Config)
		version  uint16
		protocol string
	}{
		{"TLS 1.3", func(c *tls.Config) {}, tls.VersionTLS13, ""},
		{"TLS 1.2", func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, tls.VersionTLS12, ""},
		{"HTTP/2", func(c *tls.Config) { c.NextProtos = []string{"http/1.1", "h2"} }, tls.VersionTLS13, "h2"},
		{"HTTP/1.1", func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }, tls.VersionTLS13, "http/1.1"},
		{"by address", func(c *tls.Config) { c.ServerName = "127.0.0.1" }, tls.VersionTLS13, ""},
		{"by address, IPv6", func(c *tls.Config) { c.ServerName = "::1" }, tls.VersionTLS13, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := trusting(r)
			c.change(client)
			state, err := handshake(t, server, client)
			if err != nil || state.Version != c.version || state.NegotiatedProtocol != c.protocol {
				t.Fatalf("version %x protocol %q, %v", state.Version, state.NegotiatedProtocol, err)
			}
		})
	}
	t.Run("the post-quantum hybrid comes first", func(t *testing.T) {
		if state, err := handshake(t, server, trusting(r)); err != nil || state.CurveID != tls.X25519MLKEM768 {
			t.Fatalf("%s, %v", state.CurveID, err)
		}
	})
	for _, old := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		client := trusting(r)
		client.MinVersion, client.MaxVersion = tls.VersionTLS10, old
		if _, err := handshake(t, server, client); err == nil {
			t.Errorf("%s is spoken", tls.VersionName(old))
		}
	}
}

// RFC 7540 appendix A prohibits every suite without ephemeral keys and AEAD.
func TestSuitesOfTLS12(t *testing.T) {
	r, _ := create(t, utopia)
	server := serve(t, r, TLSOptions{})
	allowed := 0
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if suite.SupportedVersions[0] == tls.VersionTLS13 {
			continue
		}
		good := strings.HasPrefix(suite.Name, "TLS_ECDHE_") && (strings.Contains(suite.Name, "_GCM_") || strings.Contains(suite.Name, "_CHACHA20_POLY1305"))
		if fips140.Enabled() && strings.Contains(suite.Name, "_CHACHA20_") {
			if strings.Contains(suite.Name, "_ECDSA_") {
				allowed++ // package crypto/tls leaves it out
			}
			continue
		}
		client := trusting(r)
		client.MaxVersion, client.CipherSuites = tls.VersionTLS12, []uint16{suite.ID}
		_, err := handshake(t, server, client)
		// The node's own certificate is ECDSA: RSA suites cannot be chosen with it.
		if want := good && strings.Contains(suite.Name, "_ECDSA_"); (err == nil) != want {
			t.Errorf("%s: %v", suite.Name, err)
		} else if want {
			allowed++
		}
	}
	for _, id := range server.CipherSuites {
		if name := tls.CipherSuiteName(id); !strings.HasPrefix(name, "TLS_ECDHE_") || strings.Contains(name, "_CBC_") {
			t.Errorf("%s is offered", name)
		}
	}
	if allowed != 3 {
		t.Errorf("%d suites were accepted", allowed)
	}
}

func TestClientCertificatesInHandshakes(t *testing.T) {
	r, _ := create(t, utopia)
	partner, partnerDir := create(t, Names{Nation: "RUR", Org: "Ruritania CERT"})
	stranger, _ := create(t, utopia)
	var revoked atomic.Pointer[x509.Certificate]
	server := serve(t, r, TLSOptions{
		ClientCAs: []string{filepath.Join(partnerDir, "keys", "ca.pem")},
		Revoked:   func(leaf *x509.Certificate) bool { c := revoked.Load(); return c != nil && c.Equal(leaf) },
	})
	own, friend, foreign := clientCert(t, r, "own"), clientCert(t, partner, "friend"), clientCert(t, stranger, "foreign")
	drill := &Ring{names: Names{Nation: "UTO", Org: "Utopia CERT", Realm: "exercise:DRILL"}, ca: r.ca, now: clock}
	exercise := clientCert(t, drill, "own") // the same authority's key, misused for another realm
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		try := func(cert *tls.Certificate) error {
			client := trusting(r)
			client.MaxVersion = version
			if cert != nil { // shown even when the server names other authorities
				client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
			}
			_, err := handshake(t, server, client)
			return err
		}
		revoked.Store(nil)
		for name, cert := range map[string]*tls.Certificate{"none": nil, "own": &own, "partner's": &friend} {
			if err := try(cert); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, cert := range map[string]*tls.Certificate{"stranger's": &foreign, "another realm's": &exercise} {
			if try(cert) == nil {
				t.Errorf("%s certificate was accepted", name)
			}
		}
		revoked.Store(own.Leaf)
		if try(&own) == nil {
			t.Error("a revoked certificate was accepted")
		}
	}
}

func TestARevokedCertificateCannotResume(t *testing.T) {
	r, _ := create(t, utopia)
	var revoked atomic.Bool
	server := serve(t, r, TLSOptions{Revoked: func(*x509.Certificate) bool { return revoked.Load() }})
	client := trusting(r)
	client.Certificates = []tls.Certificate{clientCert(t, r, "p")}
	client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	if _, err := handshake(t, server, client); err != nil {
		t.Fatal(err)
	}
	if state, err := handshake(t, server, client); err != nil || !state.DidResume {
		t.Fatalf("not resumed: %v", err)
	}
	revoked.Store(true)
	if _, err := handshake(t, server, client); err == nil {
		t.Fatal("a revoked certificate resumed its session")
	}
}

func TestTheServerCertificateIsRenewed(t *testing.T) {
	now := time.Now()
	var shift atomic.Int64
	at := func() time.Time { return now.Add(time.Duration(shift.Load())) }
	dir := t.TempDir()
	r, err := Create(dir, utopia, at)
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, r, TLSOptions{Hosts: []string{"node.example", "192.0.2.7"}})
	shown := func() *x509.Certificate {
		client := trusting(r)
		client.ServerName, client.Time = "node.example", at
		state, err := handshake(t, server, client)
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0]
	}
	first := shown()
	if first.VerifyHostname("192.0.2.7") != nil || first.VerifyHostname("localhost") != nil || !r.ours(first) || !strings.Contains(first.Subject.String(), "nation:UTO") {
		t.Fatalf("it does not hold for its names: %v %v", first.DNSNames, first.IPAddresses)
	}
	shift.Store(int64(serverLife / 2))
	if !shown().Equal(first) {
		t.Fatal("renewed too early")
	}
	shift.Store(int64(serverLife * 3 / 4))
	second := shown()
	if second.Equal(first) {
		t.Fatal("not renewed")
	}
	reopened, err := Open(dir, "", at)
	if err != nil {
		t.Fatal(err)
	}
	if !reopened.server.tls.Leaf.Equal(second) {
		t.Fatal("the renewed certificate was not kept")
	}
	shift.Store(-int64(48 * time.Hour)) // the clock goes backwards
	if c := reopened.current(func(string, error) {}).Leaf; at().Before(c.NotBefore) {
		t.Fatal("it is shown before it holds")
	}
}

func TestTheAuthorityIsRenewedWithItsKey(t *testing.T) {
	start := time.Now()
	dir := t.TempDir()
	old, err := Create(dir, utopia, func() time.Time { return start })
	if err != nil {
		t.Fatal(err)
	}
	later := func() time.Time { return start.Add(caLife * 6 / 10) }
	r, err := Open(dir, "", later)
	if err != nil {
		t.Fatal(err)
	}
	if r.CA().Equal(old.CA()) || !r.ca.key.Equal(old.ca.key) || !r.CA().NotAfter.After(old.CA().NotAfter) {
		t.Fatal("not renewed with its key")
	}
	for name, roots := range map[string]*Ring{"the old certificate": old, "the new certificate": r} {
		client := trusting(roots)
		client.Time = later
		if _, err := handshake(t, serve(t, r, TLSOptions{}), client); err != nil {
			t.Errorf("a client that trusts %s: %v", name, err)
		}
	}
}

func TestGivenFilesAreReadAgain(t *testing.T) {
	r, _ := create(t, utopia)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	written := time.Now()
	put := func(person string) {
		out, err := r.IssueClient(ClientRequest{Nation: "UTO", Org: "x", Person: person})
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(cert, out.CertPEM, 0o600)
		os.WriteFile(key, out.KeyPEM, 0o600)
		written = written.Add(time.Second) // two pairs of one size may be written within one tick of the disk's clock
		os.Chtimes(cert, written, written)
		os.Chtimes(key, written, written)
	}
	if _, err := r.TLSConfig(TLSOptions{CertFile: cert, KeyFile: key}); err == nil {
		t.Fatal("missing files were accepted")
	}
	if _, err := r.TLSConfig(TLSOptions{CertFile: cert}); err == nil {
		t.Fatal("a certificate without key was accepted")
	}
	put("first")
	var shift, warned atomic.Int64
	r.now = func() time.Time { return time.Now().Add(time.Duration(shift.Load())) }
	server := serve(t, r, TLSOptions{CertFile: cert, KeyFile: key, Warn: func(string, error) { warned.Add(1) }})
	shown := func() string {
		shift.Add(int64(2 * lookAgain))
		state, err := handshake(t, server, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].Subject.CommonName
	}
	if got := shown(); got != "first" {
		t.Fatal(got)
	}
	put("second")
	if got := shown(); got != "second" {
		t.Fatal(got)
	}
	os.WriteFile(cert, []byte("half writ"), 0o600)
	if got := shown(); got != "second" || warned.Load() == 0 {
		t.Fatalf("%s, %d warnings", got, warned.Load())
	}
	put("third")
	if got := shown(); got != "third" {
		t.Fatal(got)
	}
}

// TestUnderFIPSOnly runs the rest of this package's tests in a process in which only FIPS 140-3 algorithms work.
func TestUnderFIPSOnly(t *testing.T) {
	if testing.Short() || os.Getenv("KEYRING_FIPS_CHILD") != "" {
		t.Skip("runs once, in full runs")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self, "-test.run=TestANew|TestConnections|TestARing|TestSealed|TestRotation|TestSignatures|TestClientCertificates|TestRevocation|TestVersions|TestTheServer")
	child.Env = append(os.Environ(), "GODEBUG=fips140=only", "KEYRING_FIPS_CHILD=1")
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
