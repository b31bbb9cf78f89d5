package decisions

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"entente/accord"
	"entente/decision"
	"entente/internal/fault"
	"entente/peer"
)

// AboutAccord is the type of actions that suspend, resume or terminate the accord by whose rule they are decided.
const AboutAccord = "accord"

// accordBody names the accord that an action is about.
func accordBody(d peer.Digest) []byte {
	text, _ := d.MarshalText()
	return fmt.Appendf(nil, `{"accord":%q}`, text)
}

// ownAccord tells whether a decision about an accord is about the one by whose rule it was taken: about no other one can be decided.
func ownAccord(r *decision.Result) bool {
	return r.What.Action != nil && r.What.Action.Type == AboutAccord && bytes.Equal(r.What.Action.Body, accordBody(r.Accord))
}

// Life is what was decided about an accord.
type Life struct {
	Proposal string // digest, in hex
	Accord   string // digest
	Verb     accord.Verb
	Nation   string // that proposed it
	At       time.Time
}

// LifeOfAccords carries out what is decided about accords. The end of one is counted from the deadline, which is the same for all; a suspension begins at once.
func LifeOfAccords(now func() time.Time, decided func(ctx context.Context, l Life) error) Executor {
	return func(ctx context.Context, r *decision.Result, _ []byte) (string, error) {
		if !ownAccord(r) {
			return "", fault.New(fault.Unprocessable, "decision.accord", "by a rule of an accord is decided about that accord alone")
		}
		verb, at := accord.Verb(r.What.Action.Do), now()
		if verb == accord.Terminate {
			at = r.What.Deadline
		}
		return r.Name + ": " + r.What.Action.Do, decided(ctx, Life{hex.EncodeToString(r.Proposal[:]), "sha256:" + hex.EncodeToString(r.Accord[:]), verb, r.What.Nation, at})
	}
}
