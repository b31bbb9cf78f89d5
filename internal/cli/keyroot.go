package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/keyring"
	"entente/keylog"
)

// rootKeyCmd is the nation's root in several hands. None of its commands needs a node.
func (a *app) rootKeyCmd() *cobra.Command {
	c := &cobra.Command{Use: "root", Short: "Keep the nation's root in several hands, and sign with it away from the node",
		Long: "Keep the nation's root in several hands, of which some must sign. None of these commands needs a node or a network: drafts of statements go to the holders, each signs a copy, and the key log with the signed statements goes to the nation's nodes, which join it."}
	c.AddCommand(a.newRootCmd(), a.draftCmd(), a.showDraftCmd(), a.signDraftCmd(), a.combineCmd())
	return c
}

// micro is the time of a statement.
func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// stampOf is the time of a statement that is to follow the log.
func stampOf(l *keylog.Log) time.Time {
	if now := micro(time.Now()); now.After(l.State().Time) {
		return now
	}
	return l.State().Time
}

func (a *app) newRootCmd() *cobra.Command {
	var nation, out, logFile, phrase string
	realm := keyring.Operational
	need, count := 2, 3
	c := &cobra.Command{Use: "new --need K --count N --out DIR", Short: "Make the keys of a root, one for each holder", Args: cobra.NoArgs,
		Long: "Make the keys of a root in a new directory, one file for each holder: root-1.key, root-2.key and so on. For a new nation the key log with its first statement is made beside them, keylog.json. " +
			"With --log, the new root is to follow the one of a key log: a draft is made beside them, root.draft, which the holders of the root before must sign. Hand each file to its holder and leave no copy.",
		Example: "  entente key root new --nation UTO --need 2 --count 3 --out holders\n  entente key root new --log keylog.json --need 2 --count 3 --out holders"}
	f := c.Flags()
	f.StringVar(&nation, "nation", "", "`CODE` of a nation that has no key log yet")
	f.StringVar(&realm, "realm", realm, "`REALM` of that nation's key log")
	f.StringVar(&logFile, "log", "", "`FILE` with the key log whose root is to be replaced")
	f.IntVar(&need, "need", need, "how many holders must sign")
	f.IntVar(&count, "count", count, "how many holders there are, at most "+strconv.Itoa(keyring.MaxHolders))
	f.StringVar(&out, "out", "", "new `DIR` for the files")
	f.StringVar(&phrase, "passphrase-file", "", "`FILE` with a passphrase to seal every key with, which its holder is told; - is the standard input")
	c.MarkFlagRequired("out")
	c.RunE = func(*cobra.Command, []string) error {
		if (nation == "") == (logFile == "") {
			return usage("give either --nation, for a new key log, or --log, for a new root of one that is there")
		}
		var before *keylog.Log
		if logFile != "" {
			var err error
			if before, err = readLog(logFile); err != nil {
				return err
			}
			nation, realm = before.Nation(), before.Realm()
		}
		root, keys, err := keyring.NewRoot(need, count)
		if err != nil {
			return err
		}
		secret, err := a.phrase(phrase)
		if err != nil {
			return err
		}
		l := keylog.New(nation, realm)
		if before != nil {
			l = before
		}
		draft, err := l.Prepare(keylog.Statement{Kind: keylog.KindRoot, Time: stampOf(l), Root: root})
		if err != nil {
			return err
		}
		for _, k := range keys {
			if err := draft.Sign(k); err != nil {
				return err
			}
		}
		if err := os.Mkdir(out, 0o700); err != nil {
			return fault.New(fault.Conflict, "key.out", "cannot make the directory %s: %v", out, err).Try("name a new one: no key is ever overwritten")
		}
		for i, k := range keys {
			p := keyring.Private{Nation: nation, Realm: realm, Roles: []keylog.Role{keyring.RoleRoot}, Key: k}
			if err := keyring.WritePrivate(filepath.Join(out, fmt.Sprintf("root-%d.key", i+1)), p, secret, time.Now()); err != nil {
				return err
			}
		}
		name, b := "root.draft", []byte(nil)
		if before != nil {
			b, err = draft.Bytes()
		} else if err = l.Take(draft); err == nil {
			name = "keylog.json"
			b, err = l.Bytes()
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, name), b, 0o600); err != nil {
			return err
		}
		a.say("%d keys of %s, of which %d must sign, are in %s; hand each to its holder. Beside them: %s", count, clean(nation), need, clean(out), name)
		if before == nil {
			return a.tellFingerprint(nation, l.Fingerprint().String(), false)
		}
		return nil
	}
	return c
}

func (a *app) draftCmd() *cobra.Command {
	c := &cobra.Command{Use: "draft", Short: "Draft a statement of the key log for the holders of the root to sign"}
	c.AddCommand(
		a.draftOf("admit FILE", "Draft the admission of keys that somebody asks for", 1, nil, func(l *keylog.Log, args []string) ([]keylog.Statement, error) {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return nil, err
			}
			asked, err := keyring.Asked(b, l.Nation(), l.Realm(), time.Now())
			if err != nil {
				return nil, err
			}
			var out []keylog.Statement
			for i := range asked {
				out = append(out, keylog.Statement{Kind: keylog.KindAdd, Entry: &asked[i].Entry})
			}
			return out, nil
		}),
		a.draftEnd(keylog.KindRevoke, "revoke KEY --reason TEXT", "Draft that a key counts no longer", "from"),
		a.draftEnd(keylog.KindCompromise, "compromise KEY --since TIME --reason TEXT", "Draft since when a key is in other hands", "since"),
		a.draftOf("address KEY HOST:PORT", "Draft where the node of a key is reached", 2, nil, func(l *keylog.Log, args []string) ([]keylog.Statement, error) {
			id, err := keyIn(l, args[0])
			return []keylog.Statement{{Kind: keylog.KindAddress, Key: id, Address: args[1]}}, err
		}),
		a.draftOf("need K", "Draft another threshold of the root, with the same keys", 1, nil, func(l *keylog.Log, args []string) ([]keylog.Statement, error) {
			need, err := strconv.Atoi(args[0])
			if err != nil {
				return nil, usage("%q is not a number of holders", args[0])
			}
			return []keylog.Statement{{Kind: keylog.KindRoot, Root: &keylog.Root{Need: need, Keys: l.State().Root.Keys}}}, nil
		}),
	)
	return c
}

// draftOf is a command that drafts statements to follow a key log.
func (a *app) draftOf(use, short string, args int, flags func(*cobra.Command), make func(*keylog.Log, []string) ([]keylog.Statement, error)) *cobra.Command {
	var logFile string
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ExactArgs(args), Long: short + ". The draft is printed; it holds no secret."}
	c.Flags().StringVar(&logFile, "log", "", "`FILE` with the key log that it follows: what entente key log printed")
	c.MarkFlagRequired("log")
	if flags != nil {
		flags(c)
	}
	c.RunE = func(_ *cobra.Command, args []string) error {
		l, err := readLog(logFile)
		if err != nil {
			return err
		}
		list, err := make(l, args)
		if err != nil {
			return err
		}
		at := stampOf(l)
		for i := range list {
			s := &list[i]
			s.Time = at
			if s.Kind == keylog.KindRevoke && s.From.Before(at) {
				s.From = at
			}
		}
		d, err := l.Prepare(list...)
		if err != nil {
			return err
		}
		return a.printDraft(d, false)
	}
	return c
}

func (a *app) draftEnd(kind keylog.Kind, use, short, timeFlag string) *cobra.Command {
	var reason, at string
	return a.draftOf(use, short, 1, func(c *cobra.Command) {
		c.Flags().StringVar(&reason, "reason", "", "`TEXT` that partners read")
		c.Flags().StringVar(&at, timeFlag, "", "`TIME` (RFC 3339)")
		c.MarkFlagRequired("reason")
		if kind == keylog.KindCompromise {
			c.MarkFlagRequired(timeFlag)
		}
	}, func(l *keylog.Log, args []string) ([]keylog.Statement, error) {
		from, err := atTime("--"+timeFlag, at)
		if err != nil {
			return nil, err
		}
		id, err := keyIn(l, args[0])
		return []keylog.Statement{{Kind: kind, Key: id, From: micro(from), Reason: reason}}, err
	})
}

// keyIn finds a key of the log by the beginning of its id.
func keyIn(l *keylog.Log, start string) (string, error) {
	var ids []string
	for _, k := range l.State().All() {
		ids = append(ids, k.Key.ID())
	}
	return oneKey(ids, start)
}

// oneKey finds the one id that begins so.
func oneKey(ids []string, start string) (string, error) {
	found := ""
	for _, id := range ids {
		if len(start) >= 8 && strings.HasPrefix(id, start) {
			if found != "" {
				return "", usage("several keys begin with %s", start)
			}
			found = id
		}
	}
	if found == "" {
		return "", notFound("key", start)
	}
	return found, nil
}

// tellDraft shows to a person what is to be signed.
func (a *app) tellDraft(d *keylog.Draft) {
	a.say("statements %d to %d of the key log of %s, %s:", d.First, d.First+int64(len(d.Statements()))-1, clean(d.Nation), clean(d.Realm))
	for _, s := range d.Statements() {
		a.say("  %s", clean(statementText(s)))
	}
	a.say("digest: %s", d.PayloadHash())
	for _, id := range d.Signers() {
		a.say("signed by %s", clean(id))
	}
}

func statementText(s keylog.Statement) string {
	switch s.Kind {
	case keylog.KindRoot:
		var ids []string
		for _, k := range s.Root.Keys {
			ids = append(ids, k.ID()[:12])
		}
		return fmt.Sprintf("the root is %d of these %d keys: %s", s.Root.Need, len(ids), strings.Join(ids, ", "))
	case keylog.KindAdd:
		return "admit " + entryText(s.Entry)
	case keylog.KindRotate:
		return fmt.Sprintf("replace key %s, which counts until %s, by %s", s.Key, when(s.From), entryText(s.Entry))
	case keylog.KindRevoke:
		return fmt.Sprintf("key %s counts no longer from %s on: %s", s.Key, when(s.From), s.Reason)
	case keylog.KindCompromise:
		return fmt.Sprintf("key %s is in other hands since %s: %s", s.Key, when(s.From), s.Reason)
	}
	return fmt.Sprintf("the node of key %s is at %s", s.Key, s.Address)
}

func entryText(e *keylog.Entry) string {
	return askText(e.Key.ID(), e.Org, e.Node, e.Holder, e.Roles, e.NotAfter)
}

// printDraft shows the draft to the person, and prints it for the file; who has been asked about it has seen it.
func (a *app) printDraft(d *keylog.Draft, seen bool) error {
	if !seen {
		a.tellDraft(d)
	}
	b, err := d.Bytes()
	if err != nil {
		return err
	}
	_, err = a.out.Write(b)
	return err
}

func readDraft(path string) (*keylog.Draft, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return keylog.ParseDraft(b)
}

func (a *app) showDraftCmd() *cobra.Command {
	return &cobra.Command{Use: "show DRAFT", Short: "Say what a draft states, and who has signed it", Args: cobra.ExactArgs(1), RunE: func(_ *cobra.Command, args []string) error {
		d, err := readDraft(args[0])
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(map[string]any{"nation": d.Nation, "realm": d.Realm, "first": d.First, "digest": d.PayloadHash(), "signers": d.Signers(), "statements": d.Statements()})
		}
		for _, s := range d.Statements() {
			fmt.Fprintln(a.out, clean(statementText(s)))
		}
		fmt.Fprintln(a.out, "digest:", d.PayloadHash())
		for _, id := range d.Signers() {
			fmt.Fprintln(a.out, "signed by", clean(id))
		}
		return nil
	}}
}

func (a *app) signDraftCmd() *cobra.Command {
	var keys []string
	var phrase string
	var sure bool
	c := &cobra.Command{Use: "sign DRAFT --key FILE", Short: "Sign a draft with a holder's key", Args: cobra.ExactArgs(1),
		Long: "Show what a draft states, and sign it with a holder's key of the root, or with a root that a node exported. The draft with the signature is printed. " +
			"Compare the digest with the other holders before.",
		Example: "  entente key root sign admit.draft --key root-1.key > admit.1"}
	c.Flags().StringArrayVar(&keys, "key", nil, "`FILE` with a holder's key; may be given several times")
	c.Flags().StringVar(&phrase, "passphrase-file", "", "`FILE` with the key's passphrase; - is the standard input")
	c.Flags().BoolVar(&sure, "yes", false, "the draft has been read")
	c.MarkFlagRequired("key")
	c.RunE = func(_ *cobra.Command, args []string) error {
		d, err := readDraft(args[0])
		if err != nil {
			return err
		}
		var signers []dsse.Signer
		for _, file := range keys {
			p, err := a.private(file, phrase)
			if err != nil {
				return err
			}
			if !slices.Contains(p.Roles, keyring.RoleRoot) {
				return fault.New(fault.Conflict, "key.role", "%s is not a key of a root", file)
			}
			if p.Realm != d.Realm || p.Nation != "" && p.Nation != d.Nation {
				return fault.New(fault.Conflict, "key.realm", "the draft is of %s in %s, the key in %s is not", d.Nation, d.Realm, file)
			}
			signers = append(signers, p.Key)
		}
		a.tellDraft(d)
		if !sure && !a.agreed("Do you sign this for "+clean(d.Nation)+"? [yes/no] ") {
			return usage("nothing was signed")
		}
		for _, s := range signers {
			if err := d.Sign(s); err != nil {
				return err
			}
		}
		return a.printDraft(d, true)
	}
	return c
}

func (a *app) combineCmd() *cobra.Command {
	var logFile string
	c := &cobra.Command{Use: "combine DRAFT... --log FILE", Short: "Put the signatures of the holders together, and print the key log with the statements", Args: cobra.MinimumNArgs(1),
		Long:    "Put the signatures of the holders' copies of one draft together, verify them, and print the key log with the statements at its end, for entente key join at every node of the nation.",
		Example: "  entente key root combine admit.1 admit.3 --log keylog.json > keylog-new.json"}
	c.Flags().StringVar(&logFile, "log", "", "`FILE` with the key log that the draft follows")
	c.MarkFlagRequired("log")
	c.RunE = func(_ *cobra.Command, args []string) error {
		l, err := readLog(logFile)
		if err != nil {
			return err
		}
		d, err := readDraft(args[0])
		if err != nil {
			return err
		}
		for _, path := range args[1:] {
			other, err := readDraft(path)
			if err != nil {
				return err
			}
			if err := d.Merge(other); err != nil {
				return err
			}
		}
		if err := l.Take(d); err != nil {
			return err
		}
		b, err := l.Bytes()
		if err != nil {
			return err
		}
		_, err = a.out.Write(append(b, '\n'))
		return err
	}
	return c
}
