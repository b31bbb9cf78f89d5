package decision

import (
	"strings"
	"testing"
	"time"

	"entente/dsse"
	"entente/keylog"
)

// electorate is a party of its own whose key log names three persons who vote, and a fourth key of the first person.
func electorate(t *testing.T, then func(put func(keylog.Statement), persons []*dsse.Private)) (*world, []*dsse.Private) {
	t.Helper()
	w := newWorld(t, "consent = all\npersons = 2", nil, "KWT", "USA")
	p := w.party("USA")
	l := p.log.Clone()
	p.log = l
	root := keyed("USA root")
	put := func(s keylog.Statement) {
		t.Helper()
		if s.Time.IsZero() {
			s.Time = start
		}
		e, err := l.Draft(s)
		if err == nil {
			err = e.Add(root)
		}
		if err == nil {
			err = l.Append(e.Bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var persons []*dsse.Private
	holders := []string{keylog.NewHolder(), keylog.NewHolder(), keylog.NewHolder()}
	for i, name := range []string{"ann", "ben", "cas", "ann again"} {
		k := keyed("USA " + name)
		q, err := keylog.Request{Nation: "USA", Realm: realm, Entry: keylog.Entry{Org: p.org, Roles: []keylog.Role{keylog.RoleVote}, Holder: holders[i%3]}}.Sign(k)
		if err != nil {
			t.Fatal(err)
		}
		put(keylog.Statement{Kind: keylog.KindAdd, Entry: &q.Entry})
		persons = append(persons, k)
	}
	if then != nil {
		then(put, persons)
	}
	return w, persons
}

// The word of an organisation is that of so many of its persons, each once and by a key that counted when it signed; keys of no person count no more.
func TestWhichPersonsCount(t *testing.T) {
	at := opens.Add(2 * time.Hour)
	const ann, ben, cas, again = 0, 1, 2, 3
	key := func(persons []*dsse.Private, i int) string { return persons[i].Key().ID() }
	revoke := func(who int, from, said time.Time) func(func(keylog.Statement), []*dsse.Private) {
		return func(put func(keylog.Statement), persons []*dsse.Private) {
			put(keylog.Statement{Kind: keylog.KindRevoke, Time: said, From: from, Key: key(persons, who), Reason: "left"})
		}
	}
	compromise := func(who int, from, said time.Time) func(func(keylog.Statement), []*dsse.Private) {
		return func(put func(keylog.Statement), persons []*dsse.Private) {
			put(keylog.Statement{Kind: keylog.KindCompromise, Time: said, From: from, Key: key(persons, who), Reason: "stolen"})
		}
	}
	for name, c := range map[string]struct {
		by    []int
		nodes bool // a voter's key of no person signs, too
		then  func(func(keylog.Statement), []*dsse.Private)
		holds bool
	}{
		"two persons":                                        {by: []int{ann, ben}, holds: true},
		"three persons":                                      {by: []int{ann, ben, cas}, holds: true},
		"one person":                                         {by: []int{ann}},
		"one person with two keys":                           {by: []int{ann, again}},
		"a person and a key of none":                         {by: []int{ann}, nodes: true},
		"one of them was revoked before":                     {by: []int{ann, ben}, then: revoke(ben, at.Add(-time.Minute), at.Add(-time.Minute))},
		"one of them was revoked at that very time":          {by: []int{ann, ben}, then: revoke(ben, at, at.Add(-time.Minute))},
		"one of them was revoked afterwards":                 {by: []int{ann, ben}, then: revoke(ben, at.Add(time.Minute), at.Add(time.Minute)), holds: true},
		"a third stands in for who was revoked":              {by: []int{ann, ben, cas}, then: revoke(ben, at.Add(-time.Minute), at.Add(-time.Minute)), holds: true},
		"a key was stolen before, as is said later":          {by: []int{ann, ben}, then: compromise(ann, at.Add(-time.Minute), at.Add(48*time.Hour))},
		"a key was stolen afterwards":                        {by: []int{ann, ben}, then: compromise(ann, at.Add(time.Minute), at.Add(48*time.Hour)), holds: true},
		"her other key stands in for the one that is stolen": {by: []int{again, ben}, then: compromise(ann, at.Add(-time.Minute), at.Add(48*time.Hour)), holds: true},
	} {
		w, persons := electorate(t, c.then)
		var by []dsse.Signer
		for _, i := range c.by {
			by = append(by, persons[i])
		}
		if c.nodes {
			by = append(by, w.party("USA").voters[0])
		}
		e, err := SignPosition(realm, Position{Proposal: w.proposal.Digest(), Round: 1, Accord: w.proposal.Accord, Choice: Consent, Nation: "USA", Org: w.party("USA").org, Time: at}, by...)
		if err != nil {
			t.Fatal(err)
		}
		kase, err := w.opener().Case(w.bundle, nil, w.envelope)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err = kase.Position(e)
		if (err == nil) != c.holds || err != nil && code(err) != CodeSignature {
			t.Errorf("%s: %v", name, err)
		}
		// The certificate says the same: what does not count decides nothing, and is named.
		certificate, r := w.combine([][]byte{e, w.position("KWT", Consent, at)}, nil)
		if (certificate != nil) != c.holds || !c.holds && !strings.Contains(strings.Join(r.LeftOut, " "), "USA") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// A certificate fails once it is said that a key in it was in other hands when it signed.
func TestACertificateFallsWithItsKeys(t *testing.T) {
	at := opens.Add(2 * time.Hour)
	var say func(keylog.Statement)
	w, persons := electorate(t, func(put func(keylog.Statement), _ []*dsse.Private) { say = put })
	e, err := SignPosition(realm, Position{Proposal: w.proposal.Digest(), Round: 1, Accord: w.proposal.Accord, Choice: Consent, Nation: "USA", Org: w.party("USA").org, Time: at}, persons[0], persons[1])
	if err != nil {
		t.Fatal(err)
	}
	certificate, _ := w.combine([][]byte{e, w.position("KWT", Consent, at)}, nil)
	if certificate == nil {
		t.Fatal("it is not decided")
	}
	say(keylog.Statement{Kind: keylog.KindRevoke, Time: at.Add(time.Hour), From: at.Add(time.Hour), Key: persons[1].Key().ID(), Reason: "left"})
	if _, err := Verify(certificate, w.keys, known); err != nil {
		t.Errorf("a key that is revoked later brings it down: %v", err)
	}
	say(keylog.Statement{Kind: keylog.KindCompromise, Time: at.Add(2 * time.Hour), From: at.Add(-time.Hour), Key: persons[0].Key().ID(), Reason: "stolen"})
	if _, err := Verify(certificate, w.keys, known); err == nil {
		t.Error("it stands on a key that was in other hands")
	}
}
