package alliance

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"entente/label"
)

// clauses are what an accord of the day says besides its names and days.
type clauses struct {
	name       string
	title      string
	version    int
	supersedes string
	parties    []string
	community  bool // the parties are what TLP:GREEN reaches
	gives      string
}

// text writes an accord that is in effect since yesterday, in operations or in an exercise.
func (c clauses) text(now time.Time, mode label.Mode) []byte {
	days, purge, under := 730, "30d", ""
	if _, ok := mode.Exercise(); ok {
		days, purge, under = accordDays, exercisePurge, fmt.Sprintf("\n  derive %q {\n    require-consent = [%s]\n  }", framework, strings.Join(c.parties, ", "))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "accord %q {\n  title = %q\n  version = %d\n", c.name, c.title, c.version)
	if c.supersedes != "" {
		fmt.Fprintf(&b, "  supersedes = %q\n", c.supersedes)
	}
	fmt.Fprintf(&b, "  mode = %s\n  effective = %q\n  expires = %q\n", modeText(mode), day(now, -1), day(now, days))
	for _, p := range c.parties {
		fmt.Fprintf(&b, "  party %q {\n    keys = \"keylog:%s\"\n  }\n", p, strings.ToLower(p))
	}
	b.WriteString("  scope {\n    organization = receiving-org\n    clients = none\n")
	if c.community {
		b.WriteString("    community = parties\n")
	}
	fmt.Fprintf(&b, `  }
  purpose = [net-defence, incident-response]
  %s
  handle {
    default     = AMBER
    retain      = "365d"
    pap         = AMBER
    onward      = none
    attribution = may
    access      = copy
  }
  suspend { by = any-party }
  terminate {
    notice   = "30d"
    purge    = %q
    receipts = required
  }
}
`, c.gives+under, purge)
	return []byte(b.String())
}

// modeText is a mode as accords write it.
func modeText(m label.Mode) string {
	if _, ok := m.Exercise(); ok {
		return strconv.Quote(string(m))
	}
	return string(m)
}

// The accords of the day.
const (
	bilateral  = "utopia-ruritania"
	trilateral = "south-sea-watch"
	allied     = "four-harbours"
	experts    = "tide-experts"
)

var accordsOfTheDay = []clauses{
	{name: bilateral, title: "Utopia and Ruritania on indicators and incidents", version: 1, parties: []string{"UTO", "RUR"}, gives: `
  give "indicators" {
    kind    = [indicator]
    ceiling = AMBER
  }
  give "incidents" {
    kind      = [incident]
    ceiling   = AMBER
    strip     = ["incident.description"]
    anonymise = [victim]
  }`},
	{name: trilateral, title: "South Sea Watch", version: 1, parties: []string{"UTO", "RUR", "FRE"}, gives: `
  give "malware" {
    kind    = [malware]
    ceiling = AMBER
  }
  give "assessments" {
    kind            = [report]
    ceiling         = AMBER
    release-officer = required
  }`},
	{name: allied, title: "The alliance of the four harbours", version: 1, parties: []string{"UTO", "RUR", "FRE", "SYL"}, community: true, gives: `
  give "warnings" {
    kind    = [campaign, vulnerability]
    ceiling = GREEN
  }`},
	expertsOf(1, "", "UTO", "FRE"),
}

func expertsOf(version int, supersedes string, parties ...string) clauses {
	return clauses{name: experts, title: "Experts on tidal control systems", version: version, supersedes: supersedes, parties: parties, gives: `
  give "techniques" {
    kind    = [attack-pattern]
    ceiling = AMBER
  }`}
}

// stixObject writes an object of a type, with its marking.
func stixObject(typ string, tlp label.TLP, now time.Time, more map[string]any) (id string, bundle []byte, err error) {
	id = typ + "--" + uuid.NewString()
	stamp := now.UTC().Format("2006-01-02T15:04:05.000Z")
	o := map[string]any{"type": typ, "spec_version": "2.1", "id": id, "created": stamp, "modified": stamp, "object_marking_refs": []string{label.TLPMarkingID(tlp, false)}}
	for k, v := range more {
		o[k] = v
	}
	switch typ {
	case "indicator":
		o["pattern_type"], o["valid_from"] = "stix", stamp
	case "report":
		o["published"] = stamp
	}
	bundle, err = json.Marshal(map[string]any{"type": "bundle", "id": "bundle--" + uuid.NewString(), "objects": []any{o}})
	return id, bundle, err
}
