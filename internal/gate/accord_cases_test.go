package gate

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"entente/accord"
	"entente/label"
)

// TestAccordCases runs the cases of testdata/accord/*.txt. A line states an accord and what belongs to it (accord, give, handle, limits, basis,
// reciprocity, persons, suspended, ended), the realm of the node and the time, the record that is asked for, or a party that it is for and what must
// come out: for a denial the code of every rule that stands against it, for a permit the version and the give.
func TestAccordCases(t *testing.T) {
	files, err := filepath.Glob("testdata/accord/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			file, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			c := accordCases{cases: cases{T: t}, offer: Offer{Realm: label.OperationalMode}, state: State{Persons: map[string]label.Set{}}, bases: map[string]time.Time{}}
			lines := bufio.NewScanner(file)
			for n := 1; lines.Scan(); n++ {
				line, _, _ := strings.Cut(lines.Text(), "#")
				if words := strings.Fields(line); len(words) > 0 {
					c.line = n
					c.do(words[0], words[1:])
				}
			}
			if c.judged == 0 {
				t.Error("nobody asked for anything")
			}
		})
	}
}

type accordCases struct {
	cases
	state State
	offer Offer
	bases map[string]time.Time
}

func (c *accordCases) terms() *accord.Terms { return c.state.Versions[len(c.state.Versions)-1] }

// options reads "name=value" words.
func (c *accordCases) options(args []string, set func(name, value string, list []string)) {
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		set(name, value, strings.Split(value, ","))
	}
}

func (c *accordCases) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		c.fail("%v", err)
	}
	return n
}

func (c *accordCases) days(s string) time.Duration {
	return time.Duration(c.number(strings.TrimSuffix(s, "d"))) * 24 * time.Hour
}

func (c *accordCases) set(nations []string) (set accord.Parties) {
	for _, n := range nations {
		if i := c.terms().Number(n, ""); i >= 0 {
			set |= 1 << i
		} else {
			c.fail("%s is no party", n)
		}
	}
	return set
}

func (c *accordCases) do(verb string, args []string) {
	switch verb {
	case "accord":
		c.accord(args)
	case "give":
		c.give(args)
	case "handle":
		h := &c.terms().Handle
		c.options(args, func(name, value string, _ []string) {
			switch name {
			case "pap":
				h.PAP, _ = label.ParsePAP(value)
			case "onward":
				h.Onward = map[string]label.Onward{"none": label.OnwardNone, "relay": label.OnwardAudience}[value]
			case "anonymous":
				h.Attribution = label.MustNot
			case "retain":
				h.Retain = c.days(value)
			default:
				c.fail("no such handling: %s", name)
			}
		})
	case "limits":
		c.options(args, func(name, value string, _ []string) {
			switch name {
			case "day":
				c.terms().Limits.ObjectsPerDay = c.number(value)
			case "object":
				c.terms().Limits.Object = int64(c.number(value))
			case "attachment":
				c.terms().Limits.Attachment = int64(c.number(value))
			}
		})
	case "basis":
		b := accord.Basis{Authority: accord.Authority{Name: args[0]}}
		c.options(args[1:], func(name, value string, list []string) {
			switch name {
			case "until":
				b.Sunset = c.date(value)
			case "origin":
				b.Origin = value
			case "kind":
				b.Kinds = map[string]bool{}
				for _, k := range list {
					b.Kinds[k] = true
				}
			}
		})
		c.terms().Bases = append(c.terms().Bases, b)
	case "reciprocity":
		c.terms().Reciprocity = &accord.Reciprocity{For: strings.Split(args[0], ","), Otherwise: args[1], SuspendAfter: c.days(args[2])}
	case "persons":
		c.state.Persons[args[0]], _ = label.NewAudience(args[1:]...)
	case "suspended":
		s := Suspension{By: args[0], From: c.date(args[1])}
		if len(args) > 2 {
			s.Of = args[2]
		}
		c.state.Suspended = append(c.state.Suspended, s)
	case "lifted":
		c.state.Suspended = nil
	case "ended":
		e := End{At: c.date(args[0])}
		if len(args) > 1 {
			e.Of = args[1]
		}
		c.state.Ended = append(c.state.Ended, e)
	case "known":
		c.bases[args[0]] = time.Time{}
		if len(args) > 1 {
			c.bases[args[0]] = c.date(args[1])
		}
	case "realm":
		c.offer.Realm = label.Mode(args[0])
	case "at":
		c.now = c.date(args[0])
	case "record":
		c.record(args)
	case "party":
		c.judge(args)
	default:
		c.fail("no such line: %s", verb)
	}
}

func (c *accordCases) accord(args []string) {
	t := &accord.Terms{Name: args[0], Version: 1, Mode: label.OperationalMode, Effective: c.date("2026-01-01"), Purpose: label.EveryPurpose, Sectors: label.All(),
		ByKind: map[string][]int{}, Handle: accord.Handle{PAP: label.PAPClear, Onward: label.OnwardFree, Attribution: label.May, Access: label.Copy}}
	c.options(args[1:], func(name, value string, list []string) {
		switch name {
		case "version":
			t.Version = c.number(value)
		case "parties":
			for _, p := range list {
				one := c.party(p)
				t.Parties = append(t.Parties, accord.Party{Nation: one.Nation, Org: one.Org})
			}
		case "community":
			t.Community = true
		case "purpose":
			t.Purpose, _ = label.ParsePurposes(list...)
		case "sectors":
			t.Sectors, _ = label.NewSet(list...)
		case "mode":
			t.Mode = label.Mode(value)
		case "from":
			t.Effective = c.date(value)
		case "until":
			t.Expires = c.date(value)
		default:
			c.fail("accords have no %s", name)
		}
	})
	t.Digest[0] = byte(t.Version)
	if t.Version == 1 {
		c.state = State{Persons: c.state.Persons}
	}
	c.state.Versions = append(c.state.Versions, t)
}

func (c *accordCases) give(args []string) {
	t := c.terms()
	all := accord.Parties(1)<<len(t.Parties) - 1
	cl := accord.Clause{Give: accord.Give{Name: args[0], Class: label.Unclassified(), Ceiling: label.Amber}, Number: len(t.Clauses) + 1, FromSet: all, ToSet: all}
	c.options(args[1:], func(name, value string, list []string) {
		switch name {
		case "from":
			cl.FromSet = c.set(list)
		case "to":
			cl.ToSet = c.set(list)
		case "kind":
			cl.Kinds = list
		case "ceiling":
			cl.Ceiling, _ = label.ParseTLP(value)
		case "class":
			cl.Class, _ = label.ParseClass(value)
		case "strip":
			cl.Strip = list
		case "officer":
			cl.ReleaseOfficer = true
		case "subset":
			cl.Subset = true
		case "persons":
			cl.Persons = value
		case "view":
			cl.Access, cl.HasAccess = label.View, true
		default:
			c.fail("gives have no %s", name)
		}
	})
	for _, k := range cl.Kinds {
		t.ByKind[k] = append(t.ByKind[k], len(t.Clauses))
	}
	t.Clauses = append(t.Clauses, cl)
}

// record is one that its originator holds; kind=, size=, attachment= and source= are not of its label.
func (c *accordCases) record(args []string) {
	p := c.party(args[0])
	c.offer = Offer{Origin: p, Kind: "indicator", Realm: c.offer.Realm, Closed: true}
	var rest []string
	for _, a := range args[1:] {
		switch name, value, _ := strings.Cut(a, "="); name {
		case "kind":
			c.offer.Kind = value
		case "size":
			c.offer.Size = int64(c.cases.int(value))
		case "attachment":
			c.offer.Attachment = int64(c.cases.int(value))
		case "source":
			c.offer.Source = value
		default:
			rest = append(rest, a)
		}
	}
	c.offer.Label = c.label(rest)
}

func (c *cases) int(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		c.fail("%v", err)
	}
	return n
}

func (c *accordCases) judge(args []string) {
	arrow := slices.Index(args, "->")
	if arrow < 1 || arrow+1 == len(args) {
		c.fail("a party line ends in -> permit or deny, and why")
		return
	}
	from, o, counters := c.offer.Origin, c.offer, Counters{}
	for _, a := range args[1:arrow] {
		switch name, value, _ := strings.Cut(a, "="); name {
		case "by":
			from = c.party(value)
		case "sealed":
			o.Sealed = true
		case "released":
			o.Released = true
		case "hidden":
			o.Closed, o.Hidden = false, value
		case "today":
			counters.Today = c.number(value)
		case "short":
			counters.ShortSince = c.date(value)
		default:
			c.fail("parties have no %s", name)
		}
	}
	s, err := NewStanding(c.state)
	if err != nil {
		c.fail("%v", err)
		return
	}
	v := s.Permit(from, c.party(args[0]), &o, c.now, counters, c.bases)
	c.judged++
	why := strings.Join(args[arrow+2:], " ")
	if v.Permit() != (args[arrow+1] == "permit") {
		c.fail("%s: permit is %v: %q", args[0], v.Permit(), v.Codes())
		return
	}
	if v.Permit() {
		if got := strings.TrimPrefix(v.Clause(), "accord "+s.Name()+" "); got != why {
			c.fail("%s: under %q, want %q", args[0], got, why)
		}
	} else if got := strings.Join(v.Codes(), " "); got != why {
		c.fail("%s: denied because %q, want %q", args[0], got, why)
	}
	c.explained(v)
}

// explained: the reasons are those of the verdict, and each is said.
func (c *accordCases) explained(v Verdict) {
	against := map[string]bool{}
	for _, r := range v.Reasons() {
		if r.Sentence == "" || r.Dimension != "accord" || !strings.HasPrefix(r.Clause, "accord ") {
			c.fail("a reason is not said: %+v", r)
		}
		against[r.Code] = against[r.Code] || !r.Permit
	}
	for _, code := range v.Codes() {
		if !against[code] {
			c.fail("%s is no reason against: %+v", code, v.Reasons())
		}
	}
}
