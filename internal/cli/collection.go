package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/surface/api"
)

func (a *app) collectionCmd() *cobra.Command {
	c := &cobra.Command{Use: "collection", Short: "Manage collections"}
	c.AddCommand(a.collectionAddCmd(), a.collectionListCmd(), a.collectionSetCmd(), a.collectionRemoveCmd())
	return c
}

// collectionFlags are the flags of what a collection is.
type collectionFlags struct {
	title, description, alias, read, write, fallback, policy string
}

func (f *collectionFlags) add(c *cobra.Command) {
	s := c.Flags()
	s.StringVar(&f.title, "title", "", "`TITLE` for people")
	s.StringVar(&f.description, "description", "", "`TEXT` for people")
	s.StringVar(&f.alias, "alias", "", "`ALIAS` that serves wherever the id does")
	s.StringVar(&f.read, "read", "", "`ROLE,..` that may read; without, every role that reads")
	s.StringVar(&f.write, "write", "", "`ROLE,..` that may write; without, every role that writes")
	s.StringVar(&f.fallback, "default-label", "", "`LABEL` of objects without a TLP, for example tlp:green; without, RED for the submitting organisation")
	s.StringVar(&f.policy, "policy", "", "`POLICY` on objects that break the standard: reject, quarantine or flag")
}

// apply puts what was given on a collection.
func (f *collectionFlags) apply(c *cobra.Command, p *api.PutCollection) error {
	changed := c.Flags().Changed
	if changed("title") {
		p.Title = f.title
	}
	if changed("description") {
		p.Description = f.description
	}
	if changed("alias") {
		p.Alias = f.alias
	}
	if changed("read") {
		p.Read = splitList(f.read)
	}
	if changed("write") {
		p.Write = splitList(f.write)
	}
	if changed("policy") {
		p.Policy = exchange.Policy(f.policy)
	}
	if changed("default-label") {
		l, err := api.ParseLabel(f.fallback, true)
		if err != nil {
			return err
		}
		p.Default = l
	}
	return nil
}

func (a *app) collectionAddCmd() *cobra.Command {
	var f collectionFlags
	var root string
	c := &cobra.Command{Use: "add --title TITLE", Short: "Make a collection and print its id", Args: cobra.NoArgs,
		Example: `  entente collection add --data DIR --title "Indicators" --alias indicators --read analyst,reader --write analyst --default-label tlp:green`}
	f.add(c)
	c.Flags().StringVar(&root, "root", "", "`PATH` of the API root it stands in; api without")
	c.MarkFlagRequired("title")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		p := api.PutCollection{Root: root, Read: []string{}, Write: []string{}}
		if err := f.apply(c, &p); err != nil {
			return err
		}
		out, err := n.AddCollection(ctx, p)
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(out)
		}
		_, err = fmt.Fprintln(a.out, out.ID)
		return err
	})
}

func (a *app) collectionListCmd() *cobra.Command {
	var root string
	c := &cobra.Command{Use: "list", Short: "List collections", Args: cobra.NoArgs,
		Long: "List all collections, or those that you may read or write where you do not manage collections."}
	c.Flags().StringVar(&root, "root", "", "`PATH` of an API root")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		list, err := n.Collections(ctx, root, true)
		if err != nil && fault.Of(err) == fault.Forbidden {
			list, err = n.Collections(ctx, root, false)
		}
		return listing(a, []string{"ID", "ALIAS", "ROOT", "READ", "WRITE", "DEFAULT", "POLICY", "TITLE"}, over(list, err), func(v exchange.CollectionView) []string {
			fallback := ""
			if v.Default != nil {
				fallback = v.Default.TLP.String()
			}
			return []string{v.ID, v.Alias, v.Root, roles(v.Read), roles(v.Write), fallback, string(v.Policy), short(v.Title, 40)}
		})
	})
}

func roles(list []string) string { return cmp.Or(strings.Join(list, ","), "every") }

func (a *app) collectionSetCmd() *cobra.Command {
	var f collectionFlags
	c := &cobra.Command{Use: "set NAME", Short: "Change a collection", Args: cobra.ExactArgs(1),
		Long: "Change what is given of a collection, named by its id or alias; everything else stays."}
	f.add(c)
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		old, err := n.Collection(ctx, args[0])
		if err != nil {
			return err
		}
		p := api.PutCollection{Alias: old.Alias, Title: old.Title, Description: old.Description, Read: old.Read, Write: old.Write, Default: old.Default, Policy: old.Policy}
		if err := f.apply(c, &p); err != nil {
			return err
		}
		out, err := n.ChangeCollection(ctx, old.ID, p)
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(out)
		}
		return nil
	})
}

func (a *app) collectionRemoveCmd() *cobra.Command {
	c := &cobra.Command{Use: "remove NAME", Short: "Remove an empty collection", Args: cobra.ExactArgs(1)}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error { return n.RemoveCollection(ctx, args[0]) })
}

func (a *app) rootCmd() *cobra.Command {
	c := &cobra.Command{Use: "root", Short: "Manage API roots"}
	var r exchange.Root
	add := &cobra.Command{Use: "add PATH --title TITLE", Short: "Make an API root", Args: cobra.ExactArgs(1),
		Long: "Make an API root, a group of collections with a path of its own. With --party it is for the viewers of one organisation, and nobody else learns that it exists."}
	add.Flags().StringVar(&r.Title, "title", "", "`TITLE` for people")
	add.Flags().StringVar(&r.Description, "description", "", "`TEXT` for people")
	add.Flags().StringVar(&r.Party, "party", "", "`NATION/NAME` of the only organisation that may know it")
	add.MarkFlagRequired("title")
	a.onNode(add, func(ctx context.Context, n *api.Client, args []string) error {
		r.Path = args[0]
		out, err := n.AddRoot(ctx, r)
		if err == nil && a.asJSON {
			err = a.line(out)
		}
		return err
	})
	list := &cobra.Command{Use: "list", Short: "List API roots", Args: cobra.NoArgs}
	a.onNode(list, func(ctx context.Context, n *api.Client, _ []string) error {
		all, err := n.Roots(ctx, true)
		if err != nil && fault.Of(err) == fault.Forbidden {
			all, err = n.Roots(ctx, false)
		}
		return listing(a, []string{"PATH", "PARTY", "TITLE"}, over(all, err), func(v exchange.Root) []string { return []string{v.Path, v.Party, v.Title} })
	})
	c.AddCommand(add, list)
	return c
}
