package decision

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"

	"entente/accord"
	"entente/dsse"
	"entente/keylog"
	"entente/peer"
)

// value is JSON that stands as it came.
type value = jsontext.Value

// Certificate is a decision with everything that it rests on: who has the keys of the parties, or the key logs that it may carry, verifies it without
// asking anyone. It is written in one form: members in this order, lists sorted, no white space.
type Certificate struct {
	V         int           `json:"v"` // 1
	Realm     string        `json:"realm"`
	Outcome   Outcome       `json:"outcome"`
	Accord    accord.Bundle `json:"accord"` // its signatures may be left out for readers who know the accord
	Proposal  value         `json:"proposal"`
	Weights   string        `json:"weights,omitempty"`
	Positions []value       `json:"positions"`         // by nation, then by SHA-256
	Silences  []Silence     `json:"silences"`          // by nation
	KeyHeads  []KeyHead     `json:"keyHeads"`          // by nation: of the key logs that it was made with
	KeyLogs   []value       `json:"keyLogs,omitempty"` // by nation: whole, so that the file stands alone
}

// KeyHead is how long a nation's key log was.
type KeyHead struct {
	Nation string      `json:"nation"`
	Size   int64       `json:"size"`
	Hash   peer.Digest `json:"hash"`
}

// Result is what a certificate says, or what is known of a decision that is still open.
type Result struct {
	Tally
	Proposal peer.Digest `json:"proposal"` // what an action is done at most once for
	What     Proposal    `json:"what"`
	Rule     string      `json:"rule"`
	Accord   peer.Digest `json:"accord"`
	Name     string      `json:"name"`              // of the accord
	Signed   bool        `json:"signed"`            // the certificate holds the signatures that bind every party to the accord
	LeftOut  []string    `json:"leftOut,omitempty"` // of Combine: what does not count, and why
}

// Verify judges a certificate: whether what it holds proves its outcome, by these keys. knows tells whether the verifier knows an accord by its digest to
// be one that its parties signed; of every other the certificate has to hold the signatures. It is a pure function: whoever has the same key logs
// finds the same. Result is there only without an error, which is an *Error.
func Verify(certificate []byte, keys Keys, knows func(peer.Digest) bool) (*Result, error) {
	c, err := Parse(certificate)
	if err != nil {
		return nil, err
	}
	return c.verify(&Opener{Realm: c.Realm, Keys: keys}, knows)
}

// VerifyAlone judges a certificate by the key logs that it carries, and nothing else. pins gives the fingerprint by which the verifier knows a nation; a
// nation that has none is one of Unpinned, and the result is as good as the reader's trust that its key log is its own.
func VerifyAlone(certificate []byte, pins func(nation string) (keylog.Fingerprint, bool)) (r *Result, unpinned []string, err error) {
	c, err := Parse(certificate)
	if err != nil {
		return nil, nil, err
	}
	if len(c.KeyLogs) == 0 {
		return nil, nil, refuse(CodeKeys, "the certificate carries no key logs: it is verified by the keys of a node")
	}
	states := map[string]*keylog.State{}
	last := ""
	for _, raw := range c.KeyLogs {
		l, err := keylog.Parse(raw)
		if err != nil {
			return nil, nil, refuse(CodeKeys, "a key log in the certificate does not hold: %v", err)
		}
		n := l.Nation()
		if n <= last || l.Realm() != c.Realm {
			return nil, nil, refuse(CodeForm, "key logs are sorted by nation, each once, and of the certificate's realm")
		}
		last = n
		var pin keylog.Fingerprint
		known := false
		if pins != nil {
			pin, known = pins(n)
		}
		switch {
		case !known:
			unpinned = append(unpinned, n)
		case pin != l.Fingerprint():
			return nil, nil, refuse(CodeKeys, "the key log that the certificate carries for %s is not the one that is known to be its own", n)
		}
		states[n] = l.State()
	}
	r, err = c.verify(&Opener{Realm: c.Realm, Keys: func(n string) *keylog.State { return states[n] }}, nil)
	return r, unpinned, err
}

// Parse reads a certificate in its one form. Whether it holds is for Verify to say.
func Parse(b []byte) (*Certificate, error) {
	if len(b) > MaxAlone {
		return nil, refuse(CodeSize, "a certificate has at most %d bytes", MaxAlone)
	}
	var c Certificate
	if err := json.Unmarshal(b, &c, json.RejectUnknownMembers(true)); err != nil {
		return nil, refuse(CodeForm, "this is no certificate of a decision: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	switch {
	case c.V != 1:
		return nil, refuse(CodeForm, "the certificate is of another version than 1")
	case c.Outcome != Yes && c.Outcome != No:
		return nil, refuse(CodeForm, "a certificate says yes or no")
	case len(c.KeyLogs) == 0 && len(b) > MaxCertificate:
		return nil, refuse(CodeSize, "a certificate without key logs has at most %d bytes", MaxCertificate)
	case len(c.Positions) > maxPositions || len(c.Silences) > maxParties || len(c.KeyHeads) > maxParties || len(c.KeyLogs) > maxParties:
		return nil, refuse(CodeSize, "a certificate has at most %d parties", maxParties)
	}
	if string(c.Bytes()) != string(b) {
		return nil, refuse(CodeForm, "the certificate is not in its one form: other spaces, escapes or order")
	}
	return &c, nil
}

// Bytes is the certificate in its one form.
func (c *Certificate) Bytes() []byte {
	b, err := json.Marshal(c, json.Deterministic(true))
	if err != nil {
		return nil // only for what is no JSON or no UTF-8, which nothing reads
	}
	return b
}

func (c *Certificate) verify(o *Opener, knows func(peer.Digest) bool) (*Result, error) {
	k, err := o.Case(&c.Accord, []byte(c.Weights), c.Proposal)
	if err != nil {
		return nil, err
	}
	signed, err := o.bound(&c.Accord)
	if err != nil {
		return nil, err
	}
	if !signed && (knows == nil || !knows(k.Proposal.Accord)) {
		return nil, refuse(CodeAccord, "the certificate does not hold the signatures of every party of accord %s %s, and that is not one that is known here", k.Accord.Name, c.Accord.Digest())
	}
	if err := c.keyHeads(o); err != nil {
		return nil, err
	}
	positions := make([]*Position, len(c.Positions))
	for i, raw := range c.Positions {
		if positions[i], err = k.Position(raw); err != nil {
			return nil, err
		}
		if i > 0 && compare(positions[i-1], c.Positions[i-1], positions[i], raw) >= 0 {
			return nil, refuse(CodeForm, "positions are sorted by nation and then by their SHA-256, each once")
		}
	}
	proofs := make([]*shown, len(c.Silences))
	for i := range c.Silences {
		if i > 0 && c.Silences[i-1].Nation >= c.Silences[i].Nation {
			return nil, refuse(CodeForm, "proofs of silence are sorted by nation, one of each")
		}
		if proofs[i], err = k.silence(&c.Silences[i]); err != nil {
			return nil, err
		}
	}
	r := k.result(positions, proofs)
	r.Signed = signed
	if r.Outcome != c.Outcome {
		why := make([]string, 0, len(r.Missing)+len(r.Reasons))
		why = append(why, r.Reasons...)
		for _, m := range r.Missing {
			why = append(why, m.Text)
		}
		return nil, refuse(CodeOutcome, "what the certificate holds does not add up to %s: %s", c.Outcome, strings.Join(why, " "))
	}
	return r, nil
}

func (c *Case) result(positions []*Position, proofs []*shown) *Result {
	return &Result{Tally: c.count(positions, proofs), Proposal: c.Digest, What: c.Proposal, Rule: c.Rule.Name, Accord: c.Proposal.Accord, Name: c.Accord.Name}
}

func compare(p *Position, rawP []byte, q *Position, rawQ []byte) int {
	x, y := sha256.Sum256(rawP), sha256.Sum256(rawQ)
	return cmp.Or(cmp.Compare(p.Nation, q.Nation), slices.Compare(x[:], y[:]))
}

// bound tells whether the bundle holds the signatures that bind every party. A signature tells nothing of when it was made, so keys that were replaced since count,
// and those that were in other hands do not.
func (o *Opener) bound(b *accord.Bundle) (bool, error) {
	if len(b.Signatures) == 0 {
		return false, nil
	}
	standing, err := b.Signed(func(nation, org string) (out []*dsse.Key) {
		s := o.state(nation)
		if s == nil {
			return nil
		}
		for _, k := range s.All() {
			if (org == "" || k.Org == org) && slices.Contains(k.Roles, keylog.RoleAccord) && k.Compromised.IsZero() {
				out = append(out, k.Key)
			}
		}
		return out
	})
	if err != nil {
		return false, refuse(CodeAccord, "%v", err)
	}
	return accord.Complete(standing), nil
}

// keyHeads refuses to judge by a key log that is older than the one that the certificate was made with, or another one.
func (c *Certificate) keyHeads(o *Opener) error {
	for i, h := range c.KeyHeads {
		if i > 0 && c.KeyHeads[i-1].Nation >= h.Nation {
			return refuse(CodeForm, "the heads of key logs are sorted by nation, each once")
		}
		s := o.state(h.Nation)
		switch {
		case s == nil:
			return refuse(CodeKeys, "the key log of %s is not known in this realm", h.Nation)
		case s.Head.Size < h.Size:
			return refuse(CodeKeys, "the key log of %s that is known has %d statements, and the certificate was made with %d: fetch the rest", h.Nation, s.Head.Size, h.Size)
		case s.Head.Size == h.Size && s.Head.Hash != tlog.Hash(h.Hash):
			return refuse(CodeKeys, "the certificate was made with another key log of %s than the one that is known: one of the two is false", h.Nation)
		}
	}
	return nil
}
