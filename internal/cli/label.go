package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"entente/internal/surface/api"
)

func (a *app) labelCmd() *cobra.Command {
	var in api.PutLabel
	var dry, sure bool
	c := &cobra.Command{Use: "label ID LABEL", Short: "Put an own object under another label", Args: cobra.ExactArgs(2),
		Long: `Put an object of the own organisation under another label, every version or one. Who may write may make a label stricter; making it looser is for officers.
No label goes below what the object itself says by its markings: that takes a new version. What others were given before stays with them.`,
		Example: `  entente object label --data DIR --dry-run indicator--… tlp:amber
  entente object label --data DIR --reason "agreed with the source" indicator--… tlp:green,pap:green`}
	c.Flags().StringVar(&in.Version, "version", "", "only the `VERSION`, by its modified")
	c.Flags().StringVar(&in.Reason, "reason", "", "why, for the journal")
	c.Flags().BoolVar(&dry, "dry-run", false, "only say what would change")
	c.Flags().BoolVar(&sure, "yes", false, "do not ask before a label becomes looser")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		in.Label = args[1]
		done, err := n.Relabel(ctx, args[0], in, true)
		if err != nil {
			return err
		}
		looser := false
		for _, d := range done {
			looser = looser || d.Looser
		}
		if !dry && looser && !sure {
			if err := a.confirm("More people may have "+args[0]+" afterwards, and what they were given cannot be taken back.", args[0]); err != nil {
				return err
			}
		}
		if !dry {
			if done, err = n.Relabel(ctx, args[0], in, false); err != nil {
				return err
			}
		}
		verb := "is"
		if dry {
			verb = "would be"
		}
		for _, d := range done {
			if a.asJSON {
				if err := a.line(d); err != nil {
					return err
				}
				continue
			}
			more := ""
			if d.Looser {
				more = ", looser than before"
			}
			fmt.Fprintf(a.out, "%s %s: was %s, %s %s%s\n", clean(d.ID), clean(d.Version), d.From.TLP, verb, d.To.TLP, more)
		}
		if len(done) == 0 && !a.asJSON {
			a.say("nothing to change: it has this label already")
		}
		return nil
	})
}
