package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"entente/internal/fault"
	"entente/internal/node"
	"entente/internal/surface/api"
)

func (a *app) configCmd() *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Look at the configuration"}
	show := &cobra.Command{Use: "show", Short: "Print the configuration in force, defaults included, without secrets", Args: cobra.NoArgs}
	a.onNode(show, func(ctx context.Context, n *api.Client, _ []string) error {
		raw, err := n.Settings(ctx)
		if err != nil {
			return err
		}
		if a.asJSON {
			return a.line(raw)
		}
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return err
		}
		text, err := toml.Marshal(whole(v))
		if err != nil {
			return err
		}
		_, err = a.out.Write(text)
		return err
	})
	check := &cobra.Command{Use: "check", Short: "Check the configuration file of a data directory", Args: cobra.NoArgs}
	a.dataFlag(check)
	check.RunE = func(*cobra.Command, []string) error {
		if a.conn.data == "" {
			return usage("which node? Give --data DIR, or set ENTENTE_DATA")
		}
		if _, err := os.Stat(a.conn.data); err != nil {
			return err
		}
		_, err := node.LoadConfig(a.conn.data)
		if a.asJSON {
			report := map[string]any{"valid": err == nil}
			if err != nil {
				f := fault.As(err)
				report["error"] = map[string]string{"code": f.MachineCode(), "pointer": f.Pointer, "message": f.Message}
			}
			return errors.Join(a.line(report), unless(err == nil))
		}
		if err == nil {
			fmt.Fprintln(a.out, "valid")
		}
		return err
	}
	c.AddCommand(show, check)
	return c
}

func unless(fine bool) error {
	if fine {
		return nil
	}
	return no()
}

// whole makes the numbers of JSON whole again.
func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			if item == nil {
				delete(v, k)
				continue
			}
			v[k] = whole(item)
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	case float64:
		if v == float64(int64(v)) {
			return int64(v)
		}
	}
	return v
}

func (a *app) journalCmd() *cobra.Command {
	c := &cobra.Command{Use: "journal", Short: "List who did what on the node", Args: cobra.NoArgs}
	var sort, since, until string
	var actors, verbs []string
	c.Flags().StringVar(&sort, "sort", "oldest", "oldest or newest first")
	c.Flags().StringArrayVar(&actors, "actor", nil, "only what `WHO` did: as the journal has it, or the person alone; may be repeated")
	c.Flags().StringSliceVar(&verbs, "verb", nil, "only these `VERBS`: user.add, or user for all that begin so")
	c.Flags().StringVar(&since, "since", "", "only at this `TIME` or later, 2026-01-31 or 2026-01-31T12:00:00Z")
	c.Flags().StringVar(&until, "until", "", "only before this `TIME`")
	return a.onNode(c, func(ctx context.Context, n *api.Client, _ []string) error {
		q := url.Values{"limit": {"1000"}, "sort": {sort}, "actor": actors, "verb": verbs}
		for name, v := range map[string]string{"since": since, "until": until} {
			if v != "" {
				q.Set(name, v)
			}
		}
		return listing(a, []string{"AT", "WHO", "DID", "TO", ""}, func(each func(api.Act) error) error { return n.Journal(ctx, q, each) }, func(e api.Act) []string {
			return []string{when(e.At), e.Actor, e.Verb, e.Target, e.Detail}
		})
	})
}

// status is what status says with --json.
type status struct {
	Running bool            `json:"running"`
	Version json.RawMessage `json:"version,omitempty"`
	Store   json.RawMessage `json:"store,omitempty"`
}

func (a *app) statusCmd() *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{Use: "status", Short: "Say how a running node is", Args: cobra.NoArgs,
		Long: "Say how a running node is. The exit code is 5 when none runs on the data directory, or it cannot be reached."}
	a.nodeFlags(c)
	c.Flags().DurationVar(&wait, "wait", 0, "how long to wait for the node to run")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx := c.Context()
		deadline := time.Now().Add(wait)
		for {
			err := a.status(ctx)
			if err == nil || fault.Of(err) != fault.Unavailable || time.Now().After(deadline) {
				return err
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return c
}

func (a *app) status(ctx context.Context) error {
	k := &a.conn
	switch {
	case k.server != "":
		if err := k.open(ctx, a); err != nil {
			return err
		}
	case k.data == "":
		return usage("which node? Give --data DIR, --server URL, or set ENTENTE_DATA")
	case !k.running(ctx, a):
		return fault.New(fault.Unavailable, "node.down", "no node runs on %s", k.data).Try("entente serve --data " + k.data)
	}
	version, err := k.client.Version(ctx)
	if err != nil {
		return err
	}
	out := status{Running: true, Version: version}
	stats, err := k.client.Stats(ctx)
	switch {
	case err == nil:
		if out.Store, err = json.Marshal(stats); err != nil {
			return err
		}
	case fault.Of(err) != fault.Forbidden: // who may not see the figures still learns that the node runs
		return err
	}
	if a.asJSON {
		return a.line(out)
	}
	var v struct{ Version string }
	if err := json.Unmarshal(version, &v); err != nil {
		return err
	}
	pairs := []string{"running", v.Version}
	if out.Store != nil {
		pairs = append(pairs, "records", count(stats.Records), "in quarantine", count(stats.Held), "size", size(stats.Bytes), "newest", when(stats.Last.Time()))
	}
	return a.fields(pairs...)
}
