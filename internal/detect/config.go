package detect

import (
	"time"

	"entente/internal/fault"
)

// Config says how the node watches.
type Config struct {
	Observables   bool `toml:"observables"`    // observables are looked for as well, not only indicators
	Evidence      bool `toml:"evidence"`       // what was met goes into an observed-data object beside the sighting
	SilentMinutes int  `toml:"silent_minutes"` // after which a sensor that says nothing raises an alarm; 0: 15
	ReportDays    int  `toml:"report_days"`    // for which a report is known again; 0: 90
	RenewSeconds  int  `toml:"renew_seconds"`  // between two versions of one sighting, at least; 0: 60
	MaxReports    int  `toml:"max_reports"`    // that are known again, at most: beyond them the oldest go first; 0: 20,000,000
}

func (c Config) filled() Config {
	fill := func(n *int, otherwise int) {
		if *n == 0 {
			*n = otherwise
		}
	}
	fill(&c.SilentMinutes, 15)
	fill(&c.ReportDays, 90)
	fill(&c.RenewSeconds, 60)
	fill(&c.MaxReports, 20_000_000)
	return c
}

// Validate says what cannot be.
func (c Config) Validate() error {
	f := c.filled()
	for _, l := range []struct {
		key            string
		n, least, most int
	}{
		{"silent_minutes", f.SilentMinutes, 1, 7 * 24 * 60},
		{"report_days", f.ReportDays, 1, 366},
		{"renew_seconds", f.RenewSeconds, 1, 24 * 60 * 60},
		{"max_reports", f.MaxReports, 1000, 1_000_000_000},
	} {
		if l.n < l.least || l.n > l.most {
			return fault.New(fault.Invalid, "config.value", "%d is outside %d to %d", l.n, l.least, l.most).At("detect." + l.key)
		}
	}
	return nil
}

// Settings is the configuration in force, under the names of its file.
func (c Config) Settings() map[string]any {
	f := c.filled()
	return map[string]any{"observables": f.Observables, "evidence": f.Evidence, "silent_minutes": f.SilentMinutes, "report_days": f.ReportDays, "renew_seconds": f.RenewSeconds,
		"max_reports": f.MaxReports}
}

func (c Config) silent() time.Duration { return time.Duration(c.SilentMinutes) * time.Minute }
func (c Config) renew() time.Duration  { return time.Duration(c.RenewSeconds) * time.Second }
func (c Config) kept() time.Duration   { return time.Duration(c.ReportDays) * 24 * time.Hour }
