package feed

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"

	"entente/outside"
)

// item is what is kept of an entry that was stored.
type item struct {
	key        uuid.UUID
	generation uint16 // counts the returns after a revocation, which is final
	gone       bool   // was expired or revoked because it had left
	hash       uint64 // of the content
	created    int64  // milliseconds since 1970
	modified   int64
	until      int64 // valid until; 0: for ever
}

const (
	itemSize = 16 + 2 + 1 + 4*8
	shards   = 256
	// forgotten is when an entry that has left is not remembered any more.
	forgotten = 2 * 365 * 24 * time.Hour
)

func (it item) encode(b []byte) []byte {
	b = append(b, it.key[:]...)
	b = binary.BigEndian.AppendUint16(b, it.generation)
	flags := byte(0)
	if it.gone {
		flags = 1
	}
	b = append(b, flags)
	for _, v := range []uint64{it.hash, uint64(it.created), uint64(it.modified), uint64(it.until)} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

func decodeItem(b []byte) item {
	it := item{generation: binary.BigEndian.Uint16(b[16:]), gone: b[18]&1 != 0, hash: binary.BigEndian.Uint64(b[19:])}
	copy(it.key[:], b)
	it.created, it.modified, it.until = int64(binary.BigEndian.Uint64(b[27:])), int64(binary.BigEndian.Uint64(b[35:])), int64(binary.BigEndian.Uint64(b[43:]))
	return it
}

func decodeItems(b []byte) []item {
	out := make([]item, 0, len(b)/itemSize)
	for ; len(b) >= itemSize; b = b[itemSize:] {
		out = append(out, decodeItem(b))
	}
	return out
}

// id is the object's: the key itself, or one made of it after a revocation.
func (it item) id(typ string) string {
	key := it.key
	if it.generation > 0 {
		key = uuid.UUID(outside.UUID5(key, binary.BigEndian.AppendUint16(nil, it.generation)))
	}
	return typ + "--" + key.String()
}

func shardKey(name string, shard int) string { return fmt.Sprintf("%s/%02x", name, shard) }

// known reads what is kept of a feed's entries, by shard. Within a shard they are sorted by key.
func (r *Run) known(ctx context.Context) ([shards][]byte, error) {
	var out [shards][]byte
	after, last := r.c.Name+"/", shardKey(r.c.Name, shards-1)
	for {
		docs, err := r.f.o.Docs.Docs(ctx, docItems, after, 64)
		if err != nil {
			return out, err
		}
		for _, d := range docs {
			var shard int
			if d.Key > last {
				return out, nil
			}
			if _, err := fmt.Sscanf(d.Key[len(r.c.Name)+1:], "%02x", &shard); err == nil && shard < shards {
				out[shard] = d.Value
			}
			after = d.Key
		}
		if len(docs) == 0 {
			return out, nil
		}
	}
}
