package cli

import "github.com/spf13/cobra"

func (a *app) sensorCmd() *cobra.Command {
	c := &cobra.Command{
		Use: "sensor", Short: "Watch telemetry beside where it is made, for what a node knows",
		Long: `A sensor is this program, run beside telemetry, which never leaves it. It takes from its node what to look for, and tells it what it met.`,
	}
	c.AddCommand(a.sensorProcess()...)
	return c
}
