package flow

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// numbers are those of a flow that are written.
type number uint8

const (
	octets number = iota
	packets
	backOctets
	backPackets
	origPort
	respPort
	protocol
	tcpFlags
	tos
	origAS
	respAS
	vlan
	inside
	outside
	icmp
	numbers
)

// elements are the numbers by the ids that RFC 3954, section 8, and IANA's registry of IPFIX elements give them.
var elements = map[uint16]number{1: octets, 85: octets, 2: packets, 86: packets, 7: origPort, 11: respPort, 4: protocol, 6: tcpFlags, 5: tos, 16: origAS, 17: respAS, 58: vlan, 10: inside, 14: outside, 32: icmp, 139: icmp,
	231: octets, 232: backOctets, 298: packets, 299: backPackets}

// texts are the elements that hold texts, and what they are called here.
var texts = map[uint16]string{96: "service", 460: "host", 461: "uri", 459: "method", 468: "user_agent"}

// reverse is the number under which elements stand for the other direction (RFC 5103, section 6.1).
const reverse = 29305

// record is one flow.
type record struct {
	version    uint16
	from       netip.Addr
	sampling   uint64
	told       uint64 // the sampling that the record says
	orig, resp netip.Addr
	natOrig    netip.Addr
	natResp    netip.Addr
	boot, sent time.Time
	start, end time.Time
	first      uint64 // ms since boot; and whether it is there
	last       uint64
	relative   uint8
	duration   time.Duration
	is         [numbers]bool
	n          [numbers]uint64
	texts      [5]struct {
		name string
		b    []byte
	}
}

func (x *record) set(n number, v uint64) { x.is[n], x.n[n] = true, v }

func unsigned(b []byte) (v uint64, ok bool) {
	if len(b) == 0 || len(b) > 8 {
		return 0, false
	}
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v, true
}

// field takes what one element says.
func (x *record) field(w field, b []byte) {
	v, whole := unsigned(b)
	if w.vendor == reverse && whole {
		switch w.id {
		case 1, 85:
			x.set(backOctets, v)
		case 2, 86:
			x.set(backPackets, v)
		}
		return
	}
	if w.vendor != 0 {
		return
	}
	if n, ok := elements[w.id]; ok && whole {
		if !x.is[n] || v > 0 {
			x.set(n, v)
		}
		return
	}
	if name, ok := texts[w.id]; ok {
		for i := range x.texts {
			if x.texts[i].name == "" {
				x.texts[i].name, x.texts[i].b = name, b
				break
			}
		}
		return
	}
	switch w.id {
	case 8, 27:
		address(&x.orig, b)
	case 12, 28:
		address(&x.resp, b)
	case 225, 281:
		address(&x.natOrig, b)
	case 226, 282:
		address(&x.natResp, b)
	case 22:
		x.first, x.relative = v, x.relative|1
	case 21:
		x.last, x.relative = v, x.relative|2
	case 160:
		if whole && v < 1<<45 {
			x.boot = time.UnixMilli(int64(v))
		}
	case 150, 151, 152, 153, 154, 155, 156, 157:
		if at := moment(w.id, b); !at.IsZero() && w.id%2 == 0 {
			x.start = at
		} else if !at.IsZero() {
			x.end = at
		}
	case 158:
		x.start = x.sent.Add(-time.Duration(v&0xffffffff) * time.Microsecond)
	case 159:
		x.end = x.sent.Add(-time.Duration(v&0xffffffff) * time.Microsecond)
	case 161:
		x.duration = time.Duration(v&0xffffffff) * time.Millisecond
	case 162:
		x.duration = time.Duration(v&0xffffffff) * time.Microsecond
	case 34, 50, 305:
		if v > 0 && v < 1<<32 {
			x.told = v
		}
	case 306: // packets that are passed over after those of 305
		if v > 0 && v < 1<<32 {
			x.told = v + max(x.told, 1)
		}
	}
}

func address(to *netip.Addr, b []byte) {
	if a, ok := netip.AddrFromSlice(b); ok && (!to.IsValid() || to.IsUnspecified()) {
		*to = a
	}
}

// moment reads a time: seconds, milliseconds, or the two halves of the time of NTP (RFC 7011, section 6.1).
func moment(id uint16, b []byte) time.Time {
	switch {
	case id < 152 && len(b) == 4:
		return time.Unix(int64(binary.BigEndian.Uint32(b)), 0)
	case id >= 152 && id < 154 && len(b) == 8:
		if v := binary.BigEndian.Uint64(b); v < 1<<45 {
			return time.UnixMilli(int64(v))
		}
	case id >= 154 && len(b) == 8:
		const since1900 = 2_208_988_800
		return time.Unix(int64(binary.BigEndian.Uint32(b))-since1900, int64(uint64(binary.BigEndian.Uint32(b[4:]))*1_000_000_000>>32))
	}
	return time.Time{}
}

var protocols = map[uint64]string{1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 41: "ipv6", 47: "gre", 50: "esp", 51: "ah", 58: "icmp", 132: "sctp"}

// append writes a flow as Zeek writes connections.
func (x *record) append(to []byte, now time.Time) []byte {
	if x.relative&1 != 0 && !x.boot.IsZero() && x.start.IsZero() {
		x.start = x.boot.Add(time.Duration(x.first&0xffffffff) * time.Millisecond)
	}
	if x.relative&2 != 0 && !x.boot.IsZero() && x.end.IsZero() {
		x.end = x.boot.Add(time.Duration(x.last&0xffffffff) * time.Millisecond)
	}
	if x.start.IsZero() {
		if x.start = x.end.Add(-x.duration); x.end.IsZero() {
			if x.start = x.sent; x.sent.IsZero() {
				x.start = now
			}
		}
	}
	to = seconds(append(to, `{"_path":"conn","ts":`...), x.start.UnixMicro())
	addr := func(name string, a netip.Addr) {
		if a.IsValid() {
			to = append(a.Unmap().AppendTo(append(append(append(to, `,"`...), name...), `":"`...)), '"')
		}
	}
	count := func(name string, n number) {
		if x.is[n] {
			to = strconv.AppendUint(append(append(append(to, `,"`...), name...), `":`...), x.n[n], 10)
		}
	}
	addr("id.orig_h", x.orig)
	count("id.orig_p", origPort)
	addr("id.resp_h", x.resp)
	if x.is[icmp] && x.n[protocol] == 1 && !x.is[origPort] { // as Zeek has it: the type, and the code
		to = strconv.AppendUint(append(to, `,"id.orig_p":`...), x.n[icmp]>>8, 10)
		to = strconv.AppendUint(append(to, `,"id.resp_p":`...), x.n[icmp]&0xff, 10)
	} else {
		count("id.resp_p", respPort)
	}
	if x.is[protocol] {
		name, ok := protocols[x.n[protocol]]
		if !ok {
			name = "unknown_transport"
		}
		to = append(append(append(to, `,"proto":"`...), name...), '"')
		count("proto_number", protocol)
	}
	if !x.end.IsZero() && x.duration == 0 {
		x.duration = x.end.Sub(x.start)
	}
	if x.duration > 0 {
		to = seconds(append(to, `,"duration":`...), x.duration.Microseconds())
	}
	count("orig_bytes", octets)
	count("orig_pkts", packets)
	count("resp_bytes", backOctets)
	count("resp_pkts", backPackets)
	count("tcp_flags", tcpFlags)
	count("tos", tos)
	count("vlan", vlan)
	count("orig_as", origAS)
	count("resp_as", respAS)
	count("in_interface", inside)
	count("out_interface", outside)
	addr("nat_orig_h", x.natOrig)
	addr("nat_resp_h", x.natResp)
	for _, t := range x.texts {
		for len(t.b) > 0 && t.b[len(t.b)-1] == 0 {
			t.b = t.b[:len(t.b)-1]
		}
		if len(t.b) > 0 && utf8.Valid(t.b) {
			if quoted, err := jsontext.AppendQuote(nil, t.b); err == nil {
				to = append(append(append(append(to, `,"`...), t.name...), `":`...), quoted...)
			}
		}
	}
	addr("flow.exporter", x.from)
	to = strconv.AppendUint(append(to, `,"flow.version":`...), uint64(x.version), 10)
	if x.sampling > 1 {
		to = strconv.AppendUint(append(to, `,"flow.sampling":`...), x.sampling, 10)
	}
	return append(to, '}')
}

// seconds writes microseconds as seconds.
func seconds(to []byte, us int64) []byte {
	if us < 0 {
		us = 0
	}
	to = append(strconv.AppendInt(to, us/1e6, 10), '.')
	part := us % 1e6
	for d := int64(100_000); d > 0; d /= 10 {
		to = append(to, byte('0'+part/d%10))
	}
	return to
}
