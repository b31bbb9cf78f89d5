package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"entente/internal/shareddata"
	"entente/internal/testnode"
)

// attackSeconds is how long the import of ATT&CK Enterprise, 24,771 objects, may take.
const attackSeconds = 4

// attack imports real, heavily linked content.
func (b *bench) attack(ctx context.Context) error {
	path, ok := shareddata.Find("stix", "attack", "enterprise-attack-18.1.json.gz")
	if !ok {
		b.skip("import.attack", "the shared data are not at hand; ENTENTE_SHARED_DATA names them")
		return nil
	}
	n, err := testnode.Create(ctx, b.bin, filepath.Join(b.dir, "attack"), "")
	if err != nil {
		return err
	}
	began := time.Now()
	s, err := importFile(ctx, n, path)
	if err != nil {
		return err
	}
	b.atMost("import.attack", time.Since(began).Seconds(), "s", attackSeconds)
	b.note("import.attack.stored", float64(s.Added), "objects")
	if s.Added == 0 || s.Refused > 0 {
		return fmt.Errorf("of %d objects %d were added and %d refused", s.Objects, s.Added, s.Refused)
	}
	return nil
}

// summary is the last line of an import.
type summary struct {
	Objects int `json:"objects"`
	Added   int `json:"added"`
	Held    int `json:"held"`
	Refused int `json:"refused"`
}

func importFile(ctx context.Context, n *testnode.Node, path string) (summary, error) {
	out, err := n.Run(ctx, "object", "import", "--json", "--data", n.Data, "--collection", testnode.Collection, path)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var last struct {
		Summary *summary `json:"summary"`
	}
	if e := json.Unmarshal([]byte(lines[len(lines)-1]), &last); e == nil && last.Summary != nil {
		return *last.Summary, nil
	}
	if err == nil {
		err = fmt.Errorf("the import ended without a summary: %s", lines[len(lines)-1])
	}
	return summary{}, err
}
