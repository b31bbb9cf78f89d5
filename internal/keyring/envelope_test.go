package keyring

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestAnEnvelopeHoldsForItsBytesItsTypeItsRealmAndItsKeyOnly(t *testing.T) {
	const kind = "application/vnd.entente.constituent+json"
	mine, err := Create(t.TempDir(), Names{Nation: "UTO", Org: "cert"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Create(t.TempDir(), Names{Nation: "UTO", Org: "cert"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	payload := []byte(`{"name":"Stadtwerke"}`)
	env, err := mine.SignEnvelope(kind, payload)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenEnvelope(Operational, kind, env, mine.PublicKey()); err != nil || !bytes.Equal(got, payload) {
		t.Fatalf("%s, %v", got, err)
	}
	var plain struct {
		PayloadType, Payload string
		Signatures           []struct{ KeyID, Sig string }
	}
	if err := json.Unmarshal(env, &plain); err != nil || plain.Payload != base64.StdEncoding.EncodeToString(payload) || !strings.HasPrefix(plain.PayloadType, kind) || len(plain.Signatures) != 1 {
		t.Errorf("not the form of DSSE: %s, %v", env, err)
	}
	changed := bytes.Replace(env, []byte(plain.Payload), []byte(base64.StdEncoding.EncodeToString([]byte(`{"name":"Stadtwerkf"}`))), 1)
	for name, open := range map[string]func() ([]byte, error){
		"other bytes": func() ([]byte, error) { return OpenEnvelope(Operational, kind, changed, mine.PublicKey()) },
		"other key":   func() ([]byte, error) { return OpenEnvelope(Operational, kind, env, other.PublicKey()) },
		"other realm": func() ([]byte, error) { return OpenEnvelope("exercise:NORTH", kind, env, mine.PublicKey()) },
		"other type":  func() ([]byte, error) { return OpenEnvelope(Operational, "text/plain", env, mine.PublicKey()) },
		"no signature": func() ([]byte, error) {
			return OpenEnvelope(Operational, kind, []byte(`{"payloadType":"x","payload":"","signatures":[]}`), mine.PublicKey())
		},
		"no envelope":   func() ([]byte, error) { return OpenEnvelope(Operational, kind, payload, mine.PublicKey()) },
		"not even JSON": func() ([]byte, error) { return OpenEnvelope(Operational, kind, []byte("{"), mine.PublicKey()) },
		"no key":        func() ([]byte, error) { return OpenEnvelope(Operational, kind, env, nil) },
	} {
		if got, err := open(); err == nil {
			t.Errorf("%s: opened as %s", name, got)
		}
	}
	two := bytes.Replace(env, []byte(`"signatures":[`), []byte(`"signatures":[{"keyid":"x","sig":"AAAA"},`), 1)
	if _, err := OpenEnvelope(Operational, kind, two, mine.PublicKey()); err != nil {
		t.Errorf("a signature of somebody else beside: %v", err)
	}
}

func FuzzOpenEnvelope(f *testing.F) {
	ring, err := Create(f.TempDir(), Names{Nation: "UTO", Org: "cert"}, time.Now)
	if err != nil {
		f.Fatal(err)
	}
	good, err := ring.SignEnvelope("t", []byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"payloadType":"t","payload":"eA==","signatures":[{"sig":""}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if payload, err := OpenEnvelope(Operational, "t", b, ring.PublicKey()); err == nil && string(payload) != "x" {
			t.Fatalf("a payload that nobody signed: %q", payload)
		}
	})
}
