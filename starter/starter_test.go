package starter

import (
	"encoding/json"
	"io/fs"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"entente/label"
	"entente/outside"
)

type object = map[string]any

// The marking definitions of TLP 2.0, which every node knows by their ids.
var tlps = map[string]label.TLP{
	"marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1": label.Red,
	"marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003": label.AmberStrict,
	"marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421": label.Amber,
	"marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": label.Green,
	"marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487": label.Clear,
}

// load gives the objects of the starter set.
func load(t *testing.T) []object { return bundles(t, Files, "*.json") }

// loadAll gives those of the morning after, too, but for the one that nobody here can read.
func loadAll(t *testing.T) []object {
	return append(load(t), bundles(t, Day, "day/salt-wind.json", "day/handover.json")...)
}

func bundles(t *testing.T, from fs.FS, patterns ...string) (objects []object) {
	t.Helper()
	for _, name := range glob(t, from, patterns...) {
		raw, err := fs.ReadFile(from, name)
		if err != nil {
			t.Fatal(err)
		}
		var b struct{ Objects []object }
		if err := json.Unmarshal(raw, &b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		objects = append(objects, b.Objects...)
	}
	return objects
}

func glob(t *testing.T, from fs.FS, patterns ...string) (names []string) {
	t.Helper()
	for _, p := range patterns {
		found, err := fs.Glob(from, p)
		if err != nil || len(found) == 0 {
			t.Fatalf("no bundles %s: %v", p, err)
		}
		names = append(names, found...)
	}
	return names
}

func text(o object, key string) string {
	s, _ := o[key].(string)
	return s
}

// refs are the ids that an object names, its markings aside.
func refs(o object) []string {
	var out []string
	for key, value := range o {
		switch v := value.(type) {
		case string:
			if strings.HasSuffix(key, "_ref") {
				out = append(out, v)
			}
		case []any:
			if strings.HasSuffix(key, "_refs") && key != "object_marking_refs" {
				for _, id := range v {
					out = append(out, id.(string))
				}
			}
		}
	}
	return out
}

// What an object's markings say: the TLP of the well-known one, which every object has.
func tlp(t *testing.T, o object) label.TLP {
	t.Helper()
	var found []label.TLP
	list, _ := o["object_marking_refs"].([]any)
	for _, id := range list {
		if l, ok := tlps[id.(string)]; ok {
			found = append(found, l)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s has %d TLP markings", text(o, "id"), len(found))
	}
	return found[0]
}

func TestEveryReferenceResolves(t *testing.T) {
	objects := loadAll(t)
	known := map[string]bool{}
	for _, o := range objects {
		known[text(o, "id")] = true
	}
	for _, o := range objects {
		list, _ := o["object_marking_refs"].([]any)
		for _, id := range list {
			if _, ok := tlps[id.(string)]; !ok && !known[id.(string)] {
				t.Errorf("%s is marked by %s, which is not in the set", text(o, "id"), id)
			}
		}
		for _, id := range refs(o) {
			if !known[id] {
				t.Errorf("%s names %s, which is not in the set", text(o, "id"), id)
			}
		}
	}
}

// Whoever may have an object may have what it names, so that nothing is withheld by accident. The one note that is stricter than it
// looks is there to show what happens.
func TestOneNoteNamesWhatItsReadersMayNotHave(t *testing.T) {
	objects := load(t)
	of := map[string]label.TLP{}
	seen := map[label.TLP]int{}
	for _, o := range objects {
		l := tlp(t, o)
		of[text(o, "id")] = l
		seen[l]++
	}
	for l := label.Red; l <= label.Clear; l++ {
		if seen[l] == 0 {
			t.Errorf("no object is %s", l)
		}
	}
	var wider []string
	for _, o := range objects {
		if slices.ContainsFunc(refs(o), func(id string) bool { return of[id] < tlp(t, o) }) { // the chain counts down from RED
			wider = append(wider, text(o, "abstract"))
		}
	}
	if !slices.Equal(wider, []string{"Evening handover"}) {
		t.Errorf("these name something stricter than themselves: %q", wider)
	}
}

// The numbers that README.md promises to each kind of reader.
func TestWhatEachReaderGets(t *testing.T) {
	objects := load(t)
	of := map[string]label.TLP{}
	for _, o := range objects {
		of[text(o, "id")] = tlp(t, o)
	}
	reads := func(strictest label.TLP) int {
		got := map[string]bool{}
		for _, o := range objects {
			hidden := slices.ContainsFunc(refs(o), func(id string) bool { return of[id] < strictest })
			if tlp(t, o) >= strictest && !hidden {
				got[text(o, "id")] = true
			}
		}
		return len(got)
	}
	for _, c := range []struct {
		who       string
		strictest label.TLP
		want      int
	}{{"the own organisation", label.Red, 69}, {"a client", label.Amber, 64}, {"a member of the community", label.Green, 43}, {"anyone else", label.Clear, 28}} {
		if got := reads(c.strictest); got != c.want {
			t.Errorf("%s reads %d objects, README.md says %d", c.who, got, c.want)
		}
	}
}

// STIX 2.1 section 2.9: the id of a cyber-observable object is a UUIDv5 over RFC 8785 of its contributing properties.
func TestObservablesHaveTheirDeterministicIDs(t *testing.T) {
	namespace := uuid.MustParse("00abedb4-aa42-466c-9c01-fed23315a9b7")
	contributing := map[string][]string{
		"domain-name": {"value"}, "email-addr": {"value"}, "ipv4-addr": {"value"}, "url": {"value"}, "mutex": {"name"},
		"email-message": {"from_ref", "subject", "body"}, "file": {"hashes", "name"}, "user-account": {"account_type", "user_id", "account_login"},
		"network-traffic":      {"start", "src_ref", "dst_ref", "src_port", "dst_port", "protocols"},
		"windows-registry-key": {"key", "values"}, "software": {"name", "cpe", "swid", "vendor", "version"},
	}
	checked := 0
	for _, o := range loadAll(t) {
		if _, versioned := o["created"]; versioned {
			continue
		}
		kind := text(o, "type")
		if kind == "process" { // has none
			if id, err := uuid.Parse(strings.TrimPrefix(text(o, "id"), "process--")); err != nil || id.Version() != 4 {
				t.Errorf("%s is no UUIDv4", text(o, "id"))
			}
			continue
		}
		keys, ok := contributing[kind]
		if !ok {
			t.Fatalf("%s: say which of its properties contribute", kind)
		}
		name := object{}
		for _, key := range keys {
			if v, ok := o[key]; ok {
				name[key] = v
			}
		}
		raw, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		canonical := jsontext.Value(raw)
		if err := canonical.Canonicalize(); err != nil {
			t.Fatal(err)
		}
		if want := kind + "--" + uuid.UUID(outside.UUID5(namespace, canonical)).String(); want != text(o, "id") {
			t.Errorf("%s should be %s", text(o, "id"), want)
		}
		checked++
	}
	if checked == 0 {
		t.Fatal("no observable was checked")
	}
}

var (
	dotted = regexp.MustCompile(`\b\d{1,3}(\.\d{1,3}){3}\b`)
	colons = regexp.MustCompile(`'([0-9a-f]*:[0-9a-f:]*:[0-9a-f]*)'`)
	named  = regexp.MustCompile(`\b[a-z0-9-]+(?:\.[a-z0-9-]+)+\b`)
)

// Every address and name is one that RFC 5737, RFC 3849 and RFC 6761 set aside for documentation.
func TestOnlyReservedAddressesAndNames(t *testing.T) {
	reserved := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"),
		netip.MustParsePrefix("2001:db8::/32")}
	fileNames := []string{".exe", ".sys"}
	addresses, names := 0, 0
	var walk func(key string, v any)
	walk = func(key string, v any) {
		switch v := v.(type) {
		case object:
			for k, inner := range v {
				walk(k, inner)
			}
		case []any:
			for _, inner := range v {
				walk(key, inner)
			}
		case string:
			found := dotted.FindAllString(v, -1)
			for _, m := range colons.FindAllStringSubmatch(v, -1) {
				found = append(found, m[1])
			}
			for _, s := range found {
				a, err := netip.ParseAddr(s)
				if err != nil || !slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(a) }) {
					t.Errorf("%s: %s is not a documentation address", key, s)
				}
				addresses++
			}
			if key != "value" && key != "contact_information" && key != "pattern" && key != "body" {
				return
			}
			for _, s := range named.FindAllString(strings.ToLower(v), -1) {
				isFile := slices.ContainsFunc(fileNames, func(end string) bool { return strings.HasSuffix(s, end) })
				isPath := strings.HasPrefix(s, "value") || strings.HasSuffix(s, ".value") || strings.HasPrefix(s, "hashes") // of a pattern
				isRule := strings.Contains(v, "logsource")
				if isFile || isPath || isRule || dotted.MatchString(s) {
					continue
				}
				if !strings.HasSuffix(s, ".example") {
					t.Errorf("%s: %s is not a name under .example", key, s)
				}
				names++
			}
		}
	}
	for _, o := range loadAll(t) {
		walk("", o)
	}
	if addresses == 0 || names == 0 {
		t.Fatalf("%d addresses and %d names were looked at", addresses, names)
	}
}

// An id stands for one object; only its versions may repeat it.
func TestVersionsAreUnique(t *testing.T) {
	seen := map[[2]string]bool{}
	objects := load(t)
	for _, o := range objects {
		k := [2]string{text(o, "id"), text(o, "modified")}
		if seen[k] {
			t.Errorf("%s stands twice with the same version", k[0])
		}
		seen[k] = true
	}
	if n := len(objects); n < 40 || n > 80 {
		t.Errorf("%d objects: a starter set is small enough to read and large enough to show something", n)
	}
}
