package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"entente/internal/surface/api"
)

func (a *app) quarantineCmd() *cobra.Command {
	c := &cobra.Command{Use: "quarantine", Short: "Decide on records in quarantine",
		Long: "Records whose markings contradict themselves, cannot be understood or cannot be found wait in quarantine, where only their submitter's organisation sees them. A record is named by its id there, or by its object's id while only one version of it waits."}
	list := &cobra.Command{Use: "list", Short: "List records in quarantine", Args: cobra.NoArgs}
	a.onNode(list, func(ctx context.Context, n *api.Client, _ []string) error {
		return listing(a, []string{"OBJECT", "VERSION", "SINCE", "FROM", "REASONS"}, func(each func(api.Held) error) error { return n.Quarantine(ctx, each) }, func(h api.Held) []string {
			var codes []string
			for _, r := range h.Reasons {
				codes = append(codes, r.Code)
			}
			return []string{h.Object.ID, h.Object.Version, when(h.Since), origin(h), strings.Join(codes, ",")}
		})
	})
	show := &cobra.Command{Use: "show ID", Short: "Show a record in quarantine, with every reason", Args: cobra.ExactArgs(1)}
	a.onNode(show, func(ctx context.Context, n *api.Client, args []string) error {
		h, err := n.Held(ctx, args[0])
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(h)
		}
		if err := a.fields("id", h.ID, "object", h.Object.ID, "version", h.Object.Version, "since", when(h.Since), "from", origin(h),
			"intended", h.Intended.TLP.String(), "awaits", strings.Join(h.Awaits, ", ")); err != nil {
			return err
		}
		for _, r := range h.Reasons {
			fmt.Fprintf(a.out, "reason: %s [%s]\n", clean(r.Message), r.Code)
		}
		_, err = fmt.Fprintf(a.out, "%s\n", clean(string(h.Object.Object)))
		return err
	})
	var as string
	release := &cobra.Command{Use: "release ID", Short: "Let a record out", Args: cobra.ExactArgs(1),
		Long: "Let a record out of quarantine, under the label that its markings intend, or under another."}
	release.Flags().StringVar(&as, "label", "", "`LABEL` to let it out under, for example tlp:amber")
	a.onNode(release, func(ctx context.Context, n *api.Client, args []string) error {
		l, err := api.ParseLabel(as, true)
		if err != nil {
			return err
		}
		return n.Release(ctx, args[0], api.ReleaseHeld{Label: l})
	})
	refuse := &cobra.Command{Use: "refuse ID", Short: "Destroy a record in quarantine", Args: cobra.ExactArgs(1)}
	a.onNode(refuse, func(ctx context.Context, n *api.Client, args []string) error { return n.Refuse(ctx, args[0]) })
	c.AddCommand(list, show, release, refuse)
	return c
}

func origin(h api.Held) string {
	if h.Object.Origin == nil {
		return ""
	}
	return h.Object.Origin.Nation + "/" + h.Object.Origin.Org
}
