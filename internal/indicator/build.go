package indicator

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"

	"entente/internal/fault"
)

// The most that one index holds.
const (
	maxEntries = 200_000_000
	maxTexts   = math.MaxUint32 - 1<<20 // octets of values
)

// Builder collects indicators for a Snapshot. Its values and metas may come in any order; what comes twice is kept once.
type Builder struct {
	key   Key
	hash  hasher
	few   int // below so many, IPv4 addresses are hashed: a directory of their own would be larger than they are
	four  []entry4
	long  []entryLong
	nets  []entryNet
	blob  []byte // the hashed values as they came
	metas []byte
	texts struct {
		octets  []byte
		ends    []uint64
		numbers map[string]uint32 // of labels and accords
		last    string            // the source before
		source  uint32            // and its number
	}
	nMetas  int
	spilled struct {
		metas, octets, blob *spill // nil: all is in memory
		err                 error
	}
}

type entry4 struct{ address, meta uint32 }

type entryLong struct {
	hash     uint64
	at, meta uint32
}

type entryNet struct {
	prefix netip.Prefix
	meta   uint32
}

// MetaID is a Meta that a Builder knows.
type MetaID uint32

// NewBuilder begins an index under a node's key.
func NewBuilder(key Key) *Builder {
	b := &Builder{key: key, hash: newHasher(key), few: 8192}
	b.texts.numbers = map[string]uint32{}
	return b
}

// Len is how many entries were added.
func (b *Builder) Len() int { return len(b.four) + len(b.long) + len(b.nets) }

// Meta makes a Meta known. Give it once for all values that share it.
func (b *Builder) Meta(m Meta) MetaID {
	label, accord := b.interned(m.Label), b.interned(m.Accord)
	if b.nMetas == 0 || b.texts.last != m.Source {
		b.texts.last, b.texts.source = m.Source, b.text(m.Source)
	}
	b.metas = appendMeta(b.metas, &m, b.texts.source, label, accord)
	b.nMetas++
	b.spills(false)
	return MetaID(b.nMetas - 1)
}

func (b *Builder) text(s string) uint32 {
	b.texts.octets = append(b.texts.octets, s...)
	b.texts.ends = append(b.texts.ends, uint64(b.spilled.octets.before()+len(b.texts.octets)))
	return uint32(len(b.texts.ends) - 1)
}

func (b *Builder) interned(s string) uint32 {
	n, ok := b.texts.numbers[s]
	if !ok {
		n = b.text(s)
		b.texts.numbers[s] = n
	}
	return n
}

// Add adds a value. Its error is TooLarge when the index is full.
func (b *Builder) Add(v Value, m MetaID) error {
	return b.add(v.Kind, v.alone, []byte(v.key), uint32(m))
}

func (b *Builder) add(k Kind, alone bool, key []byte, meta uint32) error {
	if b.Len() >= maxEntries || b.spilled.blob.before()+len(b.blob)+len(key)+4 > maxTexts {
		return fault.New(fault.TooLarge, "indicator.full", "an index holds %d indicators and %d octets of values", maxEntries, maxTexts).Try("take lists out that are not needed")
	}
	switch k {
	case IPv4:
		b.four = append(b.four, entry4{binary.BigEndian.Uint32(key), meta})
	case CIDR:
		a, _ := netip.AddrFromSlice(key[:len(key)-1])
		b.nets = append(b.nets, entryNet{netip.PrefixFrom(a, int(key[len(key)-1])), meta})
	default:
		b.addLong(k, alone, key, meta)
	}
	return nil
}

func (b *Builder) addLong(k Kind, alone bool, key []byte, meta uint32) {
	x := entryLong{at: uint32(b.spilled.blob.before() + len(b.blob)), meta: meta}
	if k == Domain {
		x.hash = b.hash.sumName(key)
	} else {
		x.hash = b.hash.sum(k, key)
	}
	b.long = append(b.long, x)
	head := byte(k)
	if alone {
		head |= aloneFlag
	}
	b.blob = append(binary.AppendUvarint(append(b.blob, head), uint64(len(key))), key...)
}

// record is a hashed value as the snapshot has it.
func (b *Builder) record(at uint32) []byte {
	r := b.blob[at:]
	n, size := binary.Uvarint(r[1:])
	return r[:1+size+int(n)]
}

// Snapshot is the index of what was added, in memory. The builder is spent by it. cursor is kept for the reader: how much of the journal is in it.
func (b *Builder) Snapshot(cursor int64) *Snapshot {
	s := &Snapshot{cursor: cursor, key: b.key, hash: b.hash, nMetas: b.nMetas, nTexts: len(b.texts.ends)}
	b.fold()
	metaIDs := s.put4(b, nil)
	metaIDs = s.putLong(b, metaIDs)
	s.sec[secMetaIDs] = s.putNets(b, metaIDs)
	s.counts[IPv4] += s.n4
	s.counts[CIDR] = s.nets4 + s.nets6
	s.sec[secMetas], s.sec[secStrings] = b.metas, b.texts.octets
	s.sec[secOffsets] = make([]byte, 8, 8*(s.nTexts+1))
	for _, end := range b.texts.ends {
		s.sec[secOffsets] = binary.LittleEndian.AppendUint64(s.sec[secOffsets], end)
	}
	*b = Builder{}
	return s
}

// fold hashes IPv4 addresses of which there are few.
func (b *Builder) fold() {
	if len(b.four) < b.few {
		for _, x := range b.four {
			b.addLong(IPv4, false, binary.BigEndian.AppendUint32(nil, x.address), x.meta)
		}
		b.four = nil
	}
}

func (s *Snapshot) put4(b *Builder, metaIDs []byte) []byte {
	slices.SortFunc(b.four, func(x, y entry4) int {
		return cmp.Or(cmp.Compare(x.address, y.address), cmp.Compare(x.meta, y.meta))
	})
	b.four = slices.Compact(b.four)
	s.n4 = len(b.four)
	if s.n4 == 0 {
		return metaIDs
	}
	e := binary.LittleEndian
	low4, directory := make([]byte, 0, 2*s.n4), make([]byte, 4*(1<<16+1))
	next := 0
	for i, x := range b.four {
		for ; next <= int(x.address>>16); next++ {
			e.PutUint32(directory[4*next:], uint32(i))
		}
		low4 = e.AppendUint16(low4, uint16(x.address))
		metaIDs = e.AppendUint32(metaIDs, x.meta)
	}
	for ; next <= 1<<16; next++ {
		e.PutUint32(directory[4*next:], uint32(s.n4))
	}
	s.sec[secLow4], s.sec[secDirectory4] = low4, directory
	b.four = nil
	return metaIDs
}

func (s *Snapshot) putLong(b *Builder, metaIDs []byte) []byte {
	compare := func(x, y entryLong) int {
		if c := cmp.Compare(x.hash, y.hash); c != 0 || x.at == y.at && x.meta == y.meta {
			return c
		}
		return cmp.Or(bytes.Compare(b.record(x.at), b.record(y.at)), cmp.Compare(x.meta, y.meta))
	}
	slices.SortFunc(b.long, compare)
	b.long = slices.CompactFunc(b.long, func(x, y entryLong) bool { return compare(x, y) == 0 })
	s.nh = len(b.long)
	e := binary.LittleEndian
	blocks := make([]byte, 0, 8*(s.nh/blockSize+2))
	values := make([]byte, 0, len(b.blob))
	if s.nh > 0 {
		s.radix, s.filter = widths(s.nh)
		filter, directory, suffix := make([]byte, 1<<s.filter/8), make([]byte, 4*(1<<s.radix+1)), make([]byte, 0, 4*s.nh)
		next := 0
		for i, x := range b.long {
			for ; next <= int(x.hash>>(64-s.radix)); next++ {
				e.PutUint32(directory[4*next:], uint32(i))
			}
			bit := x.hash >> (64 - s.filter)
			filter[bit>>3] |= 1 << (bit & 7)
			suffix = e.AppendUint32(suffix, uint32(x.hash<<s.radix>>(64-suffixBits)))
			metaIDs = e.AppendUint32(metaIDs, x.meta)
			if i%blockSize == 0 {
				blocks = e.AppendUint64(blocks, uint64(len(values)))
			}
			r := b.record(x.at)
			s.counts[r[0]&^aloneFlag]++
			values = append(values, r...)
		}
		for ; next <= 1<<s.radix; next++ {
			e.PutUint32(directory[4*next:], uint32(s.nh))
		}
		s.sec[secFilter], s.sec[secDirectory], s.sec[secSuffix] = filter, directory, suffix
	}
	s.sec[secBlocks], s.sec[secValues] = e.AppendUint64(blocks, uint64(len(values))), values
	b.long, b.blob = nil, nil
	return metaIDs
}

func (s *Snapshot) putNets(b *Builder, metaIDs []byte) []byte {
	compare := func(x, y entryNet) int {
		return cmp.Or(cmp.Compare(x.prefix.Addr().BitLen(), y.prefix.Addr().BitLen()), x.prefix.Addr().Compare(y.prefix.Addr()),
			cmp.Compare(x.prefix.Bits(), y.prefix.Bits()), cmp.Compare(x.meta, y.meta))
	}
	slices.SortFunc(b.nets, compare)
	b.nets = slices.CompactFunc(b.nets, func(x, y entryNet) bool { return compare(x, y) == 0 })
	e := binary.LittleEndian
	rows := make([]byte, 0, netSize*len(b.nets))
	var around []int // the networks around the one at hand, the smallest last
	for i, x := range b.nets {
		for len(around) > 0 {
			o := b.nets[around[len(around)-1]].prefix
			if o.Addr().BitLen() == x.prefix.Addr().BitLen() && o.Contains(x.prefix.Addr()) {
				break
			}
			around = around[:len(around)-1]
		}
		parent := -1
		if len(around) > 0 {
			parent = around[len(around)-1]
		}
		w := words128(x.prefix.Addr())
		rows = e.AppendUint64(e.AppendUint64(rows, w[0]), w[1])
		rows = append(e.AppendUint32(rows, uint32(int32(parent))), byte(x.prefix.Bits()), 0, 0, 0)
		metaIDs = e.AppendUint32(metaIDs, x.meta)
		if x.prefix.Addr().Is4() {
			s.nets4++
		} else {
			s.nets6++
		}
		around = append(around, i)
	}
	s.sec[secNets] = rows
	s.touch()
	b.nets = nil
	return metaIDs
}
