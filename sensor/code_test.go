package sensor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"testing"
	"time"
)

var clock = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// vouched makes a certificate, by itself or by another.
func vouched(t *testing.T, name string, ca bool, by *x509.Certificate, byKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	q := &x509.Certificate{SerialNumber: big.NewInt(int64(len(name))), Subject: pkix.Name{CommonName: name}, NotBefore: clock.Add(-time.Hour), NotAfter: clock.Add(time.Hour),
		BasicConstraintsValid: true, IsCA: ca}
	if ca {
		q.KeyUsage = x509.KeyUsageCertSign
	} else {
		q.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if by == nil {
		by, byKey = q, key
	}
	der, err := x509.CreateCertificate(rand.Reader, q, by, &key.PublicKey, byKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

func TestACodeNamesWhomToTrust(t *testing.T) {
	ca, caKey := vouched(t, "authority", true, nil, nil)
	node, _ := vouched(t, "node", false, ca, caKey)
	otherCA, otherKey := vouched(t, "other authority", true, nil, nil)
	other, _ := vouched(t, "other", false, otherCA, otherKey)
	for _, c := range []struct {
		name  string
		trust *x509.Certificate
		chain []*x509.Certificate
		at    time.Time
		good  bool
	}{
		{"the authority vouches for the server", ca, []*x509.Certificate{node, ca}, clock, true},
		{"the server's own certificate", node, []*x509.Certificate{node}, clock, true},
		{"another authority", ca, []*x509.Certificate{other, otherCA}, clock, false},
		{"the authority stands in the chain and vouches for nobody there", ca, []*x509.Certificate{other, ca}, clock, false},
		{"nobody shows anything", ca, nil, clock, false},
		{"after its time", ca, []*x509.Certificate{node, ca}, clock.Add(2 * time.Hour), false},
		{"its own certificate after its time", node, []*x509.Certificate{node}, clock.Add(2 * time.Hour), false},
	} {
		code, err := ParseCode(" " + NewCode(c.trust).String() + "\n")
		if err != nil {
			t.Fatal(err)
		}
		if err := code.Trusts(c.chain, c.at); (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCodesAreReadBackWholeOnly(t *testing.T) {
	ca, _ := vouched(t, "authority", true, nil, nil)
	code := NewCode(ca)
	if got, err := ParseCode(code.String()); err != nil || got != code {
		t.Fatalf("%v %v", got, err)
	}
	if NewCode(ca) == code {
		t.Fatal("two codes are the same")
	}
	for _, bad := range []string{"", "x", codePrefix, code.String()[:60], code.String() + "AA", strings.Replace(code.String(), codePrefix, "entente-sensor-2.", 1), codePrefix + strings.Repeat("A", 1<<20)} {
		if _, err := ParseCode(bad); err == nil {
			t.Errorf("took %.40q", bad)
		}
	}
}
