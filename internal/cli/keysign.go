package cli

import (
	"github.com/spf13/cobra"

	"entente/accord"
	"entente/internal/fault"
	"entente/keylog"
)

// signOfflineCmd signs where no node is: at a ministry, with a key that the nation's key log names.
func (a *app) signOfflineCmd() *cobra.Command {
	var keyFile, phrase string
	var sure bool
	c := &cobra.Command{Use: "sign-accord FILE --key PRIVATE", Short: "Sign an accord with a private key, without a node", Args: cobra.ExactArgs(1),
		Long: "Show in sentences what an accord says, and sign it with a private key that entente key new made. FILE is the bundle that the parties exchange. The bundle with the signature is printed; " +
			"the node of the nation takes it like any other. No node and no network is needed.",
		Example: "  entente key sign-accord pact.json --key mofa.key --passphrase-file phrase > signed.json"}
	c.Flags().StringVar(&keyFile, "key", "", "`FILE` with the private key")
	c.Flags().StringVar(&phrase, "passphrase-file", "", "`FILE` with the key's passphrase; - is the standard input")
	c.Flags().BoolVar(&sure, "yes", false, "the accord has been read")
	c.MarkFlagRequired("key")
	c.RunE = func(_ *cobra.Command, args []string) error {
		src, err := a.readCard(args[0])
		if err != nil {
			return err
		}
		b, err := accord.ParseBundle(src)
		if err != nil {
			return err
		}
		text, err := b.Accord()
		if err != nil {
			return err
		}
		p, err := a.private(keyFile, phrase)
		if err != nil {
			return err
		}
		switch {
		case p.Realm != b.Realm:
			return fault.New(fault.Conflict, "key.realm", "the accord is of the realm %s, the key of %s", b.Realm, p.Realm)
		case !holdsRole(p.Roles, keylog.RoleAccord):
			return fault.New(fault.Conflict, "key.role", "the key is not one for accords").Try("make one: entente key new --role accord")
		case !signs(text, p.Nation, p.Org):
			return fault.New(fault.Conflict, "key.party", "%s of %s is not among those who sign this accord", p.Org, p.Nation)
		}
		for _, s := range text.Explain("en") {
			a.say("%s", clean(s.Text))
		}
		a.say("digest: %s", b.Digest())
		if !sure && (args[0] == "-" || !a.agreed("Do you sign this for "+clean(p.Org)+" of "+clean(p.Nation)+"? [yes/no] ")) {
			return usage("nothing was signed")
		}
		if err := b.Sign(p.Key); err != nil {
			return err
		}
		_, err = a.out.Write(b.Bytes())
		return err
	}
	return c
}

func holdsRole(roles []keylog.Role, want keylog.Role) bool {
	for _, r := range roles {
		if r == want {
			return true
		}
	}
	return false
}

// signs tells whether the organisation's signature counts for a party.
func signs(a *accord.Accord, nation, org string) bool {
	for _, p := range a.Parties {
		if p.Nation != nation {
			continue
		}
		if len(p.Signers) == 0 {
			return p.Org == "" || p.Org == org
		}
		for _, s := range p.Signers {
			if s == org {
				return true
			}
		}
	}
	return false
}
