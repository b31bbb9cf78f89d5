package keyring

import (
	"time"

	"entente/keylog"
)

// Renew is how long before its end a key is to be replaced: partners must learn of the new one, and a root may be far away.
const Renew = 30 * 24 * time.Hour

// Ends gives when a key of the log stops to count; zero: never.
func Ends(k keylog.Key) time.Time {
	var end time.Time
	for _, t := range []time.Time{k.NotAfter, k.Until, k.Compromised} {
		if !t.IsZero() && (end.IsZero() || t.Before(end)) {
			end = t
		}
	}
	return end
}

// Due tells whether a key that counts ends soon and nothing has taken its place.
func Due(state *keylog.State, k keylog.Key, now time.Time) bool {
	end := Ends(k)
	return k.Replaced == "" && !end.IsZero() && end.Sub(now) <= Renew && state.Valid(k.Key.ID(), "", now) == nil
}

// Health is how long the node can sign with a key.
type Health struct {
	Role keylog.Role // the first of the key's
	Key  string      // id
	Ends time.Time   // zero: the node cannot sign with it now
}

// Health tells for each of the node's own keys how long it counts.
func (r *Ring) Health() []Health {
	r.mu.Lock()
	defer r.mu.Unlock()
	state, now := r.log.State(), r.stamp(r.log)
	out := make([]Health, 0, len(purposes))
	for _, p := range purposes {
		id := r.own[p.file].current(r.now()).Key().ID()
		h := Health{Role: p.roles[0], Key: id}
		if k, ok := state.Find(id); ok && state.Valid(id, "", now) == nil {
			h.Ends = Ends(k)
			if h.Ends.IsZero() {
				h.Ends = now.Add(keyLife)
			}
			if next, ok := state.Find(k.Replaced); ok { // it goes on with its successor
				h.Ends = Ends(next)
			}
		}
		out = append(out, h)
	}
	return out
}
