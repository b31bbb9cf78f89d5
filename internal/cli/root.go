// Package cli is the command line of entente: one file per noun. What it does to a node it does through the node's API, like any
// other client: over the network, over the socket of a running node, or in process when none runs.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// app is one run of the command line.
type app struct {
	in       io.Reader
	out, err io.Writer
	asJSON   bool
	started  bool // the command line was understood
	conn     connection
	exercise string // that the node which answered is of; empty: operations
}

// Main runs the command line of the process and returns its exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

// Run runs one command line and returns its exit code.
func Run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	a := &app{in: in, out: out, err: errs}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.started && !errors.As(err, new(*exit)) {
		err = &exit{exitUsage, err}
	}
	if err != nil {
		tell(errs, err)
		if code(err) == exitUsage {
			fmt.Fprintln(errs, "  help: entente --help, or --help after any command")
		}
	}
	return code(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "entente",
		Short: "Share threat intelligence with allies, under enforced labels",
		Long: `Entente is the node with which a nation, an agency or an operator shares threat intelligence (STIX 2.1 over TAXII 2.1) with its allies.

Commands that act on a node take --data DIR or --server URL. With --data, the node that runs on the directory is asked over its local socket;
when none runs, the directory is opened under an exclusive lock for as long as the command takes. ENTENTE_DATA names a directory for all commands.

With --json, every command that reads prints one JSON value per line.

` + exitHelp,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRun: func(*cobra.Command, []string) { a.started = true },
	}
	root.PersistentFlags().BoolVar(&a.asJSON, "json", false, "print JSON, one value per line")
	for _, c := range []*cobra.Command{
		a.initCmd(), a.serveCmd(), a.demoCmd(), a.statusCmd(), a.watchCmd(), a.objectCmd(), a.blobCmd(), a.patternCmd(), a.detectCmd(), a.sensorCmd(), a.collectionCmd(), a.rootCmd(), a.userCmd(), a.sessionCmd(), a.tokenCmd(), a.certCmd(),
		a.orgCmd(), a.communityCmd(), a.quarantineCmd(),
		a.feedCmd(),
		a.keyCmd(), a.peerCmd(), a.accordCmd(), a.decisionCmd(), a.releaseCmd(), a.linkCmd(), a.relayCmd(), a.bundleCmd(), a.proofCmd(),
		a.listsCmd(), a.blockCmd(),
		a.constituentCmd(),
		a.alertCmd(), a.notificationCmd(),
		a.journalCmd(), a.backupCmd(), a.restoreCmd(), a.downgradeCmd(), a.configCmd(), a.versionCmd(), a.changelogCmd(), a.docsCmd(),
	} {
		root.AddCommand(c)
	}
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	return complete(group(root))
}

// group makes commands that only hold others refuse what they do not know.
func group(c *cobra.Command) *cobra.Command {
	if !c.Runnable() && c.HasSubCommands() {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			hint := ""
			c.SuggestionsMinimumDistance = 2
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				hint = fmt.Sprintf("; did you mean %q?", near[0])
			}
			return usage("%s has no command %q%s", c.CommandPath(), args[0], hint)
		}
	}
	for _, sub := range c.Commands() {
		group(sub)
	}
	return c
}
