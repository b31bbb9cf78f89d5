package block

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"entente/internal/indicator"
)

// upstream is a name server that knows every name: most have a harmless address, and those that begin with "to-" one that is blocked.
func upstream(t *testing.T) int {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 4096)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Header.Response, m.Header.RecursionAvailable = true, true
			m.Additionals, m.Answers = nil, nil
			h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
			bad := strings.HasPrefix(strings.ToLower(q.Name.String()), "to-")
			switch q.Type {
			case dnsmessage.TypeA:
				a := [4]byte{93, 184, 215, 14}
				if bad {
					a = [4]byte{185, 199, 1, 7}
				}
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: a}})
			case dnsmessage.TypeAAAA:
				a := [16]byte{0x26, 0x06, 0x28, 0, 15: 9}
				if bad {
					a = [16]byte{0x2a, 0x01, 0x04, 0xf8, 15: 1}
				}
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: a}})
			}
			if out, err := m.Pack(); err == nil {
				c.WriteTo(out, from)
			}
		}
	}()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// freePort is a port of the loopback address that nobody has for UDP and TCP, below those that a system gives away by itself: until a program listens there nobody else is given it.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 30_000 + rand.IntN(2700)
		at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		l, err := net.Listen("tcp", at)
		if err != nil {
			continue
		}
		c, err := net.ListenPacket("udp", at)
		l.Close()
		if err == nil {
			c.Close()
			return port
		}
	}
	t.Fatal("there is no port")
	return 0
}

// run starts a program of a test, which ends with it.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		log.Close()
		if b, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(name), b[:min(len(b), 4000)])
		}
	})
}

// dig asks the server of a port until it answers, and gives the status and the addresses.
func dig(t *testing.T, port int, name, typ string) (status, short string) {
	t.Helper()
	for until := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		out, err := exec.CommandContext(t.Context(), program(t, "dig"), "@127.0.0.1", "-p", strconv.Itoa(port), "+time=5", "+tries=1", "+noall", "+comments", "+answer", name, typ).Output()
		if err == nil && strings.Contains(string(out), "status: ") && !strings.Contains(string(out), "SERVFAIL") {
			_, rest, _ := strings.Cut(string(out), "status: ")
			status, _, _ = strings.Cut(rest, ",")
			for line := range strings.Lines(string(out)) {
				if f := strings.Fields(line); len(f) == 5 && f[3] == typ {
					short += f[4] + " "
				}
			}
			return status, strings.TrimSpace(short)
		}
		if time.Now().After(until) {
			t.Fatalf("no name server answers: %v\n%s", err, out)
		}
	}
}

// asked is what a name server with the zone must say.
var asked = []struct {
	name, typ string
	blocked   bool
}{
	{"evil.bad-zone.com", "A", true},
	{"www.evil.bad-zone.com", "A", true},
	{"EVIL.bad-zone.com", "AAAA", true},
	{"deep.evil.bad-zone.com", "A", true},
	{"_x.bad-zone.net", "A", true},
	{"bad-zone.com", "A", false},
	{"not-evil.bad-zone.com", "A", false},
	{"good-site.net", "A", false},
	{"good-site.net", "AAAA", false},
	{"to-bad-address.net", "A", true},
	{"to-bad-address.net", "AAAA", true},
}

// askAll asks a name server that goes by names and, unless it cannot, by the addresses of answers.
func askAll(t *testing.T, port int, addresses bool) {
	t.Helper()
	for until := time.Now().Add(3 * time.Minute); time.Now().Before(until); time.Sleep(100 * time.Millisecond) { // it answers before it has read the zone
		if status, _ := dig(t, port, asked[0].name, asked[0].typ); status == "NXDOMAIN" {
			break
		}
	}
	for _, q := range asked {
		status, short := dig(t, port, q.name, q.typ)
		if blocked := status == "NXDOMAIN"; blocked != (q.blocked && (addresses || !strings.HasPrefix(q.name, "to-"))) || !blocked && short == "" {
			t.Errorf("%s %s: %s %q, blocked should be %v", q.name, q.typ, status, short, q.blocked)
		}
	}
}

func TestBINDAnswersByTheZone(t *testing.T) {
	named, checkzone := program(t, "named"), program(t, "named-checkzone")
	program(t, "dig")
	e := edition(t, someValues)
	zone := saved(t, "rpz.zone", written(t, "rpz", e))
	if out, err := exec.CommandContext(t.Context(), checkzone, "rpz.entente.invalid", zone).CombinedOutput(); err != nil {
		t.Fatalf("named-checkzone: %v\n%s", err, out)
	}
	port := freePort(t)
	conf := saved(t, "named.conf", fmt.Sprintf(`options {
	directory %q; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none; lock-file none;
	recursion yes; dnssec-validation no; forward only; forwarders { 127.0.0.1 port %d; };
	response-policy { zone "rpz.entente.invalid"; };
};
controls { };
zone "rpz.entente.invalid" { type primary; file %q; };
`, t.TempDir(), port, upstream(t), zone))
	run(t, named, "-g", "-n", "1", "-c", conf)
	askAll(t, port, true)
}

func TestUnboundAnswersByTheZone(t *testing.T) {
	unbound := program(t, "unbound")
	program(t, "dig")
	zone := saved(t, "rpz.zone", written(t, "rpz", edition(t, someValues)))
	port := freePort(t)
	conf := saved(t, "unbound.conf", fmt.Sprintf(`server:
	module-config: "respip iterator"
	interface: 127.0.0.1
	port: %d
	do-daemonize: no
	use-syslog: no
	logfile: ""
	username: ""
	chroot: ""
	directory: %q
	pidfile: ""
	do-not-query-localhost: no
	access-control: 127.0.0.0/8 allow
remote-control:
	control-enable: no
forward-zone:
	name: "."
	forward-addr: 127.0.0.1@%d
rpz:
	name: rpz.entente.invalid
	zonefile: %q
`, port, t.TempDir(), upstream(t), zone))
	run(t, unbound, "-d", "-c", conf)
	askAll(t, port, true)
}

func TestPowerDNSRecursorAnswersByTheZone(t *testing.T) {
	recursor := program(t, "pdns_recursor")
	program(t, "dig")
	zone := saved(t, "rpz.zone", written(t, "rpz", edition(t, someValues)))
	port, dir := freePort(t), t.TempDir()
	lua := saved(t, "recursor.lua", fmt.Sprintf("rpzFile(%q, {policyName = \"rpz.entente.invalid\"})\n", zone))
	run(t, recursor, "--config-dir="+dir, "--socket-dir="+dir, "--daemon=no", "--write-pid=no", "--disable-syslog", "--setuid=", "--setgid=", "--chroot=", "--threads=1", "--dnssec=off",
		"--local-address=127.0.0.1", "--local-port="+strconv.Itoa(port), "--dont-query=", "--forward-zones-recurse=.=127.0.0.1:"+strconv.Itoa(upstream(t)), "--lua-config-file="+lua)
	askAll(t, port, true)
}

// Knot Resolver looks at names alone.
func TestKnotResolverAnswersByTheZone(t *testing.T) {
	kresd := program(t, "kresd")
	program(t, "dig")
	zone := saved(t, "rpz.zone", written(t, "rpz", edition(t, someValues)))
	port := freePort(t)
	conf := saved(t, "kresd.conf", fmt.Sprintf(`net.listen('127.0.0.1', %d, { kind = 'dns' })
trust_anchors.remove('.')
cache.size = 1 * MB
policy.add(policy.rpz(policy.DENY, %q))
policy.add(policy.all(policy.FORWARD({'127.0.0.1@%d'})))
`, port, zone, upstream(t)))
	run(t, kresd, "-n", "-c", conf, t.TempDir())
	askAll(t, port, false)
}

// Every address has the owner name that named itself would give it: it refuses others as not canonical.
func TestOwnerNamesOfAddresses(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":             "32.1.2.0.192.rpz-ip",
		"185.200.0.0/22":        "22.0.0.200.185.rpz-ip",
		"2001:db8::1":           "128.1.zz.db8.2001.rpz-ip",
		"2001:db8:0:1:1:1:1:1":  "128.1.1.1.1.1.0.db8.2001.rpz-ip",
		"2001:db8::1:0:0:1":     "128.1.0.0.1.zz.db8.2001.rpz-ip",
		"2001:0:0:1::1":         "128.1.zz.1.0.0.2001.rpz-ip",
		"2a03:1::/40":           "40.zz.1.2a03.rpz-ip",
		"::1":                   "128.1.zz.rpz-ip",
		"ffff:ffff:ffff::/48":   "48.zz.ffff.ffff.ffff.rpz-ip",
		"1:2:3:4:5:6:7:8":       "128.8.7.6.5.4.3.2.1.rpz-ip",
		"2001:0:1:0:1:0:1:0":    "128.0.1.0.1.0.1.0.2001.rpz-ip",
		"2001:db8:0:0:1:0:0:42": "128.42.0.0.1.zz.db8.2001.rpz-ip",
	} {
		if got := zoneAddress(in); got != want {
			t.Errorf("%s: %s, not %s", in, got, want)
		}
	}
	e := edition(t, map[indicator.Kind][]string{indicator.IPv6: {"2001:db8::1", "2001:db8:0:1:1:1:1:1", "2001:db8::1:0:0:1", "2001:0:0:1::1", "2a02::", "2001:0:1:0:1:0:1:0", "2001:db8:0:0:1:0:0:42"}})
	zone := saved(t, "rpz.zone", written(t, "rpz", e))
	if out, err := exec.CommandContext(t.Context(), program(t, "named-checkzone"), "rpz.entente.invalid", zone).CombinedOutput(); err != nil {
		t.Fatalf("named-checkzone: %v\n%s", err, out)
	}
}
