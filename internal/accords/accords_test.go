package accords_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"entente/accord"
	"entente/dsse"
	"entente/internal/accords"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store/sqlite"
	"entente/label"
)

// world is some nations, each with a store and its accords, and one clock.
type world struct {
	t     *testing.T
	now   time.Time
	keys  map[string]*dsse.Private // by nation
	gone  error                    // why no key signs
	nodes map[string]*node
}

type node struct {
	*accords.Accords
	nation string
	w      *world
	dir    string
	db     *sqlite.Store
}

func newWorld(t *testing.T, nations ...string) *world {
	w := &world{t: t, now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), keys: map[string]*dsse.Private{}, nodes: map[string]*node{}}
	for _, n := range nations {
		k, err := dsse.Generate(true)
		if err != nil {
			t.Fatal(err)
		}
		w.keys[n] = k
		w.nodes[n] = &node{nation: n, w: w, dir: t.TempDir()}
		w.nodes[n].open()
		t.Cleanup(func() { w.nodes[n].db.Close() })
	}
	return w
}

func org(nation string) string { return nation + " CERT" }

func (n *node) open() {
	ctx := context.Background()
	clock := func() time.Time { return n.w.now }
	db, err := sqlite.Open(ctx, sqlite.Config{Dir: n.dir, Now: clock})
	if err != nil {
		n.w.t.Fatal(err)
	}
	g := gate.New(gate.Rules{Nation: n.nation, Org: org(n.nation), Realm: "operational"})
	a, err := accords.New(ctx, accords.Config{Nation: n.nation, Org: org(n.nation), Realm: "operational", Docs: db, Gate: func() *gate.Gate { return g }, Now: clock,
		Keys: func(nation, organisation string) []*dsse.Key {
			if k := n.w.keys[nation]; k != nil && (organisation == "" || organisation == org(nation)) {
				return []*dsse.Key{k.Key()}
			}
			return nil
		},
		OrgOf: func(nation string) string {
			if nation == "XER" { // which nobody has met
				return ""
			}
			return org(nation)
		}, Signer: func() (dsse.Signer, error) { return n.w.keys[n.nation], n.w.gone }})
	if err != nil {
		n.w.t.Fatal(err)
	}
	n.db, n.Accords = db, a
}

func (n *node) restart() {
	n.w.t.Helper()
	if err := n.db.Close(); err != nil {
		n.w.t.Fatal(err)
	}
	n.open()
}

// as is somebody of the node's organisation.
func (n *node) as(role string) gate.Viewer {
	return gate.Viewer{Nation: n.nation, Org: org(n.nation), Person: "pat", Roles: []string{role}, Realm: "operational"}
}

// exchange tells every party what the others say, until nobody has anything new.
func (w *world) exchange() {
	w.t.Helper()
	for range 4 {
		for nation, n := range w.nodes {
			for _, o := range n.Outgoing() {
				for _, to := range o.Parties {
					if err := w.nodes[to].Offer(context.Background(), nation, o.Bundle); err != nil {
						w.t.Fatalf("%s offers to %s: %v", nation, to, err)
					}
					if o.Complete {
						must(w.t, n.Held(context.Background(), o.Digest, to))
					}
					for _, e := range o.Notices {
						must(w.t, w.nodes[to].Hear(context.Background(), nation, e))
					}
				}
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// text is a version of an accord between UTO and RUR that gives indicators, and in later versions incidents too.
func text(version int, supersedes string) string {
	s, also := "", ""
	if version > 1 {
		s, also = fmt.Sprintf("  supersedes = %q\n", supersedes), ", incident"
	}
	return fmt.Sprintf(`accord "ut-ru" {
  version = %d
%s  mode = operational
  effective = "2026-11-01"
  expires = "2027-11-01"
  party "UTO" { keys = "keylog:ut" }
  party "RUR" { keys = "keylog:ru" }
  scope {
    organization = receiving-org
    clients      = none
    community    = parties
  }
  purpose = [net-defence]
  give "all" {
    from    = [UTO, RUR]
    kind    = [indicator%s]
    ceiling = AMBER
  }
  handle {
    default = AMBER
    onward  = none
    pap     = GREEN
  }
  suspend { by = any-party }
  terminate {
    notice   = "30d"
    purge    = "30d"
    receipts = required
  }
}
`, version, s, also)
}

// permits tells whether UTO may give a kind to RUR, as the named node judges.
func (n *node) permits(kind string) bool {
	n.w.t.Helper()
	audience, err := label.NewAudience(label.Nation("RUR"))
	must(n.w.t, err)
	for _, s := range n.Standings() {
		o := gate.Offer{Label: label.For(label.Green).To(audience), Origin: gate.Party{Nation: "UTO", Org: org("UTO")}, Kind: kind, Realm: label.OperationalMode, Size: 100, Closed: true}
		if s.Permit(o.Origin, gate.Party{Nation: "RUR", Org: org("RUR")}, &o, n.w.now, gate.Counters{}, nil).Permit() {
			return true
		}
	}
	return false
}

func TestAnAccordFromDraftToEnd(t *testing.T) {
	w := newWorld(t, "UTO", "RUR")
	ctx := context.Background()
	uto, rur := w.nodes["UTO"], w.nodes["RUR"]
	phase := func(n *node, version int, want accords.Phase) {
		t.Helper()
		v, err := n.Get(n.as(gate.RoleAnalyst), "ut-ru", version)
		if err != nil || v.Phase != want {
			t.Errorf("%s has version %d as %s (%v), want %s", n.nation, version, v.Phase, err, want)
		}
	}
	v1, err := uto.Add(ctx, uto.as(gate.RoleAnalyst), []byte(text(1, "")))
	must(t, err)
	phase(uto, 1, accords.Draft)
	if _, err := uto.Sign(ctx, uto.as(gate.RoleAnalyst), "ut-ru", 0); fault.Of(err) != fault.Forbidden {
		t.Errorf("who drafted it signs it: %v", err)
	}
	if w.exchange(); len(uto.Outgoing()) != 0 {
		t.Error("a draft went out")
	}
	_, err = uto.Sign(ctx, uto.as(gate.RoleSignatory), "ut-ru", 0)
	must(t, err)
	w.exchange()
	phase(rur, 1, accords.Proposed)
	if uto.permits("indicator") {
		t.Error("one signature is enough")
	}
	_, err = rur.Sign(ctx, rur.as(gate.RoleSignatory), v1.Digest, 0)
	must(t, err)
	w.exchange()
	for _, n := range w.nodes {
		phase(n, 1, accords.Active)
		if !n.permits("indicator") || n.permits("incident") {
			t.Errorf("%s: indicator %v, incident %v", n.nation, n.permits("indicator"), n.permits("incident"))
		}
	}

	// An amendment that widens counts when both have it; until then what both versions permit.
	must(t, added(uto.Add(ctx, uto.as(gate.RoleAnalyst), []byte(text(2, v1.Digest)))))
	must(t, added(uto.Sign(ctx, uto.as(gate.RoleSignatory), "ut-ru", 2)))
	w.exchange()
	if _, err := rur.Add(ctx, rur.as(gate.RoleAnalyst), []byte(text(2, "sha256:"+fmt.Sprintf("%064d", 0)))); fault.Of(err) != fault.Conflict {
		t.Errorf("a version that follows nothing: %v", err)
	}
	must(t, added(rur.Sign(ctx, rur.as(gate.RoleSignatory), "ut-ru", 2)))
	if rur.permits("incident") {
		t.Error("the amendment counts at RUR, and UTO does not have it")
	}
	w.exchange()
	for _, n := range w.nodes {
		phase(n, 1, accords.Superseded)
		phase(n, 2, accords.Active)
		if !n.permits("incident") {
			t.Errorf("%s does not permit what the amendment gives", n.nation)
		}
		n.restart()
	}

	must(t, added(rur.Say(ctx, rur.as(gate.RoleOfficer), "ut-ru", accord.Suspend, "an audit")))
	if rur.permits("indicator") || !uto.permits("indicator") {
		t.Error("a suspension counts where it is stated, and not before it is heard")
	}
	w.exchange()
	uto.restart()
	phase(uto, 2, accords.Suspended)
	if uto.permits("indicator") {
		t.Error("a suspension that was heard does not count")
	}
	w.now = w.now.Add(time.Hour)
	must(t, added(rur.Say(ctx, rur.as(gate.RoleOfficer), "ut-ru", accord.Resume, "")))
	w.exchange()
	if !uto.permits("indicator") {
		t.Error("the accord is not resumed")
	}
	must(t, added(uto.Say(ctx, uto.as(gate.RoleSignatory), "ut-ru", accord.Terminate, "")))
	w.exchange()
	w.now = w.now.Add(29 * 24 * time.Hour)
	if !rur.permits("indicator") {
		t.Error("the accord ended before its notice")
	}
	w.now = w.now.Add(25 * time.Hour)
	if rur.permits("indicator") || uto.permits("indicator") {
		t.Error("the accord did not end")
	}
	phase(rur, 2, accords.Ended)
}

func added(_ accords.View, err error) error { return err }

func TestWhatPartnersOfferIsTheirs(t *testing.T) {
	w := newWorld(t, "UTO", "RUR", "FRE")
	ctx := context.Background()
	uto, rur := w.nodes["UTO"], w.nodes["RUR"]
	must(t, added(uto.Add(ctx, uto.as(gate.RoleAnalyst), []byte(text(1, "")))))
	draft, err := uto.Bundle(uto.as(gate.RoleAnalyst), "ut-ru", 0)
	must(t, err)
	if err := rur.Offer(ctx, "UTO", draft); fault.Of(err) != fault.Unprocessable {
		t.Errorf("a draft is offered: %v", err)
	}
	must(t, added(uto.Sign(ctx, uto.as(gate.RoleSignatory), "ut-ru", 0)))
	signed, err := uto.Bundle(uto.as(gate.RoleAnalyst), "ut-ru", 0)
	must(t, err)
	if err := rur.Offer(ctx, "FRE", signed); fault.Of(err) != fault.NotFound {
		t.Errorf("somebody else offers it: %v", err)
	}
	if err := w.nodes["FRE"].Offer(ctx, "UTO", signed); fault.Of(err) != fault.Unprocessable {
		t.Errorf("it is offered to somebody else: %v", err)
	}
	if err := rur.Hear(ctx, "UTO", []byte(`{"payloadType":"x","payload":"","signatures":[{"keyid":"a","sig":""}]}`)); fault.Of(err) != fault.Unprocessable {
		t.Errorf("a notice about nothing: %v", err)
	}
	for _, src := range []string{"", "{", "accord", string(signed[:len(signed)/2])} {
		if err := rur.Offer(ctx, "UTO", []byte(src)); fault.Of(err) != fault.Unprocessable {
			t.Errorf("%.20q: %v", src, err)
		}
	}
	if vs, err := rur.List(rur.as(gate.RoleAnalyst)); err != nil || len(vs) != 0 {
		t.Errorf("%v %v", vs, err)
	}
	if _, err := rur.List(rur.as(gate.RolePublisher)); fault.Of(err) != fault.Forbidden {
		t.Error("a machine that only delivers lists accords")
	}
}

// An organisation takes part by the name that its key log has, whatever letters that is in; a name that no key log has binds nobody.
func TestOrganisationsAreNamedAsTheyAre(t *testing.T) {
	ctx := context.Background()
	for name, binds := range map[string]bool{"RUR CERT": true, "rur cert": false, "rur.cert": false} {
		w := newWorld(t, "UTO", "RUR")
		uto, rur := w.nodes["UTO"], w.nodes["RUR"]
		src := strings.Replace(text(1, ""), `party "RUR" {`, "party \"RUR\" {\n    org = \""+name+"\"\n   ", 1)
		src = strings.Replace(src, `"keylog:ru" }`, "\"keylog:ru\"\n  }", 1)
		v, err := uto.Add(ctx, uto.as(gate.RoleAnalyst), []byte(src))
		must(t, err)
		_, err = uto.Sign(ctx, uto.as(gate.RoleSignatory), v.Digest, 0)
		must(t, err)
		_, err = rur.Add(ctx, rur.as(gate.RoleAnalyst), []byte(src))
		must(t, err)
		if _, err = rur.Sign(ctx, rur.as(gate.RoleSignatory), v.Digest, 0); (err == nil) != binds {
			t.Errorf("RUR CERT signs for %s: %v", name, err)
		}
		w.exchange()
		v, err = uto.Get(uto.as(gate.RoleAnalyst), v.Digest, 0)
		must(t, err)
		if uto.permits("indicator") != binds || (v.Phase == accords.Active) != binds || v.Parties[1].Org != name {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// A key that may not sign any more is said to be why, and nothing is signed or stated.
func TestNoKeySigns(t *testing.T) {
	w := newWorld(t, "UTO", "RUR")
	uto, ctx := w.nodes["UTO"], context.Background()
	added, err := uto.Add(ctx, uto.as(gate.RoleAnalyst), []byte(text(1, "")))
	must(t, err)
	draft := added.Digest
	w.gone = fault.New(fault.Conflict, "keyring.key", "this node cannot sign as accord: the key was revoked")
	if v, err := uto.Sign(ctx, uto.as(gate.RoleSignatory), draft, 0); fault.Of(err) != fault.Conflict || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := uto.Say(ctx, uto.as(gate.RoleOfficer), draft, accord.Suspend, ""); fault.Of(err) != fault.Conflict || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := uto.Get(uto.as(gate.RoleOfficer), draft, 0); err != nil || v.Phase != accords.Draft || len(v.Notices) > 0 {
		t.Errorf("%+v, %v", v, err)
	}
}

// What cannot be put in force cannot be supposed, and the reason says what to do.
func TestWhatCannotBeSupposed(t *testing.T) {
	w := newWorld(t, "UTO", "RUR")
	uto := w.nodes["UTO"]
	who := uto.as(gate.RoleAnalyst)
	for _, tc := range []struct{ old, new, says string }{
		{"UTO", "SYL", "UTO is no party"},
		{"RUR", "XER", "key log is not here"},
		{`"2027-11-01"`, `"2026-10-01"`, "before it begins"},
		{`ceiling = AMBER`, `ceiling = PINK`, "ceiling"},
	} {
		src := strings.ReplaceAll(text(1, ""), tc.old, tc.new)
		if _, err := uto.SupposeText(who, []byte(src)); fault.Of(err) != fault.Unprocessable || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", tc.new, err)
		}
	}
	if _, err := uto.Suppose(who, "none", 0); fault.Of(err) != fault.NotFound {
		t.Error(err)
	}
	who.Roles = nil
	if _, err := uto.SupposeText(who, []byte(text(1, ""))); fault.Of(err) != fault.Forbidden {
		t.Error(err)
	}
}
