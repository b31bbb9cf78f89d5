package cli

import (
	"bytes"
	"context"
	"os"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"entente/decision"
	"entente/dsse"
	"entente/internal/decisions"
	"entente/internal/fault"
	"entente/internal/surface/api"
	"entente/keylog"
)

// ballot is a position on its way to the persons who sign it where no node is: what is proposed, what is said of it, and the signatures so far.
type ballot struct {
	V         int              `json:"v"` // 1
	Proposal  jsontext.Value   `json:"proposal"`
	Type      string           `json:"type"`    // of the payload
	Payload   []byte           `json:"payload"` // of the position
	Signature []dsse.Signature `json:"signatures,omitempty"`
}

// maxBallot is more than a proposal and a position have together.
const maxBallot = 2 << 20

// read gives what a ballot says, when the two belong together.
func (b *ballot) read() (*decision.Proposal, *decision.Position, error) {
	e, err := dsse.Parse(b.Proposal)
	if err != nil {
		return nil, nil, err
	}
	what, err := decision.ReadProposal(e.Payload)
	if err != nil {
		return nil, nil, err
	}
	said, err := decision.ReadPosition(b.Payload)
	if err != nil {
		return nil, nil, err
	}
	if said.Proposal != what.Digest() || said.Round != what.Round || said.Accord != what.Accord {
		return nil, nil, fault.New(fault.Invalid, "decision.ballot", "the position is not about the proposal that stands with it")
	}
	return what, said, nil
}

func (b *ballot) envelope() []byte {
	e := dsse.Envelope{PayloadType: b.Type, Payload: b.Payload, Signatures: b.Signature}
	return e.Bytes()
}

// readBallot reads the file of a ballot.
func (a *app) readBallot(path string) (*ballot, *decision.Proposal, *decision.Position, error) {
	src, err := a.small(path, maxBallot)
	if err != nil {
		return nil, nil, nil, err
	}
	var b ballot
	if err := json.Unmarshal(src, &b, json.RejectUnknownMembers(true)); err != nil || b.V != 1 {
		return nil, nil, nil, unfit(fault.New(fault.Invalid, "decision.ballot", "%s is no ballot: entente decision ballot prints one", path))
	}
	what, said, err := b.read()
	return &b, what, said, err
}

// asPosition reads the name of a position.
func asPosition(name string) (decision.Choice, error) {
	c := decision.Choice(name)
	if !slices.Contains([]decision.Choice{decision.Consent, decision.Veto, decision.Abstain, decision.Reservation}, c) {
		return "", usage("a position is consent, veto, abstain or reservation, not %q", name)
	}
	return c, nil
}

// personKey is the flags that name a person's own key.
type personKey struct{ file, phrase string }

func (k *personKey) flags(c *cobra.Command) {
	c.Flags().StringVar(&k.file, "signing-key", "", "`FILE` with the private key of a person who votes: what entente key person new made")
	c.Flags().StringVar(&k.phrase, "passphrase-file", "", "`FILE` with the key's passphrase; - is the standard input")
}

// vote signs a payload with a person's own key, as a voter of the organisation that it speaks for.
func (a *app) vote(k personKey, payloadType, kind string, payload []byte, nation, org string) ([]byte, error) {
	p, err := a.private(k.file, k.phrase)
	switch {
	case err != nil:
		return nil, err
	case payloadType != dsse.InRealm(kind, p.Realm):
		return nil, fault.New(fault.Conflict, "key.realm", "the key is of the realm %s, and this is of another: %s", p.Realm, payloadType)
	case p.Nation != nation || p.Org != org:
		return nil, fault.New(fault.Conflict, "key.party", "the key is of %s of %s, and this is for %s of %s", p.Org, p.Nation, org, nation)
	}
	return p.SignPerson(keylog.RoleVote, kind, payload)
}

// proposeSigned proposes with a person's own key what the node drafts.
func (a *app) proposeSigned(ctx context.Context, n *api.Client, w decisions.Wish, key personKey) error {
	if w.Weights != "" {
		if _, err := n.AddWeights(ctx, []byte(w.Weights)); err != nil {
			return err
		}
	}
	m, err := n.ReviewDecision(ctx, w)
	if err != nil {
		return err
	}
	p, err := decision.ReadProposal(m.Payload)
	if err != nil {
		return err
	}
	if p.Title != w.Title || p.Rule != w.Rule {
		return fault.New(fault.Invalid, "decision.proposal", "the node drafts another proposal than was asked for")
	}
	e, err := a.vote(key, m.Type, decision.ProposalType, m.Payload, p.Nation, p.Org)
	if err != nil {
		return err
	}
	v, err := n.SubmitDecision(ctx, e)
	return a.decisionView(v, err)
}

// secondSigned proposes, too, what another proposed, with a person's own key.
func (a *app) secondSigned(ctx context.Context, n *api.Client, id string, key personKey) error {
	var have bytes.Buffer
	if err := n.DecisionProposal(ctx, id, &have); err != nil {
		return err
	}
	e, err := dsse.Parse(have.Bytes())
	if err != nil {
		return err
	}
	us, err := n.Me(ctx)
	if err != nil {
		return err
	}
	signed, err := a.vote(key, e.PayloadType, decision.ProposalType, e.Payload, us.Nation, us.Org)
	if err != nil {
		return err
	}
	if signed, err = decision.JoinSignatures(have.Bytes(), signed); err != nil {
		return err
	}
	v, err := n.SubmitDecision(ctx, signed)
	return a.decisionView(v, err)
}

func (a *app) ballotCmd() *cobra.Command {
	var reason string
	c := &cobra.Command{Use: "ballot ID consent|veto|abstain|reservation", Short: "Print a position, to be signed by persons where no node is", Args: cobra.ExactArgs(2),
		Long: `Print a position with what it is about, to be signed by persons where no node is. Nothing is said by it. Where a rule asks for several persons, each signs the file that the one before signed,
or a ballot of its own: as long as a position waits for signatures, the same is printed again.`,
		Example: "  entente decision ballot --data DIR 0b44a036ac5cc0a6 consent > ballot.json\n  entente decision sign ballot.json --signing-key voter.key --passphrase-file phrase > signed.json\n  entente decision submit --data DIR signed.json"}
	c.Flags().StringVar(&reason, "reason", "", "why; every party reads it")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		choice, err := asPosition(args[1])
		if err != nil {
			return err
		}
		b, err := a.ballotOf(ctx, n, args[0], choice, reason)
		if err != nil {
			return err
		}
		return a.line(b)
	})
}

// ballotOf asks a node for a ballot.
func (a *app) ballotOf(ctx context.Context, n *api.Client, id string, choice decision.Choice, reason string) (*ballot, error) {
	got, err := n.Ballot(ctx, id, choice, reason)
	if err != nil {
		return nil, err
	}
	b := &ballot{V: 1, Type: got.Type, Payload: got.Payload}
	var proposal bytes.Buffer
	if err := n.DecisionProposal(ctx, id, &proposal); err != nil {
		return nil, err
	}
	b.Proposal = proposal.Bytes()
	_, said, err := b.read()
	if err == nil && said.Choice != choice {
		err = fault.New(fault.Invalid, "decision.ballot", "the node gives another position than was asked for")
	}
	return b, err
}

func (a *app) signBallotCmd() *cobra.Command {
	var key personKey
	var sure bool
	c := &cobra.Command{Use: "sign FILE --signing-key PRIVATE", Short: "Sign a ballot with a person's own key, without a node", Args: cobra.ExactArgs(1),
		Long: `Show what a ballot is about and what it says, and sign it with a person's own key. The ballot with the signature is printed. Compare the digest with the one that the others have:
what is signed is about exactly that text. Consent and veto are final. No node and no network is needed.`,
		Example: "  entente decision sign ballot.json --signing-key voter.key --passphrase-file phrase > signed.json"}
	key.flags(c)
	c.Flags().BoolVar(&sure, "yes", false, "what is proposed has been read")
	c.MarkFlagRequired("signing-key")
	c.RunE = func(_ *cobra.Command, args []string) error {
		b, what, said, err := a.readBallot(args[0])
		if err != nil {
			return err
		}
		if err := a.tellBallot(what, said); err != nil {
			return err
		}
		if !sure && (args[0] == "-" || !a.agreed("Do you sign this? [yes/no] ")) {
			return usage("nothing was signed")
		}
		e, err := a.vote(key, b.Type, decision.PositionType, b.Payload, said.Nation, said.Org)
		if err != nil {
			return err
		}
		if len(b.Signature) > 0 {
			if e, err = decision.JoinSignatures(b.envelope(), e); err != nil {
				return err
			}
		}
		signed, err := dsse.Parse(e)
		if err != nil {
			return err
		}
		b.Signature = signed.Signatures
		return a.line(b)
	}
	return c
}

// tellBallot shows on the standard error what is signed: the standard output is for the file.
func (a *app) tellBallot(what *decision.Proposal, said *decision.Position) error {
	shown := *a
	shown.out = a.err
	if err := shown.proposal(what, "", 0, nil, nil); err != nil {
		return err
	}
	digest, err := said.Proposal.MarshalText()
	if err != nil {
		return err
	}
	final := ""
	if said.Choice.Final() {
		final = ", which is final"
	}
	return shown.fields("digest", string(digest), "says", string(said.Choice)+final, "reason", said.Reason, "for", said.Org+" of "+said.Nation, "at", when(said.Time))
}

func (a *app) submitCmd() *cobra.Command {
	c := &cobra.Command{Use: "submit FILE", Short: "Say what persons signed elsewhere", Args: cobra.ExactArgs(1),
		Long: "Say what persons signed elsewhere: a ballot, or the bare envelope of a proposal or a position. Every party is told. A position with fewer signatures than the rule asks for waits for more of them."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		path := args[0]
		if path == "-" {
			return usage("name the file: it is read twice")
		}
		e, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if _, notBare := dsse.Parse(e); notBare != nil {
			b, _, _, err := a.readBallot(path)
			if err != nil {
				return err
			}
			if len(b.Signature) == 0 {
				return usage("nobody has signed %s: entente decision sign does", path)
			}
			e = b.envelope()
		}
		v, err := n.SubmitDecision(ctx, e)
		return a.decisionView(v, err)
	})
}
