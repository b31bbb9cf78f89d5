package indicator

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"net/netip"

	"entente/internal/fault"
)

// A snapshot is a header and sections, all numbers little endian:
//
//	directory4  65537 × u32   where the addresses with the same first 16 bits begin; a few IPv4 addresses are hashed values instead
//	low4        n × u16       the last 16 bits of IPv4 addresses, sorted by address
//	filter      2^f bits      one bit for the first f bits of each hash
//	directory   2^r+1 × u32   where the hashes with the same first r bits begin
//	suffix      n × u32       the next 32 bits of the hashes, sorted by hash
//	blocks      u64           where in values each group of 16 hashed values begins, and the end
//	values      kind, length, key of each hashed value, in the order of the hashes
//	nets        n × 24        networks sorted by family, first address and length, each with the nearest network around it
//	metaIDs     n × u32       the meta of each entry: first IPv4, then hashed values, then networks
//	metas       n × 48        see appendMeta
//	offsets     n+1 × u64     where each string begins, and the end
//	strings     sources, labels, accords
//
// Entries have no ids: an entry is its rank. A value that has several metas stands there several times, side by side.
const (
	secDirectory4 = iota
	secLow4
	secFilter
	secDirectory
	secSuffix
	secBlocks
	secValues
	secNets
	secMetaIDs
	secMetas
	secOffsets
	secStrings
	sections
)

const (
	magic      = "entind\r\n"
	version    = 1
	headerSize = 576
	headerSums = headerSize - 4 // where the header's own checksum stands
	headerSecs = 256            // where the table of sections begins
	headerNums = 128            // where the entries of each kind are counted
	align      = 64
	blockSize  = 16
	netSize    = 24
	suffixBits = 32
	minRadix   = 6
	maxRadix   = 26
	minFilter  = 9
	maxFilter  = 31
	aloneFlag  = 0x80
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Snapshot is an immutable index. It may be read by many goroutines at once.
type Snapshot struct {
	cursor int64
	key    Key
	hash   hasher
	n4     int // IPv4 addresses that are not hashed
	nh     int // hashed values
	nets4  int
	nets6  int
	nMetas int
	nTexts int
	radix  int
	filter int
	counts [kinds]int
	sec    [sections][]byte
	file   *mapping // nil: the sections are memory of Go
	hot    *mapping // what settle moved; nil: nothing

	touched []byte // a bit for each IPv4 /16 that a network touches: most addresses are in none
}

func u32(b []byte, i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }
func u64(b []byte, i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }

// Len is the number of entries.
func (s *Snapshot) Len() int { return s.n4 + s.nh + s.nets4 + s.nets6 }

// Count is the number of entries of a kind.
func (s *Snapshot) Count(k Kind) int {
	if int(k) < kinds {
		return s.counts[k]
	}
	return 0
}

// Cursor is the place in the journal that the snapshot was built up to, as its builder was told.
func (s *Snapshot) Cursor() int64 { return s.cursor }

// IndexBytes is the size of what lookups that meet nothing may touch.
func (s *Snapshot) IndexBytes() (n int64) {
	for _, i := range []int{secDirectory4, secLow4, secFilter, secDirectory, secSuffix, secNets} {
		n += int64(len(s.sec[i]))
	}
	return n
}

// IDBytes is the size of what leads from an entry to its value and its meta.
func (s *Snapshot) IDBytes() int64 { return int64(len(s.sec[secBlocks]) + len(s.sec[secMetaIDs])) }

// Size is the size of everything.
func (s *Snapshot) Size() int64 {
	n := int64(headerSize)
	for _, b := range s.sec {
		n += int64(aligned(len(b)))
	}
	return n
}

func aligned(n int) int { return (n + align - 1) / align * align }

// sizes is how long each section has to be; -1: any length.
func (s *Snapshot) sizes() (n [sections]int) {
	if s.n4 > 0 {
		n[secDirectory4], n[secLow4] = 4*(1<<16+1), 2*s.n4
	}
	if s.nh > 0 {
		n[secFilter], n[secDirectory], n[secSuffix] = 1<<s.filter/8, 4*(1<<s.radix+1), 4*s.nh
	}
	n[secBlocks] = 8 * ((s.nh+blockSize-1)/blockSize + 1)
	n[secNets], n[secMetaIDs], n[secMetas], n[secOffsets] = netSize*(s.nets4+s.nets6), 4*s.Len(), metaSize*s.nMetas, 8*(s.nTexts+1)
	n[secValues], n[secStrings] = -1, -1
	return n
}

// header is the first headerSize octets of a file.
func (s *Snapshot) header() []byte {
	h := make([]byte, headerSize)
	e := binary.LittleEndian
	copy(h, magic)
	e.PutUint32(h[8:], version)
	e.PutUint32(h[12:], headerSize)
	e.PutUint64(h[16:], uint64(s.Size()))
	e.PutUint64(h[24:], uint64(s.cursor))
	copy(h[32:], s.key[:])
	h[64], h[65] = byte(s.radix), byte(s.filter)
	for i, n := range s.numbers() {
		e.PutUint32(h[72+4*i:], uint32(*n))
	}
	for i, n := range s.counts {
		e.PutUint32(h[headerNums+4*i:], uint32(n))
	}
	at := headerSize
	for i, b := range s.sec {
		row := h[headerSecs+24*i:]
		e.PutUint64(row, uint64(at))
		e.PutUint64(row[8:], uint64(len(b)))
		e.PutUint32(row[16:], crc32.Checksum(b, castagnoli))
		at += aligned(len(b))
	}
	e.PutUint32(h[headerSums:], crc32.Checksum(h[:headerSums], castagnoli))
	return h
}

func (s *Snapshot) numbers() [6]*int {
	return [6]*int{&s.n4, &s.nh, &s.nets4, &s.nets6, &s.nMetas, &s.nTexts}
}

func damaged(format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, "indicator.snapshot", "the snapshot of indicators is damaged: "+format, args...).
		Try("remove it: the node builds another, a sensor fetches another")
}

// Read reads a snapshot that stands in memory, and keeps the octets. It believes nothing: sizes, checksums and every number that leads to
// another place are looked at, so that no lookup in a snapshot that Read took reads beyond it.
func Read(data []byte) (*Snapshot, error) {
	if len(data) < headerSize || string(data[:8]) != magic {
		return nil, fault.New(fault.Invalid, "indicator.snapshot", "this is no snapshot of indicators").Try("name a file that the node wrote")
	}
	e := binary.LittleEndian
	if v := e.Uint32(data[8:]); v != version || e.Uint32(data[12:]) != headerSize {
		return nil, fault.New(fault.Unsupported, "indicator.snapshot.version", "a snapshot of indicators of version %d, and only %d is known", v, version).
			Try("remove it: the node builds another, a sensor fetches another")
	}
	if crc32.Checksum(data[:headerSums], castagnoli) != e.Uint32(data[headerSums:]) {
		return nil, damaged("its header does not have its checksum")
	}
	if n := e.Uint64(data[16:]); n != uint64(len(data)) {
		return nil, damaged("it has %d octets of %d", len(data), n)
	}
	s := &Snapshot{cursor: int64(e.Uint64(data[24:])), radix: int(data[64]), filter: int(data[65])}
	copy(s.key[:], data[32:])
	s.hash = newHasher(s.key)
	for i, n := range s.numbers() {
		if *n = int(e.Uint32(data[72+4*i:])); *n > maxEntries {
			return nil, damaged("it counts %d things where %d are the most", *n, maxEntries)
		}
	}
	sum := 0
	for i := range s.counts {
		s.counts[i] = int(e.Uint32(data[headerNums+4*i:]))
		sum += s.counts[i]
	}
	if sum != s.Len() || sum > maxEntries {
		return nil, damaged("its kinds do not make up its entries")
	}
	if s.nh > 0 && (s.radix < minRadix || s.radix > maxRadix || s.filter < minFilter || s.filter > maxFilter) {
		return nil, damaged("its directory is for %d and %d bits", s.radix, s.filter)
	}
	want := s.sizes()
	for i := range s.sec {
		row := data[headerSecs+24*i:]
		at, n := e.Uint64(row), e.Uint64(row[8:])
		if at < headerSize || at > uint64(len(data)) || n > uint64(len(data))-at || want[i] >= 0 && n != uint64(want[i]) {
			return nil, damaged("section %d has %d octets at %d", i, n, at)
		}
		s.sec[i] = data[at : at+n : at+n]
		if crc32.Checksum(s.sec[i], castagnoli) != e.Uint32(row[16:]) {
			return nil, damaged("section %d does not have its checksum", i)
		}
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	s.touch()
	return s, nil
}

func (s *Snapshot) touch() {
	if s.nets4 == 0 {
		return
	}
	s.touched = make([]byte, 1<<16/8)
	for i := range s.nets4 {
		first, n, around := s.net(i)
		if around >= 0 {
			continue // what is around it touches as much
		}
		from := int(first[0] >> 48)
		for d := from; d < min(from+1<<max(16-n, 0), 1<<16); d++ {
			s.touched[d>>3] |= 1 << (d & 7)
		}
	}
}

// check follows every number that leads somewhere.
func (s *Snapshot) check() error {
	for _, d := range []struct {
		section, top int
		wide         bool
	}{{secDirectory4, s.n4, false}, {secDirectory, s.nh, false}, {secBlocks, len(s.sec[secValues]), true}, {secOffsets, len(s.sec[secStrings]), true}} {
		if !rising(s.sec[d.section], d.top, d.wide) {
			return damaged("section %d leads out of place", d.section)
		}
	}
	for b := s.sec[secMetaIDs]; len(b) > 0; b = b[4:] {
		if int(u32(b, 0)) >= s.nMetas {
			return damaged("an entry has no meta")
		}
	}
	for b := s.sec[secMetas]; len(b) > 0; b = b[metaSize:] {
		r := metaRow(b)
		if n := uint32(s.nTexts); r.source() >= n || r.label() >= n || r.accord() >= n {
			return damaged("a meta has no source")
		}
	}
	for i := range s.nets4 + s.nets6 {
		first, top := 0, 32
		if i >= s.nets4 {
			first, top = s.nets4, 128
		}
		_, n, around := s.net(i)
		if n == 0 || n > top || around >= i || around >= 0 && around < first {
			return damaged("network %d leads out of place", i)
		}
	}
	return nil
}

// rising tells whether numbers begin at 0, never fall and end at top.
func rising(b []byte, top int, wide bool) bool {
	last := uint64(0)
	if len(b) == 0 {
		return top == 0
	}
	if wide {
		for i := range len(b) / 8 {
			n := u64(b, i)
			if n < last || i == 0 && n > 0 {
				return false
			}
			last = n
		}
		return last == uint64(top)
	}
	for i := range len(b) / 4 {
		n := uint64(u32(b, i))
		if n < last || i == 0 && n > 0 {
			return false
		}
		last = n
	}
	return last == uint64(top)
}

// text is a string by its number.
func (s *Snapshot) text(i uint32) []byte {
	return s.sec[secStrings][u64(s.sec[secOffsets], int(i)):u64(s.sec[secOffsets], int(i)+1)]
}

func (s *Snapshot) metaID(entry int) int { return int(u32(s.sec[secMetaIDs], entry)) }

func (s *Snapshot) metaRow(id int) metaRow {
	return metaRow(s.sec[secMetas][metaSize*id : metaSize*(id+1)])
}

// meta is a Meta with strings of its own.
func (s *Snapshot) meta(r metaRow) Meta {
	return Meta{Source: string(s.text(r.source())), Label: string(s.text(r.label())), Accord: string(s.text(r.accord())), Seq: r.seq(),
		From: timeOf(r.from()), Until: timeOf(r.until()), Since: timeOf(r.since()), Confidence: r.confidence(), Revoked: r.revoked()}
}

// net is the network with a number: its first address, the length of its prefix, and the number of the nearest one around it, or -1.
func (s *Snapshot) net(i int) (first [2]uint64, length, around int) {
	b := s.sec[secNets][netSize*i : netSize*(i+1)]
	return [2]uint64{u64(b, 0), u64(b, 1)}, int(b[20]), int(int32(u32(b, 4)))
}

// netKey is a network as its Value has it.
func (s *Snapshot) netKey(dst []byte, i int) []byte {
	first, n, _ := s.net(i)
	dst = binary.BigEndian.AppendUint64(dst, first[0])
	if i < s.nets4 {
		return append(dst[:len(dst)-4], byte(n))
	}
	return append(binary.BigEndian.AppendUint64(dst, first[1]), byte(n))
}

// find is the range of hashed values with a hash, to be verified.
func (s *Snapshot) find(h uint64) (from, to int) {
	if s.nh == 0 {
		return 0, 0
	}
	if bit := h >> (uint(64-s.filter) & 63); s.sec[secFilter][bit>>3]>>(bit&7)&1 == 0 {
		return 0, 0
	}
	radix := uint(s.radix) & 63
	d, want := int(h>>(64-radix)), uint32(h<<radix>>(64-suffixBits))
	i, end := int(u32(s.sec[secDirectory], d)), int(u32(s.sec[secDirectory], d+1))
	suffix := s.sec[secSuffix]
	for i < end && u32(suffix, i) < want {
		i++
	}
	to = i
	for to < end && u32(suffix, to) == want {
		to++
	}
	return i, to
}

// value is a hashed value by its rank. A snapshot that was made to mislead may give none.
func (s *Snapshot) value(rank int) (k Kind, alone bool, key []byte) {
	block := rank / blockSize
	b := s.sec[secValues][u64(s.sec[secBlocks], block):u64(s.sec[secBlocks], block+1)]
	for skip := rank % blockSize; ; skip-- {
		if k, alone, key, b = cutValue(b); skip == 0 || k == 0 {
			return k, alone, key
		}
	}
}

// cutValue takes the first value off; kind 0: there is none.
func cutValue(b []byte) (k Kind, alone bool, key, rest []byte) {
	if len(b) < 2 {
		return 0, false, nil, nil
	}
	n, size := binary.Uvarint(b[1:])
	if size <= 0 || n > uint64(len(b)-1-size) {
		return 0, false, nil, nil
	}
	b, head := b[1+size:], b[0]
	if k = Kind(head &^ aloneFlag); int(k) >= kinds {
		k = 0
	}
	return k, head&aloneFlag != 0, b[:n], b[n:]
}

// find4 is the range of entries for an IPv4 address.
func (s *Snapshot) find4(a uint32) (from, to int) {
	if s.n4 == 0 {
		return 0, 0
	}
	d, low := int(a>>16), uint16(a)
	from, to = int(u32(s.sec[secDirectory4], d)), int(u32(s.sec[secDirectory4], d+1))
	b := s.sec[secLow4]
	at := func(i int) uint16 { return binary.LittleEndian.Uint16(b[2*i:]) }
	end := to
	for from < to {
		if mid := int(uint(from+to) >> 1); at(mid) < low {
			from = mid + 1
		} else {
			to = mid
		}
	}
	for to < end && at(to) == low {
		to++
	}
	return from, to
}

// findNet is the number of the smallest network around an address, or -1. The others are around that one.
func (s *Snapshot) findNet(a [2]uint64, four bool) int {
	from, to := 0, s.nets4
	if !four {
		from, to = s.nets4, s.nets4+s.nets6
	} else if d := a[0] >> 48; s.touched == nil || s.touched[d>>3]>>(d&7)&1 == 0 {
		return -1
	}
	first := from
	for from < to { // the last network that begins at the address or before it
		mid := int(uint(from+to) >> 1)
		if f, _, _ := s.net(mid); f[0] < a[0] || f[0] == a[0] && f[1] <= a[1] {
			from = mid + 1
		} else {
			to = mid
		}
	}
	if from == first {
		return -1
	}
	for i := from - 1; i >= 0; {
		f, n, around := s.net(i)
		if covers(f, n, a) {
			return i
		}
		i = around
	}
	return -1
}

// covers tells whether the first n bits are the same.
func covers(f [2]uint64, n int, a [2]uint64) bool {
	if n <= 64 {
		return (f[0]^a[0])>>(64-n) == 0
	}
	return f[0] == a[0] && (f[1]^a[1])>>(128-n) == 0
}

// Each visits every entry until visit says stop: addresses, then hashed values in no order that means anything, then networks.
func (s *Snapshot) Each(visit func(Value, Meta) bool) {
	s.each(func(entry int, k Kind, alone bool, key []byte) bool {
		return visit(Value{Kind: k, key: string(key), alone: alone}, s.meta(s.metaRow(s.metaID(entry))))
	})
}

func (s *Snapshot) each(visit func(entry int, k Kind, alone bool, key []byte) bool) {
	defer s.keep()
	var buf [17]byte
	if s.n4 > 0 {
		for d := range 1 << 16 {
			for i := int(u32(s.sec[secDirectory4], d)); i < int(u32(s.sec[secDirectory4], d+1)); i++ {
				key := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(buf[:0], uint16(d)), binary.LittleEndian.Uint16(s.sec[secLow4][2*i:]))
				if !visit(i, IPv4, false, key) {
					return
				}
			}
		}
	}
	for rank := 0; rank < s.nh; rank += blockSize {
		b := s.sec[secValues][u64(s.sec[secBlocks], rank/blockSize):u64(s.sec[secBlocks], rank/blockSize+1)]
		for i := rank; i < min(rank+blockSize, s.nh); i++ {
			var k Kind
			var alone bool
			var key []byte
			if k, alone, key, b = cutValue(b); k != 0 && !visit(s.n4+i, k, alone, key) {
				return
			}
		}
	}
	for i := range s.nets4 + s.nets6 {
		if !visit(s.n4+s.nh+i, CIDR, false, s.netKey(buf[:0], i)) {
			return
		}
	}
}

// widths are the bits of the directory and of the filter for so many hashed values.
func widths(n int) (radix, filter int) {
	return min(max(bits.Len(uint(n/2))-1, minRadix), maxRadix), min(max(bits.Len(uint(6*n)), minFilter), maxFilter)
}

// words128 is an address as two numbers; an IPv4 address stands in the first 32 bits.
func words128(a netip.Addr) (w [2]uint64) {
	if a.Is4() {
		b := a.As4()
		w[0] = uint64(binary.BigEndian.Uint32(b[:])) << 32
		return w
	}
	b := a.As16()
	return [2]uint64{binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])}
}
