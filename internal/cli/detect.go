package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/event"
	"entente/internal/fault"
	"entente/internal/indicator"
	"entente/internal/observation"
	"entente/internal/watch"
	"entente/sigma"
)

// detectOptions are what detect was told.
type detectOptions struct {
	rules, indicators, pipelines []string
	format, at, lateness         string
	mapping                      string
	explain, failOnHit           bool
}

func (a *app) detectCmd() *cobra.Command {
	var o detectOptions
	c := &cobra.Command{
		Use: "detect INPUT...", Short: "Look through files of events for what rules and indicators describe",
		Long: `Look through events with Sigma rules and indicators. No node is needed. Inputs are files, directories with all that is in them, and - for the
standard input; compressed with gzip or not. Events are lines of JSON (Suricata's EVE, Zeek, Windows and Sysmon in any common form, the Elastic
Common Schema, others), Zeek's logs with columns or Windows event logs (EVTX); each input is looked at for which.

With --json, one line is printed for each hit, and a summary on the standard error:

  {"rule":"…","title":"…","level":"high","event":17,"time":"2026-01-01T00:00:00Z","fields":{"Image":"…"},"input":"…","line":18}
  {"indicator":"…","kind":"domain","value":"…","event":17,"time":"…","fields":{"query":"…"},"input":"…","line":18}

event is the line of the input, counted from 0 over all inputs; line is counted from 1 in its own.

A rule is put to the events of its logsource. What these look like is known for common logs, and pipelines can say it for others: see "What rules
are put to" in docs/detect.md. Rules that cannot be used are counted in the summary, and --explain says of each why.

Indicators are files of STIX objects, also with patterns that ask for several events, lists with one value a line, CSV with values in the first column, and files of Zeek's intelligence framework.`,
		Example: `  entente detect --json --rules rules/ --indicators bundle.json logs/
  entente detect --rules rules/ --explain
  tail -n +1 -f eve.json | entente detect --indicators domains.txt -`,
		RunE: func(c *cobra.Command, inputs []string) error {
			return a.detect(c.Context(), &o, inputs)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.rules, "rules", nil, "a `FILE` of Sigma rules, or a directory with .yml and .yaml files")
	f.StringArrayVar(&o.indicators, "indicators", nil, "a `FILE` of indicators")
	f.StringArrayVar(&o.pipelines, "pipeline", nil, "a `FILE` that fits rules to the logs at hand")
	f.StringVar(&o.mapping, "mapping", "", "a `FILE` that says what fields are called in events of no known form")
	f.StringVar(&o.format, "format", "auto", "what the inputs are: auto, json or zeek")
	f.StringVar(&o.at, "at", "now", "the moment at which indicators must be valid: now, event for that of each event, or a `TIME` as in RFC 3339")
	f.StringVar(&o.lateness, "lateness", "all", "find correlations as the input is read: how much later than others an event may stand, as in 5m; all sorts the whole input first")
	f.BoolVar(&o.explain, "explain", false, "say which rules and indicators are not used, and why")
	f.BoolVar(&o.failOnHit, "fail-on-hit", false, "end with exit code 1 when there is a hit")
	return c
}

func (a *app) detect(ctx context.Context, o *detectOptions, inputs []string) error {
	var now time.Time
	switch o.at {
	case "now":
		now = time.Now()
	case "event":
	default:
		t, err := time.Parse(time.RFC3339, o.at)
		if err != nil {
			return usage("--at takes now, event or a time as in RFC 3339, not %q", o.at)
		}
		now = t
	}
	switch {
	case !slices.Contains([]string{"auto", "json", "zeek"}, o.format):
		return usage("--format takes auto, json or zeek, not %q", o.format)
	case len(o.rules)+len(o.indicators) == 0:
		return usage("name what to look for: --rules or --indicators")
	case len(inputs) == 0 && !o.explain:
		return usage("name an input, or - for the standard input")
	}
	lateness := time.Duration(-1)
	if o.lateness != "all" {
		var err error
		if lateness, err = time.ParseDuration(o.lateness); err != nil || lateness < 0 {
			return usage("--lateness takes all, or a duration such as 30s or 5m, not %q", o.lateness)
		}
	}
	files, err := detectInputs(inputs)
	if err != nil {
		return err
	}
	rules, found, err := loadDetect(o)
	if err != nil {
		return err
	}
	late := ages
	if lateness >= 0 {
		late = max(lateness, 1)
	}
	patterns := found.Patterns(observation.Config{Lateness: late})
	if o.explain {
		if err := a.explain(rules, found); err != nil {
			return err
		}
		if len(inputs) == 0 {
			return nil
		}
	}
	var table *indicator.Table
	looked := found.Len()
	if found.Values() > 0 {
		if table, err = found.Table(); err != nil {
			return err
		}
	}
	if rules.Ready == 0 && table == nil && patterns == nil {
		return fault.New(fault.Invalid, "detect.nothing", "none of the %d rules and no indicator can be used", rules.Read).Try("see why with --explain")
	}
	set, err := watch.New(rules, table, patterns)
	if err != nil {
		return err
	}
	d := newDetection(a, set, now, o.format, lateness)
	d.summary.Rules, d.summary.RulesLeft = rules.Ready, rules.Read-rules.Ready
	d.summary.Indicators, d.summary.IndicatorsLeft = looked, found.Gone
	if err := d.run(ctx, files); err != nil {
		return err
	}
	if d.summary.Failed > 0 || o.failOnHit && d.summary.Hits > 0 {
		return no()
	}
	return nil
}

// ages is longer than any log: files are read one after the other, and what they tell of happened at the same time.
const ages time.Duration = 100 * 365 * 24 * time.Hour

// loadDetect reads what is looked for.
func loadDetect(o *detectOptions) (*watch.Rules, *watch.Indicators, error) {
	found := watch.NewIndicators()
	for _, name := range o.indicators {
		f, err := os.Open(name)
		if err != nil {
			return nil, nil, err
		}
		err = found.Read(name, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, nil, err
		}
	}
	var pipelines []*sigma.Pipeline
	for _, name := range o.pipelines {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, nil, err
		}
		p, err := sigma.ParsePipeline(name, text)
		if err != nil {
			return nil, nil, fault.New(fault.Invalid, "detect.pipeline", "the pipeline cannot be used: %v", err)
		}
		pipelines = append(pipelines, p)
	}
	all := &sigma.Collection{}
	var broken sigma.Problems
	read := func(name string) error {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		c, err := sigma.Parse(name, text)
		var problems sigma.Problems
		if errors.As(err, &problems) {
			broken = append(broken, problems.Errors()...)
		} else if err != nil {
			return err
		}
		all.Add(c)
		return nil
	}
	for _, root := range o.rules {
		files, err := under(root, ruleEnds...)
		if err != nil {
			return nil, nil, err
		}
		for _, name := range files {
			if err := read(name); err != nil {
				return nil, nil, err
			}
		}
	}
	all.Add(&found.Rules)
	rules := watch.Compile(all, pipelines...)
	if o.mapping != "" {
		text, err := os.ReadFile(o.mapping)
		if err != nil {
			return nil, nil, err
		}
		if rules.Mapping, err = event.ParseMapping(text); err != nil {
			return nil, nil, fault.New(fault.Invalid, "detect.mapping", "%s cannot be used: %v", o.mapping, err)
		}
	}
	rules.Left = append(broken, rules.Left...)
	return rules, found, nil
}

// ruleEnds are those of files of Sigma rules in a directory.
var ruleEnds = []string{".yml", ".yaml"}

// under are the files of a directory and of those in it that end in one of ends, or in anything where none is given; or the file itself.
func under(root string, ends ...string) (files []string, err error) {
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && (name == root || len(ends) == 0 || slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(name, end) })) {
			files = append(files, name)
		}
		return nil
	})
	return files, err
}

// detectInputs are the files that the inputs name, in the order in which they are read.
func detectInputs(inputs []string) (files []string, err error) {
	for _, name := range inputs {
		if name == "-" {
			files = append(files, name)
			continue
		}
		in, err := under(name)
		if err != nil {
			return nil, err
		}
		files = append(files, in...)
	}
	return files, nil
}

// explain says what is not used, and why.
func (a *app) explain(rules *watch.Rules, found *watch.Indicators) error {
	if a.asJSON {
		for _, p := range rules.Left {
			if err := a.line(p); err != nil {
				return err
			}
		}
		for _, l := range found.Left {
			if err := a.line(l); err != nil {
				return err
			}
		}
		return nil
	}
	var rows [][]string
	for _, p := range rules.Left {
		rows = append(rows, []string{p.Rule, fmt.Sprintf("%s:%d", p.File, p.Line), p.Code, p.Message})
	}
	for _, l := range found.Left {
		rows = append(rows, []string{l.Source, "", l.Code, l.Why})
	}
	if len(rows) == 0 {
		a.say("everything is used: %s rules, %s indicators", count(int64(rules.Ready)), count(int64(found.Len())))
		return nil
	}
	if err := a.table([]string{"WHAT", "WHERE", "CODE", "WHY"}, rows); err != nil {
		return err
	}
	if n := found.Gone - len(found.Left); n > 0 {
		a.say("and %s more indicators", count(int64(n)))
	}
	return nil
}
