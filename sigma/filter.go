package sigma

import (
	"slices"
	"strings"
)

// Filter narrows rules: its condition must hold as well (Sigma filters specification 2.1). To leave something out, it says so: not
// selection.
type Filter struct {
	Meta
	Logsource Logsource
	// Rules are the ids or names of the rules it narrows; none: every rule of the logsource.
	Rules []string
	Clause
}

func parseFilter(meta Meta, source Logsource, e entry, r *report) *Filter {
	f := &Filter{Meta: meta, Logsource: source}
	pairs := entries(e.value, "filter", r)
	any := false
	for _, p := range pairs {
		if p.key == "rules" {
			f.Rules = texts(p, r)
			any = len(f.Rules) == 0
			if len(f.Rules) == 1 && (strings.EqualFold(f.Rules[0], "any") || strings.EqualFold(f.Rules[0], "all")) {
				f.Rules, any = nil, true
			}
		}
	}
	if len(f.Rules) == 0 && !any {
		r.fail(e.at, CodeMissing, "the filter does not say which rules it narrows: list their ids or names as rules, or write rules: any")
	}
	f.Clause = parseClause(pairs, e.at, []string{"rules"}, r)
	f.From = "filter " + meta.Handle()
	for _, c := range f.Conditions {
		if !negates(c.root) {
			r.warn(c.Position, CodeDoubtful, "the condition of a filter must hold as well, so the rules will match only where %q does: to leave that out, write not", c.Text)
		}
	}
	return f
}

func negates(n *node) bool {
	return n.kind == nodeNot || slices.ContainsFunc(n.args, negates)
}

// Narrows says whether the filter is for a rule.
func (f *Filter) Narrows(r *Rule) bool {
	if !f.Logsource.Covers(r.Logsource) {
		return false
	}
	return len(f.Rules) == 0 || r.ID != "" && slices.Contains(f.Rules, r.ID) || r.Name != "" && slices.Contains(f.Rules, r.Name)
}

// problems is what would keep a narrowed rule from compiling.
func (f *Filter) problems() Problems {
	return (&Rule{Meta: f.Meta, Logsource: f.Logsource, Clause: f.Clause}).Problems()
}

// Narrow gives the rule with every filter that is for it. The rule itself stays as it is.
func (r *Rule) Narrow(filters []*Filter) *Rule {
	out := r
	for _, f := range filters {
		if !f.Narrows(r) {
			continue
		}
		if out == r {
			out = r.clone()
		}
		out.Also = append(out.Also, f.Clause)
	}
	return out
}

// clone is a rule of which the lists can be changed.
func (r *Rule) clone() *Rule {
	out := *r
	out.Also = slices.Clone(r.Also)
	return &out
}
