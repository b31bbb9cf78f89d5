package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"entente/internal/node"
)

func (a *app) downgradeCmd() *cobra.Command {
	var schema int
	c := &cobra.Command{
		Use: "downgrade --data DIR --schema N", Short: "Take a stopped node's store back to an older schema",
		Long: `Take the store of a stopped node back to an older schema, so that an older program can open it. What that schema has no place for is lost: take a
backup first. "entente version" of the older program says which schema it knows.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.conn.data == "" {
				return usage("which node? Give --data DIR, or set ENTENTE_DATA")
			}
			if err := node.Downgrade(a.conn.data, schema); err != nil {
				return inUse(err)
			}
			if a.asJSON {
				return a.line(map[string]int{"schema": schema})
			}
			_, err := fmt.Fprintf(a.out, "the store in %s has schema %d\n", a.conn.data, schema)
			return err
		},
	}
	a.dataFlag(c)
	c.Flags().IntVar(&schema, "schema", 0, "`NUMBER` of the schema to go back to")
	c.MarkFlagRequired("schema")
	return c
}
