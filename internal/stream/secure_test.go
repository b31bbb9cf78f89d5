package stream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/pelletier/go-toml/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"entente/internal/fault"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// authority is a server's certificate for this machine, as a server has it, as a client does, and the file that a configuration names.
func authority(t *testing.T) (srv, client *tls.Config, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: pool},
		write(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
}

// comes says that what is produced comes.
func comes(t *testing.T, src source, err error, produce func(...string)) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	lines, want := events(0, 20)
	produce(lines...)
	n := newNode()
	run := start(src, &sensor{report: n.report})
	n.exactly(t, want)
	run.end(t, nil)
}

// fails says that a source does not get in, and says so.
func fails(t *testing.T, src source, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	run := start(src, &sensor{report: func(string, string, int) { t.Error("something came") }})
	until(t, "an error", func() bool { return src.Counts().Errors > 0 && src.Counts().Error != "" })
	run.end(t, nil)
}

func TestKafkaIsMetSafely(t *testing.T) {
	srv, client, ca := authority(t)
	k := newKafka(t, kfake.TLS(srv), kfake.EnableSASL(), kfake.Superuser("PLAIN", "us", "secret"), kfake.Superuser("SCRAM-SHA-256", "us", "secret"),
		kfake.Superuser("SCRAM-SHA-512", "us", "secret")).produces(kgo.DialTLSConfig(client), kgo.SASL(plain.Auth{User: "us", Pass: "secret"}.AsMechanism()))
	for _, how := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		cfg := k.config()
		cfg.Group, cfg.TLS, cfg.SASL, cfg.User, cfg.Password, cfg.From = how, TLS{CA: ca}, how, "us", write(t, "secret\n"), "oldest"
		n := newNode()
		src, err := Kafka(cfg)
		if err != nil {
			t.Fatal(err)
		}
		k.produce("a")
		run := start(src, &sensor{report: n.report})
		until(t, how, func() bool { return n.total() > 0 })
		run.end(t, nil)
		cfg.Password = write(t, "wrong")
		src, err = Kafka(cfg)
		fails(t, src, err)
	}
	cfg := k.config()
	cfg.TLS = TLS{Mode: "on"} // the authorities of the system do not know it
	src, err := Kafka(cfg)
	fails(t, src, err)
}

func TestNATSIsMetSafely(t *testing.T) {
	srv, client, ca := authority(t)
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		server func(*server.Options)
		mine   nats.Option
		good   func(*NATSConfig)
		bad    func(*NATSConfig)
	}{
		"password": {func(o *server.Options) { o.Username, o.Password = "us", "secret" }, nats.UserInfo("us", "secret"),
			func(c *NATSConfig) { c.User, c.Password = "us", write(t, "secret\n") }, func(c *NATSConfig) { c.Password = write(t, "wrong") }},
		"token": {func(o *server.Options) { o.Authorization = "secret" }, nats.Token("secret"),
			func(c *NATSConfig) { c.Token = write(t, "secret\n") }, func(c *NATSConfig) { c.Token = write(t, "wrong") }},
		"nkey": {func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} }, nats.Nkey(public, user.Sign),
			func(c *NATSConfig) { c.NKey = write(t, string(seed)) }, func(c *NATSConfig) { c.NKey = "" }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBroker(t, func(o *server.Options) { o.TLSConfig, o.TLS, o.TLSTimeout = srv, true, 60; c.server(o) }).produces(nats.Secure(client), c.mine)
			cfg := b.config()
			cfg.TLS = TLS{CA: ca}
			c.good(&cfg)
			src, err := NATS(cfg)
			comes(t, src, err, func(lines ...string) { b.produce("eve.x", lines...) })
			c.bad(&cfg)
			src, err = NATS(cfg)
			fails(t, src, err)
			c.good(&cfg)
			cfg.TLS = TLS{}
			src, err = NATS(cfg)
			fails(t, src, err)
		})
	}
}

// A user of an operator's accounts has a file of credentials.
func TestNATSWithCredentials(t *testing.T) {
	pair := func(make func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		k, err := make()
		if err != nil {
			t.Fatal(err)
		}
		p, err := k.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		return k, p
	}
	signed := func(text string, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	operator, op := pair(nkeys.CreateOperator)
	account, acc := pair(nkeys.CreateAccount)
	system, sys := pair(nkeys.CreateAccount)
	user, us := pair(nkeys.CreateUser)
	_ = system
	claims := jwt.NewAccountClaims(acc)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	resolver := &server.MemAccResolver{}
	for id, text := range map[string]string{acc: signed(claims.Encode(operator)), sys: signed(jwt.NewAccountClaims(sys).Encode(operator))} {
		if err := resolver.Store(id, text); err != nil {
			t.Fatal(err)
		}
	}
	trusted, err := jwt.DecodeOperatorClaims(signed(jwt.NewOperatorClaims(op).Encode(operator)))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	creds, err := jwt.FormatUserConfig(signed(jwt.NewUserClaims(us).Encode(account)), seed)
	if err != nil {
		t.Fatal(err)
	}
	b := newBroker(t, func(o *server.Options) {
		o.TrustedOperators, o.AccountResolver, o.SystemAccount = []*jwt.OperatorClaims{trusted}, resolver, sys
	}).produces(nats.UserCredentialBytes(creds))
	cfg := b.config()
	cfg.Credentials = write(t, string(creds))
	src, err := NATS(cfg)
	comes(t, src, err, func(lines ...string) { b.produce("eve.x", lines...) })
	cfg.Credentials = ""
	src, err = NATS(cfg)
	fails(t, src, err)
}

// A broker names another one, which the configuration does not: it is not connected to.
func TestOnlyConfiguredAddresses(t *testing.T) {
	k := newKafka(t).produces()
	lines, _ := events(0, 100)
	k.produce(lines...)
	cfg := k.config()
	other := cfg.Brokers[1]
	cfg.Brokers = cfg.Brokers[:1]
	src, err := Kafka(cfg)
	if err != nil {
		t.Fatal(err)
	}
	run := start(src, &sensor{report: newNode().report})
	until(t, "the error", func() bool { return strings.Contains(src.Counts().Error, other) })
	run.end(t, nil)
}

func TestConfigurations(t *testing.T) {
	decode := func(text string, into any) error {
		d := toml.NewDecoder(strings.NewReader(text))
		d.DisallowUnknownFields()
		return d.Decode(into)
	}
	for _, c := range []struct{ text, at string }{
		{`brokers=["a:1"] topics=["t"] group="g"`, ""},
		{`brokers=["a:1","[::1]:2"] topics=["t"] group="g" from="newest" tls="on" ca_file="x" cert_file="c" key_file="k" sasl="scram-sha-512" user="u" password_file="p"`, ""},
		{`topics=["t"] group="g"`, "brokers"},
		{`brokers=["a"] topics=["t"] group="g"`, "brokers"},
		{`brokers=["a:1"] group="g"`, "topics"},
		{`brokers=["a:1"] topics=[""] group="g"`, "topics"},
		{`brokers=["a:1"] topics=["t"]`, "group"},
		{`brokers=["a:1"] topics=["t"] group="g" from="here"`, "from"},
		{`brokers=["a:1"] topics=["t"] group="g" tls="maybe"`, "tls"},
		{`brokers=["a:1"] topics=["t"] group="g" tls="off" ca_file="x"`, "tls"},
		{`brokers=["a:1"] topics=["t"] group="g" cert_file="x"`, "cert_file"},
		{`brokers=["a:1"] topics=["t"] group="g" user="x"`, "sasl"},
		{`brokers=["a:1"] topics=["t"] group="g" sasl="gssapi"`, "sasl"},
		{`brokers=["a:1"] topics=["t"] group="g" sasl="plain" tls="off" user="u" password_file="p"`, "sasl"},
		{`brokers=["a:1"] topics=["t"] group="g" sasl="plain" user="u"`, "user"},
	} {
		var cfg KafkaConfig
		if err := decode(strings.ReplaceAll(c.text, " ", "\n"), &cfg); err != nil {
			t.Fatal(c.text, err)
		}
		if err := cfg.Validate(); c.at == "" && err != nil || c.at != "" && fault.As(err).Pointer != c.at {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	for _, c := range []struct{ text, at string }{
		{`servers=["a:1"] stream="S" group="g"`, ""},
		{`servers=["a:1"] stream="S" group="g" subjects=["a.>"] from="oldest" tls="off" nkey_file="x"`, ""},
		{`stream="S" group="g"`, "servers"},
		{`servers=["a:1"] stream="S.T" group="g"`, "stream"},
		{`servers=["a:1"] stream="S" group="g.h"`, "group"},
		{`servers=["a:1"] stream="S" group="g" subjects=[""]`, "subjects"},
		{`servers=["a:1"] stream="S" group="g" from="then"`, "from"},
		{`servers=["a:1"] stream="S" group="g" nkey_file="x" token_file="y"`, "user"},
		{`servers=["a:1"] stream="S" group="g" user="x"`, "user"},
		{`servers=["a:1"] stream="S" group="g" tls="off" token_file="x"`, "tls"},
	} {
		var cfg NATSConfig
		if err := decode(strings.ReplaceAll(c.text, " ", "\n"), &cfg); err != nil {
			t.Fatal(c.text, err)
		}
		if err := cfg.Validate(); c.at == "" && err != nil || c.at != "" && fault.As(err).Pointer != c.at {
			t.Errorf("%s: %v", c.text, err)
		}
	}
	if decode("more=1", &KafkaConfig{}) == nil || decode("lease=1", &NATSConfig{}) == nil {
		t.Error("what is no setting is not overlooked")
	}
	for _, c := range []NATSConfig{{Credentials: "/none"}, {NKey: write(t, "no seed")}, {User: "u", Password: write(t, "\n")}, {Token: "/none"}, {TLS: TLS{CA: "/none"}}} {
		c.Servers, c.Stream, c.Group = []string{"a:1"}, "S", "g"
		if _, err := NATS(c); fault.Of(err) != fault.Invalid {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := Kafka(KafkaConfig{Brokers: []string{"a:1"}, Topics: []string{"t"}, Group: "g", SASL: "plain", User: "u", Password: "/none"}); fault.Of(err) != fault.Invalid {
		t.Error(err)
	}
}
