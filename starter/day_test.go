package starter

import (
	"encoding/json"
	"io/fs"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"entente/label"
)

var (
	host    = regexp.MustCompile(`[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}`)
	network = regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b|\b2001:[0-9a-f:]+`)
	phone   = regexp.MustCompile(`\+[0-9][0-9 ]{5,}`)
)

// Everything of the morning after stands in names, addresses and telephone numbers that belong to nobody: RFC 2606, RFC 5737, RFC 3849, and the code 999, which
// ITU-T E.164 gives to no country.
func TestTheMorningAfterBelongsToNobody(t *testing.T) {
	files, hosts, addresses, phones := 0, 0, 0, 0
	err := fs.WalkDir(Day, "day", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) == ".md" {
			return err
		}
		raw, err := fs.ReadFile(Day, name)
		if err != nil {
			return err
		}
		files++
		for _, s := range network.FindAllString(string(raw), -1) {
			addresses++
			a, err := netip.ParseAddr(s)
			if err != nil || !slices.ContainsFunc([]string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"}, func(p string) bool { return netip.MustParsePrefix(p).Contains(a) }) {
				t.Errorf("%s: %s is not a documentation address", name, s)
			}
		}
		for _, s := range host.FindAllString(strings.ToLower(string(raw)), -1) {
			hosts++
			own := slices.Contains([]string{".json", ".txt", ".exe", ".value"}, path.Ext(s)) || strings.HasSuffix(s, "hashes") // files and paths of patterns
			if !own && !strings.HasSuffix(s, ".example") {
				t.Errorf("%s: %s is not a name under .example", name, s)
			}
		}
		for _, s := range phone.FindAllString(string(raw), -1) {
			phones++
			if !strings.HasPrefix(s, "+999 ") {
				t.Errorf("%s: %s may be somebody's number", name, s)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 9 || hosts < 20 || addresses < 20 || phones < 8 {
		t.Fatalf("%d files, %d hosts, %d addresses and %d numbers were looked at", files, hosts, addresses, phones)
	}
}

// The register shows what a register is for: somebody to call at any hour, several languages, one of them written from right to left, and no two constituents
// with the same network.
func TestConstituentsDiffer(t *testing.T) {
	raw, err := fs.ReadFile(Day, "day/constituents.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []struct {
		Name      string
		Languages []string
		Contacts  []struct{ Hours struct{ Always bool } }
		Networks  []struct{ Range netip.Prefix }
		Domains   []struct{ Name string }
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	languages, always := map[string]bool{}, 0
	var taken []netip.Prefix
	for _, c := range all {
		if len(c.Languages) == 0 || len(c.Contacts) == 0 || len(c.Networks) == 0 || len(c.Domains) == 0 {
			t.Errorf("%s lacks a language, a contact, a network or a domain", c.Name)
			continue
		}
		languages[c.Languages[0]] = true
		if c.Contacts[0].Hours.Always {
			always++
		}
		for _, n := range c.Networks {
			if slices.ContainsFunc(taken, n.Range.Overlaps) {
				t.Errorf("%s: %s is somebody else's, too", c.Name, n.Range)
			}
			taken = append(taken, n.Range)
		}
	}
	if len(all) != 6 || len(languages) < 4 || !languages["ar"] || always == 0 || always == len(all) {
		t.Errorf("%d constituents, the languages %v, %d who are always there", len(all), languages, always)
	}
}

// What the register's owner may tell a client is never stricter than what it tells of: the report of the morning reaches clients with all that it names.
func TestTheReportReachesWhomItConcerns(t *testing.T) {
	of := map[string]label.TLP{}
	all := loadAll(t)
	for _, o := range all {
		of[text(o, "id")] = tlp(t, o)
	}
	for _, o := range bundles(t, Day, "day/salt-wind.json", "day/handover.json") {
		for _, id := range refs(o) {
			if of[id] < tlp(t, o) {
				t.Errorf("%s names %s, which its readers may not have", text(o, "id"), id)
			}
		}
	}
}
