package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"entente/internal/identity"
	"entente/internal/surface/api"
)

func (a *app) orgCmd() *cobra.Command {
	c := &cobra.Command{Use: "org", Short: "Manage the register of organisations"}
	var o identity.Org
	flags := func(c *cobra.Command) {
		f := c.Flags()
		f.StringVar(&o.Nation, "nation", "", "`CODE` of its nation; the node's own without")
		f.BoolVar(&o.Client, "client", false, "it is a client of the node's organisation: TLP:AMBER reaches it")
		f.StringSliceVar(&o.Sectors, "sector", nil, "`SECTOR` that it serves")
		f.StringSliceVar(&o.Purposes, "purpose", nil, "`PURPOSE` for which it may use what it gets")
	}
	add := &cobra.Command{Use: "add NAME", Short: "Register an organisation", Args: cobra.ExactArgs(1)}
	flags(add)
	a.onNode(add, func(ctx context.Context, n *api.Client, args []string) error {
		o.Name = args[0]
		out, err := n.AddOrg(ctx, o)
		if err == nil && a.asJSON {
			err = a.line(out)
		}
		return err
	})
	set := &cobra.Command{Use: "set NAME", Short: "Change what is given of an organisation", Args: cobra.ExactArgs(1)}
	flags(set)
	a.onNode(set, func(ctx context.Context, n *api.Client, args []string) error {
		next, err := findOrg(ctx, n, args[0])
		if err != nil {
			return err
		}
		changed := set.Flags().Changed
		if changed("nation") {
			next.Nation = o.Nation
		}
		if changed("client") {
			next.Client = o.Client
		}
		if changed("sector") {
			next.Sectors = o.Sectors
		}
		if changed("purpose") {
			next.Purposes = o.Purposes
		}
		out, err := n.ChangeOrg(ctx, next)
		if err == nil && a.asJSON {
			err = a.line(out)
		}
		return err
	})
	list := &cobra.Command{Use: "list", Short: "List organisations", Args: cobra.NoArgs}
	a.onNode(list, func(ctx context.Context, n *api.Client, _ []string) error {
		return listing(a, []string{"NAME", "NATION", "CLIENT", "SECTORS", "PURPOSES"}, over(n.Orgs(ctx)), func(o identity.Org) []string {
			return []string{o.Name, o.Nation, yes(o.Client, "client"), strings.Join(o.Sectors, ","), strings.Join(o.Purposes, ",")}
		})
	})
	rm := &cobra.Command{Use: "remove NAME", Short: "Remove an organisation that nothing names", Args: cobra.ExactArgs(1)}
	a.onNode(rm, func(ctx context.Context, n *api.Client, args []string) error { return n.RemoveOrg(ctx, args[0]) })
	c.AddCommand(add, set, list, rm)
	return c
}

func findOrg(ctx context.Context, n *api.Client, name string) (identity.Org, error) {
	all, err := n.Orgs(ctx)
	if err != nil {
		return identity.Org{}, err
	}
	o, ok := identity.Register{Orgs: all}.Find(name)
	if !ok {
		return o, notFound("organisation", name)
	}
	return o, nil
}

func (a *app) communityCmd() *cobra.Command {
	c := &cobra.Command{Use: "community", Short: "Manage communities of organisations"}
	var members []string
	add := &cobra.Command{Use: "add NAME --member ORG", Short: "Make a community, or give it other members", Args: cobra.ExactArgs(1)}
	add.Flags().StringSliceVar(&members, "member", nil, "`NAME` of an organisation in it")
	a.onNode(add, func(ctx context.Context, n *api.Client, args []string) error {
		out, err := n.PutCommunity(ctx, identity.Community{Name: args[0], Members: members})
		if err == nil && a.asJSON {
			err = a.line(out)
		}
		return err
	})
	list := &cobra.Command{Use: "list", Short: "List communities", Args: cobra.NoArgs}
	a.onNode(list, func(ctx context.Context, n *api.Client, _ []string) error {
		return listing(a, []string{"NAME", "MEMBERS"}, over(n.Communities(ctx)), func(m identity.Community) []string {
			return []string{m.Name, strings.Join(m.Members, ", ")}
		})
	})
	rm := &cobra.Command{Use: "remove NAME", Short: "Remove a community", Args: cobra.ExactArgs(1)}
	a.onNode(rm, func(ctx context.Context, n *api.Client, args []string) error { return n.RemoveCommunity(ctx, args[0]) })
	c.AddCommand(add, list, rm)
	return c
}
