package event

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The forms in which producers write Windows events: nxlog and the flat form at the top; winlogbeat, old and new; and the form of the event's own XML, as EVTX readers give it.
var data = [][]string{nil, {"event_data"}, {"user_data"}, {"winlog", "event_data"}, {"winlog", "user_data"}, {"EventData"}, {"Event", "EventData"}, {"Event", "UserData"}}

// named are fields of Windows events that producers do not only put into the event's data: those of its System part, as the forms name them, and those that become fields of the
// Elastic Common Schema, as winlogbeat's modules move them.
var named = map[string][]string{
	"EventID":             {"event_id", "winlog.event_id", "event.code", "System.EventID", "Event.System.EventID", "System.EventID.Value", "Event.System.EventID.Value", "Event.System.EventID.#text"},
	"Channel":             {"log_name", "winlog.channel", "System.Channel", "Event.System.Channel"},
	"Provider_Name":       {"SourceName", "source_name", "winlog.provider_name", "event.provider", "System.Provider.Name", "Event.System.Provider.Name", "Event.System.Provider.#attributes.Name"},
	"Computer":            {"Hostname", "computer_name", "winlog.computer_name", "System.Computer", "Event.System.Computer"},
	"Level":               {"level", "winlog.level", "System.Level", "Event.System.Level"},
	"Image":               {"process.executable"},
	"CommandLine":         {"process.command_line"},
	"CurrentDirectory":    {"process.working_directory"},
	"OriginalFileName":    {"process.pe.original_file_name", "file.pe.original_file_name"},
	"Description":         {"process.pe.description", "file.pe.description"},
	"Product":             {"process.pe.product", "file.pe.product"},
	"Company":             {"process.pe.company", "file.pe.company"},
	"ParentImage":         {"process.parent.executable"},
	"ParentCommandLine":   {"process.parent.command_line"},
	"ImageLoaded":         {"file.path", "dll.path"},
	"TargetFilename":      {"file.path"},
	"TargetObject":        {"registry.path"},
	"Details":             {"registry.data.strings"},
	"QueryName":           {"dns.question.name"},
	"SourceIp":            {"source.ip"},
	"SourcePort":          {"source.port"},
	"DestinationIp":       {"destination.ip"},
	"DestinationPort":     {"destination.port"},
	"DestinationHostname": {"destination.domain"},
	"ScriptBlockText":     {"powershell.file.script_block_text"},
}

// Field asks for a field by one name, wherever the known forms have it, and gives its slot. Dots part the names of objects that stand in each other; where a producer writes
// dots in the name itself, as Zeek does, that is the same field.
func (p *Plan) Field(name string) int {
	slot := p.Slot(name)
	for _, other := range p.mapped[name] {
		p.Also(slot, other)
		if strings.Contains(other, ".") {
			p.Also(slot, strings.Split(other, ".")...)
		}
	}
	if strings.Contains(name, ".") {
		p.Also(slot, strings.Split(name, ".")...)
		return slot
	}
	for _, under := range data[1:] {
		p.Also(slot, append(under[:len(under):len(under)], name)...)
	}
	for _, path := range named[name] {
		p.Also(slot, strings.Split(path, ".")...)
	}
	return slot
}

// renamed tells whether a field of Windows events is another of the forms' names for it: what stands there is found under both.
func renamed(field, other string) bool { return slices.Contains(named[field], other) }

// Field is a value that was found in an event, and where. Of what was looked for in every value the name is empty; of a field whose being there or not was asked for, the value
// is nil.
type Field struct {
	Name  string
	Value []byte
}

// AddField adds a field that is not in a list yet. Of two names for one field it is the event's own that stays.
func AddField(list []Field, x Field) []Field {
	for i := range list {
		switch f := &list[i]; {
		case !bytes.Equal(f.Value, x.Value):
		case renamed(f.Name, x.Name):
			f.Name = x.Name
			return list
		case f.Name == x.Name, renamed(x.Name, f.Name):
			return list
		}
	}
	return append(list, x)
}

// Mapping says what fields are called in events that are in no known form: the names that rules and these packages know, and for each the event's own.
type Mapping map[string][]string

// Map lets fields be found under other names too, from then on. It is called before fields are asked for.
func (p *Plan) Map(m Mapping) { p.mapped = m }

// Clock finds when an event was.
type Clock struct{ slots []int }

// times are the fields that say when, the best first.
var times = []string{"@timestamp", "timestamp", "ts", "UtcTime", "TimeCreated", "Event.System.TimeCreated.SystemTime", "Event.System.TimeCreated.#attributes.SystemTime", "System.TimeCreated.SystemTime", "EventTime", "time"}

// Clock asks for the fields that say when an event was.
func (p *Plan) Clock() Clock {
	var c Clock
	for _, name := range times {
		c.slots = append(c.slots, p.Field(name))
	}
	return c
}

// Of is when the event was, in UTC: by the first field that says so in a form that is known. False: none does.
func (c *Clock) Of(e *Event) (time.Time, bool) {
	for _, slot := range c.slots {
		v := e.Get(slot)
		if v.Kind != Text && v.Kind != Number {
			continue
		}
		if t, ok := When(string(v.Text)); ok {
			return t, true
		}
	}
	return time.Time{}, false
}

// layouts of times. Where none says the zone it is UTC, as Sysmon and Zeek write it.
var layouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999"}

// When reads a time as telemetry writes it: RFC 3339 and its relatives, or seconds (with a fraction) or milliseconds since 1970.
func When(s string) (time.Time, bool) {
	if len(s) < 9 || len(s) > 40 {
		return time.Time{}, false
	}
	if s[4] != '-' {
		whole, part, _ := strings.Cut(s, ".")
		n, err := strconv.ParseInt(whole, 10, 64)
		if err != nil || n < 0 {
			return time.Time{}, false
		}
		if n > 1e14 {
			return time.Time{}, false
		}
		if n > 1e11 {
			return time.UnixMilli(n).UTC(), true
		}
		ns, err := strconv.ParseInt((part + "000000000")[:9], 10, 64)
		if err != nil || ns < 0 {
			return time.Time{}, false
		}
		return time.Unix(n, ns).UTC(), true
	}
	for _, l := range layouts {
		if t, err := time.Parse(l, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
