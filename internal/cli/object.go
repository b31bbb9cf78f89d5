package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"entente/internal/surface/api"
)

func (a *app) objectCmd() *cobra.Command {
	c := &cobra.Command{Use: "object", Short: "Import, find, check and remove STIX objects"}
	c.AddCommand(a.importCmd(), a.reviewCmd(), a.labelCmd(), a.exportCmd(), a.getCmd(), a.searchCmd(), a.validateCmd(), a.removeObjectCmd(), a.purgeCmd(), a.shareCmd(), a.retractCmd(), a.whyCmd(), a.holdersCmd(),
		a.neighboursCmd(), a.pathsCmd())
	return c
}

// filters are the flags that choose objects.
type filters struct {
	c *cobra.Command
}

var filterFlags = []struct{ flag, param, usage string }{
	{"collection", "collection", "`NAME` of a collection, its id or alias"},
	{"type", "type", "STIX `TYPE`"},
	{"id", "id", "object `ID`"},
	{"value", "value", "`VALUE` of an observable, wherever in the object"},
	{"ref", "ref", "`ID` of an object that is named"},
	{"name", "name", "`NAME` or alias, in any case"},
	{"external", "external", "external reference `SOURCE:ID`, for example mitre-attack:T1059"},
	{"tlp", "tlp", "`TLP`: red, amber+strict, amber, green or clear"},
	{"version", "version", "`VERSION`: all, first, last, or the time in modified; the latest without"},
	{"spec", "spec", "`SPEC`: 2.0 or 2.1"},
	{"added-after", "added_after", "`TIME` after which they were added, 2026-01-31T12:00:00Z or 2026-01-31"},
}

func filterOf(c *cobra.Command) filters {
	for _, f := range filterFlags {
		c.Flags().StringSlice(f.flag, nil, f.usage)
	}
	return filters{c}
}

func (f filters) query() url.Values {
	q := url.Values{}
	for _, x := range filterFlags {
		if v, err := f.c.Flags().GetStringSlice(x.flag); err == nil && len(v) > 0 {
			q[x.param] = v
		}
	}
	return q
}

var errEnough = errors.New("enough")

func (a *app) searchCmd() *cobra.Command {
	c := &cobra.Command{Use: "search", Short: "Find objects", Args: cobra.NoArgs,
		Long: "Find objects that you may have, in the order they were added. Options combine by AND, the values of one option by OR; value, ref, name and external by AND. With --text they are found by words and come best first; of the other options, --type, --tlp and --collection go with it.",
		Example: `  entente object search --data DIR --type indicator --value 198.51.100.7
  entente object search --data DIR --name "example group" --json
  entente object search --data DIR --text 'loader type:malware -"proof of concept"'`}
	f := filterOf(c)
	limit := c.Flags().Int("limit", 100, "at most `N` objects; 0 is all")
	text := c.Flags().String("text", "", "`QUERY` of words, \"phrases\", begin* and filters such as value:198.51.100.0/24; see docs/search.md")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		q := f.query()
		if *text != "" {
			if err := besideText(q); err != nil {
				return err
			}
			q.Set("q", *text)
			q.Set("fresh", "true")
		}
		page := 1000
		if *limit > 0 {
			page = min(*limit, page)
		}
		q.Set("limit", strconv.Itoa(page))
		var rows [][]string
		found := 0
		show := func(o api.Object) error {
			found++
			if a.asJSON {
				if err := a.line(o); err != nil {
					return err
				}
			} else {
				rows = append(rows, []string{o.ID, o.Label.TLP.String(), when(o.Added), short(title(o), 60)})
			}
			if found == *limit {
				return errEnough
			}
			return nil
		}
		var err error
		if *text != "" {
			err = n.Find(ctx, q, func(o api.Found) error { return show(o.Object) })
		} else {
			err = n.Search(ctx, q, show)
		}
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		if a.asJSON {
			return nil
		}
		if err := a.table([]string{"ID", "TLP", "ADDED", "NAME"}, rows); err != nil {
			return err
		}
		if errors.Is(err, errEnough) {
			a.say("%s objects; there may be more: --limit 0 shows all", count(int64(found)))
		}
		return nil
	})
}

// besideText refuses filters that a search by words has in its text.
func besideText(q url.Values) error {
	for _, f := range filterFlags {
		if _, ok := q[f.param]; ok && f.param != "type" && f.param != "tlp" && f.param != "collection" {
			return usage("--%s does not go with --text: write it in the text, for example value:198.51.100.7 or since:7d", f.flag)
		}
	}
	return nil
}

// title is what a person calls an object.
func title(o api.Object) string {
	var v struct {
		Name, Value, Pattern, Relationship string
	}
	var raw map[string]json.RawMessage
	if json.Unmarshal(o.Object, &raw) != nil {
		return ""
	}
	for _, p := range []struct {
		key  string
		into *string
	}{{"name", &v.Name}, {"value", &v.Value}, {"pattern", &v.Pattern}, {"relationship_type", &v.Relationship}} {
		if json.Unmarshal(raw[p.key], p.into) == nil && *p.into != "" {
			return *p.into
		}
	}
	return ""
}

func (a *app) getCmd() *cobra.Command {
	var version string
	c := &cobra.Command{Use: "get ID", Short: "Print one object", Args: cobra.ExactArgs(1),
		Long: "Print the exact bytes of one object. With --json it is printed with its label and origin. With --version all, its versions are listed."}
	c.Flags().StringVar(&version, "version", "", "`VERSION`: all, first, last, or the time in modified; the latest without")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		q := url.Values{}
		if version != "" {
			q.Set("version", version)
		}
		if version == "all" {
			return a.versions(ctx, n, args[0])
		}
		if a.asJSON {
			o, err := n.Object(ctx, args[0], q)
			if err != nil {
				return err
			}
			return a.line(o)
		}
		if err := n.Raw(ctx, args[0], q, a.out); err != nil {
			return err
		}
		_, err := fmt.Fprintln(a.out)
		return err
	})
}

func (a *app) versions(ctx context.Context, n *api.Client, id string) error {
	return listing(a, []string{"VERSION", "SPEC", "TLP", "ADDED", ""}, func(each func(api.Object) error) error { return n.Versions(ctx, id, each) }, func(o api.Object) []string {
		return []string{o.Version, o.Spec, o.Label.TLP.String(), when(o.Added), yes(o.Revoked, "revoked")}
	})
}

func yes(b bool, word string) string {
	if b {
		return word
	}
	return ""
}

func (a *app) exportCmd() *cobra.Command {
	var format, output, dir string
	c := &cobra.Command{Use: "export", Short: "Write all objects of a query to a file", Args: cobra.NoArgs,
		Long: `Write all objects that you may have, or those of a query, as a STIX bundle or one per line. The file appears when it is whole.
With --format misp the published events that you may have, all or those of a collection, are written as a MISP feed into a directory: for a web server, or to be carried.`,
		Example: `  entente object export --data DIR -o all.json
  entente object export --server https://node:8443 --token-file token --format misp --dir /media/usb/feed`}
	f := filterOf(c)
	c.Flags().StringVar(&format, "format", "bundle", "bundle, ndjson or misp")
	c.Flags().StringVar(&dir, "dir", "", "`DIR` to write a MISP feed into; it is made if need be")
	c.Flags().StringVarP(&output, "output", "o", "-", "`FILE` to write to; - is the standard output")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		q := f.query()
		q.Set("format", format)
		switch {
		case dir != "" && (format != "misp" || output != "-"):
			return usage("--dir is for --format misp, and without --output")
		case dir != "":
			return a.exportFeed(ctx, n, q, dir)
		}
		if output == "-" {
			out := bufio.NewWriterSize(a.out, 256<<10)
			_, err := n.Export(ctx, q, out)
			return errors.Join(err, out.Flush())
		}
		return writeFile(output, func(w io.Writer) error {
			bar := a.progress("export", false)
			done, err := n.Export(ctx, q, &writing{w: w, bar: bar})
			bar.end()
			if err == nil {
				a.say("%s written to %s", size(done), output)
			}
			return err
		})
	})
}

// writeFile makes a file, readable for its owner only, that appears when it is whole and durable.
func writeFile(path string, fill func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".entente-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 256<<10)
	if err := fill(w); err != nil {
		return err
	}
	if err := errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (a *app) removeObjectCmd() *cobra.Command {
	var collection, version string
	c := &cobra.Command{Use: "remove ID --collection NAME", Short: "Take an object out of a collection", Args: cobra.ExactArgs(1),
		Long: "Take an object, or some versions of it, out of a collection. An object in no collection any more is erased."}
	c.Flags().StringVar(&collection, "collection", "", "`NAME` of the collection, its id or alias")
	c.Flags().StringVar(&version, "version", "", "`VERSION`: all, first, last, or the time in modified; all without")
	c.MarkFlagRequired("collection")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		q := url.Values{"collection": {collection}}
		if version != "" {
			q.Set("version", version)
		}
		removed, err := n.Remove(ctx, args[0], q)
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(map[string]int{"removed": removed})
		}
		a.say("%d versions removed", removed)
		return nil
	})
}

func (a *app) purgeCmd() *cobra.Command {
	var dry, sure bool
	c := &cobra.Command{Use: "purge ID", Short: "Destroy an object, so that no file holds a byte of it", Args: cobra.ExactArgs(1),
		Long: "Destroy every version of an object: bodies, keys and what was noted of them. The journal keeps that something was purged, by whom and when. Backups that exist already are not reached."}
	c.Flags().BoolVar(&dry, "dry-run", false, "only count what would be destroyed")
	c.Flags().BoolVar(&sure, "yes", false, "do not ask")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		if !dry && !sure {
			if err := a.confirm("This destroys every version of "+args[0]+" for good.", args[0]); err != nil {
				return err
			}
		}
		r, err := n.Purge(ctx, args[0], dry)
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(r)
		}
		verb := "destroyed"
		if dry {
			verb = "would be destroyed"
		}
		fmt.Fprintf(a.out, "%d versions in %d places, %s, %s\n", r.Records, r.Placements, size(r.Bytes), verb)
		if !dry {
			return a.fields("searched afterwards", size(r.Searched), "commitment", r.Commit)
		}
		return nil
	})
}

// confirm asks a person to type a word. Where nobody can be asked, --yes is needed.
func (a *app) confirm(warning, word string) error {
	f, ok := a.in.(*os.File)
	if !ok || !isTerminal(f) || !isTerminal(a.err) {
		return usage("%s Give --yes to say that you mean it", warning)
	}
	fmt.Fprintf(a.err, "%s Type %s to go on: ", warning, clean(word))
	line, _ := bufio.NewReader(a.in).ReadString('\n')
	if strings.TrimSpace(line) != word {
		return usage("nothing was done")
	}
	return nil
}

func (a *app) whyCmd() *cobra.Command {
	c := &cobra.Command{Use: "why ID --org NAME", Short: "Say why an organisation may or may not have an object", Args: cobra.ExactArgs(1),
		Long: "Say what the gate decides on each version of an object for a viewer, with every reason for and against. The exit code is 1 when the viewer may have none of them."}
	var lang string
	speaks(c, &lang)
	params := map[string]*[]string{}
	for _, p := range []struct{ name, usage string }{
		{"org", "`NAME` of the viewer's organisation; the node's own without"}, {"nation", "`CODE` of its nation, where it is not registered"},
		{"person", "`NAME` of the viewer"}, {"role", "`ROLE` of the viewer; reader without"}, {"purpose", "`PURPOSE` the viewer asks for"},
	} {
		params[p.name] = c.Flags().StringSlice(p.name, nil, p.usage)
	}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		q := url.Values{}
		for name, v := range params {
			if len(*v) > 0 {
				q[name] = *v
			}
		}
		list, err := n.Speaking(lang).Why(ctx, args[0], q)
		if err != nil {
			return err
		}
		permitted := false
		for _, e := range list {
			permitted = permitted || e.Decision.Permit
			if a.asJSON {
				if err := a.line(e); err != nil {
					return err
				}
				continue
			}
			verdict := "withheld"
			if e.Decision.Permit {
				verdict = "permitted"
			}
			fmt.Fprintf(a.out, "%s %s: %s\n", clean(e.ID), clean(e.Version), verdict)
			for _, r := range e.Decision.Reasons {
				mark := "+"
				if !r.Permit {
					mark = "-"
				}
				fmt.Fprintf(a.out, "  %s %s [%s]\n", mark, clean(r.Sentence), r.Code)
			}
			if e.Hidden != "" {
				fmt.Fprintf(a.out, "  - it names %s, which the viewer may not have [closure]\n", clean(e.Hidden))
			}
		}
		if !permitted {
			return no()
		}
		return nil
	})
}
