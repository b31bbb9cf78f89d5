package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"entente/docs"
	"entente/internal/build"
)

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print which build this is", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			i := build.Read()
			if a.asJSON {
				return a.line(i)
			}
			rev := i.Revision
			if len(rev) > 12 {
				rev = rev[:12]
			}
			if i.Modified {
				rev += " (modified)"
			}
			fmt.Fprintf(a.out, "entente %s\n", i.Version)
			return a.fields("revision", rev, "go", i.Go, "platform", i.Platform)
		},
	}
}

func (a *app) changelogCmd() *cobra.Command {
	return &cobra.Command{
		Use: "changelog", Short: "Print what changed, newest first", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(a.out, docs.Changelog)
			return err
		},
	}
}
