package node

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/accord"
	"entente/decision"
	"entente/dsse"
	"entente/internal/decisions"
	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/keyring"
	"entente/internal/surface/api"
	"entente/keylog"
	"entente/label"
	"entente/peer"
	"entente/seal"
)

const drill = "exercise:storm"

var bothRealms = []string{keyring.Operational, drill}

// logIn is the key log of a nation in a realm: the same keys in each, which no node would have, so that nothing but the realm tells two things apart.
func logIn(t *testing.T, realm string, root, node *dsse.Private) *keylog.Log {
	t.Helper()
	l := keylog.New("UTO", realm)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	put := func(s keylog.Statement) {
		s.Time = at
		e, err := l.Draft(s)
		if err == nil {
			err = e.Add(root)
		}
		if err == nil {
			err = l.Append(e.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put(keylog.Statement{Kind: keylog.KindRoot, Root: &keylog.Root{Need: 1, Keys: []*dsse.Key{root.Key()}}})
	q, err := keylog.Request{Nation: "UTO", Realm: realm, Entry: keylog.Entry{Org: "ut.cert", Node: "one", Roles: []keylog.Role{keylog.RoleNode, keylog.RoleVote}}}.Sign(node)
	if err != nil {
		t.Fatal(err)
	}
	put(keylog.Statement{Kind: keylog.KindAdd, Entry: &q.Entry})
	return l
}

// ruled is an accord of a realm by which one party decides.
func ruled(t *testing.T, realm string) []byte {
	t.Helper()
	text, err := accord.New(accord.Template{Kind: "bilateral", Name: "pact", Nations: []string{"RUR", "UTO"}, Orgs: map[string]string{"RUR": "ru.cert", "UTO": "ut.cert"}, Effective: noon})
	if err != nil {
		t.Fatal(err)
	}
	if realm != keyring.Operational {
		text = regexp.MustCompile(`mode *= operational`).ReplaceAll(text, fmt.Appendf(nil, "mode = %q", realm))
	}
	text = bytes.Replace(text, []byte("  suspend {"), []byte("  decide \"one\" {\n    propose = any\n    consent = 1\n    deadline = \"24h\"\n    unreachable = abstains\n  }\n  suspend {"), 1)
	if text, err = accord.Format(text); err != nil {
		t.Fatal(err)
	}
	return text
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func proposed(t *testing.T, realm string) decision.Proposal {
	return decision.Proposal{V: 1, ID: "p", Round: 1, Accord: sha256.Sum256(ruled(t, realm)), Rule: "one", Nation: "UTO", Org: "ut.cert", Title: "x", Opens: noon, Deadline: noon.Add(time.Hour)}
}

// decidedBy is the certificate of what one party decided, by a key of it.
func decidedBy(t *testing.T, realm string, keys *keylog.State, voter dsse.Signer) ([]byte, error) {
	p := proposed(t, realm)
	proposal, err := decision.SignProposal(realm, p, voter)
	if err != nil {
		return nil, err
	}
	position, err := decision.SignPosition(realm, decision.Position{V: 1, Proposal: p.Digest(), Round: 1, Accord: p.Accord, Choice: decision.Consent, Nation: "UTO", Org: "ut.cert", Time: noon}, voter)
	if err != nil {
		return nil, err
	}
	bundle, err := accord.NewBundle(ruled(t, realm), realm)
	if err != nil {
		return nil, err
	}
	o := &decision.Opener{Realm: realm, Nations: []string{"UTO"}, Keys: func(nation string) *keylog.State {
		if nation != "UTO" {
			return nil
		}
		return keys
	}}
	c, result, err := o.Combine(decision.Parts{Accord: bundle, Proposal: proposal, Positions: [][]byte{position}})
	if err == nil && c == nil {
		err = fmt.Errorf("it is not decided: %+v", result)
	}
	return c, err
}

// decided is the certificate of a realm, by keys that no node has.
func decided(t *testing.T, realm string) []byte {
	t.Helper()
	root, err := dsse.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	voter, err := dsse.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	c, err := decidedBy(t, realm, logIn(t, realm, root, voter).State(), voter)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestNothingSignedCrossesRealms signs each thing that travels in one realm and reads it in the other, with the very same keys: it holds in its own realm alone.
func TestNothingSignedCrossesRealms(t *testing.T) {
	fresh := func() *dsse.Private {
		k, err := dsse.Generate(true)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	root, node := fresh(), fresh()
	logs := map[string]*keylog.Log{}
	for _, r := range bothRealms {
		logs[r] = logIn(t, r, root, node)
	}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	find := func(id string) *dsse.Key {
		if id == node.Key().ID() {
			return node.Key()
		}
		return nil
	}
	peerIn := func(realm string) *peer.Opener { return &peer.Opener{Realm: realm, Keys: find} }
	// The opener of decisions is given the key log of the other realm, too: both the log and the signature refuse it.
	said := func(realm string) *decision.Opener {
		return &decision.Opener{Realm: realm, Nations: []string{"UTO"}, Keys: func(string) *keylog.State { return logs[realm].State() }}
	}
	mine := func(string, string) []*dsse.Key { return []*dsse.Key{node.Key()} }
	pact, err := accord.New(accord.Template{Kind: "bilateral", Name: "pact", Nations: []string{"RUR", "UTO"}, Effective: now})
	if err != nil {
		t.Fatal(err)
	}
	about, err := accord.Parse("pact", pact)
	if err != nil {
		t.Fatal(err)
	}
	digest := accord.Digest(pact)
	origin := peer.Origin([]byte("a secret"), "Utopia CERT", "pact", []string{"org:RUR/Ruritania CERT"})
	private, err := seal.Generate()
	if err != nil {
		t.Fatal(err)
	}
	sealTo := seal.Statement{V: 1, Nation: "UTO", Org: "Utopia CERT", Epoch: 1, Key: private.Public(), NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(0, 0, 30)}
	// A thing that names its realm in the clear is moved to the other by changing that name: claim.
	claim := func(b []byte, from, to string) []byte {
		return bytes.ReplaceAll(b, []byte(fmt.Sprintf(`"realm":%q`, from)), []byte(fmt.Sprintf(`"realm":%q`, to)))
	}
	things := map[string]struct {
		sign func(realm string) ([]byte, error)
		open func(realm string, b []byte) error
	}{
		"a key log": {func(r string) ([]byte, error) { return logs[r].Bytes() },
			func(r string, b []byte) error {
				l, err := keylog.Parse(claim(b, other(r), r))
				if err == nil && l.Realm() != r {
					err = fmt.Errorf("of another realm")
				}
				return err
			}},
		"a key request": {func(r string) ([]byte, error) {
			q, err := keylog.Request{Nation: "UTO", Realm: r, Entry: keylog.Entry{Org: "Utopia CERT", Roles: []keylog.Role{keylog.RoleVote}}}.Sign(node)
			if err != nil {
				return nil, err
			}
			return keylog.EncodeRequests([]keylog.Request{q})
		}, func(r string, b []byte) error {
			if _, err := keylog.ParseRequests(claim(b, other(r), r)); err != nil {
				return err
			}
			_, err := keyring.Asked(b, "UTO", r, now)
			return err
		}},
		"a card": {func(r string) ([]byte, error) {
			return keylog.Card{Org: "ut.cert", Node: "one", Time: now, Log: logs[r]}.Sign(node)
		}, func(r string, b []byte) error {
			c, err := keylog.ParseCard(b)
			if err == nil && c.Log.Realm() != r {
				err = fmt.Errorf("of another realm")
			}
			return err
		}},
		"an accord": {func(r string) ([]byte, error) {
			b, err := accord.NewBundle(pact, r)
			if err == nil {
				err = b.Sign(node)
			}
			if err != nil {
				return nil, err
			}
			return b.Bytes(), nil
		}, func(r string, b []byte) error {
			bundle, err := accord.ParseBundle(claim(b, other(r), r))
			if err != nil {
				return err
			}
			standing, err := bundle.Signed(mine)
			if err == nil && !slices.ContainsFunc(standing, func(s accord.Standing) bool { return s.Have > 0 }) {
				err = fmt.Errorf("nobody signed it")
			}
			return err
		}},
		"a notice": {func(r string) ([]byte, error) {
			e, err := accord.Notice{Accord: digest, Verb: accord.Suspend, Party: "UTO", At: now}.Sign(r, node)
			return e.Bytes(), err
		}, func(r string, b []byte) error {
			e, err := dsse.Parse(b)
			if err == nil {
				_, err = accord.ReadNotice(&e, r, about, digest, mine)
			}
			return err
		}},
		"a rendition": {func(r string) ([]byte, error) {
			l := label.Bottom()
			l.TLP = label.Amber
			p, err := (&peer.Rendition{Accord: [32]byte{1}, Audience: []string{"org:RUR/Ruritania CERT"}, Class: peer.Full, Label: l, Nation: "UTO", Org: "Utopia CERT", Object: []byte(`{"type":"note"}`)}).Payload()
			if err != nil {
				return nil, err
			}
			b, err := peer.SignRenditions(r, [][]byte{p}, node)
			if err != nil {
				return nil, err
			}
			return b[0], nil
		}, func(r string, b []byte) error { _, _, err := peerIn(r).Rendition(b); return err }},
		"an order": {func(r string) ([]byte, error) {
			return peer.SignOrder(r, peer.Order{Do: "purge", Target: peer.Digest{1}, Time: now}, node)
		}, func(r string, b []byte) error { _, _, err := peerIn(r).Order(b); return err }},
		"a receipt": {func(r string) ([]byte, error) {
			return peer.SignReceipt(r, peer.Receipt{Origin: origin, Party: "RUR", Time: now, Acts: []peer.Act{{Did: peer.DidStore, At: now}}}, node)
		}, func(r string, b []byte) error { _, _, err := peerIn(r).Receipt(b); return err }},
		"a relay's word to the originator": {func(r string) ([]byte, error) {
			return peer.SignCustody(r, peer.Custody{Origin: origin, Of: "RUR", Nation: "UTO", Org: "Utopia CERT", Size: 7, Time: now}, node)
		}, func(r string, b []byte) error { _, _, err := peerIn(r).Custody(b); return err }},
		"a relay's word to a reader": {func(r string) ([]byte, error) {
			return peer.SignRelayHead(r, peer.RelayHead{Origin: origin, Of: "RUR", Nation: "UTO", Org: "Utopia CERT", Size: 7, Time: now}, node)
		}, func(r string, b []byte) error { _, _, err := peerIn(r).RelayHead(b); return err }},
		"a proposal": {func(r string) ([]byte, error) { return decision.SignProposal(r, proposed(t, r), node) },
			func(r string, b []byte) error { _, _, err := said(r).Proposal(b); return err }},
		"a word that an accord is declined": {func(r string) ([]byte, error) {
			e, err := accord.Notice{Accord: digest, Verb: accord.Decline, Party: "UTO", At: now}.Sign(r, node)
			return e.Bytes(), err
		}, func(r string, b []byte) error {
			e, err := dsse.Parse(b)
			if err == nil {
				_, err = accord.ReadNotice(&e, r, about, digest, mine)
			}
			return err
		}},
		"a certificate": {func(r string) ([]byte, error) { return decidedBy(t, r, logs[r].State(), node) }, func(r string, b []byte) error {
			_, err := decision.Verify(claim(b, other(r), r), func(nation string) *keylog.State {
				if nation != "UTO" {
					return nil
				}
				return logs[r].State()
			}, func(peer.Digest) bool { return true })
			return err
		}},
		"an acknowledgement of a proposal": {func(r string) ([]byte, error) {
			return decision.SignAck(r, decision.Ack{V: 1, Proposal: peer.Digest{1}, Round: 1, Nation: "UTO", Org: "ut.cert", Time: now}, node)
		}, func(r string, b []byte) error { _, err := said(r).Ack(b); return err }},
		"a position": {func(r string) ([]byte, error) {
			return decision.SignPosition(r, decision.Position{V: 1, Proposal: peer.Digest{1}, Round: 1, Accord: peer.Digest{2}, Choice: decision.Consent, Nation: "UTO", Org: "ut.cert", Time: now}, node)
		}, func(r string, b []byte) error { _, _, err := said(r).Position(b); return err }},
		"a report": {func(r string) ([]byte, error) {
			return decision.SignReport(r, decision.Report{V: 1, Proposal: peer.Digest{1}, Nation: "UTO", Org: "ut.cert", Did: decision.Executed, Time: now}, node)
		}, func(r string, b []byte) error { _, err := said(r).Report(b); return err }},
		"a key to seal to": {func(r string) ([]byte, error) { return sealTo.Sign(r, node) },
			func(r string, b []byte) error { _, _, err := seal.OpenStatement(b, r, find); return err }},
		"a sealed file": {func(r string) ([]byte, error) {
			var b bytes.Buffer
			w, err := seal.Seal(&b, r, "a test", []*seal.Statement{&sealTo}, now)
			if err == nil {
				_, err = io.WriteString(w, "text")
			}
			if err == nil {
				err = w.Close()
			}
			return b.Bytes(), err
		}, func(r string, b []byte) error {
			in, _, err := seal.Open(bytes.NewReader(b), r, "a test", func(seal.KeyID) *seal.Private { return private })
			if err == nil {
				_, err = io.ReadAll(in)
			}
			return err
		}},
		"a key of an epoch": {func(r string) ([]byte, error) { return seal.Wrap([32]byte{7}, &sealTo, r, "a test") },
			func(r string, b []byte) error { _, err := private.Unwrap(b, r, "a test"); return err }},
	}
	for name, thing := range things {
		for _, from := range bothRealms {
			b, err := thing.sign(from)
			if err != nil {
				t.Fatalf("%s of %s: %v", name, from, err)
			}
			for _, at := range bothRealms {
				switch err := thing.open(at, b); {
				case at == from && err != nil:
					t.Errorf("%s of %s does not hold there: %v", name, from, err)
				case at != from && err == nil:
					t.Errorf("%s of %s holds in %s", name, from, at)
				}
			}
		}
	}
}

func other(realm string) string {
	if realm == drill {
		return keyring.Operational
	}
	return drill
}

// home is a node of Utopia in one realm, with what else is there: a ring of Ruritania in the same realm.
type home struct {
	*Node
	dir     string
	client  *api.Client
	partner *keyring.Ring
}

func homeIn(t *testing.T, realm string) *home {
	t.Helper()
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "d")
	if err := Create(ctx, Init{Data: dir, Nation: "UTO", Org: "Utopia CERT", Realm: realm, AdminPassword: "correct horse battery"}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ConfigFile), []byte(fmt.Sprintf("realm = %q\n", realm)), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop(context.Background()) })
	partner, err := keyring.Create(t.TempDir(), keyring.Names{Nation: "RUR", Org: "Ruritania CERT", Realm: realm}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return &home{n, dir, api.NewClient("http://node", n.Local(), nil), partner}
}

// state is how far the journal has come: every change of anything that counts is in it.
func (h *home) state(t *testing.T) string {
	t.Helper()
	s, err := h.client.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	peers, err := h.client.Peers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var accords []string
	list, err := h.client.Accords(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		accords = append(accords, v.Digest)
	}
	return fmt.Sprint(s.Last, len(peers), accords, h.ring.KeyLog().Size())
}

// TestNothingEntersFromAnotherRealm offers a node everything that a node of another realm has, by every door, both ways: it is refused, and nothing changes. The
// same is taken in its own realm where it can be.
func TestNothingEntersFromAnotherRealm(t *testing.T) {
	ctx := t.Context()
	homes := map[string]*home{}
	for _, r := range bothRealms {
		homes[r] = homeIn(t, r)
	}
	for _, r := range bothRealms {
		here, there := homes[r], homes[other(r)]
		card, err := there.partner.Card("rur.example:7443")
		if err != nil {
			t.Fatal(err)
		}
		log := there.partner.KeyLog()
		pact, err := accord.New(accord.Template{Kind: "bilateral", Name: "pact", Nations: []string{"RUR", "UTO"}, Effective: time.Now().AddDate(0, 0, -1)})
		if err != nil {
			t.Fatal(err)
		}
		text := pact
		if other(r) == drill {
			text = bytes.Replace(pact, []byte("= operational"), []byte(`= "exercise:storm"`), 1)
		}
		bundle, err := accord.NewBundle(text, other(r))
		if err != nil {
			t.Fatal(err)
		}
		signer, err := there.partner.Signer(keylog.RoleAccord)
		if err == nil {
			err = bundle.Sign(signer)
		}
		if err != nil {
			t.Fatal(err)
		}
		notice, err := accord.Notice{Accord: bundle.Digest(), Verb: accord.Suspend, Party: "RUR", At: time.Now()}.Sign(other(r), signer)
		if err != nil {
			t.Fatal(err)
		}
		_, asked, err := keyring.NewPrivate("UTO", other(r), "Utopia CERT", time.Now(), keylog.RoleVote)
		if err != nil {
			t.Fatal(err)
		}
		request, err := keylog.EncodeRequests([]keylog.Request{asked})
		if err != nil {
			t.Fatal(err)
		}
		nodeKey, err := there.ring.Signer(keylog.RoleNode)
		if err != nil {
			t.Fatal(err)
		}
		ack, err := decision.SignAck(other(r), decision.Ack{V: 1, Proposal: peer.Digest{1}, Round: 1, Nation: "UTO", Org: "ut.cert", Time: time.Now().UTC().Truncate(time.Microsecond)}, nodeKey)
		if err != nil {
			t.Fatal(err)
		}
		voter, err := there.ring.Signer(keylog.RoleVote)
		if err != nil {
			t.Fatal(err)
		}
		position, err := decision.SignPosition(other(r), decision.Position{V: 1, Proposal: peer.Digest{1}, Round: 1, Accord: peer.Digest{2}, Choice: decision.Consent, Nation: "UTO", Org: "Utopia CERT", Time: time.Now().UTC().Truncate(time.Microsecond)}, voter)
		if err != nil {
			t.Fatal(err)
		}
		certificate := decided(t, other(r))
		token, _, err := there.ids.IssueToken(ctx, "node", identity.TokenSpec{Name: "crossing", Roles: []string{"reader"}})
		if err != nil {
			t.Fatal(err)
		}
		person, err := there.ids.AddUser(ctx, Local, identity.NewUser{Name: "rita", Org: "Utopia CERT", Roles: []string{"reader"}, Password: "correct horse battery"})
		if err != nil {
			t.Fatal(person, err)
		}
		in, err := there.ids.SignIn(ctx, "rita", "correct horse battery", identity.Client{})
		if err != nil || in.Cookie == "" {
			t.Fatal(in.State, err)
		}
		if _, err := there.ids.AuthenticateToken(ctx, token); err != nil {
			t.Fatal(err)
		}
		var backup bytes.Buffer
		if err := there.Backup(ctx, &backup); err != nil {
			t.Fatal(err)
		}
		sealed := there.ring.Seal("a test", []byte("secret"))
		envelope, err := there.ring.SignEnvelope("application/test", []byte("text"))
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(there.dir, storeFolder)
		into := filepath.Join(t.TempDir(), "again")
		before := here.state(t)
		for name, try := range map[string]func() error{
			"a card":                     func() error { _, err := here.client.AddPeer(ctx, "RUR", log.Fingerprint().String(), card); return err },
			"a card that is looked at":   func() error { _, err := here.client.ReviewPeer(ctx, card); return err },
			"the text of an accord":      func() error { _, err := here.client.AddAccord(ctx, text); return err },
			"an accord with signatures":  func() error { _, err := here.client.AddAccord(ctx, bundle.Bytes()); return err },
			"an accord from a partner":   func() error { return here.accords.Offer(ctx, "RUR", bundle.Bytes()) },
			"a notice":                   func() error { return here.accords.Hear(ctx, "RUR", notice.Bytes()) },
			"a key request":              func() error { _, err := here.ring.Asked(request); return err },
			"the own nation's other log": func() error { return here.ring.Join(there.ring.KeyLog()) },
			"a statement of a decision": func() error {
				return here.decisions.Hear(ctx, "UTO", decisions.Place{}, ack)
			},
			"a position that persons signed": func() error {
				_, err := here.decisions.Submit(ctx, gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: Local, Roles: everyRole(), Realm: r}, position, nil)
				return err
			},
			"a certificate": func() error {
				_, err := here.decisions.Verify(gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: Local, Roles: everyRole(), Realm: r}, certificate, func(string) (*keylog.Log, error) { return here.ring.KeyLog(), nil })
				if err != nil && !strings.Contains(err.Error(), "realm") {
					t.Errorf("it does not say why: %v", err)
				}
				return err
			},
			"a token":        func() error { _, err := here.ids.AuthenticateToken(ctx, token); return err },
			"a session":      func() error { _, _, err := here.ids.CheckSession(ctx, in.Cookie); return err },
			"a sealed value": func() error { _, err := here.ring.Open("a test", sealed); return err },
			"an envelope":    func() error { _, err := here.ring.OpenEnvelope("application/test", envelope, time.Now()); return err },
			"a backup": func() error {
				_, err := Restore(ctx, bytes.NewReader(backup.Bytes()), int64(backup.Len()), into, r)
				return err
			},
			"keys":     func() error { _, err := keyring.Open(there.dir, r, time.Now); return err },
			"a store":  func() error { return claim(folder, r) },
			"a ledger": func() error { return claim(filepath.Join(there.dir, ledgerFolder), r) },
			"an index": func() error { return claim(filepath.Join(there.dir, indexFolder), r) },
			"a partner's TLS key": func() error {
				for _, k := range there.partner.KeyState().All() {
					if _, ok := here.peers.Know(k.Key.Bytes()[:ed25519.PublicKeySize]); ok {
						return nil
					}
				}
				return fault.New(fault.Unauthenticated, "peer.unknown", "it is nobody's")
			},
		} {
			if err := try(); err == nil {
				t.Errorf("%s of %s is taken in %s", name, other(r), r)
			} else if k := fault.Of(err); k == fault.Internal {
				t.Errorf("%s: %v", name, err)
			}
			if after := here.state(t); after != before {
				t.Errorf("%s of %s changes what %s holds: %s, %s before", name, other(r), r, after, before)
			}
		}
		if _, err := os.Stat(into); err == nil {
			t.Error("a backup of another realm left something behind")
		}
		// In its own realm the card is taken: it is the realm that refused it.
		if _, err := there.client.AddPeer(ctx, "RUR", log.Fingerprint().String(), card); err != nil {
			t.Errorf("the card does not count in %s: %v", other(r), err)
		}
	}
}

// TestEveryAnswerSaysTheExercise asks by both doors; a node of operations says nothing of it.
func TestEveryAnswerSaysTheExercise(t *testing.T) {
	for _, r := range bothRealms {
		h := homeIn(t, r)
		want, _ := label.Mode(r).Exercise()
		for _, path := range []string{"/", "/healthz", "/auth/options", "/api/v1/me", "/api/v1/nothing", "/taxii2/", "/misp/nothing", "/assets/none", "/nowhere"} {
			for door, rt := range map[string]inProcess{"public": {h.public}, "local": {h.local}} {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://node"+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := rt.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if got := resp.Header.Get(exchange.ExerciseHeader); got != want {
					t.Errorf("%s of the %s door of %s says %q", path, door, r, got)
				}
			}
		}
	}
}
