package federation_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/keyring"
	"entente/internal/store"
	"entente/keylog"
	"entente/label"
)

// officer names a person of the nation's in its key log, and gives the key.
func (n *nation) officer(organisation string, role keylog.Role) keyring.Private {
	t := n.net.t
	t.Helper()
	p, q, err := keyring.NewPerson(n.code, "operational", organisation, "", n.net.now(), role)
	must(t, err)
	b, err := keylog.EncodeRequests([]keylog.Request{q})
	must(t, err)
	must(t, n.ring.Admit(b))
	return p
}

func (n *nation) look(r federation.Release) (federation.ReleaseReview, error) {
	return n.ReviewRelease(context.Background(), n.as(gate.RoleReleaser), r.Key, 0, func(string) error { return nil })
}

func (n *nation) releases(state string) (out []federation.Release) {
	all, err := n.Releases(context.Background(), n.as(gate.RoleReleaser))
	must(n.net.t, err)
	for _, r := range all {
		if r.State == state {
			out = append(out, r)
		}
	}
	return out
}

// sign has a person sign what a review shows.
func (n *nation) sign(p keyring.Private, r federation.Release) error {
	review, err := n.look(r)
	must(n.net.t, err)
	return n.hand(p, r, review.Statement)
}

func (n *nation) hand(p keyring.Private, r federation.Release, statement []byte) error {
	e, err := p.SignPerson(keylog.RoleRelease, federation.StatementType, statement)
	must(n.net.t, err)
	_, err = n.Decide(context.Background(), n.as(gate.RoleReleaser), federation.Decision{Key: r.Key, Sign: true, Envelope: e})
	return err
}

func (n *nation) body(id string) []byte {
	it, err := n.exchange.Get(context.Background(), n.as(gate.RoleAnalyst), "", id, store.Versions{})
	if err != nil {
		return nil
	}
	return it.Record.Body
}

// officered is an accord under which a release officer signs everything.
func officered(codes ...string) string {
	return strings.Replace(between("one", "malware", codes...), "    ceiling = AMBER\n", "    ceiling = AMBER\n    release-officer = required\n", 1)
}

// A person's word is about the bytes that it saw: those go, to the party that it named, and nothing else by it.
func TestAPersonReleases(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR")
	uto, rur := net.nodes["UTO"], net.nodes["RUR"]
	text := officered("UTO", "RUR")
	net.agree(text, "UTO", "RUR")
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.eventually("the first waits for the node's key", func() bool {
		r := uto.releases(federation.Waiting)
		return len(r) == 1 && r[0].Signing == federation.ByNode
	})
	first := uto.releases(federation.Waiting)[0]
	_, err := uto.Decide(context.Background(), uto.as(gate.RoleReleaser), federation.Decision{Key: first.Key, Sign: true})
	must(t, err)
	net.eventually("what the node's key released arrives", func() bool { return rur.sees(id("malware", 1)) })

	voter := uto.officer(org("UTO"), keylog.RoleVote)
	if got := uto.releases(federation.Signed); len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	other := uto.officer("uto.mofa", keylog.RoleRelease)
	mine := uto.officer(org("UTO"), keylog.RoleRelease)
	uto.push(malware(2, v1), to(label.Amber, "RUR"))
	net.eventually("the second waits for a person", func() bool {
		r := uto.releases(federation.Waiting)
		return len(r) == 1 && r[0].Signing == federation.ByPerson
	})
	second := uto.releases(federation.Waiting)[0]
	_, err = uto.Decide(context.Background(), uto.as(gate.RoleReleaser), federation.Decision{Key: second.Key, Sign: true})
	code(t, err, "release.person")
	_, err = voter.SignPerson(keylog.RoleRelease, federation.StatementType, nil)
	code(t, err, "key.role")
	code(t, uto.sign(other, second), "release.signature")
	stranger, _, err := keyring.NewPerson("UTO", "operational", org("UTO"), "", net.now(), keylog.RoleRelease)
	must(t, err)
	code(t, uto.sign(stranger, second), "release.signature")

	review, err := uto.look(second)
	must(t, err)
	for name, change := range map[string][2]string{ // whatever was signed of it is what would go, or nothing goes
		"another object": {`"object":"sha256:`, `"object":"sha256:0`}, "another party": {`"party":"RUR/rur.cert"`, `"party":"FRE/fre.cert"`}, "another accord": {`"digest":"sha256:`, `"digest":"sha256:1`},
		"another clause": {"give all", "give everything"}, "another version": {`"version":"2026-11-01`, `"version":"2026-11-02`}, "a looser label": {`"tlp":"TLP:AMBER"`, `"tlp":"TLP:CLEAR"`},
	} {
		changed := strings.Replace(string(review.Statement), change[0], change[1], 1)
		if changed == string(review.Statement) {
			t.Errorf("%s: nothing changed in %s", name, review.Statement)
		} else if err := uto.hand(mine, second, []byte(changed)); err == nil {
			t.Errorf("%s was released", name)
		}
	}
	if rur.sees(id("malware", 2)) {
		t.Fatal("it went before it was signed")
	}
	must(t, uto.hand(mine, second, review.Statement))
	net.eventually("what the officer released arrives", func() bool { return rur.sees(id("malware", 2)) })
	if got := rur.body(id("malware", 2)); string(got) != string(review.Body) {
		t.Errorf("%s went, and %s was signed", got, review.Body)
	}
	done := uto.releases(federation.Signed)
	if len(done) != 2 || done[1].Holder != mine.Holder || done[1].Signer != mine.Key.Key().ID() {
		t.Fatalf("%+v", done)
	}

	// Anyone verifies it later, by the key log alone.
	file, err := uto.ReleaseBundle(context.Background(), uto.as(gate.RoleAuditor), second.Key)
	must(t, err)
	st, by, log, err := federation.OpenRelease(file, nil)
	if err != nil || by[0].Holder != mine.Holder || st.Object != federation.ObjectDigest(review.Body) || log.Fingerprint() != uto.ring.KeyLog().Fingerprint() {
		t.Errorf("%+v %v", st, err)
	}
	if _, _, _, err := federation.OpenRelease(file, rur.ring.KeyLog()); err == nil {
		t.Error("another nation's key log vouches for it")
	}
	for i := 20; i < len(file); i += 97 {
		bad := append([]byte(nil), file...)
		bad[i] ^= 1
		if got, _, log, err := federation.OpenRelease(bad, uto.ring.KeyLog()); err == nil && got.Object != st.Object {
			t.Fatalf("byte %d: %+v %v", i, got, log.Nation())
		}
	}
}

// An officer's key that was in other hands released nothing since: what waits waits again, a stricter label reaches who has it, and a refusal takes it back.
func TestACompromisedOfficer(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR")
	uto, rur := net.nodes["UTO"], net.nodes["RUR"]
	mine := uto.officer(org("UTO"), keylog.RoleRelease)
	text := officered("UTO", "RUR")
	net.agree(text, "UTO", "RUR")
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.eventually("it waits", func() bool { return len(uto.releases(federation.Waiting)) == 1 })
	r := uto.releases(federation.Waiting)[0]
	before := net.now()
	must(t, uto.sign(mine, r))
	net.eventually("it arrives", func() bool { return rur.sees(id("malware", 1)) })

	must(t, uto.ring.CompromiseKey(mine.Key.Key().ID(), before.Add(-time.Minute), "lost"))
	waiting := uto.releases(federation.Waiting)
	if len(waiting) != 1 || len(waiting[0].Earlier) != 1 || !strings.Contains(waiting[0].Why, "compromised") {
		t.Fatalf("%+v", waiting)
	}
	code(t, uto.sign(mine, r), "release.signature")

	uto.relabel(id("malware", 1), v1, func() label.Label { l := to(label.Amber, "RUR"); l.PAP = label.PAPAmber; return l }())
	net.eventually("the stricter label is there", func() bool {
		it, err := rur.exchange.Get(context.Background(), rur.as(gate.RoleAnalyst), "", id("malware", 1), store.Versions{})
		return err == nil && it.Record.Label.PAP == label.PAPAmber
	})

	next := uto.officer(org("UTO"), keylog.RoleRelease)
	must(t, uto.sign(next, uto.releases(federation.Waiting)[0]))
	if !rur.sees(id("malware", 1)) || len(uto.releases(federation.Waiting)) != 0 {
		t.Error("it was released again, and is gone")
	}
	must(t, uto.ring.CompromiseKey(next.Key.Key().ID(), before.Add(-time.Minute), "lost too"))
	_, err := uto.Decide(context.Background(), uto.as(gate.RoleReleaser), federation.Decision{Key: r.Key, Reason: "never"})
	must(t, err)
	net.eventually("what was refused is destroyed there", func() bool { return !rur.sees(id("malware", 1)) })
}

func code(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || fault.As(err).MachineCode() != want {
		t.Errorf("%v, not %s", err, want)
	}
}
