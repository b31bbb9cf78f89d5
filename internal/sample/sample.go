// Package sample makes threat intelligence that means nothing and has a real shape: for benchmarks and fault tests, as many objects as are
// wanted, the same at every run. Addresses and names come from what RFC 2606, RFC 3849 and RFC 5737 reserve, and from a private network.
package sample

import (
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"time"

	"entente/label"
	"entente/stix"
)

// Object is one generated STIX object.
type Object struct {
	ID   string
	Type string
	TLP  label.TLP
	Raw  []byte
}

// Source makes objects. It is not safe for concurrent use; sources of different seeds make different objects.
type Source struct {
	rnd      *rand.Rand
	zipf     *rand.Zipf
	head     []Object
	recent   []Object // indicators that relationships may name
	made     int
	at       time.Time
	identity string
	malware  []string
}

// Mark stands exactly once in every object, so that objects can be counted in an answer without decoding it.
const Mark = `"spec_version":"2.1"`

// malwareCount is how many malware objects the relationships of a source name.
const malwareCount = 50

// New makes a source.
func New(seed uint64) *Source {
	s := &Source{rnd: rand.New(rand.NewPCG(seed, 0x656e74656e7465)), at: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)}
	s.zipf = rand.NewZipf(s.rnd, 1.3, 4, uint64(len(words)-1))
	s.identity = "identity--" + s.uuid()
	b := s.open("identity", s.identity)
	b = append(b, `,"name":"Example CERT `...)
	b = strconv.AppendUint(b, seed, 10)
	b = append(b, `","identity_class":"organization","sectors":["government"],"object_marking_refs":["`...)
	b = append(b, label.TLPMarkingID(label.Clear, false)...)
	s.head = append(s.head, Object{s.identity, "identity", label.Clear, append(b, `"]}`...)})
	for range malwareCount {
		id := "malware--" + s.uuid()
		b := s.open("malware", id)
		b = append(b, `,"created_by_ref":"`...)
		b = append(b, s.identity...)
		b = append(b, `","name":"`...)
		b = s.phrase(b, 2)
		b = append(b, `","is_family":true,"malware_types":["trojan"],"description":"`...)
		b = append(s.phrase(b, 40), '"')
		s.malware = append(s.malware, id)
		s.head = append(s.head, Object{id, "malware", label.Green, closeMarked(b, label.Green)})
	}
	return s
}

// Head is what the other objects refer to: an author and malware families. It has to be stored first.
func (s *Source) Head() []Object { return s.head }

// Mixed is the next object of a usual feed: eight indicators in ten, the others relationships and observables.
func (s *Source) Mixed() Object {
	s.made++
	switch {
	case s.made%10 == 3 && len(s.recent) > 0:
		return s.Relationship()
	case s.made%10 == 7:
		return s.File()
	}
	return s.Indicator(label.Green)
}

// Indicator is a new indicator of about 1.5 kB.
func (s *Source) Indicator(tlp label.TLP) Object {
	s.at = s.at.Add(time.Duration(1+s.rnd.IntN(5000)) * time.Millisecond)
	id := "indicator--" + s.uuid()
	b := s.open("indicator", id)
	b = append(b, `,"created_by_ref":"`...)
	b = append(b, s.identity...)
	b = append(b, `","name":"`...)
	b = s.phrase(b, 3+s.rnd.IntN(5))
	b = append(b, `","description":"`...)
	b = s.phrase(b, 50+s.rnd.IntN(50))
	b = append(b, `","indicator_types":["malicious-activity"],"pattern":"`...)
	b = s.pattern(b)
	b = append(b, `","pattern_type":"stix","pattern_version":"2.1","valid_from":"`...)
	b = s.at.AppendFormat(b, timeForm)
	b = append(b, `","valid_until":"`...)
	b = s.at.AddDate(0, 6, 0).AppendFormat(b, timeForm)
	b = append(b, `","kill_chain_phases":[{"kill_chain_name":"mitre-attack","phase_name":"`...)
	b = append(b, phases[s.rnd.IntN(len(phases))]...)
	b = append(b, `"},{"kill_chain_name":"lockheed-martin-cyber-kill-chain","phase_name":"delivery"}],"confidence":`...)
	b = strconv.AppendInt(b, int64(20+s.rnd.IntN(80)), 10)
	b = append(b, `,"lang":"en","labels":["`...)
	b = append(b, s.word()...)
	b = append(b, `","feed-`...)
	b = strconv.AppendInt(b, int64(s.rnd.IntN(40)), 10)
	b = append(b, `"],"external_references":[{"source_name":"Example advisories","external_id":"EX-`...)
	b = strconv.AppendInt(b, int64(s.rnd.IntN(1_000_000)), 10)
	b = append(b, `","description":"`...)
	b = s.phrase(b, 8)
	b = append(b, `","url":"https://advisories.example/`...)
	b = s.hex(b, 8)
	b = append(b, `"},{"source_name":"cve","external_id":"CVE-2024-`...)
	b = strconv.AppendInt(b, int64(10_000+s.rnd.IntN(40_000)), 10)
	b = append(b, `"}]`...)
	o := Object{id, "indicator", tlp, closeMarked(b, tlp)}
	if len(s.recent) < 100 {
		s.recent = append(s.recent, o)
	} else {
		s.recent[s.rnd.IntN(len(s.recent))] = o
	}
	return o
}

// Relationship says that a recent indicator of the source indicates one of its malware families.
func (s *Source) Relationship() Object {
	return s.relate(s.recent[s.rnd.IntN(len(s.recent))], s.malware[s.rnd.IntN(len(s.malware))])
}

// Indicates says that an indicator indicates the first of the source's malware families.
func (s *Source) Indicates(from Object) Object { return s.relate(from, s.malware[0]) }

func (s *Source) relate(from Object, malware string) Object {
	id := "relationship--" + s.uuid()
	b := s.open("relationship", id)
	b = append(b, `,"created_by_ref":"`...)
	b = append(b, s.identity...)
	b = append(b, `","relationship_type":"indicates","source_ref":"`...)
	b = append(b, from.ID...)
	b = append(b, `","target_ref":"`...)
	b = append(b, malware...)
	b = append(b, `","description":"`...)
	b = s.phrase(b, 12)
	b = append(b, '"')
	return Object{id, "relationship", from.TLP, closeMarked(b, from.TLP)}
}

// File is a new file observable, with the id that its content makes.
func (s *Source) File() Object {
	build := func(id string) []byte {
		b := append(make([]byte, 0, 512), `{"type":"file","spec_version":"2.1","id":"`...)
		return append(append(b, id...), `","hashes":{"SHA-256":"`...)
	}
	hash := s.hex(nil, 64)
	finish := func(b []byte) []byte {
		b = append(append(b, hash...), `"}`...)
		return closeMarked(b, label.Green)
	}
	raw := finish(build("file--00000000-0000-4000-8000-000000000000"))
	if o, err := stix.Parse(raw); err == nil {
		if id, ok, err := stix.DeterministicID(o); err == nil && ok {
			return Object{id, "file", label.Green, finish(build(id))}
		}
	}
	return Object{"file--00000000-0000-4000-8000-000000000000", "file", label.Green, raw}
}

const timeForm = "2006-01-02T15:04:05.000Z"

// open begins an object with what all domain objects have.
func (s *Source) open(typ, id string) []byte {
	b := append(make([]byte, 0, 2048), `{"type":"`...)
	b = append(b, typ...)
	b = append(b, `","spec_version":"2.1","id":"`...)
	b = append(b, id...)
	b = append(b, `","created":"`...)
	b = s.at.AppendFormat(b, timeForm)
	b = append(b, `","modified":"`...)
	b = s.at.AppendFormat(b, timeForm)
	return append(b, '"')
}

func closeMarked(b []byte, tlp label.TLP) []byte {
	b = append(b, `,"object_marking_refs":["`...)
	b = append(b, label.TLPMarkingID(tlp, false)...)
	return append(b, `"]}`...)
}

func (s *Source) pattern(b []byte) []byte {
	switch s.rnd.IntN(5) {
	case 0:
		b = append(b, `[ipv4-addr:value = '10.`...)
		b = strconv.AppendInt(b, int64(s.rnd.IntN(256)), 10)
		b = append(b, '.')
		b = strconv.AppendInt(b, int64(s.rnd.IntN(256)), 10)
		b = append(b, '.')
		b = strconv.AppendInt(b, int64(s.rnd.IntN(256)), 10)
		return append(b, `']`...)
	case 1:
		b = append(b, `[domain-name:value = '`...)
		b = s.hex(b, 12)
		return append(b, `.example']`...)
	case 2:
		b = append(b, `[url:value = 'https://`...)
		b = append(b, s.word()...)
		b = append(b, `.example/`...)
		b = s.hex(b, 16)
		return append(b, `']`...)
	case 3:
		b = append(b, `[network-traffic:dst_ref.type = 'ipv6-addr' AND network-traffic:dst_ref.value = '2001:db8::`...)
		b = s.hex(b, 4)
		return append(b, `' AND network-traffic:dst_port = 443] WITHIN 300 SECONDS`...)
	}
	b = append(b, `[file:hashes.'SHA-256' = '`...)
	b = s.hex(b, 64)
	return append(b, `']`...)
}

func (s *Source) word() string { return words[s.zipf.Uint64()] }

func (s *Source) phrase(b []byte, n int) []byte {
	for i := range n {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, s.word()...)
	}
	return b
}

func (s *Source) hex(b []byte, n int) []byte {
	const digits = "0123456789abcdef"
	for range n {
		b = append(b, digits[s.rnd.IntN(16)])
	}
	return b
}

// uuid is a random UUID of version 4 (RFC 9562 section 5.4).
func (s *Source) uuid() string {
	var u [16]byte
	for i := range 8 {
		v := s.rnd.Uint32()
		u[2*i], u[2*i+1] = byte(v), byte(v>>8)
	}
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	var t [36]byte
	hex.Encode(t[:8], u[:4])
	hex.Encode(t[9:13], u[4:6])
	hex.Encode(t[14:18], u[6:8])
	hex.Encode(t[19:23], u[8:10])
	hex.Encode(t[24:], u[10:])
	t[8], t[13], t[18], t[23] = '-', '-', '-', '-'
	return string(t[:])
}
