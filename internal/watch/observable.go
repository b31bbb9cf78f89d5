package watch

import (
	"bytes"

	"entente/internal/event"
	"entente/internal/indicator"
)

// form is how a field holds observables.
type form uint8

const (
	plain     form = iota
	host           // an address or a name
	digest         // one hash, with or without colons between its bytes; its length says which
	digests        // hashes as Sysmon writes them: SHA256=…,MD5=…
	answers        // addresses and names with semicolons between them, as Sysmon writes the answers of the DNS: type:  5 name;::ffff:192.0.2.1;
	joined         // a URL of a host and a path
	mailboxes      // e-mail addresses, with names and brackets around them or not
)

// observable is a field that holds something to look up.
type observable struct {
	name string
	form form
	kind indicator.Kind
}

// held says which fields of which producers hold observables, by the names that the producers' documents give them: Suricata's EVE, Zeek, Sysmon and Windows, the
// Elastic Common Schema, and what firewalls and proxies commonly write.
var held = []struct {
	form   form
	kind   indicator.Kind
	fields []string
}{
	{plain, indicator.IPv4, []string{
		"src_ip", "dest_ip", "flow.src_ip", "flow.dest_ip", "dns.grouped.A", "dns.grouped.AAAA", "dhcp.assigned_ip", "dhcp.client_ip", // EVE
		"id.orig_h", "id.resp_h", "tx_hosts", "rx_hosts", "src", "dst", "assigned_addr", "requested_addr", "client_addr", "server_addr", "x_originating_ip", "san.ip", "path_hosts", // Zeek
		"SourceIp", "DestinationIp", "IpAddress", "SourceAddress", "DestAddress", "ClientAddress", "RemoteAddress", // Windows
		"source.ip", "destination.ip", "client.ip", "server.ip", "host.ip", "dns.resolved_ip", "network.forwarded_ip", "related.ip", // ECS
		"srcip", "dstip", "dst_ip", "client_ip", "clientip", "c-ip", "s-ip", "r-ip", "remote_ip", "remote_addr", "sourceIPAddress"}},
	{host, 0, []string{
		"http.hostname", "tls.sni", "quic.sni", "dns.rrname", "dns.rdata", "dns.query.rrname", "dns.queries.rrname", "dns.answers.rrname", "dns.answers.rdata", "dns.grouped.CNAME", "dns.grouped.MX", "dns.grouped.NS",
		"query", "answers", "host", "server_name", "san.dns", "host_name", "domain", "forwarded_for",
		"QueryName", "DestinationHostname", "SourceHostname", "record_value", "query_name",
		"dns.question.name", "dns.answers.name", "dns.answers.data", "url.domain", "destination.domain", "source.domain", "server.domain", "client.domain", "destination.address", "source.address",
		"tls.client.server_name", "related.hosts",
		"cs-host", "r-dns", "dest_host", "hostname", "xff", "x_forwarded_for"}},
	{answers, 0, []string{"QueryResults"}},
	{plain, indicator.URL, []string{"email.url", "referrer", "http.http_refer", "url", "url.full", "url.original", "http.request.referrer", "cs-uri", "request_url", "HttpUrl"}},
	{mailboxes, indicator.Email, []string{
		"smtp.mail_from", "smtp.rcpt_to", "email.from", "email.to", "email.cc",
		"mailfrom", "rcptto", "from", "to", "cc", "reply_to", "san.email",
		"email.from.address", "email.to.address", "email.cc.address", "email.sender.address", "email.reply_to.address", "sender", "recipient"}},
	{digest, 0, []string{
		"fileinfo.md5", "fileinfo.sha1", "fileinfo.sha256", "files.md5", "files.sha1", "files.sha256", "tls.fingerprint",
		"md5", "sha1", "sha256", "sha512", "certificate.fingerprint", "fingerprint", "cert_chain_fps", "client_cert_chain_fps",
		"file.hash.md5", "file.hash.sha1", "file.hash.sha256", "file.hash.sha512", "process.hash.md5", "process.hash.sha1", "process.hash.sha256", "process.hash.sha512",
		"dll.hash.md5", "dll.hash.sha1", "dll.hash.sha256", "process.parent.hash.md5", "process.parent.hash.sha1", "process.parent.hash.sha256", "related.hash",
		"email.attachments.file.hash.md5", "email.attachments.file.hash.sha1", "email.attachments.file.hash.sha256", "tls.server.hash.sha1", "tls.server.hash.sha256", "hash", "file_hash"}},
	{digests, 0, []string{"Hashes", "Hash", "ParentHashes"}},
	{plain, indicator.JA3, []string{"tls.ja3.hash", "quic.ja3.hash", "ja3", "tls.client.ja3"}},
	{plain, indicator.JA3S, []string{"tls.ja3s.hash", "quic.ja3s.hash", "ja3s", "tls.server.ja3s"}},
	{plain, indicator.JA4, []string{"tls.ja4", "quic.ja4", "ja4", "ja4s", "ja4h", "ja4x", "ja4ssh", "tls.client.ja4", "ssh.ja4ssh"}},
	{plain, indicator.FilePath, []string{
		"fileinfo.filename", "files.filename", "email.attachment", "smb.filename", "ftp.command_data",
		"filename", "name", "previous_name",
		"Image", "ParentImage", "TargetFilename", "ImageLoaded", "SourceImage", "TargetImage", "OriginalFileName", "NewProcessName", "ParentProcessName", "ProcessName", "ObjectName", "ServiceFileName", "ImagePath", "Application", "FileName",
		"RelativeTargetName",
		"file.path", "file.name", "file.target_path", "process.executable", "process.name", "process.parent.executable", "process.parent.name", "dll.path", "dll.name", "email.attachments.file.name"}},
	{plain, indicator.RegistryKey, []string{"TargetObject", "NewName", "registry.path", "registry.key"}},
	{plain, indicator.RegistryData, []string{"Details", "registry.data.strings"}},
	{plain, indicator.UserAgent, []string{"http.http_user_agent", "user_agent", "user_agent.original", "http_user_agent", "cs-user-agent", "UserAgent", "userAgent"}},
	{plain, indicator.Mutex, []string{"MutexName", "mutex"}},
	{plain, indicator.ASN, []string{"source.as.number", "destination.as.number", "src_asn", "dest_asn"}},
}

// split is where a URL stands in two fields, of host and of path, the host's first.
var split = [][2]string{{"http.hostname", "http.url"}, {"host", "uri"}, {"url.domain", "url.path"}, {"cs-host", "cs-uri-stem"}}

// place is a pair of fields that are a URL together.
type place struct {
	host, path int
	name       string // of the path
}

// observables asks for all of them, and gives them by slot.
func observables(p *event.Plan) (out [][]observable, urls []place) {
	for _, h := range held {
		for _, name := range h.fields {
			slot := p.Field(name)
			for slot >= len(out) {
				out = append(out, nil)
			}
			out[slot] = append(out[slot], observable{name: name, form: h.form, kind: h.kind})
		}
	}
	for _, s := range split {
		urls = append(urls, place{p.Field(s[0]), p.Field(s[1]), s[1]})
	}
	return out, urls
}

// indicators looks up what the event holds.
func (w *Watcher) indicators(ev *event.Event) {
	if w.moment = w.Now; w.moment.IsZero() {
		var ok bool
		if w.moment, ok = w.s.Time(ev); !ok {
			return
		}
	}
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
	c, n := w.known.cell(text)
	switch {
	case len(text) == 0:
		return
	case !c.holds(o.form, o.kind, text):
	case w.witness != nil:
		w.witness.Again(n)
		return
	default:
		return
	}
	before := w.meetings
	if w.witness != nil {
		w.witness.Begin()
	}
	if w.value(o, text); w.meetings == before && c != nil {
		c.put(o.form, o.kind, text)
		if w.witness != nil {
			w.witness.Keep(n)
		}
	}
}

// value looks up what one value of a field holds.
func (w *Watcher) value(o *observable, text []byte) {
	switch o.form {
	case plain:
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
	case host:
		w.host(text)
	case joined:
		w.lookup(o.kind, text)
	case digest:
		w.digest(text)
	case digests:
		for part := range bytes.SplitSeq(text, []byte{','}) {
			_, sum, named := bytes.Cut(part, []byte{'='})
			if !named {
				sum = part
			}
			w.digest(sum)
		}
	case answers:
		for part := range bytes.SplitSeq(text, []byte{';'}) {
			if i := bytes.LastIndexByte(part, ' '); i >= 0 {
				part = part[i+1:]
			}
			if len(part) > 0 {
				w.host(part)
			}
		}
	case mailboxes:
		for part := range bytes.SplitSeq(text, []byte{','}) {
			if i, end := bytes.IndexByte(part, '<'), bytes.LastIndexByte(part, '>'); i >= 0 && end > i {
				part = part[i+1 : end]
			}
			w.lookup(indicator.Email, part)
		}
	}
}

// host looks up an address or a name, with a port or without.
func (w *Watcher) host(text []byte) {
	if i := bytes.LastIndexByte(text, ':'); i > 0 && bytes.IndexByte(text, ':') == i {
		text = text[:i]
	}
	if c := text[len(text)-1]; c >= '0' && c <= '9' || bytes.IndexByte(text, ':') >= 0 {
		w.lookup(indicator.IPv4, text)
		return
	}
	w.lookup(indicator.Domain, text)
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
	at := Field{w.at.Name, bytes.Clone(w.at.Value)}
	for i := range w.found {
		if o := w.found[i].Indicator; o != nil && o.Meta.Source == h.Meta.Source && o.Value == h.Value {
			w.found[i].add(at)
			return
		}
	}
	w.found = append(w.found, Finding{Indicator: &h, Fields: []Field{at}})
}
