package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"entente/internal/surface/api"
)

func (a *app) neighboursCmd() *cobra.Command {
	c := &cobra.Command{Use: "neighbours ID", Short: "List what an object is connected with", Args: cobra.ExactArgs(1),
		Long: "List what an object is connected with in the graph, newest first: by relationships, by sightings, and by what it names or is named by.",
		Example: `  entente object neighbours --data DIR malware--8b4d8d2e-6d1c-4f6e-9c1c-1a2b3c4d5e6f
  entente object neighbours --data DIR identity--8b4d8d2e-6d1c-4f6e-9c1c-1a2b3c4d5e6f --relationship created_by --direction in`}
	relationships := c.Flags().StringSlice("relationship", nil, "`TYPE` of connections: a relationship_type, sighting, or a reference without _ref, such as created_by")
	types := c.Flags().StringSlice("type", nil, "STIX `TYPE` of the other objects")
	direction := c.Flags().String("direction", "both", "`WAY` that the connections lead, as seen from the object: both, out or in")
	limit := c.Flags().Int("limit", 100, "at most `N` connections; 0 is all")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		q := url.Values{"direction": {*direction}, "fresh": {"true"}, "limit": {"1000"}}
		if *limit > 0 && *limit < 1000 {
			q.Set("limit", fmt.Sprint(*limit))
		}
		if len(*relationships) > 0 {
			q["relationship"] = *relationships
		}
		if len(*types) > 0 {
			q["type"] = *types
		}
		var rows [][]string
		found := 0
		err := n.EachNeighbour(ctx, args[0], q, func(x api.Neighbour) error {
			found++
			if a.asJSON {
				if err := a.line(x); err != nil {
					return err
				}
			} else {
				rows = append(rows, []string{arrow(x), x.Other, x.Object.Label.TLP.String(), short(x.Name, 60)})
			}
			if found == *limit {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		if a.asJSON {
			return nil
		}
		if err := a.table([]string{"CONNECTION", "ID", "TLP", "NAME"}, rows); err != nil {
			return err
		}
		if errors.Is(err, errEnough) {
			a.say("%s connections; there may be more: --limit 0 shows all", count(int64(found)))
		}
		return nil
	})
}

// arrow says which way a connection leads.
func arrow(x api.Neighbour) string {
	if x.Out {
		return x.Type + " >"
	}
	return "< " + x.Type
}

func (a *app) pathsCmd() *cobra.Command {
	c := &cobra.Command{Use: "paths ID ID", Short: "Find the shortest ways from one object to another", Args: cobra.ExactArgs(2),
		Long: "Find the shortest ways in the graph from one object to another: at most ten, of at most six connections. The exit code is 1 when there is none."}
	depth := c.Flags().Int("depth", 6, "at most `N` connections")
	skip := c.Flags().StringSlice("skip", nil, "`TYPE` of connections that no way goes over, such as created_by")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		q := url.Values{"depth": {fmt.Sprint(*depth)}, "fresh": {"true"}}
		if len(*skip) > 0 {
			q["skip"] = *skip
		}
		ways, err := n.Paths(ctx, args[0], args[1], q)
		if err != nil {
			return err
		}
		for _, way := range ways.Items {
			if a.asJSON {
				if err := a.line(way); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintln(a.out, clean(args[0]))
			for _, x := range way {
				fmt.Fprintf(a.out, "  %s %s %s\n", clean(arrow(x)), clean(x.Other), clean(short(x.Name, 60)))
			}
		}
		if ways.GaveUp {
			a.say("there were too many connections to look at all of them")
		}
		if len(ways.Items) == 0 {
			return no()
		}
		return nil
	})
}
