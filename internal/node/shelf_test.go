package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
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
	"entente/internal/store"
	"entente/keylog"
	"entente/label"
	"entente/peer"
	"entente/taxii"
)

// partnered is a whole node of Utopia, and two nations that run none: each signs accords with keys that it keeps elsewhere, and fetches by TAXII.
type partnered struct {
	*world
	rings map[string]*keyring.Ring
}

func cert(nation string) string { return strings.ToLower(nation) + ".cert" }

func newPartners(t testing.TB, nations ...string) *partnered {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "d")
	must(t, Create(t.Context(), Init{Data: dir, Nation: "UTO", Org: cert("UTO"), AdminPassword: password}))
	w := &world{t: t, cfg: DefaultConfig(dir), tokens: map[string]string{}}
	w.cfg.Listen = "127.0.0.1:0"
	w.cfg.Limits.Patience = 2 * time.Minute // also that for what is to lie on the shelf
	w.cfg.Now = func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }
	for _, code := range nations {
		w.cfg.Federation.TAXII = append(w.cfg.Federation.TAXII, code+"/"+cert(code))
	}
	w.start()
	t.Cleanup(w.stop)
	p := &partnered{w, map[string]*keyring.Ring{}}
	for _, code := range nations {
		var err error
		p.rings[code], err = keyring.Create(t.TempDir(), keyring.Names{Nation: code, Org: cert(code)}, time.Now)
		must(t, err)
		card, err := p.rings[code].Card("")
		must(t, err)
		_, err = w.n.peers.Add(t.Context(), Local, card, p.rings[code].KeyLog().Fingerprint())
		must(t, err)
		_, err = w.n.ids.AddOrg(t.Context(), Local, identity.Org{Name: cert(code), Nation: code})
		must(t, err)
		p.token(code, cert(code), gate.RoleReader)
	}
	p.token(alice, "", gate.RoleAnalyst)
	return p
}

func (p *partnered) token(name, org, role string) {
	p.t.Helper()
	text, _, err := p.n.ids.IssueToken(context.Background(), Local, identity.TokenSpec{Name: name, Org: org, Roles: []string{role}})
	must(p.t, err)
	p.tokens[name] = text
}

// between is an accord under which its parties give each other malware and relationships up to AMBER.
func between(name string, version int, kinds, more string, codes ...string) string {
	var parties strings.Builder
	for _, c := range codes {
		fmt.Fprintf(&parties, "  party %q {\n    org  = %q\n    keys = %q\n  }\n", c, cert(c), "keylog:"+strings.ToLower(c))
	}
	return fmt.Sprintf(`accord %q {
  version   = %d
%s  mode      = operational
  effective = "2020-01-01"
  expires   = "2046-01-01"
%s
  scope {
    organization = receiving-org
    clients      = none
    community    = parties
  }
  purpose = [net-defence]
  give "all" {
    from    = [%s]
    kind    = [%s]
    ceiling = AMBER
  }
  handle {
    default = AMBER
    retain  = "365d"
    pap     = GREEN
    onward  = none
    access  = copy
  }
  suspend { by = any-party }
  terminate {
    notice   = "30d"
    purge    = "30d"
    receipts = required
  }
}
`, name, version, more, parties.String(), strings.Join(codes, ", "), kinds)
}

// agree has everybody sign an accord: the own node with its key, and the others where theirs are.
func (p *partnered) agree(text string, codes ...string) (digest string) {
	p.t.Helper()
	ctx, v := context.Background(), p.admin()
	added, err := p.n.accords.Add(ctx, v, []byte(text))
	must(p.t, err)
	_, err = p.n.accords.Sign(ctx, v, added.Digest, 0)
	must(p.t, err)
	for _, code := range codes {
		raw, err := p.n.accords.Bundle(v, added.Digest, 0)
		must(p.t, err)
		b, err := accord.ParseBundle(raw)
		must(p.t, err)
		s, err := p.rings[code].Signer(keylog.RoleAccord)
		must(p.t, err)
		must(p.t, b.Sign(s))
		_, err = p.n.accords.Add(ctx, v, b.Bytes())
		must(p.t, err)
	}
	return added.Digest
}

func madeMalware(n int, modified string) string {
	return fmt.Sprintf(`{"type":"malware","spec_version":"2.1","id":%q,"created":"2026-11-01T00:00:00.000Z","modified":%q,"name":"m%d","is_family":false}`, madeID("malware", n), modified, n)
}

func madeRelation(n, from, to int) string {
	return fmt.Sprintf(`{"type":"relationship","spec_version":"2.1","id":%q,"created":"2026-11-01T00:00:00.000Z","modified":"2026-11-01T00:00:00.000Z","relationship_type":"related-to","source_ref":%q,"target_ref":%q}`,
		madeID("relationship", n), madeID("malware", from), madeID("malware", to))
}

func madeID(kind string, n int) string {
	return fmt.Sprintf("%s--00000000-0000-4000-8000-%012d", kind, n)
}

// only is a label that names the organisations of nations.
func only(tlp label.TLP, codes ...string) label.Label {
	var names []string
	for _, c := range codes {
		names = append(names, label.Org(c, cert(c)))
	}
	s, err := label.NewAudience(names...)
	if err != nil {
		panic(err)
	}
	return label.For(tlp).To(s)
}

// keep hands in an own object under a label.
func (p *partnered) keep(object string, l label.Label) {
	p.t.Helper()
	out, err := p.n.exchange.Accept(context.Background(), p.admin(), exchange.Submission{Objects: [][]byte{[]byte(object)}, Labels: []label.Label{l}})
	must(p.t, err)
	if out[0].State != exchange.Added {
		p.t.Fatalf("%+v", out)
	}
}

// fetch is what a partner gets of a collection, by its own client: ids with versions, without the definitions of the TLP.
func (p *partnered) fetch(code, collection string) (out []string) {
	p.t.Helper()
	c := p.taxiiClient(code)
	for page, err := range c.Objects(context.Background(), p.root(code), collection, taxii.Select{Filter: taxii.Filter{Versions: taxii.Versions{All: true}}, Limit: 3}) {
		must(p.t, err)
		for _, raw := range page.Objects {
			var o struct{ ID, Modified string }
			must(p.t, json.Unmarshal(raw, &o))
			if !strings.HasPrefix(o.ID, "marking-definition--") {
				out = append(out, strings.Replace(o.ID, "--00000000-0000-4000-8000-0000000000", " ", 1)+" "+o.Modified[8:10])
			}
		}
	}
	slices.Sort(out)
	return out
}

// root is the one API root that a partner is told of.
func (p *partnered) root(code string) string {
	p.t.Helper()
	d, err := p.taxiiClient(code).Discovery(context.Background())
	must(p.t, err)
	if len(d.APIRoots) != 1 || d.Default != d.APIRoots[0] || !strings.HasSuffix(d.Default, "/taxii2/partner-"+strings.ToLower(code)+"/") {
		p.t.Fatalf("%s is told of %+v", code, d)
	}
	return d.Default
}

func (p *partnered) finds(code, collection string, want ...string) {
	p.t.Helper()
	if got := p.fetch(code, collection); !slices.Equal(got, want) {
		p.t.Errorf("%s finds in %s:\n%q, want\n%q", code, collection, got, want)
	}
}

const day1, day2 = "2026-11-01T00:00:00.000Z", "2026-11-02T00:00:00.000Z"

// A party without a node gets by TAXII what the accords give it, at every moment, and nothing else.
func TestAPartyWithoutANodeFetches(t *testing.T) {
	p := newPartners(t, "KWT", "QAT")
	ctx, x, v := t.Context(), p.n.exchange, p.admin()
	p.agree(between("ut-kw", 1, "malware, relationship", "", "UTO", "KWT"), "KWT")
	p.agree(between("gulf", 1, "malware", "", "UTO", "KWT", "QAT"), "KWT", "QAT")

	p.keep(madeMalware(1, day1), only(label.Amber, "UTO", "KWT"))
	p.keep(madeMalware(2, day1), only(label.Amber, "UTO", "KWT", "QAT"))
	p.keep(madeMalware(3, day1), only(label.Amber, "UTO"))
	p.keep(madeMalware(4, day1), label.For(label.Green)) // the parties are the community
	p.keep(madeMalware(5, day1), only(label.Red, "UTO", "KWT"))
	p.keep(madeRelation(11, 1, 2), only(label.Amber, "UTO", "KWT", "QAT")) // of a kind that only one accord gives
	p.keep(madeRelation(12, 1, 3), only(label.Amber, "UTO", "KWT"))        // names what it may not have
	p.finds("KWT", "ut-kw", "malware 01 01", "malware 02 01", "malware 04 01", "relationship 11 01")
	p.finds("KWT", "gulf", "malware 01 01", "malware 02 01", "malware 04 01")
	p.finds("QAT", "gulf", "malware 02 01", "malware 04 01")

	p.keep(madeMalware(2, day2), only(label.Amber, "UTO", "KWT", "QAT"))
	p.finds("QAT", "gulf", "malware 02 01", "malware 02 02", "malware 04 01")

	t.Run("what is unshared is gone at once", func(t *testing.T) {
		_, err := x.Share(ctx, p.person(gate.RoleOfficer), exchange.Sharing{ID: madeID("malware", 2), With: []string{label.Org("QAT", cert("QAT"))}, Not: true})
		must(t, err)
		p.finds("QAT", "gulf", "malware 04 01")
		p.finds("KWT", "gulf", "malware 01 01", "malware 02 01", "malware 02 02", "malware 04 01")
		if b := p.raw("QAT", "partner-qat/collections/gulf/objects/"+madeID("malware", 2)+"/"); b != p.raw("QAT", "partner-qat/collections/gulf/objects/"+madeID("malware", 99)+"/") {
			t.Errorf("%s", b)
		}
		_, err = x.Share(ctx, p.person(gate.RoleOfficer), exchange.Sharing{ID: madeID("malware", 2), With: []string{label.Org("QAT", cert("QAT"))}})
		must(t, err)
		p.finds("QAT", "gulf", "malware 02 01", "malware 02 02", "malware 04 01")
	})
	t.Run("a stricter label takes it away, and what names it", func(t *testing.T) {
		_, err := x.Relabel(ctx, v, exchange.Relabelling{ID: madeID("malware", 1), Label: only(label.Red, "UTO")})
		must(t, err)
		p.finds("KWT", "ut-kw", "malware 02 01", "malware 02 02", "malware 04 01")
	})
	t.Run("an embargo holds it back, until it is over", func(t *testing.T) {
		l := label.For(label.Green)
		l.NotBefore = p.cfg.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
		_, err := x.Relabel(ctx, v, exchange.Relabelling{ID: madeID("malware", 4), Label: l})
		must(t, err)
		p.finds("QAT", "gulf", "malware 02 01", "malware 02 02")
		p.ahead.Add(int64(2 * time.Hour))
		must(t, x.KeepTime(ctx))
		p.finds("QAT", "gulf", "malware 02 01", "malware 02 02", "malware 04 01")
	})
	t.Run("a retraction", func(t *testing.T) {
		n, err := p.n.federation.TakeBack(ctx, madeID("malware", 4), peer.Retract, "wrong")
		if err != nil || n == 0 {
			t.Fatalf("%d %v", n, err)
		}
		p.finds("KWT", "ut-kw", "malware 02 01", "malware 02 02")
		p.finds("QAT", "gulf", "malware 02 01", "malware 02 02")
	})
	t.Run("nothing is given while an accord is suspended", func(t *testing.T) {
		_, err := p.n.accords.Say(ctx, v, "gulf", accord.Suspend, "")
		must(t, err)
		p.finds("QAT", "gulf")
		p.finds("KWT", "gulf")
		p.finds("KWT", "ut-kw", "malware 02 01", "malware 02 02")
		p.keep(madeMalware(6, day1), only(label.Amber, "UTO", "QAT"))
		p.finds("QAT", "gulf")
		_, err = p.n.accords.Say(ctx, v, "gulf", accord.Resume, "")
		must(t, err)
		p.finds("QAT", "gulf", "malware 02 01", "malware 02 02", "malware 06 01")
	})
	t.Run("who was given what", func(t *testing.T) {
		held, err := x.Holders(ctx, v, madeID("malware", 6))
		must(t, err)
		if len(held) != 1 || held[0].Party != "QAT/qat.cert" || held[0].Clause != "accord gulf v1 give all" {
			t.Errorf("%+v", held)
		}
	})
	t.Run("after a restart", func(t *testing.T) {
		p.restart()
		p.finds("QAT", "gulf", "malware 02 01", "malware 02 02", "malware 06 01")
	})
	t.Run("a purge leaves no byte", func(t *testing.T) {
		_, err := p.n.exchange.Purge(ctx, p.person(gate.RoleOfficer), madeID("malware", 2), false)
		must(t, err)
		p.finds("QAT", "gulf", "malware 06 01")
		p.finds("KWT", "ut-kw")
		for _, s := range p.n.shelves {
			report, err := s.store.Purge(ctx, s.own(), store.Purge{ID: madeID("malware", 2), DryRun: true})
			if err != nil || report.Records != 0 {
				t.Errorf("%+v %v", report, err)
			}
		}
	})
}

// person is somebody of the own organisation with one role.
func (p *partnered) person(role string) gate.Viewer {
	v := p.admin()
	v.Person, v.Roles = "pat", []string{role}
	return v
}

// raw is the answer to a request below /taxii2/, without what is random in it.
func (p *partnered) raw(code, path string) string {
	p.t.Helper()
	return p.ask(code, "GET", "/taxii2/"+path)
}

var (
	errorIDs = regexp.MustCompile(`"error_id":"[^"]*"`)
	dates    = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`)
	uuids    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	nexts    = regexp.MustCompile(`"next":"[^"]*"`)
)

func (p *partnered) ask(code, method, path string) string {
	p.t.Helper()
	r, err := http.NewRequest(method, p.n.URL()+path, nil)
	must(p.t, err)
	r.Header.Set("Accept", "application/taxii+json;version=2.1")
	if p.tokens[code] != "" {
		r.Header.Set("Authorization", "Bearer "+p.tokens[code])
	}
	resp, err := p.http.Do(r)
	must(p.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(p.t, err)
	head := ""
	for _, name := range []string{"Content-Type", "X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last"} {
		head += resp.Header.Get(name) + "\n"
	}
	text := fmt.Sprintf("%d\n%s%s", resp.StatusCode, head, b)
	return errorIDs.ReplaceAllString(dates.ReplaceAllString(text, "DATE"), "ERROR")
}

// The roots of two partners have nothing in common: each learns of its own alone, and of the node nothing besides.
func TestRootsOfPartnersAreDisjoint(t *testing.T) {
	p := newPartners(t, "KWT", "QAT")
	p.agree(between("ut-kw", 1, "malware", "", "UTO", "KWT"), "KWT")
	p.agree(between("ut-qa", 1, "malware", "", "UTO", "QAT"), "QAT")
	common := p.collection(exchange.Collection{Alias: "common"})
	p.keep(madeMalware(1, day1), label.For(label.Clear))
	p.keep(madeMalware(2, day1), only(label.Amber, "UTO", "KWT"))
	p.finds("KWT", "ut-kw", "malware 01 01", "malware 02 01")
	p.finds("QAT", "ut-qa", "malware 01 01")
	for _, tail := range []string{"", "collections/", "collections/ut-kw/", "collections/ut-kw/objects/", "collections/ut-kw/manifest/", "status/x/", "collections/" + common + "/objects/"} {
		nowhere := p.raw("QAT", "nowhere/"+tail)
		for _, there := range []string{"partner-kwt/", "api/"} {
			if got := p.raw("QAT", there+tail); got != nowhere {
				t.Errorf("QAT at %s: %s, want %s", there+tail, got, nowhere)
			}
		}
		if got, want := p.raw(alice, "partner-kwt/"+tail), p.raw(alice, "nowhere/"+tail); got != want {
			t.Errorf("alice at %s: %s, want %s", tail, got, want)
		}
	}
	for _, tail := range []string{"", "objects/", "manifest/", "objects/" + madeID("malware", 2) + "/", "objects/" + madeID("malware", 2) + "/versions/"} {
		if got, want := p.raw("QAT", "partner-qat/collections/ut-kw/"+tail), p.raw("QAT", "partner-qat/collections/nowhere/"+tail); got != want {
			t.Errorf("%s: %s, want %s", tail, got, want)
		}
	}
	// Whoever fetches under accords has nothing of the node by another way, not even what everybody may have.
	for _, path := range []string{"/api/v1/objects", "/api/v1/objects/" + madeID("malware", 1), "/api/v1/search?q=m1", "/api/v1/collections", "/api/v1/accords", "/misp/events/index"} {
		if got := p.ask("QAT", "GET", path); strings.Contains(got, "m1") || strings.Contains(got, "malware--") || strings.HasPrefix(got, "200") && !strings.Contains(got, `"items":[]`) && !strings.HasSuffix(got, "[]") {
			t.Errorf("%s: %s", path, got)
		}
	}
	c := p.taxiiClient("KWT")
	if _, err := c.Add(t.Context(), p.root("KWT"), "ut-kw", [][]byte{[]byte(madeMalware(9, day1))}, taxii.AddOptions{}); !errors.Is(err, taxii.ErrForbidden) {
		t.Error(err)
	}
	if err := c.Delete(t.Context(), p.root("KWT"), "ut-kw", madeID("malware", 2), taxii.Filter{}); !errors.Is(err, taxii.ErrForbidden) {
		t.Error(err)
	}
}

// What a partner may not have does not change a byte of any answer that it gets.
func TestNothingHiddenChangesAPartnersRoot(t *testing.T) {
	script := func(hidden bool) (out []string) {
		p := newPartners(t, "KWT", "QAT")
		p.agree(between("ut-kw", 1, "malware, relationship", "", "UTO", "KWT"), "KWT")
		ids := []string{madeID("relationship", 12)}
		keep := func(object string, l label.Label) { // one after the other: what is given together has no order
			p.keep(object, l)
			must(t, p.n.federation.Settle(t.Context()))
		}
		for n := range 5 {
			keep(madeMalware(n+1, day1), only(label.Amber, "UTO", "KWT"))
			ids = append(ids, madeID("malware", n+1))
		}
		keep(madeRelation(11, 1, 2), only(label.Amber, "UTO", "KWT"))
		ask := func() {
			paths := []string{"", "partner-kwt/", "partner-kwt/collections/", "partner-kwt/collections/ut-kw/", "partner-kwt/collections/ut-kw/objects/", "partner-kwt/collections/ut-kw/manifest/",
				"partner-kwt/collections/ut-kw/objects/?limit=3", "partner-kwt/collections/ut-kw/objects/?match[type]=malware&match[version]=all", "partner-kwt/collections/ut-qa/",
				"partner-kwt/collections/ut-kw/objects/?added_after=2020-01-01T00:00:00Z&limit=20", "partner-qat/", "partner-kwt/status/x/"}
			for _, id := range append(ids, madeID("malware", 7), madeID("malware", 8)) {
				paths = append(paths, "partner-kwt/collections/ut-kw/objects/"+id+"/?match[version]=all", "partner-kwt/collections/ut-kw/objects/"+id+"/versions/")
			}
			for _, path := range paths {
				text := nexts.ReplaceAllString(p.raw("KWT", path), "NEXT")
				out = append(out, path+"\n"+uuids.ReplaceAllStringFunc(text, func(id string) string { // of collections
					if strings.HasPrefix(id, "00000000") || strings.Contains(text, "marking-definition--"+id) {
						return id
					}
					return "UUID"
				}))
			}
			for _, path := range []string{"/api/v1/objects", "/api/v1/objects/" + madeID("malware", 7)} {
				out = append(out, p.ask("KWT", "GET", path))
			}
		}
		if hidden {
			p.agree(between("ut-qa", 1, "malware", "", "UTO", "QAT"), "QAT")
			keep(madeMalware(7, day1), only(label.Amber, "UTO", "QAT"))
			keep(madeMalware(8, day1), only(label.Red, "UTO"))
			keep(madeRelation(12, 1, 8), only(label.Amber, "UTO", "KWT"))
		}
		ask()
		if hidden {
			_, err := p.n.federation.TakeBack(t.Context(), madeID("malware", 7), peer.Retract, "")
			must(t, err)
			_, err = p.n.accords.Say(t.Context(), p.admin(), "ut-qa", accord.Suspend, "")
			must(t, err)
		}
		ask()
		return out
	}
	without, with := script(false), script(true)
	seen := 0
	for i := range without {
		if without[i] != with[i] {
			at := differsAt(without[i], with[i])
			t.Errorf("%s\nwithout what is hidden: …%s\nwith it: …%s", clipped(with[i], 0)[:80], clipped(without[i], at), clipped(with[i], at))
		}
		seen += strings.Count(without[i], `"name":"m3"`)
	}
	if seen < 6 {
		t.Errorf("the partner met an object %d times only", seen)
	}
}

// An amendment counts once the parties have signed it: those without a node hold the text that they signed. What it does not give any more is gone.
func TestAnAmendmentNarrowsWhatLiesThere(t *testing.T) {
	p := newPartners(t, "KWT")
	first := p.agree(between("ut-kw", 1, "malware, relationship", "", "UTO", "KWT"), "KWT")
	for n := range 2 {
		p.keep(madeMalware(n+1, day1), only(label.Amber, "UTO", "KWT"))
	}
	p.keep(madeRelation(11, 1, 2), only(label.Amber, "UTO", "KWT"))
	p.keep(`{"type":"ipv4-addr","spec_version":"2.1","id":"ipv4-addr--00000000-0000-5000-8000-000000000021","value":"198.51.100.7"}`, only(label.Amber, "UTO", "KWT"))
	p.finds("KWT", "ut-kw", "malware 01 01", "malware 02 01", "relationship 11 01")
	p.agree(between("ut-kw", 2, "malware, indicator", fmt.Sprintf("  supersedes = %q\n", first), "UTO", "KWT"), "KWT")
	p.finds("KWT", "ut-kw", "malware 01 01", "malware 02 01")
	p.keep(strings.NewReplacer(`"malware"`, `"indicator"`, "malware--", "indicator--", `"is_family":false`, `"pattern":"[ipv4-addr:value = '198.51.100.7']","pattern_type":"stix","valid_from":"2026-11-01T00:00:00Z"`).
		Replace(madeMalware(31, day1)), only(label.Amber, "UTO", "KWT"))
	p.finds("KWT", "ut-kw", "indicator 31 01", "malware 01 01", "malware 02 01")
}

// amended is an accord with something else in the place of a part of it.
// An own object that is taken out of the last collection that held it is gone from the store, and from the shelf when it is looked at next.
func TestWhatIsRemovedLiesThereNoMore(t *testing.T) {
	p := newPartners(t, "KWT")
	ctx, x := t.Context(), p.n.exchange
	p.agree(between("ut-kw", 1, "malware", "", "UTO", "KWT"), "KWT")
	var collections []string
	for _, alias := range []string{"one", "two"} {
		c, err := x.AddCollection(ctx, p.admin(), exchange.Collection{Title: alias, Alias: alias, Read: []string{gate.RoleAnalyst}, Write: []string{gate.RoleAnalyst}})
		must(t, err)
		collections = append(collections, c.ID)
		for n := range 3 {
			_, err := x.Accept(ctx, p.admin(), exchange.Submission{Collection: c.ID, Objects: [][]byte{[]byte(madeMalware(n+1, day1))}, Labels: []label.Label{only(label.Amber, "UTO", "KWT")}})
			must(t, err)
		}
	}
	p.finds("KWT", "ut-kw", "malware 01 01", "malware 02 01", "malware 03 01")
	take := func(n int, collection string) {
		count, err := x.Remove(ctx, p.admin(), collection, madeID("malware", n), store.Versions{All: true}, nil)
		if err != nil || count != 1 {
			t.Fatal(count, err)
		}
	}
	take(1, collections[0]) // the other has it
	p.finds("KWT", "ut-kw", "malware 01 01", "malware 02 01", "malware 03 01")
	take(1, collections[1])
	p.finds("KWT", "ut-kw", "malware 02 01", "malware 03 01")
	p.restart()
	x = p.n.exchange
	p.finds("KWT", "ut-kw", "malware 02 01", "malware 03 01")
	take(2, collections[0])
	take(2, collections[1])
	p.finds("KWT", "ut-kw", "malware 03 01")
}

func amended(text string, replace ...string) string {
	return strings.NewReplacer(replace...).Replace(text)
}

// A party fetches renditions: of what the accord takes out, nothing is in any answer, and what names what is reduced names the copy.
func TestRenditionsLieOnTheShelf(t *testing.T) {
	p := newPartners(t, "KWT")
	p.agree(amended(between("ut-kw", 1, "malware, relationship", "", "UTO", "KWT"), "    ceiling = AMBER\n", "    ceiling = AMBER\n    strip = [\"malware.name\"]\n"), "KWT")
	p.keep(madeMalware(1, day1), only(label.Amber, "UTO", "KWT"))
	p.keep(madeMalware(2, day1), only(label.Amber, "UTO", "KWT"))
	p.keep(madeRelation(11, 1, 2), only(label.Amber, "UTO", "KWT"))
	got := p.raw("KWT", "partner-kwt/collections/ut-kw/objects/?match[version]=all")
	if strings.Count(got, `"type":"malware"`) != 2 || strings.Count(got, `"type":"relationship"`) != 1 || strings.Contains(got, `"name":"m1"`) || strings.Contains(got, "malware--00000000") {
		t.Errorf("%s", got)
	}
	var page struct{ Objects []map[string]any }
	must(t, json.Unmarshal([]byte(got[strings.Index(got, "{"):]), &page))
	there, named := map[any]bool{}, 0
	for _, o := range page.Objects {
		there[o["id"]] = true
	}
	for _, o := range page.Objects {
		for _, ref := range []string{"source_ref", "target_ref"} {
			if id, ok := o[ref]; ok {
				if named++; !there[id] {
					t.Errorf("%v names %v, which is not there", o["id"], id)
				}
			}
		}
	}
	if named != 2 {
		t.Errorf("%d references", named)
	}
	_, err := p.n.exchange.Purge(t.Context(), p.person(gate.RoleOfficer), madeID("malware", 1), false)
	must(t, err)
	if got := p.raw("KWT", "partner-kwt/collections/ut-kw/objects/?match[version]=all"); strings.Count(got, `"type":"malware"`) != 1 || strings.Contains(got, `"type":"relationship"`) {
		t.Errorf("%s", got)
	}
}

// The definition of an own marking lies beside what it marks, as long as the accord gives anything.
func TestMarkingsLieBesideWhatTheyMark(t *testing.T) {
	p := newPartners(t, "RUR")
	p.agree(between("ut-ru", 1, "malware", "", "UTO", "RUR"), "RUR")
	care := madeID("marking-definition", 1)
	p.keep(fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":%q,"created":"2026-11-01T00:00:00.000Z","definition_type":"statement","definition":{"statement":"Handle with care"}}`, care), label.For(label.Red))
	p.keep(strings.Replace(madeMalware(1, "2026-11-01T00:00:00.000Z"), `"is_family"`, `"object_marking_refs":["`+care+`"],"is_family"`, 1), only(label.Amber, "UTO", "RUR"))
	p.finds("RUR", "ut-ru", "malware 01 01")
	has := func() (found bool) {
		for page, err := range p.taxiiClient("RUR").Objects(context.Background(), p.root("RUR"), "ut-ru", taxii.Select{}) {
			must(t, err)
			for _, raw := range page.Objects {
				found = found || strings.Contains(string(raw), `"id":"`+care+`"`)
			}
		}
		return found
	}
	if !has() {
		t.Error("nobody there can read how to handle it")
	}
	p.keep(madeMalware(2, "2026-11-01T00:00:00.000Z"), only(label.Amber, "UTO", "RUR")) // the shelf is arranged again
	p.finds("RUR", "ut-ru", "malware 01 01", "malware 02 01")
	if !has() {
		t.Error("the definition went")
	}
}

// What nobody may keep does not lie where whoever fetches keeps, and what an officer must sign lies there once one has.
func TestWhatAClientCannotObserveIsNotGiven(t *testing.T) {
	p := newPartners(t, "KWT", "QAT")
	p.agree(amended(between("look", 1, "malware", "", "UTO", "KWT"), "access  = copy", "access  = view"), "KWT")
	p.agree(amended(between("sign", 1, "malware", "", "UTO", "QAT"), "    ceiling = AMBER\n", "    ceiling = AMBER\n    release-officer = required\n"), "QAT")
	p.keep(madeMalware(1, day1), only(label.Amber, "UTO", "KWT", "QAT"))
	p.finds("KWT", "look")
	p.finds("QAT", "sign")
	held, err := p.n.exchange.Holders(t.Context(), p.admin(), madeID("malware", 1))
	if err != nil || len(held) != 0 {
		t.Errorf("%+v %v", held, err)
	}
	waiting, err := p.n.federation.Releases(t.Context(), p.admin())
	if err != nil || len(waiting) != 1 {
		t.Fatalf("%+v %v", waiting, err)
	}
	_, err = p.n.federation.Decide(t.Context(), p.person(gate.RoleReleaser), federation.Decision{Key: waiting[0].Key, Sign: true})
	must(t, err)
	p.finds("QAT", "sign", "malware 01 01")
}

// Whoever polls by date added loses nothing: not what was relabelled, nor what came while an accord was suspended.
func TestPollingLosesNothing(t *testing.T) {
	p := newPartners(t, "KWT")
	p.agree(between("ut-kw", 1, "malware", "", "UTO", "KWT"), "KWT")
	have := map[string]bool{}
	var after time.Time
	poll := func() (fresh int) {
		for page, err := range p.taxiiClient("KWT").Objects(t.Context(), p.root("KWT"), "ut-kw", taxii.Select{Filter: taxii.Filter{AddedAfter: after, Types: []string{"malware"}}, Limit: 2}) {
			must(t, err)
			for _, raw := range page.Objects {
				var o struct{ ID string }
				must(t, json.Unmarshal(raw, &o))
				have[o.ID] = true
				fresh++
			}
			if !page.Last.IsZero() {
				after = page.Last
			}
		}
		return fresh
	}
	for n := range 5 {
		p.keep(madeMalware(n+1, day1), only(label.Amber, "UTO", "KWT"))
	}
	if n := poll(); n != 5 {
		t.Errorf("%d objects", n)
	}
	if n := poll(); n != 0 {
		t.Errorf("%d objects again", n)
	}
	p.keep(madeMalware(6, day1), only(label.Amber, "UTO", "KWT"))
	p.finds("KWT", "ut-kw", "malware 01 01", "malware 02 01", "malware 03 01", "malware 04 01", "malware 05 01", "malware 06 01") // lies there, and was not polled
	for _, verb := range []accord.Verb{accord.Suspend, accord.Resume} {
		_, err := p.n.accords.Say(t.Context(), p.admin(), "ut-kw", verb, "")
		must(t, err)
		p.keep(madeMalware(7+len(verb), day1), only(label.Amber, "UTO", "KWT"))
		poll()
	}
	if len(have) != 8 {
		t.Errorf("the partner has %d of 8", len(have))
	}
}

// A party that the configuration does not name any more finds nothing, and nothing lies there for it.
func TestAShelfThatIsNotNamedIsDestroyed(t *testing.T) {
	p := newPartners(t, "KWT")
	p.agree(between("ut-kw", 1, "malware", "", "UTO", "KWT"), "KWT")
	p.keep(madeMalware(1, day1), only(label.Amber, "UTO", "KWT"))
	p.finds("KWT", "ut-kw", "malware 01 01")
	named := p.cfg.Federation.TAXII
	p.cfg.Federation.TAXII = nil
	p.restart()
	if there, err := filepath.Glob(filepath.Join(p.cfg.Data, shelfFolder, "*")); err != nil || len(there) > 0 {
		t.Errorf("%v %v", there, err)
	}
	if got, want := p.raw("KWT", "partner-kwt/"), p.raw("KWT", "nowhere/"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	p.cfg.Federation.TAXII = named
	p.restart()
	p.finds("KWT", "ut-kw", "malware 01 01") // made of the logs
}

// What may be kept for a time only is gone when the time is over, and not before.
func TestRetentionEndsOnTheShelf(t *testing.T) {
	p := newPartners(t, "KWT")
	p.agree(between("ut-kw", 1, "malware", "", "UTO", "KWT"), "KWT")
	l := only(label.Amber, "UTO", "KWT")
	l.NotAfter = p.cfg.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	p.keep(madeMalware(1, day1), l)
	p.keep(madeMalware(2, day1), only(label.Amber, "UTO", "KWT"))
	p.finds("KWT", "ut-kw", "malware 01 01", "malware 02 01")
	p.ahead.Store(int64(2 * time.Hour))
	p.finds("KWT", "ut-kw", "malware 02 01")
}

// The configuration names parties, each of another nation.
func TestPartiesThatFetchAreNamed(t *testing.T) {
	for text, ok := range map[string]bool{"KWT/kw.ncsc": true, "KWT": false, "Kuwait/x": false, "/x": false, "KWT/": false} {
		c := DefaultConfig(t.TempDir())
		c.Federation.TAXII = []string{text}
		if err := c.Validate(); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	c := DefaultConfig(t.TempDir())
	c.Federation.TAXII = []string{"KWT/a", "KWT/b"}
	if c.Validate() == nil {
		t.Error("two parties of one nation")
	}
}

// What a party without a node waits for: 2,000 objects laid on its shelf, and a poll that finds nothing new among them.
func BenchmarkShelf(b *testing.B) {
	const objects = 2000
	p := newPartners(b, "KWT")
	p.agree(between("ut-kw", 1, "malware", "", "UTO", "KWT"), "KWT")
	batch := exchange.Submission{}
	for n := range objects {
		batch.Objects = append(batch.Objects, []byte(madeMalware(n+1, day1)))
		batch.Labels = append(batch.Labels, only(label.Amber, "UTO", "KWT"))
	}
	_, err := p.n.exchange.Accept(b.Context(), p.admin(), batch)
	must(b, err)
	must(b, p.n.federation.Settle(b.Context()))
	b.Run("arrange", func(b *testing.B) {
		for b.Loop() {
			for _, verb := range []accord.Verb{accord.Suspend, accord.Resume} { // everything goes, and comes again
				_, err := p.n.accords.Say(b.Context(), p.admin(), "ut-kw", verb, "")
				must(b, err)
				must(b, p.n.federation.Settle(b.Context()))
			}
		}
		b.ReportMetric(float64(b.N*objects)/b.Elapsed().Seconds(), "objects/s")
	})
	b.Run("poll", func(b *testing.B) {
		path := "partner-kwt/collections/ut-kw/objects/?added_after=2040-01-01T00:00:00Z"
		for b.Loop() {
			p.raw("KWT", path)
		}
	})
}
