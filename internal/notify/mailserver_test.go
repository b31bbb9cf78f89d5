package notify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailServer is a real mail server in this process.
type mailServer struct {
	mu    sync.Mutex
	got   []letter
	users []string // who signed in
	fail  map[string]error
	slow  time.Duration
	port  int
	ca    string // PEM file
}

type letter struct{ from, to, body string }

func (m *mailServer) mails() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]letter(nil), m.got...)
}

func (m *mailServer) failing(step string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fail[step]
}

func (m *mailServer) refuse(step string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = map[string]error{step: err}
}

func (m *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) { return &mailSession{m: m}, nil }

type mailSession struct {
	m    *mailServer
	mail letter
	user string
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "node" || password != "a password" {
			return &smtp.SMTPError{Code: 535, Message: "no"}
		}
		s.user = user
		return nil
	}), nil
}
func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }
func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.mail.from = from
	return s.m.failing("mail")
}
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.to = to
	return s.m.failing("rcpt")
}
func (s *mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.m.failing("data"); err != nil {
		return err
	}
	time.Sleep(s.m.slow)
	s.mail.body = string(b)
	s.m.mu.Lock()
	s.m.got, s.m.users = append(s.m.got, s.mail), append(s.m.users, s.user)
	s.m.mu.Unlock()
	return nil
}

// newMailServer starts a server with STARTTLS, with TLS from the first byte (how "implicit"), or without TLS ("none").
func newMailServer(t testing.TB, dir, how string) *mailServer {
	t.Helper()
	m := &mailServer{}
	pair, ca := testCertificate(t)
	m.ca = filepath.Join(dir, "mail-ca.pem")
	must(t, os.WriteFile(m.ca, ca, 0o600))
	s := smtp.NewServer(m)
	s.Domain, s.AllowInsecureAuth, s.ReadTimeout, s.WriteTimeout = "localhost", false, 2*time.Minute, 2*time.Minute
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_, port, _ := net.SplitHostPort(l.Addr().String())
	m.port, err = strconv.Atoi(port)
	must(t, err)
	conf := &tls.Config{Certificates: []tls.Certificate{pair}}
	switch how {
	case "implicit":
		l = tls.NewListener(l, conf)
	case "starttls":
		s.TLSConfig = conf
	}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close() })
	return m
}

// config is a channel to the server.
func (m *mailServer) config(how string) SMTPConfig {
	return SMTPConfig{Name: "relay", Host: "localhost", Port: m.port, TLS: how, CA: m.ca, From: "Utopia CERT <soc@utopia.example>", Timeout: "2m"}
}

func (w *world) mailBy(m *mailServer, how string) {
	w.t.Helper()
	w.use(m.config(how))
}

// use gives the desk a channel of a configuration.
func (w *world) use(c SMTPConfig) {
	w.t.Helper()
	ch, err := NewSMTP(c, Setting{Org: "Utopia CERT", Config: w.cfg, Base: w.dir, Now: w.clock})
	must(w.t, err)
	w.channels = append(w.channels, ch)
	w.open()
}

func testCertificate(t testing.TB) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
