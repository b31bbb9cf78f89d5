package exchange_test

import (
	"testing"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
)

// TestHand gives records to who is in no register: what reaches clients goes, and is written down; what does not is withheld, and nothing is written.
func TestHand(t *testing.T) {
	w := newWorld(t)
	to := exchange.Recipient{Party: gate.Party{Nation: "UTO", Org: "Utopia Water"}, Client: true}
	stranger := exchange.Recipient{Party: to.Party}
	for i, c := range []struct {
		tlp      label.TLP
		to       exchange.Recipient
		released string // the clause; empty: it does not go
	}{
		{label.Amber, stranger, ""},
		{label.Amber, to, "tlp:amber client"},
		{label.AmberStrict, to, ""},
		{label.Clear, stranger, "tlp:clear"},
		{label.Red, to, ""},
	} {
		w.as(analyst, indicator(40+i, label.TLPMarkingID(c.tlp, false)))
		page, err := w.Read(t.Context(), analyst, store.Query{Collection: w.coll})
		if err != nil {
			t.Fatal(err)
		}
		item := page.Items[len(page.Items)-1]
		e, err := w.Judge(t.Context(), c.to, &item)
		if err != nil || e.Decision.Permit != (c.released != "") || len(e.Decision.Reasons) == 0 {
			t.Fatalf("%s: %v %+v", c.tlp, err, e)
		}
		err = w.Hand(t.Context(), c.to, []store.Item{item})
		if (c.released != "") != (err == nil) || c.released == "" && fault.Of(err) != fault.Withheld {
			t.Errorf("%s: %v", c.tlp, err)
		}
		held, err := w.Holders(t.Context(), analyst, item.Record.ID)
		if err != nil {
			t.Fatal(err)
		}
		if (c.released == "") != (len(held) == 0) || len(held) == 1 && (held[0].Clause != c.released || held[0].Party != "UTO/Utopia Water") {
			t.Errorf("%s: %+v", c.tlp, held)
		}
		item.Held = true
		if e, err := w.Judge(t.Context(), c.to, &item); err != nil || e.Decision.Permit {
			t.Errorf("%s: a record in quarantine may go", c.tlp)
		}
	}
}
