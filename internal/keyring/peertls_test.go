package keyring

import (
	"crypto/ed25519"
	"crypto/tls"
	"testing"
	"time"

	"entente/keylog"
)

// knows is what a node knows that mirrors the key logs of these.
func knows(at func() time.Time, partners ...*Ring) KnowPeer {
	return func(public ed25519.PublicKey) (Peer, bool) {
		for _, p := range partners {
			if peer, ok := PeerIn(p.KeyState(), public, at()); ok {
				return peer, true
			}
		}
		return Peer{}, false
	}
}

// Threat rows 1 and 2: a partner is the node that its key log names, by a connection that no recording breaks later, or it is nobody.
func TestConnectionsBetweenNodes(t *testing.T) {
	now := time.Now()
	at := func() time.Time { return now }
	ring := func(nation string) *Ring {
		r, err := Create(t.TempDir(), Names{Nation: nation, Org: nation + " CERT"}, at)
		must(t, err)
		return r
	}
	uto, rur, eve := ring("UTO"), ring("RUR"), ring("EVE")
	server, _ := uto.PeerTLS(knows(at, rur))
	_, client := rur.PeerTLS(knows(at, uto))
	_, stranger := eve.PeerTLS(knows(at, uto))
	_, naive := rur.PeerTLS(knows(at, eve))

	state, err := handshake(t, server, client)
	must(t, err)
	if state.Version != tls.VersionTLS13 || state.CurveID != tls.X25519MLKEM768 {
		t.Errorf("%x %v", state.Version, state.CurveID)
	}
	if peer, ok := PeerOf(state, knows(at, uto)); !ok || peer.Nation != "UTO" || peer.Org != "UTO CERT" || peer.Node != NodeName {
		t.Errorf("%+v", peer)
	}
	if state.PeerCertificates[0].Subject.String() != "CN=entente" || len(state.PeerCertificates[0].DNSNames) != 0 {
		t.Errorf("the certificate says who it is to anybody: %v", state.PeerCertificates[0].Subject)
	}
	with := func(base *tls.Config, change func(*tls.Config)) *tls.Config {
		c := base.Clone()
		change(c)
		return c
	}
	ca := clientCert(t, uto, "una")
	for name, c := range map[string][2]*tls.Config{
		"a node that no log names":               {server, stranger},
		"a server that the client does not know": {server, naive},
		"no certificate":                         {server, with(client, func(c *tls.Config) { c.GetClientCertificate = nil })},
		"a certificate of the authority":         {server, with(client, func(c *tls.Config) { c.GetClientCertificate = nil; c.Certificates = []tls.Certificate{ca} })},
		"TLS 1.2": {server, with(client, func(c *tls.Config) {
			c.MinVersion, c.MaxVersion, c.CurvePreferences = tls.VersionTLS12, tls.VersionTLS12, nil
		})},
		"a classical client": {server, with(client, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} })},
		"another hybrid":     {server, with(client, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.SecP256r1MLKEM768} })},
		"a classical server": {with(server, func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519} }), client},
	} {
		if _, err := handshake(t, c[0], c[1]); err == nil {
			t.Errorf("%s: connected", name)
		}
	}

	old := signerID(t, rur, keylog.RoleNode)
	_, err = rur.RotateKey(keylog.RoleNode, 2*time.Hour)
	must(t, err)
	for range 3 { // before, between and after the turn
		if _, err := handshake(t, server, client); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
	}
	if rur.KeyState().Valid(old, keylog.RoleNode, now) == nil {
		t.Fatal("the old key still counts")
	}
	must(t, rur.RevokeKey(signerID(t, rur, keylog.RoleNode), time.Time{}, "closed"))
	if _, err := handshake(t, server, client); err == nil {
		t.Error("a revoked key connects")
	}
	now = now.Add(keyLife)
	_, late := eve.PeerTLS(knows(at, uto))
	patient, _ := uto.PeerTLS(knows(at, eve))
	if _, err := handshake(t, patient, late); err == nil {
		t.Error("an expired key connects")
	}
}
