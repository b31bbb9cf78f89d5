package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"entente/internal/lists"
	"entente/internal/surface/api"
)

func (a *app) listsCmd() *cobra.Command {
	c := &cobra.Command{Use: "lists", Short: "See the published warning lists, taxonomies and galaxies that are loaded", Args: cobra.NoArgs,
		Long: "See which of the lists that MISP publishes the node has loaded, with their numbers, and what could not be read. They are configured in entente.toml: see docs/lists.md."}
	a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error { return a.lists(n.Lists(ctx)) })
	reload := &cobra.Command{Use: "reload", Short: "Read the files of the lists anew", Args: cobra.NoArgs,
		Long: "Read the files of the lists anew while the node runs, and say what is loaded from then on. Until that is done, answers are those of before. SIGHUP to the node does the same."}
	a.onNode(reload, func(ctx context.Context, n *api.Client, _ []string) error { return a.lists(n.ReloadLists(ctx)) })
	c.AddCommand(reload, a.checkListsCmd(), a.tagCmd())
	return c
}

// lists prints what is loaded.
func (a *app) lists(s lists.Summary, err error) error {
	if err != nil {
		return err
	}
	if a.asJSON {
		return a.line(s)
	}
	if err := a.fields("loaded", when(s.Loaded), "warning lists", strconv.Itoa(len(s.Warnings))+" with "+count(int64(s.Entries))+" entries", "taxonomies", strconv.Itoa(s.Taxonomies),
		"galaxies", strconv.Itoa(s.Galaxies)+" with "+count(int64(s.Clusters))+" clusters", "object templates", strconv.Itoa(s.Templates)); err != nil {
		return err
	}
	for _, f := range s.Faults {
		a.say("%s: %s", f.File, f.Message)
	}
	return nil
}

func (a *app) checkListsCmd() *cobra.Command {
	var typ string
	c := &cobra.Command{Use: "check VALUE...", Short: "Tell which warning lists values stand on", Args: cobra.MinimumNArgs(1),
		Example: "  entente lists check --data DIR 8.8.8.8 example.com"}
	c.Flags().StringVar(&typ, "type", "", "MISP attribute `TYPE` of the values; any asks all lists; without it the form of each decides")
	return a.onNode(c, func(ctx context.Context, n *api.Client, values []string) error {
		every := func(each func(api.Warning) error) error {
			for _, v := range values {
				hits, err := n.CheckLists(ctx, typ, v)
				for i := 0; i < len(hits) && err == nil; i++ {
					err = each(api.Warning{Value: v, Hit: hits[i]})
				}
				if err != nil {
					return err
				}
			}
			return nil
		}
		return listing(a, []string{"VALUE", "LIST", "ENTRY", "CATEGORY"}, every, func(w api.Warning) []string { return []string{w.Value, w.List, w.Entry, w.Category} })
	})
}

func (a *app) tagCmd() *cobra.Command {
	c := &cobra.Command{Use: "tag TEXT", Short: "Find tags of taxonomies and galaxies, and what they mean", Args: cobra.ExactArgs(1),
		Example: "  entente lists tag --data DIR estimative"}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		terms, err := n.Terms(ctx, args[0], "")
		if err != nil {
			return err
		}
		clusters, err := n.Clusters(ctx, args[0], "")
		if err != nil {
			return err
		}
		var rows [][]string
		for _, t := range terms {
			if a.asJSON {
				if err := a.line(t); err != nil {
					return err
				}
			}
			rows = append(rows, []string{t.Tag, short(t.Name, 40), short(t.Description, 60)})
		}
		for _, k := range clusters {
			if a.asJSON {
				if err := a.line(k); err != nil {
					return err
				}
			}
			rows = append(rows, []string{k.Tag, short(k.Name, 40), short(k.Description, 60)})
		}
		if a.asJSON {
			return nil
		}
		return a.table([]string{"TAG", "NAME", "MEANING"}, rows)
	})
}
