// Package indicator is the compact index of what to look for in telemetry: millions of addresses, names, hashes and other values, each with
// the object it comes from, its label, its accord, its validity and its confidence.
//
// A Table is what lookups ask. It stands on an immutable base, usually a Snapshot file mapped into memory, and on a few small layers of changes.
// Lookups never wait; a change makes a new view and swaps it in. Every hit is verified against the whole value, so that two values with one hash
// never alert for each other.
package indicator

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"entente/internal/fault"
	"entente/observable"
)

// Kind is a kind of value. Its number stands in snapshots and never changes.
type Kind uint8

// The kinds. An IPv4 or IPv6 lookup also meets networks, a domain lookup the parents of the name, and a file path the file's name.
const (
	IPv4 Kind = 1 + iota
	IPv6
	CIDR // an IPv4 or IPv6 network
	Domain
	URL
	Email
	MD5
	SHA1
	SHA256
	SHA512
	JA3
	JA3S
	JA4 // any fingerprint of the JA4 family: their forms differ
	FileName
	FilePath
	RegistryKey
	RegistryValue // the name of a value under a key
	RegistryData  // what a value holds
	Mutex
	UserAgent
	ASN

	kinds = int(ASN) + 1
)

var kindNames = [kinds]string{"", "ipv4", "ipv6", "cidr", "domain", "url", "email", "md5", "sha1", "sha256", "sha512", "ja3", "ja3s", "ja4", "file-name",
	"file-path", "registry-key", "registry-value", "registry-data", "mutex", "user-agent", "asn"}

func (k Kind) String() string {
	if int(k) < kinds && k != 0 {
		return kindNames[k]
	}
	return "kind-" + strconv.Itoa(int(k))
}

// KindNamed is the kind with a name that String gives.
func KindNamed(name string) (Kind, bool) {
	for i := 1; i < kinds; i++ {
		if kindNames[i] == name {
			return Kind(i), true
		}
	}
	return 0, false
}

// Kinds lists every kind.
func Kinds() []Kind {
	out := make([]Kind, 0, kinds-1)
	for i := 1; i < kinds; i++ {
		out = append(out, Kind(i))
	}
	return out
}

// hashSize is the bytes of a digest of a kind; 0: the kind is none.
func (k Kind) hashSize() int {
	switch k {
	case MD5, JA3, JA3S:
		return 16
	case SHA1:
		return 20
	case SHA256:
		return 32
	case SHA512:
		return 64
	}
	return 0
}

// Value is an indicator's value in its canonical form. Values of the same thing are equal.
type Value struct {
	Kind Kind
	key  string // octets, as the index keeps them
	// alone is of a domain: names beneath it are not meant. It is so for public suffixes, unless they are written "*.suffix" or ".suffix".
	alone bool
}

// maxValue bounds one value, in bytes.
const maxValue = 8192

// New is the canonical value that a text means. Addresses and names may be defanged. A network of one address is that address, a file name with a folder a path and a path without one a file name, an IPv4 address in
// IPv6 form an IPv4 address. Its error is Invalid and tells the kind.
func New(k Kind, text string) (Value, error) {
	refuse := func(why string) (Value, error) {
		shown := text[:min(len(text), 100)]
		return Value{}, fault.New(fault.Invalid, "indicator."+k.String(), "%q is %s", shown, why)
	}
	switch {
	case k == 0 || int(k) >= kinds:
		return refuse("of no kind that is known")
	case len(text) > maxValue:
		return refuse("longer than a value may be")
	}
	var buf [512]byte
	b := []byte(refang(k, text))
	switch k {
	case IPv4, IPv6, CIDR:
		v, ok := newAddress(b)
		if !ok || k != CIDR && v.Kind != CIDR && v.Kind != k && !(k == IPv6 && v.Kind == IPv4) {
			return refuse("no address or network of the kind " + k.String())
		}
		return v, nil
	case Domain:
		return newDomain(b, refuse)
	case FileName, FilePath:
		key, ok := appendKey(buf[:0], FilePath, b)
		if k = FileName; indexByte(key, '/') >= 0 {
			k = FilePath
		}
		if !ok {
			return refuse("no " + k.String())
		}
		return Value{Kind: k, key: string(key)}, nil
	}
	key, ok := appendKey(buf[:0], k, b)
	if !ok {
		return refuse("no " + k.String())
	}
	return Value{Kind: k, key: string(key)}, nil
}

// refang undoes the defanging of what leads into the network. Of a URL that is scheme and host: a path may have brackets of its own.
func refang(k Kind, text string) string {
	if k < IPv4 || k > Email {
		return text
	}
	text = strings.TrimSpace(text)
	if !strings.ContainsAny(text, "[({\\") && (strings.HasPrefix(text, "http") || !strings.Contains(text, "://")) {
		return text
	}
	if k != URL || strings.Contains(text, "[/]") || strings.Contains(text, "[://]") {
		return observable.Refang(text)
	}
	host := strings.Index(text, "//") + 2
	if host < 2 {
		host = 0
	}
	end := strings.IndexAny(text[host:], "/?#")
	if end < 0 {
		return observable.Refang(text)
	}
	return observable.Refang(text[:host+end]) + text[host+end:]
}

func newAddress(b []byte) (Value, bool) {
	b = trim(b)
	for i, c := range b {
		if c == '/' {
			return newNetwork(string(b), i)
		}
	}
	var key [16]byte
	four, ok := parseAddr(&key, b)
	switch {
	case !ok || key == [16]byte{}:
		return Value{}, false // the unspecified address is nothing to look for
	case four:
		return Value{Kind: IPv4, key: string(key[:4])}, true
	}
	return Value{Kind: IPv6, key: string(key[:])}, true
}

func newNetwork(s string, slash int) (Value, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return Value{}, false
	}
	a, n := p.Addr(), p.Bits()
	if a.Is4In6() {
		if n < 96 {
			return Value{}, false
		}
		a, n = a.Unmap(), n-96
	}
	switch {
	case n == 0:
		return Value{}, false // the whole of the internet is nothing to look for
	case n == a.BitLen():
		return newAddress([]byte(a.String()))
	}
	p = netip.PrefixFrom(a, n).Masked()
	return Value{Kind: CIDR, key: string(append(p.Addr().AsSlice(), byte(n)))}, true
}

func newDomain(b []byte, refuse func(string) (Value, error)) (Value, error) {
	b = trim(b)
	explicit := false
	switch {
	case len(b) > 2 && b[0] == '*' && b[1] == '.':
		b, explicit = b[2:], true
	case len(b) > 1 && b[0] == '.':
		b, explicit = b[1:], true
	}
	var buf [256]byte
	key, ok := appendKey(buf[:0], Domain, b)
	if !ok {
		return refuse("no domain name")
	}
	name := string(key)
	suffix, _ := publicsuffix.PublicSuffix(name)
	alone := suffix == name && !explicit
	for i := range name {
		if name[i] == '.' {
			return Value{Kind: Domain, key: name, alone: alone}, nil
		}
	}
	if !explicit {
		return refuse("a name of one label, which is a whole top-level domain if it is written with a dot before it, and otherwise nothing to look for")
	}
	return Value{Kind: Domain, key: name}, nil
}

// Of reads a value whose kind nobody says: an address, a network, a URL, an e-mail address, a hash or a domain name.
func Of(text string) (Value, error) {
	b := trim([]byte(refang(URL, text)))
	k, dots, hexadecimal := Domain, 0, true
	for i, c := range b {
		switch {
		case c == '.':
			dots++
		case c == '/' && (i == 0 || !digits(b[i+1:])), c == ':' && i+2 < len(b) && b[i+1] == '/' && b[i+2] == '/':
			return New(URL, text)
		case c == '@':
			k = Email
		}
		hexadecimal = hexadecimal && hexDigit(c) >= 0
	}
	if hexadecimal && dots == 0 {
		for _, h := range []Kind{MD5, SHA1, SHA256, SHA512} {
			if len(b) == 2*h.hashSize() {
				return New(h, text)
			}
		}
	}
	if v, ok := newAddress(b); ok {
		return v, nil
	}
	v, err := New(k, text)
	if err != nil && k == Domain { // a host with a port
		if u, e := New(URL, text); e == nil && dots > 0 {
			return u, nil
		}
	}
	return v, err
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0 && len(b) < 4
}

// Text is the value as people write it. New reads it back as the same value.
func (v Value) Text() string {
	t := textOf(v.Kind, []byte(v.key))
	if v.Kind == Domain && !v.alone {
		if suffix, _ := publicsuffix.PublicSuffix(t); suffix == t {
			return "*." + t
		}
	}
	return t
}

// Key is the value as lookups look for it: see [Table.Walk].
func (v Value) Key() string { return v.key }

// Alone tells of a domain name that the names beneath it are not meant, as it is with a bare public suffix.
func (v Value) Alone() bool { return v.alone }

func textOf(k Kind, key []byte) string {
	switch k {
	case IPv4, IPv6:
		if a, ok := netip.AddrFromSlice(key); ok {
			return a.String()
		}
	case CIDR:
		if n := len(key); n > 0 {
			if a, ok := netip.AddrFromSlice(key[:n-1]); ok {
				return netip.PrefixFrom(a, int(key[n-1])).String()
			}
		}
	case MD5, SHA1, SHA256, SHA512, JA3, JA3S:
		return hex.EncodeToString(key)
	case ASN:
		if len(key) == 4 {
			return "AS" + strconv.FormatUint(uint64(binary.BigEndian.Uint32(key)), 10)
		}
	}
	return string(key)
}
