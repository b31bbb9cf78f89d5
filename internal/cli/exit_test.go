package cli

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"entente/internal/fault"
)

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{no(), 1},
		{usage("what?"), 2},
		{fmt.Errorf("reading: %w", fault.New(fault.Invalid, "", "wrong")), 1},
		{fault.New(fault.Conflict, "", "other"), 1},
		{fault.New(fault.NotFound, "", "none"), 3},
		{fault.New(fault.Withheld, "", "none"), 3},
		{fmt.Errorf("open x: %w", fs.ErrNotExist), 3},
		{fault.New(fault.Unauthenticated, "", "who?"), 4},
		{fault.New(fault.Forbidden, "", "no"), 4},
		{fmt.Errorf("open x: %w", fs.ErrPermission), 4},
		{fault.New(fault.Unavailable, "", "busy"), 5},
		{fault.New(fault.Throttled, "", "slow down"), 5},
		{context.Canceled, 5},
		{fault.New(fault.Full, "", "full"), 6},
		{fmt.Errorf("write x: %w", syscall.ENOSPC), 6},
		{fault.New(fault.Internal, "", "oops"), 10},
		{fmt.Errorf("oops"), 10},
	} {
		if got := code(c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}

// TestExitCodesOfCommands holds the codes that a shell sees.
func TestExitCodesOfCommands(t *testing.T) {
	dir := t.TempDir()
	none := filepath.Join(dir, "none")
	node := filepath.Join(dir, "node")
	run := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		return Run(t.Context(), args, strings.NewReader(""), &out, &errs), out.String() + errs.String()
	}
	if got, text := run("init", "--data", node, "--nation", "UTO", "--org", "Utopia CERT"); got != 0 {
		t.Fatalf("init: %d %s", got, text)
	}
	for _, c := range []struct {
		want int
		args []string
	}{
		{0, []string{"version"}},
		{0, []string{"collection", "list", "--data", node}},
		{1, []string{"object", "validate", "-"}},
		{1, []string{"pattern", "check", "[]"}},
		{1, []string{"init", "--data", node, "--nation", "UTO", "--org", "Utopia CERT"}},
		{2, []string{"object", "import"}},
		{2, []string{"serve", "--data", node, "--listen", "0.0.0.0:0", "--tls=off"}},
		{2, []string{"object", "purge", "--data", node, "identity--1"}},
		{2, []string{"status", "--data", ""}},
		{3, []string{"object", "search", "--data", none}},
		{3, []string{"object", "get", "--data", node, "identity--00000000-0000-4000-8000-000000000000"}},
		{3, []string{"object", "import", "--data", node, "--collection", "none", "-"}},
		{5, []string{"status", "--data", node}},
		{5, []string{"object", "search", "--server", "http://127.0.0.1:1", "--token-file", write(t, dir, "token", "x")}},
	} {
		if got, text := run(c.args...); got != c.want {
			t.Errorf("entente %s: exit code %d, want %d\n%s", strings.Join(c.args, " "), got, c.want, text)
		}
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestErrorsCannotCommandTheTerminal(t *testing.T) {
	var b bytes.Buffer
	tell(&b, fault.New(fault.Invalid, "", "a name \x1b[2J\u202e and more").Try("\x07 this").After(time.Second))
	if strings.ContainsAny(b.String(), "\x1b\x07\u202e") {
		t.Fatalf("%q", b.String())
	}
	if want := "entente: a name \\u001b[2J\\u202e and more\n  try: \\u0007 this\n  again in 1s\n"; b.String() != want {
		t.Fatalf("%q", b.String())
	}
}

func TestLifetime(t *testing.T) {
	for in, want := range map[string]int64{"": 0, "90d": 90 * 86400, "12h": 43200, "30m": 1800} {
		if got, err := lifetime(in); err != nil || got != want {
			t.Errorf("%q: %d %v", in, got, err)
		}
	}
	for _, in := range []string{"d", "-1d", "0d", "1y", "99999d", "-5m", "1ns", "1e3d"} {
		if got, err := lifetime(in); err == nil {
			t.Errorf("%q: %d", in, got)
		}
	}
}

// TestEveryCommandIsExplained holds that the reference has something to say: every command has a short text, and every one that
// reads can print JSON.
func TestEveryCommandIsExplained(t *testing.T) {
	var visit func(c *cobra.Command)
	seen := 0
	visit = func(c *cobra.Command) {
		seen++
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short text %q", c.CommandPath(), c.Short)
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit((&app{}).root())
	if seen < 50 {
		t.Fatalf("only %d commands", seen)
	}
}

// TestReferenceIsCurrent holds docs/cli to what the commands say of themselves.
func TestReferenceIsCurrent(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	t.Setenv("ENTENTE_DATA", "")
	if got := Run(t.Context(), []string{"docs", "cli", "--dir", dir}, strings.NewReader(""), &out, &out); got != 0 {
		t.Fatal(out.String())
	}
	made, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range made {
		want, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", "..", "docs", "cli", f.Name()))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("docs/cli/%s is not what the commands say; run make docs", f.Name())
		}
	}
	there, err := filepath.Glob("../../docs/cli/*.md")
	if err != nil || len(there) != len(made) {
		t.Errorf("docs/cli has %d pages, the commands make %d", len(there), len(made))
	}
}

// TestAPIDocumentIsCurrent holds docs/openapi.json to what the routes say of themselves.
func TestAPIDocumentIsCurrent(t *testing.T) {
	var made, told bytes.Buffer
	t.Setenv("ENTENTE_DATA", "")
	if got := Run(t.Context(), []string{"docs", "api"}, strings.NewReader(""), &made, &told); got != 0 {
		t.Fatal(told.String())
	}
	there, err := os.ReadFile(filepath.Join("..", "..", "docs", "openapi.json"))
	if err != nil || !bytes.Equal(there, made.Bytes()) {
		t.Error("docs/openapi.json is not what the routes say; run make docs")
	}
}
