package input

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// running is an input that runs, whose events are gathered.
type running struct {
	t      *testing.T
	o      *Opened
	addr   string
	mu     sync.Mutex
	lines  []string
	blocks map[string]bool // whether they ended
	fail   error           // what taking says
	stop   context.CancelFunc
	done   chan error
}

func run(t *testing.T, table Table) *running {
	t.Helper()
	o, err := Open(table, Place{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, o: o, blocks: map[string]bool{}, done: make(chan error, 1)}
	ready := make(chan net.Addr, 1)
	switch s := o.Source.(type) {
	case *Datagrams:
		s.Ready = func(a net.Addr) { ready <- a }
	case *Connections:
		s.Ready = func(a net.Addr) { ready <- a }
	default:
		ready <- &net.TCPAddr{}
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	t.Cleanup(stop)
	go func() {
		r.done <- o.Source.Run(ctx, func(b *Batch) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.blocks[b.Block] {
				t.Error("a block goes on after its end")
			}
			r.blocks[b.Block] = b.Last
			for _, l := range b.Lines {
				r.lines = append(r.lines, string(l))
			}
			return r.fail
		})
	}()
	select {
	case a := <-ready:
		r.addr = a.String()
	case err := <-r.done:
		t.Fatal(err)
	}
	return r
}

// until waits until something is so.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("this did not come: " + what)
		}
	}
}

func (r *running) wait(n int) {
	r.t.Helper()
	until(r.t, fmt.Sprint(n, " lines"), func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.lines) >= n })
}

// end ends it, and gives what was said: the members of a name.
func (r *running) end(name string) (out []string) {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Fatal(err)
	}
	for _, l := range r.lines {
		var m map[string]any
		if err := json.Unmarshal([]byte(l), &m); err != nil {
			r.t.Fatal(err, l)
		}
		out = append(out, fmt.Sprint(m[name]))
	}
	for b, ended := range r.blocks {
		if !ended {
			r.t.Errorf("block %s did not end", b)
		}
	}
	return out
}

func send(t *testing.T, network, addr string, parts ...string) {
	t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if _, err := io.WriteString(c, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSyslogUDP(t *testing.T) {
	r := run(t, Table{"kind": "syslog", "listen": "127.0.0.1:0"})
	send(t, "udp", r.addr, "<13>Jan  1 00:00:01 host sshd[1]: one", "<13>1 2026-01-01T00:00:00Z h app - - - two", "\n", strings.Repeat("x", 30_000))
	r.wait(3)
	until(t, "an empty message is counted", func() bool { return r.o.Counts().Unread == 1 })
	if got := r.end("message"); got[0] != "one" || got[1] != "two" || len(got[2]) != 30_000 {
		t.Errorf("%.200v", got)
	}
	if c := r.o.Counts(); c.Lines != 3 || c.Lost != 0 || !r.o.Lossy {
		t.Errorf("%+v", c)
	}
}

// More than the rate is dropped, and every message is either taken or counted.
func TestRate(t *testing.T) {
	r := run(t, Table{"kind": "syslog", "listen": "127.0.0.1:0", "rate": 1})
	for range 20 {
		send(t, "udp", r.addr, "<13>prog: x")
	}
	until(t, "all are taken or counted", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.lines)+int(r.o.Counts().Lost) == 20 })
	if n := len(r.end("message")); n == 0 || n == 20 {
		t.Error(n)
	}
}

func TestSyslogTCP(t *testing.T) {
	r := run(t, Table{"kind": "syslog", "protocol": "tcp", "listen": "127.0.0.1:0", "longest": 1000})
	var wg sync.WaitGroup
	const senders, each = 8, 300
	for s := range senders {
		wg.Go(func() {
			text := ""
			for i := range each {
				msg := fmt.Sprintf("<13>prog: %d-%d", s, i)
				if s%2 == 0 {
					text += fmt.Sprintf("%d %s", len(msg), msg)
				} else {
					text += msg + "\n"
				}
			}
			send(t, "tcp", r.addr, text[:1000], text[1000:], strings.Repeat("<13>y", 500)+"\n")
		})
	}
	wg.Wait()
	r.wait(senders * each)
	until(t, "long ones are counted", func() bool { return r.o.Counts().Long == senders })
	send(t, "tcp", r.addr, "12345678901 x")
	until(t, "what is no syslog is counted", func() bool { return r.o.Counts().Unread == 1 })
	got := r.end("message")
	slices.Sort(got)
	if got = slices.Compact(got); len(got) != senders*each {
		t.Errorf("%d messages", len(got))
	}
}

// When nobody takes what comes any more the source ends with that error.
func TestTakingFails(t *testing.T) {
	for _, protocol := range []string{"udp", "tcp"} {
		r := run(t, Table{"kind": "syslog", "protocol": protocol, "listen": "127.0.0.1:0"})
		r.mu.Lock()
		r.fail = errFull
		r.mu.Unlock()
		send(t, protocol, r.addr, "<13>a: b\n")
		if err := <-r.done; !errors.Is(err, errFull) {
			t.Error(protocol, err)
		}
	}
}

// certificate makes one, signed by itself or by another, in files.
func certificate(t *testing.T, dir, name string, by *tls.Certificate) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: by == nil, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	parent, signer := c, any(key)
	if by != nil {
		parent, signer = by.Leaf, by.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for end, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name+end), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return &pair
}

func TestSyslogTLS(t *testing.T) {
	dir := t.TempDir()
	ca := certificate(t, dir, "ca", nil)
	certificate(t, dir, "server", ca)
	client := certificate(t, dir, "client", ca)
	stranger := certificate(t, dir, "stranger", nil)
	pool := x509.NewCertPool()
	pool.AddCert(ca.Leaf)
	table := Table{"kind": "syslog", "protocol": "tls", "listen": "127.0.0.1:0", "cert_file": dir + "/server.crt", "key_file": dir + "/server.key"}
	for _, ask := range []bool{false, true} {
		if ask {
			table["ca_file"] = dir + "/ca.crt"
		}
		r := run(t, table)
		dial := func(with *tls.Certificate) {
			cfg := &tls.Config{RootCAs: pool}
			if with != nil {
				cfg.Certificates = []tls.Certificate{*with}
			}
			c, err := tls.Dial("tcp", r.addr, cfg)
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "12 <13>p: hello")
			_ = c.Close() // it may be refused already
		}
		dial(client)
		r.wait(1)
		refused := uint64(0)
		if ask {
			dial(nil)
			dial(stranger)
			refused = 2
		} else {
			dial(nil)
			r.wait(2)
		}
		send(t, "tcp", r.addr, "12 <13>p: in clear")
		until(t, "those refused are counted", func() bool { return r.o.Counts().Errors == refused+1 })
		if got := r.end("message"); slices.ContainsFunc(got, func(m string) bool { return m != "hello" }) {
			t.Error(got)
		}
	}
}

func TestNetflow(t *testing.T) {
	r := run(t, Table{"kind": "netflow", "listen": "127.0.0.1:0"})
	packet := func(seq uint32) string {
		b := make([]byte, 24+48)
		for at, v := range map[int]any{0: uint16(5), 2: uint16(1), 8: uint32(1_700_000_000), 16: seq, 24: uint32(0x0a000001), 28: uint32(0xc6336407), 24 + 32: uint16(4711), 24 + 34: uint16(443), 24 + 38: uint8(6)} {
			n, err := binary.Encode(b[at:], binary.BigEndian, v)
			if err != nil || n == 0 {
				t.Fatal(err)
			}
		}
		return string(b)
	}
	send(t, "udp", r.addr, packet(1), "no flow", packet(5))
	r.wait(2)
	until(t, "what is missing and unread is counted", func() bool { c := r.o.Counts(); return c.Missing == 3 && c.Unread == 1 })
	if got := r.end("id.resp_h"); got[0] != "198.51.100.7" {
		t.Error(got)
	}
}

func TestStdin(t *testing.T) {
	in, out := io.Pipe()
	o, err := Open(Table{"kind": "stdin"}, Place{In: in}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	last := false
	done := make(chan error)
	go func() {
		done <- o.Source.Run(t.Context(), func(b *Batch) error {
			for _, l := range b.Lines {
				got = append(got, string(l))
			}
			last = b.Last
			return nil
		})
	}()
	for _, s := range []string{"one\r\ntw", "o\n\n", strings.Repeat("x", MaxLine+3) + "\n", "three"} {
		if _, err := io.WriteString(out, s); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(out.Close(), <-done); err != nil {
		t.Fatal(err)
	}
	if c := o.Counts(); strings.Join(got, " ") != "one two three" || !last || c.Long != 1 || c.Partial != 1 || c.Lines != 3 {
		t.Errorf("%.100q %v %+v", got, last, c)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	waiting, _ := io.Pipe()
	if err := (&Reader{In: waiting}).Run(ctx, func(*Batch) error { return nil }); err != nil {
		t.Error(err)
	}
}

// Blocks that cannot be read again end after so many lines.
func TestGather(t *testing.T) {
	n, lines := map[string]int{}, 0
	ended := map[string]bool{}
	g := newGather("x", counter(new(Counts)), func(b *Batch) error {
		n[b.Block] += len(b.Lines)
		lines += len(b.Lines)
		ended[b.Block] = b.Last
		for _, l := range b.Lines {
			if !bytes.Equal(l, []byte("line")) {
				t.Errorf("%q", l)
			}
		}
		return nil
	})
	for range 25_000 {
		if err := g.add([]byte("line")); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.flush(true); err != nil {
		t.Fatal(err)
	}
	if len(n) != 3 || lines != 25_000 || len(ended) != 3 {
		t.Error(n)
	}
	for b, e := range ended {
		if !e {
			t.Error(b, "did not end")
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	more := map[string]Opener{"kafka": func(t Table, name string, _ Place) (*Opened, error) {
		var c struct{ Brokers []string }
		if err := t.Into(&c); err != nil {
			return nil, err
		}
		return &Opened{Source: &Files{}}, nil
	}}
	for _, ok := range []Table{
		{"kind": "files", "paths": []any{"/var/log/*.json"}, "name": "Zeek/1", "format": "zeek", "once": true},
		{"kind": "stdin"}, {"kind": "netflow", "listen": ":2055"}, {"kind": "syslog", "listen": "[::]:514", "zone": "Europe/Berlin"}, {"kind": "kafka", "Brokers": []any{"a:1"}},
	} {
		o, err := Open(ok, Place{Dir: dir}, more)
		if err != nil || o.Source == nil || o.Kind != ok["kind"] {
			t.Error(ok, err)
		}
	}
	for _, bad := range []Table{
		{}, {"kind": 7}, {"kind": "post"}, {"kind": "files"}, {"kind": "files", "paths": []any{"["}}, {"kind": "files", "paths": []any{"a"}, "path": "b"}, {"kind": "files", "paths": "a"},
		{"kind": "stdin", "x": 1}, {"kind": "stdin", "format": "xml"}, {"kind": "stdin", "name": ""}, {"kind": "netflow"}, {"kind": "netflow", "listen": "a"}, {"kind": "netflow", "listen": ":1", "rate": -1}, {"kind": "netflow", "listen": ":1", "buffer": 1},
		{"kind": "syslog", "listen": ":1", "buffer": 1 << 31}, {"kind": "syslog", "listen": ":1", "protocol": "tcp", "buffer": 1 << 20},
		{"kind": "syslog"}, {"kind": "syslog", "listen": ":1", "protocol": "http"}, {"kind": "syslog", "listen": ":1", "protocol": "tls"}, {"kind": "syslog", "listen": ":1", "cert_file": "x"}, {"kind": "syslog", "listen": ":1", "longest": 1},
		{"kind": "syslog", "listen": ":1", "connections": 0}, {"kind": "syslog", "listen": ":1", "zone": "Mars"}, {"kind": "syslog", "listen": ":1", "protocol": "tls", "cert_file": dir + "/none", "key_file": dir + "/none"}, {"kind": "kafka", "x": 1},
	} {
		if _, err := Open(bad, Place{}, more); err == nil {
			t.Error("taken:", bad)
		}
	}
	if fileOf("Zeek/1") == fileOf("zeek/1") || strings.Contains(fileOf("../x"), "/") {
		t.Error("names of files")
	}
}

func BenchmarkDatagrams(b *testing.B) {
	ready := make(chan net.Addr, 1)
	var c Counts
	count := counter(&c)
	s := &Datagrams{Name: "x", Listen: "127.0.0.1:0", Counts: count, Ready: func(a net.Addr) { ready <- a }}
	var taken int
	s.Decode = Flows(count)
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx, func(b *Batch) error { taken += len(b.Lines); return nil }) }()
	conn, err := net.Dial("udp", (<-ready).String())
	if err != nil {
		b.Fatal(err)
	}
	p := make([]byte, 24+48*30)
	copy(p, []byte{0, 5, 0, 30})
	for b.Loop() {
		if _, err := conn.Write(p); err != nil {
			b.Fatal(err)
		}
	}
	stop()
	if err := errors.Join(<-done, conn.Close()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(taken)/b.Elapsed().Seconds(), "flows/s")
}
