package exchange_test

import (
	"context"
	"testing"

	"entente/internal/exchange"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
)

// versions says under which labels whom an object is from that the node has.
func (w *world) versions(of gate.Party, n int) []label.Label {
	w.t.Helper()
	page, err := w.db.Page(context.Background(), w.Gate().Own(w.now), store.Query{IDs: []string{id("indicator", n)}, Nation: of.Nation, Org: of.Org,
		Versions: store.Versions{All: true}, Held: true})
	if err != nil {
		w.t.Fatal(err)
	}
	var out []label.Label
	for _, it := range page.Items {
		out = append(out, it.Record.Label)
	}
	return out
}

func to(tlp label.TLP, orgs ...string) label.Label {
	audience, err := label.NewAudience(orgs...)
	if err != nil {
		panic(err)
	}
	return label.For(tlp).To(audience)
}

// What an originator signed is the label, also for markings that are not known here; what the object itself says more keeps it back.
func TestRecordsUnderASignedLabel(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	ours := label.Org("UTO", "Utopia CERT")
	unknown := "marking-definition--00000000-0000-4000-8000-00000000abcd"
	for i, c := range []struct {
		marking string
		signed  label.Label
		want    string
		reads   bool
	}{
		{"", to(label.Red, ours), "added", true},
		{unknown, to(label.Amber, ours), "added", true},
		{green, to(label.Amber, ours), "added", true},
		{amber, to(label.Green, ours), "held label.contradictory", false},
		{"", to(label.Clear, label.Org("RUR", "Ruritania CERT")), "added", false},
	} {
		other := c.signed
		out, err := w.Accept(ctx, outside, exchange.Submission{Objects: [][]byte{[]byte(indicator(i, c.marking))}, Labels: []label.Label{other}, Via: "peer:FRE"})
		if err != nil || states(out) != c.want {
			t.Errorf("%d: %s %v, want %s", i, states(out), err, c.want)
			continue
		}
		_, err = w.Get(ctx, analyst, "", id("indicator", i), store.Versions{})
		if (err == nil) != c.reads {
			t.Errorf("%d: reading it: %v", i, err)
		}
	}
	wrong := to(label.Green, ours)
	wrong.Mode = label.Exercise("storm")
	out, err := w.Accept(ctx, outside, exchange.Submission{Objects: [][]byte{[]byte(indicator(20, ""))}, Labels: []label.Label{wrong}})
	if err != nil || states(out) != "held label.mode" {
		t.Errorf("of another realm: %s %v", states(out), err)
	}
	if _, err := w.Accept(ctx, outside, exchange.Submission{Objects: [][]byte{nil, nil}, Labels: []label.Label{wrong}}); err == nil {
		t.Error("two objects with one label were taken")
	}
}

// An order is about what came from its originator, and about nothing else of the same id.
func TestOrdersOfTheOriginator(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	theirs, others := outside.Party(), member.Party()
	put := func(v gate.Viewer, n int, l label.Label) {
		t.Helper()
		out, err := w.Accept(ctx, v, exchange.Submission{Objects: [][]byte{[]byte(indicator(n, ""))}, Labels: []label.Label{l}})
		if err != nil || states(out) != "added" {
			t.Fatalf("%s %v", states(out), err)
		}
	}
	for n := range 3 {
		put(outside, n, to(label.Amber, label.Org("UTO", "Utopia CERT"), label.Org("FRE", "Freedonia CERT")))
		put(member, n, to(label.Amber, label.Org("UTO", "Utopia CERT"), label.Org("RUR", "Ruritania CERT")))
	}
	order := func(n int) exchange.Order {
		return exchange.Order{Origin: theirs, ID: id("indicator", n), Actor: "peer:FRE"}
	}
	if n, err := w.Withdraw(ctx, order(0)); n != 1 || err != nil {
		t.Errorf("retracted %d: %v", n, err)
	}
	if n, err := w.Mark(ctx, order(1), to(label.Red, label.Org("UTO", "Utopia CERT"))); n != 1 || err != nil {
		t.Errorf("relabelled %d: %v", n, err)
	}
	if r, err := w.Destroy(ctx, order(2)); r.Records != 1 || err != nil {
		t.Errorf("purged %+v: %v", r, err)
	}
	for n, want := range []int{0, 1, 0} {
		if got := w.versions(theirs, n); len(got) != want {
			t.Errorf("%d: %d versions of the originator, want %d", n, len(got), want)
		}
		if got := w.versions(others, n); len(got) != 1 || got[0].TLP != label.Amber {
			t.Errorf("%d: the other organisation's has become %v", n, got)
		}
	}
	if l := w.versions(theirs, 1)[0]; l.TLP != label.Red || l.Audience.Len() != 1 {
		t.Errorf("the relabelled one is under %v", l)
	}
	if n, err := w.Withdraw(ctx, order(0)); n != 0 || err != nil {
		t.Errorf("retracted again: %d %v", n, err)
	}
	if r, err := w.Destroy(ctx, exchange.Order{Origin: theirs, ID: id("indicator", 1), Version: "2026-01-01T00:00:00.123Z"}); err != nil || r.Records != 0 || len(w.versions(theirs, 1)) != 1 {
		t.Errorf("a version that is not here: %+v %v", r, err)
	}
	if n, err := w.Suspect(ctx, order(1), store.Reason{Code: "key.compromised"}, func([]byte) bool { return false }); n != 0 || err != nil {
		t.Errorf("%d held by another key: %v", n, err)
	}
	for _, want := range []int{1, 0} { // what is held is not held again
		if n, err := w.Suspect(ctx, order(1), store.Reason{Code: "key.compromised"}, func([]byte) bool { return true }); n != want || err != nil {
			t.Errorf("%d held, want %d: %v", n, want, err)
		}
	}
	if q, err := w.Quarantine(ctx, analyst, 0, 10); err != nil || len(q) != 1 || q[0].Record.ID != id("indicator", 1) || q[0].Hold.Intended.TLP != label.Red {
		t.Errorf("in quarantine: %+v %v", q, err)
	}
}
