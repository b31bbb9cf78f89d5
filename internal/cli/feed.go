package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/feed"
	"entente/internal/surface/api"
)

func (a *app) feedCmd() *cobra.Command {
	c := &cobra.Command{Use: "feed", Short: "See and run feeds",
		Long: "Feeds bring intelligence from TAXII collections, STIX bundles, MISP feeds, lists, tables and catalogues, and push to the servers of others. They are configured in entente.toml: see docs/feeds.md."}
	list := &cobra.Command{Use: "list", Short: "List feeds with how they are", Args: cobra.NoArgs}
	a.onNode(list, func(ctx context.Context, n *api.Client, _ []string) error {
		return listing(a, []string{"NAME", "KIND", "HEALTH", "SCHEDULE", "LAST RUN", "NEXT", "BROUGHT"}, over(n.Feeds(ctx)), func(v feed.View) []string {
			last, brought := "", ""
			if len(v.Runs) > 0 {
				last, brought = when(v.Runs[0].Ended), outcome(v.Runs[0])
			}
			return []string{v.Name, v.Kind, v.Health, v.Schedule, last, when(v.Next), short(brought, 80)}
		})
	})
	show := &cobra.Command{Use: "show NAME", Short: "Show a feed with its last runs", Args: cobra.ExactArgs(1)}
	a.onNode(show, func(ctx context.Context, n *api.Client, args []string) error {
		v, err := n.Feed(ctx, args[0])
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(v)
		}
		failures := ""
		if v.Failures > 0 {
			failures = fmt.Sprintf("%d, one after another", v.Failures)
		}
		if err := a.fields("name", v.Name, "kind", v.Kind, "address", v.Address, "remote", v.Remote, "collection", v.Collection, "label", v.Label, "to", v.To, "schedule", v.Schedule,
			"health", v.Health, "failures", failures, "next", when(v.Next), "succeeded", when(v.Succeeded), "polled to", when(v.Polled)); err != nil {
			return err
		}
		for _, r := range v.Runs {
			a.report(r)
		}
		return nil
	})
	run := &cobra.Command{Use: "run NAME", Short: "Run a feed now", Args: cobra.ExactArgs(1),
		Long: "Run a feed now, whatever its schedule, and say what it brought. The exit code is 1 when the source failed."}
	a.onNode(run, func(ctx context.Context, n *api.Client, args []string) error {
		return a.runFeed(ctx, n, args[0], false)
	})
	test := &cobra.Command{Use: "test NAME", Short: "Run a feed without storing anything", Args: cobra.ExactArgs(1),
		Long: "Fetch what a feed would bring, say what would become of it and show the first objects. Nothing is stored or sent, and the feed does not go on from there."}
	a.onNode(test, func(ctx context.Context, n *api.Client, args []string) error { return a.runFeed(ctx, n, args[0], true) })
	c.AddCommand(list, show, run, test)
	return c
}

func (a *app) runFeed(ctx context.Context, n *api.Client, name string, dry bool) error {
	r, err := n.RunFeed(ctx, name, dry)
	if err != nil {
		return err
	}
	if a.asJSON {
		if err := a.line(r); err != nil {
			return err
		}
	} else {
		a.report(r)
	}
	return unless(r.Result != feed.Failed)
}

// report prints one run for people.
func (a *app) report(r feed.Report) {
	what := ""
	if r.DryRun {
		what = " (nothing was stored)"
	}
	fmt.Fprintf(a.out, "\n%s  %s by %s in %s: %s%s\n", when(r.Started), r.Result, clean(r.Trigger), r.Ended.Sub(r.Started).Round(time.Millisecond), clean(outcome(r)), what)
	for _, p := range r.Problems {
		fmt.Fprintf(a.out, "  %s %d: %s [%s]\n", p.State, p.Count, clean(cmp.Or(p.Message, p.Code)), clean(p.Code))
		for _, e := range p.Examples {
			fmt.Fprintf(a.out, "    %s\n", clean(e))
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintf(a.out, "  note: %s\n", clean(n))
	}
	for _, s := range r.Samples {
		fmt.Fprintf(a.out, "  %s\n", clean(s))
	}
	if r.Error != nil && r.Error.Do != "" {
		fmt.Fprintf(a.out, "  try: %s\n", clean(r.Error.Do))
	}
}

// outcome is what a run brought, in a line.
func outcome(r feed.Report) string {
	if r.Error != nil {
		return r.Error.Message
	}
	c := r.Counts
	var parts []string
	for _, p := range []struct {
		n    int64
		word string
	}{{c.Read, "read"}, {c.Added, "added"}, {c.Updated, "of them updated"}, {c.Gone, "of them ended"}, {c.Present, "present"}, {c.Held, "held"}, {c.Refused, "refused"}, {c.Different, "different"},
		{c.Dropped, "dropped"}, {c.Pushed, "pushed"}} {
		if p.n > 0 {
			parts = append(parts, count(p.n)+" "+p.word)
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing new")
}
