package ledger

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"entente/peer"
)

// What is refused is counted by its reason for an hour, also where nothing of it is kept and when the ledger is closed; a partner that makes up reasons fills nothing.
func TestWhatIsRefusedIsCounted(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	a, b := openAt(t, Config{Dir: t.TempDir()}), openAt(t, Config{Dir: dir})
	g := ownLog(t, a)
	size := uint64(0)
	give := func(at time.Time, codes ...string) {
		t.Helper()
		appendN(t, a, g.Origin, int(size), len(codes))
		sign(t, a, g.Origin)
		v, err := b.Mirror(ctx, g.Origin, "USA", toKWT)
		if err != nil {
			t.Fatal(err)
		}
		batch, err := a.Frames(ctx, g.Origin, peer.Pull{From: size})
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := v.Extend(batch, notary.Key())
		if err != nil {
			t.Fatal(err)
		}
		var taken []Taken
		for i, code := range codes {
			x := Taken{Frame: fresh[i], Did: peer.DidRefuse, Code: code, At: at, Bare: i%2 == 0}
			if code == "" {
				x.Did = peer.DidStore
			}
			taken = append(taken, x)
		}
		if err := b.Extend(ctx, v, size, taken); err != nil {
			t.Fatal(err)
		}
		size += uint64(len(codes))
	}
	is := func(at time.Time, want ...Refusals) {
		t.Helper()
		got, err := b.Refused(ctx, "USA", at)
		for i := range got {
			got[i].Since = got[i].Since.UTC()
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v %v\nwant %+v", got, err, want)
		}
	}
	give(now, "", "quota", "kind", "quota")
	give(now.Add(time.Minute), "quota")
	first := []Refusals{{"kind", 1, now, g.Origin, 2}, {"quota", 3, now, g.Origin, 1}}
	is(now.Add(RefusedIn), first...)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = openAt(t, Config{Dir: dir})
	is(now.Add(RefusedIn), first...)
	later := now.Add(RefusedIn + time.Second)
	is(later)
	give(later, "quota")
	is(later, Refusals{"quota", 1, later, g.Origin, 5})
	var many []string
	for i := range 3 * maxCodes {
		many = append(many, fmt.Sprint("code", i))
	}
	give(later, append(many, "quota")...)
	got, err := b.Refused(ctx, "USA", later)
	if err != nil || len(got) != maxCodes || got[len(got)-1].Count != 2 {
		t.Errorf("%d reasons, %v", len(got), err)
	}
}
