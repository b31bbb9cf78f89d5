package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/identity"
	"entente/internal/surface/api"
)

// lifetime reads a duration as people write it: 90d, 12h, 30m.
func lifetime(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 36500 {
			return 0, usage("--expires %q is not a time like 90d or 12h", s)
		}
		return int64(n) * 86400, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second {
		return 0, usage("--expires %q is not a time like 90d or 12h", s)
	}
	return int64(d / time.Second), nil
}

// holderFlags are the flags of whom a credential is for.
type holderFlags struct{ org, nation, as, role, expires string }

func (h *holderFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&h.org, "org", "", "`NAME` of the organisation; the node's own without")
	f.StringVar(&h.nation, "nation", "", "`CODE` of a new organisation's nation")
	f.StringVar(&h.as, "for", "", "`NAME` of an account that it acts for, never with more than its roles")
	f.StringVar(&h.role, "role", "", "`ROLE,..` it acts with")
	f.StringVar(&h.expires, "expires", "", "`TIME` it is good for, for example 90d; one year without")
	c.MarkFlagRequired("role")
}

func (a *app) tokenCmd() *cobra.Command {
	c := &cobra.Command{Use: "token", Short: "Manage API tokens"}
	var h holderFlags
	add := &cobra.Command{Use: "add NAME --role ROLE", Short: "Make an API token and print it, this once", Args: cobra.ExactArgs(1),
		Example: "  entente token add --data DIR feed --role publisher --expires 90d > token"}
	h.add(add)
	misp := add.Flags().Bool("misp", false, "make one of 40 letters and digits, as a MISP instance and PyMISP send it")
	a.onNode(add, func(ctx context.Context, n *api.Client, args []string) error {
		seconds, err := lifetime(h.expires)
		if err != nil {
			return err
		}
		in := api.AddToken{Name: args[0], Org: h.org, Nation: h.nation, User: h.as, Roles: splitList(h.role), Seconds: seconds}
		if *misp {
			in.Form = identity.FormMISP
		}
		t, err := n.AddToken(ctx, in)
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(t)
		}
		_, err = fmt.Fprintln(a.out, t.Text)
		return err
	})
	list := &cobra.Command{Use: "list", Short: "List API tokens", Args: cobra.NoArgs}
	a.onNode(list, func(ctx context.Context, n *api.Client, _ []string) error {
		return listing(a, []string{"ID", "NAME", "ORGANISATION", "ROLES", "EXPIRES", "LAST USED", "REVOKED"}, func(each func(identity.Token) error) error { return n.Tokens(ctx, each) }, func(t identity.Token) []string {
			return []string{t.ID, t.Name, t.Org, strings.Join(t.Roles, ","), when(t.Expires), when(t.LastUsed), when(t.Revoked)}
		})
	})
	revoke := &cobra.Command{Use: "revoke ID", Short: "End an API token, at once", Args: cobra.ExactArgs(1)}
	a.onNode(revoke, func(ctx context.Context, n *api.Client, args []string) error { return n.RevokeToken(ctx, args[0]) })
	c.AddCommand(add, list, revoke)
	return c
}

func (a *app) certCmd() *cobra.Command {
	c := &cobra.Command{Use: "cert", Short: "Manage client certificates"}
	var h holderFlags
	var csr, dir string
	issue := &cobra.Command{Use: "issue NAME --role ROLE", Short: "Issue a client certificate for mutual TLS", Args: cobra.ExactArgs(1),
		Long: "Issue a client certificate of the node's own authority, and write it with its key and the authority to a directory. With a signing request the key stays where it was made."}
	h.add(issue)
	issue.Flags().StringVar(&csr, "csr", "", "`FILE` with a signing request (PKCS #10), PEM or DER")
	issue.Flags().StringVar(&dir, "dir", ".", "`DIR` to write NAME.pem, NAME.key and ca.pem to")
	a.onNode(issue, func(ctx context.Context, n *api.Client, args []string) error {
		seconds, err := lifetime(h.expires)
		if err != nil {
			return err
		}
		in := api.AddCertificate{Name: args[0], Org: h.org, Nation: h.nation, User: h.as, Roles: splitList(h.role), Seconds: seconds}
		if csr != "" {
			if in.CSR, err = os.ReadFile(csr); err != nil {
				return err
			}
		}
		if filepath.Base(args[0]) != args[0] || args[0] == "." || args[0] == ".." {
			return usage("%q cannot be the name of a file", args[0])
		}
		out, err := n.AddCertificate(ctx, in)
		if err != nil {
			return err
		}
		for name, text := range map[string]string{args[0] + ".pem": out.CertPEM, args[0] + ".key": out.KeyPEM, "ca.pem": out.CAPEM} {
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				return err
			}
		}
		if a.asJSON {
			return a.line(out.Certificate)
		}
		_, err = fmt.Fprintln(a.out, filepath.Join(dir, args[0]+".pem"))
		return err
	})
	list := &cobra.Command{Use: "list", Short: "List client certificates", Args: cobra.NoArgs}
	a.onNode(list, func(ctx context.Context, n *api.Client, _ []string) error {
		return listing(a, []string{"ID", "NAME", "ORGANISATION", "ROLES", "EXPIRES", "REVOKED"}, func(each func(identity.Certificate) error) error { return n.Certificates(ctx, each) }, func(t identity.Certificate) []string {
			return []string{t.ID, t.Name, t.Org, strings.Join(t.Roles, ","), when(t.Expires), when(t.Revoked)}
		})
	})
	revoke := &cobra.Command{Use: "revoke ID", Short: "End a client certificate, at once and for good", Args: cobra.ExactArgs(1)}
	a.onNode(revoke, func(ctx context.Context, n *api.Client, args []string) error {
		return n.RevokeCertificate(ctx, args[0])
	})
	c.AddCommand(issue, list, revoke)
	return c
}
