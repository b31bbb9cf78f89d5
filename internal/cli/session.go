package cli

import (
	"context"

	"github.com/spf13/cobra"

	"entente/internal/identity"
	"entente/internal/surface/api"
)

func (a *app) sessionCmd() *cobra.Command {
	c := &cobra.Command{Use: "session", Short: "See who is signed in with a browser, and end it"}
	list := &cobra.Command{Use: "list [NAME]", Short: "List sessions, of one account or of all", Args: cobra.MaximumNArgs(1),
		Long: "List the sessions of people with a browser. Without the name of an account, some of them may have stood idle for too long and open nothing any more."}
	a.onNode(list, func(ctx context.Context, n *api.Client, args []string) error {
		user := ""
		if len(args) > 0 {
			user = args[0]
		}
		return listing(a, []string{"ID", "BY", "FROM", "CREATED", "LAST USED", "EXPIRES"}, func(each func(identity.Session) error) error { return n.Sessions(ctx, user, each) }, func(s identity.Session) []string {
			return []string{s.ID, s.By, s.Remote, when(s.Created), when(s.Seen), when(s.Expires)}
		})
	})
	revoke := &cobra.Command{Use: "revoke ID", Short: "End a session, at once", Args: cobra.ExactArgs(1)}
	a.onNode(revoke, func(ctx context.Context, n *api.Client, args []string) error { return n.RevokeSession(ctx, args[0]) })
	c.AddCommand(list, revoke)
	return c
}

func (a *app) userFactorsCmd() *cobra.Command {
	c := &cobra.Command{Use: "reset-factors NAME", Short: "Take an account's second factors away and end its sessions", Args: cobra.ExactArgs(1),
		Long: "Take the one-time codes and passkeys of an account away, for a person who has lost them, and end its sessions. The person signs in with the password and sets up new ones."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error { return n.ResetFactors(ctx, args[0]) })
}
