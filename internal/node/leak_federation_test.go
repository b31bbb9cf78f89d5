package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/accord"
	"entente/internal/exchange"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/identity"
	"entente/internal/keyring"
	"entente/internal/surface/api"
	"entente/keylog"
	"entente/label"
	"entente/peer"
)

var objectID = regexp.MustCompile(`[a-z-]+--[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// leakPair is a node that gives, and one that is given: a leakWorld, whose viewers are asked. What they have of keys and secrets is the same in every pair that is a copy
// of the same two directories.
type leakPair struct {
	*leakWorld
	giver  *Node
	other  *keyring.Ring // of a nation without a node here
	hidden bool
}

const giving, given, outsider = "GIV", "UTO", "MAL"

func (p *leakPair) open(data string, tokens map[string]string) {
	p.leakWorld = &leakWorld{t: p.t, names: map[string]string{}, tokens: tokens, hidden: func(string) bool { return true }}
	p.clock.Store(clockOfLeaks * 1_000_000)
	start := func(code string) *Node {
		cfg := DefaultConfig(filepath.Join(data, code))
		cfg.Now = p.now
		n, err := New(context.Background(), cfg)
		p.must(err)
		p.t.Cleanup(func() { n.close() })
		return n
	}
	p.giver, p.n = start(giving), start(given)
	p.admin = api.NewClient("http://local", p.n.Local(), nil)
	p.n.federation.Start() // which carries out orders
	p.settle = func() { p.must(p.n.federation.Settle(context.Background())) }
}

// signed has an accord signed by the giver and by the ring of the other party, and taken by nodes.
func (p *leakPair) signed(text string, ring *keyring.Ring, nodes ...*Node) {
	p.t.Helper()
	b, err := accord.NewBundle([]byte(text), p.giver.ring.Names().Realm)
	p.must(err)
	for _, r := range []*keyring.Ring{p.giver.ring, ring} {
		s, err := r.Signer(keylog.RoleAccord)
		p.must(err)
		p.must(b.Sign(s))
	}
	for _, n := range nodes {
		v, err := n.accords.Add(context.Background(), adminOf(n), b.Bytes())
		p.must(err)
		for _, code := range []string{giving, given, outsider} {
			p.must(n.accords.Held(context.Background(), v.Digest, code))
		}
	}
}

func adminOf(n *Node) gate.Viewer { return (&world{n: n}).admin() }

// carry brings what the giver gives to the other node, and waits until its orders are carried out.
func (p *leakPair) carry() {
	p.t.Helper()
	p.tick()
	ctx := context.Background()
	p.must(p.giver.federation.Settle(ctx))
	from := federation.WithCaller(ctx, federation.Caller{Nation: given, Org: cert(given)})
	heads, err := p.giver.federation.Backend().Logs(from)
	p.must(err)
	for _, h := range heads {
		at, _ := p.n.ledger.Log(ctx, h.Origin)
		for size := at.Size; size < h.Size; {
			b, err := p.giver.federation.Backend().Log(from, h.Origin, peer.Pull{From: size, Known: at.Signed.Size})
			p.must(err)
			p.must(p.n.federation.Backend().Push(federation.WithCaller(ctx, federation.Caller{Nation: giving, Org: cert(giving)}), b))
			at, err = p.n.ledger.Log(ctx, h.Origin)
			p.must(err)
			size = at.Size
		}
	}
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if waiting, err := p.n.ledger.Orders(ctx, "", 0); err == nil && len(waiting) == 0 {
			return
		} else if time.Now().After(deadline) {
			p.t.Fatalf("%d orders wait, %v", len(waiting), err)
		}
	}
}

func (p *leakPair) gives(l label.Label, objects ...string) {
	p.t.Helper()
	for _, o := range objects { // one after the other: what is given together has no order
		q := &partnered{world: &world{t: p.t, n: p.giver}}
		q.keep(o, l)
		p.must(p.giver.federation.Settle(context.Background()))
	}
}

func (p *leakPair) relabels(id string, l label.Label) {
	p.t.Helper()
	_, err := p.giver.exchange.Relabel(context.Background(), adminOf(p.giver), exchange.Relabelling{ID: id, Label: l})
	p.must(err)
}

// secretly does what those who are asked must not know of.
func (p *leakPair) secretly(do func()) {
	if p.hidden {
		do()
	}
}

// day is what happens before viewers are asked, the first time and the second.
func (p *leakPair) day(again bool) {
	p.t.Helper()
	ctx := context.Background()
	shared, own, others := only(label.Amber, giving, given), only(label.Red, giving), only(label.Amber, giving, outsider)
	described := func(n int, name, text, modified string) string {
		return sdo("tool", n, name, "", modified, `"description":"`+text+`"`)
	}
	rel := func(n int, from, to string) string {
		return strings.Replace(relationship(n, from, to, ""), `,"object_marking_refs":[""]`, "", 1)
	}
	if !again {
		p.gives(shared, sdo("indicator", 2, "Shared 2", "", first), sdo("indicator", 50, "Shared 50", "", first), sdo("malware", 90, "Shared 90", "", first), sdo("campaign", 60, "Shared 60", "", first),
			described(80, "Shared 80", "stripped", first), described(81, "Shared 81", "stripped", first), rel(2001, fixedID("indicator", 2), fixedID("malware", 90)), rel(2002, fixedID("tool", 80), fixedID("campaign", 60)))
		p.carry()
		p.secretly(func() {
			p.signed(strings.ReplaceAll(between("giv-mal", 1, "indicator, malware, campaign, tool, relationship", "", giving, outsider), "retain  = \"365d\"", "retain  = \"300d\""), p.other, p.giver)
			p.gives(others, sdo("malware", 3001, p.taint("name", 1), "", first), sdo("indicator", 2, p.taint("name", 2), "", second))
			p.gives(own, sdo("indicator", 1000, p.taint("name", 3), "", first))
			p.gives(shared, rel(2000, fixedID("indicator", 2), fixedID("indicator", 1000)), described(80, "Shared 80", p.taint("text", 4), second))
			p.relabels(fixedID("malware", 3001), only(label.AmberStrict, giving, outsider))
			p.gives(own, described(777, p.taint("name", 5), p.taint("text", 5), first))
		})
		p.carry()
		return
	}
	_, err := p.giver.federation.TakeBack(ctx, fixedID("malware", 90), peer.Retract, "wrong")
	p.must(err)
	p.secretly(func() {
		_, err := p.giver.federation.TakeBack(ctx, fixedID("malware", 3001), peer.Retract, "wrong")
		p.must(err)
		_, err = p.giver.exchange.Purge(ctx, adminOf(p.giver), fixedID("indicator", 1000), false)
		p.must(err)
		_, err = p.giver.accords.Say(ctx, adminOf(p.giver), "giv-mal", accord.Suspend, "")
		p.must(err)
		p.gives(shared, described(81, "Shared 81", p.taint("text", 6), second))
	})
	strict := shared
	strict.PAP = label.PAPRed
	p.relabels(fixedID("campaign", 60), strict)
	p.gives(shared, described(81, "Shared anew 81", "stripped", third), sdo("indicator", 50, "Shared anew 50", "", third))
	_, err = p.giver.exchange.Purge(ctx, adminOf(p.giver), fixedID("tool", 80), false)
	p.must(err)
	p.carry()
}

// asks makes every request that reads, and of every object that was met every question.
func (p *leakPair) asks(s *session, script leakScript) {
	run(s, script)
	var ids []string
	for _, l := range s.lines {
		for _, id := range objectID.FindAllString(l.answer, -1) {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	for _, r := range api.Routes() {
		if r.Method == "GET" && strings.HasPrefix(r.Path, "/objects/{id}") && strings.Count(r.Path, "{") == 1 {
			for _, id := range ids {
				s.get(api.Prefix + strings.Replace(r.Path, "{id}", id, 1))
			}
		}
	}
	for _, path := range []string{"/accords/giv-uto", "/accords/giv-mal", "/accords/giv-uto/file", "/peers/GIV", "/peers/MAL", "/objects?nation=GIV"} {
		s.get(api.Prefix + path)
	}
}

// TestNothingHiddenAtTheGiverShows: what a partner keeps from a nation does not change a byte of any answer that the nation's node gives to anybody: to its own analysts and
// officers, and to those of others, whether they read or change something.
func TestNothingHiddenAtTheGiverShows(t *testing.T) {
	data := t.TempDir()
	other, err := keyring.Create(t.TempDir(), keyring.Names{Nation: outsider, Org: cert(outsider)}, func() time.Time { return time.Unix(clockOfLeaks-3600, 0) })
	must(t, err)
	for _, code := range []string{giving, given} {
		must(t, Create(t.Context(), Init{Data: filepath.Join(data, code), Nation: code, Org: cert(code), Now: func() time.Time { return time.Unix(clockOfLeaks-3600, 0) }}))
	}
	first := &leakPair{leakWorld: &leakWorld{t: t}, other: other}
	tokens := map[string]string{}
	first.open(data, tokens)
	_, err = first.n.ids.AddOrg(t.Context(), Local, identity.Org{Name: ruritania, Nation: "RUR"})
	must(t, err)
	for name, spec := range map[string]identity.TokenSpec{"ursula": {Roles: []string{gate.RoleAnalyst}}, "olga": {Roles: []string{gate.RoleOfficer, gate.RoleAuditor, gate.RoleSignatory, gate.RoleReleaser}}, "rita": {Org: ruritania, Roles: []string{gate.RoleAnalyst}}} {
		spec.Name = name
		tokens[name], _, err = first.n.ids.IssueToken(t.Context(), Local, spec)
		must(t, err)
	}
	for n, knows := range map[*Node][]*keyring.Ring{first.giver: {first.n.ring, other}, first.n: {first.giver.ring}} {
		for _, r := range knows {
			card, err := r.Card("")
			must(t, err)
			_, err = n.peers.Add(t.Context(), Local, card, r.KeyLog().Fingerprint())
			must(t, err)
		}
	}
	first.signed(strings.Replace(between("giv-uto", 1, "indicator, malware, campaign, relationship", "", giving, given), "  handle {", `  give "tools" {
    from    = [GIV]
    kind    = [tool]
    ceiling = AMBER
    strip   = ["tool.description"]
  }
  handle {`, 1), first.n.ring, first.giver, first.n)
	must(t, first.giver.close())
	must(t, first.n.close())

	reading, changing := leakScripts()
	delete(reading, "node GET /metrics") // it has how long things took
	a, b := &leakPair{leakWorld: &leakWorld{t: t}, other: other}, &leakPair{leakWorld: &leakWorld{t: t}, other: other, hidden: true}
	for _, p := range []*leakPair{a, b} {
		copied := t.TempDir()
		must(t, os.CopyFS(copied, os.DirFS(data)))
		must(t, filepath.WalkDir(copied, func(path string, d os.DirEntry, err error) error {
			mode := os.FileMode(0o600)
			if err == nil && d.IsDir() {
				mode = 0o700
			}
			return errors.Join(err, os.Chmod(path, mode))
		}))
		p.open(copied, tokens)
		p.streamFrom("ursula", "olga", "rita")
		p.day(false)
	}
	sessions := map[string][2]*session{}
	for _, who := range []string{"ursula", "olga", "rita", ""} {
		sessions[who] = [2]*session{a.as(who), b.as(who)}
	}
	pairs := map[*leakWorld]*leakPair{a.leakWorld: a, b.leakWorld: b}
	each := func(do func(p *leakPair, s *session)) {
		for _, who := range []string{"ursula", "olga", "rita", ""} {
			s := sessions[who]
			both(t, s[0], s[1], func(s *session) { do(pairs[s.w], s) })
			compareTranscripts(t, s[0], s[1])
			searchTaints(t, s[1], b.taints)
			if t.Failed() {
				t.Fatalf("as %q", who)
			}
		}
	}
	look := func(p *leakPair, s *session) { p.asks(s, reading) }
	each(look)
	both(t, a, b, func(p *leakPair) { p.day(true) })
	each(look)
	each(func(p *leakPair, s *session) { // who changes what it was given, and looks again
		run(s, changing)
		if s.name == "ursula" {
			p.asks(s, reading)
		}
	})
	seen := map[string]int{}
	for _, l := range sessions["ursula"][1].lines {
		for _, word := range []string{"Shared 2", "Shared 90", "Shared 80", "Shared anew 81", "Shared anew 50"} {
			seen[word] += strings.Count(l.answer, word)
		}
	}
	for _, word := range []string{"Shared 2", "Shared 90", "Shared 80", "Shared anew 81", "Shared anew 50"} {
		if seen[word] == 0 {
			t.Errorf("the analyst never met %q", word)
		}
	}
	if held := b.taints; len(held) < 6 {
		t.Errorf("only %d words are hidden", len(held))
	}
}
