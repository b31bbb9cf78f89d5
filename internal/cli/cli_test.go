package cli

import (
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"entente/internal/alliance"
	"entente/internal/shareddata"
	"entente/internal/testnode"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"entente": func() { os.Exit(Main()) }, "entente-mistaken": func() {
		inventedDay = mistaken
		os.Exit(Main())
	}})
}

// mistaken is the beginning of the day with an expectation that does not come true.
func mistaken() []alliance.Act {
	acts := alliance.Invented()[:2]
	acts[1].Sees[1].Present, acts[1].Within = true, 5*time.Second // FRE is not named in the audience
	return acts
}

// TestStories runs the command line as people do, each story in a directory of its own.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Condition: condition, Cmds: map[string]func(*testscript.TestScript, bool, []string){"cut": cut, "until": until, "accuse": accuse, "sway": sway}, Setup: func(e *testscript.Env) error {
		e.Setenv("ENTENTE_DATA", "")
		if dir, ok := shareddata.Find("telemetry"); ok {
			e.Setenv("TELEMETRY", dir)
		}
		for _, name := range []string{"ADDR", "UTO", "RUR", "FRE"} { // of a node, and of the doors that nations have for each other
			addr, held, err := testnode.Port()
			if err != nil {
				return err
			}
			e.Defer(func() { held.Close() })
			e.Setenv(name, addr)
		}
		return nil
	}})
}

// condition knows whether the telemetry of the shared data is there.
func condition(name string) (bool, error) {
	if name != "telemetry" {
		return false, fmt.Errorf("there is no condition %q", name)
	}
	_, ok := shareddata.Find("telemetry")
	return ok, nil
}

// cut writes the first half of a file to another.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut FROM TO")
	}
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b[:len(b)/2], 0o600))
}

// until runs a command again and again until its output matches, for what the node does by itself in its own time.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until REGEXP COMMAND...")
	}
	want := regexp.MustCompile(args[0])
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("nothing that matches %s came: %v", args[0], err)
		}
	}
}
