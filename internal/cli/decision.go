package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/decision"
	"entente/internal/decisions"
	"entente/internal/keyring"
	"entente/internal/surface/api"
	"entente/keylog"
)

func (a *app) decisionCmd() *cobra.Command {
	c := &cobra.Command{Use: "decision", Short: "Decide together with other nations by the rules of accords",
		Long: `Decide together with other nations by the rules of accords. ID is what list shows, or the beginning of it. See docs/decisions.md.`}
	c.AddCommand(a.listDecisionsCmd(), a.showDecisionCmd(), a.proposeCmd(), a.sayCmd(), a.secondCmd(), a.ballotCmd(), a.signBallotCmd(), a.submitCmd(), a.reportCmd(), a.certificateCmd(), a.verifyDecisionCmd(), a.weightsCmd())
	return c
}

func (a *app) listDecisionsCmd() *cobra.Command {
	var mine bool
	c := &cobra.Command{Use: "list", Short: "List joint decisions, the latest proposed first", Args: cobra.NoArgs}
	c.Flags().BoolVar(&mine, "mine", false, "only those about which the own organisation can still say something, or has to carry out")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		all, err := n.Decisions(ctx)
		if mine {
			all = slices.DeleteFunc(all, func(v decisions.View) bool {
				return !v.Mine && v.State != decisions.Started && (v.State != decisions.Decided || v.Executes)
			})
		}
		return listing(a, []string{"ID", "STATE", "ACCORD", "RULE", "BY", "DEADLINE", "OWN", "TITLE"}, over(all, err), func(v decisions.View) []string {
			rule := v.What.Rule
			if rule == "" && v.What.Action != nil { // the text of an accord is decided by signing it
				rule = v.What.Action.Do
			}
			return []string{v.ID[:16], string(v.State), v.Accord, rule, v.What.Nation, when(v.What.Deadline), string(v.Own), v.What.Title}
		})
	})
}

func (a *app) showDecisionCmd() *cobra.Command {
	c := &cobra.Command{Use: "show ID", Short: "Show a joint decision: what is proposed, what everybody said, and what is missing", Args: cobra.ExactArgs(1)}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		v, err := n.Decision(ctx, args[0])
		return a.decisionView(v, err)
	})
}

// decisionView shows a decision.
func (a *app) decisionView(v decisions.View, err error) error {
	if err != nil {
		return err
	}
	if a.asJSON {
		return a.line(v)
	}
	if err := a.fields("decision", v.ID, "state", string(v.State), "reason", v.Reason); err != nil {
		return err
	}
	if err := a.proposal(&v.What, v.Accord, v.Version, v.Rule, v.Voters); err != nil {
		return err
	}
	if c := v.Count; c != nil {
		if err := a.tally(c); err != nil {
			return err
		}
	}
	if len(v.Means) > 0 {
		fmt.Fprintln(a.out, map[bool]string{true: "changes:", false: "says:"}[v.What.Action != nil && v.What.Action.Do == "amend"])
	}
	for _, s := range v.Means {
		fmt.Fprintln(a.out, "  "+clean(s))
	}
	if v.Half != "" {
		fmt.Fprintf(a.out, "waits for another person of the organisation to sign: %s\n", v.Half)
	}
	for _, s := range v.Said {
		fmt.Fprintln(a.out, clean(strings.TrimRight(fmt.Sprintf("%s %s: %s %s%s %s", when(s.At), s.Nation, s.Kind, s.Choice, s.Did, s.Reason), " ")))
	}
	if v.Text != "" || v.By != "" {
		return a.fields("outcome", v.Text, "by", v.By, "decided", when(v.Decided))
	}
	return nil
}

func (a *app) proposal(p *decision.Proposal, accord string, version int, rule, voters []string) error {
	action, by, opens, deadline := "", "", "opens", "deadline"
	if p.Rule == "" { // the text of an accord, which is signed
		opens, deadline = "effective", "expires"
	}
	if x := p.Action; x != nil {
		action = x.Type + " " + x.Do
	}
	if p.Nation != "" {
		by = p.Org + " of " + p.Nation
	}
	if err := a.fields("title", p.Title, "action", action, "body", actionBody(p), "accord", fmt.Sprintf("%s version %d", accord, version), "rule", p.Rule, "proposed by", by,
		"about", strings.Join(p.Subject, ", "), "affects", strings.Join(p.Affected, ", "), opens, when(p.Opens), deadline, when(p.Deadline), "begun before", when(p.NotAfter), "have a vote", strings.Join(voters, ", ")); err != nil {
		return err
	}
	for _, s := range rule {
		fmt.Fprintln(a.out, "- "+clean(s))
	}
	return nil
}

// actionBody is the text of an action, where it is one.
func actionBody(p *decision.Proposal) string {
	if p.Action == nil || len(p.Action.Body) == 0 {
		return ""
	}
	if len(p.Action.Body) > 4096 {
		return fmt.Sprintf("%d bytes", len(p.Action.Body))
	}
	return string(p.Action.Body)
}

// tally says how a decision counts.
func (a *app) tally(t *decision.Tally) error {
	var rows [][]string
	for _, v := range t.Voices {
		rows = append(rows, []string{v.Nation, string(v.How), count(v.Weight), yes(v.Counts, "counts as consent"), yes(v.Decides, "its veto decides")})
	}
	if err := a.table([]string{"PARTY", "SAID", "WEIGHT", "", ""}, rows); err != nil {
		return err
	}
	for _, m := range t.Missing {
		fmt.Fprintln(a.out, "missing: "+clean(m.Text))
	}
	for _, s := range t.Reasons {
		fmt.Fprintln(a.out, clean(s))
	}
	return nil
}

func (a *app) proposeCmd() *cobra.Command {
	var w decisions.Wish
	var sure, dry bool
	var action, body, media, deadline, notAfter, weights string
	var key personKey
	c := &cobra.Command{Use: "propose ACCORD RULE TITLE", Short: "Propose something to be decided by a rule of an accord", Args: cobra.ExactArgs(3),
		Long: `Propose something to be decided by a rule of an accord. What the rule asks for is shown first, and asked for. Every party is told; a proposal cannot be taken back, only followed by another round.`,
		Example: `  entente decision propose --data DIR joint block "Block what the campaign uses" --action statement:publish --body text.txt --affects USA
  entente decision propose --data DIR joint life "Suspend until the leak is found" --action accord:suspend`}
	f := c.Flags()
	f.StringVar(&action, "action", "", "what is to be done, as `TYPE:DO`; nodes carry out accord:suspend, accord:resume and accord:terminate by themselves")
	f.StringVar(&body, "body", "", "`FILE` with what is to be done word for word, 64 KiB at most")
	f.StringVar(&media, "media", "text/plain", "media type of the body")
	f.StringSliceVar(&w.Subject, "about", nil, "`NATIONS` that it is about")
	f.StringSliceVar(&w.Affected, "affects", nil, "`NATIONS` that it affects")
	f.StringVar(&deadline, "deadline", "", "`TIME` before which positions are taken; as long as the rule gives when it is left out")
	f.StringVar(&notAfter, "begin-before", "", "`TIME` after which the action is not begun any more")
	f.StringVar(&weights, "weights", "", "`FILE` with the table of weights that the rule names")
	f.StringVar(&w.Instead, "instead", "", "`ID` of the own proposal of which this is the next round")
	key.flags(c)
	f.BoolVar(&dry, "dry-run", false, "show what it would be and take; propose nothing")
	f.BoolVar(&sure, "yes", false, "do not ask")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) (err error) {
		w.Accord, w.Rule, w.Title = args[0], args[1], args[2]
		if w.Deadline, err = timeOf("--deadline", deadline); err != nil {
			return err
		}
		if w.NotAfter, err = timeOf("--begin-before", notAfter); err != nil {
			return err
		}
		if action != "" {
			kind, do, ok := strings.Cut(action, ":")
			if !ok || kind == "" || do == "" {
				return usage("--action is TYPE:DO, for example statement:publish")
			}
			w.Action = &decision.Action{Type: kind, Do: do}
		}
		if body != "" {
			if w.Action == nil {
				return usage("--body is of an --action")
			}
			if w.Action.Body, err = a.small(body, decision.MaxBody); err != nil {
				return err
			}
			w.Action.Media = media
		}
		if weights != "" {
			b, err := a.small(weights, 1<<20)
			if err != nil {
				return err
			}
			w.Weights = string(b)
		}
		if dry || !sure || !a.asJSON {
			m, err := n.ReviewDecision(ctx, w)
			if err != nil {
				return err
			}
			if a.asJSON && dry {
				return a.line(m)
			}
			if err := a.proposal(&m.Proposal, m.Accord, m.Version, m.Rule, m.Voters); err != nil {
				return err
			}
			if m.Persons > 1 || m.Proposers > 1 {
				fmt.Fprintf(a.out, "to be proposed by %d parties, each signed by %d persons\n", m.Proposers, m.Persons)
			}
			if m.Proposal.Action != nil && !m.Executes {
				fmt.Fprintln(a.out, "a person carries it out and reports: no machine here does")
			}
		}
		if dry {
			a.say("nothing was proposed")
			return nil
		}
		if !sure {
			if err := a.confirm("This tells every party, and cannot be taken back.", w.Accord); err != nil {
				return err
			}
		}
		if key.file != "" {
			return a.proposeSigned(ctx, n, w, key)
		}
		v, err := n.Propose(ctx, w)
		return a.decisionView(v, err)
	})
}

func timeOf(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, usage("%s: %q is not a time like 2026-11-02T08:00:00Z", flag, text)
	}
	return t, nil
}

// small reads a file of a bounded size; - is the standard input.
func (a *app) small(path string, most int64) ([]byte, error) {
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && int64(len(b)) > most {
		return nil, usage("%s has more than %d bytes", path, most)
	}
	return b, err
}

func (a *app) sayCmd() *cobra.Command {
	var sure bool
	var reason string
	var key personKey
	c := &cobra.Command{Use: "say ID consent|veto|abstain|reservation", Short: "Take a position for the own organisation", Args: cobra.ExactArgs(2),
		Long: `Take a position for the own organisation. Consent and veto are final; abstain and reservation can be replaced until the deadline. What is proposed is shown, and asked for.

With --signing-key a person signs with its own key, which entente key person new made. Once the nation's key log has named such a key of the organisation, no other signature counts, and the node's own key
votes no more. Where the rule asks for several persons, each says the same: the position counts with the last signature. Where no node is, entente decision ballot and entente decision sign do it.

The text of an accord is among the decisions, too: consent signs it with the organisation's key for accords, veto declines to, and the reason is shown to the other parties.`,
		Example: "  entente decision say --data DIR 0b44a036ac5cc0a6 consent --signing-key voter.key --passphrase-file phrase"}
	key.flags(c)
	c.Flags().StringVar(&reason, "reason", "", "why; every party reads it")
	c.Flags().BoolVar(&sure, "yes", false, "do not ask")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		choice, err := asPosition(args[1])
		if err != nil {
			return err
		}
		id := args[0]
		if !sure {
			v, err := n.Decision(ctx, id)
			if err := a.decisionView(v, err); err != nil {
				return err
			}
			id = v.ID // what was shown, and nothing else
			warning := "This says " + string(choice) + " for the organisation."
			if choice.Final() {
				warning = "This says " + string(choice) + " for the organisation, and cannot be taken back."
			}
			if err := a.confirm(warning, string(choice)); err != nil {
				return err
			}
		}
		if key.file == "" {
			v, err := n.SayPosition(ctx, id, choice, reason)
			return a.decisionView(v, err)
		}
		b, err := a.ballotOf(ctx, n, id, choice, reason)
		if err != nil {
			return err
		}
		_, said, err := b.read()
		if err != nil {
			return err
		}
		e, err := a.vote(key, b.Type, decision.PositionType, b.Payload, said.Nation, said.Org)
		if err != nil {
			return err
		}
		v, err := n.SubmitDecision(ctx, e)
		return a.decisionView(v, err)
	})
}

func (a *app) secondCmd() *cobra.Command {
	var key personKey
	c := &cobra.Command{Use: "second ID", Short: "Propose, too, what another party or person proposed", Args: cobra.ExactArgs(1),
		Long: "Propose, too, what another party proposed: a rule may ask for several. It is no consent. With --signing-key a person does with its own key; where a rule asks for several persons of each party, each further one of the proposer does so."}
	key.flags(c)
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		if key.file != "" {
			return a.secondSigned(ctx, n, args[0], key)
		}
		v, err := n.SecondDecision(ctx, args[0])
		return a.decisionView(v, err)
	})
}

func (a *app) reportCmd() *cobra.Command {
	var text string
	c := &cobra.Command{Use: "report ID executed|refused|aborted", Short: "Tell the parties what was done on a decision here", Args: cobra.ExactArgs(2),
		Long: "Tell the parties what a person did on a decision that no machine carries out, or that was cut short while one did."}
	c.Flags().StringVar(&text, "text", "", "in words")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		v, err := n.ReportDecision(ctx, args[0], decision.Did(args[1]), text)
		return a.decisionView(v, err)
	})
}

func (a *app) certificateCmd() *cobra.Command {
	var here bool
	c := &cobra.Command{Use: "certificate ID", Short: "Print the certificate of a decision, which anyone verifies without a node", Args: cobra.ExactArgs(1),
		Example: "  entente decision certificate --data DIR 0b44a036ac5cc0a6 > block.json"}
	c.Flags().BoolVar(&here, "bare", false, "without the key logs and signatures that parties have anyway")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		return n.DecisionCertificate(ctx, args[0], !here, a.out)
	})
}

func (a *app) weightsCmd() *cobra.Command {
	c := &cobra.Command{Use: "weights FILE", Short: "Keep a table of weights at the node, and print its digest for the accord", Args: cobra.ExactArgs(1)}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		b, err := a.small(args[0], 1<<20)
		if err != nil {
			return err
		}
		t, err := n.AddWeights(ctx, b)
		if err != nil || a.asJSON {
			return firstOf(err, func() error { return a.line(t) })
		}
		text, err := t.Digest.MarshalText()
		fmt.Fprintln(a.out, string(text))
		return err
	})
}

func firstOf(err error, do func() error) error {
	if err != nil {
		return err
	}
	return do()
}

// judged is what verify tells.
type judged struct {
	*decision.Result
	Unpinned []string `json:"unpinned,omitempty"`
}

func (a *app) verifyDecisionCmd() *cobra.Command {
	var cards, logs []string
	c := &cobra.Command{Use: "verify FILE", Short: "Say what a certificate proves; no node is needed", Args: cobra.ExactArgs(1),
		Long: `Say what a certificate proves, by the file alone. Cards and key logs of nations, compared by their words before, tell that the nations are those that you know; of each other one the file is all there is.
The exit code is 1 when the certificate does not hold.`,
		Example: "  entente decision verify block.json --card uto.card --log rur.log"}
	c.Flags().StringArrayVar(&cards, "card", nil, "`FILE` with the card of a nation: what entente peer card printed")
	c.Flags().StringArrayVar(&logs, "log", nil, "`FILE` with the key log of a nation: what entente key log printed")
	c.RunE = func(_ *cobra.Command, args []string) error {
		pins, err := pinned(cards, logs)
		if err != nil {
			return err
		}
		b, err := a.small(args[0], decision.MaxAlone)
		if err != nil {
			return err
		}
		r, unpinned, err := decision.VerifyAlone(b, func(nation string) (keylog.Fingerprint, bool) { f, ok := pins[nation]; return f, ok })
		if err != nil {
			return unfit(fmt.Errorf("%s proves nothing: %w", args[0], err))
		}
		if a.asJSON {
			return a.line(judged{r, unpinned})
		}
		if c, err := decision.Parse(b); err == nil && c.Realm != keyring.Operational {
			fmt.Fprintf(a.out, "of the realm %s, and of no other:\n", clean(c.Realm))
		}
		fmt.Fprintf(a.out, "The parties of %s decided %s: %s\n", clean(r.Name), r.Outcome, clean(r.What.Title))
		if err := a.proposal(&r.What, r.Name, accordVersionOf(b), nil, nil); err != nil {
			return err
		}
		if err := a.tally(&r.Tally); err != nil {
			return err
		}
		for _, nation := range unpinned {
			fmt.Fprintf(a.out, "%s: nothing but this file says that these are its keys; give its --card or --log\n", clean(nation))
		}
		return nil
	}
	return c
}

// accordVersionOf is the version of the accord in a certificate that was verified.
func accordVersionOf(certificate []byte) int {
	c, err := decision.Parse(certificate)
	if err != nil {
		return 0
	}
	text, err := c.Accord.Accord()
	if err != nil {
		return 0
	}
	return text.Version
}

// pinned reads by which fingerprints nations are known.
func pinned(cards, logs []string) (map[string]keylog.Fingerprint, error) {
	pins := map[string]keylog.Fingerprint{}
	pin := func(nation string, f keylog.Fingerprint) error {
		if old, ok := pins[nation]; ok && old != f {
			return usage("two files show different key logs of %s", nation)
		}
		pins[nation] = f
		return nil
	}
	for _, path := range cards {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		card, err := keylog.ParseCard(b)
		if err != nil {
			return nil, unfit(fmt.Errorf("%s: %w", path, err))
		}
		if err := pin(card.Log.Nation(), card.Log.Fingerprint()); err != nil {
			return nil, err
		}
	}
	for _, path := range logs {
		l, err := readLog(path)
		if err != nil {
			return nil, err
		}
		if err := pin(l.Nation(), l.Fingerprint()); err != nil {
			return nil, err
		}
	}
	return pins, nil
}
