package block

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// A resolver that reads a hosts file answers for the names in it, and only for these: hosts files have no names beneath others.
func TestDnsmasqAnswersByTheHosts(t *testing.T) {
	dnsmasq := program(t, "dnsmasq")
	program(t, "dig")
	hosts := saved(t, "hosts", written(t, "hosts", edition(t, someValues)))
	port := freePort(t)
	run(t, dnsmasq, "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--user=root", "--pid-file=", "--no-resolv", "--no-hosts", "--bind-interfaces",
		"--listen-address=127.0.0.1", "--port="+strconv.Itoa(port), "--addn-hosts="+hosts, "--server=127.0.0.1#"+strconv.Itoa(upstream(t)))
	for until := time.Now().Add(3 * time.Minute); time.Now().Before(until); time.Sleep(100 * time.Millisecond) { // it answers before it has read the file
		if _, short := dig(t, port, "evil.bad-zone.com", "A"); short == "0.0.0.0" {
			break
		}
	}
	for _, q := range []struct {
		name, typ, want string
	}{
		{"evil.bad-zone.com", "A", "0.0.0.0"},
		{"EVIL.bad-zone.com", "AAAA", "::"},
		{"deep.evil.bad-zone.com", "A", "0.0.0.0"},
		{"www.evil.bad-zone.com", "A", "93.184.215.14"},
		{"bad-zone.com", "A", "93.184.215.14"},
		{"good-site.net", "A", "93.184.215.14"},
	} {
		if status, short := dig(t, port, q.name, q.typ); status != "NOERROR" || !strings.Contains(short, q.want) {
			t.Errorf("%s %s: %s %q, not %s", q.name, q.typ, status, short, q.want)
		}
	}
}
