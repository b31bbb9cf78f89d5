package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/keyring"
	"entente/internal/surface/api"
	"entente/keylog"
)

func (a *app) requestKeysCmd() *cobra.Command {
	c := &cobra.Command{Use: "request", Short: "Ask the nation for the keys that the node lacks", Args: cobra.NoArgs,
		Long: "Print the requests for the keys that the node lacks: those of a new member of the nation, and successors of keys that count no longer. The file holds no secret. " +
			"It goes to whoever has the nation's root, who admits it; the key log that comes back is joined.",
		Example: "  entente key request --data DIR > request.json"}
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error { return n.RequestKeys(ctx, a.out) })
}

func (a *app) admitKeysCmd() *cobra.Command {
	var sure bool
	c := &cobra.Command{Use: "admit FILE", Short: "Name the keys that somebody asks for, at the node with the nation's root", Args: cobra.ExactArgs(1),
		Long:    "Show who asks for which keys, and name them in the nation's key log once you agree. Compare the keys with the asker by a way that you trust: whoever is admitted speaks for the organisation that is shown.",
		Example: "  entente key admit --data DIR request.json\n  entente key log --data DIR > keylog.json"}
	c.Flags().BoolVar(&sure, "yes", false, "what is shown has been compared")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		b, err := a.readCard(args[0])
		if err != nil {
			return err
		}
		asked, err := n.ReviewRequests(ctx, b)
		if err != nil {
			return err
		}
		for _, q := range asked {
			a.say("%s", clean(askText(q.ID, q.Org, q.Node, q.Holder, q.Roles, q.NotAfter)))
		}
		if !sure && (args[0] == "-" || !a.agreed("Does the organisation that is shown hold these very keys, and shall it have them? [yes/no] ")) {
			return usage("nothing was admitted: compare the keys first")
		}
		book, err := n.AdmitKeys(ctx, b)
		if err != nil {
			return err
		}
		return a.keyBook(book)
	})
}

// askText says who is to get a key for what.
func askText(id, org, node, holder string, roles []keylog.Role, until time.Time) string {
	var names []string
	for _, r := range roles {
		names = append(names, string(r))
	}
	where := ""
	if node != "" {
		where = ", node " + node
	}
	if holder != "" {
		where = ", person " + holder + ","
	}
	return fmt.Sprintf("key %s of %s%s for %s, until %s", id, org, where, strings.Join(names, ", "), when(until))
}

func (a *app) joinLogCmd() *cobra.Command {
	c := &cobra.Command{Use: "join FILE", Short: "Take the nation's key log as it was signed where the root is", Args: cobra.ExactArgs(1),
		Long:    "Take the nation's key log as it was signed where the root is: what entente key log printed there, or entente key root combine. It must go on from the one that the node has.",
		Example: "  entente key join --data DIR keylog.json"}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		b, err := a.readCard(args[0])
		if err != nil {
			return err
		}
		book, err := n.JoinLog(ctx, b)
		if err != nil {
			return err
		}
		return a.keyBook(book)
	})
}

func (a *app) newKeyCmd() *cobra.Command {
	var nation, org, out, phrase string
	realm := keyring.Operational
	var roles []string
	c := &cobra.Command{Use: "new --nation CODE --org NAME --role ROLE --out FILE", Short: "Make a key for an organisation without a node, such as a ministry that signs accords", Args: cobra.NoArgs,
		Long: "Make a private key in a new file that its owner alone may read, and print the request for it, which holds no secret. No node is needed: make it where no network reaches. " +
			"Whoever has the nation's root admits the request; from then on the key counts for two years at most.",
		Example: "  entente key new --nation UTO --org ut.mofa --role accord --out mofa.key --passphrase-file phrase > request.json"}
	f := c.Flags()
	f.StringVar(&nation, "nation", "", "`CODE` of the nation")
	f.StringVar(&org, "org", "", "`NAME` of the organisation, as accords name it")
	f.StringVar(&realm, "realm", realm, "`REALM` that the key is for")
	f.StringSliceVar(&roles, "role", []string{string(keylog.RoleAccord)}, "`ROLE` of the key: accord, vote, release, originate or witness")
	f.StringVar(&out, "out", "", "new `FILE` for the private key")
	f.StringVar(&phrase, "passphrase-file", "", "`FILE` with a passphrase to seal the key with; - is the standard input")
	for _, name := range []string{"nation", "org", "out"} {
		c.MarkFlagRequired(name)
	}
	c.RunE = func(*cobra.Command, []string) error {
		var what []keylog.Role
		for _, r := range roles {
			what = append(what, keylog.Role(r))
		}
		p, q, err := keyring.NewPrivate(nation, realm, org, time.Now(), what...)
		if err != nil {
			return err
		}
		secret, err := a.phrase(phrase)
		if err != nil {
			return err
		}
		if err := keyring.WritePrivate(out, p, secret, time.Now()); err != nil {
			return err
		}
		b, err := keylog.EncodeRequests([]keylog.Request{q})
		if err != nil {
			return err
		}
		a.say("%s", clean(entryText(&q.Entry)))
		a.say("The private key is in %s. Without a passphrase, whoever has the file signs with it.", clean(out))
		_, err = a.out.Write(b)
		return err
	}
	return c
}

// phrase reads a passphrase from a file; no file is none.
func (a *app) phrase(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	return a.secret(file)
}

// private reads a private key, and its passphrase when it has one.
func (a *app) private(path, phraseFile string) (keyring.Private, error) {
	return keyring.ReadPrivate(path, func() (string, error) {
		if phraseFile == "" {
			return "", usage("%s is sealed: give --passphrase-file FILE", path)
		}
		return a.secret(phraseFile)
	})
}

func readLog(path string) (*keylog.Log, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return keylog.Parse(b)
}
