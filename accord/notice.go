package accord

import (
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"entente/dsse"
)

// Verb is what a party says about an accord: Decline of one that it is asked to sign, the others of one in force.
type Verb string

const (
	Suspend   Verb = "suspend"   // nothing flows until the party resumes
	Resume    Verb = "resume"    // takes back the party's own suspension
	Terminate Verb = "terminate" // the accord ends for all, after its notice
	Withdraw  Verb = "withdraw"  // the party leaves, after its notice
	Decline   Verb = "decline"   // the party does not sign this text; its signatures outweigh it
)

// Narrows tells whether the verb only takes away: such a notice holds by the signature of any one organisation that may sign for the party.
// Resume widens, and needs as many as the accord itself.
func (v Verb) Narrows() bool { return v != Resume }

// Notice is a party's statement about one version of an accord.
type Notice struct {
	Accord string    `json:"accord"` // Digest of the canonical form
	Verb   Verb      `json:"verb"`
	Party  string    `json:"party"` // its nation
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// Fits tells whether the accord, of that digest, lets the party say this.
func (n *Notice) Fits(a *Accord, digest string) error {
	i := slices.IndexFunc(a.Parties, func(p Party) bool { return p.Nation == n.Party })
	switch {
	case n.Accord != digest:
		return misfit("notice.right", "the notice is about another text than "+digest)
	case i < 0:
		return misfit("notice.right", cited(n.Party)+" is no party of accord "+a.Name)
	case n.At.IsZero() || n.Reason != "" && !isText(n.Reason):
		return misfit("notice.form", "a notice has a time, and its reason is one line of at most "+strconv.Itoa(maxText)+" bytes")
	}
	switch n.Verb {
	case Decline:
	case Suspend, Resume:
		if a.SuspendBy == "" {
			return misfit("notice.right", "accord "+a.Name+" lets nobody suspend it")
		}
	case Terminate:
		if a.Terminate == nil {
			return misfit("notice.right", "accord "+a.Name+" does not say how it is terminated")
		}
	case Withdraw:
		if a.Withdraw == nil {
			return misfit("notice.right", "accord "+a.Name+" does not say how a party withdraws")
		}
	default:
		return misfit("notice.form", cited(string(n.Verb))+" is no verb: it is suspend, resume, terminate, withdraw or decline")
	}
	return nil
}

// Sign gives the notice in an envelope.
func (n Notice) Sign(realm string, signers ...dsse.Signer) (dsse.Envelope, error) {
	n.At = n.At.UTC().Truncate(time.Microsecond)
	payload, err := json.Marshal(n)
	if err != nil {
		return dsse.Envelope{}, misfit("notice.form", "the notice is not UTF-8")
	}
	return dsse.Sign(dsse.InRealm(noticeType, realm), payload, signers...)
}

// maxNotice is how many bytes the payload of a notice has at most.
const maxNotice = 4096

// ReadNotice gives the notice in an envelope about the accord of that digest, when its party may say it and enough of the party's organisations signed.
func ReadNotice(e *dsse.Envelope, realm string, a *Accord, digest string, keys Keys) (Notice, error) {
	payloadType := dsse.InRealm(noticeType, realm)
	if e.PayloadType != payloadType || len(e.Payload) > maxNotice {
		return Notice{}, misfit("notice.form", "the envelope holds no notice about an accord of this realm")
	}
	// Whoever signed is found before the payload is read: only then it is known to be of a party.
	var signed []Standing
	for i := range a.Parties {
		if s := a.Parties[i].standing(payloadType, e.Payload, e.Signatures, keys); s.Have > 0 {
			signed = append(signed, s)
		}
	}
	if len(signed) == 0 {
		return Notice{}, misfit("notice.signature", "no party of accord "+a.Name+" signed the notice")
	}
	var n Notice
	if err := json.Unmarshal(e.Payload, &n, json.RejectUnknownMembers(true)); err != nil {
		return Notice{}, misfit("notice.form", "the notice cannot be read")
	}
	if err := n.Fits(a, digest); err != nil {
		return Notice{}, err
	}
	i := slices.IndexFunc(signed, func(s Standing) bool { return s.Nation == n.Party })
	if i < 0 || !n.Verb.Narrows() && !signed[i].Bound() {
		return Notice{}, misfit("notice.signature", "the notice has not the signatures of "+n.Party+" that "+string(n.Verb)+" needs")
	}
	return n, nil
}
