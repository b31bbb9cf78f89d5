package cli

import (
	"time"

	"github.com/spf13/cobra"

	"entente/internal/keyring"
	"entente/keylog"
)

// personKeyCmd is the keys that people hold themselves. None of its commands needs a node.
func (a *app) personKeyCmd() *cobra.Command {
	c := &cobra.Command{Use: "person", Short: "Make and replace the keys that people sign with: release officers and voters",
		Long: "Make and replace the keys that people sign with themselves: release officers and voters. The private key never leaves the person's machine; " +
			"the nation's key log names the public one, with a number that stands for the person. None of these commands needs a node or a network."}
	c.AddCommand(a.newPersonCmd(), a.renewPersonCmd())
	return c
}

func (a *app) newPersonCmd() *cobra.Command {
	var nation, org, holder, out, phrase string
	realm := keyring.Operational
	var roles []string
	c := &cobra.Command{Use: "new --nation CODE --org NAME --role release|vote --out FILE --passphrase-file FILE", Short: "Make a person's key, and print the request for it", Args: cobra.NoArgs,
		Long: "Make a person's key in a new file, sealed with a passphrase, and print the request for it, which holds no secret. Whoever has the nation's root admits the request; from then on the key counts for two years at most. " +
			"Partners read the key log: it has a number for the person and no name. The organisation notes whose number it is.",
		Example: "  entente key person new --nation UTO --org 'Utopia CERT' --role release --out officer.key --passphrase-file phrase > request.json"}
	f := c.Flags()
	f.StringVar(&nation, "nation", "", "`CODE` of the nation")
	f.StringVar(&org, "org", "", "`NAME` of the organisation that the person signs for, as accords name it")
	f.StringVar(&realm, "realm", realm, "`REALM` that the key is for")
	f.StringSliceVar(&roles, "role", nil, "`ROLE` of the key: release, vote, or both")
	f.StringVar(&holder, "holder", "", "`NUMBER` of a person who has one already, of 16 digits; without it a new one")
	f.StringVar(&out, "out", "", "new `FILE` for the private key")
	f.StringVar(&phrase, "passphrase-file", "", "`FILE` with the passphrase that seals the key; - is the standard input")
	for _, name := range []string{"nation", "org", "role", "out", "passphrase-file"} {
		c.MarkFlagRequired(name)
	}
	c.RunE = func(*cobra.Command, []string) error {
		var what []keylog.Role
		for _, r := range roles {
			what = append(what, keylog.Role(r))
		}
		p, q, err := keyring.NewPerson(nation, realm, org, holder, time.Now(), what...)
		if err != nil {
			return err
		}
		b, err := keylog.EncodeRequests([]keylog.Request{q})
		if err != nil {
			return err
		}
		return a.writePerson(p, out, phrase, b, entryText(&q.Entry))
	}
	return c
}

func (a *app) renewPersonCmd() *cobra.Command {
	var keyFile, phrase, logFile, out string
	overlap := 14 * 24 * time.Hour
	c := &cobra.Command{Use: "renew --key FILE --log FILE --out FILE --passphrase-file FILE", Short: "Make a key in place of a person's own, and print the draft that names it", Args: cobra.NoArgs,
		Long: "Make a key in place of a person's own, sealed with the same passphrase, and print the draft of the statement that names it, signed with the old key. " +
			"The holders of the nation's root sign it: entente key root sign, entente key root combine, entente key join.",
		Example: "  entente key person renew --key officer.key --log keylog.json --out officer-2.key --passphrase-file phrase > renew.draft"}
	f := c.Flags()
	f.StringVar(&keyFile, "key", "", "`FILE` with the key that is to be replaced")
	f.StringVar(&logFile, "log", "", "`FILE` with the nation's key log: what entente key log printed")
	f.StringVar(&out, "out", "", "new `FILE` for the private key")
	f.StringVar(&phrase, "passphrase-file", "", "`FILE` with the passphrase; - is the standard input")
	f.DurationVar(&overlap, "overlap", overlap, "for how long the old key counts beside the new one")
	for _, name := range []string{"key", "log", "out", "passphrase-file"} {
		c.MarkFlagRequired(name)
	}
	c.RunE = func(*cobra.Command, []string) error {
		l, err := readLog(logFile)
		if err != nil {
			return err
		}
		old, secret, err := a.unsealed(keyFile, phrase)
		if err != nil {
			return err
		}
		next, draft, err := old.Renew(l, overlap, time.Now())
		if err != nil {
			return err
		}
		b, err := draft.Bytes()
		if err != nil {
			return err
		}
		if err := keyring.WritePrivate(out, next, secret, time.Now()); err != nil {
			return err
		}
		a.tellDraft(draft)
		_, err = a.out.Write(b)
		return err
	}
	return c
}

// unsealed reads a private key and gives the passphrase that opened it.
func (a *app) unsealed(path, phraseFile string) (keyring.Private, string, error) {
	secret, err := a.secret(phraseFile)
	if err != nil {
		return keyring.Private{}, "", err
	}
	p, err := keyring.ReadPrivate(path, func() (string, error) { return secret, nil })
	return p, secret, err
}

// writePerson seals a person's key in its file, says what it is, and prints what is to be handed in for it.
func (a *app) writePerson(p keyring.Private, path, phraseFile string, public []byte, text string) error {
	secret, err := a.secret(phraseFile)
	if err != nil {
		return err
	}
	if err := keyring.WritePrivate(path, p, secret, time.Now()); err != nil {
		return err
	}
	a.say("%s", clean(text))
	a.say("The private key is in %s, under the passphrase. The person's number is %s: note whose it is.", clean(path), p.Holder)
	_, err = a.out.Write(public)
	return err
}
