package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"entente/accord"
	"entente/internal/accords"
	"entente/internal/surface/api"
)

func (a *app) accordCmd() *cobra.Command {
	c := &cobra.Command{Use: "accord", Short: "Write, check, sign and exchange accords, and see what they let pass",
		Long: `Write, check, sign and exchange accords: agreements between nations that nodes enforce. NAME is an accord's name, NAME@2 its second version, sha256:… one text.
See docs/accords.md.`}
	c.AddCommand(a.newAccordCmd(), a.checkAccordCmd(), a.formatAccordCmd(), a.explainAccordCmd(), a.diffAccordCmd(), a.addAccordCmd(), a.accordSignCmd(), a.verifyAccordCmd(),
		a.listAccordsCmd(), a.showAccordCmd(), a.exportAccordCmd(), a.simulateCmd(),
		a.noticeCmd(accord.Suspend, "Suspend an accord: nothing flows under it until it is resumed", false),
		a.noticeCmd(accord.Resume, "Take back the own nation's suspension", false),
		a.noticeCmd(accord.Terminate, "End an accord for all its parties, after its notice", true),
		a.noticeCmd(accord.Withdraw, "Leave an accord, after its notice", true),
		a.noticeCmd(accord.Decline, "Decline to sign an accord that others propose", true))
	return c
}

// accordView shows one version of an accord.
func (a *app) accordView(v accords.View) error {
	if a.asJSON {
		return a.line(v)
	}
	meets := ""
	if v.Meets > 0 {
		meets = fmt.Sprintf("together with version %d, until every party has this one", v.Meets)
	}
	expires := "never"
	if !v.Expires.IsZero() {
		expires = when(v.Expires)
	}
	if err := a.fields("accord", v.Name, "title", v.Title, "version", strconv.Itoa(v.Version), "phase", string(v.Phase), "counts", meets, "effective", when(v.Effective), "expires", expires,
		"digest", v.Digest); err != nil {
		return err
	}
	if err := a.signatures(v.Parties); err != nil {
		return err
	}
	for _, n := range v.Notices {
		fmt.Fprintf(a.out, "%s %s: %s %s\n", when(n.At), clean(n.Party), n.Verb, clean(n.Reason))
	}
	return nil
}

// signatures shows how far the parties are.
func (a *app) signatures(parties []accords.PartyView) error {
	var rows [][]string
	for _, p := range parties {
		rows = append(rows, []string{p.Nation, p.Org, fmt.Sprintf("%d of %d", p.Have, p.Need), strings.Join(p.Who, ", "), yes(p.Held, "has it signed by all")})
	}
	return a.table([]string{"PARTY", "ORGANISATION", "SIGNATURES", "SIGNED BY", "ITS NODE"}, rows)
}

func (a *app) addAccordCmd() *cobra.Command {
	c := &cobra.Command{Use: "add FILE", Short: "Keep an accord at the node: a text, or a file with signatures", Args: cobra.ExactArgs(1),
		Long: "Keep an accord at the node. A text becomes a draft; signatures of a file that another party sent join those that are here. - is the standard input."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		v, err := a.addAccord(ctx, n, args[0])
		if err != nil {
			return err
		}
		return a.accordView(v)
	})
}

func (a *app) addAccord(ctx context.Context, n *api.Client, path string) (accords.View, error) {
	src, err := a.accordFile(path)
	if err != nil {
		return accords.View{}, err
	}
	if text, err := textOf(src); err != nil {
		return accords.View{}, err
	} else if _, err := accord.Parse(path, text); err != nil { // with the file's name and places
		return accords.View{}, a.misread(err)
	}
	return n.AddAccord(ctx, src)
}

func (a *app) accordSignCmd() *cobra.Command {
	var sure bool
	var lang string
	c := &cobra.Command{Use: "sign NAME|FILE", Short: "Sign an accord for the own organisation", Args: cobra.ExactArgs(1),
		Long: `Sign an accord for the own organisation. A file is added first. What is to be signed is shown in sentences, with the digest and with what changes against the version before, and asked for.
A signature cannot be taken back: whoever has the signed text can show it. Partners' nodes are told by themselves; to carry the file by hand, export it.`}
	c.Flags().BoolVar(&sure, "yes", false, "do not ask")
	speaks(c, &lang)
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		name, version, err := accordName(args[0])
		if isFile(args[0]) {
			var v accords.View
			v, err = a.addAccord(ctx, n, args[0])
			name, version = v.Digest, 0
		}
		if err != nil {
			return err
		}
		page, err := n.Accord(ctx, name, version, lang)
		if err != nil {
			return err
		}
		if !a.asJSON {
			if err := a.sentences(page.Sentences); err != nil {
				return err
			}
			if len(page.Changes) > 0 {
				fmt.Fprintf(a.out, "\nagainst version %d:\n", page.Version-1)
				if err := a.changes(page.Changes); err != nil {
					return err
				}
			}
			fmt.Fprintf(a.out, "\n%s version %d, %s\n\n", clean(page.Name), page.Version, page.Digest)
		}
		if !sure {
			if err := a.confirm("This signs version "+strconv.Itoa(page.Version)+" of "+page.Name+", and cannot be taken back.", page.Name); err != nil {
				return err
			}
		}
		v, err := n.SignAccord(ctx, page.Digest, 0) // what was shown, and nothing else
		if err != nil {
			return err
		}
		return a.accordView(v)
	})
}

func (a *app) verifyAccordCmd() *cobra.Command {
	c := &cobra.Command{Use: "verify FILE", Short: "Say whose signatures on an accord hold", Args: cobra.ExactArgs(1),
		Long: "Say whose signatures under a file hold, by the key logs of the nations that the node knows. Nothing is kept. The exit code is 1 unless every party has signed."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		src, err := a.accordFile(args[0])
		if err != nil {
			return err
		}
		if len(src) == 0 || src[0] != '{' {
			return usage("%s is a text without signatures: export one with entente accord export", args[0])
		}
		r, err := n.ReviewAccord(ctx, src, "")
		if err != nil {
			return err
		}
		if len(r.Errors) > 0 {
			return unfit(fmt.Errorf("%s: %s", args[0], r.Errors[0].Message))
		}
		complete := true
		for _, p := range r.Parties {
			complete = complete && p.Have >= p.Need
			if a.asJSON {
				if err := a.line(p); err != nil {
					return err
				}
			}
		}
		if !a.asJSON {
			if err := a.signatures(r.Parties); err != nil {
				return err
			}
		}
		if !complete {
			return no()
		}
		return nil
	})
}

func (a *app) listAccordsCmd() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the accords of the node, every version", Args: cobra.NoArgs}
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		return listing(a, []string{"ACCORD", "VERSION", "PHASE", "SIGNED BY", "TO SIGN", "EFFECTIVE", "EXPIRES"}, over(n.Accords(ctx)), func(v accords.View) []string {
			var signed, open []string
			for _, p := range v.Parties {
				if p.Have >= p.Need {
					signed = append(signed, p.Nation)
				} else {
					open = append(open, p.Nation)
				}
			}
			return []string{v.Name, strconv.Itoa(v.Version), string(v.Phase), strings.Join(signed, ","), strings.Join(open, ","), when(v.Effective), when(v.Expires)}
		})
	})
}

func (a *app) showAccordCmd() *cobra.Command {
	var text bool
	var lang string
	c := &cobra.Command{Use: "show NAME", Short: "Show an accord: its phase, who signed it, and what was said about it", Args: cobra.ExactArgs(1)}
	c.Flags().BoolVar(&text, "text", false, "print the text alone, in its canonical form")
	speaks(c, &lang)
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		name, version, err := accordName(args[0])
		if err != nil {
			return err
		}
		page, err := n.Accord(ctx, name, version, lang)
		switch {
		case err != nil:
			return err
		case text:
			_, err = io.WriteString(a.out, page.Text)
			return err
		case a.asJSON:
			return a.line(page)
		}
		if err := a.accordView(page.View); err != nil || len(page.Changes) == 0 {
			return err
		}
		fmt.Fprintf(a.out, "against version %d:\n", page.Version-1)
		return a.changes(page.Changes)
	})
}

func (a *app) exportAccordCmd() *cobra.Command {
	c := &cobra.Command{Use: "export NAME", Short: "Print an accord's file: the text and the signatures that are here", Args: cobra.ExactArgs(1),
		Example: "  entente accord export --data DIR uto-rur > uto-rur.json"}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		name, version, err := accordName(args[0])
		if err != nil {
			return err
		}
		return n.AccordFile(ctx, name, version, a.out)
	})
}

// noticeCmd states something about an accord in force.
func (a *app) noticeCmd(verb accord.Verb, short string, asks bool) *cobra.Command {
	var reason string
	var sure bool
	c := &cobra.Command{Use: string(verb) + " NAME", Short: short, Args: cobra.ExactArgs(1),
		Long: short + ". It is a signed statement of the own nation, which the other parties' nodes are told."}
	c.Flags().StringVar(&reason, "reason", "", "`TEXT` that the other parties read")
	if asks {
		c.Flags().BoolVar(&sure, "yes", false, "do not ask")
	}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		if asks && !sure {
			if err := a.confirm(short+". It cannot be taken back.", args[0]); err != nil {
				return err
			}
		}
		name, version, err := accordName(args[0])
		if err != nil {
			return err
		}
		if version > 0 {
			page, err := n.Accord(ctx, name, version, "")
			if err != nil {
				return err
			}
			name = page.Digest
		}
		v, err := n.NotifyAccord(ctx, name, verb, reason)
		if err != nil {
			return err
		}
		return a.accordView(v)
	})
}
