package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"entente/internal/node"
	"entente/internal/surface/api"
)

func (a *app) backupCmd() *cobra.Command {
	c := &cobra.Command{Use: "backup FILE", Short: "Copy everything a restore needs, while the node goes on", Args: cobra.ExactArgs(1),
		Long: "Copy the store, what sensors reported, the keys and the configuration, consistent, to one file that appears when it is whole and durable; - is the standard output. Whoever has the file has the node: keep it as you keep the keys."}
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		if args[0] == "-" {
			_, err := n.Backup(ctx, a.out)
			return err
		}
		return writeFile(args[0], func(w io.Writer) error {
			bar := a.progress("backup", a.asJSON)
			defer bar.end()
			total, err := n.Backup(ctx, &writing{w: w, bar: bar})
			bar.end()
			switch {
			case err != nil:
				return err
			case a.asJSON:
				return a.line(map[string]any{"file": args[0], "bytes": total})
			}
			_, err = fmt.Fprintf(a.out, "%s written to %s\n", size(total), clean(args[0]))
			return err
		})
	})
}

// writing shows how much was written.
type writing struct {
	w    io.Writer
	done int64
	bar  *bar
}

func (p *writing) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	p.done += int64(n)
	p.bar.set("writing", p.done, 0, "bytes")
	return n, err
}

func (a *app) restoreCmd() *cobra.Command {
	c := &cobra.Command{Use: "restore FILE --data DIR", Short: "Make a data directory from a backup", Args: cobra.ExactArgs(1),
		Long: "Make a new data directory from a backup, after checking the whole of it. A directory that holds a node already is never touched."}
	a.dataFlag(c)
	var realm string
	c.Flags().StringVar(&realm, "realm", "", "`REALM` that the backup must be of, exercise:NAME; operational without")
	c.RunE = func(c *cobra.Command, args []string) error {
		if a.conn.data == "" {
			return usage("where? Give --data DIR, or set ENTENTE_DATA")
		}
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		made, err := node.Restore(c.Context(), f, info.Size(), a.conn.data, realm)
		if err != nil {
			return err
		}
		a.noticeRealm(made.Realm)
		if a.asJSON {
			return a.line(made)
		}
		_, err = fmt.Fprintf(a.out, "the node of %s (%s), as of %s, is in %s\n", clean(made.Org), made.Nation, when(made.Created), a.conn.data)
		return err
	}
	return c
}
