package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/internal/surface/api"
)

func (a *app) simulateCmd() *cobra.Command {
	var object, dir, lang string
	c := &cobra.Command{Use: "simulate NAME --object ID", Short: "Say what each party of an accord would be given of an object now, and why", Args: cobra.ExactArgs(1),
		Long: `Say what each party of an accord would be given of an own object now, byte for byte, and why: every reason for (+) and against (-), clause by clause. Nothing is given.
With --out the exact bytes are written, a file for each party; with --json they are in body, in base64. The exit code is 1 when no party would be given it.`,
		Example: "  entente accord simulate --data DIR uto-rur --object indicator--… --out what-they-get"}
	c.Flags().StringVar(&object, "object", "", "`ID` of the object")
	c.Flags().StringVar(&dir, "out", "", "`DIR` to write what each party would get into; it is made if need be")
	speaks(c, &lang)
	c.MarkFlagRequired("object")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		all, err := n.Speaking(lang).Simulate(ctx, object, args[0])
		if err != nil {
			return err
		}
		if dir != "" {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
		}
		given := false
		for _, j := range all {
			given = given || j.Permit
			if a.asJSON {
				err = a.line(j)
			} else {
				a.judged(j, true)
			}
			if err == nil && dir != "" && j.Permit {
				err = os.WriteFile(filepath.Join(dir, fileName(j.Party)+".json"), j.Body, 0o600)
			}
			if err != nil {
				return err
			}
		}
		if !given {
			return no()
		}
		return nil
	})
}

// fileName makes a party's name one of a file.
func fileName(party string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '.' {
			return r
		}
		return '-'
	}, party)
}

// judged shows what a party would be given, and why: with every reason, or with what stands against it.
func (a *app) judged(j federation.Judged, every bool) {
	switch {
	case j.Permit:
		fmt.Fprintf(a.out, "%s would be given it %s, %s, by %s\n", clean(j.Party), map[string]string{"full": "whole", "reduced": "reduced"}[j.Class], size(int64(len(j.Body))), clean(j.Clause))
	case j.Waits && j.Why == "":
		fmt.Fprintf(a.out, "%s would be given it %s once a release officer has signed\n", clean(j.Party), map[string]string{"full": "whole", "reduced": "reduced"}[j.Class])
	default:
		fmt.Fprintf(a.out, "%s would not be given it\n", clean(j.Party))
	}
	if j.Label != nil && every {
		fmt.Fprintf(a.out, "  under %s, PAP %s, onward %s\n", j.Label.TLP, strings.TrimPrefix(j.Label.PAP.String(), "PAP:"), j.Label.Onward)
	}
	for _, r := range j.Removed {
		fmt.Fprintf(a.out, "  without %s\n", clean(r))
	}
	if j.Why != "" {
		fmt.Fprintf(a.out, "  - %s\n", clean(j.Why))
	}
	if !every {
		if j.Permit {
			return
		}
		for _, r := range against(j.Reasons) {
			fmt.Fprintf(a.out, "  - %s [%s]\n", clean(r.Sentence), r.Code)
		}
		return
	}
	var rows [][]string
	for _, r := range j.Reasons {
		mark := "+"
		if !r.Permit {
			mark = "-"
		}
		rows = append(rows, []string{"  " + mark, clauseOf(r.Clause), r.Sentence, r.Code})
	}
	_ = a.table([]string{"", "CLAUSE", "REASON", "CODE"}, rows)
}

// against are the reasons why something is not given: of clauses that are for other kinds only when no other reason is left.
func against(all []gate.Reason) (out []gate.Reason) {
	var other []gate.Reason
	for _, r := range all {
		switch {
		case r.Permit:
		case r.Code == "accord.kind":
			other = append(other, r)
		default:
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return other
	}
	return out
}

// clauseOf leaves out the accord, which everybody knows who reads it.
func clauseOf(clause string) string {
	if w := strings.Fields(clause); len(w) > 3 {
		return strings.Join(w[3:], " ")
	}
	return ""
}

func (a *app) shareCmd() *cobra.Command {
	var in api.SharingRequest
	c := &cobra.Command{Use: "share ID --accord NAME", Short: "Share an own object with the parties of an accord", Args: cobra.ExactArgs(1),
		Long: `Name the other parties of an accord, or some of them, in the audience of an own object. The accord decides whether they are given it, and how: what stands in the way is said.
With --not they are named no more, and what they were given is destroyed there.`,
		Example: `  entente object share --data DIR indicator--… --accord uto-rur
  entente object share --data DIR indicator--… --accord gulf --with KWT,OMN --reason "seen at both"
  entente object share --data DIR indicator--… --accord gulf --with OMN --not`}
	f := c.Flags()
	f.StringVar(&in.Accord, "accord", "", "`NAME` of the accord")
	f.StringSliceVar(&in.With, "with", nil, "`CODE` of a nation among its parties; all others of them without")
	f.BoolVar(&in.Not, "not", false, "they may not have it any more")
	f.StringVar(&in.Reason, "reason", "", "why, for the journal")
	f.BoolVar(&in.DryRun, "dry-run", false, "only say what would change")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		if in.Accord == "" && len(in.With) == 0 {
			return usage("with whom? Give --accord NAME, or --with NATION")
		}
		done, err := n.Share(ctx, args[0], in)
		if err != nil {
			return err
		}
		verb := "is"
		if in.DryRun {
			verb = "would be"
		}
		for _, d := range done {
			if a.asJSON {
				if err := a.line(d); err != nil {
					return err
				}
				continue
			}
			fmt.Fprintf(a.out, "%s %s: %s for %s\n", clean(d.ID), clean(d.Version), verb, clean(strings.Join(d.To.Audience.List(), ", ")))
		}
		if a.asJSON {
			return nil
		}
		if len(done) == 0 {
			a.say("nothing to change: the object names them already, or not at all")
		}
		if in.DryRun || in.Not || in.Accord == "" {
			return nil
		}
		all, err := n.Simulate(ctx, args[0], in.Accord)
		if err != nil { // it is shared; who may not ask what follows is not told
			a.say("%s", clean(err.Error()))
			return nil
		}
		for _, j := range all {
			a.judged(j, false)
		}
		return nil
	})
}

func (a *app) retractCmd() *cobra.Command {
	var reason string
	var sure bool
	c := &cobra.Command{Use: "retract ID", Short: "Tell everybody who was given an own object that it was wrong", Args: cobra.ExactArgs(1),
		Long: "Tell everybody who was given an own object that it was wrong: they take it out, and say so in a signed receipt. It stays here. To have it destroyed everywhere, purge it."}
	c.Flags().StringVar(&reason, "reason", "", "`TEXT` that the receivers read")
	c.Flags().BoolVar(&sure, "yes", false, "do not ask")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		if !sure {
			if err := a.confirm("Everybody who was given "+args[0]+" takes it out, and this version is not given again.", args[0]); err != nil {
				return err
			}
		}
		orders, err := n.Retract(ctx, args[0], reason)
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(api.Orders{Orders: orders})
		}
		if orders == 0 {
			a.say("nobody was given it")
			return nil
		}
		a.say("orders sent: %d; for the receipts: entente object holders %s", orders, clean(args[0]))
		return nil
	})
}

func (a *app) holdersCmd() *cobra.Command {
	c := &cobra.Command{Use: "holders ID", Short: "List who was given an object, by which clause, and what became of it there", Args: cobra.ExactArgs(1),
		Long: "List who was given an object and by which clause; then every leaf of an audience log that is about it, with what the receivers say they did, in receipts that they signed. With --json those are lines with the member log."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		holders, unheld := n.Holders(ctx, args[0])
		given, err := n.Given(ctx, args[0])
		if unheld != nil && (err != nil || len(given) == 0) {
			return unheld
		}
		if unheld == nil {
			if err := listing(a, []string{"PARTY", "VERSION", "AT", "CLAUSE"}, over(holders, nil), func(h store.Holding) []string {
				return []string{h.Party, h.Version, when(h.At), h.Clause}
			}); err != nil {
				return err
			}
		}
		if kind := fault.Of(err); err != nil && (kind == fault.Forbidden || kind == fault.NotFound) || err == nil && len(given) == 0 {
			return nil // who keeps the audit trail may not ask, and others gave it
		}
		if !a.asJSON && unheld == nil {
			fmt.Fprintln(a.out)
		}
		return listing(a, []string{"ACCORD", "DID", "FOR", "VERSION", "AT", "RECEIPTS"}, over(given, err), func(g federation.Given) []string {
			var acts []string
			for _, x := range g.Acts {
				acts = append(acts, strings.TrimSpace(nameOf(x.Party)+" "+x.Did+" "+x.Code))
			}
			did := g.Kind
			if g.Class == "reduced" {
				did += " reduced"
			}
			var parties []string
			for _, p := range g.Parties {
				parties = append(parties, nameOf(p))
			}
			return []string{g.Accord, did, strings.Join(parties, ", "), g.Version, when(g.At), strings.Join(acts, "; ")}
		})
	})
}

// nameOf is an organisation as people write it.
func nameOf(principal string) string { return strings.TrimPrefix(principal, "org:") }
