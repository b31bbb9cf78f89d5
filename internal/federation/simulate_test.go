package federation_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"entente/accord"
	"entente/dsse"
	"entente/internal/accords"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
	"entente/peer"
)

// described is malware with a description, which accords here strip.
func described(n int, version, description string) string {
	return strings.TrimSuffix(malware(n, version), "}") + fmt.Sprintf(`,"description":%q}`, description)
}

func tool(n int) string {
	return fmt.Sprintf(`{"type":"tool","spec_version":"2.1","id":%q,"created":"2026-11-01T00:00:00.000Z","modified":%q,"name":"t%d"}`, id("tool", n), v1, n)
}

// stripping is an accord that gives malware without its description, and everything else whole.
func stripping(name string, codes ...string) string {
	return strings.Replace(between(name, "tool, relationship", codes...), "  handle {", fmt.Sprintf(`  give "reduced" {
    from    = [%s]
    kind    = [malware]
    ceiling = AMBER
    strip   = ["malware.description"]
  }
  handle {`, strings.Join(codes, ", ")), 1)
}

// simulate says what the parties of an accord, or of every accord, would be given of an own object.
func (n *nation) simulate(id, accord string) []federation.Judged {
	n.net.t.Helper()
	all, err := n.Simulate(context.Background(), n.as(gate.RoleAnalyst), n.item(id), accord)
	must(n.net.t, err)
	return all
}

func (n *nation) item(id string) *store.Item {
	n.net.t.Helper()
	it, err := n.exchange.Get(context.Background(), n.as(gate.RoleAnalyst), "", id, store.Versions{})
	must(n.net.t, err)
	return &it
}

// has is what a nation really has of what another gave: the bytes of every object, each with the labels in the envelopes that it came in.
func (n *nation) has(from string) map[string][]label.Label {
	n.net.t.Helper()
	out := map[string][]label.Label{}
	q := store.Query{Nation: from, Org: org(from), Versions: all}
	page, err := n.db.Page(context.Background(), n.gate.Own(n.net.now()), q)
	must(n.net.t, err)
	for _, it := range page.Items {
		e, err := dsse.Parse(it.Record.Envelope)
		must(n.net.t, err)
		r, err := peer.ReadRendition(e.Payload)
		must(n.net.t, err)
		if !bytes.Equal(r.Object, it.Record.Body) {
			n.net.t.Errorf("%s stores other bytes than it was given of %s", n.code, it.Record.ID)
		}
		out[string(it.Record.Body)] = append(out[string(it.Record.Body)], r.Label)
	}
	return out
}

// What the simulator shows each party is what each party has, byte for byte: whole or reduced, for one or for several, new or here for long, and
// nobody has anything that it does not show.
func TestTheSimulatorShowsWhatIsSent(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR", "FRE")
	uto, rur, fre := net.nodes["UTO"], net.nodes["RUR"], net.nodes["FRE"]
	net.agree(stripping("ut-ru", "UTO", "RUR"), "UTO", "RUR")
	net.agree(stripping("all", "UTO", "RUR", "FRE"), "UTO", "RUR", "FRE")

	objects := []string{id("malware", 1), id("malware", 2), id("tool", 3), id("tool", 4), id("relationship", 5), id("malware", 6)}
	uto.push(described(1, v1, "secret"), to(label.Amber, "UTO", "RUR", "FRE")) // reduced, for both under one accord and for one under the other
	uto.push(described(2, v1, "secret"), to(label.Amber, "UTO", "RUR"))        // reduced, for one
	uto.push(tool(3), to(label.Amber, "UTO", "RUR", "FRE"))
	uto.push(tool(4), to(label.Amber, "UTO", "FRE"))
	uto.push(malware(6, v1), to(label.Amber, "UTO", "RUR", "FRE")) // whole, though the clause strips
	uto.push(relation(5, 1, 6), to(label.Amber, "UTO", "RUR", "FRE"))
	net.eventually("everything arrives", func() bool {
		return len(rur.has("UTO")) >= 8 && len(fre.has("UTO")) >= 5
	})
	compare := func() {
		t.Helper()
		want := map[string]map[string][]label.Label{"RUR": {}, "FRE": {}}
		for _, object := range objects {
			for _, j := range uto.simulate(object, "") {
				if j.Permit != (j.Body != nil && j.Label != nil) {
					t.Errorf("%s for %s under %s: %v with %d bytes and the label %v", object, j.Party, j.Accord, j.Permit, len(j.Body), j.Label)
				}
				if j.Permit {
					want[j.Party[:3]][string(j.Body)] = append(want[j.Party[:3]][string(j.Body)], *j.Label)
				}
			}
		}
		for _, n := range []*nation{rur, fre} {
			has := n.has("UTO")
			for body, labels := range has {
				for _, l := range labels {
					if !slices.ContainsFunc(want[n.code][body], func(w label.Label) bool { return sameLabel(t, w, l) }) {
						t.Errorf("%s has what the simulator does not show so: %s under %s", n.code, body, text(t, l))
					}
				}
			}
			for body := range want[n.code] {
				if has[body] == nil {
					t.Errorf("the simulator shows %s what it has not: %s", n.code, body)
				}
			}
		}
	}
	compare()

	// An edit that a reduced copy does not show goes to nobody: what is shown stays what they have.
	uto.push(described(1, v2, "another secret"), to(label.Amber, "UTO", "RUR", "FRE"))
	must(t, uto.Settle(context.Background()))
	compare()

	// What was taken back does not go out again.
	_, err := uto.TakeBack(context.Background(), id("tool", 3), peer.Retract, "")
	must(t, err)
	net.eventually("it is taken out", func() bool { return !rur.sees(id("tool", 3)) && !fre.sees(id("tool", 3)) })
	for _, j := range uto.simulate(id("tool", 3), "") {
		if j.Permit || j.Body != nil || j.Why == "" {
			t.Errorf("%s under %s: %v %q", j.Party, j.Accord, j.Permit, j.Why)
		}
	}
}

func text(t *testing.T, l label.Label) string {
	b, err := l.MarshalJSON()
	must(t, err)
	return string(b)
}

func sameLabel(t *testing.T, a, b label.Label) bool { return text(t, a) == text(t, b) }

// What waits for a release officer is shown as it goes out when the officer signs: under the id that those have who are given it together.
func TestTheSimulatorShowsWhatAnOfficerWouldLetGo(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR", "FRE")
	uto := net.nodes["UTO"]
	net.agree(strings.Replace(stripping("all", "UTO", "RUR", "FRE"), `    strip   = `, "    release-officer = required\n    strip   = ", 1), "UTO", "RUR", "FRE")
	uto.push(described(1, v1, "secret"), to(label.Amber, "UTO", "RUR", "FRE"))
	must(t, uto.Settle(context.Background()))
	for _, party := range []string{"FRE", "RUR"} {
		all := uto.simulate(id("malware", 1), "all")
		at := slices.IndexFunc(all, func(j federation.Judged) bool { return strings.HasPrefix(j.Party, party) })
		if !all[at].Waits || all[at].Permit || all[at].Class != "reduced" || all[at].Label != nil || strings.Contains(string(all[at].Body), "secret") {
			t.Fatalf("%+v", all[at])
		}
		shown := string(all[at].Body)
		releases, err := uto.Releases(context.Background(), uto.as(gate.RoleReleaser))
		must(t, err)
		for _, r := range releases {
			if strings.HasPrefix(r.Party, party) {
				_, err := uto.Decide(context.Background(), uto.as(gate.RoleReleaser), federation.Decision{Key: r.Key, Sign: true, Reason: ""})
				must(t, err)
			}
		}
		net.eventually("what was shown arrives", func() bool { return net.nodes[party].has("UTO")[shown] != nil })
	}
}

func (n *nation) suppose(id, text string) []federation.Judged {
	n.net.t.Helper()
	s, err := n.accords.SupposeText(n.as(gate.RoleAnalyst), []byte(text))
	must(n.net.t, err)
	all, err := n.Suppose(context.Background(), n.as(gate.RoleAnalyst), n.item(id), &s)
	must(n.net.t, err)
	return all
}

// What a draft would let pass is what passes once it is in force, and nothing passes by asking.
func TestADraftIsSupposed(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR", "FRE")
	uto := net.nodes["UTO"]
	uto.push(described(1, v1, "secret"), to(label.Amber, "UTO", "RUR", "FRE"))
	uto.push(tool(2), to(label.Amber, "UTO", "FRE"))
	draft := stripping("all", "UTO", "RUR", "FRE")
	later := strings.Replace(draft, `effective = "2026-01-01"`, `effective = "2030-01-01"`, 1)
	if all := uto.simulate(id("malware", 1), ""); len(all) != 0 {
		t.Fatalf("nothing stands: %+v", all)
	}
	shown := map[string][]string{}
	for _, object := range []string{id("malware", 1), id("tool", 2)} {
		for i, j := range uto.suppose(object, draft) {
			if !j.Suppose || j.Phase != accords.Draft || j.Version != 1 || j.Before != nil || j.Has || len(j.Changes) > 0 {
				t.Errorf("%+v", j)
			}
			if j.Permit {
				shown[j.Party[:3]] = append(shown[j.Party[:3]], string(j.Body))
			}
			if l := uto.suppose(object, later)[i]; l.Permit != j.Permit || !bytes.Equal(l.Body, j.Body) {
				t.Errorf("what begins later is judged as of now: %+v", l)
			}
		}
	}
	if len(shown["RUR"]) != 1 || len(shown["FRE"]) != 2 {
		t.Fatalf("%v", shown)
	}
	must(t, uto.Settle(context.Background()))
	if logs, err := uto.ledger.Logs(context.Background(), own); err != nil || len(logs) > 0 {
		t.Fatalf("asking opened %d logs (%v)", len(logs), err)
	}
	net.agree(draft, "UTO", "RUR", "FRE")
	for code, bodies := range shown {
		net.eventually("what was supposed arrives", func() bool { return len(net.nodes[code].has("UTO")) == len(bodies) })
		for _, body := range bodies {
			if net.nodes[code].has("UTO")[body] == nil {
				t.Errorf("%s was to have %s", code, body)
			}
		}
	}
}

// An amendment is shown beside what is in force: who has what by each, and what of the text makes the difference.
func TestAnAmendmentIsSupposed(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR", "FRE", "SYL")
	uto := net.nodes["UTO"]
	first := stripping("all", "UTO", "RUR", "FRE")
	net.agree(first, "UTO", "RUR", "FRE")
	uto.push(described(1, v1, "secret"), to(label.Amber, "UTO", "RUR", "FRE", "SYL"))
	net.eventually("it arrives", func() bool { return len(net.nodes["RUR"].has("UTO")) == 1 && len(net.nodes["FRE"].has("UTO")) == 1 })

	amended := strings.Replace(stripping("all", "UTO", "RUR", "SYL"), "version   = 1", "version   = 2", 1)
	amended = strings.Replace(amended, `    strip   = ["malware.description"]`+"\n", "", 1)
	all := uto.suppose(id("malware", 1), amended)
	if len(all) != 3 {
		t.Fatalf("%+v", all)
	}
	got := map[string]federation.Judged{}
	for _, j := range all {
		if !j.Suppose || j.Version != 2 || j.Phase != accords.Draft {
			t.Errorf("%+v", j)
		}
		got[j.Party[:3]] = j
	}
	full := string(uto.item(id("malware", 1)).Record.Body)
	rur, fre, syl := got["RUR"], got["FRE"], got["SYL"]
	if string(rur.Body) != full || rur.Has || rur.Before == nil || !rur.Before.Has || rur.Before.Class != "reduced" || net.nodes["RUR"].has("UTO")[string(rur.Before.Body)] == nil ||
		rur.Before.Phase != accords.Active || rur.Before.Version != 1 {
		t.Errorf("%+v\nbefore %+v", rur, rur.Before)
	}
	if !slices.ContainsFunc(rur.Changes, func(c accord.Change) bool { return c.Clause == "give reduced" && c.Attribute == "strip" }) ||
		slices.ContainsFunc(rur.Changes, func(c accord.Change) bool { return c.Clause == "give all" || strings.HasPrefix(c.Clause, "party") }) {
		t.Errorf("%+v", rur.Changes)
	}
	if fre.Permit || fre.Before == nil || !fre.Before.Permit || fre.Why == "" || !slices.ContainsFunc(fre.Changes, func(c accord.Change) bool { return c.Clause == "party FRE" }) {
		t.Errorf("%+v", fre)
	}
	if string(syl.Body) != full || syl.Before != nil || !slices.ContainsFunc(syl.Changes, func(c accord.Change) bool { return c.Clause == "party SYL" }) {
		t.Errorf("%+v", syl)
	}

	// What is in force says so, and an amendment that changes nothing shows no difference.
	same := strings.Replace(first, "version   = 1", "version   = 2", 1)
	for _, j := range uto.suppose(id("malware", 1), same) {
		if !j.Has || len(j.Changes) > 0 || j.Before == nil || !bytes.Equal(j.Body, j.Before.Body) {
			t.Errorf("%+v", j)
		}
	}
	for _, j := range uto.simulate(id("malware", 1), "all") {
		if j.Suppose || j.Phase != accords.Active || j.Version != 1 || j.Before != nil {
			t.Errorf("%+v", j)
		}
	}

	// An accord that a party has suspended stays so under an amendment.
	_, err := uto.accords.Say(context.Background(), uto.as(gate.RoleOfficer), "all", accord.Suspend, "")
	must(t, err)
	for _, j := range uto.suppose(id("malware", 1), amended) {
		if j.Permit || j.Party[:3] != "FRE" && !slices.ContainsFunc(j.Reasons, func(r gate.Reason) bool { return r.Code == "accord.suspended" && !r.Permit }) {
			t.Errorf("%+v", j)
		}
	}
}

// What a party sees goes back to what it was: it is given that anew, whether all came at once or one after the other. An edit that it may not see is not given.
func TestAReducedCopyGoesBack(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR")
	uto, rur := net.nodes["UTO"], net.nodes["RUR"]
	net.agree(stripping("ut-ru", "UTO", "RUR"), "UTO", "RUR")
	m := func(n, day int, name, hidden string) string {
		return strings.Replace(described(n, fmt.Sprintf("2026-11-%02dT00:00:00.000Z", day), hidden), fmt.Sprintf(`"name":"m%d"`, n), fmt.Sprintf(`"name":%q`, name), 1)
	}
	edits := []struct {
		name, hidden string
		given        int
	}{{"a", "x", 1}, {"a", "y", 1}, {"b", "x", 2}, {"a", "x", 3}, {"a", "z", 3}, {"b", "z", 4}}
	names := func(n int) (out []string) {
		given, err := uto.Given(context.Background(), uto.as(gate.RoleAnalyst), id("malware", n))
		must(t, err)
		if len(given) == 0 {
			return nil
		}
		page, err := rur.db.Page(context.Background(), rur.gate.Own(net.now()), store.Query{IDs: []string{given[0].ID}, Versions: all})
		must(t, err)
		for _, it := range page.Items {
			_, name, _ := strings.Cut(string(it.Record.Body), `"name":"`)
			out = append(out, name[:1])
		}
		return out
	}
	for i, e := range edits { // one after the other
		uto.push(m(1, i+1, e.name, e.hidden), to(label.Amber, "UTO", "RUR"))
		must(t, uto.Settle(context.Background()))
		if places, err := uto.ledger.Out(context.Background(), id("malware", 1)); err != nil || len(places) != e.given {
			t.Fatalf("after edit %d there are %d copies in the log, not %d (%v)", i+1, len(places), e.given, err)
		}
	}
	uto.Close()
	for i, e := range edits { // all at once
		uto.push(m(2, i+1, e.name, e.hidden), to(label.Amber, "UTO", "RUR"))
	}
	uto.federate()
	uto.Start()
	for _, n := range []int{1, 2} {
		net.eventually("it has each change that it sees", func() bool { return slices.Equal(names(n), []string{"a", "b", "a", "b"}) })
	}
}

// An officer signs for one party after the other: each has one reduced copy, and keeps it.
func TestAPartyHasOneReducedCopy(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR", "FRE")
	uto, rur, fre := net.nodes["UTO"], net.nodes["RUR"], net.nodes["FRE"]
	net.agree(strings.Replace(stripping("all", "UTO", "RUR", "FRE"), "    strip   = ", "    release-officer = required\n    strip   = ", 1), "UTO", "RUR", "FRE")
	uto.push(described(1, v1, "secret"), to(label.Amber, "UTO", "RUR", "FRE"))
	net.eventually("an officer is asked for each", func() bool { return len(uto.releases(federation.Waiting)) == 2 })
	for n := range 2 {
		_, err := uto.Decide(context.Background(), uto.as(gate.RoleReleaser), federation.Decision{Key: uto.releases(federation.Waiting)[0].Key, Sign: true})
		must(t, err)
		net.eventually("who was signed for has it", func() bool { return len(rur.has("UTO"))+len(fre.has("UTO")) == n+1 })
	}
	must(t, uto.Settle(context.Background()))
	if places, err := uto.ledger.Out(context.Background(), id("malware", 1)); err != nil || len(places) != 2 {
		t.Errorf("%d copies went out to two parties, %v", len(places), err)
	}
}

// What is shared with another party later comes to both as one more reduced copy, under an id for the two. The first copy stays with who has it: under the label that
// is in force, and until the object is taken back.
func TestACopyThatWasForFewer(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR", "FRE")
	uto, rur, fre := net.nodes["UTO"], net.nodes["RUR"], net.nodes["FRE"]
	net.agree(stripping("all", "UTO", "RUR", "FRE"), "UTO", "RUR", "FRE")
	uto.push(described(1, v1, "secret"), to(label.Green, "UTO", "RUR"))
	net.eventually("the first has it", func() bool { return len(rur.has("UTO")) == 1 })
	uto.relabel(id("malware", 1), "", to(label.Amber, "UTO", "RUR", "FRE"))
	net.eventually("both have it", func() bool { return len(rur.has("UTO")) == 2 && len(fre.has("UTO")) == 1 })
	net.eventually("no copy has the laxer label", func() bool {
		page, err := rur.db.Page(context.Background(), rur.gate.Own(net.now()), store.Query{Nation: "UTO", Org: org("UTO"), Versions: all})
		must(t, err)
		return len(page.Items) == 2 && page.Items[0].Record.Label.TLP == label.Amber && page.Items[1].Record.Label.TLP == label.Amber
	})
	if n, err := uto.TakeBack(context.Background(), id("malware", 1), peer.Purge, ""); err != nil || n != 2 {
		t.Errorf("%d orders, %v", n, err)
	}
	net.eventually("nothing is left", func() bool { return len(rur.has("UTO")) == 0 && len(fre.has("UTO")) == 0 })
}
