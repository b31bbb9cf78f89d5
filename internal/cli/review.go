package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"entente/internal/surface/api"
)

func (a *app) reviewCmd() *cobra.Command {
	c := &cobra.Command{Use: "review FILE", Short: "See what a text or a file contains, and store nothing", Args: cobra.ExactArgs(1),
		Long: `See what a file contains before it is imported; - is the standard input. Of STIX and MISP, the objects, whether they are here already, and which rules
they break; of any other text, the addresses, names, hashes, vulnerabilities and techniques that stand in it, defanged or not.`,
		Example: `  entente object review --data DIR report.txt
  entente object review --data DIR --json bundle.json`}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		in, closeIn, err := openInput(a.in, args[0])
		if err != nil {
			return err
		}
		defer closeIn()
		r, err := n.Review(ctx, in)
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(r)
		}
		if r.Kind == "text" {
			return a.foundTable(r)
		}
		return a.itemTable(r)
	})
}

func (a *app) foundTable(r api.Review) error {
	var rows [][]string
	for _, f := range r.Found {
		here := ""
		if f.Here > 0 {
			here = strconv.Itoa(f.Here)
		}
		rows = append(rows, []string{f.Kind, short(f.Value, 100), strconv.Itoa(f.Line), strconv.Itoa(f.Times), here, f.Means})
	}
	if err := a.table([]string{"KIND", "VALUE", "LINE", "TIMES", "HERE", "NOTE"}, rows); err != nil {
		return err
	}
	if r.Cut {
		a.say("there are more values than are shown")
	}
	return nil
}

func (a *app) itemTable(r api.Review) error {
	for _, e := range r.Events {
		fmt.Fprintf(a.out, "event %s %q of %s: %s attributes\n", clean(e.UUID), clean(e.Info), clean(e.Org), count(int64(e.Attributes)))
	}
	var types []string
	for _, t := range slices.Sorted(maps.Keys(r.Types)) {
		types = append(types, count(int64(r.Types[t]))+" "+clean(t))
	}
	fmt.Fprintf(a.out, "%s objects: %s\n", count(int64(r.Objects)), strings.Join(types, ", "))
	states := map[string]int{}
	for _, i := range r.Items {
		states[i.State]++
		for _, f := range i.Findings {
			if i.State == "unusable" && f.Level == "error" {
				fmt.Fprintf(a.out, "unusable: %s %s: %s [%s]\n", clean(i.ID), clean(f.Pointer), clean(f.Message), clean(f.Code))
			}
		}
	}
	var parts []string
	for _, s := range []string{"new", "newer", "present", "older", "unusable"} {
		if states[s] > 0 {
			parts = append(parts, count(int64(states[s]))+" "+s)
		}
	}
	of := ""
	if r.Objects > len(r.Items) {
		of = " of the first " + count(int64(len(r.Items)))
	}
	fmt.Fprintf(a.out, "%s%s\n", strings.Join(parts, ", "), of)
	for _, l := range r.Losses[:min(len(r.Losses), shownOutcomes)] {
		fmt.Fprintf(a.out, "lost in the conversion: %s %s: %s\n", clean(l.ID), clean(l.Pointer), clean(l.Message))
	}
	if len(r.Losses) > shownOutcomes {
		fmt.Fprintf(a.out, "… and %s more; --json lists them\n", count(int64(len(r.Losses)-shownOutcomes)))
	}
	return nil
}
