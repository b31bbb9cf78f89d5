package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/accord"
	"entente/internal/surface/api"
)

// The commands about accords that need no node: they work on texts.

func (a *app) newAccordCmd() *cobra.Command {
	t := accord.Template{Kind: "bilateral"}
	var from, until, output string
	var parties []string
	c := &cobra.Command{Use: "new NAME", Short: "Write the text of a new accord, to be edited", Args: cobra.ExactArgs(1),
		Long: `Write the text of a new accord: complete, in its canonical form, and stricter than most will want it. Edit it, check it, add it. No node is needed.
A party's organisation is named as its nation's key log has it. With --data or --server the node fills it in for its own nation and for those whose key logs it has.`,
		Example: `  entente accord new uto-rur --data DIR --party UTO,RUR -o uto-rur.accord
  entente accord new uto-rur --party 'UTO=Utopia CERT' --party 'RUR=Ruritania CERT' -o uto-rur.accord
  entente accord check uto-rur.accord`}
	a.nodeFlags(c)
	f := c.Flags()
	f.StringVar(&t.Kind, "kind", t.Kind, strings.Join(accord.TemplateKinds, ", "))
	f.StringSliceVar(&parties, "party", nil, "`CODE` of a nation that is a party, or CODE=ORGANISATION; repeat it, or separate with commas")
	f.StringVar(&t.Register, "register", "", "`NAME` of the register that names the parties of an alliance, instead of --party")
	f.StringSliceVar(&t.Gives, "give", nil, "what is given: "+strings.Join(accord.TemplateGives, ", ")+"; what is usual for the kind without")
	f.StringVar(&t.Title, "title", "", "`TEXT` that people call it by")
	f.StringVar(&from, "from", "", "`DAY` (2026-01-31) from which it is in force; today without")
	f.StringVar(&until, "until", "", "`DAY` at whose beginning it ends; never without")
	f.StringVarP(&output, "output", "o", "-", "`FILE` to write to, which must not be there; - is the standard output")
	write := func(ctx context.Context, n *api.Client, args []string) error {
		t.Name, t.Effective, t.Nations, t.Orgs = args[0], time.Now(), nil, map[string]string{}
		for _, p := range parties {
			code, org, named := strings.Cut(p, "=")
			if t.Nations = append(t.Nations, code); named {
				t.Orgs[code] = org
			}
		}
		if n != nil {
			if err := orgsOf(ctx, n, &t); err != nil {
				return err
			}
		}
		for _, d := range []struct {
			flag, text string
			into       *time.Time
		}{{"--from", from, &t.Effective}, {"--until", until, &t.Expires}} {
			if d.text == "" {
				continue
			}
			day, err := time.Parse(time.DateOnly, d.text)
			if err != nil {
				return usage("%s %q is not a day such as 2026-01-31", d.flag, d.text)
			}
			*d.into = day
		}
		text, err := accord.New(t)
		if err != nil {
			return usage("%v", err)
		}
		if output == "-" {
			_, err = a.out.Write(text)
			return err
		}
		file, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = file.Write(text)
		return errors.Join(err, file.Close())
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if a.conn.server == "" && a.conn.data == "" {
			return write(c.Context(), nil, args)
		}
		return a.with(write)(c, args)
	}
	return c
}

// speaks lets a command say sentences in another language.
func speaks(c *cobra.Command, lang *string) {
	c.Flags().StringVar(lang, "lang", accord.Languages[0], "language of the sentences: "+strings.Join(accord.Languages, ", "))
}

// orgsOf fills in the organisations that the node knows of the parties.
func orgsOf(ctx context.Context, n *api.Client, t *accord.Template) error {
	me, err := n.Me(ctx)
	if err != nil {
		return err
	}
	known := map[string]string{}
	if me.Own {
		known[me.Nation] = me.Org
	}
	peers, err := n.Peers(ctx)
	if err != nil {
		return err
	}
	for _, p := range peers {
		known[p.Nation] = p.Org
	}
	for _, code := range t.Nations {
		if t.Orgs[code] == "" {
			t.Orgs[code] = known[code]
		}
	}
	return nil
}

// accordFile reads a file that holds an accord: its text, or the text with signatures.
func (a *app) accordFile(path string) ([]byte, error) {
	in := a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, accord.MaxBundle+1))
	if err == nil && len(b) > accord.MaxBundle {
		err = usage("%s has more than %s: that is no accord", path, size(accord.MaxBundle))
	}
	return b, err
}

// textOf is the text of a file's accord.
func textOf(src []byte) ([]byte, error) {
	if !bytes.HasPrefix(src, []byte("{")) {
		return src, nil
	}
	b, err := accord.ParseBundle(src)
	if err != nil {
		return nil, unfit(err)
	}
	return []byte(b.Text), nil
}

// unfit is what is wrong with a text, told line by line, with the answer no.
func unfit(err error) error { return &exit{exitNo, err} }

// parsed reads the only accord of a file. What is wrong with it is told with its place.
func (a *app) parsed(path string) (*accord.Accord, error) {
	src, err := a.accordFile(path)
	if err != nil {
		return nil, err
	}
	if src, err = textOf(src); err != nil {
		return nil, err
	}
	text, err := accord.Parse(path, src)
	if err != nil {
		return nil, a.misread(err)
	}
	return text, nil
}

// misread tells every error of a text on a line of its own.
func (a *app) misread(err error) error {
	var all accord.Errors
	if !errors.As(err, &all) {
		return unfit(err)
	}
	for _, e := range all {
		fmt.Fprintln(a.err, clean(e.Error()))
	}
	return no()
}

// finding is one line of accord check --json.
type finding struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Severity string `json:"severity"` // "error", or that of a warning
	Rule     string `json:"rule,omitempty"`
	Clause   string `json:"clause,omitempty"`
	Text     string `json:"text"`
}

func (a *app) checkAccordCmd() *cobra.Command {
	var before, lang string
	c := &cobra.Command{Use: "check FILE...", Short: "Check the text of an accord", Args: cobra.MinimumNArgs(1),
		Long: `Check texts of accords, or files with signatures: what is wrong, with file, line and column, and what a reader should know before signing. - is the standard input. No node is needed.
The exit code is 1 when a text is no accord, or cannot bind anybody as it stands.`,
		Example: "  entente accord check uto-rur.accord\n  entente accord check --before uto-rur-1.accord uto-rur-2.accord"}
	c.Flags().StringVar(&before, "before", "", "`FILE` of the version that this one supersedes")
	speaks(c, &lang)
	c.RunE = func(_ *cobra.Command, files []string) error {
		ctx := accord.Context{Now: time.Now(), Language: lang}
		if before != "" {
			old, err := a.parsed(before)
			if err != nil {
				return err
			}
			ctx.Before, ctx.BeforeDigest = old, accord.Digest(old.Bytes())
		}
		bad := false
		for _, path := range files {
			found, err := a.check(path, ctx)
			if err != nil {
				return err
			}
			for _, f := range found {
				bad = bad || f.Severity == "error" || f.Severity == accord.Refusal.String()
				if a.asJSON {
					if err := a.line(f); err != nil {
						return err
					}
					continue
				}
				fmt.Fprintf(a.out, "%s:%d:%d: %s: %s\n", clean(f.File), f.Line, f.Column, f.Severity, clean(f.Text))
			}
			if len(found) == 0 && !a.asJSON {
				a.say("%s: nothing to remark", clean(path))
			}
		}
		if bad {
			return no()
		}
		return nil
	}
	return c
}

// check is everything that can be said against a file.
func (a *app) check(path string, ctx accord.Context) (out []finding, err error) {
	src, err := a.accordFile(path)
	if err != nil {
		return nil, err
	}
	if src, err = textOf(src); err != nil {
		return []finding{{File: path, Severity: "error", Text: err.Error()}}, nil
	}
	all, err := accord.ParseAll(path, src)
	var errs accord.Errors
	switch {
	case errors.As(err, &errs):
		for _, e := range errs {
			out = append(out, finding{path, e.Line, e.Column, "error", e.Rule, "", e.Message})
		}
	case err != nil:
		out = append(out, finding{File: path, Severity: "error", Text: err.Error()})
	}
	for _, x := range all {
		for _, w := range x.Check(ctx) {
			out = append(out, finding{path, w.Line, w.Column, w.Severity.String(), w.Rule, w.Clause, w.Text})
		}
	}
	return out, nil
}

func (a *app) formatAccordCmd() *cobra.Command {
	var write bool
	c := &cobra.Command{Use: "format FILE", Short: "Bring the text of an accord into its canonical form", Args: cobra.ExactArgs(1),
		Long: "Bring the text of an accord into its canonical form, whose bytes are what is signed, and print it. Comments bind nobody, and are left out. No node is needed."}
	c.Flags().BoolVarP(&write, "write", "w", false, "write it back to the file, when it differs")
	c.RunE = func(_ *cobra.Command, args []string) error {
		src, err := a.accordFile(args[0])
		if err != nil {
			return err
		}
		all, err := accord.ParseAll(args[0], src)
		if err != nil {
			return a.misread(err)
		}
		var out []byte
		for i, x := range all {
			if i > 0 {
				out = append(out, '\n')
			}
			out = append(out, x.Bytes()...)
		}
		switch {
		case !write:
			_, err = a.out.Write(out)
		case args[0] == "-":
			return usage("--write needs a file to write to")
		case !bytes.Equal(src, out):
			err = writeFile(args[0], func(w io.Writer) error { _, err := w.Write(out); return err })
		}
		return err
	}
	return c
}

// isFile tells whether an argument names a file rather than an accord of the node.
func isFile(arg string) bool {
	if arg == "-" {
		return true
	}
	_, err := os.Stat(arg)
	return !errors.Is(err, fs.ErrNotExist)
}

// accordName takes NAME@VERSION apart; without a version it is the highest.
func accordName(arg string) (name string, version int, err error) {
	name, digits, ok := strings.Cut(arg, "@")
	if ok {
		if version, err = strconv.Atoi(digits); err != nil || version < 1 {
			return "", 0, usage("%q is no version: write %s@2", digits, name)
		}
	}
	return name, version, nil
}

// text is the accord that an argument names: of a file, or of the node, by NAME, NAME@VERSION or digest.
func (a *app) text(ctx context.Context, n *api.Client, arg string) (*accord.Accord, error) {
	if isFile(arg) {
		return a.parsed(arg)
	}
	name, version, err := accordName(arg)
	if err != nil {
		return nil, err
	}
	page, err := n.Accord(ctx, name, version, "")
	if err != nil {
		return nil, err
	}
	return accord.Parse(arg, []byte(page.Text))
}

// onTexts makes a command act on files, or on a node when an argument names no file.
func (a *app) onTexts(c *cobra.Command, do action) *cobra.Command {
	a.nodeFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		for _, arg := range args {
			if !isFile(arg) {
				if a.conn.server == "" && a.conn.data == "" {
					return usage("there is no file %s; for an accord of a node give --data DIR or --server URL", arg)
				}
				return a.with(do)(c, args)
			}
		}
		return do(c.Context(), nil, args)
	}
	return c
}

func (a *app) explainAccordCmd() *cobra.Command {
	var lang string
	c := &cobra.Command{Use: "explain FILE|NAME", Short: "Say an accord in plain sentences", Args: cobra.ExactArgs(1),
		Long: "Say what every clause of an accord means, in plain sentences: of a file, or of the node's accord NAME or NAME@VERSION."}
	speaks(c, &lang)
	return a.onTexts(c, func(ctx context.Context, n *api.Client, args []string) error {
		text, err := a.text(ctx, n, args[0])
		if err != nil {
			return err
		}
		return a.sentences(text.Explain(lang))
	})
}

// sentences prints what an accord says, clause by clause.
func (a *app) sentences(all []accord.Sentence) error {
	last := ""
	for _, s := range all {
		if a.asJSON {
			if err := a.line(s); err != nil {
				return err
			}
			continue
		}
		if s.Clause != last {
			last = s.Clause
			fmt.Fprintf(a.out, "\n%s\n", clean(s.Clause))
		}
		fmt.Fprintf(a.out, "  %s\n", clean(s.Text))
	}
	return nil
}

func (a *app) diffAccordCmd() *cobra.Command {
	var lang string
	c := &cobra.Command{Use: "diff OLD NEW", Short: "Say what an amendment changes, in plain sentences", Args: cobra.ExactArgs(2),
		Long:    "Say what an amendment changes: what every party receives more or less, then each clause that differs. OLD and NEW are files, or accords of the node: NAME or NAME@VERSION. A + widens, a - narrows, a * does neither or both. The exit code is 1 when they differ.",
		Example: "  entente accord diff uto-rur-1.accord uto-rur-2.accord\n  entente accord diff --data DIR uto-rur@1 draft.accord"}
	speaks(c, &lang)
	return a.onTexts(c, func(ctx context.Context, n *api.Client, args []string) error {
		old, err := a.text(ctx, n, args[0])
		if err != nil {
			return err
		}
		now, err := a.text(ctx, n, args[1])
		if err != nil {
			return err
		}
		changes := accord.Diff(old, now)
		if err := a.changes(accord.ChangesIn(lang, changes)); err != nil || len(changes) == 0 {
			return err
		}
		return no()
	})
}

func (a *app) changes(all []accord.Change) error {
	for _, ch := range all {
		if a.asJSON {
			if err := a.line(ch); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(a.out, "%s %s\n", markOf(ch.Way), clean(ch.Text))
	}
	return nil
}

// markOf is how a change is marked: what widens, narrows, or does neither or both.
func markOf(w accord.Way) string {
	switch w {
	case accord.Widen:
		return "+"
	case accord.Narrow:
		return "-"
	}
	return "*"
}
