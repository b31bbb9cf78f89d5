// Package flow reads what routers say of the connections that they saw: NetFlow of versions 5 and 9 (RFC 3954) and IPFIX (RFC 7011), in datagrams, and the text files of
// Argus. Each flow becomes one line of JSON with the names of Zeek's log of connections.
package flow

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Bounds.
const (
	maxDomains   = 4096          // exporters with their domains that are known at once
	maxTemplates = 1024          // of a domain
	maxFields    = 512           // of a template
	templateLife = 3 * time.Hour // after it was last told
	domainLife   = 24 * time.Hour
	maxGap       = 1 << 20 // numbers that may be missing at once; more is an exporter that began anew
)

// Counts are what a collector read and could not read.
type Counts struct {
	Packets uint64
	Flows   uint64
	Missing uint64 // flows (NetFlow 5 and IPFIX) and packets (NetFlow 9) that were sent, by the exporters' numbers, and did not come
	Unread  uint64 // packets and parts of them that are not in the form they should have
	Early   uint64 // parts whose template is not known, or not yet
	Evicted uint64 // exporters, domains and templates that found no room
}

// Collector reads packets of any number of exporters. It belongs to one goroutine.
type Collector struct {
	Counts  Counts
	domains map[domainKey]*domain
	buf     []byte
}

type domainKey struct {
	from    netip.Addr
	version uint16
	id      uint32
}

// domain is what is known of one exporter's numbers and templates.
type domain struct {
	templates map[uint16]*template
	next      uint32 // the number that is expected
	known     bool   // it is
	sampling  uint64 // one packet in so many was looked at; 0: it did not say
	last      time.Time
}

type template struct {
	fields  []field
	options bool
	least   int // bytes of a record
	told    time.Time
}

type field struct {
	id     uint16
	vendor uint32
	size   int // 65535: the record says
}

// Read reads one packet and calls f with the line of each flow in it, without an end of line, valid until f returns.
func (c *Collector) Read(b []byte, from netip.Addr, now time.Time, f func(line []byte)) {
	c.Counts.Packets++
	if len(b) < 2 {
		c.Counts.Unread++
		return
	}
	switch binary.BigEndian.Uint16(b) {
	case 5:
		c.v5(b, from, now, f)
	case 9:
		c.v9(b, from, now, f)
	case 10:
		c.ipfix(b, from, now, f)
	default:
		c.Counts.Unread++
	}
}

// domain finds or makes one.
func (c *Collector) domain(from netip.Addr, version uint16, id uint32, now time.Time) *domain {
	if c.domains == nil {
		c.domains = map[domainKey]*domain{}
	}
	key := domainKey{from, version, id}
	d := c.domains[key]
	if d == nil {
		if len(c.domains) >= maxDomains {
			var oldest domainKey
			var at time.Time
			for k, d := range c.domains {
				if now.Sub(d.last) > domainLife {
					delete(c.domains, k)
				} else if at.IsZero() || d.last.Before(at) {
					oldest, at = k, d.last
				}
			}
			if len(c.domains) >= maxDomains {
				delete(c.domains, oldest)
				c.Counts.Evicted++
			}
		}
		d = &domain{templates: map[uint16]*template{}}
		c.domains[key] = d
	}
	d.last = now
	return d
}

// number checks the number of a packet, and says which the next must have.
func (c *Collector) number(d *domain, is, next uint32) {
	if gap := is - d.next; d.known && gap > 0 && gap < maxGap {
		c.Counts.Missing += uint64(gap)
	} else if back := d.next - is; d.known && back > 0 && back < maxGap { // an older one that comes late was counted as missing
		if n := uint64(next - is); n <= c.Counts.Missing && back < 1<<12 {
			c.Counts.Missing -= n
			return
		}
	}
	d.next, d.known = next, true
}

// v5 reads a packet of NetFlow 5: a header of 24 bytes and records of 48.
func (c *Collector) v5(b []byte, from netip.Addr, now time.Time, f func([]byte)) {
	be := binary.BigEndian
	if len(b) < 24 {
		c.Counts.Unread++
		return
	}
	count := int(be.Uint16(b[2:]))
	if count == 0 || count > 30 || len(b) < 24+48*count {
		c.Counts.Unread++
		return
	}
	d := c.domain(from, 5, uint32(be.Uint16(b[20:])), now)
	c.number(d, be.Uint32(b[16:]), be.Uint32(b[16:])+uint32(count))
	boot := time.Unix(int64(be.Uint32(b[8:])), int64(be.Uint32(b[12:])%1e9)).Add(-time.Duration(be.Uint32(b[4:])) * time.Millisecond)
	for i := range count {
		r := b[24+48*i:]
		x := record{version: 5, from: from, sampling: uint64(be.Uint16(b[22:]) & 0x3fff)}
		x.orig, x.resp = netip.AddrFrom4([4]byte(r)), netip.AddrFrom4([4]byte(r[4:]))
		x.set(packets, uint64(be.Uint32(r[16:])))
		x.set(octets, uint64(be.Uint32(r[20:])))
		x.start, x.end = boot.Add(time.Duration(be.Uint32(r[24:]))*time.Millisecond), boot.Add(time.Duration(be.Uint32(r[28:]))*time.Millisecond)
		x.set(origPort, uint64(be.Uint16(r[32:])))
		x.set(respPort, uint64(be.Uint16(r[34:])))
		x.set(tcpFlags, uint64(r[37]))
		x.set(protocol, uint64(r[38]))
		x.set(tos, uint64(r[39]))
		x.set(origAS, uint64(be.Uint16(r[40:])))
		x.set(respAS, uint64(be.Uint16(r[42:])))
		c.give(&x, now, f)
	}
}

// v9 reads a packet of NetFlow 9 (RFC 3954, section 5).
func (c *Collector) v9(b []byte, from netip.Addr, now time.Time, f func([]byte)) {
	be := binary.BigEndian
	if len(b) < 20 {
		c.Counts.Unread++
		return
	}
	d := c.domain(from, 9, be.Uint32(b[16:]), now)
	c.number(d, be.Uint32(b[12:]), be.Uint32(b[12:])+1)
	sent := time.Unix(int64(be.Uint32(b[8:])), 0)
	c.sets(d, b[20:], packet{version: 9, from: from, boot: sent.Add(-time.Duration(be.Uint32(b[4:])) * time.Millisecond), sent: sent, now: now}, f)
}

// ipfix reads a message of IPFIX (RFC 7011, section 3).
func (c *Collector) ipfix(b []byte, from netip.Addr, now time.Time, f func([]byte)) {
	be := binary.BigEndian
	if len(b) < 16 || int(be.Uint16(b[2:])) < 16 || int(be.Uint16(b[2:])) > len(b) {
		c.Counts.Unread++
		return
	}
	b = b[:be.Uint16(b[2:])]
	d := c.domain(from, 10, be.Uint32(b[12:]), now)
	is := be.Uint32(b[8:])
	records, all := c.sets(d, b[16:], packet{version: 10, from: from, sent: time.Unix(int64(be.Uint32(b[4:])), 0), now: now}, f)
	c.number(d, is, is+uint32(records))
	d.known = all // else nobody knows how many records it had
}

// packet is what holds for all of one.
type packet struct {
	version uint16
	from    netip.Addr
	boot    time.Time
	sent    time.Time
	now     time.Time
}

// sets reads the parts of a packet. Records is how many of data there were; all, whether they could all be read.
func (c *Collector) sets(d *domain, b []byte, p packet, f func([]byte)) (records int, all bool) {
	all = true
	for len(b) >= 4 {
		id, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if size < 4 || size > len(b) {
			c.Counts.Unread++
			return records, false
		}
		body := b[4:size]
		b = b[size:]
		ok := true
		switch {
		case p.version == 9 && id == 0, p.version == 10 && id == 2:
			ok = c.templates(d, body, p, false)
		case p.version == 9 && id == 1, p.version == 10 && id == 3:
			ok = c.templates(d, body, p, true)
		case id >= 256:
			t := d.templates[id]
			if t == nil || p.now.Sub(t.told) > templateLife {
				c.Counts.Early++
				all = false
				continue
			}
			var n int
			n, ok = c.data(d, t, body, p, f)
			records += n
		}
		if !ok {
			c.Counts.Unread++
			all = false
		}
	}
	return records, all
}

// templates reads what records look like (RFC 3954, sections 5.2 and 6.1; RFC 7011, section 3.4).
func (c *Collector) templates(d *domain, b []byte, p packet, options bool) bool {
	be := binary.BigEndian
	for len(b) >= 4 {
		id, count := be.Uint16(b), int(be.Uint16(b[2:]))
		b = b[4:]
		if id < 256 {
			return id == 0 && count == 0 // zeros fill the set up
		}
		if options && p.version == 9 {
			if len(b) < 2 {
				return false
			}
			count = (count + int(be.Uint16(b))) / 4
			b = b[2:]
		} else if options && count > 0 {
			if len(b) < 2 {
				return false
			}
			b = b[2:]
		}
		if count == 0 { // it is withdrawn
			delete(d.templates, id)
			continue
		}
		if count > maxFields || len(b) < 4*count {
			return false
		}
		t := &template{options: options, told: p.now}
		for range count {
			if len(b) < 4 {
				return false
			}
			x := field{id: be.Uint16(b), size: int(be.Uint16(b[2:]))}
			b = b[4:]
			if x.id&0x8000 != 0 && p.version == 10 {
				if len(b) < 4 {
					return false
				}
				x.id &^= 0x8000
				x.vendor = be.Uint32(b)
				b = b[4:]
			}
			if x.size == 65535 && p.version == 10 {
				t.least++
			} else {
				t.least += x.size
			}
			t.fields = append(t.fields, x)
		}
		if t.least == 0 {
			return false
		}
		if d.templates[id] == nil && len(d.templates) >= maxTemplates {
			for k, old := range d.templates {
				if p.now.Sub(old.told) > templateLife {
					delete(d.templates, k)
				}
			}
			if len(d.templates) >= maxTemplates {
				c.Counts.Evicted++
				continue
			}
		}
		d.templates[id] = t
	}
	return true
}

// data reads records.
func (c *Collector) data(d *domain, t *template, b []byte, p packet, f func([]byte)) (n int, ok bool) {
	for len(b) >= t.least {
		x := record{version: p.version, from: p.from, sampling: d.sampling, boot: p.boot, sent: p.sent}
		for _, w := range t.fields {
			size := w.size
			if size == 65535 && p.version == 10 {
				if len(b) < 1 {
					return n, false
				}
				size, b = int(b[0]), b[1:]
				if size == 255 {
					if len(b) < 2 {
						return n, false
					}
					size, b = int(binary.BigEndian.Uint16(b)), b[2:]
				}
			}
			if size > len(b) {
				return n, false
			}
			x.field(w, b[:size])
			b = b[size:]
		}
		n++
		if t.options {
			if x.told > 0 {
				d.sampling = x.told
			}
			continue
		}
		if x.told > 0 {
			x.sampling = x.told
		}
		c.give(&x, p.now, f)
	}
	return n, true
}

// give writes a flow.
func (c *Collector) give(x *record, now time.Time, f func([]byte)) {
	c.Counts.Flows++
	c.buf = x.append(c.buf[:0], now)
	f(c.buf)
}
