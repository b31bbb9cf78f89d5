package notify

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/record"
	"entente/label"
	"entente/register"
	"entente/stix"
)

// Severity is how pressing an alert is: what is concerned, weighed with what concerns it.
type Severity string

const (
	Low      Severity = "low"
	Medium   Severity = "medium"
	High     Severity = "high"
	Critical Severity = "critical"
)

var severities = [...]Severity{Low, Medium, High, Critical}

// Rank orders severities from 1; 0 is none.
func (s Severity) Rank() int { return slices.Index(severities[:], s) + 1 }

// AlertState is what has been done about an alert.
type AlertState string

const (
	AlertNew    AlertState = "new"
	AlertTaken  AlertState = "taken"
	AlertClosed AlertState = "closed"
)

// Alert says that an object concerns a constituent.
type Alert struct {
	ID            string     `json:"id"`
	At            time.Time  `json:"at"`
	Changed       time.Time  `json:"changed"`
	Severity      Severity   `json:"severity"`
	State         AlertState `json:"state"`
	Reason        string     `json:"reason,omitempty"` // why it is closed
	Assignee      string     `json:"assignee,omitempty"`
	Constituent   string     `json:"constituent"`
	Name          string     `json:"name"` // of the constituent
	Object        string     `json:"object"`
	Type          string     `json:"type"`
	Version       string     `json:"version"`         // the newest that matched
	Versions      int        `json:"versions"`        // how many matched
	Title         string     `json:"title,omitempty"` // of the object
	TLP           string     `json:"tlp"`
	Matches       []Match    `json:"matches"`
	More          int        `json:"more,omitzero"`     // matches beyond those that are listed
	Source        string     `json:"source,omitempty"`  // whom the label lets be named
	Problem       string     `json:"problem,omitempty"` // why there is no draft for somebody
	Notifications []string   `json:"notifications"`
	Notes         []Note     `json:"notes"`
	Edition       int        `json:"edition"` // grows with every change
}

// Match is one asset that is concerned, and by what.
type Match struct {
	Kind        register.Kind        `json:"kind"`
	Asset       string               `json:"asset"`
	Name        string               `json:"name,omitempty"` // of the asset
	Site        string               `json:"site,omitempty"`
	How         register.How         `json:"how"`
	Value       string               `json:"value"`
	Criticality register.Criticality `json:"criticality,omitempty"`
	Shared      bool                 `json:"shared,omitzero"`
}

// Note is what a person has to say.
type Note struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Text string    `json:"text"`
}

// facts is what a notification tells of an object besides its matches.
type facts struct {
	Type      string    `json:"type"` // a phrase: indicator, vulnerability, observation or report
	Exploited bool      `json:"exploited,omitzero"`
	Due       string    `json:"due,omitempty"` // a date
	Until     time.Time `json:"until,omitzero"`
	Since     time.Time `json:"since"` // date added
}

// alert is what is kept of an Alert.
type alert struct {
	Alert
	Recs    []record.Seq `json:"recs"` // of the versions that matched, oldest first
	Order   string       `json:"order"`
	Mark    mark         `json:"mark"`
	Facts   facts        `json:"facts"`
	version int64        // of its document
}

// mark is a record.Mark with the label's times, as a document keeps it.
type mark struct {
	Label  label.Label `json:"label"`
	Nation string      `json:"nation"`
	Org    string      `json:"org"`
}

func markOf(r *record.Record) mark { return mark{r.Label, r.Origin.Nation, r.Origin.Org} }

func (m *mark) record() record.Mark { return record.Mark{Label: m.Label, Nation: m.Nation, Org: m.Org} }

func (m *mark) equal(o *mark) bool {
	return m.Nation == o.Nation && m.Org == o.Org && label.Equal(m.Label, o.Label)
}

// reaches tells whether everybody who may have what o marks may have what m marks.
func (m *mark) reaches(o *mark) bool {
	return m.Nation == o.Nation && m.Org == o.Org && label.LessEqual(m.Label, o.Label)
}

// Bounds of one alert.
const (
	maxMatches  = 50
	maxNotes    = 100
	maxNote     = 4000
	maxTitle    = 200
	maxValue    = 300
	maxAssignee = 100
)

func matchesOf(found []register.Found) (out []Match, more int) {
	for _, f := range found {
		if len(out) == maxMatches {
			more++
			continue
		}
		out = append(out, Match{Kind: f.Asset.Kind, Asset: plain(f.Asset.Value, maxValue), Name: plain(f.Asset.Name, maxTitle), Site: plain(f.Asset.Site, maxTitle), How: f.How,
			Value: plain(f.Value, maxValue), Criticality: f.Asset.Criticality, Shared: f.Asset.Shared})
	}
	return out, more
}

// factsOf reads what a notification tells of an object.
func factsOf(o *stix.Object, added record.Seq) facts {
	f := facts{Since: added.Time(), Type: "report"}
	switch {
	case o.Type() == "indicator":
		f.Type = "indicator"
		f.Until, _ = time.Parse(time.RFC3339Nano, o.Text("/valid_until"))
	case o.Type() == "vulnerability":
		f.Type = "vulnerability"
	case o.Type() == "observed-data", o.Type() == "sighting", stix.IsSCO(o.Type()):
		f.Type = "observation"
	}
	if f.Type != "vulnerability" {
		return f
	}
	for _, name := range o.Extensions() {
		raw, ok := o.Property("/extensions/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1"))
		var kev struct {
			Added string `json:"date_added"`
			Due   string `json:"due_date"`
		}
		if !ok || json.Unmarshal(raw, &kev) != nil {
			continue
		}
		if day, err := time.Parse(time.DateOnly, kev.Due); err == nil {
			f.Due = day.Format(time.DateOnly)
		}
		f.Exploited = f.Exploited || kev.Added != "" || f.Due != ""
	}
	return f
}

// severity weighs what an object is with the assets it concerns.
func severity(o *stix.Object, f *facts, found []register.Found) Severity {
	weight := 2
	switch f.Type {
	case "vulnerability":
		if f.Exploited {
			weight = 3
		}
	case "observation":
		weight = 1
	case "indicator":
		weight += indicatorWeight(o)
	}
	if n, ok := o.Confidence(); ok && f.Type != "vulnerability" {
		switch {
		case n >= 70:
			weight++
		case n < 30:
			weight--
		}
	}
	best := 0
	for i := range found {
		a := found[i].Asset
		w := 0
		switch rank := a.Criticality.Rank(); {
		case rank == 1:
			w--
		case rank >= 3:
			w++
		}
		// A network that is larger than the asset says less of it. Software is mostly named without its version.
		if a.Kind == register.NetworkAsset && (found[i].How == register.Contains || found[i].How == register.Overlaps) {
			w--
		}
		best = max(best, weight+w)
	}
	return severities[min(max(best, 1), len(severities))-1]
}

// indicatorWeight is what the indicator's types add (STIX 2.1 section 10.10).
func indicatorWeight(o *stix.Object) int {
	raw, ok := o.Property("/indicator_types")
	var types []string
	if !ok || json.Unmarshal(raw, &types) != nil {
		return 0
	}
	switch {
	case slices.Contains(types, "compromised"):
		return 1
	case slices.Contains(types, "malicious-activity"):
		return 0
	case slices.Contains(types, "benign"):
		return -2
	case slices.Contains(types, "anonymization"), slices.Contains(types, "anomalous-activity"):
		return -1
	}
	return 0
}
