package sensor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"entente/internal/event"
	"entente/internal/fault"
	"entente/internal/indicator"
	"entente/internal/observation"
	"entente/internal/watch"
	wire "entente/sensor"
	"entente/sigma"
	"entente/stix/pattern"
)

// The file of the rules, as the node gave them.
const (
	rulesFile = "rules.json"
	maxLeft   = 100 // rules whose reasons are told
	maxWhy    = 400 // bytes of a reason
)

// keptRules is what stands in the file.
type keptRules struct {
	ETag       string `json:"etag"`
	wire.Rules `json:",inline"`
}

// ruleset are rules made ready.
type ruleset struct {
	etag      string
	ready     *watch.Rules
	patterns  *watch.Patterns       // nil: there are none
	from      map[string]*wire.Rule // by source
	count     int                   // of rules, correlations and patterns that are used
	left      []wire.Left           // the first of those that are not used
	leftCount int
}

// compile makes the rules of a node ready. Each is read under the name of its source, by which its hits are known again.
func compile(kept *keptRules, f fit) *ruleset {
	r := &ruleset{etag: kept.ETag, from: map[string]*wire.Rule{}}
	all := &sigma.Collection{}
	var patterns []watch.Pattern
	out := map[string]bool{}
	leave := func(source, code, why string) {
		if out[source] {
			return
		}
		out[source] = true
		if r.leftCount++; len(r.left) < maxLeft {
			r.left = append(r.left, wire.Left{Source: source, Code: code, Why: strings.ToValidUTF8(why[:min(len(why), maxWhy)], "")})
		}
	}
	for i := range kept.Rules.Rules {
		rule := &kept.Rules.Rules[i]
		r.from[rule.Source] = rule
		switch rule.Type {
		case "sigma":
		case "stix":
			p, err := newPattern(rule)
			if err != nil {
				leave(rule.Source, observation.LeftUnsupported, err.Error())
				continue
			}
			patterns = append(patterns, p)
			continue
		default:
			leave(rule.Source, "pattern.type", "this sensor uses rules of the types sigma and stix, not "+rule.Type)
			continue
		}
		c, err := sigma.Parse(rule.Source, []byte(rule.Pattern))
		var problems sigma.Problems
		switch {
		case errors.As(err, &problems):
			for _, p := range problems.Errors() {
				leave(rule.Source, p.Code, p.Message)
			}
		case err != nil:
			leave(rule.Source, sigma.CodeYAML, err.Error())
		}
		if c != nil {
			all.Add(c)
		}
	}
	r.ready = watch.Compile(all, f.pipelines...)
	r.ready.Mapping = f.mapping
	for _, p := range r.ready.Left {
		leave(p.File, p.Code, p.Message)
	}
	r.count = r.ready.Ready
	if len(patterns) > 0 {
		var left []observation.Left
		r.patterns, left = watch.NewPatterns(patterns, observation.Config{})
		for _, l := range left {
			leave(patterns[l.Pattern].Meta.Source, l.Code, l.Why)
		}
		r.count += len(patterns) - len(left)
	}
	return r
}

// newPattern reads the STIX pattern of a rule.
func newPattern(rule *wire.Rule) (watch.Pattern, error) {
	p, err := pattern.Parse(rule.Pattern)
	if err != nil {
		return watch.Pattern{}, err
	}
	return watch.NewPattern(indicator.Meta{Source: rule.Source, Label: rule.Label, Accord: rule.Accord, From: rule.From, Until: rule.Until}, p)
}

// counts tells whether a rule counts at a moment.
func (r *ruleset) counts(source string, now time.Time) bool {
	rule := r.from[source]
	return rule != nil && !now.Before(rule.From) && (rule.Until.IsZero() || now.Before(rule.Until))
}

// fit is what fits rules and indicators to the logs at hand.
type fit struct {
	pipelines []*sigma.Pipeline
	mapping   event.Mapping
}

// loadFit reads the files that the configuration names.
func loadFit(dir string, c *Config) (f fit, err error) {
	read := func(key, name string, parse func([]byte) error) error {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, name)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return fault.New(fault.Invalid, "sensor."+key, "%s cannot be read", name).At(key).Because(err)
		}
		if err := parse(text); err != nil {
			return fault.New(fault.Invalid, "sensor."+key, "%s cannot be used: %v", name, err).At(key)
		}
		return nil
	}
	for _, name := range c.Pipelines {
		err := read("pipelines", name, func(text []byte) error {
			p, err := sigma.ParsePipeline(name, text)
			f.pipelines = append(f.pipelines, p)
			return err
		})
		if err != nil {
			return f, err
		}
	}
	if c.Mapping != "" {
		err = read("mapping", c.Mapping, func(text []byte) (err error) {
			f.mapping, err = event.ParseMapping(text)
			return err
		})
	}
	return f, err
}

// look is what is looked for at a moment. It is replaced as a whole.
type look struct {
	set   *watch.Set
	table *indicator.Table
	rules *ruleset
}

func newLook(rules *ruleset, table *indicator.Table) (*look, error) {
	set, err := watch.New(rules.ready, table, rules.patterns)
	if err != nil {
		return nil, err
	}
	return &look{set, table, rules}, nil
}
