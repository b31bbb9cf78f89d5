package sigma

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// CorrelationType is what a correlation counts.
type CorrelationType string

const (
	EventCount      CorrelationType = "event_count"      // events
	ValueCount      CorrelationType = "value_count"      // different values of a field
	Temporal        CorrelationType = "temporal"         // rules that matched
	TemporalOrdered CorrelationType = "temporal_ordered" // rules that matched, one after the other
	ValueSum        CorrelationType = "value_sum"        // the sum of a field
	ValueAvg        CorrelationType = "value_avg"        // the mean of a field
	ValueMedian     CorrelationType = "value_median"     // the median of a field
	ValuePercentile CorrelationType = "value_percentile" // a percentile of a field
)

var correlationTypes = []CorrelationType{EventCount, ValueCount, Temporal, TemporalOrdered, ValueSum, ValueAvg, ValueMedian, ValuePercentile}

// maxRules bounds the rules of a correlation: as many as one word has bits.
const maxRules = 64

// DefaultPercentile is the percentile of value_percentile where the condition does not say one.
const DefaultPercentile = 50

// Correlation is a rule over what rules, or other correlations, found (Sigma correlation rules specification 2.1).
type Correlation struct {
	Meta
	Type CorrelationType
	// Rules are the ids or names of those it is about, in their order.
	Rules []string
	// GroupBy are the fields, or aliases, whose values keep events apart. None: all events are one group.
	GroupBy []string
	// Timespan is how long all that counts together may last.
	Timespan time.Duration
	// Aliases are, for each alias, the field that it means in the events of each rule.
	Aliases map[string]map[string]string
	// Bounds must all hold for what Type counts. Empty with Expression.
	Bounds []Bound
	// Fields are those whose values are counted: several together are one value.
	Fields []string
	// Percentile is from 0 to 100, with ValuePercentile alone.
	Percentile float64
	// Expression says with and, or and not which rules must have matched, with the temporal types alone; nil without it.
	Expression *Condition
	// Generate keeps the hits of the rules themselves.
	Generate bool
}

// Bound is one comparison with what is counted. Op is lt, lte, gt, gte, eq or neq, Value a number as Canonical writes it.
type Bound struct{ Op, Value string }

var boundOps = []string{"lt", "lte", "gt", "gte", "eq", "neq"}

// Holds compares a number as JSON writes it; what is none is not within any bound.
func (b Bound) Holds(number string) bool {
	c, ok := CompareNumbers(number, b.Value)
	return ok && b.Allows(c)
}

// Allows tells whether a number is within the bound that compares with its Value as c says: below 0 it is less, above 0 greater.
func (b Bound) Allows(c int) bool {
	switch b.Op {
	case "lt":
		return c < 0
	case "lte":
		return c <= 0
	case "gt":
		return c > 0
	case "gte":
		return c >= 0
	case "eq":
		return c == 0
	}
	return c != 0
}

func (t CorrelationType) temporal() bool { return t == Temporal || t == TemporalOrdered }

func parseCorrelation(meta Meta, e entry, r *report) *Correlation {
	c := &Correlation{Meta: meta}
	var condition *entry
	pairs := entries(e.value, "correlation", r)
	for i, p := range pairs {
		switch p.key {
		case "type":
			if c.Type = CorrelationType(strings.ToLower(text(p, r))); !slices.Contains(correlationTypes, c.Type) {
				r.fail(at(p.value), CodeValue, "there is no correlation %q: there are event_count, value_count, value_sum, value_avg, value_median, value_percentile, temporal and temporal_ordered", c.Type)
			}
		case "rules":
			c.Rules = texts(p, r)
		case "group-by":
			c.GroupBy = texts(p, r)
		case "timespan", "timeframe":
			c.Timespan = parseTimespan(p, r)
		case "aliases":
			c.Aliases = parseAliases(p, r)
		case "generate":
			if p.value.ShortTag() != "!!bool" {
				r.fail(at(p.value), CodeValue, "generate takes true or false")
			}
			c.Generate = strings.EqualFold(p.value.Value, "true")
		case "condition":
			condition = &pairs[i]
		default:
			r.fail(p.at, CodeValue, "there is no %q in a correlation: there are type, rules, group-by, timespan, aliases, condition and generate", p.key)
		}
	}
	if c.Type == "" {
		r.fail(e.at, CodeMissing, "the type of the correlation is missing")
	}
	if c.Timespan == 0 {
		r.fail(e.at, CodeMissing, "the timespan is missing: say how long all that counts together may last, as in 10m")
	}
	c.condition(condition, e.at, r)
	switch {
	case c.Expression != nil && c.Type == TemporalOrdered && len(c.Rules) > maxOrdered:
		r.fail(e.at, CodeSize, "an ordered correlation with a condition in words is about %d rules at most: split it", maxOrdered)
	case len(c.Rules) > maxRules:
		r.fail(e.at, CodeSize, "a correlation is about %d rules at most: split it", maxRules)
	case len(c.Rules) == 0:
		r.fail(e.at, CodeMissing, "the correlation does not say what it is about: list ids or names as rules")
	case len(slices.Compact(slices.Sorted(slices.Values(c.Rules)))) != len(c.Rules):
		r.fail(e.at, CodeDuplicate, "a rule stands twice in the list: name each once")
	}
	return c
}

var timeUnits = map[byte]time.Duration{
	's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
	// the mean month and year of the Gregorian calendar
	'M': 2629746 * time.Second, 'y': 31556952 * time.Second,
}

func parseTimespan(e entry, r *report) time.Duration {
	s := text(e, r)
	if len(s) > 1 {
		unit, known := timeUnits[s[len(s)-1]]
		n, err := strconv.ParseInt(s[:len(s)-1], 10, 64)
		if known && err == nil && n > 0 && s[0] != '+' && n <= int64(100*timeUnits['y']/unit) {
			return time.Duration(n) * unit
		}
	}
	r.fail(at(e.value), CodeValue, "%q is no timespan: write a number and s, m, h, d, w, M or y, as in 10m, up to 100 years", s)
	return 1 // told
}

func parseAliases(e entry, r *report) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, a := range entries(e.value, "aliases", r) {
		fields := map[string]string{}
		for _, p := range entries(a.value, a.key, r) {
			if fields[p.key] = text(p, r); fields[p.key] == "" {
				r.fail(at(p.value), CodeField, "the alias %s names no field for %s", a.key, p.key)
			}
		}
		out[a.key] = fields
	}
	return out
}

func (c *Correlation) condition(e *entry, where Position, r *report) {
	switch {
	case e == nil && c.Type.temporal():
		c.Bounds = []Bound{{"gte", strconv.Itoa(len(c.Rules))}}
	case e == nil:
		r.fail(where, CodeMissing, "the condition is missing: say how many, as in gte: 10")
	case e.value.Kind == yaml.ScalarNode:
		c.expression(*e, r)
	default:
		c.bounds(*e, r)
	}
	if value := c.Type != EventCount && !c.Type.temporal(); value && len(c.Fields) == 0 {
		r.fail(where, CodeMissing, "%s needs field in the condition: say whose values count", c.Type)
	} else if !value && len(c.Fields) > 0 {
		r.fail(where, CodeValue, "%s counts no field: leave field out", c.Type)
	}
	if c.Type != ValueCount && len(c.Fields) > 1 {
		r.fail(where, CodeValue, "%s takes one field", c.Type)
	}
}

func (c *Correlation) bounds(e entry, r *report) {
	percentile := false
	for _, p := range entries(e.value, "the condition", r) {
		switch {
		case slices.Contains(boundOps, p.key):
			d, ok := parseDecimal(text(p, r))
			if !ok || !d.counted() {
				r.fail(at(p.value), CodeValue, "%q is no number that can be counted: write digits", p.value.Value)
			}
			c.Bounds = append(c.Bounds, Bound{p.key, d.String()})
		case p.key == "field":
			c.Fields = texts(p, r)
		case p.key == "percentile":
			percentile = true
			f, err := strconv.ParseFloat(text(p, r), 64)
			if err != nil || !(f >= 0 && f <= 100) {
				r.fail(at(p.value), CodeValue, "%q is no percentile: write a number from 0 to 100", p.value.Value)
			}
			c.Percentile = f
		default:
			r.fail(p.at, CodeValue, "there is no %q in the condition of a correlation: there are %s, field and percentile", p.key, strings.Join(boundOps, ", "))
		}
	}
	if upper := !slices.ContainsFunc(c.Bounds, func(b Bound) bool { return b.Op != "lt" && b.Op != "lte" && b.Op != "neq" }); upper && len(c.Bounds) > 0 && c.Type != ValueAvg && c.Type != ValueMedian && c.Type != ValuePercentile {
		r.warn(e.at, CodeDoubtful, "this holds already at the first event, since what did not happen yet is not waited for: give a lower bound as well")
	}
	if len(c.Bounds) == 0 {
		r.fail(at(e.value), CodeMissing, "the condition says no number: write one of %s", strings.Join(boundOps, ", "))
	}
	switch {
	case percentile && c.Type != ValuePercentile:
		r.fail(e.at, CodeValue, "percentile is for value_percentile alone")
	case !percentile && c.Type == ValuePercentile:
		c.Percentile = DefaultPercentile
		r.warn(e.at, CodeDoubtful, "the condition does not say which percentile: it is the %dth, the median; write percentile", DefaultPercentile)
	}
}

// expression reads a condition in words, and holds its names to the list of rules.
func (c *Correlation) expression(e entry, r *report) {
	if !c.Type.temporal() {
		r.fail(at(e.value), CodeCondition, "a condition in words is for temporal and temporal_ordered: write a number, as in gte: 10")
		return
	}
	p := conditionParser{tokens: tokens(e.value.Value), text: e.value.Value, at: at(e.value), r: r, names: true}
	root := p.read()
	if root == nil {
		return
	}
	c.Expression = &Condition{Text: e.value.Value, Position: at(e.value), root: root}
	var named []string
	var walk func(*node)
	walk = func(n *node) {
		if n.kind == nodeName && !slices.Contains(named, n.name) {
			named = append(named, n.name)
		}
		for _, a := range n.args {
			walk(a)
		}
	}
	walk(root)
	if len(c.Rules) == 0 {
		c.Rules = named
	}
	for _, n := range named {
		if !slices.Contains(c.Rules, n) {
			r.fail(at(e.value), CodeReference, "the condition names %q, which is not among the rules: add it there", n)
		}
	}
	for _, n := range c.Rules {
		if !slices.Contains(named, n) {
			r.fail(at(e.value), CodeReference, "the condition does not say what %q does: name it, or take it from the rules", n)
		}
	}
	if positive(root, map[string]bool{}) {
		r.fail(at(e.value), CodeCondition, "the condition holds when nothing matched at all: name with and a rule that must have matched")
	}
}

// positive evaluates an expression over the rules that matched.
func positive(n *node, matched map[string]bool) bool {
	switch n.kind {
	case nodeNot:
		return !positive(n.args[0], matched)
	case nodeAnd:
		return !slices.ContainsFunc(n.args, func(a *node) bool { return !positive(a, matched) })
	case nodeOr:
		return slices.ContainsFunc(n.args, func(a *node) bool { return positive(a, matched) })
	}
	return matched[n.name]
}
