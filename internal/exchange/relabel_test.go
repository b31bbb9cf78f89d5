package exchange_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/internal/store"
	"entente/label"
)

// Who may write makes a label stricter; an officer makes it looser, but never less than the object itself says; and nobody changes the label
// that another organisation gave.
func TestRelabel(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	plain := gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "pat", Roles: []string{gate.RoleAnalyst}, Realm: "operational"}
	w.as(analyst, indicator(1, ""), indicator(2, green))
	w.as(outside, indicator(3, clearID))
	relabel := func(v gate.Viewer, n int, tlp label.TLP, dry bool) (string, int) {
		got, err := w.Relabel(ctx, v, exchange.Relabelling{ID: id("indicator", n), Label: label.For(tlp), Reason: "agreed", DryRun: dry})
		if err != nil {
			return fault.As(err).Code + " " + fault.Of(err).String(), 0
		}
		return "ok", len(got)
	}
	for _, c := range []struct {
		v    gate.Viewer
		n    int
		tlp  label.TLP
		want string
	}{
		{plain, 1, label.Green, "relabel.looser forbidden"}, // RED, because nobody said anything else
		{plain, 1, label.Red, "ok"},
		{plain, 2, label.Amber, "ok"},
		{analyst, 2, label.Clear, "relabel.markings conflict"},
		{analyst, 3, label.Red, "object.origin forbidden"},
		{member, 1, label.Red, " not_found"},
		{member, 3, label.Red, "object.origin forbidden"},
		{analyst, 9, label.Red, " not_found"},
	} {
		if got, _ := relabel(c.v, c.n, c.tlp, true); got != c.want {
			t.Errorf("%s relabels %d %v: %s, want %s", c.v.Person, c.n, c.tlp, got, c.want)
		}
	}
	if got := w.sees(member); got != "02 03" {
		t.Fatalf("a dry run changed something: %s", got)
	}
	if got, n := relabel(analyst, 1, label.Green, false); got != "ok" || n != 1 {
		t.Fatalf("%s %d", got, n)
	}
	if got, n := relabel(analyst, 1, label.Green, false); got != "ok" || n != 0 {
		t.Errorf("the second time: %s %d", got, n)
	}
	if got, _ := relabel(plain, 2, label.Red, false); got != "ok" {
		t.Error(got)
	}
	if got := w.sees(member); got != "03 01" {
		t.Errorf("the member sees %s", got)
	}
	acts, _, err := w.Acts(ctx, analyst, store.ActQuery{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, a := range acts {
		if a.Act.Verb == "object.relabel" && a.Act.Detail == "agreed" && strings.HasSuffix(a.Act.Actor, "a") || a.Act.Verb == "object.relabel" && a.Act.Actor == "Utopia CERT/pat" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d relabellings in the journal: %+v", n, acts)
	}
	if _, err := w.Relabel(ctx, analyst, exchange.Relabelling{ID: id("indicator", 1), Label: label.For(label.Red), Reason: "two\nlines"}); fault.Of(err) != fault.Invalid {
		t.Error(err)
	}
}

// overtaken is a store in which somebody relabels a record between the reading and the writing of somebody else.
type overtaken struct {
	store.Store
	by func()
}

func (o *overtaken) Relabel(ctx context.Context, s gate.Scope, r store.Relabelling) (record.Seq, error) {
	if by := o.by; by != nil {
		o.by = nil
		by()
	}
	return o.Store.Relabel(ctx, s, r)
}

// What was no loosening of the label that was read is refused where the label has become stricter meanwhile.
func TestRelabelOvertaken(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	plain := gate.Viewer{Nation: "UTO", Org: "Utopia CERT", Person: "pat", Roles: []string{gate.RoleAnalyst}, Realm: "operational"}
	w.as(analyst, indicator(1, green))
	st := &overtaken{Store: w.db}
	other, err := exchange.New(ctx, exchange.Config{Nation: "UTO", Org: "Utopia CERT", Realm: "operational", Now: func() time.Time { return w.now }, Gate: w.Gate}, st)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	st.by = func() {
		if _, err := w.Relabel(ctx, analyst, exchange.Relabelling{ID: id("indicator", 1), Label: label.For(label.Red)}); err != nil {
			t.Error(err)
		}
	}
	if _, err := other.Relabel(ctx, plain, exchange.Relabelling{ID: id("indicator", 1), Label: label.For(label.Amber)}); fault.Of(err) != fault.Conflict {
		t.Errorf("%v", err)
	}
	if got := w.sees(member); got != "" {
		t.Errorf("the member sees %s", got)
	}
}
