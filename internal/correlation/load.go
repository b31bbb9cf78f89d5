package correlation

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"math"

	"entente/internal/fault"
	"entente/sigma"
)

// decoder reads what an encoder wrote. After the first thing that cannot be, everything is 0.
type decoder struct {
	r   *bufio.Reader
	sum hash.Hash
	err error
	one [1]byte
}

func damaged(why string) error {
	return fault.New(fault.Invalid, "correlation.state", "the saved state of correlations is damaged: %s", why).Try("begin without it: what is in windows now is forgotten")
}

func (d *decoder) fail(why string) {
	if d.err == nil {
		d.err = damaged(why)
	}
}

// ReadByte reads one byte.
func (d *decoder) ReadByte() (byte, error) {
	if d.err != nil {
		return 0, d.err
	}
	c, err := d.r.ReadByte()
	if d.one[0] = c; err == nil {
		d.sum.Write(d.one[:])
	}
	return c, err
}

func (d *decoder) uint() uint64 {
	n, err := binary.ReadUvarint(d)
	return d.read(n, err)
}

func (d *decoder) int() int64 {
	n, err := binary.ReadVarint(d)
	return int64(d.read(uint64(n), err))
}

func (d *decoder) read(n uint64, err error) uint64 {
	switch {
	case err == nil:
		return n
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		d.fail("it ends too early")
	case d.err == nil:
		d.err = fault.New(fault.Internal, "correlation.state", "the saved state of correlations cannot be read").Because(err)
	}
	return 0
}

// count is how many of something follow.
func (d *decoder) count() uint64 {
	n := d.uint()
	if n > 1<<28 {
		d.fail("it says that there is more of something than can be")
		return 0
	}
	return n
}

// longestText is the longest text in a state: no line of events is longer.
const longestText = 1 << 24

func (d *decoder) text() string { return string(d.bytes(d.uint())) }

func (d *decoder) bytes(n uint64) []byte {
	if n > longestText {
		d.fail("a text is longer than any can be")
	}
	if d.err != nil {
		return nil
	}
	var b bytes.Buffer // grows with what there is, whatever n says
	if _, err := io.CopyN(&b, d.r, int64(n)); err != nil {
		d.read(0, err)
		return nil
	}
	d.sum.Write(b.Bytes())
	return b.Bytes()
}

func (d *decoder) key() (k key) {
	if b := d.bytes(16); len(b) == 16 {
		k = key{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
	}
	return k
}

// Load takes the state that another engine saved into one that has not begun. What was saved of correlations that are not there now, or that are others by now, is left out.
// The bounds are those of this engine. The error is of package fault; the engine is as it was before then.
func (e *Engine) Load(from io.Reader) error {
	d := &decoder{r: bufio.NewReaderSize(from, 64<<10), sum: sha256.New()}
	if string(d.bytes(uint64(len(magic)))) != magic {
		d.fail("it begins as none does")
	}
	fresh := *e
	fresh.load(d)
	sum := d.sum.Sum(nil)
	if !bytes.Equal(d.bytes(sha256.Size), sum) {
		d.fail("its checksum is wrong")
	}
	if _, err := d.r.ReadByte(); err == nil {
		d.fail("something stands behind it")
	}
	if d.err != nil {
		return d.err
	}
	*e = fresh
	e.settle(e.mark)
	return nil
}

func (e *Engine) load(d *decoder) {
	e.secret = d.key()
	e.shards = e.newShards()
	e.furthest, e.mark = d.int(), d.int()
	e.sources = map[string]int64{}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		if len(e.sources) > sourcesMost {
			d.fail("it has too many sources")
		}
		name := d.text()
		e.sources[name] = d.int()
	}
	for _, n := range e.stats.counters() {
		*n = d.uint()
	}
	e.loadWaiting(d)
	known := map[[sha256.Size]byte]*live{}
	for _, c := range e.live {
		known[c.print] = c
	}
	var saved []stored
	for n := d.count(); n > 0 && d.err == nil; n-- {
		var s stored
		var print [sha256.Size]byte
		copy(print[:], d.bytes(uint64(len(print))))
		s.live, s.layout, s.slots = known[print], d.uint(), d.uint()
		if s.layout > layoutSlots || s.live != nil && (s.layout != s.live.layout() || s.slots != uint64(s.live.slots)) {
			d.fail("a correlation is not kept as it must be")
		}
		saved = append(saved, s)
	}
	e.used = 0
	for n := d.count(); n > 0 && d.err == nil; n-- {
		e.loadGroup(d, saved)
	}
}

// stored is how a correlation was kept.
type stored struct {
	live          *live // nil: it is not there any more
	layout, slots uint64
}

func (e *Engine) loadWaiting(d *decoder) {
	e.wait, e.seq, e.subjects = waiting{}, 0, map[subjectName]*subject{}
	type was struct {
		now    *subject
		fields []string
	}
	var subjects []was
	for n := d.count(); n > 0 && d.err == nil; n-- {
		id, name := d.text(), d.text()
		w := was{now: e.subject(&sigma.Meta{ID: id, Name: name})}
		for n := d.count(); n > 0 && d.err == nil; n-- {
			w.fields = append(w.fields, d.text())
		}
		subjects = append(subjects, w)
	}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		of := d.uint()
		if of >= uint64(len(subjects)) {
			d.fail("a hit is of no rule")
			return
		}
		w := subjects[of]
		r := &record{from: w.now, time: d.int(), index: d.uint()}
		if r.index >= unit || r.time == never {
			d.fail("a hit is of no event")
		}
		values := map[string][]byte{}
		for _, f := range w.fields {
			n := d.count()
			v := binary.AppendUvarint(nil, n)
			for ; n > 0 && d.err == nil; n-- {
				text := d.bytes(d.uint())
				v = append(binary.AppendUvarint(v, uint64(len(text))), text...)
			}
			values[f] = v
		}
		if w.now == nil || d.err != nil {
			continue
		}
		for _, f := range w.now.fields {
			if v, ok := values[f]; ok {
				r.values = append(r.values, v...)
			} else {
				r.values = append(r.values, 0)
			}
		}
		e.seq++
		r.seq = e.seq
		e.wait.add(r)
	}
}

func (e *Engine) loadGroup(d *decoder, saved []stored) {
	of, k := d.uint(), d.key()
	if of >= uint64(len(saved)) {
		d.fail("a group is of no correlation")
		return
	}
	was := saved[of]
	c := was.live
	s, g := (*shard)(nil), &group{} // of a correlation that is not there nothing is kept
	if c != nil {
		s = e.shardOf(k)
		if id, _ := s.groups.find(k); id != 0 {
			d.fail("a group stands twice")
			return
		}
		g, _ = s.group(c, k)
	}
	e.used++
	flags := d.uint()
	g.used, g.held, g.plain = e.used, flags&1 != 0, flags&2 != 0
	g.last, g.index, g.mask = d.int(), d.uint(), d.uint()
	oldest := int64(never)
	before := func() int64 { // moments of a list do not fall
		t := g.last - int64(d.uint())
		if t > g.last || t < oldest || t == never {
			d.fail("a window is not in order")
			t = g.last
		}
		oldest = t
		return t
	}
	for n := d.count(); n > 0 && d.err == nil; n-- {
		t, index := before(), d.uint()
		if c != nil {
			index = index>>1 | index<<63
			if s.push(&g.trail, t, index); c.counts && index&unit != 0 {
				g.n++
			}
			if flags&4 != 0 && g.trail.n == 1 {
				s.second(&g.trail)
			}
		}
	}
	oldest = never
	switch was.layout {
	case layoutSlots:
		if c != nil && g.mask>>len(c.Rules) != 0 {
			d.fail("a group has more rules than there are")
		}
		for i := uint64(0); i < was.slots && d.err == nil; i++ {
			n := d.uint()
			if n > math.MaxInt64 || n > 0 && g.last-int64(n-1) > g.last {
				d.fail("a moment is none")
			} else if c != nil && n > 0 {
				s.slots[c.at].row(g.a)[i] = g.last - int64(n-1)
			}
		}
	case layoutValues:
		for n := d.count(); n > 0 && d.err == nil; n-- {
			k, t := d.key(), before()
			if c != nil && !s.keepValue(g, k, t) {
				d.fail("a value stands twice")
			}
		}
	case layoutNumbers:
		for n := d.count(); n > 0 && d.err == nil; n-- {
			t, power, whole := before(), d.int(), d.text()
			if power < -1000 || power > 1000 || !isWhole(whole) {
				d.fail("a number is none")
			} else if c != nil {
				v := s.number(whole, int(power))
				v.time = t
				s.keepNumber(c, g, v)
			}
		}
	}
}

// isWhole says whether a text is a whole number of no more digits than are counted.
func isWhole(text string) bool {
	digits := bytes.TrimPrefix([]byte(text), []byte("-"))
	return len(digits) > 0 && len(digits) <= 400 && len(bytes.Trim(digits, "0123456789")) == 0
}
