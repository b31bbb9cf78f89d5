package cli

import (
	"context"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/surface/api"
	"entente/keylog"
	"entente/label"
)

func (a *app) releaseCmd() *cobra.Command {
	c := &cobra.Command{Use: "release", Short: "See, sign and refuse what waits for a release officer"}
	c.AddCommand(a.listReleasesCmd(), a.signReleaseCmd(), a.refuseReleaseCmd(), a.exportReleaseCmd(), a.verifyReleaseCmd())
	return c
}

func (a *app) listReleasesCmd() *cobra.Command {
	var all bool
	c := &cobra.Command{Use: "list", Short: "List the releases that wait for an officer", Args: cobra.NoArgs}
	c.Flags().BoolVar(&all, "all", false, "those that were decided, too")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		found, err := n.Releases(ctx)
		var shown []federation.Release
		for _, r := range found {
			if all || r.State == federation.Waiting {
				shown = append(shown, r)
			}
		}
		return listing(a, []string{"OBJECT", "VERSION", "PARTY", "ACCORD", "STATE", "SIGNED BY", "SINCE", "BY", "REASON"}, over(shown, err), func(r federation.Release) []string {
			return []string{r.ID, r.Version, r.Party, r.Accord, r.State, signedWith(&r), when(r.Since), r.By, r.Reason + r.Why}
		})
	})
}

// signedWith says whose key signs, or signed.
func signedWith(r *federation.Release) string {
	switch {
	case r.Holder != "":
		return "person " + r.Holder
	case r.Signing != "":
		return "a " + r.Signing
	case r.State == federation.Signed:
		return "the node"
	}
	return ""
}

// named finds a release that is named by its key, or by the object where only one of it is in that state.
func (a *app) named(ctx context.Context, n *api.Client, name, party, state string) (federation.Release, error) {
	all, err := n.Releases(ctx)
	if err != nil {
		return federation.Release{}, err
	}
	var found []federation.Release
	for _, r := range all {
		nation, _, _ := strings.Cut(r.Party, "/")
		if r.Key == name || r.ID == name && r.State == state && (party == "" || party == r.Party || party == nation) {
			found = append(found, r)
		}
	}
	switch {
	case len(found) == 0 && state == federation.Waiting:
		return federation.Release{}, notFound("release that waits for", name)
	case len(found) == 0:
		return federation.Release{}, notFound("signed release of", name)
	case len(found) > 1:
		return federation.Release{}, usage("there are %d such releases of %s: say which with --party, or by its key", len(found), name)
	}
	return found[0], nil
}

const namedLong = ". It is named by the object's id, with --party where there are several, or by its key, as list --json has it."

// partyFlag adds the flag for the party of a release.
func partyFlag(c *cobra.Command, party *string) {
	c.Flags().StringVar(party, "party", "", "`NATION` or NATION/organisation that it is for")
}

func (a *app) decided(r federation.Release) error {
	if a.asJSON {
		return a.line(r)
	}
	return a.fields("object", r.ID, "version", r.Version, "party", r.Party, "accord", r.Accord, "state", r.State, "signed by", signedWith(&r), "by", r.By, "reason", r.Reason)
}

func (a *app) refuseReleaseCmd() *cobra.Command {
	var party, reason string
	c := &cobra.Command{Use: "refuse ID|KEY", Short: "Refuse a release: the party is not given the object", Args: cobra.ExactArgs(1),
		Long: "Refuse a release: the party is not given the object" + namedLong + " What went out by a signature that counts no longer is destroyed there."}
	partyFlag(c, &party)
	c.Flags().StringVar(&reason, "reason", "", "why")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		r, err := a.named(ctx, n, args[0], party, federation.Waiting)
		if err == nil {
			r, err = n.DecideRelease(ctx, api.ReleaseDecision{Key: r.Key, Reason: reason})
		}
		if err != nil {
			return err
		}
		return a.decided(r)
	})
}

func (a *app) signReleaseCmd() *cobra.Command {
	var party, reason, keyFile, phrase string
	var hours int
	var sure bool
	c := &cobra.Command{Use: "sign ID|KEY", Short: "Sign a release: the party is given the object", Args: cobra.ExactArgs(1),
		Long: "Sign a release: the party is given the object" + namedLong + "\n\n" +
			"With --signing-key an officer signs with a key of its own, which entente key person new made: what would go out is fetched and shown, to the byte, and what is signed here is what the node sends, or nothing. " +
			"Once the nation's key log has named such a key of the organisation, no other signature counts. Before, the node's own key signs for whoever has the role.",
		Example: "  entente release sign --data DIR incident--… --party RUR --signing-key officer.key --passphrase-file phrase"}
	partyFlag(c, &party)
	f := c.Flags()
	f.StringVar(&reason, "reason", "", "why")
	f.StringVar(&keyFile, "signing-key", "", "`FILE` with the officer's private key")
	f.StringVar(&phrase, "passphrase-file", "", "`FILE` with the key's passphrase; - is the standard input")
	f.IntVar(&hours, "hours", 0, "within how many `HOURS` the signature is to be used; a week without")
	f.BoolVar(&sure, "yes", false, "what is released has been read")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		r, err := a.named(ctx, n, args[0], party, federation.Waiting)
		if err != nil {
			return err
		}
		d := api.ReleaseDecision{Key: r.Key, Sign: true, Reason: reason}
		if keyFile != "" {
			if d.Envelope, err = a.signStatement(ctx, n, r.Key, hours, keyFile, phrase, sure); err != nil {
				return err
			}
		}
		if r, err = n.DecideRelease(ctx, d); err != nil {
			return err
		}
		return a.decided(r)
	})
}

// signStatement shows an officer what would go out, and signs that it may.
func (a *app) signStatement(ctx context.Context, n *api.Client, key string, hours int, keyFile, phrase string, sure bool) ([]byte, error) {
	review, err := n.ReviewRelease(ctx, key, hours)
	if err != nil {
		return nil, err
	}
	st, err := federation.ParseStatement(review.Statement)
	if err != nil {
		return nil, err
	}
	if st.Key != key || st.Object != federation.ObjectDigest(review.Body) {
		return nil, fault.New(fault.Invalid, "release.statement", "the statement is not about what the node shows")
	}
	p, err := a.private(keyFile, phrase)
	if err != nil {
		return nil, err
	}
	if p.Nation != st.Nation || p.Org != st.Org {
		return nil, fault.New(fault.Conflict, "key.party", "the key is of %s of %s, the release of %s of %s", p.Org, p.Nation, st.Org, st.Nation)
	}
	a.tellStatement(st)
	a.say("%s", clean(string(review.Body)))
	if !sure && !a.agreed("Do you release this? [yes/no] ") {
		return nil, usage("nothing was signed")
	}
	return p.SignPerson(keylog.RoleRelease, federation.StatementType, review.Statement)
}

// labelText is a label as it is signed.
func labelText(l *label.Label) string {
	b, err := l.MarshalJSON()
	if err != nil {
		return ""
	}
	return string(b)
}

// tellStatement shows what a release officer signs.
func (a *app) tellStatement(s *federation.Statement) {
	a.say("%s of %s gives %s, version %s, to %s", clean(s.Org), clean(s.Nation), clean(s.ID), clean(s.Version), clean(s.Party))
	a.say("under %s (%s), %s, as %s", clean(s.Clause), clean(s.Digest), clean(s.Class), clean(labelText(&s.Label)))
	a.say("bytes: %s, to be sent before %s", clean(s.Object), when(s.NotAfter))
}

func (a *app) exportReleaseCmd() *cobra.Command {
	var party string
	c := &cobra.Command{Use: "export ID|KEY", Short: "Print a release that an officer signed with a key of its own, for whoever verifies it", Args: cobra.ExactArgs(1),
		Long: "Print a release that an officer signed with a key of its own, with the nation's key log" + namedLong, Example: "  entente release export --data DIR incident--… > release.json"}
	partyFlag(c, &party)
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		r, err := a.named(ctx, n, args[0], party, federation.Signed)
		if err != nil {
			return err
		}
		return n.ReleaseFile(ctx, r.Key, a.out)
	})
}

func (a *app) verifyReleaseCmd() *cobra.Command {
	var logFile, object string
	c := &cobra.Command{Use: "verify FILE", Short: "Verify a signed release, without a node", Args: cobra.ExactArgs(1),
		Long: "Verify what entente release export printed: that a person whose key the nation's key log names signed it, and what was signed. Without --log the key log in the file is believed: compare the fingerprint that is shown. " +
			"With --object, those bytes must be the ones that were released. No node and no network is needed.",
		Example: "  entente release verify release.json --log keylog.json --object given/RUR-Ruritania-CERT.json"}
	c.Flags().StringVar(&logFile, "log", "", "`FILE` with a key log of the nation that is known")
	c.Flags().StringVar(&object, "object", "", "`FILE` with an object as the party has it")
	c.RunE = func(_ *cobra.Command, args []string) error {
		file, err := a.readCard(args[0])
		if err != nil {
			return err
		}
		var known *keylog.Log
		if logFile != "" {
			if known, err = readLog(logFile); err != nil {
				return err
			}
		}
		st, by, log, err := federation.OpenRelease(file, known)
		if err != nil {
			return err
		}
		if object != "" {
			b, err := os.ReadFile(object)
			if err != nil {
				return err
			}
			if federation.ObjectDigest(b) != st.Object {
				return fault.New(fault.Invalid, "release.object", "%s is not what was released", object)
			}
		}
		if a.asJSON {
			return a.line(map[string]any{"statement": st, "holder": by[0].Holder, "key": by[0].Key.ID(), "fingerprint": log.Fingerprint().String(), "trusted": known != nil})
		}
		if err := a.fields("object", st.ID, "version", st.Version, "bytes", st.Object, "party", st.Party, "clause", st.Clause, "accord", st.Digest, "label", labelText(&st.Label), "class", st.Class,
			"signed", when(st.Time), "not after", when(st.NotAfter), "by", by[0].Org+" of "+st.Nation+", person "+by[0].Holder, "key", by[0].Key.ID()); err != nil {
			return err
		}
		if known == nil {
			return a.tellFingerprint(st.Nation, log.Fingerprint().String(), false)
		}
		return nil
	}
	return c
}
