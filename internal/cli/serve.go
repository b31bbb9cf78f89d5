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
	"entente/label"
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
			if err := create(c.Context(), in); err != nil {
				return err
			}
			a.noticeRealm(in.Realm)
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

// create makes a node in its realm. A configuration that is there names the same realm; where none is, one that names the exercise is written.
func create(ctx context.Context, in node.Init) error {
	conf := filepath.Join(in.Data, node.ConfigFile)
	if exists(conf) {
		cfg, err := node.LoadConfig(in.Data)
		if err == nil && in.Realm != "" {
			err = otherRealm(cfg, in.Realm)
		}
		if err != nil {
			return err
		}
		in.Realm = cfg.Realm
		return node.Create(ctx, in)
	}
	if err := node.Create(ctx, in); err != nil {
		return err
	}
	if _, ok := label.Mode(in.Realm).Exercise(); !ok {
		return nil
	}
	return os.WriteFile(conf, realmLine(in.Realm), 0o600)
}

// otherRealm refuses a data directory whose configuration names another realm than the one that is asked for.
func otherRealm(cfg node.Config, realm string) error {
	if cfg.Realm == realm {
		return nil
	}
	return fault.New(fault.Conflict, "data.realm", "%s belongs to the realm %q, not to %q", cfg.Data, cfg.Realm, realm).By("nothing of one realm is opened in another").
		Try("give the data directory of that realm, or make one: entente init --realm " + realm)
}

// noticeRealm says which exercise a realm is, if it is one.
func (a *app) noticeRealm(realm string) {
	if name, ok := label.Mode(realm).Exercise(); ok {
		a.notice(name)
	}
}

// realmLine is how a configuration names its realm.
func realmLine(realm string) []byte { return fmt.Appendf(nil, "realm = %q\n", realm) }

func (a *app) serveCmd() *cobra.Command {
	var listen, mode, cert, key, format, level, realm string
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
			if realm != "" {
				if err := otherRealm(cfg, realm); err != nil {
					return err
				}
			}
			a.noticeRealm(cfg.Realm)
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
	f.StringVar(&realm, "realm", "", "`REALM` that the directory must belong to, operational or exercise:NAME; its own without")
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
