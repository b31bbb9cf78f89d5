package keyring

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entente/internal/fault"
)

var utopia = Names{Nation: "UTO", Org: "Utopia CERT", Realm: Operational}

func clock() time.Time { return time.Now() }

func create(t testing.TB, names Names) (*Ring, string) {
	t.Helper()
	dir := t.TempDir()
	r, err := Create(dir, names, clock)
	if err != nil {
		t.Fatal(err)
	}
	return r, dir
}

func wantCode(t testing.TB, err error, kind fault.Kind, code string) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != kind || e.Code != code {
		t.Fatalf("got %v, want %s %s", err, kind, code)
	}
}

func TestARingOpensAsItWasMade(t *testing.T) {
	made, dir := create(t, utopia)
	token := made.Seal("cursor", []byte("page 7"))
	opened, err := Open(dir, "", clock)
	if err != nil {
		t.Fatal(err)
	}
	if !opened.PublicKey().Equal(made.PublicKey()) || !opened.CA().Equal(made.CA()) || !bytes.Equal(opened.Pepper(), made.Pepper()) || !bytes.Equal(opened.Secret("lookup"), made.Secret("lookup")) {
		t.Fatal("another ring came back")
	}
	if got, err := opened.Open("cursor", token); err != nil || string(got) != "page 7" {
		t.Fatalf("%q %v", got, err)
	}
	if opened.Names().Org != utopia.Org || opened.Realm() != Operational {
		t.Fatalf("%+v", opened.Names())
	}
	if bytes.Equal(made.Pepper(), made.Secret("lookup")) || len(made.Pepper()) != 32 {
		t.Fatal("secrets of two purposes are one")
	}
	if _, err := Create(dir, utopia, clock); fault.Of(err) != fault.Conflict {
		t.Fatalf("made again over a ring: %v", err)
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	_, dir := create(t, utopia)
	keys := filepath.Join(dir, "keys")
	entries, err := os.ReadDir(keys)
	if err != nil || len(entries) < 6 {
		t.Fatalf("%v %v", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s was left behind", e.Name())
		}
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		path := filepath.Join(keys, e.Name())
		for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
			os.Chmod(path, mode)
			_, err = Open(dir, "", clock)
			wantCode(t, err, fault.Forbidden, "keyring.permissions")
			if !strings.Contains(err.Error(), "chmod 0600 "+path) {
				t.Errorf("the error does not say what to do: %v", err)
			}
		}
		os.Chmod(path, 0o600)
	}
	os.Chmod(keys, 0o750)
	_, err = Open(dir, "", clock)
	wantCode(t, err, fault.Forbidden, "keyring.permissions")
	os.Chmod(keys, 0o700)
	if _, err := Open(dir, "", clock); err != nil {
		t.Fatal(err)
	}
}

func TestRealmsNeverMix(t *testing.T) {
	drill := Names{Nation: "UTO", Org: "Utopia CERT", Realm: "exercise:DRILL-1"}
	real, realDir := create(t, utopia)
	_, drillDir := create(t, drill)
	_, err := Open(realDir, drill.Realm, clock)
	wantCode(t, err, fault.Conflict, "keyring.realm")
	_, err = Open(drillDir, "", clock)
	wantCode(t, err, fault.Conflict, "keyring.realm")

	// The same key bytes in another realm give other secrets, and open and verify nothing.
	twin := &Ring{names: drill, root: real.root, sealing: real.sealing, own: real.own, log: real.log, now: clock}
	if bytes.Equal(twin.Pepper(), real.Pepper()) {
		t.Error("two realms share a secret")
	}
	if _, err := twin.Open("cursor", real.Seal("cursor", []byte("x"))); err == nil {
		t.Error("a token opens in another realm")
	}
	env, err := real.SignEnvelope("a/b", []byte("x"))
	must(t, err)
	if _, err := OpenEnvelope(drill.Realm, "a/b", env, real.PublicKey()); err == nil {
		t.Error("a signature holds in another realm")
	}

	for _, file := range []string{"signing", "org", "node", "release", "root", "keylog", "secret", "sealing", "ca", "server"} { // one file moved between realms
		_, dir := create(t, utopia)
		b, err := os.ReadFile(filepath.Join(drillDir, "keys", file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(filepath.Join(dir, "keys", file+".json"), b, 0o600)
		_, err = Open(dir, "", clock)
		wantCode(t, err, fault.Conflict, "keyring.realm")
	}
}

func TestDamagedFilesAreRefusedWithoutTheirContent(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"empty":          func(b []byte) []byte { return nil },
		"cut":            func(b []byte) []byte { return b[:len(b)/2] },
		"not JSON":       func(b []byte) []byte { return []byte("\x00\xff") },
		"unknown member": func(b []byte) []byte { return bytes.Replace(b, []byte("{"), []byte(`{"extra":1,`), 1) },
		"twice":          func(b []byte) []byte { return append(b, b...) },
		"huge":           func(b []byte) []byte { return append(b, bytes.Repeat([]byte(" "), maxFile)...) },
		"other purpose":  func(b []byte) []byte { return bytes.Replace(b, []byte(`"purpose": "`), []byte(`"purpose": "x`), 1) },
		"short secret": func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(`"secret": "`), []byte(`"secret": "QUFB", "was": "`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, file := range []string{"ring", "signing", "org", "node", "release", "root", "keylog", "secret", "sealing", "ca", "server"} {
				_, dir := create(t, utopia)
				path := filepath.Join(dir, "keys", file+".json")
				before, _ := os.ReadFile(path)
				after := damage(bytes.Clone(before))
				if bytes.Equal(before, after) {
					continue
				}
				os.WriteFile(path, after, 0o600)
				_, err := Open(dir, "", clock)
				wantCode(t, err, fault.Invalid, "keyring.damaged")
			}
		})
	}
	_, dir := create(t, utopia)
	path := filepath.Join(dir, "keys", "secret.json")
	b, _ := os.ReadFile(path)
	os.WriteFile(path, bytes.Replace(b, []byte(`"format": 1`), []byte(`"format": 2`), 1), 0o600)
	_, err := Open(dir, "", clock)
	wantCode(t, err, fault.Unsupported, "keyring.format")
	os.Remove(path)
	_, err = Open(dir, "", clock)
	wantCode(t, err, fault.NotFound, "keyring.missing")
	_, err = Open(filepath.Join(dir, "nowhere"), "", clock)
	wantCode(t, err, fault.NotFound, "keyring.missing")
}

func TestNamesThatNoCertificateCanCarry(t *testing.T) {
	for _, n := range []Names{
		{}, {Nation: "uto", Org: "x"}, {Nation: "UTO"}, {Nation: "UTO", Org: "a/b"}, {Nation: "UTO", Org: "a\x00b"}, {Nation: "UTO", Org: strings.Repeat("x", 129)},
		{Nation: "UTO", Org: "x", Realm: "exercise:"}, {Nation: "UTO", Org: "x", Realm: "drill"},
		{Nation: "UTO", Org: "x", Hosts: []string{"a b"}}, {Nation: "UTO", Org: "x", Hosts: []string{"*.example.org"}}, {Nation: "UTO", Org: "x", Hosts: []string{"h:8443"}},
	} {
		dir := t.TempDir()
		_, err := Create(dir, n, clock)
		if fault.Of(err) != fault.Invalid {
			t.Errorf("%+v: %v", n, err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%+v left %v behind", n, left)
		}
	}
}

func TestSealedTokens(t *testing.T) {
	r, _ := create(t, utopia)
	rapid.Check(t, func(t *rapid.T) {
		context := rapid.String().Draw(t, "context")
		plain := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "plain")
		token := r.Seal(context, plain)
		if strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("%q is not safe in a URL", token)
		}
		if got, err := r.Open(context, token); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%q %v", got, err)
		}
		if token == r.Seal(context, plain) {
			t.Fatal("two seals of one text are equal")
		}
		if _, err := r.Open(context+"x", token); err == nil {
			t.Fatal("it opens in another context")
		}
		at := rapid.IntRange(0, len(token)-1).Draw(t, "at")
		with := rapid.SampledFrom([]string{"A", "B", "_", "=", "", "AA"}).Draw(t, "with")
		if forged := token[:at] + with + token[at+1:]; forged != token {
			if _, err := r.Open(context, forged); err == nil {
				t.Fatal("a forged token opens")
			}
		}
	})
}

func TestRotation(t *testing.T) {
	r, dir := create(t, utopia)
	old := r.Seal("c", []byte("old"))
	if err := r.RotateSealing(); err != nil {
		t.Fatal(err)
	}
	fresh := r.Seal("c", []byte("fresh"))
	if old[:6] == fresh[:6] {
		t.Fatal("the old key still seals")
	}
	r, err := Open(dir, "", clock)
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]string{old: "old", fresh: "fresh"} {
		if got, err := r.Open("c", token); err != nil || string(got) != want {
			t.Fatalf("%q %v", got, err)
		}
	}
	for range maxKeys {
		if err := r.RotateSealing(); err != nil {
			t.Fatal(err)
		}
	}
	_, err = r.Open("c", old)
	wantCode(t, err, fault.Invalid, "seal.invalid")
	if _, err := Open(dir, "", clock); err != nil {
		t.Fatal(err)
	}
}

func FuzzOpen(f *testing.F) {
	r, _ := create(f, utopia)
	f.Add("c", r.Seal("d", []byte("x")))
	f.Add("", "")
	f.Add("c", "AQAAAAA")
	f.Fuzz(func(t *testing.T, context, token string) {
		if _, err := r.Open(context, token); err == nil {
			t.Fatal("something that was never sealed opened")
		}
	})
}

func TestClientCertificatesAreIssued(t *testing.T) {
	r, _ := create(t, utopia)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "root"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, request := range map[string][]byte{"new key": nil, "DER": csr, "PEM": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr})} {
		t.Run(name, func(t *testing.T) {
			out, err := r.IssueClient(ClientRequest{Nation: "RUR", Org: "Ruritania CERT", Person: "feeder", CSR: request})
			if err != nil {
				t.Fatal(err)
			}
			c := out.Certificate
			if c.Subject.CommonName != "feeder" || c.Subject.Organization[0] != "Ruritania CERT" || !strings.Contains(c.Subject.String(), "nation:RUR") || !r.ours(c) {
				t.Errorf("subject %s", c.Subject)
			}
			if _, err := c.Verify(x509.VerifyOptions{Roots: r.CAPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
				t.Error(err)
			}
			if (request == nil) != (len(out.KeyPEM) > 0) || c.SerialNumber.BitLen() < 64 || c.SerialNumber.BitLen() > 127 {
				t.Errorf("key %d bytes, serial %s", len(out.KeyPEM), c.SerialNumber)
			}
		})
	}
	csr[len(csr)-1] ^= 1
	for name, bad := range map[string]ClientRequest{
		"forged request": {Nation: "UTO", Org: "x", Person: "p", CSR: csr}, "no request": {Nation: "UTO", Org: "x", Person: "p", CSR: []byte("hello")},
		"no person": {Nation: "UTO", Org: "x"}, "too long": {Nation: "UTO", Org: "x", Person: "p", Life: 10 * clientLife}, "no nation": {Org: "x", Person: "p"},
		"long name": {Nation: "UTO", Org: "x", Person: strings.Repeat("p", 65)},
	} {
		if _, err := r.IssueClient(bad); fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRevocationList(t *testing.T) {
	r, _ := create(t, utopia)
	out, err := r.IssueClient(ClientRequest{Nation: "UTO", Org: "x", Person: "p"})
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.CRL([]Revoked{{Serial: out.Certificate.SerialNumber, At: clock()}}, 7)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(list)
	parsed, err := x509.ParseRevocationList(block.Bytes)
	if err != nil || parsed.CheckSignatureFrom(r.CA()) != nil || len(parsed.RevokedCertificateEntries) != 1 || parsed.RevokedCertificateEntries[0].SerialNumber.Cmp(out.Certificate.SerialNumber) != 0 {
		t.Fatalf("%+v %v", parsed, err)
	}
	if _, err := r.CRL([]Revoked{{}}, 8); fault.Of(err) != fault.Invalid {
		t.Fatal(err)
	}
}

func BenchmarkSeal(b *testing.B) {
	r, _ := create(b, utopia)
	for b.Loop() {
		r.Seal("cursor", []byte("0123456789abcdef0123456789abcdef"))
	}
}

func BenchmarkOpen(b *testing.B) {
	r, _ := create(b, utopia)
	token := r.Seal("cursor", []byte("0123456789abcdef0123456789abcdef"))
	for b.Loop() {
		if _, err := r.Open("cursor", token); err != nil {
			b.Fatal(err)
		}
	}
}
