package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"entente/accord"
	"entente/internal/accords"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/internal/surface/api"
)

func (a *app) simulateCmd() *cobra.Command {
	var object, dir, lang string
	c := &cobra.Command{Use: "simulate NAME|FILE ID", Short: "Say what each party of an accord would be given of an object now, and why", Args: cobra.RangeArgs(1, 2),
		Long: `Say what each party of an accord is or would be given of an own object now, byte for byte, and why: every reason for (+) and against (-), clause by clause. Nothing is given.
Of a draft, a proposal, a version (NAME@2) or a text in a FILE it says what each party would be given if that were in force now, with what it is given by what is in force, and what of the text makes the difference.
With --out the exact bytes are written, a file for each party, and a file .before for what is in force where that differs; with --json they are in body, in base64. The exit code is 1 when no party would be given it.`,
		Example: `  entente accord simulate --data DIR uto-rur indicator--… --out what-they-get
  entente accord simulate --data DIR uto-rur-2.accord indicator--…`}
	c.Flags().StringVar(&object, "object", "", "`ID` of the object, where it is not the second argument")
	c.Flags().StringVar(&dir, "out", "", "`DIR` to write what each party would get into; it is made if need be")
	speaks(c, &lang)
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		if len(args) == 2 && object == "" {
			object = args[1]
		} else if len(args) == 2 || object == "" {
			return usage("of which object? Give its ID after the accord, once")
		}
		all, err := a.simulate(ctx, n.Speaking(lang), args[0], object)
		if err != nil {
			return err
		}
		if dir != "" {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
		}
		if !a.asJSON {
			a.supposes(all)
		}
		given := false
		for i := range all {
			j := &all[i]
			given = given || j.Permit
			if a.asJSON {
				err = a.line(j)
			} else {
				a.judged(j, true)
				a.before(j)
			}
			if err == nil && dir != "" {
				err = writeJudged(dir, j)
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

// simulate asks about an accord of the node, or about a text in a file.
func (a *app) simulate(ctx context.Context, n *api.Client, arg, object string) ([]federation.Judged, error) {
	if !isFile(arg) {
		name, version, err := accordName(arg)
		if err != nil {
			return nil, err
		}
		return n.Simulate(ctx, object, name, version)
	}
	src, err := a.accordFile(arg)
	if err != nil {
		return nil, err
	}
	text, err := textOf(src)
	if err != nil {
		return nil, err
	}
	if _, err := accord.Parse(arg, text); err != nil { // with the file's name and places
		return nil, a.misread(err)
	}
	return n.Suppose(ctx, object, src)
}

// supposes says when what follows is not so now.
func (a *app) supposes(all []federation.Judged) {
	if len(all) > 0 && all[0].Suppose {
		fmt.Fprintf(a.out, "%s version %d is %s. What follows is as if it were in force now.\n", clean(all[0].Accord), all[0].Version, phases[all[0].Phase])
	}
}

var phases = map[accords.Phase]string{accords.Draft: "a draft", accords.Proposed: "proposed, and not signed by all", accords.Signed: "signed, and begins later", accords.Active: "in force, and not at every party yet",
	accords.Suspended: "suspended", accords.Superseded: "superseded", accords.Ended: "ended"}

// before shows what a party is given by what is in force, beside what was supposed, and what of the text makes the difference.
func (a *app) before(j *federation.Judged) {
	if j.Before != nil {
		fmt.Fprint(a.out, "  by what is in force: ")
		a.judged(j.Before, false)
	}
	for _, ch := range j.Changes {
		fmt.Fprintf(a.out, "  %s %s\n", markOf(ch.Way), clean(ch.Text))
	}
}

// writeJudged writes the bytes that a party would be given, and where those of what is in force differ, these too.
func writeJudged(dir string, j *federation.Judged) error {
	path := filepath.Join(dir, fileName(j.Party))
	if b := j.Before; b != nil && b.Permit && !bytes.Equal(b.Body, j.Body) {
		if err := os.WriteFile(path+".before.json", b.Body, 0o600); err != nil {
			return err
		}
	}
	if !j.Permit {
		return nil
	}
	return os.WriteFile(path+".json", j.Body, 0o600)
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
func (a *app) judged(j *federation.Judged, every bool) {
	whole := map[string]string{"full": "whole", "reduced": "reduced"}[j.Class]
	switch {
	case j.Has:
		fmt.Fprintf(a.out, "%s was given it %s, %s, by %s\n", clean(j.Party), whole, size(int64(len(j.Body))), clean(j.Clause))
	case j.Permit:
		fmt.Fprintf(a.out, "%s would be given it %s, %s, by %s\n", clean(j.Party), whole, size(int64(len(j.Body))), clean(j.Clause))
	case j.Waits && j.Why == "":
		fmt.Fprintf(a.out, "%s would be given it %s once a release officer has signed\n", clean(j.Party), whole)
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
		all, err := n.Simulate(ctx, args[0], in.Accord, 0)
		if err != nil { // it is shared; who may not ask what follows is not told
			a.say("%s", clean(err.Error()))
			return nil
		}
		a.supposes(all)
		for i := range all {
			a.judged(&all[i], false)
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
