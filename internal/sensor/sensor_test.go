package sensor

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"entente/internal/input"
	wire "entente/sensor"
)

func (n *fakeNode) addresses() []net.IP { return []net.IP{net.IPv4(127, 0, 0, 1)} }

func read1(t testing.TB, path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tape is a source in memory: a log in blocks of so many lines, which goes on where it was last marked as read.
type tape struct {
	name  string
	block int

	mu    sync.Mutex
	lines []string
	done  int // lines
	more  chan struct{}
	fail  error // of the next batch
	takes int
}

func newTape(name string, block int) *tape {
	return &tape{name: name, block: block, more: make(chan struct{})}
}

func (x *tape) write(lines ...string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lines = append(x.lines, lines...)
	close(x.more)
	x.more = make(chan struct{})
}

func (x *tape) Run(ctx context.Context, take func(*input.Batch) error) error {
	x.mu.Lock()
	at := x.done
	x.mu.Unlock()
	for ctx.Err() == nil {
		x.mu.Lock()
		end := min(len(x.lines), (at/x.block+1)*x.block)
		lines, more, fail := x.lines[at:end], x.more, x.fail
		x.fail = nil
		x.mu.Unlock()
		if fail != nil {
			return fail
		}
		if len(lines) == 0 {
			select {
			case <-ctx.Done():
			case <-more:
			}
			continue
		}
		b := &input.Batch{Source: x.name, Block: fmt.Sprintf("%s/%d", x.name, at/x.block), Last: end%x.block == 0}
		for _, l := range lines {
			b.Lines = append(b.Lines, []byte(l))
		}
		if b.Last {
			b.Done = func() error {
				x.mu.Lock()
				defer x.mu.Unlock()
				x.done = max(x.done, end)
				return nil
			}
		}
		if err := take(b); err != nil {
			return err
		}
		x.mu.Lock()
		x.takes++
		x.mu.Unlock()
		at = end
	}
	return nil
}

// enrolled makes a sensor's directory.
func enrolled(t testing.TB, n *fakeNode) string {
	dir := filepath.Join(t.TempDir(), "sensor")
	if _, err := Enrol(t.Context(), dir, n.url(), n.code.String(), false); err != nil {
		t.Fatal(err)
	}
	return dir
}

// running runs a sensor until the test ends or stop is called.
func running(t testing.TB, dir string, change func(*Options), sources ...*tape) (stop func() error) {
	cfg, err := LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: dir, Config: cfg, Now: time.Now}
	for _, x := range sources {
		o.Feeds = append(o.Feeds, &Feed{Opened: input.Opened{Name: x.name, Kind: "tape", Format: "auto", Source: x}})
	}
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o) }()
	var once sync.Once
	var said error
	stop = func() error {
		once.Do(func() { cancel(); said = <-ended })
		return said
	}
	t.Cleanup(func() { stop() })
	return stop
}

func domain(name string) wire.Value { return wire.Value{Kind: "domain", Text: name} }

func query(name string) string {
	return fmt.Sprintf(`{"ts":%q,"_path":"dns","query":%q,"id.orig_h":"10.0.0.1"}`, time.Now().UTC().Format(time.RFC3339Nano), name)
}

// A sensor is enrolled, takes what to look for, looks at what comes, and tells its node what it met: as changes come, from then on.
func TestASensorTellsWhatItMeets(t *testing.T) {
	n := newFakeNode(t)
	n.share("indicator--a", domain("bad.example"))
	n.collapse("one")
	dir := enrolled(t, n)
	log := newTape("zeek", 4)
	stop := running(t, dir, nil, log)
	log.write(query("www.bad.example"), query("good.example"), query("bad.example"))
	n.expect(map[string]int64{"indicator--a": 2})
	log.write(query("bad.example"), query("bad.example"), query("other.example"))
	n.expect(map[string]int64{"indicator--a": 4})
	n.share("indicator--b", domain("later.example"))
	n.until("the change", func() bool { return n.last().Indicators.Seq == 2 }, func() any { return n.last() })
	log.write(query("later.example"))
	n.expect(map[string]int64{"indicator--a": 4, "indicator--b": 1})
	n.share("indicator--a")
	n.until("the change", func() bool { return n.last().Indicators.Seq == 3 }, func() any { return n.last() })
	log.write(query("bad.example"), query("later.example"))
	n.expect(map[string]int64{"indicator--a": 4, "indicator--b": 2})
	n.until("the answers", func() bool { // that the reports were taken
		st, err := ReadStatus(dir)
		return err == nil && st.Health.Inputs[0].Events == 9 && st.Health.Spooled == 0
	}, func() any { st, err := ReadStatus(dir); return fmt.Sprint(st, err) })
	if err := stop(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	st, err := ReadStatus(dir)
	if err != nil || st.Running || st.Health.Inputs[0].Events != 9 || st.Health.Spooled != 0 || len(st.Errors) > 0 {
		t.Errorf("its status is %+v, %v", st, err)
	}
	for _, r := range n.reports {
		if r.Source == "indicator--a" && (r.Fields["query"] == "" || r.Kind != "domain" || r.Value != "bad.example" || r.Input != "zeek") {
			t.Errorf("a report is %+v", r)
		}
	}
}
