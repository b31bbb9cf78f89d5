package sqlite

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"math"
	"slices"
	"strings"
	"sync"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/record"
)

// Kinds of key besides the record.LookupKind values.
const keyID = 'i'

// freezeAt is how many keys gather in memory before they are merged into the key table: the more, the fewer pages each merge touches.
// Two generations of them may be in memory at once.
const freezeAt = 1 << 19

// keptTypes is how many types a hasher remembers.
const keptTypes = 256

// hasher makes keyed 62-bit hashes: without the store's secret nobody can make two texts collide or try values on a stolen file.
type hasher struct {
	h      hash.Hash
	secret []byte
	sum    []byte
	types  map[string]int64 // hashes of types met before
}

func newHasher(secret []byte) *hasher {
	return &hasher{h: sha256.New(), secret: secret, sum: make([]byte, 0, sha256.Size), types: map[string]int64{}}
}

func (k *hasher) of(kind byte, text string) int64 {
	k.h.Reset()
	k.h.Write(k.secret)
	k.h.Write([]byte{kind})
	k.h.Write([]byte(text))
	k.sum = k.h.Sum(k.sum[:0])
	return int64(binary.BigEndian.Uint64(k.sum) >> 2)
}

// streamKey is the key of a page stream: a collection, a label, and the hash of a type (0: every type).
func (k *hasher) streamKey(coll int64, labelID uint32, typ string) int64 {
	var t int64
	if typ != "" {
		t = k.types[typ]
	}
	if t == 0 && typ != "" {
		t = k.of('t', typ)>>(62-typeHashBits) | 1
		if len(k.types) < keptTypes {
			k.types[typ] = t
		}
	}
	return coll<<(labelBits+typeHashBits) | int64(labelID)<<typeHashBits | t
}

// keyRow is a key of one place of a record.
type keyRow struct{ h, seq, rec int64 }

func compareKeys(a, b keyRow) int {
	if c := cmp.Compare(a.h, b.h); c != 0 {
		return c
	}
	return cmp.Compare(a.seq, b.seq)
}

// place is where a key leads.
type place struct{ seq, rec int64 }

// recent are keys that are on disk as runs and not yet in the key table. It only grows.
type recent struct {
	mu    sync.RWMutex
	heads map[int64]int32 // newest entry of each hash
	list  []recentKey
}

type recentKey struct {
	keyRow
	older int32 // index+1 of the next older entry of the same hash
}

func newRecent() *recent { return &recent{heads: map[int64]int32{}} }

func (r *recent) add(keys []keyRow) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range keys {
		r.list = append(r.list, recentKey{k, r.heads[k.h]})
		r.heads[k.h] = int32(len(r.list))
	}
}

func (r *recent) len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.list)
}

// find appends the places of a hash after one seq and up to another, newest first but for late arrivals.
func (r *recent) find(h, after, upto int64, to []place) []place {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for i := r.heads[h]; i != 0; i = r.list[i-1].older {
		if k := &r.list[i-1]; k.seq > after && k.seq <= upto {
			to = append(to, place{k.seq, k.rec})
		}
	}
	return to
}

// keys are the two generations of recent keys. A reader takes them together with its snapshot: see Store.read.
type keys struct {
	active *recent // the writer adds to it before each commit
	frozen *recent // being merged into the key table; nil: none
}

func (k *keys) find(h, after, upto int64, to []place) []place {
	to = k.active.find(h, after, upto, to)
	if k.frozen != nil {
		to = k.frozen.find(h, after, upto, to)
	}
	return to
}

const (
	findKeys = "SELECT seq, d FROM key WHERE h = ? AND seq > ? ORDER BY seq"
	scanKeys = "SELECT seq, d FROM stream WHERE h = ? AND seq > ? ORDER BY seq"
)

// bulk is how many keys one statement inserts: each statement costs as much as a few of its rows.
const bulk = 64

// inserter are the statements that insert one key and bulk keys into a table.
type inserter struct{ one, many string }

func inserterFor(table string) inserter {
	head, row := "INSERT OR IGNORE INTO "+table+"(h, seq, d) VALUES", "(?,?,?)"
	return inserter{head + row, head + row + strings.Repeat(","+row, bulk-1)}
}

var keyTable, streamTable = inserterFor("key"), inserterFor("stream")

// insertKeys writes keys, which are best sorted. Those that are there already are left alone.
func insertKeys(c *zs.Conn, to inserter, ks []keyRow) error {
	for len(ks) > 0 {
		query, n := to.one, 1
		if len(ks) >= bulk {
			query, n = to.many, bulk
		}
		st, err := c.Prepare(query)
		if err != nil {
			return err
		}
		for i, k := range ks[:n] {
			st.BindInt64(3*i+1, k.h)
			st.BindInt64(3*i+2, k.seq)
			st.BindInt64(3*i+3, k.seq-k.rec)
		}
		if _, err := st.Step(); err != nil {
			return err
		}
		ks = ks[n:]
	}
	return nil
}

// readPlaces appends up to limit places of one of the two queries above. They have no LIMIT: SQLite prepares a statement anew whenever
// the value bound there changes.
func readPlaces(c *zs.Conn, query string, h, after int64, limit int, to []place) ([]place, error) {
	st, err := c.Prepare(query)
	if err != nil {
		return to, err
	}
	st.BindInt64(1, h)
	st.BindInt64(2, after)
	for ; limit > 0; limit-- {
		row, err := st.Step()
		if err != nil || !row {
			return to, err
		}
		seq := st.ColumnInt64(0)
		to = append(to, place{seq, seq - st.ColumnInt64(1)})
	}
	return to, st.Reset()
}

// lookup is every place of a hash after seq, ascending. With a limit it holds at least that many of the first ones, if there are.
func (k *keys) lookup(c *zs.Conn, h, after int64, limit int, to []place) ([]place, error) {
	to, err := readPlaces(c, findKeys, h, after, limit, to[:0])
	if err != nil {
		return to, err
	}
	upto := int64(math.MaxInt64)
	if len(to) == limit {
		upto = to[len(to)-1].seq // the table may hold more after that: what lies beyond is for the next chunk
	}
	n := len(to)
	if to = k.find(h, after, upto, to); len(to) > n {
		slices.Reverse(to[n:]) // nearly sorted is soon sorted
		slices.SortFunc(to, func(a, b place) int { return cmp.Compare(a.seq, b.seq) })
		to = slices.Compact(to)
	}
	return to, nil
}

// packRun writes sorted keys.
func packRun(ks []keyRow) []byte {
	b := make([]byte, 0, len(ks)*18)
	for _, k := range ks {
		b = binary.BigEndian.AppendUint64(b, uint64(k.h))
		b = binary.AppendUvarint(b, uint64(k.seq))
		b = binary.AppendUvarint(b, uint64(k.seq-k.rec))
	}
	return b
}

var errRun = errors.New("a run of keys is damaged")

func unpackRun(b []byte, to []keyRow) ([]keyRow, error) {
	for len(b) > 0 {
		if len(b) < 10 {
			return to, errRun
		}
		k := keyRow{h: int64(binary.BigEndian.Uint64(b))}
		seq, n := binary.Uvarint(b[8:])
		if n <= 0 {
			return to, errRun
		}
		d, m := binary.Uvarint(b[8+n:])
		if m <= 0 {
			return to, errRun
		}
		k.seq, k.rec = int64(seq), int64(seq-d)
		to, b = append(to, k), b[8+n+m:]
	}
	return to, nil
}

// hashesOf appends the hashes of a record's id and lookups.
func hashesOf(h *hasher, id string, lookups []byte, to []int64) []int64 {
	to = append(to, h.of(keyID, id))
	eachLookup(lookups, func(kind record.LookupKind, text []byte) bool {
		to = append(to, h.of(byte(kind), string(text)))
		return true
	})
	return to
}
