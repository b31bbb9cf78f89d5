package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"entente/docs"
	"entente/internal/build"
	"entente/internal/node"
)

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print which build this is", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			i := build.Read()
			if a.asJSON {
				return a.line(struct {
					build.Info
					Schema int `json:"schema"` // the newest schema of the store that this build knows
				}{i, node.Schema()})
			}
			rev := i.Revision
			if len(rev) > 12 {
				rev = rev[:12]
			}
			if i.Modified {
				rev += " (modified)"
			}
			fmt.Fprintf(a.out, "entente %s\n", i.Version)
			return a.fields("revision", rev, "schema", strconv.Itoa(node.Schema()), "go", i.Go, "platform", i.Platform)
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
