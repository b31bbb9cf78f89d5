package decision

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"entente/accord"
	"entente/label"
	"entente/peer"
)

const maxParties = accord.MaxParties

// Basis is what consent is counted by.
type Basis uint8

// The bases.
const (
	All           Basis = iota // every party
	AllButSubject              // every party but those that it is about, which have no right to vote
	Number                     // K parties
	Share                      // K/N of the weights of all parties
)

// Rule is a decide block of an accord, compiled. All of it is integers.
type Rule struct {
	Name         string
	Basis        Basis
	K, N         int64 // of Number: K; of Share: K/N
	Proposers    int   // parties that must propose
	Persons      int   // that must sign for each party
	MinPositive  int   // parties that must consent themselves; at least 1
	Silence      bool  // proven silence counts as consent
	Blocks       bool  // a party of which nothing is known before the deadline has passed at it keeps a decision from being taken
	AffectedVeto bool  // the veto of an affected party decides
	Evidence     bool  // a proposal names its evidence
	Deadline     time.Duration
	Notice       time.Duration // a party must have had the proposal so long before the deadline, or its silence tells nothing: half of Deadline
	Weights      peer.Digest   // of the table; zero: all weigh the same
}

// CompileRule compiles a decide block.
func CompileRule(d *accord.Decide) (Rule, error) {
	r := Rule{Name: d.Name, Persons: max(d.Persons, 1), MinPositive: max(d.MinPositive, 1), Silence: d.Silence, Blocks: d.Unreachable != "abstains",
		AffectedVeto: d.Veto == "affected-party", Evidence: d.Evidence, Deadline: d.Deadline, Notice: d.Deadline / 2}
	bad := refuse(CodeRule, "rule %s of the accord cannot be counted by", d.Name)
	number := func(s string) (int64, bool) {
		n, err := strconv.ParseInt(s, 10, 32)
		return n, err == nil && n > 0
	}
	var ok bool
	k, n, part := strings.Cut(d.Consent, "/")
	percent, share := strings.CutSuffix(d.Consent, "%")
	switch {
	case d.Consent == "all":
		r.Basis, ok = All, true
	case d.Consent == "all-but-subject":
		r.Basis, ok = AllButSubject, true
	case part:
		var okN bool
		r.Basis = Share
		r.K, ok = number(k)
		r.N, okN = number(n)
		ok = ok && okN && r.K <= r.N
	case share:
		r.Basis, r.N = Share, 100
		r.K, ok = number(percent)
		ok = ok && r.K <= r.N
	default:
		r.Basis = Number
		r.K, ok = number(d.Consent)
	}
	if !ok || d.Deadline <= 0 {
		return Rule{}, bad
	}
	r.Proposers = 1
	if d.Propose != "any" {
		k, ok := number(d.Propose)
		if !ok || k > maxParties {
			return Rule{}, bad
		}
		r.Proposers = int(k)
	}
	if d.Weights != "" && r.Basis == Share {
		if r.Weights.UnmarshalText([]byte(d.Weights)) != nil {
			return Rule{}, bad
		}
	}
	return r, nil
}

// RuleOf finds a decide block of an accord and compiles it.
func RuleOf(a *accord.Accord, name string) (Rule, error) {
	i := slices.IndexFunc(a.Decides, func(d accord.Decide) bool { return d.Name == name })
	if i < 0 {
		return Rule{}, refuse(CodeRule, "accord %s has no rule %q", a.Name, clip(name))
	}
	return CompileRule(&a.Decides[i])
}

// Weights is how much the votes of nations weigh. Who is not in it weighs nothing.
type Weights map[string]int64

const (
	maxWeight = 1_000_000_000
	maxTable  = 4096 // bytes
)

// ParseWeights reads a table: lines "NATION = integer", sorted, each nation once, integers from 0 to 1,000,000,000 without leading zeros. There is one way to
// write a table, so its digest names it.
func ParseWeights(text []byte) (Weights, error) {
	if len(text) > maxTable {
		return nil, refuse(CodeSize, "a table of weights has at most %d bytes", maxTable)
	}
	w := Weights{}
	total := int64(0)
	for line := range strings.Lines(string(text)) {
		nation, number, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " = ")
		n, err := strconv.ParseInt(number, 10, 64)
		if !ok || err != nil || n < 0 || n > maxWeight || !label.IsNation(nation) {
			return nil, refuse(CodeForm, "a line of a table of weights is a nation, =, and an integer from 0 to %d: %q is not", maxWeight, clip(line))
		}
		w[nation] = n
		total += n
	}
	if len(w) > maxParties || total == 0 || !bytes.Equal(w.Bytes(), text) {
		return nil, refuse(CodeForm, "a table of weights has 1 to %d nations in the order of their codes, each once, of which one weighs something, and nothing else", maxParties)
	}
	return w, nil
}

// Bytes writes the table in its one form.
func (w Weights) Bytes() []byte {
	var b []byte
	for _, nation := range slices.Sorted(maps.Keys(w)) {
		b = append(strconv.AppendInt(append(append(b, nation...), " = "...), w[nation], 10), '\n')
	}
	return b
}

// Digest names the table, as an accord's weights do.
func (w Weights) Digest() peer.Digest { return sha256.Sum256(w.Bytes()) }

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
