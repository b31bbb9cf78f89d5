package cli

import "github.com/spf13/cobra"

func (a *app) objectCmd() *cobra.Command {
	c := &cobra.Command{Use: "object", Short: "Import, find, check and remove STIX objects"}
	c.AddCommand(a.validateCmd())
	return c
}
