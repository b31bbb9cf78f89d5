package cli

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"entente/internal/asset"
	"entente/internal/fault"
	"entente/internal/surface/api"
	"entente/register"
)

func (a *app) constituentCmd() *cobra.Command {
	c := &cobra.Command{Use: "constituent", Short: "Keep the register of whom you serve, and what is theirs",
		Long: `The register of constituents: the organisations that are served, with contacts, networks, domains, certificates and software. Every version is signed
and names the one before it. Nobody outside your organisation sees any of it: see docs/register.md.`}
	c.AddCommand(a.listConstituentsCmd(), a.showConstituentCmd(), a.addConstituentCmd(), a.importConstituentsCmd(), a.matchConstituentsCmd(), a.verifyConstituentsCmd(),
		a.exportConstituentsCmd(), a.removeConstituentCmd())
	return c
}

func (a *app) listConstituentsCmd() *cobra.Command {
	var text, sector, value string
	var all bool
	c := &cobra.Command{Use: "list", Short: "List constituents", Args: cobra.NoArgs}
	c.Flags().StringVar(&text, "text", "", "`TEXT` in a name, an alias, a domain or an id")
	c.Flags().StringVar(&sector, "sector", "", "only those of the `SECTOR`")
	c.Flags().StringVar(&value, "value", "", "only those that the `VALUE` concerns: an address, a domain, a CPE name")
	c.Flags().BoolVar(&all, "all", false, "also those that were removed")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		q := url.Values{"all": {strconv.FormatBool(all)}}
		for name, v := range map[string]string{"q": text, "sector": sector, "value": value} {
			if v != "" {
				q.Set(name, v)
			}
		}
		return listing(a, []string{"ID", "NAME", "SECTORS", "CRITICALITY", "ASSETS", "CONTACTS", "CHANGED"}, func(each func(asset.View) error) error { return n.Constituents(ctx, q, each) }, func(v asset.View) []string {
			k := v.Constituent
			state := string(k.Criticality)
			if k.Revoked {
				state = "removed"
			}
			return []string{k.ID, short(k.Name, 40), strings.Join(k.Sectors, ", "), state, count(int64(v.Assets)), count(int64(len(k.Contacts))), k.Modified}
		})
	})
}

func (a *app) showConstituentCmd() *cobra.Command {
	var versions bool
	c := &cobra.Command{Use: "show NAME|ID", Short: "Show a constituent", Args: cobra.ExactArgs(1)}
	c.Flags().BoolVar(&versions, "versions", false, "list its versions")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		v, err := findConstituent(ctx, n, args[0])
		if err != nil {
			return err
		}
		if versions {
			return a.constituentVersions(ctx, n, v.Constituent.ID)
		}
		if a.asJSON {
			return a.line(v)
		}
		return a.constituent(v)
	})
}

func (a *app) constituentVersions(ctx context.Context, n *api.Client, id string) error {
	return listing(a, []string{"VERSION", "SIGNATURE", "BY", "DIGEST", "PREVIOUS"}, over(n.ConstituentVersions(ctx, id)), func(v asset.View) []string {
		signed := "signed"
		if !v.Verified {
			signed = "NOT SIGNED"
		}
		return []string{v.Version, signed, v.By, short(v.Digest, 17), short(v.Constituent.Previous, 17)}
	})
}

// constituent prints one for people.
func (a *app) constituent(v asset.View) error {
	k := v.Constituent
	verified := "holds"
	if !v.Verified {
		verified = "DOES NOT HOLD"
	}
	if err := a.fields("id", k.ID, "name", k.Name, "aliases", strings.Join(k.Aliases, ", "), "description", k.Description, "sectors", strings.Join(k.Sectors, ", "), "criticality", string(k.Criticality),
		"country", k.Country, "languages", strings.Join(k.Languages, ", "), "organisation", k.Org, "version", k.Modified, "signature", verified); err != nil {
		return err
	}
	var rows [][]string
	for _, x := range k.Contacts {
		rows = append(rows, []string{"contact", x.Name, strings.Join(strings.Fields(x.Role+" "+x.Email+" "+x.Phone), " "), ""})
	}
	for _, x := range k.Networks {
		rows = append(rows, []string{"network", x.Range, strings.Join(strings.Fields(x.Name+" "+x.Site), " "), marks(x.Criticality, x.Shared, false)})
	}
	for _, x := range k.ASNs {
		rows = append(rows, []string{"asn", "AS" + strconv.FormatUint(uint64(x), 10), "", ""})
	}
	for _, x := range k.Domains {
		rows = append(rows, []string{"domain", x.Name, "", marks(x.Criticality, x.Shared, x.IncludeSubdomains)})
	}
	for _, x := range k.Certificates {
		rows = append(rows, []string{"certificate", x.SHA256 + x.Serial, x.Subject, ""})
	}
	for _, x := range k.Software {
		rows = append(rows, []string{"software", x.CPE + x.PURL + strings.Join(strings.Fields(x.Vendor+" "+x.Product+" "+x.Version), " "), "", marks(x.Criticality, false, false)})
	}
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(a.out)
	return a.table([]string{"KIND", "VALUE", "NAME", "MARKS"}, rows)
}

func marks(c register.Criticality, shared, below bool) string {
	var out []string
	if c != "" {
		out = append(out, string(c))
	}
	if shared {
		out = append(out, "shared")
	}
	if below {
		out = append(out, "with subdomains")
	}
	return strings.Join(out, ", ")
}

// findConstituent finds one by its id or its whole name, in any case.
func findConstituent(ctx context.Context, n *api.Client, name string) (asset.View, error) {
	if strings.HasPrefix(name, register.Type+"--") {
		return n.Constituent(ctx, name)
	}
	var found []asset.View
	err := n.Constituents(ctx, url.Values{"q": {name}}, func(v asset.View) error {
		if strings.EqualFold(v.Constituent.Name, name) {
			found = append(found, v)
		}
		return nil
	})
	if err == nil && len(found) != 1 {
		err = fault.New(fault.NotFound, "", "there is no constituent %q", name).Try("see: entente constituent list")
	}
	if err != nil {
		return asset.View{}, err
	}
	return found[0], nil
}

func (a *app) addConstituentCmd() *cobra.Command {
	var d register.Constituent
	var critical, email string
	var networks, domains, software []string
	c := &cobra.Command{Use: "add NAME", Short: "Take a constituent in", Args: cobra.ExactArgs(1),
		Example: `  entente constituent add --data DIR 'Harbour Authority' --sector transportation --criticality vital --network 192.0.2.0/24 --domain harbour.example --email duty@harbour.example`}
	f := c.Flags()
	f.StringSliceVar(&d.Sectors, "sector", nil, "`SECTOR`, as STIX names it: energy")
	f.StringVar(&critical, "criticality", "", "low, medium, high or vital")
	f.StringVar(&d.Country, "country", "", "`CODE` of its country")
	f.StringSliceVar(&d.Languages, "language", nil, "`LANGUAGE` to write in, the preferred first: de")
	f.StringVar(&d.Org, "org", "", "its `NAME` in the register of organisations")
	f.StringVar(&email, "email", "", "`ADDRESS` of its first contact")
	f.StringSliceVar(&networks, "network", nil, "`RANGE` of its addresses: CIDR, or the first and the last")
	f.StringSliceVar(&domains, "domain", nil, "`DOMAIN` of it, with all below")
	f.StringSliceVar(&software, "software", nil, "CPE 2.3 name, package URL or `PRODUCT` that it runs")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		d.Name, d.Criticality = args[0], register.Criticality(critical)
		if email != "" {
			d.Contacts = []register.Contact{{Name: email, Email: email}}
		}
		for _, r := range networks {
			d.Networks = append(d.Networks, register.Network{Range: r})
		}
		for _, name := range domains {
			d.Domains = append(d.Domains, register.Domain{Name: name, IncludeSubdomains: true})
		}
		for _, s := range software {
			switch {
			case strings.HasPrefix(s, "cpe:"):
				d.Software = append(d.Software, register.Software{CPE: s})
			case strings.HasPrefix(s, "pkg:"):
				d.Software = append(d.Software, register.Software{PURL: s})
			default:
				d.Software = append(d.Software, register.Software{Product: s})
			}
		}
		v, err := n.AddConstituent(ctx, &d)
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(v)
		}
		_, err = fmt.Fprintln(a.out, v.Constituent.ID)
		return err
	})
}

func (a *app) importConstituentsCmd() *cobra.Command {
	var format, owner string
	var dry, replace bool
	c := &cobra.Command{Use: "import FILE", Short: "Take in what a file says of constituents", Args: cobra.ExactArgs(1),
		Long: `Take in a table (csv), constituents as JSON (json), or exports of NetBox, CSV or REST (netbox); - is the standard input. Rows that are refused do not keep the others
out; the exit code is then 1. Importing the same file again changes nothing. With --dry-run nothing is stored, and what would change is said.`,
		Example: `  entente constituent import --data DIR --dry-run constituents.csv
  entente constituent import --data DIR --format netbox --constituent 'City of Utopia' prefixes.json`}
	c.Flags().StringVar(&format, "format", "csv", "`FORMAT`: "+strings.Join(asset.Formats(), ", "))
	c.Flags().BoolVar(&dry, "dry-run", false, "store nothing, and say what would change")
	c.Flags().BoolVar(&replace, "replace", false, "of the constituents that a table names, take away things of the kinds it names that it does not have")
	c.Flags().StringVar(&owner, "constituent", "", "of NetBox: `NAME` of whose things without a tenant are")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		in, closeIn, err := openInput(a.in, args[0])
		if err != nil {
			return err
		}
		defer closeIn()
		q := url.Values{"format": {format}, "dry_run": {strconv.FormatBool(dry)}, "replace": {strconv.FormatBool(replace)}}
		if owner != "" {
			q.Set("constituent", owner)
		}
		review, err := n.ImportConstituents(ctx, in, q)
		if err != nil {
			return err
		}
		if a.asJSON {
			err = a.line(review)
		} else {
			a.review(review)
		}
		if err != nil {
			return err
		}
		return unless(review.Refused == 0)
	})
}

// review prints what an import did for people.
func (a *app) review(r asset.Review) {
	for _, it := range r.Items {
		fmt.Fprintf(a.out, "%s %s (row %d)\n", it.State, clean(it.Name), it.Row)
		for _, part := range []struct {
			sign string
			list []string
		}{{"+", it.Gained}, {"~", it.Changed}, {"-", it.Lost}} {
			for _, fact := range part.list {
				fmt.Fprintf(a.out, "  %s %s\n", part.sign, clean(fact))
			}
		}
	}
	for _, p := range r.Problems {
		fmt.Fprintf(a.out, "refused row %d: %s\n", p.Row, clean(strings.TrimSpace(strings.Join([]string{p.Name, p.Pointer, p.Message, "[" + p.Code + "]"}, " "))))
	}
	stored := ""
	if r.DryRun {
		stored = " (nothing was stored)"
	}
	fmt.Fprintf(a.out, "%s rows: %s added, %s changed, %s unchanged, %s refused%s\n", count(int64(r.Rows)), count(int64(r.Added)), count(int64(r.Changed)), count(int64(r.Unchanged)), count(int64(r.Refused)), stored)
}

func (a *app) matchConstituentsCmd() *cobra.Command {
	c := &cobra.Command{Use: "match VALUE...", Short: "Say whom values concern", Args: cobra.MinimumNArgs(1),
		Long: "Say whom values concern: addresses, ranges, domains, URLs, e-mail addresses, hashes of certificates, CPE names, package URLs, AS numbers. The exit code is 1 when they concern nobody."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, values []string) error {
		found, err := n.MatchConstituents(ctx, values)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, m := range found {
			if a.asJSON {
				if err := a.line(m); err != nil {
					return err
				}
				continue
			}
			rows = append(rows, []string{m.Value, m.Name, string(m.Asset.Kind), m.Asset.Value, string(m.How), marks(m.Asset.Criticality, m.Asset.Shared, false)})
		}
		if len(rows) > 0 {
			err = a.table([]string{"VALUE", "CONSTITUENT", "KIND", "ASSET", "HOW", "MARKS"}, rows)
		}
		if err != nil {
			return err
		}
		return unless(len(found) > 0)
	})
}

func (a *app) verifyConstituentsCmd() *cobra.Command {
	c := &cobra.Command{Use: "verify", Short: "Check the signature of every version and the chain of versions", Args: cobra.NoArgs,
		Long: "Check that every version of every constituent is signed by your organisation, and names the version before it. The exit code is 1 when one does not."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		v, err := n.VerifyConstituents(ctx)
		if err != nil {
			return err
		}
		if a.asJSON {
			err = a.line(v)
		} else {
			for _, p := range v.Problems {
				fmt.Fprintf(a.out, "%s %s: %s [%s]\n", clean(p.ID), clean(p.Version), clean(p.Message), p.Code)
			}
			verdict := "all sound"
			if !v.Sound {
				verdict = "NOT sound"
			}
			_, err = fmt.Fprintf(a.out, "%s versions of %s constituents: %s\n", count(int64(v.Versions)), count(int64(v.Constituents)), verdict)
		}
		if err != nil {
			return err
		}
		return unless(v.Sound)
	})
}

func (a *app) exportConstituentsCmd() *cobra.Command {
	var format, file string
	c := &cobra.Command{Use: "export", Short: "Write every constituent, as an import reads it", Args: cobra.NoArgs}
	c.Flags().StringVar(&format, "format", "json", "`FORMAT`: json, csv")
	c.Flags().StringVar(&file, "out", "", "`FILE` to write to, which must not be there yet; else the standard output")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		if file == "" {
			return n.ExportConstituents(ctx, format, a.out)
		}
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fault.New(fault.Invalid, "file.write", "%v", err)
		}
		if err = n.ExportConstituents(ctx, format, f); err == nil {
			err = f.Sync()
		}
		if end := f.Close(); err == nil {
			err = end
		}
		if err != nil {
			os.Remove(file)
		}
		return err
	})
}

func (a *app) removeConstituentCmd() *cobra.Command {
	c := &cobra.Command{Use: "remove NAME|ID", Short: "Remove a constituent; its versions stay", Args: cobra.ExactArgs(1),
		Long: "Remove a constituent with a last, signed version that says so. Its versions stay, for who has to know what was in force; to destroy them, purge the object."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		v, err := findConstituent(ctx, n, args[0])
		if err != nil {
			return err
		}
		return n.RemoveConstituent(ctx, v.Constituent.ID)
	})
}
