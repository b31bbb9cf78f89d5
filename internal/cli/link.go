package cli

import (
	"context"

	"github.com/spf13/cobra"

	"entente/internal/federation"
	"entente/internal/surface/api"
)

func (a *app) linkCmd() *cobra.Command {
	c := &cobra.Command{Use: "link", Short: "See how the connections to partners' nodes are, and have one tried"}
	c.AddCommand(a.listLinksCmd(), a.retryLinkCmd(), a.alarmsCmd(), a.sharedLogsCmd())
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
			if len(h.Alarms) > 0 {
				problem = h.Alarms[0].Text
			}
			return []string{h.Nation, h.Org, h.Address, state, when(h.Since), when(h.Received), count(int64(h.Owed)), count(h.Got), problem}
		})
	})
}

func (a *app) alarmsCmd() *cobra.Command {
	c := &cobra.Command{Use: "alarms", Short: "List what people must look at in the alliance", Args: cobra.NoArgs,
		Long: "List what people must look at in the alliance: contradictions that were proved, logs that others have more of or that stand still, clocks that differ, receipts that are overdue, and floods of what is refused. " +
			"The exit code is 1 when there is any."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		all, err := n.Alarms(ctx)
		if err := listing(a, []string{"NATION", "KIND", "SINCE", "PROOF", "WHAT"}, over(all, err), func(x federation.Alarm) []string {
			return []string{x.Nation, x.Kind, when(x.Since), x.Proof, x.Text}
		}); err != nil {
			return err
		}
		if len(all) > 0 {
			return no()
		}
		return nil
	})
}

func (a *app) sharedLogsCmd() *cobra.Command {
	c := &cobra.Command{Use: "logs NATION", Short: "List the logs shared with a partner, and who else saw the same", Args: cobra.ExactArgs(1)}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		return listing(a, []string{"LOG", "WHOSE", "ACCORD", "SIZE", "SIGNED", "WITNESSED BY", "OLDEST"}, over(n.SharedLogs(ctx, args[0])), func(v federation.LogView) []string {
			whose := args[0]
			if v.Own {
				whose = "own"
			}
			return []string{v.Origin, whose, v.Accord, count(int64(v.Size)), when(v.Signed), count(int64(len(v.Witnesses))) + " of " + count(int64(v.Of)), when(v.Oldest)}
		})
	})
}

func (a *app) retryLinkCmd() *cobra.Command {
	c := &cobra.Command{Use: "retry NATION", Short: "Try now to reach a partner's node", Args: cobra.ExactArgs(1),
		Long: "Try now to reach a partner's node. By itself the node tries every few seconds, and at once when the partner calls."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error { return n.RetryLink(ctx, args[0]) })
}
