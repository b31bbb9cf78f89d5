package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"entente/internal/surface/api"
)

func (a *app) blobCmd() *cobra.Command {
	c := &cobra.Command{Use: "blob", Short: "Store attachments and malware samples, and take them out",
		Long: "Store files of any content under a label, each encrypted under a key of its own. A sample leaves the node only inside a ZIP with the password infected."}
	c.AddCommand(a.addBlobCmd(), a.getBlobCmd(), a.listBlobsCmd(), a.showBlobCmd(), a.removeBlobCmd(), a.purgeBlobCmd())
	return c
}

func (a *app) addBlobCmd() *cobra.Command {
	var restrict, name, media string
	var sample bool
	c := &cobra.Command{Use: "add FILE...", Short: "Store files", Args: cobra.MinimumNArgs(1),
		Long: `Store files; - is the standard input. Without a label a file is TLP:RED, for your organisation alone. What your organisation has stored under the same
label is not stored twice. A program is a sample whether or not you say so.`,
		Example: `  entente blob add --data DIR --label tlp:amber report.pdf
  entente blob add --server https://node:8443 --token-file token --sample --label tlp:green dropper.bin`}
	c.Flags().StringVar(&restrict, "label", "", "`LABEL` of the file: tlp:amber")
	c.Flags().StringVar(&name, "name", "", "`NAME` of the file, instead of its own")
	c.Flags().StringVar(&media, "media-type", "", "media `TYPE` that the file has: application/pdf")
	c.Flags().BoolVar(&sample, "sample", false, "the file is malware")
	return a.onNode(c, func(ctx context.Context, n *api.Client, files []string) error {
		if name != "" && len(files) > 1 {
			return usage("--name is for one file")
		}
		if _, err := api.ParseLabel(restrict, true); err != nil {
			return err
		}
		for _, file := range files {
			q := url.Values{"sample": {strconv.FormatBool(sample)}, "name": {filepath.Base(file)}}
			for key, v := range map[string]string{"label": restrict, "name": name, "media_type": media} {
				if v != "" {
					q.Set(key, v)
				}
			}
			if err := a.addBlob(ctx, n, file, q); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *app) addBlob(ctx context.Context, n *api.Client, file string, q url.Values) error {
	in, closeIn, err := openInput(a.in, file)
	if err != nil {
		return err
	}
	defer closeIn()
	total := int64(0)
	if f, ok := in.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			total = info.Size()
		}
	}
	bar := a.progress(file, a.asJSON)
	defer bar.end()
	b, err := n.AddBlob(ctx, &metered{r: in, total: total, bar: bar}, q)
	bar.end()
	if err != nil {
		return err
	}
	if a.asJSON {
		return a.line(b)
	}
	_, err = fmt.Fprintf(a.out, "%s %s\n", b.Blob.ID, b.State)
	return err
}

func (a *app) getBlobCmd() *cobra.Command {
	var to string
	var wrap bool
	c := &cobra.Command{Use: "get ID", Short: "Take a file out", Args: cobra.ExactArgs(1),
		Long: `Write a file to the standard output, or to a new file that appears when it is whole. A sample comes in a ZIP with the password infected, which
keeps scanners and careless fingers away and protects nothing.`}
	c.Flags().StringVarP(&to, "output", "o", "", "`FILE` to write")
	c.Flags().BoolVar(&wrap, "zip", false, "in a ZIP with the password infected, whatever it is")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		if to == "" || to == "-" {
			_, err := n.BlobContent(ctx, args[0], wrap, a.out)
			return err
		}
		return writeFile(to, func(w io.Writer) error {
			_, err := n.BlobContent(ctx, args[0], wrap, w)
			return err
		})
	})
}

func (a *app) listBlobsCmd() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List files that you may have, oldest first", Args: cobra.NoArgs}
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		return listing(a, []string{"ID", "ADDED", "TLP", "SIZE", "KIND", "NAME"}, func(each func(api.Blob) error) error { return n.Blobs(ctx, each) }, func(b api.Blob) []string {
			sample := ""
			if b.Sample {
				sample = "sample"
			}
			return []string{b.ID, when(b.Added), b.Label.TLP.String(), size(b.Size), sample, b.Name}
		})
	})
}

func (a *app) showBlobCmd() *cobra.Command {
	c := &cobra.Command{Use: "show ID", Short: "Show what is known of a file", Args: cobra.ExactArgs(1)}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		b, err := n.Blob(ctx, args[0])
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(b)
		}
		from := ""
		if b.Origin != nil {
			from = b.Origin.Nation + "/" + b.Origin.Org
		}
		return a.fields("id", b.ID, "name", b.Name, "sha256", b.SHA256, "size", size(b.Size), "media type", b.Claimed, "looks like", b.Sniffed, "sample", strconv.FormatBool(b.Sample),
			"tlp", b.Label.TLP.String(), "from", from, "added", when(b.Added))
	})
}

func (a *app) removeBlobCmd() *cobra.Command {
	c := &cobra.Command{Use: "remove ID", Short: "Destroy a file of your organisation", Args: cobra.ExactArgs(1),
		Long: "Destroy a file of your organisation: its key, then itself. Who was given it stays known."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error { return n.RemoveBlob(ctx, args[0]) })
}

func (a *app) purgeBlobCmd() *cobra.Command {
	var sure bool
	c := &cobra.Command{Use: "purge ID", Short: "Destroy a file, so that no trace of its key is left", Args: cobra.ExactArgs(1),
		Long: "Destroy a file, its key and what was noted of it, and search the store for traces. The journal keeps that something was purged, by whom and when. Backups that exist already are not reached."}
	c.Flags().BoolVar(&sure, "yes", false, "do not ask")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		if !sure {
			if err := a.confirm("This destroys "+args[0]+" for good.", args[0]); err != nil {
				return err
			}
		}
		r, err := n.PurgeBlob(ctx, args[0])
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(r)
		}
		return a.fields("searched afterwards", size(r.Searched), "commitment", r.Commit)
	})
}
