// Package testnode runs the real program as its users do: made by its command line, served in a process of its own, spoken to over HTTPS
// on the loopback address. Benchmarks and fault tests stand on it.
package testnode

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Build makes the program in dir and returns its path. ENTENTE_BIN names one that is there already.
func Build(ctx context.Context, dir string) (string, error) {
	if path := os.Getenv("ENTENTE_BIN"); path != "" {
		return filepath.Abs(path)
	}
	path := filepath.Join(dir, "entente")
	c := exec.CommandContext(ctx, "go", "build", "-o", path, "entente/cmd/entente")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
}

// Collection is the alias of the collection that every made node has.
const Collection = "indicators"

// The accounts that every made node has. Ally is of another organisation, of which the node knows only the name.
const (
	Admin   = "admin"
	Analyst = "analyst"
	Ally    = "ally"
)

// Node is one data directory, and the process that serves it.
type Node struct {
	Bin  string
	Data string
	URL  string // of the running process, without a slash at the end
	Log  string // file with what it said
	// Wrap is a command that takes the serving command as its further arguments and becomes it. It may be nil.
	Wrap []string

	held     *os.File // keeps its port; it is let go with the node
	password string
	pool     *x509.CertPool
	cmd      *exec.Cmd
	ended    chan struct{}
	err      error // of Wait
}

// Create makes a node in data, which must not exist, with a collection and accounts. config is the text of its configuration file.
func Create(ctx context.Context, bin, data, config string) (*Node, error) {
	n := &Node{Bin: bin, Data: data, Log: data + ".log", password: rand.Text()}
	secret := data + ".password"
	if err := os.WriteFile(secret, []byte(n.password+"\n"), 0o600); err != nil {
		return nil, err
	}
	steps := [][]string{
		{"init", "--data", data, "--nation", "UTO", "--org", "Utopia CERT", "--admin-password-file", secret},
		{"collection", "add", "--data", data, "--title", "Indicators", "--alias", Collection},
		{"user", "add", "--data", data, Analyst, "--role", "analyst", "--password-file", secret},
		{"user", "add", "--data", data, Ally, "--role", "reader", "--org", "Arcadia CERT", "--password-file", secret},
	}
	for i, args := range steps {
		if _, err := n.Run(ctx, args...); err != nil {
			return nil, err
		}
		if i == 0 && config != "" {
			if err := os.WriteFile(filepath.Join(data, "entente.toml"), []byte(config), 0o600); err != nil {
				return nil, err
			}
		}
	}
	pem, err := os.ReadFile(filepath.Join(data, "keys", "ca.pem"))
	if err != nil {
		return nil, err
	}
	n.pool = x509.NewCertPool()
	if !n.pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("the node's authority is no certificate")
	}
	return n, nil
}

// Run runs one command of the program and returns what it printed. The error has what it said, and an *exec.ExitError in it.
func (n *Node) Run(ctx context.Context, args ...string) ([]byte, error) {
	var errs bytes.Buffer
	c := exec.CommandContext(ctx, n.Bin, args...)
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		return out, fmt.Errorf("entente %s: %w\n%s", strings.Join(args, " "), err, errs.Bytes())
	}
	return out, nil
}

// startPatience is how long a start may take, in which a large store recovers what a killed process left.
const startPatience = 3 * time.Minute

// Start serves the node in a process of its own, on a free port or where it was before, and returns the time until it was ready.
func (n *Node) Start(ctx context.Context) (time.Duration, error) {
	log, err := os.OpenFile(n.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	listen := n.Addr()
	if listen == "" {
		if listen, n.held, err = Port(); err != nil {
			return 0, err
		}
	}
	line := append(slices.Clone(n.Wrap), n.Bin, "serve", "--data", n.Data, "--listen", listen, "--log-level", "warn")
	c := exec.Command(line[0], line[1:]...)
	c.Stderr = log
	out, err := c.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := c.Start(); err != nil {
		return 0, err
	}
	n.cmd, n.ended = c, make(chan struct{})
	lines := make(chan string, 1)
	go func() {
		r := bufio.NewReader(out)
		line, _ := r.ReadString('\n')
		lines <- line
		io.Copy(io.Discard, r)
		n.err = c.Wait()
		close(n.ended)
	}()
	fail := func(format string, args ...any) (time.Duration, error) {
		n.Kill()
		said, _ := os.ReadFile(n.Log)
		return 0, fmt.Errorf("%w\n%s", fmt.Errorf(format, args...), said)
	}
	select {
	case line := <-lines:
		url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
		if !ok {
			return fail("the node said %q instead of where it listens", line)
		}
		n.URL = url
	case <-time.After(startPatience):
		return fail("the node does not listen after %s", startPatience)
	case <-ctx.Done():
		return fail("%w", ctx.Err())
	}
	ready := n.Client("")
	defer ready.Close()
	for {
		a, err := ready.Do(ctx, http.MethodGet, "/readyz", nil, nil)
		if err == nil && a.Status == http.StatusOK {
			return time.Since(began), nil
		}
		if time.Since(began) > startPatience || ctx.Err() != nil {
			return fail("the node is not ready: %v %w", a.Status, errors.Join(err, ctx.Err()))
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// PID is the process that serves; 0 when none does.
func (n *Node) PID() int {
	if n.cmd == nil || n.cmd.Process == nil {
		return 0
	}
	return n.cmd.Process.Pid
}

// Alive tells whether the process that Start began still runs.
func (n *Node) Alive() bool {
	if n.cmd == nil {
		return false
	}
	select {
	case <-n.ended:
		return false
	default:
		return true
	}
}

// Kill ends the process at once, as a power cut would, and waits until it is gone.
func (n *Node) Kill() {
	if n.cmd == nil {
		return
	}
	n.cmd.Process.Kill() // it may be gone already
	<-n.ended
	n.cmd = nil
}

// stopPatience is how long an end may take, for which the program itself gives requests under way 30 s.
const stopPatience = 2 * time.Minute

// Stop asks the process to end and returns how it did. One that has not ended after stopPatience is killed.
func (n *Node) Stop() error {
	if n.cmd == nil {
		return nil
	}
	defer n.Kill()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-n.ended:
		return n.err
	case <-time.After(stopPatience):
		return errors.New("the node does not stop")
	}
}

// Client speaks to the running node as one of its accounts; an empty name sends no credential.
func (n *Node) Client(user string) *Client { return NewClient(n.URL, user, n.password, n.TLS()) }

// SignIn signs one of the accounts in with its password, as a browser does, and returns the cookie of its session.
func (n *Node) SignIn(ctx context.Context, user string) (string, error) {
	body, err := json.Marshal(map[string]string{"name": user, "password": n.password})
	if err != nil {
		return "", err
	}
	c := n.Client("")
	defer c.Close()
	a, err := c.Do(ctx, http.MethodPost, "/auth/password", http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	cookie, _, ok := strings.Cut(a.Header.Get("Set-Cookie"), ";")
	if a.Status != http.StatusOK || !ok {
		return "", &Refusal{a}
	}
	return cookie, nil
}

// TLS is how a client meets the node.
func (n *Node) TLS() *tls.Config { return &tls.Config{RootCAs: n.pool, MinVersion: tls.VersionTLS12} }

// Addr is the host and port of the running process.
func (n *Node) Addr() string { return strings.TrimPrefix(n.URL, "https://") }

// Memory reads one of the kernel's figures of the process, such as VmRSS or VmHWM, in bytes.
func (n *Node) Memory(name string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.PID()))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			var kib int64
			if _, err := fmt.Sscanf(rest, "%d kB", &kib); err != nil {
				return 0, err
			}
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("the kernel tells no %s", name)
}

// clockTick is the unit in which the kernel tells processor time; it is this on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// CPU is the processor time that the process has taken.
func (n *Node) CPU() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.PID()))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, errors.New("the kernel tells no processor time")
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, err
}

// DiskBytes is the size of every file of the data directory.
func (n *Node) DiskBytes() (total int64, err error) {
	err = filepath.Walk(n.Data, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
		if errors.Is(err, os.ErrNotExist) { // a log that was just folded in
			err = nil
		}
		return err
	})
	return total, err
}
