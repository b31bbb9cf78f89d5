package block

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"testing"
	"time"

	"entente/internal/indicator"
)

// Squid is asked for pages through the proxy: the names and pages of the lists are denied, others are fetched from a parent that has everything.
func TestSquidDeniesByTheLists(t *testing.T) {
	squid := program(t, "squid")
	parent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page of "+r.Host) }))
	defer parent.Close()
	at, _ := url.Parse(parent.URL)
	e := edition(t, map[indicator.Kind][]string{
		indicator.Domain: {"evil.bad-zone.com", "deep.evil.bad-zone.com"}, indicator.IPv4: {"185.199.1.7"}, indicator.CIDR: {"185.200.0.0/22", "185.200.1.0/24", "2a03:1::/40"}, indicator.IPv6: {"2a01:4f8::1"},
		indicator.URL: {"http://mixed.host-zone.org/bad?a=b*c", "https://mixed.host-zone.org/hidden"},
	})
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	user := me.Username
	if me.Uid == "0" { // a squid that root starts changes to another account, which must be able to read its files
		user = "nobody"
		for d := dir; len(d) > len(os.TempDir()); d = d[:strings.LastIndexByte(d, '/')] {
			if err := os.Chmod(d, 0o777); err != nil {
				t.Fatal(err)
			}
		}
	}
	file := func(name, content string) string {
		path := dir + "/" + name
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	conf := file("squid.conf", fmt.Sprintf(`http_port 127.0.0.1:%d
cache_peer 127.0.0.1 parent %s 0 no-query no-digest default
never_direct allow all
acl blocked_names dstdomain -n "%s"
acl blocked_addresses dst -n "%s"
acl blocked_pages url_regex "%s"
http_access deny blocked_names
http_access deny blocked_addresses
http_access deny blocked_pages
http_access allow all
cache deny all
pid_filename none
access_log none
cache_log %s/cache.log
coredump_dir %s
cache_effective_user %s
pinger_enable off
shutdown_lifetime 1 second
dns_nameservers 127.0.0.1
visible_hostname block.test
`, port, at.Port(), file("names", written(t, "squid", e)), file("addresses", written(t, "squid-addresses", e)), file("pages", written(t, "squid-urls", e)), dir, dir, user))
	if out, err := exec.CommandContext(t.Context(), squid, "-k", "parse", "-f", conf).CombinedOutput(); err != nil || strings.Contains(string(out), "ERROR") || strings.Contains(string(out), "WARNING") {
		t.Fatalf("squid -k parse: %v\n%s", err, out)
	}
	run(t, squid, "-N", "-f", conf)
	proxy, _ := url.Parse(fmt.Sprintf("http://127.0.0.1:%d", port))
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy)}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	fetch := func(page string) int {
		for until := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
			resp, err := client.Get(page)
			if err == nil {
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				return resp.StatusCode
			}
			if time.Now().After(until) {
				t.Fatalf("squid does not answer: %v", err)
			}
		}
	}
	for _, x := range []struct {
		page   string
		status int
	}{
		{"http://evil.bad-zone.com/", 403}, {"http://www.evil.bad-zone.com/a", 403}, {"http://deep.evil.bad-zone.com/", 403}, {"http://bad-zone.com/", 200}, {"http://notevil.bad-zone.com/", 200},
		{"http://mixed.host-zone.org/bad?a=b*c", 403}, {"http://mixed.host-zone.org/bad?a=bc", 200}, {"http://mixed.host-zone.org/", 200},
		{"http://185.199.1.7/", 403}, {"http://185.200.1.9/", 403}, {"http://[2a03:1::5]/", 403}, {"http://185.199.1.8/", 200},
	} {
		if got := fetch(x.page); got != x.status {
			t.Errorf("%s: %d, not %d", x.page, got, x.status)
		}
	}
}
