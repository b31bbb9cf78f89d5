package accords

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"entente/accord"
	"entente/internal/gate"
)

// Standing is an accord that stands between the own nation and others, as the gate judges by it.
type Standing struct {
	*gate.Standing
	Name     string
	Versions []*accord.Terms // that apply together, the newest last
	Digest   [32]byte        // of the newest
	State    string          // differs whenever the accord may permit something that it did not
}

// made is what Standings gave, and how long it is true.
type made struct {
	list    []Standing
	changes uint64
	until   time.Time // zero: until something changes
}

// Standings lists the accords that may let something pass, by name. What is suspended or has ended is among them: the gate says why nothing passes.
func (a *Accords) Standings() []Standing {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.cfg.Now()
	if a.made.list != nil && a.made.changes == a.changes && (a.made.until.IsZero() || now.Before(a.made.until)) {
		return a.made.list
	}
	a.made = made{list: []Standing{}, changes: a.changes}
	ordered := a.ordered()
	for i := 0; i < len(ordered); {
		name, end := ordered[i].accord.Name, i
		for end < len(ordered) && ordered[end].accord.Name == name {
			end++
		}
		if s, ok := a.stand(ordered[i:end], now); ok {
			a.made.list = append(a.made.list, s)
		}
		i = end
	}
	return a.made.list
}

// stand is how the versions of one accord stand. A version that is signed but not yet effective changes nothing; one that not every party has with
// all signatures counts together with the one before it. The caller holds mu.
func (a *Accords) stand(versions []*version, now time.Time) (Standing, bool) {
	var chain []*version
	for _, v := range versions {
		if !a.complete(v) {
			continue
		}
		if len(chain) > 0 && now.Before(v.accord.Effective) {
			a.until(v.accord.Effective)
			continue
		}
		chain = append(chain, v)
	}
	if len(chain) == 0 {
		return Standing{}, false
	}
	newest := chain[len(chain)-1]
	apply := []*version{newest}
	if len(chain) > 1 && !a.everywhere(newest) {
		apply = []*version{chain[len(chain)-2], newest}
	}
	state := gate.State{}
	for _, v := range apply {
		err := a.authorised(v)
		var t *accord.Terms
		if err == nil {
			t, err = a.terms(v)
		}
		if err != nil {
			a.cfg.Log.Warn("an accord cannot be applied", "accord", v.accord.Name, "version", v.accord.Version, "error", err)
			return Standing{}, false
		}
		state.Versions = append(state.Versions, t)
	}
	for _, v := range chain { // what was said about an earlier version was said about the accord
		state.Suspended = append(state.Suspended, suspensions(v)...)
		state.Ended = append(state.Ended, ends(v)...)
	}
	said := a.state(&state, now)
	s, err := gate.NewStanding(state)
	if err != nil {
		a.cfg.Log.Warn("an accord cannot be applied", "accord", newest.accord.Name, "error", err)
		return Standing{}, false
	}
	return Standing{Standing: s, Name: s.Name(), Versions: state.Versions, Digest: state.Versions[len(state.Versions)-1].Digest, State: said}, true
}

// until notes that the standings are made anew at a time.
func (a *Accords) until(at time.Time) {
	if a.made.until.IsZero() || at.Before(a.made.until) {
		a.made.until = at
	}
}

// state writes down what an accord may permit at the time: its versions and parties, and which of its times have come. The caller holds mu.
func (a *Accords) state(s *gate.State, now time.Time) string {
	h := sha256.New()
	passed := func(what string, at time.Time) {
		come := !at.IsZero() && !now.Before(at)
		if !come && !at.IsZero() {
			a.until(at)
		}
		fmt.Fprintf(h, "%s %v\n", what, come)
	}
	for _, t := range s.Versions {
		fmt.Fprintf(h, "%x %v\n", t.Digest, t.Parties)
		passed("effective", t.Effective)
		passed("expires", t.Expires)
	}
	for _, x := range s.Suspended {
		passed("suspended "+x.Of, x.From)
	}
	for _, x := range s.Ended {
		passed("ended "+x.Of, x.At)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// latest is the newest version of an accord that everybody signed. The caller holds mu.
func (a *Accords) latest(name string) (*version, error) {
	var found *version
	for _, v := range a.ordered() {
		if (v.accord.Name == name || v.digest == name) && a.complete(v) {
			found = v
		}
	}
	if found == nil {
		return nil, none()
	}
	return found, nil
}

func (a *Accords) complete(v *version) bool {
	standing, err := a.standing(v)
	return err == nil && accord.Complete(standing)
}

// everywhere tells whether every other party has the version with all signatures.
func (a *Accords) everywhere(v *version) bool {
	return !slices.ContainsFunc(v.accord.Parties, func(p accord.Party) bool { return p.Nation != a.cfg.Nation && !v.held[p.Nation] })
}

// terms compiles a version; parties that the text names without an organisation are those whose node their nation's key log names.
func (a *Accords) terms(v *version) (*accord.Terms, error) {
	text := *v.accord
	text.Parties = slices.Clone(text.Parties)
	for i := range text.Parties {
		if p := &text.Parties[i]; p.Org == "" {
			p.Org = a.cfg.OrgOf(p.Nation)
		}
	}
	return accord.Compile(&text, v.digest, nil)
}

// suspensions are those that stand: of each party, when it did not resume after its last.
func suspensions(v *version) []gate.Suspension {
	last := map[string]accord.Notice{}
	for _, n := range v.notices {
		if n.Verb == accord.Suspend || n.Verb == accord.Resume {
			last[n.Party] = n.Notice
		}
	}
	var out []gate.Suspension
	for _, p := range v.accord.Parties {
		if n, ok := last[p.Nation]; ok && n.Verb == accord.Suspend {
			out = append(out, gate.Suspension{By: p.Nation, Of: p.Nation, From: n.At})
		}
	}
	if v.accord.SuspendBy == "all" && len(out) < len(v.accord.Parties) {
		return nil
	}
	return out
}

// ends are the terminations and withdrawals, each after its notice.
func ends(v *version) []gate.End {
	var out []gate.End
	for _, n := range v.notices {
		switch n.Verb {
		case accord.Terminate:
			out = append(out, gate.End{At: n.At.Add(v.accord.Terminate.Notice)})
		case accord.Withdraw:
			out = append(out, gate.End{Of: n.Party, At: n.At.Add(v.accord.Withdraw.Notice)})
		}
	}
	return out
}

// Ending is an end of an accord, and until when what came under it is destroyed.
type Ending struct {
	Accord  string
	Digests [][32]byte // of every version that was signed
	Of      string     // the nation that left; empty: the accord ended for all
	At      time.Time
	Purge   time.Time // by then
}

// Endings lists the ends that are stated or come by themselves, in the future too, where the accord says what happens to what was given.
func (a *Accords) Endings() []Ending {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []Ending
	var digests [][32]byte
	ordered := slices.DeleteFunc(a.ordered(), func(v *version) bool { return !a.complete(v) })
	for i, v := range ordered {
		if i == 0 || ordered[i-1].accord.Name != v.accord.Name {
			digests = nil
		}
		if d, err := accord.ParseDigest(v.digest); err == nil {
			digests = append(digests, d)
		}
		last := i+1 == len(ordered) || ordered[i+1].accord.Name != v.accord.Name
		for _, n := range v.notices {
			switch leave := (*accord.Leave)(nil); n.Verb {
			case accord.Terminate:
				leave = v.accord.Terminate
				out = append(out, Ending{v.accord.Name, nil, "", n.At.Add(leave.Notice), n.At.Add(leave.Notice + leave.Purge)})
			case accord.Withdraw:
				leave = v.accord.Withdraw
				out = append(out, Ending{v.accord.Name, nil, n.Party, n.At.Add(leave.Notice), n.At.Add(leave.Notice + leave.Purge)})
			}
		}
		if leave := v.accord.Terminate; last && leave != nil && !v.accord.Expires.IsZero() {
			out = append(out, Ending{v.accord.Name, nil, "", v.accord.Expires, v.accord.Expires.Add(leave.Purge)})
		}
		for j := range out {
			if out[j].Accord == v.accord.Name {
				out[j].Digests = digests
			}
		}
	}
	return out
}
