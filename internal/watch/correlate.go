package watch

import (
	"entente/internal/correlation"
	"entente/sigma"
)

// Correlations makes what finds the set's correlations in the hits of its rules (Finding.Hit), over a stream that need not end; nil when there are none. Each is given to
// found, but for those that are only there for others. What is made belongs to one goroutine.
func (s *Set) Correlations(o correlation.Options, found func(*sigma.Hit)) *correlation.Engine {
	if len(s.rules.Correlations) == 0 {
		return nil
	}
	return correlation.New(s.rules.Correlations, o, func(h *sigma.Hit) {
		if !s.rules.Silent(h.Rule) {
			found(h)
		}
	})
}
