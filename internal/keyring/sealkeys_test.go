package keyring

import (
	"testing"
	"time"

	"entente/dsse"
	"entente/keylog"
	"entente/seal"
)

func stated(t *testing.T, r *Ring, now time.Time) *seal.Statement {
	t.Helper()
	b, err := r.SealStatement(now)
	must(t, err)
	s, by, err := seal.OpenStatement(b, Operational, func(id string) *dsse.Key {
		if r.KeyState().Valid(id, keylog.RoleNode, now) != nil {
			return nil
		}
		k, _ := r.KeyState().Find(id)
		return k.Key
	})
	must(t, err)
	if by == nil || s.Nation != r.Names().Nation || s.Org != r.Names().Org || s.At(now) != nil {
		t.Fatalf("%+v", s)
	}
	return s
}

// Every month has its key; what has been carried for a month opens still, and then no more.
func TestKeysToSealTo(t *testing.T) {
	dir, day := t.TempDir(), 24*time.Hour
	now := clock()
	r, err := Create(dir, Names{Nation: "UTO", Org: "ut.cert"}, func() time.Time { return now })
	must(t, err)
	first := stated(t, r, now)
	opens := func(s *seal.Statement) bool {
		keys, err := r.SealKeys(now)
		must(t, err)
		for _, k := range keys {
			if k.ID() == s.ID() {
				return true
			}
		}
		return false
	}
	r, err = Open(dir, Operational, func() time.Time { return now })
	must(t, err)
	if again := stated(t, r, now.Add(22*day)); first.Epoch != 1 || again.ID() != first.ID() {
		t.Errorf("another key after an opening: %+v", again)
	}
	now = now.Add(24 * day)
	second := stated(t, r, now)
	if second.Epoch != 2 || second.ID() == first.ID() || first.At(now) != nil || !opens(first) || !opens(second) {
		t.Errorf("the successor is not there a week before: %+v", second)
	}
	now = now.Add(35 * day) // the first ended 29 days ago
	if !opens(first) || !opens(second) {
		t.Error("what was on its way for a month does not open")
	}
	now = now.Add(2 * day)
	if opens(first) || !opens(second) {
		t.Error("the first key was not destroyed, or the second was")
	}
	now = now.Add(365 * day)
	if keys, err := r.SealKeys(now); err != nil || len(keys) != 1 || opens(second) {
		t.Errorf("%d keys after a year: %v", len(keys), err)
	}
	if last := stated(t, r, now); last.Epoch != 4 {
		t.Errorf("epochs are counted on: %d", last.Epoch)
	}
}
