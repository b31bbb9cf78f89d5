package bundle

import (
	"bytes"
	"encoding/binary"

	"github.com/go-json-experiment/json"

	"entente/peer"
)

// Kinds of items, in the order in which they come.
const (
	kindManifest = 'M'
	kindKeys     = 'K'
	kindAccord   = 'A'
	kindBatch    = 'B'
	kindHeads    = 'H'
	kindTrailer  = 'T'
)

const itemHead = 1 + 8

func appendHead(to []byte, kind byte, n int) []byte {
	return binary.BigEndian.AppendUint64(append(to, kind), uint64(n))
}

// largest is the bytes that an item of a kind has at most; 0: there is no such kind.
func largest(kind byte) uint64 {
	switch kind {
	case kindManifest:
		return MaxManifest
	case kindKeys:
		return MaxKeys
	case kindAccord:
		return MaxAccord
	case kindBatch:
		return MaxBatch
	case kindHeads:
		return MaxHeads
	case kindTrailer:
		return maxTrailer
	}
	return 0
}

// content is how far a bundle has come. Writer and reader hold to it alike: everything that the manifest names comes, in its order, and nothing else.
type content struct {
	manifest Manifest
	limits   Limits

	keyLog   int    // of manifest.KeyLogs
	keys     uint64 // statements of it
	keyBytes int64
	accords  int
	log      int    // of manifest.Logs
	leaves   uint64 // of it
	heads    bool

	items, frames uint64
}

func (c *content) item(n int) error {
	if c.items++; c.items > c.limits.Items {
		return refuse("bundle.size", "the bundle has more than %d items", c.limits.Items)
	}
	if n == 0 {
		return refuse("bundle.form", "an item is empty")
	}
	return nil
}

func (c *content) takeKeys(k *peer.KeyLog, n int) error {
	if c.keyLog >= len(c.manifest.KeyLogs) {
		return refuse("bundle.order", "statements of key logs come that the manifest does not name, or late")
	}
	r := c.manifest.KeyLogs[c.keyLog]
	if k.Nation != r.Nation || k.From != r.From+c.keys || len(k.Statements) == 0 || uint64(len(k.Statements)) > r.To-k.From || k.Checkpoint != nil || k.More {
		return refuse("bundle.range", "where statement %d of the key log of %s should be, there are %d from %d of %.8q", r.From+c.keys, r.Nation, len(k.Statements), k.From, k.Nation)
	}
	if c.keyBytes += int64(n); c.keyBytes > c.limits.Keys {
		return refuse("bundle.size", "the bundle has more than %d bytes of key statements", c.limits.Keys)
	}
	if c.keys += uint64(len(k.Statements)); r.From+c.keys == r.To {
		c.keyLog, c.keys = c.keyLog+1, 0
	}
	return c.item(n)
}

func (c *content) takeAccord(n int) error {
	if c.keyLog < len(c.manifest.KeyLogs) || c.accords >= c.manifest.Accords || c.log > 0 || c.leaves > 0 {
		return refuse("bundle.order", "an accord comes that the manifest does not count, or not in its place")
	}
	c.accords++
	return c.item(n)
}

func (c *content) takeBatch(b *peer.Batch, n int) error {
	if c.keyLog < len(c.manifest.KeyLogs) || c.accords < c.manifest.Accords || c.log >= len(c.manifest.Logs) || c.heads {
		return refuse("bundle.order", "a part of a log comes that the manifest does not name, or not in its place")
	}
	r := c.manifest.Logs[c.log]
	count := uint64(len(b.Frames))
	if b.Origin != r.Origin || b.From != r.From+c.leaves || count > r.To-b.From || count == 0 && r.From < r.To {
		return refuse("bundle.range", "where leaf %d of log %s should be, there are %d from %d of log %s", r.From+c.leaves, r.Origin, count, b.From, b.Origin)
	}
	if c.frames += count; c.frames > c.limits.Frames {
		return refuse("bundle.size", "the bundle has more than %d leaves", c.limits.Frames)
	}
	if c.leaves += count; r.From+c.leaves == r.To {
		c.log, c.leaves = c.log+1, 0
	}
	return c.item(n)
}

func (c *content) takeHeads(n int) error {
	if err := c.whole(); err != nil {
		return err
	}
	c.heads = true
	return c.item(n)
}

// whole tells whether everything came that the manifest names.
func (c *content) whole() error {
	m := &c.manifest
	switch {
	case c.keyLog < len(m.KeyLogs):
		r := m.KeyLogs[c.keyLog]
		return refuse("bundle.range", "statements %d to %d of the key log of %s, which the manifest names, are not here", r.From+c.keys, r.To-1, r.Nation)
	case c.accords < m.Accords:
		return refuse("bundle.range", "%d of %d accords, which the manifest counts, are not here", m.Accords-c.accords, m.Accords)
	case c.log < len(m.Logs):
		r := m.Logs[c.log]
		return refuse("bundle.range", "log %s from leaf %d to %d, which the manifest names, is not here", r.Origin, r.From+c.leaves, r.To)
	}
	return nil
}

// parseKeys reads statements in their one form.
func parseKeys(b []byte) (*peer.KeyLog, error) {
	var k peer.KeyLog
	if err := json.Unmarshal(b, &k, json.RejectUnknownMembers(true)); err != nil {
		return nil, &Error{"bundle.form", "an item of key statements is not of its form", err}
	}
	if again, err := json.Marshal(&k); err != nil || !bytes.Equal(again, b) {
		return nil, refuse("bundle.form", "an item of key statements is not written in its one form")
	}
	return &k, nil
}
