package faulttest

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"entente/internal/lists"
)

// TestAHangupReadsTheListsAnew: SIGHUP ends nothing, and what the files of the published lists say then counts.
func TestAHangupReadsTheListsAnew(t *testing.T) {
	n := made(t, "")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(n.Data, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("list.json", `{"name":"Known","version":1,"type":"string","list":["a.example"]}`)
	write("entente.toml", "[lists]\nwarninglists = \".\"\n")
	start(t, n)
	local := (&rooms{n: n}).local()
	for round := 2; round < 5; round++ {
		text := `{"name":"Known","version":2,"type":"string","list":["a.example"`
		for i := 1; i < round; i++ {
			text += fmt.Sprintf(`,"b%d.example"`, i)
		}
		write("list.json", text+"]}")
		if err := syscall.Kill(n.PID(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() (lists.Summary, error) {
			s, err := local.Lists(t.Context())
			if err == nil && s.Entries != round {
				err = fmt.Errorf("%d entries are loaded, want %d", s.Entries, round)
			}
			return s, err
		})
	}
	if err := n.Stop(); err != nil {
		t.Errorf("after that it stops with %v", err)
	}
}
