package watch

import (
	"bytes"

	"entente/internal/event"
	"entente/internal/indicator"
	"entente/internal/observation"
)

// form is how a field holds observables.
type form = observation.Form

// joined is a URL of a host and a path.
const joined form = 255

// observable is a field that holds something to look up.
type observable struct {
	name string
	form form
	kind indicator.Kind
}

// kinds of indicators by what fields hold, as [observation.Rows] have it; of hosts and hashes the value says which it is.
var kindOf = map[string]indicator.Kind{
	"ipv4-addr:value": indicator.IPv4, "url:value": indicator.URL, "email-addr:value": indicator.Email, "file:hashes": 0, "x509-certificate:hashes": 0, "file:name": indicator.FilePath,
	"windows-registry-key:key": indicator.RegistryKey, "windows-registry-key:values[*].data": indicator.RegistryData,
	"network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'": indicator.UserAgent, "mutex:name": indicator.Mutex, "autonomous-system:number": indicator.ASN,
}

// fingerprints are the fields of what STIX has no property for.
var fingerprints = []struct {
	kind   indicator.Kind
	fields []string
}{
	{indicator.JA3, []string{"tls.ja3.hash", "quic.ja3.hash", "ja3", "tls.client.ja3"}},
	{indicator.JA3S, []string{"tls.ja3s.hash", "quic.ja3s.hash", "ja3s", "tls.server.ja3s"}},
	{indicator.JA4, []string{"tls.ja4", "quic.ja4", "ja4", "ja4s", "ja4h", "ja4x", "ja4ssh", "tls.client.ja4", "ssh.ja4ssh"}},
}

// place is a pair of fields that are a URL together.
type place struct {
	host, path int
	name       string // of the path
}

// observables asks for all of them, and gives them by slot.
func observables(p *event.Plan) (out [][]observable, urls []place) {
	add := func(name string, f form, k indicator.Kind) {
		slot := p.Field(name)
		for slot >= len(out) {
			out = append(out, nil)
		}
		out[slot] = append(out[slot], observable{name: name, form: f, kind: k})
	}
	for i := range observation.Rows {
		r := &observation.Rows[i]
		if kind, ok := kindOf[r.Property]; ok {
			for _, name := range r.Fields {
				add(name, r.Form, kind)
			}
		}
	}
	for _, f := range fingerprints {
		for _, name := range f.fields {
			add(name, observation.Plain, f.kind)
		}
	}
	for _, s := range observation.Split {
		urls = append(urls, place{p.Field(s[0]), p.Field(s[1]), s[1]})
	}
	return out, urls
}

// indicators looks up what the event holds.
func (w *Watcher) indicators(ev *event.Event) {
	w.known.of(w.s.table.Version())
	for _, slot := range ev.Slots() {
		if int(slot) >= len(w.s.seen) {
			continue
		}
		for i := range w.s.seen[slot] {
			o := &w.s.seen[slot][i]
			w.at.Name = o.name
			if v, one := ev.Only(int(slot)); one {
				w.new(o, v.Text)
				continue
			}
			for v := range ev.All(int(slot)) {
				w.new(o, v.Text)
			}
		}
	}
	for _, p := range w.s.places {
		if host, path := ev.Get(p.host).Text, ev.Get(p.path).Text; len(host) > 0 && len(path) > 0 && path[0] == '/' {
			w.buf = append(append(append(w.buf[:0], "//"...), host...), path...)
			w.at.Name = p.name
			w.new(&url, w.buf)
		}
	}
}

// url is what two fields are together.
var url = observable{form: joined, kind: indicator.URL}

// new looks up what one value of a field holds, unless the like of it met nothing before.
func (w *Watcher) new(o *observable, text []byte) {
	if len(text) == 0 {
		return
	}
	c, n, known := w.known.cell(o, text)
	if known {
		if w.witness != nil {
			w.witness.Again(n)
		}
		return
	}
	before := w.meetings
	if w.witness != nil {
		w.witness.Begin()
	}
	if w.value(o, text); w.meetings == before && c != nil {
		c.put(o, text)
		if w.witness != nil {
			w.witness.Keep(n)
		}
	}
}

// value looks up what one value of a field holds.
func (w *Watcher) value(o *observable, text []byte) {
	switch o.form {
	case observation.Host:
		w.host(text)
	case observation.Digest:
		w.digest(text)
	case observation.Digests:
		observation.EachDigest(text, w.digest)
	case observation.Answers:
		observation.EachAnswer(text, w.host)
	case observation.Mailboxes:
		observation.EachMailbox(text, func(box []byte) { w.lookup(indicator.Email, box) })
	case joined:
		w.lookup(o.kind, text)
	default:
		w.lookup(o.kind, text)
		switch o.kind {
		case indicator.URL:
			if host := hostOf(text); len(host) > 0 {
				w.host(host)
			}
		case indicator.RegistryKey: // events write the name of a value behind its key
			if i := bytes.LastIndexByte(text, '\\'); i > 0 {
				w.lookup(indicator.RegistryKey, text[:i])
				w.lookup(indicator.RegistryValue, text[i+1:])
			}
		}
	}
}

// host looks up an address or a name, with a port or without.
func (w *Watcher) host(text []byte) {
	switch host, address := observation.HostOf(text); {
	case len(host) == 0:
	case address:
		w.lookup(indicator.IPv4, host)
	default:
		w.lookup(indicator.Domain, host)
	}
}

// hostOf is the host of a URL with a scheme; nil: there is none.
func hostOf(url []byte) []byte {
	_, rest, ok := bytes.Cut(url, []byte("://"))
	if !ok {
		return nil
	}
	if end := bytes.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	if i := bytes.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if len(rest) > 0 && rest[0] == '[' {
		if end := bytes.IndexByte(rest, ']'); end > 0 {
			return rest[1:end]
		}
	}
	return rest
}

// digest looks up a hash by what its length says it is.
func (w *Watcher) digest(sum []byte) {
	sum = bytes.TrimSpace(sum)
	if len(sum) > 2 && sum[2] == ':' {
		w.buf = w.buf[:0]
		for _, c := range sum {
			if c != ':' {
				w.buf = append(w.buf, c)
			}
		}
		sum = w.buf
	}
	switch len(sum) {
	case 32:
		w.lookup(indicator.MD5, sum)
	case 40:
		w.lookup(indicator.SHA1, sum)
	case 64:
		w.lookup(indicator.SHA256, sum)
	case 128:
		w.lookup(indicator.SHA512, sum)
	}
}

func (w *Watcher) lookup(k indicator.Kind, text []byte) {
	w.at.Value = text
	w.s.table.Walk(k, text, w.moment, w.meet, w.keys)
}

// met notes an indicator that was met, once for an event, with every field in which it was.
func (w *Watcher) met(h indicator.Hit) {
	w.meetings++
	if h.State != indicator.Live {
		w.Dead[h.State]++
		return
	}
	at := event.Field{Name: w.at.Name, Value: bytes.Clone(w.at.Value)}
	for i := range w.found {
		if o := w.found[i].Indicator; o != nil && o.Meta.Source == h.Meta.Source && o.Value == h.Value {
			w.found[i].add(at)
			return
		}
	}
	w.found = append(w.found, Finding{Indicator: &h, Fields: []event.Field{at}})
}
