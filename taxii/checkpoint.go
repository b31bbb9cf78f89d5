package taxii

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
)

// Checkpoint is how far a consumer has polled a collection. It is stored together with the objects it speaks of, in one transaction,
// so that after a crash neither is ahead of the other. A poll starts a safety window before the last date added, because some
// servers commit out of order, and leaves out what it has already seen there.
type Checkpoint struct {
	Last time.Time `json:"last"`           // greatest X-TAXII-Date-Added-Last whose page is stored
	Seen []Seen    `json:"seen,omitempty"` // what was stored within the window before Last
}

// Seen is a version of an object, by a digest of its id, version and spec version, and the date its page ended with.
type Seen struct {
	Key string    `json:"key"`
	At  time.Time `json:"at"`
}

// maxSeen bounds Checkpoint.Seen. What is forgotten is met again, which a store that knows duplicates does not notice.
const maxSeen = 100_000

// After is the added_after of the next poll. The zero time asks for everything.
func (c Checkpoint) After(window time.Duration) time.Time {
	if c.Last.IsZero() {
		return c.Last
	}
	return c.Last.Add(-window)
}

// Take returns the objects of a page that are new, and the checkpoint to store with them. The receiver does not change. Objects
// without an id are always new.
func (c Checkpoint) Take(p ObjectsPage, window time.Duration) ([][]byte, Checkpoint) {
	out := Checkpoint{Last: c.Last}
	if p.Last.After(out.Last) {
		out.Last = p.Last
	}
	at := p.Last
	if at.IsZero() {
		at = out.Last
	}
	edge := out.After(window)
	known := make(map[string]bool, len(c.Seen))
	for _, s := range c.Seen {
		known[s.Key] = true
		if s.At.After(edge) {
			out.Seen = append(out.Seen, s)
		}
	}
	var fresh [][]byte
	for _, raw := range p.Objects {
		key := versionKey(raw)
		if key != "" && known[key] {
			continue
		}
		fresh = append(fresh, raw)
		if key != "" {
			known[key] = true
			if at.After(edge) {
				out.Seen = append(out.Seen, Seen{key, at})
			}
		}
	}
	if extra := len(out.Seen) - maxSeen; extra > 0 {
		out.Seen = slices.Clone(out.Seen[extra:])
	}
	return fresh, out
}

// versionKey is a digest of what names a version of an object: its id, version and spec version. It is kept when the object is destroyed, and must
// not name it.
func versionKey(raw []byte) string {
	var o struct {
		ID       string `json:"id"`
		Spec     string `json:"spec_version"`
		Created  string `json:"created"`
		Modified string `json:"modified"`
	}
	if err := json.Unmarshal(raw, &o); err != nil || o.ID == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(o.ID + " " + cmp.Or(o.Modified, o.Created) + " " + o.Spec))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}
