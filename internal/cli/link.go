package cli

import (
	"context"

	"github.com/spf13/cobra"

	"entente/internal/federation"
	"entente/internal/surface/api"
)

func (a *app) linkCmd() *cobra.Command {
	c := &cobra.Command{Use: "link", Short: "See how the connections to partners' nodes are, and have one tried"}
	c.AddCommand(a.listLinksCmd(), a.retryLinkCmd())
	return c
}

func (a *app) listLinksCmd() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the connections to partners' nodes", Args: cobra.NoArgs,
		Long: "List the connections to partners' nodes: since when each is up or down and why, when something last came, how many receipts are owed, and how many records came since the node started."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		return listing(a, []string{"NATION", "ORGANISATION", "ADDRESS", "STATE", "SINCE", "RECEIVED", "OWED", "GOT", "PROBLEM"}, over(n.Links(ctx)), func(h federation.Health) []string {
			state, problem := "down", h.Error
			if h.Up {
				state = "up"
			}
			if h.Fork {
				state, problem = "forked", "it signed two pasts of a log: nothing of it is taken any more"
			}
			return []string{h.Nation, h.Org, h.Address, state, when(h.Since), when(h.Received), count(int64(h.Owed)), count(h.Got), problem}
		})
	})
}

func (a *app) retryLinkCmd() *cobra.Command {
	c := &cobra.Command{Use: "retry NATION", Short: "Try now to reach a partner's node", Args: cobra.ExactArgs(1),
		Long: "Try now to reach a partner's node. By itself the node tries every few seconds, and at once when the partner calls."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error { return n.RetryLink(ctx, args[0]) })
}
