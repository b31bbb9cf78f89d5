package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/sensor"
)

// sensorProcess are the commands for where the telemetry is.
func (a *app) sensorProcess() []*cobra.Command {
	return []*cobra.Command{a.sensorEnrolCmd(), a.sensorRunCmd(), a.sensorStatusCmd()}
}

// sensorDir adds the flag that names a sensor's directory. It is not a node's: ENTENTE_DATA does not count.
func sensorDir(c *cobra.Command) *string {
	dir := c.Flags().String("data", "", "data `DIR` of the sensor")
	c.MarkFlagRequired("data")
	c.MarkFlagDirname("data")
	return dir
}

func (a *app) sensorEnrolCmd() *cobra.Command {
	var again bool
	c := &cobra.Command{
		Use: "enrol --data DIR URL CODE", Short: "Make the data directory of a sensor, known to its node",
		Long: `Make the data directory of a sensor. URL is the address of its node, and CODE is what entente sensor add printed there: it works once, within
an hour, and says whom to trust. - reads the code from the standard input. The sensor's key is made here and stays here; the node gives it a
certificate, which the sensor renews by itself.`,
		Example: `  entente sensor enrol --data /var/lib/entente-sensor https://node.example:8443 - < code`,
		Args:    cobra.ExactArgs(2),
	}
	dir := sensorDir(c)
	c.Flags().BoolVar(&again, "again", false, "the directory has a sensor: have it vouched for anew, with its key, its inputs and what it remembers")
	c.RunE = func(c *cobra.Command, args []string) error {
		code := args[1]
		if code == "-" {
			var err error
			if code, err = a.secret("-"); err != nil {
				return err
			}
		}
		who, err := sensor.Enrol(c.Context(), *dir, args[0], code, again)
		if err != nil {
			return err
		}
		a.noticeRealm(who.Realm)
		a.say("This is the sensor %s of %s (%s). Name its inputs in %s/%s.", clean(who.Name), clean(who.Org), clean(who.Nation), *dir, sensor.ConfigFile)
		a.say("Next: entente sensor run --data %s", *dir)
		return nil
	}
	return c
}

func (a *app) sensorRunCmd() *cobra.Command {
	var format, level string
	c := &cobra.Command{
		Use: "run --data DIR", Short: "Run the sensor",
		Long: `Run the sensor of a data directory until SIGTERM or SIGINT. It reads the inputs that sensor.toml names, and goes on where it stopped, however it
stopped. While its node is not there it looks for what it knows, and keeps what it meets.`,
		Example: "  entente sensor run --data /var/lib/entente-sensor",
		Args:    cobra.NoArgs,
	}
	dir := sensorDir(c)
	c.Flags().StringVar(&format, "log-format", "json", "json or text")
	c.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	c.RunE = func(c *cobra.Command, _ []string) error {
		log, err := a.logger(format, level)
		if err != nil {
			return err
		}
		cfg, err := sensor.LoadConfig(*dir)
		if err != nil {
			return err
		}
		o := sensor.Options{Dir: *dir, Config: cfg, Log: log}
		if o.Feeds, err = sensor.NewFeeds(*dir, a.in, cfg.Inputs); err != nil {
			return err
		}
		if len(o.Feeds) == 0 {
			a.say("sensor.toml names no input: there is nothing to look at.")
		}
		return sensor.Run(c.Context(), o)
	}
	return c
}

func (a *app) sensorStatusCmd() *cobra.Command {
	c := &cobra.Command{
		Use: "status --data DIR", Short: "Say how the sensor is",
		Long:    `Say how the sensor of a data directory is: what it looks for, what its inputs brought, what waits for the node, and what fails.`,
		Example: "  entente sensor status --data /var/lib/entente-sensor",
		Args:    cobra.NoArgs,
	}
	dir := sensorDir(c)
	c.RunE = func(*cobra.Command, []string) error {
		st, err := sensor.ReadStatus(*dir)
		if err != nil {
			return err
		}
		a.noticeRealm(st.Realm)
		if a.asJSON {
			return a.line(st)
		}
		return a.sensorStatus(st)
	}
	return c
}

// sensorStatus prints how a sensor is.
func (a *app) sensorStatus(st *sensor.Status) error {
	h := &st.Health
	state := "runs, since " + when(h.Started)
	if !st.Running {
		state = "does not run"
	}
	rows := [][]string{
		{"sensor", fmt.Sprintf("%s of %s (%s)", st.Name, st.Org, st.Nation)},
		{"state", state},
		{"node", fmt.Sprintf("%s, heard %s", st.Node, ago(st.Heard))},
		{"certificate", "until " + when(st.Until)},
		{"looks for", fmt.Sprintf("%s values, %s rules (%s not used)", count(int64(h.Entries)), count(int64(h.RulesReady)), count(int64(h.LeftCount)))},
		{"reports", fmt.Sprintf("%s given, %s wait, %s refused", count(st.Given), count(h.Spooled), count(h.Refused))},
		{"remembers", fmt.Sprintf("%s values of %d days in %s", count(int64(h.Recall.Stored)), h.Recall.Days, size(h.Recall.Bytes))},
	}
	for _, m := range h.Muted {
		rows = append(rows, []string{"muted", fmt.Sprintf("%s since %s: %s; met %s times since", m.Source, when(m.Since), m.Why, count(m.Count))})
	}
	for _, why := range slices.Sorted(maps.Keys(st.Dead)) {
		rows = append(rows, []string{"not valid", fmt.Sprintf("%s times an indicator was met that is %s", count(int64(st.Dead[why])), why)})
	}
	for _, why := range slices.Sorted(maps.Keys(st.Missed)) {
		rows = append(rows, []string{"missed", fmt.Sprintf("%s events by patterns of several (%s)", count(int64(st.Missed[why])), why)})
	}
	for _, part := range slices.Sorted(maps.Keys(st.Errors)) {
		rows = append(rows, []string{"fails", part + ": " + st.Errors[part]})
	}
	if err := a.table([]string{"WHAT", ""}, rows); err != nil {
		return err
	}
	rows = nil
	for _, in := range h.Inputs {
		lag := "-"
		if in.Lag >= 0 {
			lag = count(in.Lag)
		}
		rows = append(rows, []string{in.Name, in.Kind, count(int64(in.Events)), count(int64(in.Unread)), count(int64(in.Dropped)), lag, when(in.Last), strings.TrimSpace(in.Error)})
	}
	fmt.Fprintln(a.out)
	return a.table([]string{"INPUT", "KIND", "EVENTS", "UNREAD", "DROPPED", "WAITS", "NEWEST", "FAILS"}, rows)
}

// ago says when something happened.
func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return when(t)
}
