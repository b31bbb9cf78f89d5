package accord

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"entente/label"
)

// Compile makes the tables of an accord whose canonical form has the digest. members is asked who the parties are where the text leaves it to signed
// registers: with the name of a register, for parties = "register:NAME" without a list of them, and with "keylog:NAME" for a party whose text names no organisation, of which
// it gives the one whose node the nation's key log names. An accord that Check refuses is not compiled; what is wrong then is an *Uncompiled.
func Compile(a *Accord, digest string, members func(register string) ([]Party, error)) (*Terms, error) {
	t := &Terms{Name: a.Name, Version: a.Version, Mode: a.Mode, Effective: a.Effective, Expires: a.Expires, Purpose: a.Purpose &^ a.Never,
		Sectors: label.All(), Community: a.Scope.Community != "", Handle: a.Handle, Limits: a.Limits, Reciprocity: a.Reciprocity,
		Exercises: a.Exercises, Decides: a.Decides, Derives: a.Derives, Relays: a.Relays, Clients: a.Scope.Clients,
		SuspendBy: a.SuspendBy, Terminate: a.Terminate, Withdraw: a.Withdraw, ByKind: map[string][]int{}}
	var err error
	if t.Digest, err = ParseDigest(digest); err != nil {
		return nil, err
	}
	if t.Parties, err = a.resolve(members); err != nil {
		return nil, err
	}
	refused := slices.DeleteFunc(a.Check(Context{Members: t.Parties}), func(w Warning) bool { return w.Severity < Refusal })
	if len(refused) > 0 {
		return nil, &Uncompiled{a.Name, refused}
	}
	if len(a.Sectors) > 0 {
		if t.Sectors, err = label.NewSet(a.Sectors...); err != nil {
			return nil, err
		}
	}
	for i, g := range a.Gives {
		c := Clause{Give: g, Number: i + 1, FromSet: t.set(g.From), ToSet: t.set(g.To)}
		t.Clauses = append(t.Clauses, c)
		for _, k := range g.Kinds {
			t.ByKind[k] = append(t.ByKind[k], i)
		}
	}
	for _, x := range a.Authorities {
		b := Basis{Authority: x}
		if len(x.Covers) > 0 {
			b.Kinds = map[string]bool{}
			for _, k := range x.Covers {
				b.Kinds[k] = true
			}
		}
		t.Bases = append(t.Bases, b)
	}
	return t, nil
}

// Uncompiled is an accord that cannot bind anybody as it stands.
type Uncompiled struct {
	Name string
	Why  []Warning
}

func (e *Uncompiled) Error() string {
	why := make([]string, len(e.Why))
	for i, w := range e.Why {
		why[i] = fmt.Sprintf("%d:%d: %s", w.Line, w.Column, w.Text)
	}
	return "accord " + e.Name + " cannot be put in force: " + strings.Join(why, "; ")
}

// resolve gives the parties, every one with its organisation, in the order of their nations.
func (a *Accord) resolve(members func(string) ([]Party, error)) ([]Party, error) {
	ask := func(register string) ([]Party, error) {
		if members == nil {
			return nil, fmt.Errorf("accord %s: nobody knows what %s says", a.Name, register)
		}
		ps, err := members(register)
		if err != nil {
			return nil, fmt.Errorf("accord %s: %s: %w", a.Name, register, err)
		}
		return ps, nil
	}
	parties := slices.Clone(a.Parties)
	if a.Register != "" && len(parties) == 0 {
		var err error
		if parties, err = ask(a.Register); err != nil {
			return nil, err
		}
		parties = slices.Clone(parties)
	}
	if n := len(parties); n < 2 || n > MaxParties {
		return nil, fmt.Errorf("accord %s: it has %d parties, not 2 to %d", a.Name, n, MaxParties)
	}
	for i := range parties {
		p := &parties[i]
		if p.Org == "" {
			known, err := ask("keylog:" + p.Keys)
			if err != nil {
				return nil, err
			}
			if len(known) != 1 || known[0].Nation != p.Nation || known[0].Org == "" {
				return nil, fmt.Errorf("accord %s: keylog:%s names no organisation of %s", a.Name, p.Keys, p.Nation)
			}
			p.Org, p.Node = known[0].Org, cmp.Or(p.Node, known[0].Node)
		}
		if !label.IsNation(p.Nation) {
			return nil, fmt.Errorf("accord %s: %s is no nation's code", a.Name, cited(p.Nation))
		}
		p.Need = max(p.Need, 1)
		if len(p.Signers) == 0 {
			p.Signers = []string{p.Org}
		}
	}
	slices.SortFunc(parties, func(p, q Party) int { return cmp.Compare(p.Nation, q.Nation) })
	for i := range parties[1:] {
		if parties[i].Nation == parties[i+1].Nation {
			return nil, fmt.Errorf("accord %s: %s is a party twice", a.Name, parties[i].Nation)
		}
	}
	return parties, nil
}

// WithMembers is the accord with the members of its register written out, as it is signed: who joins later is a party of a later version.
func (a *Accord) WithMembers(members []Party) *Accord {
	b := *a
	b.Parties = slices.SortedFunc(slices.Values(members), func(p, q Party) int { return cmp.Compare(p.Nation, q.Nation) })
	for i := range b.Parties {
		b.Parties[i].Need = max(b.Parties[i].Need, 1)
	}
	return &b
}

// set numbers nations; none means all.
func (t *Terms) set(nations []string) Parties {
	var s Parties
	for i := range t.Parties {
		if len(nations) == 0 || slices.Contains(nations, t.Parties[i].Nation) {
			s |= 1 << i
		}
	}
	return s
}

// ParseDigest reads what Digest gives.
func ParseDigest(s string) (d [32]byte, err error) {
	if !isDigest(s) || s == Unfilled {
		return d, fmt.Errorf("%s is no digest: it is \"sha256:\" and 64 digits of 0-9a-f", cited(s))
	}
	_, err = hex.Decode(d[:], []byte(s[len("sha256:"):]))
	return d, err
}
