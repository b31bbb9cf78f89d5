package indicator

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Table is an index that changes while it is looked up in. Lookups are free of locks and see one state of it each.
type Table struct {
	view atomic.Pointer[view]

	mu     sync.Mutex // of those who change it
	frozen int        // how many layers a Merge is reading; they stay as they are
}

// view is one state of a table.
type view struct {
	layers  []layer // the base first, then the changes in their order
	hash    hasher
	decay   decay
	version uint64
}

// layer is a base or what a change brought, and what it took out of the layers before it.
type layer struct {
	*Snapshot
	drops map[string]struct{} // see dropSource and dropValue
}

// NewTable is a table over a base. A nil base is an empty one under a key of its own.
func NewTable(base *Snapshot, d Decay) (*Table, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	if base == nil {
		base = NewBuilder(NewKey()).Snapshot(0)
	}
	t := &Table{}
	t.view.Store(&view{layers: []layer{{Snapshot: base}}, hash: base.hash, decay: d.compile()})
	return t, nil
}

// Base is the immutable part below all changes.
func (t *Table) Base() *Snapshot { return t.view.Load().layers[0].Snapshot }

// Version is another after every change of the table. While it is the same, a value that [Table.Trace] tells nothing of is one that it tells nothing of at any moment.
func (t *Table) Version() uint64 { return t.view.Load().version }

// Len is the number of entries, those that changes took out of the base and a merge has not yet removed included.
func (t *Table) Len() (n int) {
	for _, l := range t.view.Load().layers {
		n += l.Len()
	}
	return n
}

// Hit is an indicator that a value meets.
type Hit struct {
	Value      Value // of the indicator: of a network or a parent domain it is that, not what was looked up
	Meta       Meta
	State      State // Live, unless it comes from Trace
	Confidence int   // of today: what was stated, decayed
}

// Lookup tells of every live indicator that a value meets at a moment. Addresses are looked up as IPv4 or IPv6, whichever they are, and meet
// networks too. A domain name meets its parents, a file path its file's name, a URL those without a scheme or without a host. A URL without
// a scheme is looked for with those of the web. A value that is none of its kind meets nothing. Where nothing hits, nothing is allocated.
func (t *Table) Lookup(k Kind, value []byte, now time.Time, hit func(Hit)) {
	l := lookup{view: t.view.Load(), now: now.UnixMicro(), hit: hit}
	l.look(k, value)
}

// Trace tells of every indicator that a value meets, and of those that do not count at that moment why.
func (t *Table) Trace(k Kind, value []byte, now time.Time, hit func(Hit)) {
	l := lookup{view: t.view.Load(), now: now.UnixMicro(), hit: hit, all: true}
	l.look(k, value)
}

// Keys are told the keys that lookups look for. One belongs to one goroutine.
type Keys struct {
	Tell func(k Kind, key []byte, beneath bool)
	buf  []byte
}

func (k *Keys) tell(kind Kind, key []byte, beneath bool) {
	k.buf = append(k.buf[:0], key...) // the lookup's own stays where it is
	k.Tell(kind, k.buf, beneath)
}

// Walk is Trace that also tells every key that it looks for, whether the table has it or not: who remembers keys can say later whether an indicator that comes then would have
// met the value, by [Value.Key]. Beneath marks the parents of a name, which an indicator that is Alone does not meet. A key is valid until its call returns. Nil: nobody asks.
func (t *Table) Walk(k Kind, value []byte, now time.Time, hit func(Hit), keys *Keys) {
	l := lookup{view: t.view.Load(), now: now.UnixMicro(), hit: hit, all: true, keys: keys}
	l.look(k, value)
}

// Has tells whether a source has a value in the table, whatever the moment.
func (t *Table) Has(source string, v Value) (has bool) {
	l := lookup{view: t.view.Load(), all: true, hit: func(h Hit) { has = has || h.Meta.Source == source && h.Value.plain() == v.plain() }}
	switch key := []byte(v.key); v.Kind {
	case IPv4, IPv6:
		l.address([]byte(v.Text()))
	case CIDR: // its first address meets it, and the networks around it
		if p, err := netip.ParsePrefix(v.Text()); err == nil {
			l.address([]byte(p.Addr().String()))
		}
	case Domain:
		h := l.view.hash.sumName(key)
		for i := range l.view.layers {
			l.verify(i, h, Domain, key, false)
		}
	default:
		l.exact(v.Kind, key)
	}
	return has
}

// Each visits the live entries of a moment, each once, until visit says stop.
func (t *Table) Each(now time.Time, visit func(Hit) bool) {
	v := t.view.Load()
	stopped := false
	l := lookup{view: v, now: now.UnixMicro(), hit: func(h Hit) { stopped = !visit(h) }}
	for i, layer := range v.layers {
		if stopped {
			return
		}
		layer.each(func(entry int, k Kind, alone bool, key []byte) bool {
			l.judge(i, entry, k, alone, key)
			return !stopped
		})
	}
}

// lookup is one lookup in one view.
type lookup struct {
	view *view
	now  int64
	hit  func(Hit)
	all  bool
	keys *Keys // nil: nobody asks
}

func (l *lookup) look(k Kind, value []byte) {
	switch k {
	case IPv4, IPv6, CIDR:
		l.address(value)
	case Domain:
		l.domain(value)
	default:
		l.text(k, value)
	}
}

func (l *lookup) text(k Kind, value []byte) {
	var buf [512]byte
	switch k {
	case URL:
		if key, ok := appendKey(buf[:0], URL, value); ok {
			l.url(key)
		}
	case FileName, FilePath:
		l.path(value, buf[:0])
	default:
		if key, ok := appendKey(buf[:0], k, value); ok {
			l.exact(k, key)
		}
	}
}

func (l *lookup) address(value []byte) {
	var a [16]byte
	four, ok := parseAddr(&a, trim(value))
	if !ok {
		return
	}
	key, kind, address := a[:], IPv6, binary.BigEndian.Uint32(a[:4])
	w := [2]uint64{binary.BigEndian.Uint64(a[:]), binary.BigEndian.Uint64(a[8:])}
	if four {
		key, kind, w = a[:4], IPv4, [2]uint64{uint64(address) << 32}
	}
	if l.keys != nil {
		l.keys.tell(kind, key, false)
	}
	for i := range l.view.layers {
		s := l.view.layers[i].Snapshot
		if four && s.n4 > 0 {
			for from, to := s.find4(address); from < to; from++ {
				l.judge(i, from, kind, false, key)
			}
		} else {
			l.verify(i, l.view.hash.sum(kind, key), kind, key, false)
		}
		for n := s.findNet(w, four); n >= 0; _, _, n = s.net(n) {
			var buf [17]byte
			l.judge(i, s.n4+s.nh+n, CIDR, false, s.netKey(buf[:0], n))
		}
		s.keep()
	}
}

func (l *lookup) exact(k Kind, key []byte) {
	if l.keys != nil {
		l.keys.tell(k, key, false)
	}
	h := l.view.hash.sum(k, key)
	for i := range l.view.layers {
		l.verify(i, h, k, key, false)
	}
}

// verify judges the entries of a layer that have a hash and are the value.
func (l *lookup) verify(i int, h uint64, k Kind, key []byte, beneath bool) {
	s := l.view.layers[i].Snapshot
	for from, to := s.find(h); from < to; from++ {
		kind, alone, have := s.value(from)
		if kind == k && (string(have) == string(key) || k == Domain && equalFold(have, key)) && !(alone && beneath) {
			l.judge(i, s.n4+from, k, alone, have)
		}
	}
	s.keep()
}

// equalFold tells whether two names differ by the case of ASCII at most.
func equalFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if low(a[i]) != low(b[i]) {
			return false
		}
	}
	return true
}

// domain looks up a name and its parents. What stands before the labels of an indicator may be anything: the DNS carries any octet.
func (l *lookup) domain(name []byte) {
	name = trim(name)
	if n := len(name); n > 0 && name[n-1] == '.' {
		name = name[:n-1]
	}
	for _, c := range name {
		if c >= 0x80 {
			if ascii, ok := appendDomain(nil, name, false); ok {
				name = ascii
			}
			break
		}
	}
	const longest = 256 // octets: no name in the index is longer
	cut := max(0, len(name)-longest)
	if l.keys != nil {
		l.names(name[cut:], cut > 0)
	}
	w := l.view.hash.walk(name[cut:])
	for len(name) > 0 {
		h, ok := w.next()
		if !ok {
			return
		}
		for i := range l.view.layers {
			l.verify(i, h, Domain, name[cut+w.at:], cut+w.at > 0)
		}
	}
}

// names tells a name and its parents as keys.
func (l *lookup) names(name []byte, beneath bool) {
	key := l.keys.buf[:0]
	for _, c := range name {
		key = append(key, lowered[c])
	}
	l.keys.buf = key
	for {
		l.keys.Tell(Domain, key, beneath)
		i := indexByte(key, '.')
		if i < 0 {
			return
		}
		key, beneath = key[i+1:], true
	}
}

func (l *lookup) url(key []byte) {
	slash := 0 // where "//" begins
	for key[slash] != '/' {
		slash++
	}
	host := slash
	if slash > 0 || len(key) > 1 && key[1] == '/' {
		l.exact(URL, key[slash:])
		host += 2
		for key[host] != '/' {
			host++
		}
	}
	if slash > 0 {
		l.exact(URL, key)
	} else if host > 0 {
		var buf [520]byte
		l.exact(URL, append(append(buf[:0], "http:"...), key...))
		l.exact(URL, append(append(buf[:0], "https:"...), key...))
	}
	resource := key[host:]
	if len(resource) < 2 || resource[1] == '/' {
		return
	}
	l.exact(URL, resource)
	if q := indexByte(resource, '?'); q > 1 {
		l.exact(URL, resource[:q])
	}
}

func (l *lookup) path(value, buf []byte) {
	key, ok := appendKey(buf, FilePath, value)
	if !ok {
		return
	}
	name := key
	for i := len(key) - 1; i >= 0; i-- {
		if key[i] == '/' {
			name = key[i+1:]
			l.exact(FilePath, key)
			break
		}
	}
	if len(name) > 0 {
		l.exact(FileName, name)
	}
}

// judge hands out an entry that was met, if it counts and no later change took it out.
func (l *lookup) judge(i, entry int, k Kind, alone bool, key []byte) {
	s := l.view.layers[i].Snapshot
	r := s.metaRow(s.metaID(entry))
	state, confidence := l.view.decay.judge(k, r, l.now)
	if state != Live && !l.all {
		return
	}
	if later := l.view.layers[i+1:]; len(later) > 0 && dropped(later, s.text(r.source()), k, key) {
		return
	}
	l.hit(Hit{Value: Value{Kind: k, key: string(key), alone: alone}, Meta: s.meta(r), State: state, Confidence: confidence})
}
