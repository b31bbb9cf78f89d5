package input

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pelletier/go-toml/v2"

	"entente/internal/fault"
	"entente/internal/syslog"
)

// Table is one [[input]] of a configuration, as TOML has it. What it may say besides kind, name and format its kind knows.
type Table map[string]any

// Into reads the table into a configuration with toml names: strictly, so that a name that is not known is told. The names kind, name and format are left to [Open].
func (t Table) Into(v any) error {
	rest := maps.Clone(t)
	for _, name := range []string{"kind", "name", "format"} {
		delete(rest, name)
	}
	b, err := toml.Marshal(map[string]any(rest))
	if err != nil {
		return fault.New(fault.Invalid, "input.config", "an input cannot be read: %v", err)
	}
	d := toml.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		var unknown *toml.StrictMissingError
		if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
			return fault.New(fault.Invalid, "input.config", "%q is nothing that an input of kind %v has", strings.Join(unknown.Errors[0].Key(), "."), t["kind"])
		}
		return fault.New(fault.Invalid, "input.config", "an input of kind %v cannot be read: %v", t["kind"], err)
	}
	return nil
}

// Place is where an input lives.
type Place struct {
	Dir string    // for what it keeps; empty: nothing is kept, and nothing is made: the configuration is only looked at
	In  io.Reader // the standard input
}

// Opened is an input that can run.
type Opened struct {
	Name   string
	Kind   string
	Format string // auto, json or zeek
	Source Source
	Lossy  bool          // what comes cannot wait: what finds no room is lost and counted
	Counts func() Counts // so far; nil: it counts nothing
	Lag    func() int64  // what waits; negative, or nil: nobody knows

	Failing func() string // what fails now, where the source tries again by itself; nil: nothing
}

// Opener makes an input of one kind: it reads the table, says what is wrong with it, and does not begin anything.
type Opener func(t Table, name string, p Place) (*Opened, error)

// maxName bounds names, so that fileOf a name can be one of a file.
const maxName = 80

// kinds are those of this package.
var kinds = map[string]Opener{"files": openFiles, "stdin": openStdin, "syslog": openSyslog, "netflow": openNetflow}

// Open makes an input of a table. More are kinds that others bring.
func Open(t Table, p Place, more map[string]Opener) (*Opened, error) {
	word := func(name string, otherwise string) (string, error) {
		v, ok := t[name]
		if !ok {
			return otherwise, nil
		}
		s, ok := v.(string)
		if !ok {
			return "", fault.New(fault.Invalid, "input.config", "%s of an input is a text, not %v", name, v)
		}
		return s, nil
	}
	kind, err := word("kind", "")
	if err != nil {
		return nil, err
	}
	open := kinds[kind]
	if open == nil {
		open = more[kind]
	}
	if open == nil {
		known := slices.Sorted(maps.Keys(kinds))
		known = append(known, slices.Sorted(maps.Keys(more))...)
		return nil, fault.New(fault.Invalid, "input.kind", "%q is no kind of input: it is one of %s", kind, strings.Join(known, ", "))
	}
	name, err := word("name", kind)
	if err != nil {
		return nil, err
	}
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		return nil, fault.New(fault.Invalid, "input.name", "the name of an input has 1 to %d bytes, not %q", maxName, name)
	}
	format, err := word("format", "auto")
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"auto", "json", "zeek"}, format) {
		return nil, fault.New(fault.Invalid, "input.format", "the format of input %q is auto, json or zeek, not %q", name, format)
	}
	o, err := open(t, name, p)
	if err != nil {
		return nil, err
	}
	o.Name, o.Kind, o.Format = name, kind, format
	return o, nil
}

// tally is what counts, and what says how much.
func tally() (change func(func(*Counts)), now func() Counts) {
	var mu sync.Mutex
	var c Counts
	return func(f func(*Counts)) { mu.Lock(); defer mu.Unlock(); f(&c) },
		func() Counts { mu.Lock(); defer mu.Unlock(); return c }
}

// FilesConfig is an input of files.
type FilesConfig struct {
	Paths []string `toml:"paths"` // patterns, or directories
	Once  bool     `toml:"once"`  // read each to its end, and end
}

func openFiles(t Table, name string, p Place) (*Opened, error) {
	var c FilesConfig
	if err := t.Into(&c); err != nil {
		return nil, err
	}
	if len(c.Paths) == 0 || len(c.Paths) > 1000 {
		return nil, fault.New(fault.Invalid, "input.paths", "input %q names 1 to 1000 paths", name)
	}
	for _, path := range c.Paths {
		if _, err := filepath.Match(path, ""); err != nil || path == "" {
			return nil, fault.New(fault.Invalid, "input.paths", "%q of input %q is no pattern of files", path, name)
		}
	}
	count, counts := tally()
	s := &Files{Patterns: c.Paths, Follow: !c.Once, Counts: count}
	if p.Dir != "" {
		var err error
		if s.Marks, err = OpenCheckpoints(filepath.Join(p.Dir, fileOf(name)+".json")); err != nil {
			return nil, err
		}
	}
	return &Opened{Source: s, Counts: counts, Lag: s.Lag, Failing: s.Failing}, nil
}

// fileOf is a name of a file for a name that may have anything in it.
func fileOf(name string) string {
	var out strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' {
			out.WriteByte(c)
		} else {
			out.WriteString("_" + string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]))
		}
	}
	return out.String()
}

func openStdin(t Table, name string, p Place) (*Opened, error) {
	if err := t.Into(&struct{}{}); err != nil {
		return nil, err
	}
	if p.In == nil {
		p.In = os.Stdin
	}
	count, counts := tally()
	return &Opened{Source: &Reader{Name: name, In: p.In, Counts: count}, Counts: counts}, nil
}

// SyslogConfig is an input of syslog.
type SyslogConfig struct {
	Listen      string `toml:"listen"`      // host:port
	Protocol    string `toml:"protocol"`    // udp, tcp or tls
	Cert        string `toml:"cert_file"`   // PEM, of tls
	Key         string `toml:"key_file"`    // PEM, of tls
	CA          string `toml:"ca_file"`     // PEM: senders show a certificate that one of these signed; empty: none is asked for
	Longest     int    `toml:"longest"`     // bytes of a message; 64 KiB
	Connections int    `toml:"connections"` // at once; 256
	Rate        int    `toml:"rate"`        // messages a second: of UDP over all, more are dropped; of TCP of one connection, more wait; 0: all
	Buffer      int    `toml:"buffer"`      // of UDP: bytes that the system is asked to hold of what comes faster than it is read
	Zone        string `toml:"zone"`        // of times that name none; UTC
}

func openSyslog(t Table, name string, _ Place) (*Opened, error) {
	c := SyslogConfig{Protocol: "udp", Longest: 64 << 10, Connections: 256, Zone: "UTC"}
	if err := t.Into(&c); err != nil {
		return nil, err
	}
	wrong := func(code, text string, more ...any) error {
		return fault.New(fault.Invalid, "input."+code, "input %q: "+text, append([]any{name}, more...)...)
	}
	zone, err := time.LoadLocation(c.Zone)
	switch {
	case !address(c.Listen):
		return nil, wrong("listen", "listen is host:port, not %q", c.Listen)
	case !slices.Contains([]string{"udp", "tcp", "tls"}, c.Protocol):
		return nil, wrong("protocol", "protocol is udp, tcp or tls, not %q", c.Protocol)
	case c.Protocol == "tls" && (c.Cert == "" || c.Key == ""):
		return nil, wrong("tls", "tls needs cert_file and key_file")
	case c.Protocol != "tls" && (c.Cert != "" || c.Key != "" || c.CA != ""):
		return nil, wrong("tls", "%s has no certificates", c.Protocol)
	case c.Longest < 480 || c.Longest > MaxLine/2:
		return nil, wrong("longest", "longest is 480 to %d bytes, not %d", MaxLine/2, c.Longest)
	case c.Connections < 1 || c.Connections > 10_000:
		return nil, wrong("connections", "connections are 1 to 10000, not %d", c.Connections)
	case c.Rate < 0 || c.Rate > 100_000_000:
		return nil, wrong("rate", "rate is 0 to 100000000 messages a second, not %d", c.Rate)
	case c.Buffer != 0 && c.Protocol != "udp":
		return nil, wrong("buffer", "%s has no buffer: its senders wait", c.Protocol)
	case !buffered(c.Buffer):
		return nil, wrong("buffer", "buffer is %d to %d bytes, not %d", minBuffer, maxBuffer, c.Buffer)
	case err != nil:
		return nil, wrong("zone", "%q is no zone of time that is known here", c.Zone)
	}
	count, counts := tally()
	parser := syslog.Parser{Zone: zone}
	if c.Protocol == "udp" {
		s := &Datagrams{Name: name, Listen: c.Listen, Decode: Syslog(&parser, count), Rate: c.Rate, Buffer: c.Buffer, Counts: count}
		return &Opened{Source: s, Lossy: true, Counts: counts, Failing: s.Failing}, nil
	}
	s := &Connections{Name: name, Listen: c.Listen, Parser: parser, Longest: c.Longest, Most: c.Connections, Rate: c.Rate, Counts: count}
	if c.Protocol == "tls" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, wrong("tls", "the certificate cannot be used: %v", err)
		}
		s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
		if c.CA != "" {
			text, err := os.ReadFile(c.CA)
			if err != nil {
				return nil, wrong("tls", "ca_file cannot be read: %v", err)
			}
			s.TLS.ClientCAs, s.TLS.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
			if !s.TLS.ClientCAs.AppendCertsFromPEM(text) {
				return nil, wrong("tls", "%s has no certificate in it", c.CA)
			}
		}
	}
	return &Opened{Source: s, Counts: counts}, nil
}

// NetflowConfig is an input of NetFlow and IPFIX.
type NetflowConfig struct {
	Listen string `toml:"listen"` // host:port
	Rate   int    `toml:"rate"`   // packets a second; more are dropped; 0: all
	Buffer int    `toml:"buffer"` // bytes that the system is asked to hold of what comes faster than it is read
}

func openNetflow(t Table, name string, _ Place) (*Opened, error) {
	var c NetflowConfig
	if err := t.Into(&c); err != nil {
		return nil, err
	}
	switch {
	case !address(c.Listen):
		return nil, fault.New(fault.Invalid, "input.listen", "input %q: listen is host:port, not %q", name, c.Listen)
	case c.Rate < 0 || c.Rate > 100_000_000:
		return nil, fault.New(fault.Invalid, "input.rate", "input %q: rate is 0 to 100000000 packets a second, not %d", name, c.Rate)
	case !buffered(c.Buffer):
		return nil, fault.New(fault.Invalid, "input.buffer", "input %q: buffer is %d to %d bytes, not %d", name, minBuffer, maxBuffer, c.Buffer)
	}
	count, counts := tally()
	s := &Datagrams{Name: name, Listen: c.Listen, Decode: Flows(count), Rate: c.Rate, Buffer: c.Buffer, Counts: count}
	return &Opened{Source: s, Lossy: true, Counts: counts, Failing: s.Failing}, nil
}

// Bounds of the room that the system is asked for.
const (
	minBuffer = maxPacket + 1
	maxBuffer = 1 << 30
)

func buffered(n int) bool { return n == 0 || n >= minBuffer && n <= maxBuffer }

func address(s string) bool {
	_, port, err := net.SplitHostPort(s)
	return err == nil && port != ""
}
