package stix

import (
	"bytes"
	"strings"
)

func (c *checker) networkTraffic(v value) {
	c.oneOf(v, "6.12", "src_ref", "dst_ref")
	if end := v.get("end"); end.ok() && v.get("is_active").isTrue() {
		c.at(value{c.o, end.at - 1}, "constraint.exclusive", "6.12", "traffic that is active has no end")
	}
	c.notBefore(v, "start", "end", false, "6.12")
	if !v.get("src_port").ok() || !v.get("dst_port").ok() {
		if hasPorts(v.get("protocols")) {
			c.report("protocol.port", "", "src_port and dst_port should both be there")
		}
	}
	c.protocols(v.get("protocols"))
	if ipfix := v.get("ipfix"); ipfix.isObject() {
		for key := range ipfix.members {
			if name := key.bytes(); !isIPFIX(name) {
				c.at(value{c.o, ipfix.at - 1}, "protocol.ipfix", "", quote(string(name))+" is not written as an IPFIX information element is")
			}
		}
	}
}

// hasPorts tells whether a protocol of the list has ports, or none is known not to.
func hasPorts(protocols value) bool {
	for _, p := range protocols.items {
		switch string(p.bytes()) {
		case "icmp", "icmp6", "ipv6-icmp", "arp", "igmp", "gre", "esp", "ah", "ospf":
			return false
		}
	}
	return true
}

func (c *checker) protocols(list value) {
	if !list.ok() {
		return
	}
	c.path = append(c.path, pathStep{key: list.at - 1})
	defer func() { c.path = c.path[:len(c.path)-1] }()
	for i, p := range list.items {
		b := p.bytes()
		if len(b) == 0 || len(b) > 15 || bytes.IndexFunc(b, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-')
		}) >= 0 {
			c.path = append(c.path, pathStep{index: i})
			c.report("protocol.name", "", quote(string(b))+" is not written as a service name of the IANA registry (RFC 6335)")
			c.path = c.path[:len(c.path)-1]
		}
	}
}

// isIPFIX tells whether a name is written as the elements of the IANA registry are: in camel case, of more than one word or a known one.
func isIPFIX(name []byte) bool {
	if len(name) < 4 || !isLower(name[0]) {
		return false
	}
	upper := false
	for _, b := range name {
		if !isLower(b) && !isUpper(b) && !isDigit(b) {
			return false
		}
		upper = upper || isUpper(b) || isDigit(b)
	}
	return upper || string(name) == "className" || string(name) == "dot1qVlanId"
}

// httpHeaders is the request header fields of the IANA registry that occur in practice (RFC 9110 and others), in lower case.
var httpHeaders = wordSet(`a-im accept accept-charset accept-datetime accept-encoding accept-language accept-patch accept-ranges
	access-control-request-headers access-control-request-method age allow alt-used authorization cache-control client-cert
	close connection content-disposition content-encoding content-language content-length content-location content-md5 content-range
	content-type cookie cookie2 date depth destination dnt dpop early-data expect expires forwarded from host http2-settings if
	if-match if-modified-since if-none-match if-range if-schedule-tag-match if-unmodified-since keep-alive last-modified
	lock-token max-forwards mime-version origin overwrite pragma prefer priority proxy-authorization proxy-connection range referer
	referer-root schedule-reply sec-ch-ua sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-gpc sec-purpose
	sec-websocket-extensions sec-websocket-key sec-websocket-protocol sec-websocket-version slug soapaction surrogate-capability te
	timeout topic traceparent tracestate trailer transfer-encoding ttl upgrade upgrade-insecure-requests urgency user-agent via warning
	x-att-deviceid x-forwarded-for x-forwarded-host x-forwarded-proto x-requested-with x-wap-profile`)

// socketPrefixes begin the names of socket options (6.12.4).
var socketPrefixes = []string{"SO_", "ICMP_", "ICMP6_", "IP_", "IPV6_", "MCAST_", "TCP_", "IRLMP_"}

// socketOptions is the options of the socket interfaces of POSIX, Linux and Windows that begin with SO_.
var socketOptions = wordSet(`SO_ACCEPTCONN SO_ATTACH_BPF SO_ATTACH_FILTER SO_BINDTODEVICE SO_BROADCAST SO_BSDCOMPAT SO_BSP_STATE SO_BUSY_POLL
	SO_CONDITIONAL_ACCEPT SO_CONNECT_TIME SO_DEBUG SO_DETACH_FILTER SO_DOMAIN SO_DONTLINGER SO_DONTROUTE SO_ERROR SO_EXCLUSIVEADDRUSE
	SO_GROUP_ID SO_GROUP_PRIORITY SO_INCOMING_CPU SO_KEEPALIVE SO_LINGER SO_LOCK_FILTER SO_MARK SO_MAX_MSG_SIZE SO_OOBINLINE SO_PASSCRED
	SO_PASSSEC SO_PAUSE_ACCEPT SO_PEEK_OFF SO_PEERCRED SO_PEERSEC SO_PORT_SCALABILITY SO_PRIORITY SO_PROTOCOL SO_PROTOCOL_INFO
	SO_RANDOMIZE_PORT SO_RCVBUF SO_RCVBUFFORCE SO_RCVLOWAT SO_RCVTIMEO SO_REUSE_MULTICASTPORT SO_REUSE_UNICASTPORT SO_REUSEADDR SO_REUSEPORT
	SO_RXQ_OVFL SO_SELECT_ERR_QUEUE SO_SNDBUF SO_SNDBUFFORCE SO_SNDLOWAT SO_SNDTIMEO SO_TIMESTAMP SO_TIMESTAMPING SO_TIMESTAMPNS SO_TYPE
	SO_UPDATE_ACCEPT_CONTEXT SO_USELOOPBACK`)

// pdfKeys is the keys of the document information dictionary (PDF 32000-1, 14.3.3).
var pdfKeys = wordSet("Title Author Subject Keywords Creator Producer CreationDate ModDate Trapped")

func wordSet(words string) map[string]struct{} {
	m := map[string]struct{}{}
	for _, w := range strings.Fields(words) {
		m[w] = struct{}{}
	}
	return m
}

func (c *checker) httpRequest(v value) {
	headers := v.get("request_header")
	for key := range headers.members {
		if _, known := httpHeaders[strings.ToLower(key.text())]; !known {
			c.at(value{c.o, headers.at - 1}, "http.header", "", quote(key.text())+" is not a request header field of the IANA registry")
		}
	}
}

func (c *checker) socket(v value) {
	options := v.get("options")
	for key := range options.members {
		name := key.text()
		known := false
		for _, prefix := range socketPrefixes {
			if strings.HasPrefix(name, prefix) {
				known = true
			}
		}
		if strings.HasPrefix(name, "SO_") {
			_, known = socketOptions[name]
		}
		if !known {
			c.at(value{c.o, options.at - 1}, "socket.option", "", quote(name)+" is not a name of a socket option")
		}
	}
}
