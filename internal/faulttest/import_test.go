package faulttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"entente/internal/sample"
	"entente/internal/testnode"
)

// TestAnImportThatIsCutOffIsFinishedByTheNext kills the node under an import, and then imports the same file again.
func TestAnImportThatIsCutOffIsFinishedByTheNext(t *testing.T) {
	n := served(t, "")
	const objects = 30_000
	var file bytes.Buffer
	src := sample.New(11)
	for range objects {
		file.Write(src.File().Raw)
		file.WriteByte('\n')
	}
	path := filepath.Join(t.TempDir(), "objects.json")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"object", "import", "--json", "--data", n.Data, "--collection", testnode.Collection, path}
	cut := 0
	for wait := 50 * time.Millisecond; wait < 2*time.Second && cut < 3; wait *= 2 {
		done := make(chan error, 1)
		go func() { _, err := n.Run(t.Context(), args...); done <- err }()
		time.Sleep(wait)
		n.Kill()
		if err := <-done; err != nil {
			cut++
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != busy {
				t.Errorf("an import whose node was killed ended with %v, want the exit code %d", err, busy)
			}
		}
		start(t, n)
	}
	out, err := n.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	var last struct {
		Summary struct{ Objects, Added, Present int } `json:"summary"`
	}
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil {
		t.Fatal(err)
	}
	if s := last.Summary; s.Objects != objects || s.Added+s.Present != objects {
		t.Errorf("the last import ended as %+v", s)
	}
	there := must(once(must(client(t, n, testnode.Analyst).Manifest(t.Context()))(t)))(t)
	if len(there) != objects {
		t.Errorf("%d objects are there, want %d", len(there), objects)
	}
	t.Logf("%d imports were cut off; the last one added %d of %d", cut, last.Summary.Added, objects)
}
