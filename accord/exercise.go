package accord

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"entente/label"
)

// Unauthorised says why an accord of an exercise binds nobody, or why none can be derived. Code is stable.
type Unauthorised struct {
	Code    string // "exercise.none", "exercise.mode", "exercise.derive", "exercise.party", "exercise.window", "exercise.purge"
	Message string
}

func (e *Unauthorised) Error() string { return e.Message }

func unauthorised(code, format string, args ...any) error {
	return &Unauthorised{code, fmt.Sprintf(format, args...)}
}

// exercise is the exercise of a name that the accord lists.
func (a *Accord) exercise(name string) (Exercise, error) {
	i := slices.IndexFunc(a.Exercises, func(e Exercise) bool { return e.Name == name })
	switch {
	case a.Mode != label.OperationalMode:
		return Exercise{}, unauthorised("exercise.mode", "accord %s binds %s: only an accord of operations authorises exercises", a.Name, a.Mode)
	case i < 0:
		return Exercise{}, unauthorised("exercise.none", "accord %s lists no exercise %s", a.Name, cited(name))
	}
	return a.Exercises[i], nil
}

// span is when an accord that the exercise has authorised may bind: from, and until the beginning of the day after.
func (a *Accord) span(e Exercise) (from, until time.Time) {
	from, until = e.From, e.To.AddDate(0, 0, 1)
	if a.Effective.After(from) {
		from = a.Effective
	}
	if !a.Expires.IsZero() && a.Expires.Before(until) {
		until = a.Expires
	}
	return from, until
}

// ForExercise derives the accord of the given name that binds the realm of an exercise which a lists: the same parties, gifts, handling and decisions, for
// the exercise's days, with what came of it destroyed within its purge. Addresses, key logs, relays, legal bases and annexes of operations are left out.
func (a *Accord) ForExercise(exercise, name string) (*Accord, error) {
	e, err := a.exercise(exercise)
	if err != nil {
		return nil, err
	}
	if len(a.Parties) == 0 {
		return nil, unauthorised("exercise.party", "accord %s leaves its parties to register %s: write them out", a.Name, a.Register)
	}
	d := &Accord{Name: name, Title: a.Title, Version: 1, Mode: label.Exercise(exercise), Parties: slices.Clone(a.Parties), Scope: a.Scope, Sectors: a.Sectors, Purpose: a.Purpose,
		Never: a.Never, Gives: a.Gives, Handle: a.Handle, Reciprocity: a.Reciprocity, Limits: a.Limits, Decides: a.Decides, SuspendBy: a.SuspendBy,
		Terminate: &Leave{Purge: e.Purge, Receipts: true}}
	d.Effective, d.Expires = a.span(e)
	under := Derive{Accord: a.Name}
	for i := range d.Parties {
		d.Parties[i].Node = ""
		under.Consent = append(under.Consent, d.Parties[i].Nation)
	}
	d.Derives = []Derive{under}
	if a.Withdraw != nil {
		w := *a.Withdraw
		w.Purge = min(w.Purge, e.Purge)
		d.Withdraw = &w
	}
	if a.Terminate != nil {
		d.Terminate.Notice = a.Terminate.Notice
	}
	text, err := Format(d.Bytes())
	if err != nil {
		return nil, err
	}
	return Parse(name, text)
}

// Authorise says why a does not authorise the accord of an exercise: nil when it does. That a itself is signed is for the caller to verify. The accord of the
// exercise names a, is between parties of it, binds in the exercise's days alone, and destroys what came under it within the exercise's purge.
func (a *Accord) Authorise(of *Accord) error {
	exercise, ok := of.Mode.Exercise()
	if !ok {
		return unauthorised("exercise.mode", "accord %s binds %s and no exercise", of.Name, of.Mode)
	}
	e, err := a.exercise(exercise)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(of.Derives, func(d Derive) bool { return d.Accord == a.Name }) {
		return unauthorised("exercise.derive", "accord %s does not derive from accord %s: write derive %s", of.Name, a.Name, strconv.Quote(a.Name))
	}
	for _, p := range of.Parties {
		if !slices.ContainsFunc(a.Parties, func(q Party) bool { return q.Nation == p.Nation && (q.Org == "" || q.Org == p.Org) }) {
			return unauthorised("exercise.party", "%s %s is no party of accord %s, which authorises the exercise", p.Nation, p.Org, a.Name)
		}
	}
	from, until := a.span(e)
	if of.Effective.Before(from) || of.Expires.IsZero() || of.Expires.After(until) {
		return unauthorised("exercise.window", "accord %s binds outside the days of exercise %s: it is to be effective from %s and to expire by %s", of.Name, exercise, printDay(from), printDay(until))
	}
	for _, l := range []*Leave{of.Terminate, of.Withdraw} {
		if l != nil && (l.Purge > e.Purge || !l.Receipts) || of.Terminate == nil {
			return unauthorised("exercise.purge", "accord %s is to destroy what came under it within %s, with receipts, when it ends", of.Name, printDuration(e.Purge))
		}
	}
	return nil
}
