package faulttest

import (
	"errors"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"entente/internal/testnode"
)

// busy is the exit code of a command that may be tried again later.
const busy = 5

func TestASecondNodeOnTheSameDataIsRefused(t *testing.T) {
	n := served(t, "")
	_, err := n.Run(t.Context(), "serve", "--data", n.Data, "--listen", "127.0.0.1:0")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != busy {
		t.Fatalf("the second serve ended with %v", err)
	}
	if pid := strconv.Itoa(n.PID()); !strings.Contains(err.Error(), "process "+pid) {
		t.Errorf("%q does not name the process %s", err, pid)
	}
	a := must(client(t, n, testnode.Analyst).Do(t.Context(), http.MethodGet, testnode.Objects, nil, nil))(t)
	if a.Status != http.StatusOK {
		t.Errorf("the first one answers %d %s", a.Status, a.Body)
	}
	if _, err := n.Run(t.Context(), "collection", "list", "--data", n.Data); err != nil {
		t.Errorf("a command beside the running node: %v", err)
	}
}
