package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/bundle"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/surface/api"
)

func (a *app) bundleCmd() *cobra.Command {
	c := &cobra.Command{Use: "bundle", Short: "Share without a connection: make, verify and import sealed files"}
	c.AddCommand(a.bundleKeyCmd(), a.makeBundleCmd(), a.verifyBundleCmd(), a.importBundleCmd(), a.ackBundleCmd(), a.listBundlesCmd())
	return c
}

func (a *app) bundleKeyCmd() *cobra.Command {
	var add string
	c := &cobra.Command{Use: "key", Short: "Print the key to which partners seal, or add that of a partner", Args: cobra.NoArgs,
		Long: "Print the statement of the key to which partners seal what is for this node. It is no secret, is signed by the node, and holds for at most thirty days; bundles bring the next one by themselves. " +
			"With --add, take the statement that a partner's node printed.",
		Example: "  entente bundle key --data DIR > utopia.sealkey\n  entente bundle key --data DIR --add ruritania.sealkey"}
	c.Flags().StringVar(&add, "add", "", "`FILE` with the statement of a partner's node; - is the standard input")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		if add == "" {
			_, err := n.BundleKey(ctx, a.out)
			return err
		}
		in, _, err := a.open(add)
		if err != nil {
			return err
		}
		defer in.Close()
		k, err := n.AddBundleKey(ctx, in)
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(k)
		}
		return a.fields("nation", k.Nation, "organisation", k.Org, "epoch", strconv.FormatUint(uint64(k.Epoch), 10), "until", when(k.NotAfter))
	})
}

func (a *app) open(path string) (io.ReadCloser, int64, error) {
	if path == "-" {
		return io.NopCloser(a.in), 0, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func (a *app) makeBundleCmd() *cobra.Command {
	var q federation.BundleRequest
	c := &cobra.Command{Use: "make FILE", Short: "Write all that a nation may have and has not acknowledged", Args: cobra.RangeArgs(0, 1),
		Long: "Write all that a nation may have, and is not known to have, to a new file that only its node can open: key logs, accords, records, orders and receipts. Each bundle repeats what was not acknowledged, so that one that is lost is " +
			"made good by the next. With --dry-run nothing is written, and FILE is left out.",
		Example: "  entente bundle make --data DIR --for RUR /media/stick/rur.fedb\n  entente bundle make --data DIR --for RUR --dry-run"}
	c.Flags().StringVar(&q.Nation, "for", "", "`NATION` that it is for")
	c.Flags().StringVar(&q.Since, "since", federation.SinceAcknowledged, "where it begins: acknowledged, made (after the last that was made) or nothing (at the beginning)")
	c.Flags().BoolVar(&q.DryRun, "dry-run", false, "only say what it would hold")
	_ = c.MarkFlagRequired("for")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		if len(args) == 0 && !q.DryRun {
			return usage("which FILE is it to be? Or only --dry-run")
		}
		if len(args) == 1 && !q.DryRun {
			if _, err := os.Lstat(args[0]); err == nil {
				return fault.New(fault.Conflict, "bundle.exists", "%s is there already", args[0]).Try("choose another name")
			}
		}
		b, err := n.MakeBundle(ctx, q)
		if err != nil {
			return err
		}
		if !q.DryRun {
			if err := a.fetchBundle(ctx, n, &b, args[0]); err != nil {
				return err
			}
		}
		return a.madeBundle(b)
	})
}

// fetchBundle writes a bundle to a file, whole or not at all.
func (a *app) fetchBundle(ctx context.Context, n *api.Client, b *federation.Bundle, path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".bundle-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	bar := a.progress(filepath.Base(path), a.asJSON)
	_, err = n.BundleFile(ctx, b.Nation, &counted{w: f, tell: func(done int64) { bar.set("writing", done, b.Bytes, "bytes") }})
	bar.end()
	if err == nil {
		err = f.Sync() // it will be carried away
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// counted tells how much went through it.
type counted struct {
	w    io.Writer
	r    io.Reader
	done int64
	tell func(done int64)
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.done += int64(n)
	c.tell(c.done)
	return n, err
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.done += int64(n)
	c.tell(c.done)
	return n, err
}

func (a *app) madeBundle(b federation.Bundle) error {
	if a.asJSON {
		return a.line(b)
	}
	bytes := ""
	if b.Bytes > 0 {
		bytes = size(b.Bytes)
	}
	return a.fields("for", b.Nation+"/"+b.Org, "number", strconv.FormatUint(b.Number, 10), "logs", strconv.Itoa(b.Logs), "leaves", strconv.FormatUint(b.Leaves, 10), "key statements", strconv.FormatUint(b.Statements, 10),
		"accords", strconv.Itoa(b.Accords), "receipts", strconv.Itoa(b.Receipts), "size", bytes, "acknowledged", yes(b.Acknowledged, "yes"))
}

// carried sends a bundle that lies in a file.
func (a *app) carried(path string, do func(io.Reader) (federation.Imported, error)) (federation.Imported, error) {
	in, total, err := a.open(path)
	if err != nil {
		return federation.Imported{}, err
	}
	defer in.Close()
	bar := a.progress(filepath.Base(path), a.asJSON)
	defer bar.end()
	return do(&counted{r: in, tell: func(done int64) { bar.set("reading", done, total, "bytes") }})
}

func (a *app) verifyBundleCmd() *cobra.Command {
	var card string
	c := &cobra.Command{Use: "verify FILE", Short: "Verify a bundle to its end and say what is in it; nothing is taken", Args: cobra.ExactArgs(1),
		Long: "Verify a bundle to its end and say what is in it. The node takes nothing. With --card no node is asked: its keys below --data and the card of the sender's nation are enough, for a station that looks at what comes before " +
			"the node does; compare the fingerprint that is shown.",
		Example: "  entente bundle verify --data DIR /media/stick/rur.fedb\n  entente bundle verify --data DIR --card utopia.card /media/stick/rur.fedb"}
	c.Flags().StringVar(&card, "card", "", "`FILE` with the card of the sender's nation: verify without a node")
	a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		in, err := a.carried(args[0], func(r io.Reader) (federation.Imported, error) { return n.VerifyBundle(ctx, r) })
		if err != nil {
			return err
		}
		return a.imported(in)
	})
	atNode := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if card == "" {
			return atNode(c, args)
		}
		in, err := a.verifyOffline(args[0], card)
		if err != nil {
			return err
		}
		return a.imported(in)
	}
	return c
}

func (a *app) importBundleCmd() *cobra.Command {
	var ack string
	c := &cobra.Command{Use: "import FILE", Short: "Verify a bundle whole, and then take what is in it", Args: cobra.ExactArgs(1),
		Long: "Verify a bundle whole, and then take what is in it as if it came over the wire. Once it is taken 24 words are printed: read them to the sender, or bring them in the file of --ack, and its next bundle begins where this one ended. " +
			"A bundle before which something is missing is kept and taken once that comes; one that does not hold is refused, and listed with the reason.",
		Example: "  entente bundle import --data DIR /media/stick/rur.fedb --ack rur.ack"}
	c.Flags().StringVar(&ack, "ack", "", "new `FILE` for the words, to be brought to the sender")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		in, err := a.carried(args[0], func(r io.Reader) (federation.Imported, error) { return n.ImportBundle(ctx, r) })
		if err != nil {
			return err
		}
		if ack != "" && in.Words != "" {
			f, err := os.OpenFile(ack, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(f, in.Words)
			if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
				return err
			}
		}
		return a.imported(in)
	})
}

func (a *app) imported(in federation.Imported) error {
	if a.asJSON {
		return a.line(in)
	}
	number := func(n uint64) string { return strconv.FormatUint(n, 10) }
	err := a.fields("state", in.State, "from", in.Nation+"/"+in.Org, "number", number(in.Number), "made", when(in.Created), "leaves", number(in.Leaves), "new", number(in.New), "stored", strconv.Itoa(in.Stored),
		"receipts", strconv.Itoa(in.Receipts))
	if in.Acknowledged > 0 {
		a.say("our bundle %d arrived there", in.Acknowledged)
	}
	for _, m := range in.Missing {
		a.say("%s", clean(m))
	}
	for _, r := range in.Refused {
		a.say("not taken: %s", clean(r))
	}
	if in.Others > 0 {
		a.say("not taken: %d more", in.Others)
	}
	for _, n := range in.After {
		a.say("bundle %d, which had waited, is taken too", n)
	}
	if in.Words == "" || err != nil {
		return err
	}
	return a.fields("words", in.Words)
}

func (a *app) ackBundleCmd() *cobra.Command {
	var nation string
	c := &cobra.Command{Use: "ack FILE|WORDS", Short: "Note that a bundle arrived: the next one begins where it ended", Args: cobra.MinimumNArgs(1),
		Long:    "Note that a bundle arrived, by the 24 words that are shown where it was imported, or the file with them. The first four letters of each word are enough.",
		Example: "  entente bundle ack --data DIR rur.ack\n  entente bundle ack --data DIR abandon ability able …"}
	c.Flags().StringVar(&nation, "for", "", "`NATION` that it was for")
	return a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		words := strings.Join(args, " ")
		if len(args) == 1 && len(strings.Fields(words)) == 1 {
			in, _, err := a.open(args[0])
			if err != nil {
				return err
			}
			defer in.Close()
			var b bytes.Buffer
			if _, err := io.Copy(&b, io.LimitReader(in, 4096)); err != nil {
				return err
			}
			words = b.String()
		}
		if _, err := bundle.ParseWords(words); err != nil {
			return fault.New(fault.Invalid, "bundle.words", "%v", err)
		}
		b, err := n.AckBundle(ctx, api.BundleWords{Nation: nation, Words: words})
		if err != nil {
			return err
		}
		return a.madeBundle(b)
	})
}

func (a *app) listBundlesCmd() *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List the bundles that were made, were taken, wait, and were refused", Args: cobra.NoArgs}
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		b, err := n.Bundles(ctx)
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(b)
		}
		var rows [][]string
		row := func(state, nation string, number uint64, at time.Time, by, more string) {
			rows = append(rows, []string{state, nation, strconv.FormatUint(number, 10), when(at), by, more})
		}
		for _, m := range b.Made {
			state := "made"
			if m.Acknowledged {
				state = "arrived"
			}
			row(state, m.Nation, m.Number, m.Made, m.By, fmt.Sprintf("%d leaves, %s", m.Leaves, size(m.Bytes)))
		}
		for _, t := range b.Taken {
			row("taken", t.Nation, t.Number, t.At, t.By, t.Words)
		}
		for _, w := range b.Waiting {
			row("waiting", w.Nation, w.Number, w.At, w.By, strings.Join(w.Missing, "; "))
		}
		for _, r := range b.Refused {
			row("refused", r.Nation, r.Number, r.At, r.By, r.Code+": "+r.Reason)
		}
		return a.table([]string{"STATE", "NATION", "NUMBER", "AT", "BY", "MORE"}, rows)
	})
}
