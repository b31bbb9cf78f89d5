// Package sensor is the language between a node and its sensors: what they say to each other over HTTPS, in JSON (RFC 8259), with the sensor always the one who calls.
//
// A sensor runs beside telemetry, which never leaves it. It is enrolled once, with a code that somebody got from the node, and from then on known by its certificate. It takes
// what to look for: a snapshot of the indicators and the changes since, and the rules. It gives reports of what it met, and says how it is.
//
// A report is known by its ID, which is the same when the same telemetry is read again: a sensor may die and read again what it had not marked as read, and another may read
// it in its place, and still everything counts once. The node keeps of two reports of one ID the one with the larger count.
package sensor

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Paths, below the node's address. All but Enrol ask for the sensor's certificate.
const (
	Prefix       = "/sensor/v1/"
	PathEnrol    = Prefix + "enrol"    // POST Request, gives Enrolled
	PathRenew    = Prefix + "renew"    // POST Request without a code, gives Enrolled
	PathState    = Prefix + "state"    // GET ?after=VERSION&wait=SECONDS, gives State: at once, or when its Version is another than after
	PathSnapshot = Prefix + "snapshot" // GET, gives the file of a snapshot of indicators; with its Cursor in the header CursorHeader; ranges are served
	PathChanges  = Prefix + "changes"  // GET ?after=CURSOR, gives Changes
	PathRules    = Prefix + "rules"    // GET, gives Rules; with an ETag
	PathReports  = Prefix + "reports"  // POST []Report, gives Taken
	PathHealth   = Prefix + "health"   // POST Health, gives State
)

// CursorHeader carries the Cursor that a snapshot stands at.
const CursorHeader = "Entente-Cursor"

// Bounds.
const (
	MaxWait    = 30 * time.Second // of PathState
	MaxChanges = 10_000           // of one answer
	MaxReports = 1_000            // of one post
	MaxBody    = 16 << 20         // bytes of a post or of an answer that is no file
	MaxFields  = 16               // of a report
	MaxValue   = 1024             // bytes of a value of a field; more is cut off
	MaxRule    = 1 << 20          // bytes of a Sigma rule
)

// Request asks for a certificate.
type Request struct {
	Code string `json:"code,omitempty"` // as somebody got it from the node; it works once
	CSR  string `json:"csr"`            // PEM (PKCS #10): the node reads nothing of it but the key and the proof that the sensor has it
}

// Enrolled is what a sensor becomes.
type Enrolled struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Nation      string    `json:"nation"`
	Org         string    `json:"org"`
	Realm       string    `json:"realm"`
	Certificate string    `json:"certificate"` // PEM
	Authority   string    `json:"authority"`   // PEM: who signed the node's own certificate; empty: nobody that only the node knows
	RenewAfter  time.Time `json:"renew_after"` // when it should ask for another
}

// Cursor says how much of what to look for somebody has. A snapshot of another epoch has nothing to do with it.
type Cursor struct {
	Epoch string `json:"epoch"`
	Seq   int64  `json:"seq"`
}

// State is what the node would have a sensor know.
type State struct {
	Version    string   `json:"version"`    // another whenever anything else here is
	Indicators Cursor   `json:"indicators"` // the newest
	Rules      string   `json:"rules"`      // the ETag of PathRules
	Muted      []string `json:"muted"`      // sources that are not to be reported: people said why at the node
	Revoked    bool     `json:"revoked,omitempty"`
}

// Change is what a source has now, in the place of all it had; without values it is gone.
type Change struct {
	Seq        int64     `json:"seq"`
	Source     string    `json:"source"` // the id of a STIX object
	Version    int64     `json:"version,omitempty"`
	Label      string    `json:"label,omitempty"`
	Accord     string    `json:"accord,omitempty"`
	From       time.Time `json:"from,omitzero"`
	Until      time.Time `json:"until,omitzero"`
	Since      time.Time `json:"since,omitzero"`
	Confidence int       `json:"confidence"` // negative: nobody stated one
	Revoked    bool      `json:"revoked,omitempty"`
	Values     []Value   `json:"values,omitempty"`
}

// Value is one value to look for, of a kind of package indicator by its name.
type Value struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Changes are in the order of their Seq. More says that there are others after them; Again that the cursor is too old, or of another epoch: a snapshot must be taken.
type Changes struct {
	To      Cursor   `json:"to"`
	Changes []Change `json:"changes"`
	More    bool     `json:"more,omitempty"`
	Again   bool     `json:"again,omitempty"`
}

// Rules are what is looked for that is no single value.
type Rules struct {
	Rules []Rule `json:"rules"`
}

// Rule is a STIX indicator whose pattern is a Sigma rule or a STIX pattern that no table of values answers.
type Rule struct {
	Source  string    `json:"source"`       // the id of the STIX object
	Type    string    `json:"pattern_type"` // sigma or stix (STIX 2.1, section 4.7, pattern-type-ov)
	Pattern string    `json:"pattern"`
	Version int64     `json:"version,omitempty"`
	Label   string    `json:"label,omitempty"`
	Accord  string    `json:"accord,omitempty"`
	From    time.Time `json:"from,omitzero"`
	Until   time.Time `json:"until,omitzero"`
}

// Report is that something was met, one or more times, in a stretch of one source of telemetry.
type Report struct {
	ID     string            `json:"id"`     // by ReportID
	Source string            `json:"source"` // the STIX object that describes it
	Kind   string            `json:"kind,omitempty"`
	Value  string            `json:"value,omitempty"` // of the indicator
	First  time.Time         `json:"first"`
	Last   time.Time         `json:"last"`
	Count  int64             `json:"count"`
	Fields map[string]string `json:"fields,omitempty"` // what matched, of the first event
	Input  string            `json:"input,omitempty"`  // where it was met, as the sensor's configuration calls it
	Back   bool              `json:"back,omitempty"`   // it was met before the indicator came: the sensor's memory says so
}

// Taken says how many of a post's reports were new or larger, after all of them are durable.
type Taken struct {
	Taken int `json:"taken"`
}

// Health is how a sensor is.
type Health struct {
	Time       time.Time `json:"time"` // by its clock
	Started    time.Time `json:"started"`
	Build      string    `json:"build"`
	Indicators Cursor    `json:"indicators"` // what it looks for
	Rules      string    `json:"rules"`
	RulesReady int       `json:"rules_ready"`
	Left       []Left    `json:"left,omitempty"` // rules that it cannot use, and why; at most 100
	LeftCount  int       `json:"left_count"`
	Entries    int       `json:"entries"` // values it looks for
	Inputs     []Input   `json:"inputs"`
	Muted      []Muted   `json:"muted,omitempty"` // by itself
	Spooled    int64     `json:"spooled"`         // reports that are not given yet
	Refused    int64     `json:"refused"`         // reports that found no room, since it started
	Recall     Recall    `json:"recall"`
}

// Left is a rule that is not used.
type Left struct {
	Source string `json:"source"`
	Code   string `json:"code"`
	Why    string `json:"why"`
}

// Input is one input of a sensor. Counts are since it started.
type Input struct {
	Name     string    `json:"name"`
	Kind     string    `json:"kind"`
	Events   uint64    `json:"events"`
	Bytes    uint64    `json:"bytes"`
	Unread   uint64    `json:"unread"`        // events that are none in the form they should have
	Dropped  uint64    `json:"dropped"`       // events that were lost: too long, or cut off
	Lag      int64     `json:"lag"`           // what waits: bytes of files, messages of streams; negative: nobody knows
	Last     time.Time `json:"last,omitzero"` // of the newest event, as it says
	Error    string    `json:"error,omitempty"`
	Restarts uint64    `json:"restarts,omitempty"`
}

// Muted is a source that meets so much that it says nothing.
type Muted struct {
	Source string    `json:"source"`
	Why    string    `json:"why"`
	Since  time.Time `json:"since"`
	Count  int64     `json:"count"` // met since then, and not reported
}

// Recall is what a sensor remembers of what it saw.
type Recall struct {
	Days    int    `json:"days"`
	Stored  uint64 `json:"stored"`
	Bytes   int64  `json:"bytes"`
	Dropped uint64 `json:"dropped"`
}

// ReportID is the same for the same stretch of telemetry, source and value: origin names the stretch so that whoever reads it again names it the same.
func ReportID(origin, source, kind, value string) string {
	h := sha256.New()
	for _, s := range []string{origin, source, kind, value} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Error says what is wrong with a message, and where.
type Error struct{ At, Why string }

func (e *Error) Error() string { return e.At + ": " + e.Why }

// Decode reads a message: strictly, so that nothing of it is overlooked.
func Decode[T any](b []byte) (m T, err error) {
	if len(b) > MaxBody {
		return m, &Error{"body", fmt.Sprintf("is larger than %d bytes", MaxBody)}
	}
	if err := json.Unmarshal(b, &m, json.RejectUnknownMembers(true)); err != nil {
		return m, &Error{"body", err.Error()}
	}
	return m, nil
}

// Check says what is wrong with a report.
func (r *Report) Check() error {
	switch {
	case len(r.ID) != 32 || strings.Trim(r.ID, "0123456789abcdef") != "":
		return &Error{"id", "is no 32 hexadecimal digits"}
	case r.Source == "" || len(r.Source) > MaxValue:
		return &Error{"source", "names nothing"}
	case r.Count < 1:
		return &Error{"count", "must be at least 1"}
	case r.First.IsZero() || r.Last.Before(r.First):
		return &Error{"last", "must not be before first"}
	case len(r.Fields) > MaxFields:
		return &Error{"fields", fmt.Sprintf("are more than %d", MaxFields)}
	case len(r.Value) > 4*MaxValue || len(r.Kind) > 64 || len(r.Input) > MaxValue:
		return &Error{"value", "is too long"}
	}
	for name, v := range r.Fields {
		if len(name) > 256 || len(v) > MaxValue {
			return &Error{"fields." + name[:min(len(name), 40)], fmt.Sprintf("is longer than %d bytes", MaxValue)}
		}
	}
	return nil
}
