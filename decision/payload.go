package decision

import (
	"crypto/sha256"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"entente/dsse"
	"entente/label"
	"entente/peer"
)

// Types of payloads. Sign and Opener add the realm, so that nothing said in an exercise ever counts in the real thing.
const (
	ProposalType = "application/vnd.entente.proposal+json;v=1"
	PositionType = "application/vnd.entente.position+json;v=1"
	AckType      = "application/vnd.entente.ack+json;v=1"
	ReportType   = "application/vnd.entente.report+json;v=1"
)

// Proposal is what is to be decided. Its payload's digest names it: another text, round, rule or deadline is another proposal, for which no position on
// this one counts.
type Proposal struct {
	V        int           `json:"v"`     // 1
	ID       string        `json:"id"`    // the same in all rounds
	Round    int           `json:"round"` // from 1; a changed text is a new round
	Accord   peer.Digest   `json:"accord"`
	Rule     string        `json:"rule"`   // name of a decide block of the accord
	Nation   string        `json:"nation"` // of the proposer
	Org      string        `json:"org"`
	Title    string        `json:"title"`
	Action   *Action       `json:"action,omitempty"`   // nil: the title is all that is decided
	Subject  []string      `json:"subject,omitempty"`  // nations that it is about, sorted
	Affected []string      `json:"affected,omitempty"` // nations that it affects, sorted
	Evidence []peer.Digest `json:"evidence,omitempty"` // of what it rests on, sorted
	Opens    time.Time     `json:"opens"`
	Deadline time.Time     `json:"deadline,omitzero"` // positions are taken before then; every signed proposal has it
	NotAfter time.Time     `json:"notAfter,omitzero"` // the action is not begun then or later; zero: no end
	Weights  peer.Digest   `json:"weights,omitzero"`  // of the table that the rule names
}

// Action is what is done once it is decided, word for word.
type Action struct {
	Type   string      `json:"type"`            // who carries it out: "accord", "statement"
	Do     string      `json:"do"`              // what: "suspend"
	Media  string      `json:"media,omitempty"` // media type of the body
	Digest peer.Digest `json:"digest,omitzero"` // SHA-256 of the body, or of a text that is elsewhere
	Body   []byte      `json:"body,omitempty"`  // at most MaxBody bytes
}

// Choice is what a party says about a proposal.
type Choice string

// Choices. Consent and veto are final: who has said one of them cannot say anything else about the same proposal. That is why a decision can stand before
// its deadline.
const (
	Consent     Choice = "consent"
	Veto        Choice = "veto"
	Abstain     Choice = "abstain"     // neither; can be replaced until the deadline
	Reservation Choice = "reservation" // breaks the silence without deciding; can be replaced until the deadline
)

// Final tells whether the choice can never be replaced.
func (c Choice) Final() bool { return c == Consent || c == Veto }

// Position is a party's word on a proposal, signed by voters of its organisation.
type Position struct {
	V        int         `json:"v"`        // 1
	Proposal peer.Digest `json:"proposal"` // Proposal.Digest
	Round    int         `json:"round"`
	Accord   peer.Digest `json:"accord"`
	Choice   Choice      `json:"choice"`
	Reason   string      `json:"reason,omitempty"`
	Nation   string      `json:"nation"`
	Org      string      `json:"org"`
	Time     time.Time   `json:"time"`
}

// Ack is a node's word that it has the proposal. It stands in the party's log once for a proposal and before every position on it: the proof of silence
// begins at it.
type Ack struct {
	V        int         `json:"v"` // 1
	Proposal peer.Digest `json:"proposal"`
	Round    int         `json:"round"`
	Nation   string      `json:"nation"`
	Org      string      `json:"org"`
	Time     time.Time   `json:"time"`
}

// Did is what became of a decision at one party.
type Did string

// What a party did.
const (
	Executed Did = "executed"
	Refused  Did = "refused"
	Aborted  Did = "aborted"
)

// Report is a node's word of what it did on a decision.
type Report struct {
	V        int         `json:"v"` // 1
	Proposal peer.Digest `json:"proposal"`
	Nation   string      `json:"nation"`
	Org      string      `json:"org"`
	Did      Did         `json:"did"`
	Text     string      `json:"text,omitempty"`
	Time     time.Time   `json:"time"`
}

// Digest names the proposal: SHA-256 of its payload.
func (p *Proposal) Digest() peer.Digest {
	b, err := encode(p)
	if err != nil {
		return peer.Digest{}
	}
	return sha256.Sum256(b)
}

// Topic is Topic of its digest.
func (p *Proposal) Topic() [16]byte { return Topic(p.Digest()) }

// SignProposal gives the envelope of a proposal, signed by voters. What it says must be in its one form: sorted, in UTC, to the microsecond.
func SignProposal(realm string, p Proposal, voters ...dsse.Signer) ([]byte, error) {
	p.V = 1
	return sign(realm, ProposalType, &p, voters)
}

// SignPosition gives the envelope of a position, signed by voters.
func SignPosition(realm string, p Position, voters ...dsse.Signer) ([]byte, error) {
	p.V = 1
	return sign(realm, PositionType, &p, voters)
}

// SignAck gives the envelope of an ack, signed by the node.
func SignAck(realm string, a Ack, node dsse.Signer) ([]byte, error) {
	a.V = 1
	return sign(realm, AckType, &a, []dsse.Signer{node})
}

// SignReport gives the envelope of a report, signed by the node.
func SignReport(realm string, r Report, node dsse.Signer) ([]byte, error) {
	r.V = 1
	return sign(realm, ReportType, &r, []dsse.Signer{node})
}

// AddSignatures gives the envelope with the signatures of more voters: the second person, or another party that proposes the same.
func AddSignatures(envelope []byte, voters ...dsse.Signer) ([]byte, error) {
	e, err := parseEnvelope(envelope)
	if err != nil {
		return nil, err
	}
	for _, v := range voters {
		if err := e.Add(v); err != nil {
			return nil, refuse(CodeSignature, "%v", err)
		}
	}
	return seal(&e), nil
}

// JoinSignatures gives one envelope with the signatures of two over the same payload.
func JoinSignatures(a, b []byte) ([]byte, error) {
	e, err := parseEnvelope(a)
	if err != nil {
		return nil, err
	}
	other, err := parseEnvelope(b)
	if err != nil {
		return nil, err
	}
	if e.PayloadType != other.PayloadType || string(e.Payload) != string(other.Payload) {
		return nil, refuse(CodeBinding, "the envelopes hold different payloads")
	}
	for _, s := range other.Signatures {
		if !slices.ContainsFunc(e.Signatures, func(t dsse.Signature) bool { return t.KeyID == s.KeyID }) {
			e.Signatures = append(e.Signatures, s)
		}
	}
	if len(e.Signatures) > dsse.MaxSignatures {
		return nil, refuse(CodeSize, "an envelope has at most %d signatures", dsse.MaxSignatures)
	}
	return seal(&e), nil
}

// seal writes an envelope in its one form: signatures by the ids of their keys.
func seal(e *dsse.Envelope) []byte {
	slices.SortFunc(e.Signatures, func(x, y dsse.Signature) int { return strings.Compare(x.KeyID, y.KeyID) })
	return e.Bytes()
}

// parseEnvelope reads an envelope in its one form. Its payload is not to be used before its signatures are verified.
func parseEnvelope(b []byte) (dsse.Envelope, error) {
	if len(b) > maxStatement {
		return dsse.Envelope{}, refuse(CodeSize, "a statement has at most %d bytes", maxStatement)
	}
	e, err := dsse.Parse(b)
	if err != nil {
		return e, refuse(CodeForm, "%v", err)
	}
	for i := range e.Signatures[1:] {
		if e.Signatures[i].KeyID >= e.Signatures[i+1].KeyID {
			return e, refuse(CodeForm, "the signatures of a statement are sorted by their keys, each once")
		}
	}
	if string(e.Bytes()) != string(b) {
		return e, refuse(CodeForm, "the envelope is not in its one form: other spaces, escapes or order")
	}
	return e, nil
}

// Payload is the bytes that are signed, for who signs elsewhere.
func (p *Proposal) Payload() ([]byte, error) { return payload(p) }

// Payload is the bytes that are signed, for who signs elsewhere.
func (p *Position) Payload() ([]byte, error) { return payload(p) }

func payload(s statement) ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	return encode(s)
}

// statement is one of the payloads.
type statement interface{ check() error }

func encode(s statement) ([]byte, error) {
	b, err := json.Marshal(s, json.Deterministic(true))
	if err != nil {
		return nil, refuse(CodeForm, "the statement cannot be written: %v", err)
	}
	return b, nil
}

func sign(realm, payloadType string, s statement, signers []dsse.Signer) ([]byte, error) {
	b, err := payload(s)
	if err != nil {
		return nil, err
	}
	e, err := dsse.Sign(dsse.InRealm(payloadType, realm), b, signers...)
	if err != nil {
		return nil, refuse(CodeSignature, "%v", err)
	}
	return seal(&e), nil
}

// read reads a payload in its one form.
func read(payload []byte, s statement) error {
	if err := json.Unmarshal(payload, s, json.RejectUnknownMembers(true)); err != nil {
		return refuse(CodeForm, "the statement breaks its form: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if err := s.check(); err != nil {
		return err
	}
	if again, err := encode(s); err != nil || string(again) != string(payload) {
		return refuse(CodeForm, "the statement is not in its one form: other spaces, escapes or order")
	}
	return nil
}

func (p *Proposal) check() error {
	if err := checkHead(p.V, p.Round, p.Nation, p.Org); err != nil {
		return err
	}
	switch {
	case !isName(p.ID) || !isName(p.Rule) || p.Accord == (peer.Digest{}):
		return refuse(CodeForm, "a proposal has an id, an accord and the name of its rule")
	case p.Title == "" || !isText(p.Title) || strings.Contains(p.Title, "\n"):
		return refuse(CodeForm, "the title of a proposal is one line of 1 to %d bytes", maxText)
	case !isTime(p.Opens) || !isTime(p.Deadline) || !p.Opens.Before(p.Deadline):
		return refuse(CodeForm, "a proposal opens at a time in UTC, to the microsecond, and its deadline is later")
	case !p.NotAfter.IsZero() && (!isTime(p.NotAfter) || !p.NotAfter.After(p.Opens)):
		return refuse(CodeForm, "notAfter is a time in UTC, to the microsecond, after the proposal opens")
	case len(p.Evidence) > maxName:
		return refuse(CodeSize, "a proposal has at most %d pieces of evidence", maxName)
	}
	for i := range p.Evidence {
		if i > 0 && string(p.Evidence[i-1][:]) >= string(p.Evidence[i][:]) {
			return refuse(CodeForm, "evidence is sorted, and each is there once")
		}
	}
	for _, nations := range [][]string{p.Subject, p.Affected} {
		if len(nations) > maxParties {
			return refuse(CodeSize, "a proposal names at most %d nations", maxParties)
		}
		for i, n := range nations {
			if !label.IsNation(n) || i > 0 && nations[i-1] >= n {
				return refuse(CodeForm, "nations of a proposal are codes, sorted, and each is there once")
			}
		}
	}
	if p.Action != nil {
		return p.Action.check()
	}
	return nil
}

func (a *Action) check() error {
	switch {
	case !isWord(a.Type) || !isWord(a.Do):
		return refuse(CodeForm, "an action has a type and what to do, in small letters, digits and -")
	case len(a.Body) > MaxBody:
		return refuse(CodeSize, "an action has at most %d bytes", MaxBody)
	case len(a.Media) > maxName || strings.ContainsFunc(a.Media, func(c rune) bool { return c <= ' ' || c > '~' }):
		return refuse(CodeForm, "the media type of an action is written in printable ASCII without spaces")
	case len(a.Body) > 0 && (a.Digest != sha256.Sum256(a.Body) || a.Media == ""):
		return refuse(CodeForm, "the body of an action has its media type, and its digest is that of the action")
	}
	return nil
}

func (p *Position) check() error {
	if err := checkHead(p.V, p.Round, p.Nation, p.Org); err != nil {
		return err
	}
	switch p.Choice {
	case Consent, Veto, Abstain, Reservation:
	default:
		return refuse(CodeForm, "a position is consent, veto, abstain or reservation")
	}
	if p.Proposal == (peer.Digest{}) || p.Accord == (peer.Digest{}) || !isTime(p.Time) || !isText(p.Reason) {
		return refuse(CodeForm, "a position names its proposal and accord, has a time in UTC, to the microsecond, and a reason of at most %d bytes", maxText)
	}
	return nil
}

func (a *Ack) check() error {
	if err := checkHead(a.V, a.Round, a.Nation, a.Org); err != nil {
		return err
	}
	if a.Proposal == (peer.Digest{}) || !isTime(a.Time) {
		return refuse(CodeForm, "an ack names its proposal and has a time in UTC, to the microsecond")
	}
	return nil
}

func (r *Report) check() error {
	if err := checkHead(r.V, 1, r.Nation, r.Org); err != nil {
		return err
	}
	switch {
	case r.Did != Executed && r.Did != Refused && r.Did != Aborted:
		return refuse(CodeForm, "a report says executed, refused or aborted")
	case r.Proposal == (peer.Digest{}) || !isTime(r.Time) || !isText(r.Text):
		return refuse(CodeForm, "a report names its proposal, has a time in UTC, to the microsecond, and a text of at most %d bytes", maxText)
	}
	return nil
}

func checkHead(v, round int, nation, org string) error {
	switch {
	case v != 1:
		return refuse(CodeForm, "another version than 1")
	case round < 1 || round > maxRound:
		return refuse(CodeForm, "a round is from 1 to %d", maxRound)
	case !label.IsNation(nation) || !isOrg(org):
		return refuse(CodeForm, "a statement names a nation and an organisation of it")
	}
	return nil
}

func isTime(t time.Time) bool {
	_, offset := t.Zone()
	return offset == 0 && t.Year() >= 1970 && t.Year() <= 9999 && t.Truncate(time.Microsecond).Equal(t)
}

func isName(s string) bool {
	return s != "" && len(s) <= maxName && isText(s) && !strings.ContainsAny(s, "\n ")
}

// isOrg tells whether s is a name of an organisation, as key logs have them.
func isOrg(s string) bool {
	return s != "" && len(s) <= maxName && isText(s) && !strings.Contains(s, "\n") && strings.TrimSpace(s) == s
}

func isWord(s string) bool {
	return s != "" && len(s) <= maxName && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// isText tells whether s reads as it is stored: characters that nobody sees, or that turn the direction of reading, would let a text say what it does not.
func isText(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool {
		return c != '\n' && unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == '\u200b' || c == '\u2060' || c == '\ufeff' || c == '\u2028' || c == '\u2029' || c == utf8.RuneError
	})
}
