package sensor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"entente/internal/fault"
	"entente/internal/indicator"
	"entente/internal/watch"
	wire "entente/sensor"
	"entente/sigma"
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
	from      map[string]*wire.Rule // by source
	left      []wire.Left           // the first of those that are not used
	leftCount int
}

// compile makes the rules of a node ready. Each is read under the name of its source, by which its hits are known again.
func compile(kept *keptRules, pipelines []*sigma.Pipeline) *ruleset {
	r := &ruleset{etag: kept.ETag, from: map[string]*wire.Rule{}}
	all := &sigma.Collection{}
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
		if rule.Type != "sigma" {
			leave(rule.Source, "pattern.type", "this sensor uses rules of the type sigma, not "+rule.Type)
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
	r.ready = watch.Compile(all, pipelines...)
	for _, p := range r.ready.Left {
		leave(p.File, p.Code, p.Message)
	}
	return r
}

// counts tells whether a rule counts at a moment.
func (r *ruleset) counts(source string, now time.Time) bool {
	rule := r.from[source]
	return rule != nil && !now.Before(rule.From) && (rule.Until.IsZero() || now.Before(rule.Until))
}

// loadPipelines reads the pipelines that the configuration names.
func loadPipelines(dir string, names []string) (out []*sigma.Pipeline, err error) {
	for _, name := range names {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, name)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fault.New(fault.Invalid, "sensor.pipeline", "the pipeline %s cannot be read", name).At("pipelines").Because(err)
		}
		p, err := sigma.ParsePipeline(name, text)
		if err != nil {
			return nil, fault.New(fault.Invalid, "sensor.pipeline", "the pipeline cannot be used: %v", err).At("pipelines")
		}
		out = append(out, p)
	}
	return out, nil
}

// look is what is looked for at a moment. It is replaced as a whole.
type look struct {
	set   *watch.Set
	table *indicator.Table
	rules *ruleset
}

func newLook(rules *ruleset, table *indicator.Table) (*look, error) {
	set, err := watch.New(rules.ready, table)
	if err != nil {
		return nil, err
	}
	return &look{set, table, rules}, nil
}
