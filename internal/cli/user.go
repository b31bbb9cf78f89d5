package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"entente/internal/identity"
	"entente/internal/surface/api"
)

func (a *app) userCmd() *cobra.Command {
	c := &cobra.Command{Use: "user", Short: "Manage accounts"}
	c.AddCommand(a.userAddCmd(), a.userListCmd(), a.userStateCmd("disable", "Close an account, at once", true), a.userStateCmd("enable", "Open a closed account", false),
		a.userRoleCmd(), a.userPasswordCmd(), a.userFactorsCmd(), a.userRemoveCmd())
	return c
}

func (a *app) userAddCmd() *cobra.Command {
	in := api.AddUser{}
	var role string
	c := &cobra.Command{Use: "add NAME --role ROLE (--password-file FILE | --sso ID)", Short: "Make an account", Args: cobra.ExactArgs(1),
		Long: `Make an account. Its organisation is registered when it is new, with --nation or the node's own nation.

Roles: admin manages the node; analyst reads and writes; reader reads; publisher writes; auditor reads the audit trail; officer decides on
quarantine and purges.`,
		Example: `  entente user add --data DIR alice --role analyst --org "Utopia Power" --password-file password`}
	c.Flags().StringVar(&role, "role", "", "`ROLE,..` of the account")
	c.Flags().StringVar(&in.Org, "org", "", "`NAME` of the organisation; the node's own without")
	c.Flags().StringVar(&in.Nation, "nation", "", "`CODE` of a new organisation's nation")
	c.Flags().StringVar(&in.SSO, "sso", "", "`ID` of a provider of single sign-on: its person of this name gets the account when it first comes")
	c.MarkFlagRequired("role")
	password := c.Flags().String("password-file", "", "`FILE` with the account's password; - is the standard input")
	c.MarkFlagsOneRequired("password-file", "sso")
	a.nodeFlagsExceptPassword(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		in.Name, in.Roles = args[0], splitList(role)
		if *password != "" {
			p, err := a.secret(*password)
			if err != nil {
				return err
			}
			in.Password = p
		}
		return a.with(func(ctx context.Context, n *api.Client, _ []string) error {
			u, err := n.AddUser(ctx, in)
			if err == nil && a.asJSON {
				err = a.line(u)
			}
			return err
		})(c, args)
	}
	return c
}

// accountPassword adds --password-file for an account's new password.
func accountPassword(c *cobra.Command) *string {
	p := c.Flags().String("password-file", "", "`FILE` with the account's password; - is the standard input")
	c.MarkFlagRequired("password-file")
	return p
}

func (a *app) userListCmd() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List accounts", Args: cobra.NoArgs}
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		return listing(a, []string{"NAME", "ORGANISATION", "ROLES", "CREATED", ""}, func(each func(identity.User) error) error { return n.Users(ctx, each) }, func(u identity.User) []string {
			return []string{u.Name, u.Org, strings.Join(u.Roles, ","), when(u.Created), yes(u.Disabled, "disabled")}
		})
	})
}

// changed prints an account after a change.
func (a *app) changed(u identity.User, err error) error {
	if err == nil && a.asJSON {
		err = a.line(u)
	}
	return err
}

func (a *app) userStateCmd(name, help string, disabled bool) *cobra.Command {
	c := &cobra.Command{Use: name + " NAME", Short: help, Args: cobra.ExactArgs(1)}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		return a.changed(n.ChangeUser(ctx, args[0], api.ChangeUser{Disabled: &disabled}))
	})
}

func (a *app) userRoleCmd() *cobra.Command {
	c := &cobra.Command{Use: "role NAME ROLE,..", Short: "Give an account other roles, at once", Args: cobra.ExactArgs(2)}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		return a.changed(n.ChangeUser(ctx, args[0], api.ChangeUser{Roles: splitList(args[1])}))
	})
}

func (a *app) userPasswordCmd() *cobra.Command {
	c := &cobra.Command{Use: "password NAME --password-file FILE", Short: "Give an account another password", Args: cobra.ExactArgs(1)}
	password := accountPassword(c)
	a.nodeFlagsExceptPassword(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		p, err := a.secret(*password)
		if err != nil {
			return err
		}
		return a.with(func(ctx context.Context, n *api.Client, args []string) error {
			return a.changed(n.ChangeUser(ctx, args[0], api.ChangeUser{Password: p}))
		})(c, args)
	}
	return c
}

func (a *app) userRemoveCmd() *cobra.Command {
	c := &cobra.Command{Use: "remove NAME", Short: "Remove an account, and the tokens and certificates that act for it", Args: cobra.ExactArgs(1)}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error { return n.RemoveUser(ctx, args[0]) })
}
