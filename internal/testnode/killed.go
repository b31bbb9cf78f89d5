package testnode

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Killed starts a program, kills it when it has worked for so long, and gives the whole lines that it wrote to its standard output, which is kept in a directory. Where it must
// have written something it is given the time to, however slow the machine is. What it says on its standard error is an error.
func Killed(cmd *exec.Cmd, dir string, work time.Duration, something bool) (lines []string, err error) {
	said, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		return nil, err
	}
	defer said.Close()
	var complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = said, &complaints
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(3 * time.Minute); something && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if i, err := said.Stat(); err != nil || i.Size() > 0 {
			break
		}
	}
	time.Sleep(work)
	if err := cmd.Process.Kill(); err != nil {
		return nil, err
	}
	_ = cmd.Wait()
	if complaints.Len() > 0 {
		return nil, fmt.Errorf("it says: %s", complaints.String())
	}
	out, err := os.ReadFile(said.Name())
	for line := range strings.Lines(string(out)) {
		if whole, ok := strings.CutSuffix(line, "\n"); ok {
			lines = append(lines, whole)
		}
	}
	return lines, err
}
