package asset

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/register"
)

// Verification is what a check of every version of every constituent found.
type Verification struct {
	Sound        bool      `json:"sound"`
	Constituents int       `json:"constituents"`
	Versions     int       `json:"versions"`
	Problems     []Problem `json:"problems"` // at most 1000
}

// Problem is one version that is not what it should be.
type Problem struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

const maxProblems = 1000

// link is a version as a member of its chain.
type link struct{ order, version, digest, previous string }

// Verify checks the signature of every version, and that each names the one before it.
func (r *Register) Verify(ctx context.Context, v gate.Viewer) (Verification, error) {
	out := Verification{Problems: []Problem{}}
	problem := func(id, version, code, format string, args ...any) {
		if len(out.Problems) < maxProblems {
			out.Problems = append(out.Problems, Problem{id, version, code, fmt.Sprintf(format, args...)})
		}
	}
	chains := map[string][]link{}
	q := store.Query{Types: []string{register.Type}, Versions: store.Versions{All: true}}
	for {
		page, err := r.cfg.Door.Read(ctx, v, q)
		if err != nil {
			return out, err
		}
		for i := range page.Items {
			it := &page.Items[i]
			rec := &it.Record
			if it.Held || rec.Origin.Nation != r.cfg.Nation || rec.Origin.Org != r.cfg.Org {
				continue
			}
			out.Versions++
			if err := r.signed(it); err != nil {
				e := fault.As(err)
				problem(rec.ID, rec.Version, e.MachineCode(), "%s", e.Message)
			}
			c, err := register.Parse(rec.Body)
			if err != nil {
				problem(rec.ID, rec.Version, "constituent.form", "%s", err)
				c = &register.Constituent{}
			} else if !names(c, rec) {
				problem(rec.ID, rec.Version, "constituent.place", "what is stored here is version %s of %s", c.Modified, c.ID)
			}
			chains[rec.ID] = append(chains[rec.ID], link{order(rec.Version), rec.Version, digest(rec.Body), c.Previous})
		}
		if !page.More {
			break
		}
		q.After = page.Next
	}
	out.Constituents = len(chains)
	for id, chain := range chains {
		slices.SortFunc(chain, func(a, b link) int { return strings.Compare(a.order, b.order) })
		before := ""
		for i, l := range chain {
			switch {
			case l.previous == before:
			case i == 0:
				problem(id, l.version, "chain.start", "the version names one before it, which is not here")
			default:
				problem(id, l.version, "chain.broken", "the version does not name the one before it, %s", chain[i-1].version)
			}
			before = l.digest
		}
	}
	slices.SortFunc(out.Problems, func(a, b Problem) int { return strings.Compare(a.ID+a.Version, b.ID+b.Version) })
	out.Sound = len(out.Problems) == 0
	return out, nil
}
