package decision

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The model in model/decision.pml says the same as the explorer, in a language made for it: a second pair of eyes.
func TestSpinFindsNoError(t *testing.T) {
	for _, tool := range []string{"spin", "gcc"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not here: the model is not run", tool)
		}
	}
	model, err := filepath.Abs("model/decision.pml")
	if err != nil {
		t.Fatal(err)
	}
	rounds := cmp.Or(os.Getenv("ENTENTE_SPIN_ROUNDS"), "1") // two take a minute
	for _, tc := range []struct {
		proof string
		holds bool
	}{{"1", true}, {"0", false}} {
		dir := t.TempDir()
		run := func(name string, args ...string) string {
			cmd := exec.Command(name, args...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "LC_ALL=C")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			return string(out)
		}
		run("spin", "-DPROOF="+tc.proof, "-DROUNDS="+rounds, "-a", model)
		run("gcc", "-O2", "-w", "-DSAFETY", "-o", "pan", "pan.c")
		out := run("./pan", "-m100000")
		states := regexp.MustCompile(`(?m)^\s*(\S+) states, stored`).FindStringSubmatch(out)
		errors := regexp.MustCompile(`errors: (\d+)`).FindStringSubmatch(out)
		if states == nil || errors == nil || regexp.MustCompile(`max search depth too small`).MatchString(out) {
			t.Fatalf("the model did not run to its end:\n%s", out)
		}
		t.Logf("proof of silence %s: %s states, %s errors", tc.proof, states[1], errors[1])
		if holds := errors[1] == "0"; holds != tc.holds {
			t.Errorf("proof of silence %s: %s errors\n%s", tc.proof, errors[1], out)
		}
	}
}
