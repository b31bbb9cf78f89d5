package sigma

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Level says how bad a Problem is.
type Level string

const (
	// LevelError keeps a rule from being used: it would not mean what its author wrote.
	LevelError Level = "error"
	// LevelWarning leaves a rule usable, but it may not do what its author meant.
	LevelWarning Level = "warning"
)

// The codes of problems. They are stable.
const (
	CodeSize        = "sigma.size"        // larger, deeper or more than is read
	CodeYAML        = "sigma.yaml"        // not YAML
	CodeForm        = "sigma.form"        // a list where a map belongs, and the like
	CodeMissing     = "sigma.missing"     // a mandatory key is not there
	CodeDuplicate   = "sigma.duplicate"   // the same key, id or name twice
	CodeValue       = "sigma.value"       // a value that its place does not take
	CodeField       = "sigma.field"       // a field name that is none
	CodeModifier    = "sigma.modifier"    // an unknown modifier, or one that does not go with its value
	CodeRegex       = "sigma.regex"       // a regular expression that cannot be compiled
	CodePlaceholder = "sigma.placeholder" // a placeholder that no pipeline gave values
	CodeCondition   = "sigma.condition"   // a condition that cannot be read
	CodeReference   = "sigma.reference"   // a name that stands for nothing
	CodeTaxonomy    = "sigma.taxonomy"    // a taxonomy other than sigma that no pipeline translates
	CodeLogsource   = "sigma.logsource"   // a logsource of which no route knows the events
	CodePipeline    = "sigma.pipeline"    // a pipeline that asks for what is not done
	CodeDropped     = "sigma.dropped"     // a rule that a pipeline refuses
	CodeUnused      = "sigma.unused"      // a search identifier that no condition uses
	CodeDoubtful    = "sigma.doubtful"    // means something, but hardly what was meant
)

// Position is a place in a text; both count from 1, and 0 is nowhere.
type Position struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Problem is one thing that is wrong: where, in which rule, by which of the codes, and what to do about it. It is the error of this
// package.
type Problem struct {
	File     string `json:"file,omitempty"`
	Position        // of the text that is wrong
	Level    Level  `json:"level"`
	Code     string `json:"code"`
	Rule     string `json:"rule,omitempty"` // the id of the rule, else its name, else its title
	Message  string `json:"message"`
}

func (p *Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		b.WriteByte(':')
	}
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d: ", p.Line, p.Column)
	} else if p.File != "" {
		b.WriteByte(' ')
	}
	if p.Rule != "" {
		fmt.Fprintf(&b, "rule %s: ", p.Rule)
	}
	b.WriteString(p.Message)
	return b.String()
}

// Problems is everything that is wrong with a text, in its order, at most MaxProblems.
type Problems []*Problem

// MaxProblems is how many problems are told at once.
const MaxProblems = 1000

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the problems one by one.
func (ps Problems) Unwrap() []error {
	out := make([]error, len(ps))
	for i, p := range ps {
		out[i] = p
	}
	return out
}

// Errors are the problems that keep a rule from being used.
func (ps Problems) Errors() Problems {
	return slices.DeleteFunc(slices.Clone(ps), func(p *Problem) bool { return p.Level != LevelError })
}

// err is nil when there is nothing wrong: a nil slice in an error would not be.
func (ps Problems) err() error {
	if ps = ps.Errors(); len(ps) > 0 {
		return ps
	}
	return nil
}

// report collects problems of one rule.
type report struct {
	file, rule string
	list       Problems
}

func (r *report) add(level Level, at Position, code, format string, args ...any) {
	if len(r.list) >= MaxProblems {
		return
	}
	r.list = append(r.list, &Problem{File: r.file, Position: at, Level: level, Code: code, Rule: r.rule, Message: fmt.Sprintf(format, args...)})
}

func (r *report) fail(at Position, code, format string, args ...any) {
	r.add(LevelError, at, code, format, args...)
}

func (r *report) warn(at Position, code, format string, args ...any) {
	r.add(LevelWarning, at, code, format, args...)
}

func (r *report) failed() bool { return len(r.list.Errors()) > 0 }

// sorted is the list in the order of the text.
func (r *report) sorted() Problems {
	slices.SortStableFunc(r.list, func(a, b *Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return r.list
}
