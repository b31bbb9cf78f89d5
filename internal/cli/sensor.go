package cli

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"entente/internal/detect"
	"entente/internal/surface/api"
	"entente/sensor"
)

func (a *app) sensorCmd() *cobra.Command {
	c := &cobra.Command{Use: "sensor", Short: "Watch telemetry, and manage the sensors that do",
		Long: "A sensor runs beside telemetry, which never leaves it: it takes from its node what to look for, and reports what it met. See docs/sensor.md."}
	c.AddCommand(a.sensorAdd(), a.sensorList(), a.sensorShow(), a.sensorRevoke(), a.sensorMet(), a.sensorLeft(), a.sensorMutes(), a.sensorMute(), a.sensorUnmute())
	c.AddCommand(a.sensorProcess()...)
	return c
}

func (a *app) sensorAdd() *cobra.Command {
	var org string
	c := &cobra.Command{Use: "add NAME", Short: "Make a code with which a sensor enrols", Args: cobra.ExactArgs(1),
		Long: "Make a code with which a sensor enrols, once and within the hour. It carries whom the sensor must trust, so that the sensor needs nothing else. It is told now and never again."}
	c.Flags().StringVar(&org, "org", "", "the organisation of the register that it watches for (default: the node's own)")
	a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		out, err := n.AddSensor(ctx, api.AddSensor{Name: args[0], Org: org})
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(out)
		}
		fmt.Fprintf(a.out, "%s\n\nIt works once, until %s. At the sensor:\n\n  entente sensor enrol --data DIR https://NODE:PORT CODE\n", out.Code, when(out.Expires))
		return nil
	})
	return c
}

func (a *app) sensorList() *cobra.Command {
	var all bool
	c := &cobra.Command{Use: "list", Short: "List sensors with how they are", Args: cobra.NoArgs}
	c.Flags().BoolVar(&all, "all", false, "also those that were revoked")
	a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		list, err := n.Sensors(ctx, all)
		return listing(a, []string{"NAME", "STATE", "HEARD", "EVENTS", "LAG", "DROPPED", "BEHIND", "SPOOLED", "ORG"}, over(list, err), func(v detect.SensorView) []string {
			return []string{v.Name, string(v.State), when(v.Heard), count(int64(v.Events)), known(v.Lag), count(int64(v.Dropped)), known(v.Behind), count(v.Spooled), v.Org}
		})
	})
	return c
}

// known is a number, or that nobody knows it.
func known(n int64) string {
	if n < 0 {
		return "?"
	}
	return count(n)
}

func (a *app) sensorShow() *cobra.Command {
	c := &cobra.Command{Use: "show NAME", Short: "Show all that a sensor says of itself", Args: cobra.ExactArgs(1)}
	a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		v, err := n.Sensor(ctx, args[0])
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(v)
		}
		h := v.Health
		if h == nil {
			h = &sensor.Health{}
		}
		if err := a.fields("name", v.Name, "id", v.ID, "organisation", v.Org, "state", string(v.State), "added", when(v.Added), "by", v.By, "revoked", when(v.Revoked), "certificate until", when(v.Expires),
			"heard", when(v.Heard), "started", when(h.Started), "build", h.Build, "values", count(int64(h.Entries)), "rules", count(int64(h.RulesReady)), "rules left out", count(int64(h.LeftCount)),
			"behind", known(v.Behind), "spooled", count(v.Spooled), "refused", count(v.Refused), "remembers", fmt.Sprintf("%d days, %s values", h.Recall.Days, count(int64(h.Recall.Stored)))); err != nil {
			return err
		}
		for _, in := range h.Inputs {
			fmt.Fprintf(a.out, "\ninput %s (%s): %s events, %s dropped, %s unread, lag %s, newest %s %s\n", clean(in.Name), clean(in.Kind), count(int64(in.Events)), count(int64(in.Dropped)),
				count(int64(in.Unread)), known(in.Lag), when(in.Last), clean(in.Error))
		}
		for _, m := range h.Muted {
			fmt.Fprintf(a.out, "\nmuted by itself %s: %s, since %s, %s times\n", clean(m.Source), clean(m.Why), when(m.Since), count(m.Count))
		}
		for _, l := range h.Left {
			fmt.Fprintf(a.out, "\nleft out %s: %s [%s]\n", clean(l.Source), clean(l.Why), clean(l.Code))
		}
		return nil
	})
	return c
}

func (a *app) sensorRevoke() *cobra.Command {
	c := &cobra.Command{Use: "revoke NAME", Short: "End a sensor, at once and for good", Args: cobra.ExactArgs(1), Long: "End a sensor, at once and for good. What it reported stays."}
	a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error { return n.RevokeSensor(ctx, args[0]) })
	return c
}

func (a *app) sensorMet() *cobra.Command {
	var source, value, name, since, day, from, to string
	var byDay bool
	c := &cobra.Command{Use: "met", Short: "List what sensors met, the newest first", Args: cobra.NoArgs}
	c.Flags().StringVar(&source, "source", "", "only of this indicator")
	c.Flags().StringVar(&value, "value", "", "only of this value")
	c.Flags().StringVar(&name, "sensor", "", "only by this sensor")
	c.Flags().StringVar(&since, "since", "", "only what was reported since this time (RFC 3339, or a date)")
	c.Flags().StringVar(&day, "day", "", "only what was met on this day (UTC)")
	c.Flags().BoolVar(&byDay, "by-day", false, "sums of each day (UTC) instead, 366 days at most")
	c.Flags().StringVar(&from, "from", "", "with --by-day: the first day (default: 30 days)")
	c.Flags().StringVar(&to, "to", "", "with --by-day: the last day (default: today)")
	c.MarkFlagsMutuallyExclusive("by-day", "since")
	c.MarkFlagsMutuallyExclusive("by-day", "day")
	a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		if !byDay && from+to != "" {
			return usage("--from and --to go with --by-day")
		}
		q := url.Values{}
		for key, v := range map[string]string{"source": source, "value": value, "sensor": name, "since": since, "day": day, "from": from, "to": to} {
			if v != "" {
				q.Set(key, v)
			}
		}
		if byDay {
			list, err := n.DetectionDays(ctx, q)
			return listing(a, []string{"DAY", "COUNT", "LOOKED BACK", "SOURCES", "SENSORS"}, over(list, err), func(d detect.DayCount) []string {
				return []string{d.Day, count(d.Count), count(d.Back), count(d.Sources), count(d.Sensors)}
			})
		}
		return listing(a, []string{"DAY", "SENSOR", "COUNT", "FIRST", "LAST", "VALUE", "SOURCE", "MUTED"}, func(f func(detect.Detection) error) error { return n.Detections(ctx, q, f) }, func(d detect.Detection) []string {
			return []string{d.Day, d.Name, strconv.FormatInt(d.Count, 10), when(d.First), when(d.Last), short(d.Value, 60), d.Source, short(d.Muted, 40)}
		})
	})
	return c
}

func (a *app) sensorLeft() *cobra.Command {
	var code, source string
	c := &cobra.Command{Use: "left", Short: "List what sensors do not look for, and why", Args: cobra.NoArgs,
		Long: "List what sensors do not look for although an indicator has it: values on warning lists and of own or shared services, patterns that cannot be used, what its label does not allow."}
	c.Flags().StringVar(&code, "code", "", "only what is left out for this reason")
	c.Flags().StringVar(&source, "source", "", "only of this indicator")
	a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		q := url.Values{}
		for key, v := range map[string]string{"code": code, "source": source} {
			if v != "" {
				q.Set(key, v)
			}
		}
		return listing(a, []string{"SOURCE", "CODE", "VALUE", "WHY"}, func(f func(detect.LeftOut) error) error { return n.DetectionLeft(ctx, q, f) }, func(l detect.LeftOut) []string {
			return []string{l.Source, l.Code, short(l.Value, 60), short(l.Why, 100)}
		})
	})
	return c
}

func (a *app) sensorMutes() *cobra.Command {
	c := &cobra.Command{Use: "muted", Short: "List the sources that sensors do not report", Args: cobra.NoArgs}
	a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		list, err := n.Mutes(ctx)
		return listing(a, []string{"SOURCE", "SINCE", "BY", "WHY"}, over(list, err), func(m detect.Mute) []string {
			return []string{m.Source, when(m.Since), m.By, short(m.Why, 100)}
		})
	})
	return c
}

func (a *app) sensorMute() *cobra.Command {
	var in detect.PutMute
	c := &cobra.Command{Use: "mute ID", Short: "Have sensors not report an indicator any more", Args: cobra.ExactArgs(1),
		Long: "Have no sensor of the node report an indicator any more. ID is the indicator's, or that of a sighting of it. With --false-positive, an opinion says so under the indicator's label,\n" +
			"and goes to whoever gave it by the accord under which it came."}
	c.Flags().StringVar(&in.Why, "why", "", "the reason, in one line (required)")
	c.Flags().BoolVar(&in.FalsePositive, "false-positive", false, "it is a false positive: say so to whoever gave it")
	a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error {
		if strings.TrimSpace(in.Why) == "" {
			return usage("say why: --why TEXT")
		}
		in.Source = args[0]
		out, err := n.Mute(ctx, in)
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(out)
		}
		return a.fields("muted", out.Source, "opinion", out.Opinion)
	})
	return c
}

func (a *app) sensorUnmute() *cobra.Command {
	c := &cobra.Command{Use: "unmute ID", Short: "Have sensors report an indicator again", Args: cobra.ExactArgs(1)}
	a.onNode(c, func(ctx context.Context, n *api.Client, args []string) error { return n.Unmute(ctx, args[0]) })
	return c
}
