package cli

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"entente/internal/notify"
	"entente/internal/surface/api"
)

func (a *app) alertCmd() *cobra.Command {
	c := &cobra.Command{Use: "alert", Short: "See and handle alerts about constituents",
		Long: "An alert says that an object concerns an address range, a domain, a certificate or a product of a constituent. See docs/notifications.md."}
	var states []string
	var constituent, severity, sort string
	list := &cobra.Command{Use: "list", Short: "List alerts", Args: cobra.NoArgs}
	list.Flags().StringSliceVar(&states, "state", nil, "only alerts that are new, taken or closed")
	list.Flags().StringVar(&constituent, "constituent", "", "only alerts about the constituent with this `ID`")
	list.Flags().StringVar(&severity, "severity", "", "only alerts of this severity and above: low, medium, high or critical")
	list.Flags().StringVar(&sort, "sort", "newest", "newest first, or severity: the most severe and of those the newest")
	a.onNode(list, func(ctx context.Context, n *api.Client, _ []string) error {
		return listing(a, []string{"ALERT", "AT", "SEVERITY", "STATE", "CONSTITUENT", "OBJECT", "ASSETS", "ASSIGNEE"}, func(each func(notify.Alert) error) error {
			return n.Alerts(ctx, about(states, constituent, severity, sort), each)
		}, func(v notify.Alert) []string {
			return []string{v.ID, when(v.At), string(v.Severity), string(v.State), short(v.Name, 30), short(v.Title, 40), short(assets(v.Matches), 40), v.Assignee}
		})
	})
	show := &cobra.Command{Use: "show ID", Short: "Show an alert", Args: cobra.ExactArgs(1)}
	a.onNode(show, func(ctx context.Context, n *api.Client, args []string) error {
		v, err := n.Alert(ctx, args[0])
		if err != nil {
			return err
		}
		return a.showAlert(v)
	})
	var note string
	take := &cobra.Command{Use: "take ID", Short: "Take an alert to handle it", Args: cobra.ExactArgs(1)}
	take.Flags().StringVar(&note, "note", "", "a `TEXT` to add to the notes")
	a.onNode(take, func(ctx context.Context, n *api.Client, args []string) error {
		v, err := n.ChangeAlert(ctx, args[0], notify.ChangeAlert{State: notify.AlertTaken, Note: note})
		if err != nil {
			return err
		}
		return a.showAlert(v)
	})
	var reason, last string
	shut := &cobra.Command{Use: "close ID", Short: "Close an alert", Args: cobra.ExactArgs(1), Long: "Close an alert and say why. Drafts about it stay: discard them too where nobody is to be told."}
	shut.Flags().StringVar(&reason, "reason", "", "why it is closed (required)")
	shut.Flags().StringVar(&last, "note", "", "a `TEXT` to add to the notes")
	_ = shut.MarkFlagRequired("reason")
	a.onNode(shut, func(ctx context.Context, n *api.Client, args []string) error {
		v, err := n.ChangeAlert(ctx, args[0], notify.ChangeAlert{State: notify.AlertClosed, Reason: reason, Note: last})
		if err != nil {
			return err
		}
		return a.showAlert(v)
	})
	c.AddCommand(list, show, take, shut)
	return c
}

// about is the query of a list.
func about(states []string, constituent, severity, sort string) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"state": strings.Join(states, ","), "constituent": constituent, "severity": severity, "sort": sort} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

func assets(list []notify.Match) string {
	var out []string
	for _, m := range list {
		out = append(out, m.Asset)
	}
	return strings.Join(out, ", ")
}

func (a *app) showAlert(v notify.Alert) error {
	if a.asJSON {
		return a.line(v)
	}
	if err := a.fields("id", v.ID, "at", when(v.At), "severity", string(v.Severity), "state", string(v.State), "reason", v.Reason, "assignee", v.Assignee, "constituent", v.Name+" ("+v.Constituent+")",
		"object", v.Title+" ("+v.Object+")", "version", v.Version, "versions", strconv.Itoa(v.Versions), "tlp", v.TLP, "source", v.Source, "problem", v.Problem,
		"notifications", strings.Join(v.Notifications, ", ")); err != nil {
		return err
	}
	for _, m := range v.Matches {
		fmt.Fprintf(a.out, "  %s %s: %s %s\n", m.Kind, clean(m.Asset), m.How, clean(m.Value))
	}
	for _, n := range v.Notes {
		fmt.Fprintf(a.out, "  note by %s at %s: %s\n", clean(n.By), when(n.At), clean(n.Text))
	}
	return nil
}
