package keylog

import (
	"testing"

	"entente/dsse"
)

func person(t testing.TB, p *dsse.Private, organisation, holder string, roles ...Role) *Entry {
	return entry(t, p, Entry{Org: organisation, Holder: holder, Roles: roles})
}

const anna, bert = "00000000000000aa", "00000000000000bb"

func TestAPersonsKeyIsForPersonsRoles(t *testing.T) {
	for name, e := range map[string]Entry{
		"of a name":           {Org: "uto.cert", Holder: "Anna", Roles: []Role{RoleRelease}},
		"for accords":         {Org: "uto.cert", Holder: anna, Roles: []Role{RoleAccord, RoleRelease}},
		"of a node":           {Org: "uto.cert", Holder: anna, Node: "one", Roles: []Role{RoleNode}},
		"that says something": {Org: "uto.cert", Holder: anna, Roles: []Role{RoleOriginate}},
	} {
		if _, err := (Request{Nation: "UTO", Realm: "operational", Entry: e}).Sign(pool[9]); err == nil {
			t.Errorf("a person's key %s", name)
		}
	}
	l := utopia(t)
	stolen := *person(t, pool[9], "uto.cert", anna, RoleRelease)
	stolen.Holder = bert // the proof is about who asked
	refused(t, put(l, Statement{Kind: KindAdd, Time: after(3), Entry: &stolen}, pool[:2]...), "statement.signature")
	must(t, put(l, Statement{Kind: KindAdd, Time: after(3), Entry: person(t, pool[9], "uto.cert", anna, RoleRelease)}, pool[:2]...))
	refused(t, put(l, Statement{Kind: KindAdd, Time: after(4), Entry: person(t, pool[10], "uto.mofa", anna, RoleRelease)}, pool[:2]...), "keylog.order")
	refused(t, put(l, Statement{Kind: KindRotate, Time: after(4), From: after(5), Key: id(9), Entry: person(t, pool[10], "uto.cert", bert, RoleRelease)}, pool[0], pool[1], pool[9]), "keylog.order")
	must(t, put(l, Statement{Kind: KindRotate, Time: after(4), From: after(5), Key: id(9), Entry: person(t, pool[10], "uto.cert", anna, RoleRelease)}, pool[0], pool[1], pool[9]))
}

func TestWhatPersonsSigned(t *testing.T) {
	l := utopia(t)
	if l.State().NamesPersons("uto.cert", RoleVote) {
		t.Error("the organisation's key is taken for a person's")
	}
	for i, e := range []*Entry{person(t, pool[9], "uto.cert", anna, RoleVote), person(t, pool[10], "uto.cert", anna, RoleVote), person(t, pool[11], "uto.cert", bert, RoleRelease, RoleVote)} {
		must(t, put(l, Statement{Kind: KindAdd, Time: after(3 + i), Entry: e}, pool[:2]...))
	}
	must(t, put(l, Statement{Kind: KindCompromise, Time: after(20), From: after(15), Key: id(11), Reason: "lost"}, pool[:2]...))
	s := l.State()
	if !s.NamesPersons("uto.cert", RoleVote) || !s.NamesPersons("uto.cert", RoleRelease) || s.NamesPersons("uto.mofa", RoleVote) {
		t.Error("whom the log names")
	}
	const vote = "application/vnd.entente.vote"
	signed := func(kind string, by ...dsse.Signer) []byte {
		e, err := dsse.Sign(kind, []byte("yes"), by...)
		must(t, err)
		return e.Bytes()
	}
	here := dsse.InRealm(vote, "operational")
	for name, c := range map[string]struct {
		envelope []byte
		role     Role
		hour     int
		code     string
		persons  int
	}{
		"one":                           {signed(here, pool[9]), RoleVote, 10, "", 1},
		"two keys of one":               {signed(here, pool[9], pool[10]), RoleVote, 10, "", 1},
		"two":                           {signed(here, pool[9], pool[11]), RoleVote, 10, "", 2},
		"two, one of them compromised":  {signed(here, pool[9], pool[11]), RoleVote, 16, "", 1},
		"compromised":                   {signed(here, pool[11]), RoleVote, 16, "key.compromised", 0},
		"for another role":              {signed(here, pool[9]), RoleRelease, 10, "key.role", 0},
		"before it was named":           {signed(here, pool[11]), RoleVote, 4, "key.early", 0},
		"the organisation":              {signed(here, pool[4]), RoleVote, 10, "key.person", 0},
		"somebody unknown":              {signed(here, pool[20]), RoleVote, 10, "key.unknown", 0},
		"in another realm":              {signed(dsse.InRealm(vote, "exercise:one"), pool[9]), RoleVote, 10, "statement.signature", 0},
		"as something else":             {signed(dsse.InRealm("text/plain", "operational"), pool[9]), RoleVote, 10, "statement.signature", 0},
		"nothing":                       {nil, RoleVote, 10, "statement.form", 0},
		"two, one of them the house's":  {signed(here, pool[4], pool[9]), RoleVote, 10, "", 1},
		"two, one of them not a person": {signed(here, pool[3], pool[11]), RoleRelease, 10, "", 1},
	} {
		payload, by, err := s.OpenPerson(c.role, vote, c.envelope, after(c.hour))
		if c.code != "" {
			refused(t, err, c.code)
		} else if err != nil || len(by) != c.persons || string(payload) != "yes" {
			t.Errorf("%s: %d %v", name, len(by), err)
		}
	}
}
