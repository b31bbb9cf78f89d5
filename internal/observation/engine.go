// Package observation puts STIX patterns to observations as they come, thousands of patterns at once.
//
// An [Engine] is made of patterns once and read by any number of goroutines. A [Matcher] of it says which conditions, the brackets of patterns, an observation meets: an index
// over all of them names the few that it may meet, and only these are evaluated. A [Stream] keeps what patterns of several observations have seen so far and says when one of
// them has all that it asks for. What package stix/pattern says about a whole set of observations is what a Stream has said once all of them went through it, within its bounds;
// what goes beyond these is counted.
package observation

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"entente/stix/pattern"
)

// Config bounds what a Stream keeps. Zero is the default.
type Config struct {
	Lateness time.Duration // how much earlier than the latest an observation may be and still meet all that it would have met in order; a minute
	Each     int           // observations kept for one pattern; 1,024
	All      int           // observations kept for all patterns; 262,144
	Steps    int64         // of one evaluation, as in pattern.Budget; 20,000
	Closed   bool          // WITHIN includes its end, as in pattern.ClosedWithin
}

func (c Config) withDefaults() Config {
	if c.Lateness <= 0 {
		c.Lateness = time.Minute
	}
	if c.Each <= 0 {
		c.Each = 1024
	}
	if c.All <= 0 {
		c.All = 1 << 18
	}
	if c.Steps <= 0 {
		c.Steps = 20_000
	}
	return c
}

// Pattern is a pattern to look for.
type Pattern struct {
	ID          string
	Pattern     *pattern.Pattern
	From, Until time.Time // when it counts, the end excluded; zero: always, for ever
}

// Early tells whether the pattern does not count yet at a moment.
func (p *Pattern) Early(now time.Time) bool { return !p.From.IsZero() && now.Before(p.From) }

// Expired tells whether the pattern no longer counts at a moment.
func (p *Pattern) Expired(now time.Time) bool { return !p.Until.IsZero() && !now.Before(p.Until) }

// The codes of Left.
const (
	LeftUnsupported = "pattern.unsupported" // it has what cannot be evaluated
	LeftLarge       = "pattern.large"       // it asks for more observations than are kept
)

// Left is a pattern that is not looked for, and why.
type Left struct {
	Pattern int // its place in the list
	Code    string
	Why     string
}

// Engine is patterns made ready.
type Engine struct {
	config   Config
	patterns []Pattern
	conds    []condition
	known    map[string]int32 // places in conds, by text
	alts     []alternative
	paths    map[string]*path // by key
	types    map[string][]int // by type of object: places in list
	list     []*path
	kinds    map[string][]int32 // conditions that any object of a type may meet
	prints   func() map[int]print
}

// condition is what stands in brackets, once for all patterns that have it.
type condition struct {
	of    *pattern.Pattern
	is    *pattern.Condition
	text  string
	users []user
}

// user is a part of an alternative.
type user struct {
	alt  int32
	part uint8
}

// New makes patterns ready. Those that are left out are said with the reason.
func New(list []Pattern, c Config) (*Engine, []Left) {
	e := &Engine{config: c.withDefaults(), patterns: list, paths: map[string]*path{}, types: map[string][]int{}, kinds: map[string][]int32{}, known: map[string]int32{}}
	e.prints = sync.OnceValue(e.newPrints)
	var left []Left
	for i := range list {
		if err := list[i].Pattern.Ready(); err != nil {
			left = append(left, Left{i, LeftUnsupported, err.Error()})
			continue
		}
		b := builder{e: e, p: list[i].Pattern, at: int32(i)}
		if why := b.split(list[i].Pattern.Root(), everything); why != "" {
			left = append(left, Left{i, LeftLarge, why})
			continue
		}
		for k, alt := range b.alts {
			n := int32(len(e.alts))
			e.alts = append(e.alts, alt)
			for part, conds := range b.parts[k] {
				for _, cond := range conds {
					c := &e.conds[b.condition(cond)]
					if u := (user{n, uint8(part)}); !slices.Contains(c.users, u) {
						c.users = append(c.users, u)
					}
				}
			}
		}
	}
	for i := range e.conds {
		e.index(int32(i))
	}
	for _, p := range e.list {
		p.seal()
	}
	return e, left
}

// Len is how many patterns the engine was given.
func (e *Engine) Len() int { return len(e.patterns) }

// Pattern is one of them.
func (e *Engine) Pattern(n int) *Pattern { return &e.patterns[n] }

// Temporal tells whether a condition stands in a pattern that asks for more than one observation.
func (e *Engine) Temporal(cond int32) bool {
	return slices.ContainsFunc(e.conds[cond].users, func(u user) bool { return !e.alts[u.alt].single })
}

// Asks tells whether a condition stands in a pattern, by the condition's text, which is the same in every engine.
func (e *Engine) Asks(pattern int, condition string) bool {
	cond, ok := e.known[condition]
	return ok && slices.ContainsFunc(e.conds[cond].users, func(u user) bool { return e.alts[u.alt].pattern == int32(pattern) })
}

// Known is the condition with a text; false: no pattern has it.
func (e *Engine) Known(text string) (cond int32, ok bool) {
	cond, ok = e.known[text]
	return cond, ok
}

// Several tells whether any pattern asks for more than one observation.
func (e *Engine) Several() bool {
	return slices.ContainsFunc(e.alts, func(a alternative) bool { return !a.single })
}

// Condition is the text of a condition.
func (e *Engine) Condition(cond int32) string { return e.conds[cond].text }

func tooLarge(what string, n, most int64) string {
	return fmt.Sprintf("it asks for %d %s, and at most %d are kept", n, what, most)
}
