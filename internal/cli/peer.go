package cli

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"entente/internal/peers"
	"entente/internal/surface/api"
	"entente/keylog"
)

func (a *app) peerCmd() *cobra.Command {
	c := &cobra.Command{Use: "peer", Short: "Meet other nations: exchange cards, compare fingerprints, see who is known"}
	c.AddCommand(a.cardCmd(), a.addPeerCmd(), a.listPeersCmd(), a.showPeerCmd(), a.removePeerCmd())
	return c
}

func (a *app) cardCmd() *cobra.Command {
	var address string
	var code bool
	c := &cobra.Command{Use: "card", Short: "Print the file that another nation is given at a first contact", Args: cobra.NoArgs,
		Long:    "Print the card of this node: who it is, and the whole key log of its nation. It holds no secret. The fingerprint to compare is printed beside it, on the standard error.",
		Example: "  entente peer card --data DIR --address node.example.org:7443 > utopia.card"}
	c.Flags().StringVar(&address, "address", "", "`HOST:PORT` where partners reach the node, when the key log does not say it")
	c.Flags().BoolVar(&code, "qr", false, "print the fingerprint as a QR code too, on the standard error")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		b, err := n.Keys(ctx)
		if err != nil {
			return err
		}
		if err := n.Card(ctx, address, a.out); err != nil {
			return err
		}
		return a.tellFingerprint(b.Nation, b.Fingerprint, code)
	})
}

// tellFingerprint shows to a person what is to be compared.
func (a *app) tellFingerprint(nation, digits string, code bool) error {
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) != len(keylog.Fingerprint{}) {
		return usage("%q is not a fingerprint", digits)
	}
	f := keylog.Fingerprint(b)
	words := strings.Fields(f.Words())
	a.say("fingerprint of %s:", clean(nation))
	for i := 0; i < len(words); i += 6 {
		a.say("  %s", strings.Join(words[i:i+6], " "))
	}
	if code {
		q, err := f.QR(nation)
		if err != nil {
			return err
		}
		fmt.Fprint(a.err, q.String())
	}
	return nil
}

func (a *app) addPeerCmd() *cobra.Command {
	var words string
	var code, sure bool
	c := &cobra.Command{Use: "add FILE", Short: "Take a nation's card, once two people have compared its fingerprint", Args: cobra.ExactArgs(1),
		Long: "Take a nation's card. Both fingerprints are shown: read your own to the other side, let it read its own to you, face to face or by a way that nobody can imitate, and confirm only when every word is the same. " +
			"In scripts --words gives what the other side read out, and --yes says that somebody compared what is shown.",
		Example: "  entente peer add --data DIR ruritania.card\n  entente peer add --data DIR ruritania.card --words \"abandon ability …\""}
	c.Flags().StringVar(&words, "words", "", "the 24 `WORDS` that the other side read out, or the text of its QR code")
	c.Flags().BoolVar(&sure, "yes", false, "the fingerprint that is shown has been compared")
	c.Flags().BoolVar(&code, "qr", false, "show this node's fingerprint as a QR code too")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		card, err := a.readCard(args[0])
		if err != nil {
			return err
		}
		p, err := n.ReviewPeer(ctx, card)
		if err != nil {
			return err
		}
		own, err := n.Keys(ctx)
		if err != nil {
			return err
		}
		if words == "" {
			if err := a.tellFingerprint(own.Nation, own.Fingerprint, code); err != nil {
				return err
			}
			a.say("card of %s, %s, at %s", clean(p.Nation), clean(p.Org), clean(p.Address))
			if err := a.tellFingerprint(p.Nation, p.Fingerprint, false); err != nil {
				return err
			}
			if !sure && (args[0] == "-" || !a.agreed("Has the other side read out these very words? [yes/no] ")) {
				return usage("nothing was added: compare the fingerprint first, or give --words")
			}
			words = p.Fingerprint
		}
		if p, err = n.AddPeer(ctx, p.Nation, words, card); err != nil {
			return err
		}
		return a.peer(p)
	})
}

// agreed asks a question that only a whole yes answers.
func (a *app) agreed(question string) bool {
	fmt.Fprint(a.err, question)
	line, err := bufio.NewReader(io.LimitReader(a.in, 100)).ReadString('\n')
	return (err == nil || err == io.EOF) && strings.EqualFold(strings.TrimSpace(line), "yes")
}

func (a *app) peer(p peers.Peer) error {
	if a.asJSON {
		return a.line(p)
	}
	return a.fields("nation", p.Nation, "organisation", p.Org, "node", p.Node, "address", p.Address, "fingerprint", p.Words, "statements", strconv.FormatInt(p.Statements, 10), "head", p.Head,
		"added", when(p.Added), "by", p.By, "forked", yes(p.Forked, "it showed two key logs: nothing of it counts"))
}

func (a *app) listPeersCmd() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the nations that the node knows", Args: cobra.NoArgs}
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		all, err := n.Peers(ctx)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, p := range all {
			if a.asJSON {
				if err := a.line(p); err != nil {
					return err
				}
			}
			rows = append(rows, []string{p.Nation, p.Org, p.Address, strconv.FormatInt(p.Statements, 10), when(p.Added), yes(p.Forked, "forked")})
		}
		if a.asJSON {
			return nil
		}
		return a.table([]string{"NATION", "ORGANISATION", "ADDRESS", "STATEMENTS", "ADDED", "STATE"}, rows)
	})
}

func (a *app) showPeerCmd() *cobra.Command {
	c := &cobra.Command{Use: "show NATION", Short: "Show a nation that the node knows", Args: cobra.ExactArgs(1)}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		p, err := n.Peer(ctx, args[0])
		if err != nil {
			return err
		}
		return a.peer(p)
	})
}

func (a *app) removePeerCmd() *cobra.Command {
	c := &cobra.Command{Use: "remove NATION", Short: "Forget a nation: none of its keys counts any more", Args: cobra.ExactArgs(1)}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error { return n.RemovePeer(ctx, args[0]) })
}
