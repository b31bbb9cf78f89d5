package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/federation"
	"entente/internal/surface/api"
	"entente/keylog"
	"entente/proof"
)

func (a *app) proofCmd() *cobra.Command {
	c := &cobra.Command{Use: "proof", Short: "See, verify and settle what was proved against partners"}
	c.AddCommand(a.listProofsCmd(), a.showProofCmd(), a.exportProofCmd(), a.verifyProofCmd(), a.settleProofCmd())
	return c
}

func (a *app) listProofsCmd() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List what was proved against partners, the latest first", Args: cobra.NoArgs}
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		return listing(a, []string{"ID", "NATION", "KIND", "AT", "FROM", "STATE"}, over(n.Proofs(ctx)), func(p federation.Accusation) []string {
			return []string{p.ID, p.Found.Nation, string(p.Found.Kind), when(p.At), p.From, proofState(&p)}
		})
	})
}

func proofState(p *federation.Accusation) string {
	if p.Settled == "" {
		return "open"
	}
	return "settled"
}

func (a *app) showProofCmd() *cobra.Command {
	c := &cobra.Command{Use: "show ID", Short: "Show what was proved, and whether it weighs still", Args: cobra.ExactArgs(1)}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		p, err := n.Proof(ctx, args[0])
		if err != nil {
			return err
		}
		return a.proof(&p)
	})
}

func (a *app) proof(p *federation.Accusation) error {
	if a.asJSON {
		return a.line(p)
	}
	return a.fields("id", p.ID, "proved", p.Found.Text, "nation", p.Found.Nation, "organisation", p.Found.Org, "kind", string(p.Found.Kind), "realm", p.Found.Realm, "keys", strings.Join(p.Found.Keys, " "),
		"signed", times(p.Found.Times), "at", when(p.At), "shown by", p.From, "state", proofState(p), "settled by", p.Settled, "reason", p.Reason)
}

func times(all []time.Time) string {
	out := make([]string, len(all))
	for i, t := range all {
		out[i] = when(t)
	}
	return strings.Join(out, ", ")
}

func (a *app) exportProofCmd() *cobra.Command {
	var to string
	c := &cobra.Command{Use: "export ID", Short: "Write the file of a proof, which anyone verifies without a node", Args: cobra.ExactArgs(1),
		Example: "  entente proof export --data DIR ID -o fork.proof\n  entente proof verify fork.proof"}
	c.Flags().StringVarP(&to, "out", "o", "", "the `FILE` to write; without it the standard output")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		if to == "" {
			return n.ProofFile(ctx, args[0], a.out)
		}
		var b bytes.Buffer
		if err := n.ProofFile(ctx, args[0], &b); err != nil {
			return err
		}
		return os.WriteFile(filepath.Clean(to), b.Bytes(), 0o600)
	})
}

func (a *app) verifyProofCmd() *cobra.Command {
	var card string
	c := &cobra.Command{Use: "verify FILE", Short: "Say what a file proves, and against whom", Args: cobra.ExactArgs(1),
		Long: `Say what a file proves, and against whom. No node is needed and nothing but the file: the accused nation's own signatures prove it. - is the
standard input.

That the nation in the file is the one that you know is shown by its fingerprint: compare the words with those that it read out at the first
contact, or give its card. With --json the answer is one line:

  {"kind":"…","realm":"…","nation":"…","text":"…","fingerprint":"…","words":"…","pinned":false}

The exit code is 1 when the file proves nothing, or is about another nation than the card.`,
		Example: "  entente proof verify fork.proof --card ruritania.card"}
	c.Flags().StringVar(&card, "card", "", "the card of the nation that you know: the proof must be about it")
	c.RunE = func(_ *cobra.Command, args []string) error {
		b, err := a.readCard(args[0])
		if err != nil {
			return err
		}
		f, err := proof.Verify(b)
		if err != nil {
			return &exit{exitNo, err}
		}
		if card != "" {
			if err := a.pin(card, &f); err != nil {
				return err
			}
		}
		if a.asJSON {
			return a.line(struct {
				proof.Finding
				Fingerprint string `json:"fingerprint"`
				Words       string `json:"words"`
				Pinned      bool   `json:"pinned"`
			}{f, f.Fingerprint.String(), f.Fingerprint.Words(), card != ""})
		}
		if err := a.fields("proved", f.Text, "nation", f.Nation, "organisation", f.Org, "kind", string(f.Kind), "realm", f.Realm, "keys", strings.Join(f.Keys, " "), "signed", times(f.Times),
			"pinned", yes(card != "", "it is the nation of the card")); err != nil {
			return err
		}
		return a.tellFingerprint(f.Nation, f.Fingerprint.String(), false)
	}
	return c
}

// pin refuses a finding that is not about the nation of a card.
func (a *app) pin(path string, f *proof.Finding) error {
	b, err := a.readCard(path)
	if err != nil {
		return err
	}
	c, err := keylog.ParseCard(b)
	if err != nil {
		return &exit{exitNo, err}
	}
	if c.Log.Nation() != f.Nation || c.Log.Realm() != f.Realm || c.Log.Fingerprint() != f.Fingerprint {
		a.say("the file is about %s with another key log than the card of %s: it proves nothing about the nation of the card", clean(f.Nation), clean(c.Log.Nation()))
		return no()
	}
	return nil
}

func (a *app) settleProofCmd() *cobra.Command {
	var reason string
	c := &cobra.Command{Use: "settle ID", Short: "Say that a proof does not weigh any more: what the nation gives is taken again", Args: cobra.ExactArgs(1),
		Long: "Say that a proof does not weigh any more. Do it when the nation has explained itself, by a way that you trust: what it gives is taken again. The proof stays, with the reason and who gave it. " +
			"Two key logs are not settled by word: remove the nation and meet it anew."}
	c.Flags().StringVar(&reason, "reason", "", "why; it is kept with the proof")
	_ = c.MarkFlagRequired("reason")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		p, err := n.SettleProof(ctx, args[0], reason)
		if err != nil {
			return err
		}
		return a.proof(&p)
	})
}
