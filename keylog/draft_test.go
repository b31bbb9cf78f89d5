package keylog

import (
	"slices"
	"testing"
)

// Two of three holders admit two keys, each on a copy of its own, in any order.
func TestHoldersSignCopiesOfADraft(t *testing.T) {
	l := utopia(t)
	d, err := l.Prepare(
		Statement{Kind: KindAdd, Time: after(3), Entry: org(t, pool[9])},
		Statement{Kind: KindRevoke, Time: after(3), From: after(4), Key: id(9), Reason: "a slip"},
	)
	must(t, err)
	b, err := d.Bytes()
	must(t, err)
	var copies []*Draft
	for _, holder := range []int{2, 0} {
		c, err := ParseDraft(b)
		must(t, err)
		must(t, c.Sign(pool[holder]))
		must(t, c.Sign(pool[holder])) // who signs twice counts once
		signed, err := c.Bytes()
		must(t, err)
		c, err = ParseDraft(signed)
		must(t, err)
		if !slices.Equal(c.Signers(), []string{id(holder)}) || c.PayloadHash() != d.PayloadHash() {
			t.Errorf("%v", c.Signers())
		}
		copies = append(copies, c)
		refused(t, l.Clone().Take(c), "statement.signature")
	}
	head := l.Head()
	must(t, copies[0].Merge(copies[1]))
	must(t, copies[0].Merge(copies[1]))
	must(t, l.Take(copies[0]))
	if k, ok := l.State().Find(id(9)); !ok || k.Until.IsZero() || l.Size() != head.Size+2 {
		t.Errorf("%+v", k)
	}
	refused(t, l.Take(copies[0]), "keylog.order")
}

func TestDraftsThatAreRefused(t *testing.T) {
	l := utopia(t)
	good := Statement{Kind: KindAdd, Time: after(3), Entry: org(t, pool[9])}
	stolen := *org(t, pool[9])
	stolen.Org = "rur.cert"
	for name, c := range map[string]struct {
		code       string
		statements []Statement
	}{
		"nothing":                {"statement.form", nil},
		"a key twice":            {"keylog.order", []Statement{good, good}},
		"an unknown key":         {"keylog.order", []Statement{{Kind: KindRevoke, Time: after(3), From: after(4), Key: id(15), Reason: "x"}}},
		"older than the log":     {"keylog.order", []Statement{{Kind: KindAdd, Time: start, Entry: org(t, pool[9])}}},
		"asked for by another":   {"statement.signature", []Statement{{Kind: KindAdd, Time: after(3), Entry: &stolen}}},
		"more than fits a draft": {"statement.form", slices.Repeat([]Statement{good}, MaxDraft+1)},
	} {
		_, err := l.Prepare(c.statements...)
		if err == nil {
			t.Errorf("%s: drafted", name)
			continue
		}
		refused(t, err, c.code)
	}
	one, err := l.Prepare(good)
	must(t, err)
	other, err := l.Prepare(Statement{Kind: KindAdd, Time: after(4), Entry: org(t, pool[9])})
	must(t, err)
	refused(t, one.Merge(other), "keylog.order")

	// A draft that the log has overtaken is made anew.
	must(t, put(l, other.Statements()[0], pool[0], pool[1]))
	must(t, one.Sign(pool[0]))
	must(t, one.Sign(pool[1]))
	refused(t, l.Take(one), "keylog.order")
	if l.Size() != 4 {
		t.Error("something was taken")
	}
}
