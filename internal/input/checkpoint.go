package input

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"

	"entente/internal/disk"
)

// mark is where one file stands: at the end of its last block that is done with, and at its own end once it was left.
type mark struct {
	ID     string `json:"id"` // names its blocks; drawn when it is first seen
	Path   string `json:"path"`
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
	Offset int64  `json:"offset"` // in its text: of packed files, as it is unpacked
	Head   edge   `json:"head"`   // its first bytes, by which it is known again
	Tail   edge   `json:"tail"`   // the last before Offset
	Left   int64  `json:"left"`   // when it was read to the end and left, in seconds since 1970; 0: it is being read

	Gone int64 `json:"gone,omitzero"` // when it was not found any more though it was being read
}

// since says when a file was left, or was gone; 0: it is being read.
func (m *mark) since() int64 { return max(m.Left, m.Gone) }

// edge is what stands at the beginning of a file or before a place in it.
type edge struct {
	Size int64  `json:"size"`
	Hash string `json:"hash"` // SHA-256, in hex
}

// Bounds of checkpoints.
const (
	maxMarks  = 150_000             // files whose place is kept
	keepsLeft = 30 * 24 * time.Hour // how long is known of a file that it was read
)

// Checkpoints are where sources stand, in one file.
type Checkpoints struct {
	path   string
	mu     sync.Mutex
	kept   map[string]mark      // by ID
	byFile map[[2]uint64]string // the newest ID of a device and inode

	lazy  bool // a source runs, and settles
	dirty bool // something that was kept is not written yet
	wrote time.Time
	took  time.Duration
}

// OpenCheckpoints reads the file, which need not exist.
func OpenCheckpoints(path string) (*Checkpoints, error) {
	c := &Checkpoints{path: path, kept: map[string]mark{}, byFile: map[[2]uint64]string{}}
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
	for id, m := range c.kept {
		if m.ID != id || m.Offset < 0 || m.Head.Size < 0 || m.Head.Size > edgeBytes || m.Tail.Size < 0 || m.Tail.Size > min(edgeBytes, m.Offset) {
			return nil, fault.New(fault.Unprocessable, "input.checkpoint", "%s is not sound: what it says of %q cannot be; without the file inputs begin anew", path, m.Path)
		}
		if other, ok := c.kept[c.byFile[m.file()]]; !ok || other.since() != 0 && (m.since() == 0 || m.since() > other.since()) {
			c.byFile[m.file()] = id
		}
	}
	return c, nil
}

func (m *mark) file() [2]uint64 { return [2]uint64{m.Device, m.Inode} }

// note makes durable what files are called, before anything of them is given.
func (c *Checkpoints) note(marks []mark) error {
	if c == nil || len(marks) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range marks {
		if old, ok := c.kept[m.ID]; ok && old.Left == m.Left { // what is done with is said by keep
			m.Offset, m.Tail = old.Offset, old.Tail
		}
		c.kept[m.ID] = m
		c.byFile[m.file()] = m.ID
	}
	return c.write()
}

// keep makes durable how far a file is done with: while a source runs, soon. Until then its end would be read again, under the same name.
func (c *Checkpoints) keep(m mark) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, ok := c.kept[m.ID]
	if !ok || old.Left != 0 || m.Left == 0 && old.Offset >= m.Offset {
		return nil // another batch said more already
	}
	c.kept[m.ID] = m
	if c.dirty = true; c.lazy && !c.due() {
		return nil
	}
	return c.write()
}

// due tells whether writing would take less than a twentieth of the time. The caller holds mu.
func (c *Checkpoints) due() bool { return time.Since(c.wrote) >= 20*c.took }

// settle writes what was kept, if it is time. Over: nobody does so later.
func (c *Checkpoints) settle(over bool) error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lazy = !over; c.dirty && (over || c.due()) {
		return c.write()
	}
	return nil
}

// of is the newest mark of a file.
func (c *Checkpoints) of(file [2]uint64) (mark, bool) {
	if c == nil {
		return mark{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.kept[c.byFile[file]]
	return m, ok
}

// get is the mark with an ID.
func (c *Checkpoints) get(id string) (mark, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.kept[id]
	return m, ok
}

func (c *Checkpoints) all() []mark {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.kept))
}

// prune forgets files that were left long ago, and more of them where there is no room. The caller holds mu.
func (c *Checkpoints) prune() error {
	drop := func(m mark) {
		delete(c.kept, m.ID)
		if c.byFile[m.file()] == m.ID {
			delete(c.byFile, m.file())
		}
	}
	var left []mark
	old := time.Now().Add(-keepsLeft).Unix()
	for _, m := range c.kept {
		switch {
		case m.since() == 0:
		case m.since() < old:
			drop(m)
		default:
			left = append(left, m)
		}
	}
	if over := len(c.kept) - maxMarks; over > len(left) {
		return fault.New(fault.Full, "input.checkpoint", "the places of more than %d files are not kept", maxMarks)
	} else if over > 0 {
		slices.SortFunc(left, func(a, b mark) int { return cmp.Compare(a.since(), b.since()) })
		for _, m := range left[:over] {
			drop(m)
		}
	}
	return nil
}

// write replaces the file. The caller holds mu.
func (c *Checkpoints) write() error {
	if err := c.prune(); err != nil {
		return err
	}
	began := time.Now()
	b, err := json.Marshal(c.kept, json.Deterministic(true))
	if err != nil {
		return fault.New(fault.Internal, "", "how far inputs are cannot be written down").Because(err)
	}
	if err := disk.Replace(c.path, b); err != nil {
		return fmt.Errorf("keeping how far inputs are: %w", err)
	}
	c.wrote = time.Now()
	c.took, c.dirty = c.wrote.Sub(began), false
	return nil
}
