package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/identity"
	"entente/internal/node"
	"entente/internal/surface/api"
)

// connection says which node is spoken to, and as whom.
type connection struct {
	data, server          string
	tokenFile             string
	user, passwordFile    string
	ca, certFile, keyFile string
	client                *api.Client
	close                 func() error
}

// dataFlag adds --data to a command that only works on a directory.
func (a *app) dataFlag(c *cobra.Command) {
	c.Flags().StringVar(&a.conn.data, "data", os.Getenv("ENTENTE_DATA"), "data `DIR` of the node (ENTENTE_DATA)")
	c.MarkFlagDirname("data")
}

// nodeFlags adds what says which node a command acts on.
func (a *app) nodeFlags(c *cobra.Command) {
	a.nodeFlagsExceptPassword(c)
	c.Flags().StringVar(&a.conn.user, "user", "", "`NAME` to sign in with")
	c.Flags().StringVar(&a.conn.passwordFile, "password-file", "", "`FILE` with the password of --user; - is the standard input")
}

// nodeFlagsExceptPassword adds the flags of a node to a command whose --password-file is an account's: who acts on a node elsewhere does
// it with a token or certificate.
func (a *app) nodeFlagsExceptPassword(c *cobra.Command) {
	a.dataFlag(c)
	f := c.Flags()
	f.StringVar(&a.conn.server, "server", "", "`URL` of a node elsewhere, https://HOST:PORT")
	f.StringVar(&a.conn.tokenFile, "token-file", "", "`FILE` with an API token; - is the standard input")
	f.StringVar(&a.conn.ca, "ca", "", "`FILE` with the authority of the node's certificate, PEM")
	f.StringVar(&a.conn.certFile, "cert", "", "`FILE` with a client certificate, PEM")
	f.StringVar(&a.conn.keyFile, "key", "", "`FILE` with the key of --cert, PEM")
}

// action is what a command does with a node.
type action func(ctx context.Context, n *api.Client, args []string) error

// with makes a command act on a node.
func (a *app) with(do action) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if err := a.conn.open(c.Context(), a); err != nil {
			return err
		}
		err := do(c.Context(), a.conn.client, args)
		if cerr := a.conn.close(); err == nil {
			err = cerr
		}
		return err
	}
}

// onNode is a command that acts on a node.
func (a *app) onNode(c *cobra.Command, do action) *cobra.Command {
	a.nodeFlags(c)
	c.RunE = a.with(do)
	return c
}

// noticing says, before anything that a node of an exercise answers is shown, which exercise it is.
type noticing struct {
	next http.RoundTripper
	a    *app
}

func (n *noticing) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := n.next.RoundTrip(r)
	if err == nil {
		n.a.notice(resp.Header.Get(exchange.ExerciseHeader))
	}
	return resp, err
}

// notice says once that what is shown belongs to an exercise.
func (a *app) notice(exercise string) {
	if exercise == "" || a.exercise != "" {
		return
	}
	a.exercise = exercise
	a.say("EXERCISE %s", clean(exercise))
}

func (k *connection) open(ctx context.Context, a *app) error {
	k.close = func() error { return nil }
	switch {
	case k.server != "" && k.data != "" && os.Getenv("ENTENTE_DATA") != k.data:
		return usage("--data and --server exclude each other")
	case k.server != "":
		return k.remote(a)
	case k.data == "":
		return usage("which node? Give --data DIR, --server URL, or set ENTENTE_DATA")
	}
	return k.local(ctx, a)
}

// remote prepares to speak to a node over the network.
func (k *connection) remote(a *app) error {
	u, err := url.Parse(k.server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return usage("--server %q is not https://HOST:PORT", k.server)
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		return usage("--server %q would send the credential in the clear: use https", k.server)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if k.ca != "" {
		pem, err := os.ReadFile(k.ca)
		if err != nil {
			return err
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return fault.New(fault.Invalid, "ca", "%s holds no certificate", k.ca)
		}
	}
	if k.certFile != "" {
		pair, err := tls.LoadX509KeyPair(k.certFile, k.keyFile)
		if err != nil {
			return fault.New(fault.Invalid, "cert", "the client certificate cannot be read").Because(err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	auth, err := k.credential(a)
	if err != nil {
		return err
	}
	rt := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 15 * time.Second, ExpectContinueTimeout: 5 * time.Second,
		DialContext: (&net.Dialer{Timeout: 15 * time.Second}).DialContext}
	k.client = api.NewClient(k.server, &noticing{rt, a}, auth)
	return nil
}

func (k *connection) credential(a *app) (api.Auth, error) {
	switch {
	case k.tokenFile != "" && k.user != "":
		return nil, usage("--token-file and --user exclude each other")
	case k.tokenFile != "":
		t, err := a.secret(k.tokenFile)
		return api.Token(t), err
	case k.user != "" && k.passwordFile == "":
		return nil, usage("--user needs --password-file")
	case k.user != "":
		p, err := a.secret(k.passwordFile)
		return api.Password(k.user, p), err
	case k.certFile != "":
		return nil, nil
	}
	return nil, usage("--server needs --token-file, --user with --password-file, or --cert with --key")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// secret reads a password or token: the first line of a file, or of the standard input. It never stands on a command line, where
// other accounts of the machine can read it.
func (a *app) secret(path string) (string, error) {
	if path == "-" {
		b, err := readUpTo(a.in, 64<<10)
		line, _, _ := strings.Cut(string(b), "\n")
		line = strings.TrimSuffix(line, "\r")
		if err == nil && line == "" {
			err = fault.New(fault.Invalid, "password.file", "the first line of the standard input is empty")
		}
		return line, err
	}
	if _, err := os.Stat(path); err != nil {
		return "", err
	}
	s, loose, err := identity.ReadPasswordFile(path)
	if loose {
		a.say("entente: warning: others may read %s; try: chmod 600 %s", path, path)
	}
	return s, err
}

// lockPatience is how long a data directory that another command holds is waited for.
const lockPatience = 5 * time.Second

// local speaks to the node that runs on the directory; when none does, the node runs in this process for as long as the command
// takes, without a listener and under the directory's lock.
func (k *connection) local(ctx context.Context, a *app) error {
	deadline := time.Now().Add(lockPatience)
	for {
		if k.running(ctx, a) {
			return nil
		}
		err := k.inProcess(ctx, a)
		if err == nil || fault.Of(err) != fault.Unavailable && fault.Of(err) != fault.Conflict || time.Now().After(deadline) {
			return inUse(err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// running connects to the socket of a running node, if there is one.
func (k *connection) running(ctx context.Context, a *app) bool {
	path := filepath.Join(k.data, node.Socket)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", path)
	}
	conn, err := dial(ctx, "", "")
	if err != nil {
		return false
	}
	conn.Close()
	k.client = api.NewClient("http://node", &noticing{&http.Transport{DialContext: dial, ExpectContinueTimeout: 5 * time.Second}, a}, nil)
	return true
}

func (k *connection) inProcess(ctx context.Context, a *app) error {
	if _, err := os.Stat(filepath.Join(k.data, "keys")); errors.Is(err, os.ErrNotExist) {
		return fault.New(fault.NotFound, "data.none", "there is no node in %s", k.data).Try("entente init --data " + k.data + " --nation CODE --org NAME --admin-password-file FILE")
	}
	cfg, err := node.LoadConfig(k.data)
	if err != nil {
		return err
	}
	n, err := node.New(ctx, cfg)
	if err != nil {
		return err
	}
	k.client = api.NewClient("http://node", &noticing{n.Local(), a}, nil)
	k.close = func() error {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		return n.Stop(stop)
	}
	return nil
}
