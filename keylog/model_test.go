package keylog

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"entente/dsse"
)

// naive says what a log says by going through all its statements each time.
type naive struct{ said []Statement }

func (n *naive) root() (r Root) {
	for _, s := range n.said {
		if s.Root != nil {
			r = *s.Root
		}
	}
	return r
}

func (n *naive) added(id string) *Statement {
	for i, s := range n.said {
		if s.Entry != nil && s.Entry.Key.ID() == id {
			return &n.said[i]
		}
	}
	return nil
}

func (n *naive) counts(id string, role Role, at time.Time) bool {
	in := n.added(id)
	if in == nil || !slices.Contains(in.Entry.Roles, role) || at.Before(in.Time) || !in.Entry.NotAfter.IsZero() && !at.Before(in.Entry.NotAfter) {
		return false
	}
	for _, s := range n.said {
		if s.Key == id && s.Kind != KindAddress && !at.Before(s.From) {
			return false
		}
	}
	return true
}

// A log that takes random statements by random signers takes those, and only those, that its root has signed, and says then what the statements say.
func TestALogSaysWhatItsStatementsSay(t *testing.T) {
	keys := pool
	rapid.Check(t, func(rt *rapid.T) {
		l := New("UTO", "operational")
		if err := put(l, Statement{Kind: KindRoot, Time: start, Root: &Root{1, publics(keys[0], keys[1])}}, keys[0], keys[1]); err != nil {
			rt.Fatal(err)
		}
		first, _ := l.Statement(0)
		model := naive{[]Statement{first}}
		now := start
		pick := func(what string) *dsse.Private { return keys[rapid.IntRange(0, 9).Draw(rt, what)] }
		for range rapid.IntRange(1, 12).Draw(rt, "statements") {
			now = now.Add(time.Duration(rapid.IntRange(0, 5).Draw(rt, "hours")) * time.Hour)
			s := Statement{Kind: rapid.SampledFrom([]Kind{KindAdd, KindAdd, KindAdd, KindRotate, KindRevoke, KindCompromise, KindRoot}).Draw(rt, "kind"), Time: now}
			signers := []*dsse.Private{pick("signer"), keys[rapid.IntRange(0, 1).Draw(rt, "root signer")]}
			var old *dsse.Private
			switch s.Kind {
			case KindRoot:
				a, b := pick("root a"), pick("root b")
				if a == b {
					continue
				}
				s.Root = &Root{rapid.IntRange(1, 2).Draw(rt, "need"), publics(a, b)}
				signers = append(signers, a, b)
			case KindAdd, KindRotate:
				p := pick("new")
				s.Entry = entry(t, p, Entry{Org: "o", Roles: []Role{rapid.SampledFrom([]Role{RoleVote, RoleAccord}).Draw(rt, "role")}, NotAfter: now.Add(time.Duration(rapid.IntRange(1, 40).Draw(rt, "life")) * time.Hour)})
			}
			if s.Kind != KindRoot && s.Kind != KindAdd {
				old = pick("old")
				s.Key = old.Key().ID()
				gap := time.Duration(rapid.IntRange(0, 10).Draw(rt, "gap")) * time.Hour
				if s.From = now.Add(gap); s.Kind == KindCompromise {
					s.From = now.Add(-gap)
				}
				if s.Kind != KindRotate {
					s.Reason = "r"
				} else if rapid.Bool().Draw(rt, "old signs") {
					signers = append(signers, old)
				}
			}
			by := func(id string) bool {
				return slices.ContainsFunc(signers, func(p *dsse.Private) bool { return p.Key().ID() == id })
			}
			enough := func(r Root) bool {
				n := 0
				for _, k := range r.Keys {
					if by(k.ID()) {
						n++
					}
				}
				return n >= r.Need
			}
			root := model.root()
			want := enough(root)
			if s.Root != nil {
				want = want && enough(*s.Root) && model.added(s.Root.Keys[0].ID()) == nil && model.added(s.Root.Keys[1].ID()) == nil
			}
			if s.Entry != nil {
				want = want && model.added(s.Entry.Key.ID()) == nil && root.find(s.Entry.Key.ID()) == nil
			}
			if s.Key != "" {
				want = want && model.added(s.Key) != nil
				for _, e := range model.said {
					if e.Key == s.Key && !s.From.Before(e.From) && (e.Kind == KindCompromise) == (s.Kind == KindCompromise) && s.Kind != KindRotate {
						want = false
					}
				}
			}
			if s.Kind == KindRotate && want {
				in := model.added(s.Key)
				want = by(s.Key) && model.counts(s.Key, in.Entry.Roles[0], now)
			}
			before := l.Head()
			err := put(l, s, signers...)
			if (err == nil) != want {
				rt.Fatalf("%s: %v, the model says %t", s.Kind, err, want)
			}
			if err != nil {
				if l.Head() != before {
					rt.Fatal("a refused statement changed the log")
				}
				continue
			}
			said, _ := l.Statement(l.Size() - 1)
			model.said = append(model.said, said)
		}
		state := l.State()
		for _, p := range keys[:10] {
			for hour := 0; hour < 100; hour += rapid.IntRange(1, 9).Draw(rt, "step") {
				for _, role := range []Role{RoleVote, RoleAccord} {
					if got, want := state.Valid(p.Key().ID(), role, after(hour)) == nil, model.counts(p.Key().ID(), role, after(hour)); got != want {
						rt.Fatalf("hour %d: %t, the model says %t", hour, got, want)
					}
				}
			}
		}
		again, err := Open("UTO", "operational", l.Since(0))
		if err != nil || again.Head() != l.Head() {
			rt.Fatalf("opened again: %v", err)
		}
	})
}
