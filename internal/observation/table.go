package observation

// Form is how a field holds what it holds.
type Form uint8

// Forms of fields.
const (
	Plain     Form = iota
	Address        // an address of either family
	Host           // an address or a name, with a port or without
	Answers        // addresses and names with semicolons between them, as Sysmon writes the answers of the DNS: type:  5 name;::ffff:192.0.2.1;
	Mailboxes      // e-mail addresses, with names and brackets around them or not
	Digest         // one hash, with or without colons between its bytes; its length says which
	Digests        // hashes as Sysmon writes them: SHA256=…,MD5=…
	File           // a name with its folder or without
	Image          // the same, of the program that a process runs
	Registry       // a key of the Windows registry, with the name of a value behind it or without
	Number
	Low     // names that are compared in lower case
	Account // a name with its domain or without
	Subject // of a message; where certificates have a field of that name, not of these
	Named   // a distinguished name; not what else stands in fields of that name
)

// Row says that some fields hold a property of an object.
type Row struct {
	Role     string // what the object is in its event, with | between those it may be, the first that is there; empty: each value is an object of its own
	Form     Form
	Property string // as patterns write it, with every item of a list as [*]; of Address and Host ipv4-addr:value, of hashes without their name
	Fields   []string
}

// Rows say what the fields of events are in STIX, by the names that the producers' documents give them: Suricata's EVE, Zeek, Sysmon and Windows, the Elastic Common Schema, and
// what firewalls, proxies and flow records commonly write.
var Rows = []Row{
	{"src", Address, "ipv4-addr:value", []string{"src_ip", "flow.src_ip", "id.orig_h", "id_orig_h", "src", "SourceIp", "SourceAddress", "ClientAddress", "source.ip", "srcip", "c-ip", "sourceIPAddress"}},
	{"dst", Address, "ipv4-addr:value", []string{"dest_ip", "flow.dest_ip", "id.resp_h", "id_resp_h", "dst", "DestinationIp", "DestAddress", "destination.ip", "dstip", "dst_ip", "s-ip", "r-ip"}},
	{"", Address, "ipv4-addr:value", []string{
		"dns.grouped.A", "dns.grouped.AAAA", "dhcp.assigned_ip", "dhcp.client_ip", // EVE
		"tx_hosts", "rx_hosts", "assigned_addr", "requested_addr", "client_addr", "server_addr", "x_originating_ip", "san.ip", "path_hosts", // Zeek
		"IpAddress", "RemoteAddress", // Windows
		"client.ip", "server.ip", "host.ip", "dns.resolved_ip", "network.forwarded_ip", "related.ip", // ECS
		"client_ip", "clientip", "remote_ip", "remote_addr"}},
	{"asked", Host, "ipv4-addr:value", []string{"dns.rrname", "dns.query.rrname", "dns.queries.rrname", "query", "QueryName", "query_name", "dns.question.name"}},
	{"answer", Host, "ipv4-addr:value", []string{"dns.rdata", "dns.answers.rdata", "dns.grouped.CNAME", "dns.grouped.MX", "dns.grouped.NS", "answers", "record_value", "dns.answers.data"}},
	{"", Host, "ipv4-addr:value", []string{
		"http.hostname", "tls.sni", "quic.sni", "dns.answers.rrname",
		"host", "server_name", "san.dns", "host_name", "domain", "forwarded_for",
		"DestinationHostname", "SourceHostname",
		"dns.answers.name", "url.domain", "destination.domain", "source.domain", "server.domain", "client.domain", "destination.address", "source.address",
		"tls.client.server_name", "related.hosts",
		"cs-host", "r-dns", "dest_host", "hostname", "xff", "x_forwarded_for"}},
	{"answer", Answers, "ipv4-addr:value", []string{"QueryResults"}},
	{"", Plain, "url:value", []string{"email.url", "referrer", "http.http_refer", "url", "url.full", "url.original", "http.request.referrer", "cs-uri", "request_url", "HttpUrl"}},
	{"from", Mailboxes, "email-addr:value", []string{"smtp.mail_from", "email.from", "mailfrom", "from", "email.from.address", "email.sender.address", "sender"}},
	{"to", Mailboxes, "email-addr:value", []string{"smtp.rcpt_to", "email.to", "rcptto", "to", "email.to.address", "recipient"}},
	{"cc", Mailboxes, "email-addr:value", []string{"email.cc", "cc", "email.cc.address"}},
	{"", Mailboxes, "email-addr:value", []string{"reply_to", "san.email", "email.reply_to.address"}},
	{"file", Digest, "file:hashes", []string{
		"fileinfo.md5", "fileinfo.sha1", "fileinfo.sha256", "files.md5", "files.sha1", "files.sha256", "md5", "sha1", "sha256", "sha512",
		"file.hash.md5", "file.hash.sha1", "file.hash.sha256", "file.hash.sha512"}},
	{"image", Digest, "file:hashes", []string{"process.hash.md5", "process.hash.sha1", "process.hash.sha256", "process.hash.sha512"}},
	{"loaded", Digest, "file:hashes", []string{"dll.hash.md5", "dll.hash.sha1", "dll.hash.sha256"}},
	{"parent.image", Digest, "file:hashes", []string{"process.parent.hash.md5", "process.parent.hash.sha1", "process.parent.hash.sha256"}},
	{"", Digest, "file:hashes", []string{"related.hash", "email.attachments.file.hash.md5", "email.attachments.file.hash.sha1", "email.attachments.file.hash.sha256", "hash", "file_hash"}},
	{"certificate", Digest, "x509-certificate:hashes", []string{
		"tls.fingerprint", "certificate.fingerprint", "fingerprint", "cert_chain_fps", "client_cert_chain_fps", "resp_certificate_sha1", "tls.server.hash.sha1", "tls.server.hash.sha256"}},
	{"loaded|file|image", Digests, "file:hashes", []string{"Hashes", "Hash"}},
	{"parent.image", Digests, "file:hashes", []string{"ParentHashes"}},
	{"file", File, "file:name", []string{
		"fileinfo.filename", "files.filename", "email.attachment", "smb.filename", "ftp.command_data",
		"filename", "name", "previous_name",
		"TargetFilename", "ObjectName", "ServiceFileName", "ImagePath", "FileName", "RelativeTargetName", "OriginalFileName",
		"file.path", "file.name", "file.target_path", "email.attachments.file.name"}},
	{"image", Image, "file:name", []string{"Image", "SourceImage", "NewProcessName", "ProcessName", "Application", "process.executable", "process.name"}},
	{"parent.image", Image, "file:name", []string{"ParentImage", "ParentProcessName", "process.parent.executable", "process.parent.name"}},
	{"loaded", File, "file:name", []string{"ImageLoaded", "dll.path", "dll.name"}},
	{"", File, "file:name", []string{"TargetImage"}},
	{"key", Registry, "windows-registry-key:key", []string{"TargetObject", "NewName", "registry.path", "registry.key"}},
	{"key", Plain, "windows-registry-key:values[*].data", []string{"Details", "registry.data.strings"}},
	{"traffic", Plain, "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'", []string{
		"http.http_user_agent", "user_agent", "user_agent.original", "http_user_agent", "cs-user-agent", "UserAgent", "userAgent"}},
	{"", Plain, "mutex:name", []string{"MutexName", "mutex"}},
	{"", Number, "autonomous-system:number", []string{"source.as.number", "destination.as.number", "src_asn", "dest_asn"}},

	{"traffic", Plain, "network-traffic:extensions.'http-request-ext'.request_header.Host", []string{"http.hostname", "host", "url.domain", "cs-host"}},
	{"traffic", Plain, "network-traffic:extensions.'http-request-ext'.request_header.Referer", []string{"http.http_refer", "referrer", "http.request.referrer"}},
	{"traffic", Plain, "network-traffic:extensions.'http-request-ext'.request_value", []string{"http.url", "uri", "url.path", "cs-uri-stem"}},
	{"traffic", Low, "network-traffic:extensions.'http-request-ext'.request_method", []string{"http.http_method", "method", "http.request.method", "cs-method"}},
	{"traffic", Number, "network-traffic:src_port", []string{"src_port", "id.orig_p", "id_orig_p", "SourcePort", "source.port", "srcport"}},
	{"traffic", Number, "network-traffic:dst_port", []string{"dest_port", "id.resp_p", "id_resp_p", "DestinationPort", "DestPort", "destination.port", "dstport", "dst_port"}},
	{"traffic", Low, "network-traffic:protocols[*]", []string{"proto", "app_proto", "service", "Protocol", "network.transport", "network.protocol", "network.type"}},
	{"traffic", Number, "network-traffic:src_byte_count", []string{"flow.bytes_toserver", "orig_bytes", "source.bytes"}},
	{"traffic", Number, "network-traffic:dst_byte_count", []string{"flow.bytes_toclient", "resp_bytes", "destination.bytes"}},
	{"traffic", Number, "network-traffic:src_packets", []string{"flow.pkts_toserver", "orig_pkts", "source.packets"}},
	{"traffic", Number, "network-traffic:dst_packets", []string{"flow.pkts_toclient", "resp_pkts", "destination.packets"}},
	{"process", Plain, "process:command_line", []string{"CommandLine", "process.command_line", "ProcessCommandLine"}},
	{"process", Plain, "process:cwd", []string{"CurrentDirectory", "process.working_directory"}},
	{"process", Number, "process:pid", []string{"NewProcessId", "ProcessId", "process.pid"}},
	{"parent", Plain, "process:command_line", []string{"ParentCommandLine", "process.parent.command_line"}},
	{"parent", Number, "process:pid", []string{"ParentProcessId", "process.parent.pid"}},
	{"user", Account, "user-account:account_login", []string{"User", "user.name", "TargetUserName", "SubjectUserName", "AccountName", "user"}},
	{"user", Plain, "user-account:user_id", []string{"TargetUserSid", "SubjectUserSid", "user.id"}},
	{"file", Number, "file:size", []string{"fileinfo.size", "files.size", "total_bytes", "file.size"}},
	{"file", Low, "file:mime_type", []string{"mime_type", "file.mime_type", "fileinfo.mimetype"}},
	{"message", Subject, "email-message:subject", []string{"email.subject", "subject"}},
	{"message", Plain, "email-message:message_id", []string{"email.message_id", "msg_id"}},
	{"certificate", Named, "x509-certificate:subject", []string{"tls.subject", "certificate.subject", "certificate_subject", "tls.server.subject", "subject"}},
	{"certificate", Named, "x509-certificate:issuer", []string{"tls.issuerdn", "certificate.issuer", "certificate_issuer", "tls.server.issuer", "issuer"}},
	{"certificate", Plain, "x509-certificate:serial_number", []string{"tls.serial", "certificate.serial", "certificate_serial", "tls.server.x509.serial_number"}},
	{"", Low, "mac-addr:value", []string{"source.mac", "destination.mac", "orig_l2_addr", "resp_l2_addr", "ether.src_mac", "mac", "dhcp.client_mac"}},
	{"software", Plain, "software:name", []string{"package.name", "host.os.name"}},
	{"software", Plain, "software:version", []string{"package.version", "host.os.version"}},
}

// Split is where a URL stands in two fields, of host and of path, the host's first.
var Split = [][2]string{{"http.hostname", "http.url"}, {"host", "uri"}, {"url.domain", "url.path"}, {"cs-host", "cs-uri-stem"}}

// reference is a property by which one object of an event refers to another.
type reference struct {
	from, typ, property, to string
	only                    bool // it alone does not make an object that nothing else is known of
}

// references stand in an order in which what refers to others is made after these.
var references = []reference{
	{from: "traffic", typ: "network-traffic", property: "src_ref", to: "src"},
	{from: "traffic", typ: "network-traffic", property: "dst_ref", to: "dst"},
	{from: "parent", typ: "process", property: "image_ref", to: "parent.image"},
	{from: "parent", typ: "process", property: "binary_ref", to: "parent.image"},
	{from: "process", typ: "process", property: "image_ref", to: "image"},
	{from: "process", typ: "process", property: "binary_ref", to: "image"}, // as STIX 2.0 has it
	{from: "process", typ: "process", property: "parent_ref", to: "parent"},
	{from: "process", typ: "process", property: "creator_user_ref", to: "user", only: true},
	{from: "process", typ: "process", property: "opened_connection_refs[*]", to: "traffic", only: true},
	{from: "image", typ: "file", property: "parent_directory_ref", to: "image.folder"},
	{from: "parent.image", typ: "file", property: "parent_directory_ref", to: "parent.image.folder"},
	{from: "loaded", typ: "file", property: "parent_directory_ref", to: "loaded.folder"},
	{from: "file", typ: "file", property: "parent_directory_ref", to: "file.folder"},
	{from: "asked", typ: "domain-name", property: "resolves_to_refs[*]", to: "answer", only: true},
	{from: "message", typ: "email-message", property: "from_ref", to: "from"},
	{from: "message", typ: "email-message", property: "to_refs[*]", to: "to"},
	{from: "message", typ: "email-message", property: "cc_refs[*]", to: "cc"},
}

// several are the roles that more than one object of an event may have.
var several = map[string]bool{"answer": true, "to": true, "cc": true}
