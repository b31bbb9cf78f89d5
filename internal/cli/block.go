package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/block"
	"entente/internal/fault"
	"entente/internal/surface/api"
	"entente/keylog"
)

func (a *app) blockCmd() *cobra.Command {
	var out string
	var types []string
	var explain bool
	var only block.LeftFilter
	c := &cobra.Command{Use: "block [FORMAT]", Short: "Write what the enforcement points of a network load", Args: cobra.MaximumNArgs(1), ValidArgs: block.Names(),
		Long: `Write what is blocked, in the format of the program that loads it; without a format, the formats are listed. What is blocked are the indicators that you may
have, that their labels and permissible actions let you block, and that are valid now: never an own or shared service, a value of a warning list, a private
address or a whole network of the internet.

With --out the file is written whole or not at all, and its signature beside it, in FILE.dsse; "entente block verify" checks it where the file is loaded.
Where the format has no room for it, FILE.json says of each value where it comes from and until when it counts.
--explain writes instead, one line of JSON each, what is not blocked and why; with --value one value, with --code one reason. Formats: ` + strings.Join(block.Names(), ", ") + `. See docs/block.md.`,
		Example: `  entente block rpz --data DIR --out rpz.zone
  entente block nft --data DIR | nft -f -
  entente block list --data DIR --type ipv4,cidr --out addresses.txt
  entente block rpz --data DIR --explain
  entente block list --data DIR --explain --value 198.51.100.7`}
	c.Flags().StringVarP(&out, "out", "o", "", "the `FILE` to write; without it the standard output")
	c.Flags().StringSliceVar(&types, "type", nil, "`TYPE` of values, of those that the format has; all without")
	c.Flags().BoolVar(&explain, "explain", false, "write what is not blocked and why, one line of JSON each")
	c.Flags().StringVar(&only.Value, "value", "", "with --explain, only this `VALUE`, in any of its forms")
	c.Flags().StringVar(&only.Code, "code", "", "with --explain, only what is not blocked for this reason: its `CODE`")
	a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		switch {
		case only != (block.LeftFilter{}) && !explain:
			return usage("--value and --code say what is to be explained: give --explain as well")
		case len(args) == 0 && (out != "" || explain || len(types) > 0):
			return usage("which format? One of %s", strings.Join(block.Names(), ", "))
		case len(args) == 0:
			return a.blockFormats(n.Blocking(ctx))
		}
		s, err := block.Select(args[0], types)
		switch {
		case err != nil:
			return err
		case explain:
			return n.BlockLeft(ctx, args[0], only, func(l block.Spared) error { return a.line(l) })
		case out == "":
			_, err := n.Block(ctx, args[0], types, a.out)
			return err
		}
		var got api.Blocked
		err = writeFile(out, func(w io.Writer) (err error) {
			got, err = n.Block(ctx, args[0], types, w)
			return err
		})
		if err != nil {
			return err
		}
		if err := writeFile(out+".dsse", func(w io.Writer) error { _, err := w.Write(append(got.Envelope, '\n')); return err }); err != nil {
			return err
		}
		return sources(ctx, n, s, out)
	})
	c.AddCommand(a.verifyBlockCmd())
	return c
}

// sources writes beside a file of a format that has no room for it where its values come from and until when they count: the same in JSON.
func sources(ctx context.Context, n *api.Client, s block.Selection, out string) error {
	if s.Traced() {
		return nil
	}
	var types []string
	for _, k := range s.Kinds {
		types = append(types, k.String())
	}
	return writeFile(out+".json", func(w io.Writer) error { _, err := n.Block(ctx, "json", types, w); return err })
}

func (a *app) blockFormats(b api.Blocking, err error) error {
	if err != nil {
		return err
	}
	if a.asJSON {
		return a.line(b)
	}
	var rows [][]string
	for _, f := range b.Formats {
		rows = append(rows, []string{f.Name, f.Doc, strings.Join(f.Types, " ")})
	}
	if err := a.table([]string{"FORMAT", "WHAT IT IS", "TYPES"}, rows); err != nil {
		return err
	}
	a.say("%s values are blocked; serial %d of %s", count(int64(b.Entries)), b.Serial, b.Time)
	return nil
}

func (a *app) verifyBlockCmd() *cobra.Command {
	var card, envelope string
	c := &cobra.Command{Use: "verify FILE", Short: "Check the signature of a file before it is loaded", Args: cobra.ExactArgs(1),
		Long: `Check that the organisation signed exactly these bytes, and that they may be loaded still. The signature stands in FILE.dsse. With --card, the card of the
node (entente key card), no node is needed; else the node is asked for its nation's key log. The exit code is 1 when the file must not be loaded.`,
		Example: "  entente block verify rpz.zone --card node.card && rndc reload rpz.entente.invalid"}
	c.Flags().StringVar(&card, "card", "", "the card of the node: `FILE`")
	c.Flags().StringVar(&envelope, "signature", "", "the signature: `FILE`, instead of FILE.dsse")
	a.nodeFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if envelope == "" {
			envelope = args[0] + ".dsse"
		}
		if card == "" {
			return a.with(func(ctx context.Context, n *api.Client, args []string) error {
				var b bytes.Buffer
				if err := n.KeyLog(ctx, &b); err != nil {
					return err
				}
				log, err := keylog.Parse(b.Bytes())
				if err != nil {
					return err
				}
				return a.verifyBlock(args[0], envelope, log)
			})(c, args)
		}
		b, err := a.readCard(card)
		if err != nil {
			return err
		}
		known, err := keylog.ParseCard(b)
		if err != nil {
			return &exit{exitNo, err}
		}
		return a.verifyBlock(args[0], envelope, known.Log)
	}
	return c
}

func (a *app) verifyBlock(path, envelope string, log *keylog.Log) error {
	signed, err := a.readCard(envelope)
	if err != nil {
		return err
	}
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := block.Verify(f, signed, log, time.Now())
	if err != nil {
		e := *fault.As(err)
		e.Message = clean(path) + " must not be loaded: " + e.Message
		return &exit{exitNo, &e}
	}
	if a.asJSON {
		return a.line(s)
	}
	return a.fields("format", s.Format, "types", strings.Join(s.Types, " "), "entries", strconv.Itoa(s.Entries), "serial", strconv.FormatUint(uint64(s.Serial), 10), "signed by", s.Nation+"/"+s.Org, "realm", s.Realm,
		"signed", when(s.Signed), "until", when(s.Until))
}
