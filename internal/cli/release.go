package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"entente/internal/federation"
	"entente/internal/surface/api"
)

func (a *app) releaseCmd() *cobra.Command {
	c := &cobra.Command{Use: "release", Short: "See, sign and refuse what waits for a release officer"}
	c.AddCommand(a.listReleasesCmd(), a.decideCmd("sign", "Sign a release: the party is given the object", true), a.decideCmd("refuse", "Refuse a release: the party is not given the object", false))
	return c
}

func (a *app) listReleasesCmd() *cobra.Command {
	var all bool
	c := &cobra.Command{Use: "list", Short: "List the releases that wait for an officer", Args: cobra.NoArgs}
	c.Flags().BoolVar(&all, "all", false, "those that were decided, too")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		found, err := n.Releases(ctx)
		var shown []federation.Release
		for _, r := range found {
			if all || r.State == federation.Waiting {
				shown = append(shown, r)
			}
		}
		return listing(a, []string{"OBJECT", "VERSION", "PARTY", "ACCORD", "STATE", "SINCE", "BY", "REASON"}, over(shown, err), func(r federation.Release) []string {
			return []string{r.ID, r.Version, r.Party, r.Accord, r.State, when(r.Since), r.By, r.Reason}
		})
	})
}

// decideCmd decides on a release, which is named by its key, or by the object where only one of it waits.
func (a *app) decideCmd(verb, short string, sign bool) *cobra.Command {
	var party, reason string
	c := &cobra.Command{Use: verb + " ID|KEY", Short: short, Args: cobra.ExactArgs(1),
		Long: short + ". It is named by the object's id, with --party where it waits for several, or by its key, as list --json has it."}
	c.Flags().StringVar(&party, "party", "", "`NATION` or NATION/organisation that it is for")
	c.Flags().StringVar(&reason, "reason", "", "why")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		all, err := n.Releases(ctx)
		if err != nil {
			return err
		}
		var found []federation.Release
		for _, r := range all {
			nation, _, _ := strings.Cut(r.Party, "/")
			if r.Key == args[0] || r.ID == args[0] && r.State == federation.Waiting && (party == "" || party == r.Party || party == nation) {
				found = append(found, r)
			}
		}
		switch {
		case len(found) == 0:
			return notFound("release that waits for", args[0])
		case len(found) > 1:
			return usage("%d releases of %s wait: say which with --party, or by its key", len(found), args[0])
		}
		r, err := n.DecideRelease(ctx, api.ReleaseDecision{Key: found[0].Key, Sign: sign, Reason: reason})
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(r)
		}
		return a.fields("object", r.ID, "version", r.Version, "party", r.Party, "accord", r.Accord, "state", r.State, "by", r.By, "reason", r.Reason)
	})
}
