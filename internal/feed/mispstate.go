package feed

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"entente/internal/exchange"
	"entente/internal/store"
)

// takenEvent is what is kept of an event of a MISP server: how new what is here is. Of a push it is what the server has.
type takenEvent struct {
	timestamp, sightings int64
	bad                  bool // it was left out, and stays so until it changes
}

// taken is what is kept of all events of a server, in documents of a few hundred each: one of them is written with each event.
type taken struct {
	settings [16]byte
	shards   [shards]map[uuid.UUID]takenEvent
}

const (
	docTaken  = "feed.taken" // key: name/shard
	takenSize = 16 + 8 + 8 + 1
)

func (t *taken) at(id uuid.UUID) takenEvent { return t.shards[id[0]][id] }

// takenEvents reads what is kept. What was kept under other settings of the feed does not count.
func (r *Run) takenEvents(ctx context.Context) (*taken, error) {
	t := &taken{}
	b, err := hex.DecodeString(r.state.Settings)
	if err == nil {
		copy(t.settings[:], b)
	}
	prefix := r.c.Name + "/"
	for after := prefix; ; {
		docs, err := r.f.o.Docs.Docs(ctx, docTaken, after, shards)
		if err != nil {
			return nil, err
		}
		for _, d := range docs {
			if !strings.HasPrefix(d.Key, prefix) {
				return t, nil
			}
			after = d.Key
			v, ok := bytes.CutPrefix(d.Value, t.settings[:])
			for ; ok && len(v) >= takenSize; v = v[takenSize:] {
				id := uuid.UUID(v[:16])
				t.put(id, takenEvent{int64(binary.BigEndian.Uint64(v[16:])), int64(binary.BigEndian.Uint64(v[24:])), v[32] != 0})
			}
		}
		if len(docs) == 0 {
			return t, nil
		}
	}
}

func (t *taken) put(id uuid.UUID, e takenEvent) {
	if t.shards[id[0]] == nil {
		t.shards[id[0]] = map[uuid.UUID]takenEvent{}
	}
	t.shards[id[0]][id] = e
}

// doc is the document of an event's shard.
func (t *taken) doc(name string, shard byte) store.Doc {
	v := append([]byte(nil), t.settings[:]...)
	for _, id := range slices.SortedFunc(maps.Keys(t.shards[shard]), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) {
		e := t.shards[shard][id]
		v = append(v, id[:]...)
		v = binary.BigEndian.AppendUint64(v, uint64(e.timestamp))
		v = binary.BigEndian.AppendUint64(v, uint64(e.sightings))
		if e.bad {
			v = append(v, 1)
		} else {
			v = append(v, 0)
		}
	}
	return store.Doc{Kind: docTaken, Key: shardKey(name, int(shard)), Value: v, Version: -1}
}

// keepTaken writes down an event of which nothing is stored.
func (r *Run) keepTaken(ctx context.Context, t *taken, id uuid.UUID, e takenEvent) error {
	if r.report.DryRun {
		return nil
	}
	t.put(id, e)
	_, err := r.submit(ctx, nil, nil, nil, func([]exchange.Outcome) []store.Doc { return []store.Doc{t.doc(r.c.Name, id[0])} })
	return err
}
