package cli

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"entente": func() { os.Exit(Main()) }})
}

// TestStories runs the command line as people do, each story in a directory of its own.
func TestStories(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		e.Setenv("ENTENTE_DATA", "")
		return nil
	}})
}
