package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/fault"
	"entente/internal/node"
	"entente/internal/surface/api"
)

func (a *app) initCmd() *cobra.Command {
	var in node.Init
	var passwordFile string
	c := &cobra.Command{
		Use: "init --data DIR --nation CODE --org NAME", Short: "Make the data directory of a new node",
		Long: `Make the data directory of a new node: its keys, its own certificate authority, its store, and the first administrator. Without a password
file, the first start of the node prints a link with which the administrator chooses a password.`,
		Example: `  entente init --data /var/lib/entente --nation UTO --org "Utopia CERT" --admin-password-file password`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			in.Data = a.conn.data
			if in.Data == "" {
				return usage("where? Give --data DIR, or set ENTENTE_DATA")
			}
			if passwordFile != "" {
				p, err := a.secret(passwordFile)
				if err != nil {
					return err
				}
				in.AdminPassword = p
			}
			if err := node.Create(c.Context(), in); err != nil {
				return err
			}
			if in.Realm != "" {
				if err := writeRealm(in.Data, in.Realm); err != nil {
					return err
				}
			}
			a.say("The node of %s (%s) is in %s; its authority, for clients to trust, is %s.", in.Org, in.Nation, in.Data, filepath.Join(in.Data, "keys", "ca.pem"))
			if in.Member {
				a.say("It has no root: ask for its keys with entente key request --data %s > request.json, and bring the answer back with entente key join.", in.Data)
			}
			a.say("Next: entente serve --data %s", in.Data)
			return nil
		},
	}
	a.dataFlag(c)
	f := c.Flags()
	f.StringVar(&in.Nation, "nation", "", "`CODE` of the node's nation, ISO 3166-1 alpha-3 or an exercise code")
	f.StringVar(&in.Org, "org", "", "`NAME` of the node's organisation")
	f.StringVar(&in.Realm, "realm", "", "`REALM` of an exercise, exercise:NAME; operational without")
	f.BoolVar(&in.Member, "member", false, "the nation has its root elsewhere, in several hands or at another node, which names the keys of this one")
	f.StringVar(&in.AdminName, "admin", "admin", "`NAME` of the first administrator")
	f.StringVar(&passwordFile, "admin-password-file", "", "`FILE` with the first administrator's password; - is the standard input")
	f.StringSliceVar(&in.Hosts, "host", nil, "further `NAME` or address of the node, for its certificate")
	c.MarkFlagRequired("nation")
	c.MarkFlagRequired("org")
	return c
}

// writeRealm puts the realm of an exercise into the node's configuration, which must name it.
func writeRealm(data, realm string) error {
	f, err := os.OpenFile(filepath.Join(data, node.ConfigFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "realm = %q\n", realm)
	return errors.Join(err, f.Close())
}

func (a *app) serveCmd() *cobra.Command {
	var listen, mode, cert, key, format, level string
	var grace time.Duration
	c := &cobra.Command{
		Use: "serve --data DIR", Short: "Run the node",
		Long: `Run the node of a data directory until SIGTERM or SIGINT. Requests under way are answered before it stops. SIGHUP has the
published lists read anew.

TLS uses a certificate of the node's own authority, or the given files. --tls=off is only for a loopback address, behind a proxy on the same
machine. Where no administrator has a password yet, a link to choose one is printed; it is good for an hour.`,
		Example: "  entente serve --data /var/lib/entente --listen 127.0.0.1:8443",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.conn.data == "" {
				return usage("which node? Give --data DIR, or set ENTENTE_DATA")
			}
			log, err := a.logger(format, level)
			if err != nil {
				return err
			}
			cfg, err := node.LoadConfig(a.conn.data)
			if err != nil {
				return err
			}
			cfg.Log = log
			if listen != "" {
				cfg.Listen = listen
			}
			if mode != "" {
				cfg.TLS.Mode = mode
			}
			if cert != "" || key != "" {
				if mode == "off" {
					return usage("--tls=off and --tls-cert exclude each other")
				}
				cfg.TLS.Mode, cfg.TLS.Cert, cfg.TLS.Key = "files", cert, key
			}
			if err := cfg.Validate(); err != nil {
				return &exit{exitUsage, err}
			}
			return a.serve(c.Context(), cfg, grace)
		},
	}
	a.dataFlag(c)
	f := c.Flags()
	f.StringVar(&listen, "listen", "", "`HOST:PORT` to listen on (configuration, else 127.0.0.1:8443)")
	f.StringVar(&mode, "tls", "", "`MODE`: auto, files or off (configuration, else auto)")
	f.StringVar(&cert, "tls-cert", "", "`FILE` with the node's certificate, PEM")
	f.StringVar(&key, "tls-key", "", "`FILE` with the key of --tls-cert, PEM")
	f.StringVar(&format, "log-format", "json", "json or text")
	f.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	f.DurationVar(&grace, "grace", 30*time.Second, "how long requests under way may take when the node stops")
	return c
}

func (a *app) logger(format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usage("--log-level %q is not debug, info, warn or error", level)
	}
	o := &slog.HandlerOptions{Level: l}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(a.err, o)), nil
	case "text":
		return slog.New(slog.NewTextHandler(a.err, o)), nil
	}
	return nil, usage("--log-format %q is not json or text", format)
}

func (a *app) serve(ctx context.Context, cfg node.Config, grace time.Duration) error {
	if _, err := os.Stat(filepath.Join(cfg.Data, "keys")); errors.Is(err, os.ErrNotExist) {
		return fault.New(fault.NotFound, "data.none", "there is no node in %s", cfg.Data).Try("entente init --data " + cfg.Data + " --nation CODE --org NAME")
	}
	n, err := node.New(ctx, cfg)
	if err != nil {
		return inUse(err)
	}
	return a.run(ctx, n, cfg, grace)
}

// run listens until the process is told to stop.
func (a *app) run(ctx context.Context, n *node.Node, cfg node.Config, grace time.Duration) error {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(cfg.Limits.MemoryBytes)
	}
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	stop := func() error {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		return n.Stop(end)
	}
	if err := n.Start(ctx); err != nil {
		return errors.Join(err, stop())
	}
	fmt.Fprintf(a.out, "listening on %s\n", n.URL())
	link, err := n.SetupLink(context.WithoutCancel(ctx)) // to be stopped meanwhile is no failure
	switch {
	case err == nil:
		fmt.Fprintf(a.out, "choose the first administrator's password within the hour: %s\n", link)
	case fault.Of(err) != fault.Conflict && fault.Of(err) != fault.Forbidden && fault.Of(err) != fault.NotFound:
		return errors.Join(err, stop())
	}
	cfg.Log.Info("listening", "url", n.URL(), "data", cfg.Data)
	wait(ctx, again, n, cfg.Log)
	cfg.Log.Info("stopping", "grace", grace.String())
	if err := stop(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	cfg.Log.Info("stopped")
	return nil
}

// wait reads the published lists anew whenever again says so, until the process is told to stop.
func wait(ctx context.Context, again <-chan os.Signal, n *node.Node, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-again:
			s, err := api.NewClient("http://node", n.Local(), nil).ReloadLists(ctx)
			if err != nil {
				log.Error("the published lists were not read anew", "error", err)
				continue
			}
			log.Info("the published lists were read anew", "entries", s.Entries, "faults", len(s.Faults))
		}
	}
}

// inUse gives a data directory that another process holds the exit code of what may be tried again.
func inUse(err error) error {
	if fault.Of(err) == fault.Conflict {
		return &exit{exitUnavailable, err}
	}
	return err
}

// splitList reads a list as people write it: "analyst,admin".
func splitList(s string) []string {
	out := []string{}
	for w := range strings.SplitSeq(s, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}
