package feed

import (
	"strings"
	"testing"
	"time"
)

func TestSchedules(t *testing.T) {
	at := time.Date(2026, 11, 21, 12, 30, 0, 0, time.UTC) // a Saturday
	for text, want := range map[string]string{
		"15m": "2026-11-21T12:45:00Z", "2d": "2026-11-23T12:30:00Z", "daily 03:00": "2026-11-22T03:00:00Z", "daily 12:31": "2026-11-21T12:31:00Z", "daily 12:30": "2026-11-22T12:30:00Z",
		"weekly mon 03:00": "2026-11-23T03:00:00Z", "Weekly SAT 12:00": "2026-11-28T12:00:00Z", "manual": "",
		"10s": "-", "daily": "-", "daily 25:00": "-", "weekly xyz 03:00": "-", "-5m": "-", "soon": "-", "9999999999999d": "-", "": "-",
	} {
		s, ok := parseSchedule(text)
		if ok != (want != "-") {
			t.Errorf("%q is a schedule: %v", text, ok)
			continue
		}
		if next := s.after(at); ok && (want == "") != next.IsZero() || want > "-" && next.Format(time.RFC3339) != want {
			t.Errorf("%q is next at %s", text, next)
		}
	}
}

func TestConfig(t *testing.T) {
	fine := Config{Name: "x", Kind: "list", URL: "https://a.example/", Label: "tlp:green"}
	if err := Validate([]Config{fine}, allSources); err != nil {
		t.Fatal(err)
	}
	for at, change := range map[string]func(*Config){
		"name":           func(c *Config) { c.Name = "Bad Name" },
		"kind":           func(c *Config) { c.Kind = "rss" },
		"url":            func(c *Config) { c.File = "also" },
		"url ":           func(c *Config) { c.URL = "http://a.example/" },
		"url  ":          func(c *Config) { c.URL = "https://u:p@a.example/" },
		"url   ":         func(c *Config) { c.URL = "file:///etc/passwd" },
		"label":          func(c *Config) { c.Label = "pap:green" },
		"schedule":       func(c *Config) { c.Schedule = "often" },
		"jitter":         func(c *Config) { c.Jitter = "-1m" },
		"expire":         func(c *Config) { c.Expire = "x" },
		"gone":           func(c *Config) { c.Gone = "forget" },
		"type":           func(c *Config) { c.Type = "smell" },
		"confidence":     func(c *Config) { c.Confidence = 101 },
		"user":           func(c *Config) { c.User = "u" },
		"header":         func(c *Config) { c.Header = "X-Key" },
		"cert_file":      func(c *Config) { c.CertFile = "c" },
		"addresses":      func(c *Config) { c.Addresses = []string{"home"} },
		"limits.entries": func(c *Config) { c.Limits.Entries = -1 },
		"limits.timeout": func(c *Config) { c.Limits.Timeout = "1000h" },
		"csv.columns":    func(c *Config) { c.Kind = "csv" },
		"csv.columns ":   func(c *Config) { c.Kind = "csv"; c.CSV.Columns = map[string]string{"value": "title"} },
		"csv.separator": func(c *Config) {
			c.Kind = "csv"
			c.CSV = CSV{Separator: "ab", Columns: map[string]string{"value": "1"}}
		},
		"remote": func(c *Config) { c.Kind = "taxii" },
		"to":     func(c *Config) { c.Kind, c.Remote, c.To = "push", "c", "Arcadia" },
		"gone ":  func(c *Config) { c.Kind, c.Gone = "kev", "expire" },
	} {
		c := fine
		change(&c)
		err := Validate([]Config{c}, allSources)
		if err == nil || !strings.Contains(err.Error(), "]."+strings.TrimSpace(at)+":") {
			t.Errorf("%s: %v", at, err)
		}
	}
	if err := Validate([]Config{fine, fine}, allSources); err == nil {
		t.Error("two feeds have one name")
	}
}
