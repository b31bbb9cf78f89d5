package sensor

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/pelletier/go-toml/v2"

	"entente/internal/fault"
	"entente/internal/input"
	"entente/internal/recall"
)

// ConfigFile is the configuration in the data directory.
const ConfigFile = "sensor.toml"

// Config is what people say about a sensor. Sizes are bytes.
type Config struct {
	Workers   int           `toml:"workers"`   // how many batches are looked at at once; 0: one for each processor
	Evidence  []string      `toml:"evidence"`  // fields whose values reports may carry when they matched; "*": all; empty: none
	Pipelines []string      `toml:"pipelines"` // files that fit rules to the logs at hand
	Mapping   string        `toml:"mapping"`   // a file that says what fields are called in events of no known form; empty: none
	Table     TableConfig   `toml:"indicators"`
	Spool     SpoolConfig   `toml:"spool"`
	Recall    recall.Config `toml:"recall"`
	Limits    LimitsConfig  `toml:"limits"`
	Inputs    []input.Table `toml:"input"` // as NewFeeds reads them
}

// TableConfig says which indicators count.
type TableConfig struct {
	Threshold int `toml:"threshold"` // confidence falls with age, and below this one an indicator is not heard; 0: none fades
}

// SpoolConfig bounds what waits for the node.
type SpoolConfig struct {
	Size int64 `toml:"size"` // 1 GiB
}

// LimitsConfig says when an indicator or a rule meets so much that it says nothing.
type LimitsConfig struct {
	Reports int `toml:"reports"` // of one source in an hour; 1000
	Minutes int `toml:"minutes"` // for which it is not heard then; 60
}

// The bounds of what can be configured.
const (
	maxWorkers   = 1024
	maxInputs    = 1000
	minSpool     = 1 << 20
	defaultSpool = 1 << 30

	defaultThreshold = 5
)

// Example is the file that a sensor begins with.
const Example = `# What this sensor reads, and how much it may take for it. See docs/sensor.md, and docs/inputs.md for inputs.

# Fields whose values reports may carry to the node when they matched: "*" for all, names for some, [] for none.
evidence = ["*"]

# Files of pipelines that fit rules to the logs at hand.
# pipelines = ["pipelines/own.yml"]

# What fields are called in events of no known form.
# mapping = "fields.toml"

[indicators]
threshold = 5        # of confidence, which falls with age: what is below it is not heard; 0: nothing fades

[spool]
size = 1073741824    # bytes of reports that wait while the node is not there

[recall]
days = 90            # for which is remembered what was seen
size = 1073741824    # bytes of it

[limits]
reports = 1000       # of one indicator or rule in an hour: beyond them it is not heard
minutes = 60         # for so long

# [[input]]
# name = "suricata"
# kind = "files"
# paths = ["/var/log/suricata/eve.json"]

# [[input]]
# name = "zeek"
# kind = "files"
# paths = ["/opt/zeek/logs/current/*.log", "/opt/zeek/logs/20*/*.log.gz"]

# [[input]]
# name = "firewall"
# kind = "syslog"
# protocol = "tcp"
# listen = "10.0.0.5:6514"
`

// LoadConfig reads the configuration of a data directory, strictly.
func LoadConfig(dir string) (Config, error) {
	c := Config{Evidence: []string{"*"}, Table: TableConfig{Threshold: defaultThreshold}}
	path := filepath.Join(dir, ConfigFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return c, fault.New(fault.NotFound, "sensor.config", "%s is missing", path).Try("entente sensor enrol makes it, with an example")
	}
	if err != nil {
		return c, fmt.Errorf("reading the configuration: %w", err)
	}
	d := toml.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		var unknown *toml.StrictMissingError
		var form *toml.DecodeError
		e := fault.New(fault.Invalid, "sensor.config", "%s: %v", path, err)
		switch {
		case errors.As(err, &unknown):
			e = fault.New(fault.Invalid, "sensor.config", "%s has a key that is not known:\n%s", path, unknown.String())
		case errors.As(err, &form):
			row, column := form.Position()
			e = fault.New(fault.Invalid, "sensor.config", "%s, line %d, column %d: %v", path, row, column, form)
		}
		return c, e.Try("see docs/sensor.md")
	}
	return c, c.Validate()
}

// Validate fills in what is not set, and says what cannot be.
func (c *Config) Validate() error {
	bad := func(at, format string, args ...any) error {
		return fault.New(fault.Invalid, "sensor.config", format, args...).At(at).Try("see docs/sensor.md")
	}
	c.Workers = cmp.Or(c.Workers, runtime.GOMAXPROCS(0))
	c.Spool.Size = cmp.Or(c.Spool.Size, defaultSpool)
	c.Limits.Reports, c.Limits.Minutes = cmp.Or(c.Limits.Reports, 1000), cmp.Or(c.Limits.Minutes, 60)
	if err := c.Recall.Validate(); err != nil {
		return err
	}
	switch {
	case c.Workers < 1 || c.Workers > maxWorkers:
		return bad("workers", "a sensor has 1 to %d workers, not %d", maxWorkers, c.Workers)
	case c.Table.Threshold < 0 || c.Table.Threshold > 100:
		return bad("indicators.threshold", "confidence is from 0 to 100, not %d", c.Table.Threshold)
	case c.Spool.Size < minSpool:
		return bad("spool.size", "the spool has at least %d bytes, not %d", minSpool, c.Spool.Size)
	case c.Limits.Reports < 1:
		return bad("limits.reports", "a source may report at least once in an hour, not %d times", c.Limits.Reports)
	case c.Limits.Minutes < 1 || c.Limits.Minutes > 366*24*60:
		return bad("limits.minutes", "a source is not heard for a minute to a year, not %d minutes", c.Limits.Minutes)
	case len(c.Inputs) > maxInputs:
		return bad("input", "a sensor has at most %d inputs", maxInputs)
	}
	return nil
}

func (c *LimitsConfig) quiet() time.Duration { return time.Duration(c.Minutes) * time.Minute }
