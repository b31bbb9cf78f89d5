package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"entente/label"
)

// Party is an organisation of a nation. Where a party stands for a whole nation, its Org is empty.
type Party struct{ Nation, Org string }

func (p Party) String() string { return p.Nation + "/" + p.Org }

// ParseParty reads "NATION/organisation".
func ParseParty(s string) (Party, bool) {
	nation, org, ok := strings.Cut(s, "/")
	return Party{nation, org}, ok && nation != "" && org != ""
}

// Rules is what the gate knows of one node: a snapshot of its register. What is not registered is not permitted, except purposes: an
// organisation without an entry holds every purpose.
type Rules struct {
	Nation string // of the node's own organisation
	Org    string // the node's own organisation
	Realm  string // "operational" or "exercise:NAME"

	Apart       []Party            // organisations that are given records under accords only, and have nothing of the node itself
	Clients     []Party            // clients of the own organisation, whom TLP:AMBER reaches
	Communities map[string][]Party // members by community; a party without an organisation is every organisation of the nation
	Community   string             // the community that TLP:GREEN means here, besides whom TLP:AMBER reaches; empty: none is defined
	Purposes    map[Party]label.Purposes
	Sectors     map[Party]label.Set
	Clearances  map[Party][]label.Class
	Authorities map[string]time.Time // legal bases in force, until the given time; zero: without a sunset
}

func (r Rules) clone() Rules {
	r.Apart, r.Clients = slices.Clone(r.Apart), slices.Clone(r.Clients)
	r.Communities = maps.Clone(r.Communities)
	for name, members := range r.Communities {
		r.Communities[name] = slices.Clone(members)
	}
	r.Purposes, r.Sectors, r.Clearances, r.Authorities = maps.Clone(r.Purposes), maps.Clone(r.Sectors), maps.Clone(r.Clearances), maps.Clone(r.Authorities)
	for p, c := range r.Clearances {
		r.Clearances[p] = slices.Clone(c)
	}
	return r
}

// knows tells whether the viewer is somebody, of the node's realm, and not apart.
func (r *Rules) knows(v Viewer) bool {
	return v.Org != "" && v.Nation != "" && v.Realm != "" && v.Realm == r.Realm && !slices.Contains(r.Apart, v.Party())
}

func (r *Rules) facts(v Viewer, now time.Time) *facts {
	p := v.Party()
	f := &facts{
		party:      p,
		node:       Party{r.Nation, r.Org},
		realm:      label.Mode(r.Realm),
		alien:      !r.knows(v),
		own:        p == Party{r.Nation, r.Org},
		client:     slices.Contains(r.Clients, p),
		community:  r.Community,
		member:     r.isMember(r.Community, p),
		purposes:   r.purposes(v),
		sectors:    r.Sectors[p],
		clearances: r.Clearances[p],
	}
	f.principals, f.named = r.principals(v)
	f.authorities = r.inForce(now)
	f.key = f.digest()
	return f
}

// principals are the names in an audience that mean the viewer; named are those of them that mean its organisation or itself alone.
func (r *Rules) principals(v Viewer) (all, named []string) {
	for _, name := range []string{label.Org(v.Nation, v.Org), label.Person(v.Nation, v.Org, v.Person)} {
		if label.CheckPrincipal(name) == nil { // a name that no audience can hold must not be taken for another
			named = append(named, name)
		}
	}
	all = append([]string{label.Nation(v.Nation)}, named...) // nations first: audiences mostly name them
	for _, c := range slices.Sorted(maps.Keys(r.Communities)) {
		if r.isMember(c, v.Party()) {
			all = append(all, label.Community(c))
		}
	}
	return all, named
}

func (r *Rules) isMember(community string, p Party) bool {
	return slices.ContainsFunc(r.Communities[community], func(m Party) bool {
		return m == p || m.Org == "" && m.Nation == p.Nation
	})
}

// purposes are those the viewer asks for among those its organisation holds. A word that is no purpose asks for nothing.
func (r *Rules) purposes(v Viewer) label.Purposes {
	held, ok := r.Purposes[v.Party()]
	if !ok {
		held = label.EveryPurpose
	}
	if len(v.Purpose) == 0 {
		return held
	}
	var asked label.Purposes
	for _, w := range v.Purpose {
		if p, err := label.ParsePurposes(w); err == nil {
			asked |= p
		}
	}
	return asked & held
}

// inForce are the authorities without a sunset or before it. A register of more than a set holds has none in force: nothing is taken on trust.
func (r *Rules) inForce(now time.Time) label.Set {
	var names []string
	for name, sunset := range r.Authorities {
		if sunset.IsZero() || now.Before(sunset) {
			names = append(names, name)
		}
	}
	set, err := label.NewSet(names...)
	if err != nil {
		return label.Set{}
	}
	return set
}

// digest covers everything that a decision on a mark depends on.
func (f *facts) digest() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %t %q %q %t %t %q %t %d %q %q", f.party, f.realm, f.alien, f.principals, f.named, f.own, f.client, f.community, f.member,
		f.purposes, f.sectors.List(), f.authorities.List())
	fmt.Fprintf(h, " %t %q %q", f.sectors.IsAll(), f.clearances, f.node)
	return hex.EncodeToString(h.Sum(nil)[:16])
}
