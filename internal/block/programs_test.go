package block

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/internal/indicator"
)

// now is the moment of the editions of these tests.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// edition is an edition of values, each with one source.
func edition(t testing.TB, values map[indicator.Kind][]string) *Edition {
	t.Helper()
	e := &Edition{Serial: 7, Time: now, Nation: "UTO", Org: "uto.cert", Realm: "operational", Config: DefaultConfig()}
	for _, k := range Kinds {
		for _, text := range values[k] {
			v, err := indicator.New(k, text)
			if err != nil {
				t.Fatal(err)
			}
			e.Entries = append(e.Entries, Entry{Kind: v.Kind, Value: strings.TrimPrefix(v.Text(), "*."), Beneath: k == indicator.Domain && !v.Alone(), Until: now.Add(30 * 24 * time.Hour),
				Sources: []Source{{ID: "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", Origin: "USA/us.cert", Via: "peer:USA", Accord: "five", TLP: "TLP:GREEN", PAP: "PAP:GREEN", Confidence: 80}}})
		}
	}
	sortEntries(e.Entries)
	return e
}

var someValues = map[indicator.Kind][]string{
	indicator.IPv4:   {"185.199.1.7", "185.200.1.1", "185.201.0.9"},
	indicator.IPv6:   {"2a01:4f8::1", "2a01:4f8:0:1:0:0:0:2", "2a02::"},
	indicator.CIDR:   {"185.200.0.0/22", "185.200.0.0/23", "2a03:1::/40"},
	indicator.Domain: {"evil.bad-zone.com", "deep.evil.bad-zone.com", "_x.bad-zone.net"},
	indicator.URL:    {"http://phish.bad-zone.org/login?a=b*c", "https://phish.bad-zone.org/x"},
}

// written is a file of a format.
func written(t testing.TB, format string, e *Edition) string {
	t.Helper()
	s, err := Select(format, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := render(&b, e, s, e.Time); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// program skips a test where a program is not installed.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if path := filepath.Join(dir, name); dir != "" {
			if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
				return path
			}
		}
	}
	t.Skipf("%s is not installed: this format is not loaded into it here", name)
	return ""
}

func saved(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// nft is run in a network of its own, so that nothing of the machine's changes.
func nft(t *testing.T, script string) (string, error) {
	t.Helper()
	nft := program(t, "nft")
	unshare := program(t, "unshare")
	if err := exec.Command(unshare, "-rn", nft, "list", "tables").Run(); err != nil {
		t.Skipf("no network namespace of one's own can be made here: %v", err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, unshare, "-rn", "sh", "-c", script)
	cmd.Env = append(os.Environ(), "NFT="+nft)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestNFTLoadsTheSets(t *testing.T) {
	e := edition(t, someValues)
	e.Entries[0].Until = time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)
	e.Entries[1].Until = time.Time{}
	file := saved(t, "block.nft", written(t, "nft", e))
	if out, err := nft(t, `"$NFT" -c -f `+file); err != nil {
		t.Fatalf("nft -c -f: %v\n%s", err, out)
	}
	// Loaded twice, as a timer does; and asked for what is in it.
	out, err := nft(t, `"$NFT" -f `+file+` && "$NFT" -f `+file+` && "$NFT" list table inet entente && "$NFT" get element inet entente block4 '{ 185.200.1.1 }'`)
	if err != nil {
		t.Fatalf("nft -f: %v\n%s", err, out)
	}
	for _, want := range []string{"185.199.1.7 timeout 365d", "185.200.0.0/22", "2a01:4f8::1", "2a03:1::/40", "indicator--8e2e2d2b"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in what nft has:\n%s", want, out)
		}
	}
	if out, err := nft(t, `"$NFT" -f `+file+` && "$NFT" get element inet entente block4 '{ 185.199.1.8 }'`); err == nil {
		t.Errorf("an address that is not listed is in the set:\n%s", out)
	}
}
