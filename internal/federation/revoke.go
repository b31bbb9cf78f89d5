package federation

import (
	"slices"

	"entente/internal/ledger"
	"entente/internal/store"
	"entente/peer"
	"entente/stix"
)

// recall has what was revoked retracted where the version that says so may not go: whoever has an earlier version learns that it holds no more.
func (f *Federation) recall(it *store.Item, given []ledger.Place, w *writing) error {
	if w.revoked == nil {
		w.revoked = map[string]string{}
	}
	w.revoked[it.Record.ID] = max(w.revoked[it.Record.ID], it.Record.Order)
	told := map[string]bool{}
	tell := func(parties []string) {
		for _, p := range parties {
			told[p] = true
		}
	}
	for _, p := range given {
		if parseMark(p.Version).rec == int64(it.Rec) {
			tell(f.logs[p.Origin].parties)
		}
	}
	for i := range w.puts {
		if w.puts[i].item.Rec == it.Rec {
			tell(w.puts[i].group.parties)
		}
	}
	for _, p := range given {
		l, ok := f.logs[p.Origin]
		m := parseMark(p.Version)
		if order, err := stix.Order(m.version); !ok || err != nil || order >= it.Record.Order || !slices.ContainsFunc(l.parties, func(party string) bool { return !told[party] }) {
			continue
		}
		m.label = taken
		if err := f.order(l, p, it.Record.ID, m.String(), peer.Order{Do: peer.Retract.String(), Reason: "revoked"}, peer.Retract, w); err != nil {
			return err
		}
		w.ids = append(w.ids, it.Record.ID)
	}
	return nil
}
