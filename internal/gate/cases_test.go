package gate

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/internal/record"
	"entente/label"
)

// TestCases runs the gate cases of testdata/*.txt. A line states a fact of the node (node, client, community, green, purposes, sectors, clearance,
// authority), the time (at), the record that the following viewers ask for, or a viewer and what it must be told: for a denial every code
// against, for a permit some of the codes for. What follows # is a comment.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
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
			c := cases{T: t, rules: Rules{Communities: map[string][]Party{}, Purposes: map[Party]label.Purposes{}, Sectors: map[Party]label.Set{},
				Clearances: map[Party][]label.Class{}, Authorities: map[string]time.Time{}}}
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

type cases struct {
	*testing.T
	line, judged int
	rules        Rules
	now          time.Time
	mark         record.Mark
}

func (c *cases) fail(format string, args ...any) {
	c.Helper()
	c.Errorf("line %d: "+format, append([]any{c.line}, args...)...)
}

func (c *cases) party(s string) Party {
	nation, org, _ := strings.Cut(s, "/")
	return Party{nation, org}
}

func (c *cases) date(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		c.fail("%v", err)
	}
	return t
}

func (c *cases) do(verb string, args []string) {
	switch p := c.party(args[0]); verb {
	case "node":
		c.rules.Nation, c.rules.Org, c.rules.Realm = p.Nation, p.Org, args[1]
	case "client":
		c.rules.Clients = append(c.rules.Clients, p)
	case "community":
		for _, m := range args[1:] {
			c.rules.Communities[args[0]] = append(c.rules.Communities[args[0]], c.party(m))
		}
	case "green":
		c.rules.Community = args[0]
	case "purposes":
		c.rules.Purposes[p], _ = label.ParsePurposes(args[1:]...)
	case "sectors":
		c.rules.Sectors[p], _ = label.NewSet(args[1:]...)
	case "clearance":
		class, err := label.ParseClass(args[1])
		if err != nil {
			c.fail("%v", err)
		}
		c.rules.Clearances[p] = append(c.rules.Clearances[p], class)
	case "authority":
		var until time.Time
		if len(args) == 3 {
			until = c.date(args[2])
		}
		c.rules.Authorities[args[0]] = until
	case "at":
		c.now = c.date(args[0])
	case "record":
		c.mark = record.Mark{Nation: p.Nation, Org: p.Org, Label: c.label(args[1:])}
	case "viewer":
		c.judge(args)
	default:
		c.fail("no such line: %s", verb)
	}
}

// label begins with the least strict one and takes what the line says.
func (c *cases) label(args []string) label.Label {
	l := label.Bottom()
	l.Named = false
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		words := strings.Split(value, ",")
		if value == "none" {
			words = nil
		}
		set, err := label.NewSet(words...)
		if name == "named" {
			l.Named, err = true, nil
		}

		switch name {
		case "tlp":
			l.TLP, err = label.ParseTLP(value)
		case "pap":
			l.PAP, err = label.ParsePAP(value)
		case "aud":
			l.Audience, err = label.NewAudience(words...)
		case "purpose":
			l.Purpose, err = label.ParsePurposes(words...)
		case "class":
			l.Class, err = label.ParseClass(value)
		case "mode":
			l.Mode, err = label.ParseMode(value)
		case "sector":
			l.Sector = set
		case "authority":
			l.Authority = set
		case "caveat":
			l.Caveat = set
		case "onward":
			l.Onward = label.OnwardNone
		case "attrib":
			l.Attribution = label.Withhold
		case "purge":
			l.Purge = label.PurgeBoth
		case "access":
			l.Access = label.View
		case "notbefore":
			l.NotBefore = c.date(value)
		case "notafter":
			l.NotAfter = c.date(value)
		case "named":
		default:
			c.fail("no such dimension: %s", name)
		}
		if err != nil {
			c.fail("%v", err)
		}
	}
	return l
}

func (c *cases) judge(args []string) {
	arrow := slices.Index(args, "->")
	if arrow < 1 || arrow+1 == len(args) {
		c.fail("a viewer line ends in -> permit or deny, and codes")
		return
	}
	who := strings.SplitN(args[0]+"//", "/", 4)
	v := Viewer{Nation: who[0], Org: who[1], Person: who[2], Realm: c.rules.Realm}
	for _, a := range args[1:arrow] {
		switch name, value, _ := strings.Cut(a, "="); name {
		case "purpose":
			v.Purpose = strings.Split(value, ",")
		case "realm":
			v.Realm = value
		default:
			c.fail("viewers have no %s", name)
		}
	}
	want, codes := args[arrow+1], args[arrow+2:]
	scope := New(c.rules).Scope(v, c.now)
	d := scope.Decide(c.mark, c.mark.Label.NotBefore, c.mark.Label.NotAfter)
	c.judged++
	if d.Permit != (want == "permit") {
		c.fail("%s: permit is %v: %+v", args[0], d.Permit, d.Reasons)
	}
	var said []string
	for _, r := range d.Reasons {
		if r.Permit == d.Permit {
			said = append(said, r.Code)
		}
		if r.Sentence == "" || r.Dimension == "" {
			c.fail("a reason is not said: %+v", r)
		}
	}
	missing := slices.ContainsFunc(codes, func(code string) bool { return !slices.Contains(said, code) })
	if missing || len(codes) == 0 || want == "deny" && len(said) != len(codes) {
		c.fail("%s: %s because %q, want %q", args[0], want, said, codes)
	}
	if open := scope.Admits(c.mark) && scope.InForce(c.mark, c.mark.Label.NotBefore, c.mark.Label.NotAfter); open != d.Permit {
		c.fail("Admits and InForce say %v, Decide %v", open, d.Permit)
	}
	if bound := len(d.Obligations) > 0; bound && !d.Permit {
		c.fail("a denial binds nobody: %+v", d.Obligations)
	}
}
