package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/fault"
	"entente/internal/surface/api"
)

const (
	firstWait = time.Second
	maxWait   = 30 * time.Second
)

func (a *app) watchCmd() *cobra.Command {
	var types []string
	var after string
	c := &cobra.Command{Use: "watch", Short: "See what comes to a running node, as it comes", Args: cobra.NoArgs,
		Long: `Print what comes to a running node that you may have, a line each, until it is ended: objects that are added or get another label, objects that were told
and are gone, and for auditors what people do. When the connection breaks, it is taken up again where it was. With --json, every line has the id after
which --after goes on another time.`,
		Example: `  entente watch --server https://node:8443 --token-file token --type indicator,malware
  entente watch --data DIR --json`}
	c.Flags().StringSliceVar(&types, "type", nil, "only objects of these `TYPES`")
	c.Flags().StringVar(&after, "after", "", "go on after the event with this `ID`")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		wait := firstWait
		for {
			err := n.Watch(ctx, after, types, func(id string, l api.Live) error {
				after, wait = id, firstWait
				return a.live(id, l)
			})
			if ctx.Err() != nil {
				return nil
			}
			if k := fault.Of(err); k != fault.Unavailable && k != fault.Throttled {
				return err
			}
			a.say("%v; trying again in %s", err, wait)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(wait):
			}
			wait = min(2*wait, maxWait)
		}
	})
}

// live prints one event. One that only says where the stream is, is for machines.
func (a *app) live(id string, l api.Live) error {
	if a.asJSON {
		return a.line(struct {
			After string `json:"after"`
			api.Live
		}{id, l})
	}
	var err error
	switch {
	case l.Object != nil:
		_, err = fmt.Fprintf(a.out, "%s  %-12s %s %s\n", when(l.Object.Added), l.Object.Label.TLP, clean(l.Object.ID), clean(l.Object.Version))
	case l.Removed != nil:
		_, err = fmt.Fprintf(a.out, "%s  gone         %s %s\n", when(time.Now()), clean(l.Removed.ID), clean(l.Removed.Version))
	case l.Act != nil:
		_, err = fmt.Fprintf(a.out, "%s  %s %s %s %s\n", when(l.Act.At), clean(l.Act.Actor), clean(l.Act.Verb), clean(l.Act.Target), clean(l.Act.Detail))
	}
	return err
}
