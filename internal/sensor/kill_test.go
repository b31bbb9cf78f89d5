package sensor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/internal/testnode"
)

// program builds the real program, once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "entente-sensor")
	if err != nil {
		return "", err
	}
	return testnode.Build(context.Background(), dir)
})

// process is a sensor as its users run it.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
}

func started(t *testing.T, bin, dir string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(bin, "sensor", "run", "--data", dir, "--log-format", "text")}
	p.cmd.Stderr = &tail{t: t}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	return p
}

// kill ends it as a loss of power would.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
}

// tail logs what a process says.
type tail struct{ t *testing.T }

func (x *tail) Write(b []byte) (int, error) {
	x.t.Logf("%.300s", strings.TrimSpace(string(b)))
	return len(b), nil
}

// A sensor that is killed at any moment, with logs that are rotated and a node that goes away and comes back, tells everything once.
func TestKilledAtAnyMoment(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program and kills it many times")
	}
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	n := newFakeNode(t)
	for i := range 5 {
		n.share(fmt.Sprintf("indicator--%d", i), domain(fmt.Sprintf("bad%d.example", i)))
	}
	n.collapse("one")
	dir := enrolled(t, n)
	logs := t.TempDir()
	conf := fmt.Sprintf("[limits]\nreports = 1000000\n[[input]]\nname = \"eve\"\nkind = \"files\"\npaths = [%q]\n", filepath.Join(logs, "eve.json*"))
	if err := os.WriteFile(filepath.Join(dir, ConfigFile), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, uint64(time.Now().UnixNano())))
	want := map[string]int64{}
	current, rotated := filepath.Join(logs, "eve.json"), 0
	write := func(lines int) {
		var b strings.Builder
		for i := range lines {
			name := fmt.Sprintf("bad%d.example", r.IntN(100))
			if i == 0 {
				name = "bad0.example" // every writing has something to tell
			}
			var which int
			if fmt.Sscanf(name, "bad%d.", &which); which < 5 {
				want[fmt.Sprintf("indicator--%d", which)]++
			}
			fmt.Fprintf(&b, `{"timestamp":%q,"event_type":"dns","src_ip":"10.0.0.%d","dest_ip":"10.1.0.1","dns":{"type":"query","rrname":"www.%s","padding":%q}}`+"\n",
				time.Now().UTC().Format(time.RFC3339Nano), r.IntN(250), name, strings.Repeat("x", r.IntN(400)))
		}
		f, err := os.OpenFile(current, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(b.String())
			f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	sum := func() (s int64) {
		for _, c := range n.counts() {
			s += c
		}
		return s
	}
	p := started(t, bin, dir)
	for round := range 12 {
		before := sum()
		for range 1 + r.IntN(20) {
			write(1 + r.IntN(400))
			if r.IntN(10) == 0 {
				rotated++
				if err := os.Rename(current, fmt.Sprintf("%s.%d", current, rotated)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if round%4 != 3 { // else the node is away, and it is killed while it keeps what it meets
			n.until("a report", func() bool { return sum() > before }, func() any { return n.counts() })
		} else {
			n.change(func() { n.down = !n.down })
		}
		time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
		p.kill()
		write(r.IntN(50)) // while nobody looks
		n.change(func() { n.down = false })
		p = started(t, bin, dir)
	}
	write(100)
	n.expect(want)
	status := func() string {
		out, err := exec.Command(bin, "sensor", "status", "--data", dir, "--json").Output()
		return fmt.Sprintf("%s, %v", out, err)
	}
	n.until("its status", func() bool { return strings.Contains(status(), `"running":true`) }, func() any { return status() })
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, x := range n.reports {
		if err := x.Check(); err != nil || x.Kind != "domain" || !strings.HasPrefix(x.Value, "bad") {
			t.Errorf("a report is %+v: %v", x, err)
		}
	}
}
