// Package input brings lines of telemetry from where they come: files and directories with rotation, standard input, syslog. Lines come at least once: a source begins where
// its last kept checkpoint stands, and a checkpoint is kept only when everything before it is done with.
package input

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
)

// Batch is some lines of one source, in order, and where the source stands after them.
//
// Block names the stretch of the source that the lines are of: the same whenever it is read again. A batch is of one block, and Last says that the block ends with it: only there a
// checkpoint is kept, so that a block is read again whole or not at all.
type Batch struct {
	Source string // a file's path, or what the source calls itself
	Block  string
	Last   bool
	Lines  [][]byte

	// Done, where it is not nil, makes durable that everything of the batch is done with, and of those before it of the same source: they are not given again.
	Done func() error

	mark mark
}

// Source gives what comes until the context ends or, where it has an end, until it is there. Take is done with the lines when it returns nil: they are not its own
// afterwards. Its error ends the source, which gives the same lines again when it runs anew.
type Source interface {
	Run(ctx context.Context, take func(*Batch) error) error
}

// Counts are what a source did and could not do. None of it is silent.
type Counts struct {
	Lines   uint64 `json:"lines"`
	Bytes   uint64 `json:"bytes"`
	Long    uint64 `json:"long"`    // lines that are longer than a line may be: left out
	Lost    uint64 `json:"lost"`    // places in files that were cut off before they were read
	Errors  uint64 `json:"errors"`  // attempts to read that failed
	Partial uint64 `json:"partial"` // last lines of files that ended without an end of line
}

// Bounds.
const (
	MaxLine  = 1 << 20 // bytes of a line
	maxBatch = 1000    // lines of a batch
	maxBytes = 1 << 20 // bytes of a batch, beyond which no line is added
)

// mark is where one file stands.
type mark struct {
	Path   string `json:"path"`
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
	Offset int64  `json:"offset"`
	Head   string `json:"head"` // SHA-256 of its first bytes, in hex
	Size   int    `json:"size"` // how many they are
}

// Checkpoints are where sources stand, in one file.
type Checkpoints struct {
	path string
	mu   sync.Mutex
	kept map[string]mark // by device and inode
}

// maxMarks bounds the files whose place is kept.
const maxMarks = 100_000

// OpenCheckpoints reads the file, which need not exist.
func OpenCheckpoints(path string) (*Checkpoints, error) {
	c := &Checkpoints{path: path, kept: map[string]mark{}}
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading how far inputs are: %w", err)
	}
	if err := json.Unmarshal(b, &c.kept); err != nil {
		return nil, fault.New(fault.Unprocessable, "input.checkpoint", "%s does not say how far inputs are: %v; without the file they begin anew", path, err)
	}
	return c, nil
}

func (m *mark) key() string { return fmt.Sprintf("%d:%d", m.Device, m.Inode) }

// Keep makes durable that everything of a batch is done with, and of those before it of the same source.
func (c *Checkpoints) Keep(batches ...*Batch) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := false
	for _, b := range batches {
		if m := b.mark; m.Path != "" && c.kept[m.key()] != m {
			c.kept[m.key()] = m
			changed = true
		}
	}
	if !changed {
		return nil
	}
	return c.write()
}

// forget drops the marks of files that are not there any more.
func (c *Checkpoints) forget(gone func(mark) bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.kept)
	for k, m := range c.kept {
		if gone(m) {
			delete(c.kept, k)
		}
	}
	if len(c.kept) == n {
		return nil
	}
	return c.write()
}

func (c *Checkpoints) of(device, inode uint64) (mark, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.kept[(&mark{Device: device, Inode: inode}).key()]
	return m, ok
}

func (c *Checkpoints) all() []mark {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.kept))
}

// write replaces the file. The caller holds mu.
func (c *Checkpoints) write() error {
	if len(c.kept) > maxMarks {
		return fault.New(fault.Full, "input.checkpoint", "the places of more than %d files are not kept", maxMarks)
	}
	b, err := json.Marshal(c.kept, json.Deterministic(true))
	if err != nil {
		return fault.New(fault.Internal, "", "how far inputs are cannot be written down").Because(err)
	}
	f, err := os.OpenFile(c.path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keeping how far inputs are: %w", err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(c.path+".new", c.path)
	}
	if err == nil {
		var d *os.File
		if d, err = os.Open(filepath.Dir(c.path)); err == nil {
			err = errors.Join(d.Sync(), d.Close())
		}
	}
	if err != nil {
		return fmt.Errorf("keeping how far inputs are: %w", err)
	}
	return nil
}
