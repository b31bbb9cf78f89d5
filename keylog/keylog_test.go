package keylog

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"entente/dsse"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

func after(hours int) time.Time { return start.Add(time.Duration(hours) * time.Hour) }

// pool is keys for tests: making hybrid ones takes time.
var pool = func() (out []*dsse.Private) {
	for range 24 {
		p, err := dsse.Generate(true)
		if err != nil {
			panic(err)
		}
		out = append(out, p)
	}
	return out
}()

func publics(ps ...*dsse.Private) (out []*dsse.Key) {
	for _, p := range ps {
		out = append(out, p.Key())
	}
	return out
}

// put drafts, signs and appends a statement.
func put(l *Log, s Statement, by ...*dsse.Private) error {
	e, err := l.Draft(s)
	if err != nil {
		return err
	}
	for _, p := range by {
		if err := e.Add(p); err != nil {
			return err
		}
	}
	return l.Append(e.Bytes())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t testing.TB, err error, code string) {
	t.Helper()
	if e := (*Error)(nil); !errors.As(err, &e) || e.Code != code {
		t.Errorf("%v, want %s", err, code)
	}
}

func entry(t testing.TB, p *dsse.Private, e Entry) *Entry {
	t.Helper()
	r, err := Request{Nation: "UTO", Realm: "operational", Entry: e}.Sign(p)
	must(t, err)
	return &r.Entry
}

func node(t testing.TB, p *dsse.Private) *Entry {
	return entry(t, p, Entry{Org: "uto.cert", Node: "one", Address: "node.uto.example:7443", Roles: []Role{RoleNode, RoleWitness}})
}

func org(t testing.TB, p *dsse.Private) *Entry {
	return entry(t, p, Entry{Org: "uto.cert", Roles: []Role{RoleAccord, RoleVote}})
}

// utopia is a log whose root is pool[0:3], two of which are needed; pool[3] is its node, pool[4] its organisation's key.
func utopia(t testing.TB) *Log {
	t.Helper()
	l := New("UTO", "operational")
	must(t, put(l, Statement{Kind: KindRoot, Time: start, Root: &Root{2, publics(pool[:3]...)}}, pool[:3]...))
	must(t, put(l, Statement{Kind: KindAdd, Time: after(1), Entry: node(t, pool[3])}, pool[0], pool[1]))
	must(t, put(l, Statement{Kind: KindAdd, Time: after(2), Entry: org(t, pool[4])}, pool[2], pool[1]))
	return l
}

func id(i int) string { return pool[i].Key().ID() }

func TestWhoMustSignWhat(t *testing.T) {
	r3 := &Root{2, publics(pool[5:8]...)}
	rotate := func(t *testing.T) Statement {
		return Statement{Kind: KindRotate, Time: after(3), From: after(10), Key: id(3), Entry: node(t, pool[8])}
	}
	for _, c := range []struct {
		name string
		of   func(t *testing.T) Statement
		by   []*dsse.Private
		code string // empty: taken
	}{
		{"a key, by two of the root", func(t *testing.T) Statement {
			return Statement{Kind: KindAdd, Time: after(3), Entry: org(t, pool[8])}
		}, pool[1:3], ""},
		{"a key, by one of the root", func(t *testing.T) Statement {
			return Statement{Kind: KindAdd, Time: after(3), Entry: org(t, pool[8])}
		}, pool[1:2], "statement.signature"},
		{"a key, by the key of an organisation", func(t *testing.T) Statement {
			return Statement{Kind: KindAdd, Time: after(3), Entry: org(t, pool[8])}
		}, pool[3:5], "statement.signature"},
		{"a key, by nobody", func(t *testing.T) Statement {
			return Statement{Kind: KindAdd, Time: after(3), Entry: org(t, pool[8])}
		}, nil, "statement.form"},
		{"a key whose holder did not ask", func(t *testing.T) Statement {
			e := org(t, pool[8])
			e.Key = pool[9].Key()
			return Statement{Kind: KindAdd, Time: after(3), Entry: e}
		}, pool[:2], "statement.signature"},
		{"a new root, by the old and the new", func(*testing.T) Statement {
			return Statement{Kind: KindRoot, Time: after(3), Root: r3}
		}, []*dsse.Private{pool[0], pool[1], pool[5], pool[6]}, ""},
		{"a new root, by the old alone", func(*testing.T) Statement {
			return Statement{Kind: KindRoot, Time: after(3), Root: r3}
		}, pool[:3], "statement.signature"},
		{"a new root, by the new alone", func(*testing.T) Statement {
			return Statement{Kind: KindRoot, Time: after(3), Root: r3}
		}, pool[5:8], "statement.signature"},
		{"a new root, by too few of the new", func(*testing.T) Statement {
			return Statement{Kind: KindRoot, Time: after(3), Root: r3}
		}, []*dsse.Private{pool[0], pool[1], pool[5]}, "statement.signature"},
		{"another threshold, by the root", func(*testing.T) Statement {
			return Statement{Kind: KindRoot, Time: after(3), Root: &Root{3, publics(pool[:3]...)}}
		}, pool[:3], ""},
		{"a higher threshold, by too few for it", func(*testing.T) Statement {
			return Statement{Kind: KindRoot, Time: after(3), Root: &Root{3, publics(pool[:3]...)}}
		}, pool[:2], "statement.signature"},
		{"a rotation, by the root and the old key", rotate, []*dsse.Private{pool[0], pool[1], pool[3]}, ""},
		{"a rotation, by the root alone", rotate, pool[:2], "statement.signature"},
		{"a rotation, by the old key alone", rotate, pool[3:4], "statement.signature"},
		{"a revocation, by the root", func(*testing.T) Statement {
			return Statement{Kind: KindRevoke, Time: after(3), From: after(3), Key: id(3), Reason: "decommissioned"}
		}, pool[:2], ""},
		{"a revocation, by the key itself", func(*testing.T) Statement {
			return Statement{Kind: KindRevoke, Time: after(3), From: after(3), Key: id(3), Reason: "decommissioned"}
		}, pool[3:4], "statement.signature"},
		{"an address, by the root", func(*testing.T) Statement {
			return Statement{Kind: KindAddress, Time: after(3), Key: id(3), Address: "[2001:db8::1]:443"}
		}, pool[:2], ""},
		{"an address of what is no node", func(*testing.T) Statement {
			return Statement{Kind: KindAddress, Time: after(3), Key: id(4), Address: "x:443"}
		}, pool[:2], "keylog.order"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := utopia(t)
			before := l.Head()
			err := put(l, c.of(t), c.by...)
			if c.code == "" {
				must(t, err)
				return
			}
			refused(t, err, c.code)
			if l.Head() != before || l.Size() != 3 {
				t.Error("a refused statement changed the log")
			}
		})
	}
}

func TestWhatDoesNotFollowIsRefused(t *testing.T) {
	revoke := Statement{Kind: KindRevoke, Time: after(3), From: after(9), Key: id(3), Reason: "r"}
	for name, c := range map[string]struct {
		before []Statement
		s      Statement
		code   string
	}{
		"older than the one before":   {nil, Statement{Kind: KindRevoke, Time: after(1), From: after(9), Key: id(3), Reason: "r"}, "keylog.order"},
		"an unknown key":              {nil, Statement{Kind: KindRevoke, Time: after(3), From: after(9), Key: id(9), Reason: "r"}, "keylog.order"},
		"a key twice":                 {nil, Statement{Kind: KindAdd, Time: after(3), Entry: org(t, pool[4])}, "keylog.order"},
		"a key of the root":           {nil, Statement{Kind: KindAdd, Time: after(3), Entry: org(t, pool[0])}, "keylog.order"},
		"a key that came expired":     {nil, Statement{Kind: KindAdd, Time: after(3), Entry: entry(t, pool[9], Entry{Org: "o", Roles: []Role{RoleVote}, NotAfter: after(3)})}, "keylog.order"},
		"revoked in the past":         {nil, Statement{Kind: KindRevoke, Time: after(3), From: after(2), Key: id(3), Reason: "r"}, "statement.form"},
		"compromised in the future":   {nil, Statement{Kind: KindCompromise, Time: after(3), From: after(4), Key: id(3), Reason: "r"}, "statement.form"},
		"a reason for a root":         {nil, Statement{Kind: KindRoot, Time: after(3), Root: &Root{1, publics(pool[0])}, Reason: "r"}, "statement.form"},
		"no reason":                   {nil, Statement{Kind: KindRevoke, Time: after(3), From: after(4), Key: id(3)}, "statement.form"},
		"revoked twice, later":        {[]Statement{revoke}, Statement{Kind: KindRevoke, Time: after(3), From: after(10), Key: id(3), Reason: "r"}, "keylog.order"},
		"a revoked key is replaced":   {[]Statement{{Kind: KindRevoke, Time: after(3), From: after(3), Key: id(3), Reason: "r"}}, Statement{Kind: KindRotate, Time: after(3), From: after(4), Key: id(3), Entry: node(t, pool[9])}, "keylog.order"},
		"replaced by another's":       {nil, Statement{Kind: KindRotate, Time: after(3), From: after(4), Key: id(3), Entry: org(t, pool[9])}, "keylog.order"},
		"a root of an org's key":      {nil, Statement{Kind: KindRoot, Time: after(3), Root: &Root{1, publics(pool[0], pool[1], pool[3])}}, "keylog.order"},
		"a local time":                {nil, Statement{Kind: KindRevoke, Time: after(3).In(time.FixedZone("", 3600)), From: after(9), Key: id(3), Reason: "r"}, "statement.form"},
		"nanoseconds":                 {nil, Statement{Kind: KindRevoke, Time: after(3).Add(1), From: after(9), Key: id(3), Reason: "r"}, "statement.form"},
		"an unknown kind":             {nil, Statement{Kind: "delete", Time: after(3)}, "statement.form"},
		"an address that is none":     {nil, Statement{Kind: KindAddress, Time: after(3), Key: id(3), Address: "http://x"}, "statement.form"},
		"a port that is none":         {nil, Statement{Kind: KindAddress, Time: after(3), Key: id(3), Address: "x:70000"}, "statement.form"},
		"a reason with a line's end":  {nil, Statement{Kind: KindRevoke, Time: after(3), From: after(9), Key: id(3), Reason: "a\nb"}, "statement.form"},
		"a root that needs more":      {nil, Statement{Kind: KindRoot, Time: after(3), Root: &Root{2, publics(pool[0])}}, "statement.form"},
		"a root with a key twice":     {nil, Statement{Kind: KindRoot, Time: after(3), Root: &Root{1, publics(pool[0], pool[0])}}, "statement.form"},
		"a root of too many":          {nil, Statement{Kind: KindRoot, Time: after(3), Root: &Root{1, publics(pool[:8]...)}}, "statement.form"},
		"a root without a key":        {nil, Statement{Kind: KindRoot, Time: after(3), Root: &Root{1, nil}}, "statement.form"},
		"a compromise that is softer": {[]Statement{{Kind: KindCompromise, Time: after(3), From: after(1), Key: id(3), Reason: "r"}}, Statement{Kind: KindCompromise, Time: after(3), From: after(2), Key: id(3), Reason: "r"}, "keylog.order"},
	} {
		t.Run(name, func(t *testing.T) {
			l := utopia(t)
			for _, b := range c.before {
				must(t, put(l, b, pool[:2]...))
			}
			refused(t, put(l, c.s, pool[0], pool[1], pool[2], pool[3]), c.code)
		})
	}
}

// A classical key signs what a nation says, which the hybrid checkpoints cover, and nothing else.
func TestOnlyTheOriginatorsKeyIsClassical(t *testing.T) {
	p, err := dsse.Generate(false)
	must(t, err)
	for _, role := range Roles() {
		e := Entry{Org: "o", Roles: []Role{role}}
		if role == RoleNode {
			e.Node = "n"
		}
		if _, err := (Request{Nation: "UTO", Realm: "operational", Entry: e}).Sign(p); (err == nil) != (role == RoleOriginate) {
			t.Errorf("%s: %v", role, err)
		}
	}
}

func TestWhenAKeyCounts(t *testing.T) {
	l := utopia(t)
	must(t, put(l, Statement{Kind: KindAdd, Time: after(2), Entry: entry(t, pool[5], Entry{Org: "uto.mod", Roles: []Role{RoleVote}, NotAfter: after(50)})}, pool[:2]...))
	must(t, put(l, Statement{Kind: KindRotate, Time: after(10), From: after(20), Key: id(3), Entry: node(t, pool[6])}, pool[0], pool[1], pool[3]))
	must(t, put(l, Statement{Kind: KindCompromise, Time: after(40), From: after(30), Key: id(4), Reason: "laptop stolen"}, pool[:2]...))
	s := l.State()
	for _, c := range []struct {
		key  int
		role Role
		at   int
		code string
	}{
		{3, RoleNode, 0, "key.early"}, {3, RoleNode, 1, ""}, {3, RoleNode, 19, ""}, {3, RoleNode, 20, "key.revoked"},
		{6, RoleNode, 9, "key.early"}, {6, RoleNode, 10, ""}, {6, RoleNode, 1e6, ""},
		{4, RoleAccord, 29, ""}, {4, RoleAccord, 30, "key.compromised"}, {4, RoleNode, 5, "key.role"}, {4, "", 5, ""},
		{5, RoleVote, 49, ""}, {5, RoleVote, 50, "key.expired"}, {9, "", 5, "key.unknown"}, {0, RoleAccord, 5, "key.unknown"},
	} {
		err := s.Valid(id(c.key), c.role, after(c.at))
		if c.code == "" && err != nil {
			t.Errorf("%+v: %v", c, err)
		} else if c.code != "" {
			refused(t, err, c.code)
		}
	}
	if since, ok := s.Compromised(id(4)); !ok || !since.Equal(after(30)) {
		t.Errorf("%v %v", since, ok)
	}
	if _, ok := s.Compromised(id(3)); ok {
		t.Error("a replaced key is not compromised")
	}
	if got := s.Keys("uto.cert", RoleNode, after(15)); len(got) != 2 || got[1].Key.ID() != id(6) {
		t.Errorf("%d keys of the node in the overlap", len(got))
	}
	if k, _ := s.Find(id(3)); k.Replaced != id(6) || k.Index != 1 {
		t.Errorf("%+v", k)
	}
}

func TestALogIsWrittenAndRead(t *testing.T) {
	l := utopia(t)
	b, err := l.Bytes()
	must(t, err)
	again, err := Parse(b)
	must(t, err)
	if again.Head() != l.Head() || again.Fingerprint() != l.Fingerprint() {
		t.Error("another log came back")
	}
	if s, ok := again.Statement(1); !ok || s.Kind != KindAdd || s.Entry.Node != "one" {
		t.Errorf("%+v", s)
	}
	proof, err := l.Consistency(2)
	must(t, err)
	short, err := Open("UTO", "operational", l.Since(0)[:2])
	must(t, err)
	must(t, tlog.CheckTree(proof, l.Size(), l.Head().Hash, 2, short.Head().Hash))
	for name, change := range map[string]func([][]byte) [][]byte{
		"one left out":      func(s [][]byte) [][]byte { return append(s[:1], s[2]) },
		"two exchanged":     func(s [][]byte) [][]byte { return [][]byte{s[0], s[2], s[1]} },
		"one twice":         func(s [][]byte) [][]byte { return append(s, s[2]) },
		"without its start": func(s [][]byte) [][]byte { return s[1:] },
	} {
		if _, err := Open("UTO", "operational", change(l.Since(0))); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := Open("RUR", "operational", l.Since(0)); err == nil {
		t.Error("taken as another nation's")
	}
	if _, err := Open("UTO", "exercise:NORTH", l.Since(0)); err == nil {
		t.Error("taken in another realm")
	}
}

// Threat row 9: a mirrored log never shrinks and is never rewritten.
func TestAMirrorOnlyGrows(t *testing.T) {
	l := utopia(t)
	mirror := l.Clone()
	must(t, put(l, Statement{Kind: KindAdd, Time: after(4), Entry: org(t, pool[9])}, pool[:2]...))
	if n, err := mirror.Clone().Extend(0, l.Since(0)); err != nil || n != 1 {
		t.Fatalf("%d %v", n, err)
	}
	if n, err := mirror.Extend(3, l.Since(3)); err != nil || n != 1 || mirror.Head() != l.Head() {
		t.Fatalf("%d %v", n, err)
	}
	if n, err := mirror.Extend(0, l.Since(0)[:2]); err != nil || n != 0 || mirror.Size() != 4 {
		t.Errorf("an older log: %d %v", n, err)
	}
	_, err := mirror.Extend(5, l.Since(3))
	refused(t, err, "keylog.order")
	// the same statement with the signatures of others
	e, err := dsse.Parse(l.Since(3)[0])
	must(t, err)
	e.Signatures = nil
	must(t, errors.Join(e.Add(pool[1]), e.Add(pool[2])))
	if n, err := mirror.Extend(3, [][]byte{e.Bytes()}); err != nil || n != 0 {
		t.Errorf("other signatures: %d %v", n, err)
	}
	// nothing of what follows a wrong statement counts
	bad := bytes.Replace(l.Since(3)[0], []byte(`"sig":"`), []byte(`"sig":"AAAA`), 1)
	_, err = mirror.Extend(3, [][]byte{bytes.Replace(bad, []byte(`"payload":"`), []byte(`"payload":"AAAA`), 1)})
	refused(t, err, "keylog.rewritten")
	if mirror.Head() != l.Head() {
		t.Error("the mirror changed")
	}
}

func TestTwoStatementsForOnePlaceAreProved(t *testing.T) {
	l := utopia(t)
	mine, theirs := l.Clone(), l.Clone()
	must(t, put(mine, Statement{Kind: KindAdd, Time: after(4), Entry: org(t, pool[9])}, pool[:2]...))
	must(t, put(theirs, Statement{Kind: KindAdd, Time: after(4), Entry: org(t, pool[10])}, pool[:2]...))
	must(t, put(theirs, Statement{Kind: KindAdd, Time: after(5), Entry: org(t, pool[9])}, pool[:2]...))
	_, err := mine.Extend(3, theirs.Since(3))
	var fork *Fork
	if !errors.As(err, &fork) {
		t.Fatal(err)
	}
	must(t, fork.Check(l.Fingerprint()))
	if fork.Check(Fingerprint{1}) == nil {
		t.Error("it counts against another nation")
	}
	same := *fork
	same.Other = same.One
	if same.Check(l.Fingerprint()) == nil {
		t.Error("one statement was taken for two")
	}
	other := New("UTO", "operational")
	must(t, put(other, Statement{Kind: KindRoot, Time: start, Root: &Root{1, publics(pool[11])}}, pool[11]))
	_, err = mine.Extend(0, other.Since(0))
	refused(t, err, "keylog.rewritten")
}

func TestCards(t *testing.T) {
	l := utopia(t)
	card := Card{Org: "uto.cert", Node: "one", Address: "node.uto.example:7443", Time: after(5), Log: l}
	b, err := card.Sign(pool[3])
	must(t, err)
	got, err := ParseCard(b)
	must(t, err)
	if got.Log.Fingerprint() != l.Fingerprint() || got.Org != card.Org || got.Node != card.Node || got.Address != card.Address || got.Log.Nation() != "UTO" || !got.Time.Equal(card.Time) {
		t.Errorf("%+v", got)
	}
	for name, c := range map[string]struct {
		change func(*Card)
		by     int
	}{
		"by the organisation's key": {func(*Card) {}, 4},
		"by a stranger":             {func(*Card) {}, 9},
		"of another organisation":   {func(c *Card) { c.Org = "x" }, 3},
		"of another node":           {func(c *Card) { c.Node = "two" }, 3},
		"at another address":        {func(c *Card) { c.Address = "x:1" }, 3},
		"before the key":            {func(c *Card) { c.Time = start }, 3},
		"without a log":             {func(c *Card) { c.Log = nil }, 3},
	} {
		changed := card
		c.change(&changed)
		if _, err := changed.Sign(pool[c.by]); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	for _, at := range []int{len(b) / 4, len(b) / 2, len(b) - 20} {
		bad := slices.Clone(b)
		bad[at] ^= 1
		if _, err := ParseCard(bad); err == nil {
			t.Errorf("byte %d was changed, and the card holds", at)
		}
	}
}

func TestRequests(t *testing.T) {
	r, err := Request{Nation: "UTO", Realm: "operational", Entry: Entry{Org: "uto.cert", Node: "two", Roles: []Role{RoleNode}}}.Sign(pool[7])
	must(t, err)
	b, err := EncodeRequests([]Request{r})
	must(t, err)
	again, err := ParseRequests(b)
	must(t, err)
	if len(again) != 1 || again[0].Entry.Key.ID() != id(7) {
		t.Error("another key came back")
	}
	plain := bytes.Join(bytes.Fields(b), nil)
	if _, err := ParseRequests(plain); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{"nation": {"UTO", "RUR"}, "realm": {"operational", "exercise:N"}, "org": {"uto.cert", "uto.cerf"}, "node": {"two", "six"}, "role": {`["node"]`, `["node","relay"]`}} {
		if _, err := ParseRequests([]byte(strings.Replace(string(plain), change[0], change[1], 1))); err == nil {
			t.Errorf("the request holds for another %s", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	l := utopia(f)
	b, err := l.Bytes()
	must(f, err)
	card, err := Card{Org: "uto.cert", Node: "one", Time: after(5), Log: l}.Sign(pool[3])
	must(f, err)
	s, _ := l.Statement(1)
	payload, err := s.Encode()
	must(f, err)
	for _, seed := range [][]byte{b, card, payload, l.Since(0)[0]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := ParseStatement(b); err == nil {
			if again, err := s.Encode(); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("a second form of a statement: %s", b)
			}
		}
		_, _ = ParseCard(b)
		_, _ = ParseRequests(b)
		if d, err := ParseDraft(b); err == nil {
			if err := l.Clone().Take(d); err == nil {
				t.Fatal("a draft that the root did not sign was taken")
			}
		}
		c := l.Clone()
		head := c.Head()
		if err := c.Append(b); err == nil || c.Head() != head {
			t.Fatal("a statement that the root did not sign was taken")
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	l := utopia(b)
	raw := l.Since(0)
	for b.Loop() {
		if _, err := Open("UTO", "operational", raw); err != nil {
			b.Fatal(err)
		}
	}
}
