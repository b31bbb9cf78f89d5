package misp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// stixTime is how STIX writes an instant, to the millisecond.
const stixTime = "2006-01-02T15:04:05.000Z"

type valueKind uint8

const (
	kindText valueKind = iota
	kindInt
	kindBool
	kindTime
	kindAddress // of IPv4 or IPv6, or a range of them
)

var kinds = map[string]valueKind{
	"number": kindInt, "size": kindInt, "pid": kindInt, "src_port": kindInt, "dst_port": kindInt, "number_of_sections": kindInt, "gid": kindInt, "subject_public_key_exponent": kindInt,
	"is_hidden": kindBool, "can_escalate_privs": kindBool, "is_disabled": kindBool, "is_service_account": kindBool, "is_privileged": kindBool,
	"ctime": kindTime, "mtime": kindTime, "atime": kindTime, "date": kindTime, "start": kindTime, "end": kindTime, "created_time": kindTime,
	"modified_time": kindTime, "account_created": kindTime, "account_expires": kindTime, "account_first_login": kindTime,
	"account_last_login": kindTime, "credential_last_changed": kindTime, "validity_not_before": kindTime, "validity_not_after": kindTime,
}

func (p *path) kind() valueKind {
	if p.target() == "ip" {
		return kindAddress
	}
	return kinds[p.last()]
}

// hexLengths is the digits of the hashes that have a fixed number of them.
var hexLengths = map[string]int{"MD5": 32, "SHA-1": 40, "SHA-224": 56, "SHA-256": 64, "SHA-384": 96, "SHA-512": 128, "SHA-512/224": 56, "SHA-512/256": 64,
	"SHA3-224": 56, "SHA3-256": 64, "SHA3-384": 96, "SHA3-512": 128, "IMPHASH": 32, "AUTHENTIHASH": 64}

// fitting is a value in the form that STIX wants at a path. The error says why it has none.
type fitting struct {
	kind valueKind
	text string // of text, time and address; numbers and booleans as JSON writes them
	ipv6 bool
	wide bool // more than one address
}

// maxValue bounds a value in a pattern or observable.
const maxValue = 32 << 10

func fit(p *path, value string) (fitting, error) {
	f := fitting{kind: p.kind(), text: value}
	if value == "" {
		return f, fmt.Errorf("it is empty")
	}
	if len(value) > maxValue {
		return f, fmt.Errorf("it is longer than 32 KiB")
	}
	switch f.kind {
	case kindInt:
		n, err := strconv.ParseInt(strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(value), "AS"), "as"), 10, 64)
		port := strings.HasSuffix(p.last(), "_port")
		if err != nil || n < 0 || n >= 1<<53 || port && n > 65535 {
			return f, fmt.Errorf("%s wants a whole number", p.text)
		}
		f.text = strconv.FormatInt(n, 10)
	case kindBool:
		switch strings.ToLower(value) {
		case "true", "1", "yes":
			f.text = "true"
		case "false", "0", "no":
			f.text = "false"
		default:
			return f, fmt.Errorf("%s wants true or false", p.text)
		}
	case kindTime:
		t, ok := seenTime(value)
		if !ok {
			return f, fmt.Errorf("%s wants a time", p.text)
		}
		f.text = t.Format(time.RFC3339Nano)
	case kindAddress:
		return fitAddress(f, value)
	default:
		return fitText(f, p, value)
	}
	return f, nil
}

func fitAddress(f fitting, value string) (fitting, error) {
	if prefix, err := netip.ParsePrefix(value); err == nil {
		f.ipv6, f.wide = prefix.Addr().Is6(), !prefix.IsSingleIP()
		return f, nil
	}
	addr, err := netip.ParseAddr(value)
	if err != nil || addr.Zone() != "" {
		return f, fmt.Errorf("it is no IP address")
	}
	f.ipv6 = addr.Is6()
	return f, nil
}

func fitText(f fitting, p *path, value string) (fitting, error) {
	if algorithm := p.hash(); algorithm != "" {
		if n, ok := hexLengths[algorithm]; ok && (len(value) != n || strings.Trim(value, "0123456789abcdefABCDEF") != "") {
			return f, fmt.Errorf("it is no %s", algorithm)
		}
		if len(value) > 4096 || strings.ContainsAny(value, " \n") && algorithm != "SSDEEP" {
			return f, fmt.Errorf("it is no %s", algorithm)
		}
		return f, nil
	}
	if p.typ == "mac-addr" {
		f.text = strings.ToLower(strings.ReplaceAll(value, "-", ":"))
		if len(f.text) != 17 || strings.Trim(f.text, "0123456789abcdef:") != "" || strings.Count(f.text, ":") != 5 {
			return f, fmt.Errorf("it is no MAC address")
		}
	}
	return f, nil
}

// address is the STIX type of an address.
func (f *fitting) address() string {
	if f.ipv6 {
		return "ipv6-addr"
	}
	return "ipv4-addr"
}

// appendLiteral writes a string as a pattern does.
func appendLiteral(b []byte, s string) []byte {
	b = append(b, '\'')
	for i := range len(s) {
		if s[i] == '\'' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return append(b, '\'')
}

// appendTest writes the comparison of a path with a value.
func appendTest(b []byte, p *path, f fitting) []byte {
	if f.kind == kindAddress {
		if ref, ok := strings.CutSuffix(p.text, ".value"); ok && !strings.HasSuffix(ref, "]") {
			b = append(append(b, ref...), ".type = '"...)
			b = append(append(b, f.address()...), "' AND "...)
		}
	}
	b = append(b, p.text...)
	if f.wide {
		b = append(b, " ISSUBSET "...)
		return appendLiteral(b, f.text)
	}
	b = append(b, " = "...)
	switch f.kind {
	case kindInt, kindBool:
		return append(b, f.text...)
	case kindTime:
		b = append(b, 't')
	}
	return appendLiteral(b, f.text)
}
