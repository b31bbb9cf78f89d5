package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"entente/internal/federation"
	"entente/internal/surface/api"
)

func (a *app) relayCmd() *cobra.Command {
	c := &cobra.Command{Use: "relay", Short: "See what this node carries for others, and the relays that carry for it"}
	c.AddCommand(a.listRelaysCmd(), a.showRelayCmd())
	return c
}

func (a *app) listRelaysCmd() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the relays that carry for this node", Args: cobra.NoArgs,
		Long: "List the relays that accords in force name: whether each is reached, since when one is behind what it must have, how many bytes it was given and how many records came over it since the node started, and the proof that weighs against it."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		s, err := n.Relay(ctx)
		return listing(a, []string{"NATION", "ORGANISATION", "STATE", "SINCE", "BEHIND", "GIVEN", "GOT", "PROBLEM"}, over(s.Relays, err), func(h federation.RelayHealth) []string {
			state, problem := "down", h.Error
			if h.Up {
				state = "up"
			}
			if h.Proof != "" {
				problem = "proof " + h.Proof + " weighs against it: it is not used"
			}
			return []string{h.Nation, h.Org, state, when(h.Since), when(h.Behind), count(h.Given), count(h.Got), problem}
		})
	})
}

func (a *app) showRelayCmd() *cobra.Command {
	c := &cobra.Command{Use: "show", Short: "Show what this node carries for others", Args: cobra.NoArgs,
		Long: "Show the logs that this node carries for others: whose, for whom, how long, how many bytes, and when something last came. It cannot read what is in them. Without [relay] in its configuration a node carries nothing."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		s, err := n.Relay(ctx)
		return listing(a, []string{"NATION", "ORGANISATION", "LOG", "SIZE", "BYTES", "AT", "READERS"}, over(s.Carried, err), func(l federation.Carried) []string {
			return []string{l.Nation, l.Org, l.Log, count(int64(l.Size)), count(l.Bytes), when(l.At), strings.Join(l.Readers, ", ")}
		})
	})
}
