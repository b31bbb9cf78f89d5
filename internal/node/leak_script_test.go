package node

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"entente/internal/surface/api"
	"entente/internal/surface/console"
	"entente/internal/surface/mispapi"
	"entente/label"
	"entente/taxii"
)

// leakScript says for every route what a viewer asks of it. What the routes are is read from the code: one that has no row, and a row
// that is no route, fail the test. The rows of changing are asked after all others, and then the others once more.
type leakScript map[string]func(*session)

func leakScripts() (reading, changing leakScript) {
	reading, changing = leakScript{}, leakScript{}
	taxiiScript(reading, changing)
	apiScript(reading, changing)
	findingScript(reading)
	registerScript(reading, changing)
	alertScript(reading, changing)
	streamScript(reading)
	nodeScript(reading)
	personScript(reading, changing)
	sensorScript(reading, changing)
	return reading, changing
}

// leakRoutes are all routes of a node.
func leakRoutes(n *Node) (routes []string) {
	for _, m := range n.mounts {
		switch m.pattern {
		case "/taxii2/":
			for _, e := range taxii.Endpoints() {
				method, path, _ := strings.Cut(e, " ")
				routes = append(routes, "taxii "+method+" "+path)
			}
		case "/api/v1/":
			for _, r := range api.Routes() {
				routes = append(routes, "api "+r.Method+" "+r.Path)
			}
		case "/auth/":
			for _, pattern := range console.SignInRoutes() {
				routes = append(routes, "auth "+pattern)
			}
		case "/":
			for _, pattern := range console.Routes() {
				routes = append(routes, "console "+pattern)
			}
		case mispapi.Prefix: // TestMISPAnswersDoNotDependOnWhatIsHidden asks every action
		default:
			routes = append(routes, "node "+m.pattern)
		}
	}
	return routes
}

// TestEveryRouteHasALeakScript fails the build for a route that nobody asks what it leaks.
func TestEveryRouteHasALeakScript(t *testing.T) {
	reading, changing := leakScripts()
	w := newLeakWorld(t, func(string) bool { return true })
	routes := leakRoutes(w.n)
	seen := map[string]bool{}
	for _, r := range routes {
		seen[r] = true
		if reading[r] == nil && changing[r] == nil {
			t.Errorf("%s: nobody asks what it leaks. Give it a row in taxiiScript, apiScript or nodeScript: its usual, extreme and forbidden uses, "+
				"with ids of hidden things, by a viewer who may not know of them", r)
		}
	}
	for _, s := range []leakScript{reading, changing} {
		for r := range s {
			if !seen[r] {
				t.Errorf("%s has a leak script and is no route", r)
			}
		}
	}
	if len(routes) < 50 {
		t.Errorf("only %d routes were found", len(routes))
	}
}

// probed are ids of things hidden from the partner, of visible ones and of nothing at all.
func probed() []string {
	return []string{fixedID("indicator", 2), fixedID("indicator", 1000), fixedID("indicator", 1002), fixedID("malware", 3001), fixedID("relationship", 2000), fixedID("grouping", 2100),
		fixedID("indicator", 70), fixedID("tool", 80), fixedID("tool", 81), fixedID("report", 110), fixedID("report", 111), fixedID("report", 112), fixedID("report", 52), fixedID("identity", 1),
		fixedID("campaign", 60), fixedID("campaign", 63), fixedID("marking-definition", 61), fixedID("marking-definition", 901), fixedID("tool", 120), fixedID("tool", 122),
		fixedID("tool", 123), "ipv4-addr--" + addressUUID, fixedID("indicator", 50), fixedID("tool", 777), "nonsense", marked(label.Green)}
}

const longAgo = "added_after=2020-01-01T00:00:00Z"

func taxiiScript(reading, changing leakScript) {
	at := func(key string, ask func(s *session, base string)) func(*session) {
		return func(s *session) {
			for _, base := range []string{"/taxii2/api/collections/open", "/taxii2/api/collections/{open}"} {
				ask(s, base)
			}
			if s.w.as("").auth == nil || key == "" {
				return
			}
			for _, c := range []string{"api/collections/vault", "api/collections/{vault}", "freedonia/collections/open", "freedonia/collections/{foreign}", "api/collections/{foreign}", "api/collections/box", "nowhere/collections/open"} {
				s.get("/taxii2/" + c + "/" + key)
			}
		}
	}
	filters := []string{"match[type]=indicator", "match[type]=malware,report,relationship", "match[type]=campaign", "match[spec_version]=2.1", "match[spec_version]=2.0", longAgo, "added_after=2027-01-01T00:00:00Z",
		"match[version]=all", "match[version]=first", "match[version]=first,last", "match[version]=last", "match[version]=" + second, "match[version]=" + third, "match[version]=2026-01-15T00:00:00.000Z",
		"match[id]=" + strings.Join(probed()[:14], ","), "match[id]=" + strings.Join(probed()[14:24], ",") + "&match[version]=all", "match[type]=indicator&match[version]=all&" + longAgo}
	list := func(name string) func(*session) {
		return at(name, func(s *session, base string) {
			s.page(base + "/" + name)
			for _, f := range filters {
				s.page(base + "/" + name + "?" + strings.NewReplacer("[", "%5B", "]", "%5D").Replace(f))
			}
			for _, bad := range []string{"?limit=0", "?limit=x", "?next=AAAA", "?match%5Bversion%5D=never", "?added_after=yesterday", "?limit=99999999999"} {
				s.get(base + "/" + name + bad)
			}
			s.ask("HEAD", base+"/"+name+"?limit=2", "")
			s.ask("HEAD", base+"/"+name, "")
			s.ask("PUT", base+"/"+name, "{}")
			s.get(base + "/" + name + " Accept: text/html")
		})
	}
	reading["taxii GET {root}/collections/{collection}/objects/"] = list("objects/")
	reading["taxii GET {root}/collections/{collection}/manifest/"] = list("manifest/")
	reading["taxii GET {discovery}"] = func(s *session) { s.get("/taxii2/"); s.get("/taxii2"); s.ask("HEAD", "/taxii2/", "") }
	reading["taxii GET {root}/"] = func(s *session) {
		for _, r := range []string{"api", "freedonia", "nowhere"} {
			s.get("/taxii2/" + r + "/")
			s.get("/taxii2/" + r)
			s.ask("HEAD", "/taxii2/"+r+"/", "")
		}
	}
	reading["taxii GET {root}/status/{id}/"] = func(s *session) {
		for _, p := range []string{"api/status/{status}/", "freedonia/status/{status}/", "api/status/{mine}/", "api/status/nonsense/", "api/status/0c234567-89ab-4cde-8fff-0123456789ab/"} {
			s.get("/taxii2/" + p)
			s.ask("HEAD", "/taxii2/"+p, "")
		}
	}
	reading["taxii GET {root}/collections/"] = func(s *session) {
		for _, r := range []string{"api", "freedonia", "nowhere"} {
			s.get("/taxii2/" + r + "/collections/")
			s.ask("HEAD", "/taxii2/"+r+"/collections/", "")
		}
	}
	reading["taxii GET {root}/collections/{collection}/"] = at("", func(s *session, base string) {
		s.get(base + "/")
		for _, c := range []string{"api/collections/vault", "api/collections/{vault}", "api/collections/{shown}", "api/collections/box", "freedonia/collections/open", "freedonia/collections/{foreign}", "api/collections/{foreign}", "api/collections/nowhere"} {
			s.get("/taxii2/" + c + "/")
			s.ask("HEAD", "/taxii2/"+c+"/", "")
			s.ask("DELETE", "/taxii2/"+c+"/", "")
		}
	})
	object := func(suffix string) func(*session) {
		return at("objects/"+fixedID("indicator", 2)+"/"+suffix, func(s *session, base string) {
			for _, id := range probed() {
				path := base + "/objects/" + id + "/" + suffix
				s.get(path)
				s.ask("HEAD", path, "")
				if strings.HasSuffix(base, "open") {
					continue // the rest is the same by id
				}
				s.page(path + "?match%5Bversion%5D=all")
				for _, q := range []string{"match[version]=first", "match[version]=last,first", "match[version]=" + second, "match[version]=" + third, "match[spec_version]=2.0", "added_after=2027-01-01T00:00:00Z", longAgo} {
					s.get(path + "?" + strings.NewReplacer("[", "%5B", "]", "%5D").Replace(q))
				}
			}
		})
	}
	reading["taxii GET {root}/collections/{collection}/objects/{object}/"] = object("")
	reading["taxii GET {root}/collections/{collection}/objects/{object}/versions/"] = object("versions/")
	changing["taxii POST {root}/collections/{collection}/objects/"] = postScript
	changing["taxii DELETE {root}/collections/{collection}/objects/{object}/"] = func(s *session) {
		for _, id := range probed() {
			for _, c := range []string{"api/collections/vault", "freedonia/collections/open", "api/collections/shown", "api/collections/box"} {
				s.ask("DELETE", "/taxii2/"+c+"/objects/"+id+"/", "")
			}
			for _, q := range []string{"?match%5Bversion%5D=" + third, "?match%5Bspec_version%5D=2.0", "?match%5Bversion%5D=first", ""} {
				s.ask("DELETE", "/taxii2/api/collections/{open}/objects/"+id+"/"+q, "")
			}
			s.ask("DELETE", "/taxii2/api/collections/open/objects/"+id+"/", "")
		}
	}
}

// written are objects that collide with hidden things in every way there is.
func written() []string {
	green, clear, red := marked(label.Green), marked(label.Clear), marked(label.Red)
	out := []string{
		sdo("indicator", 1000, "Mine under a hidden id", clear, first), sdo("indicator", 1001, "Mine under a hidden id", red, first), sdo("malware", 3001, "Mine too", "", first),
		sdo("tool", 120, "As one in quarantine", green, first), sdo("tool", 123, "As one in quarantine", green, first), sdo("campaign", 60, "As one under embargo", clear, first),
		sdo("campaign", 63, "As one that is gone", clear, first), sdo("tool", 122, "As one that was purged", clear, first), report(111, "As one that is withheld", green, first, fixedID("indicator", 1)),
		report(111, "As one that is withheld, by another", green, second, fixedID("indicator", 1)), relationship(2000, fixedID("indicator", 0), fixedID("indicator", 1), green),
		report(110, "As a withheld version", green, second, fixedID("indicator", 2)), report(112, "Another withheld one", clear, first, fixedID("indicator", 2)),
		sdo("indicator", 70, "As a hidden version", green, third), sdo("indicator", 70, "As a hidden version", green, zeroth), sdo("tool", 81, "Between", green, "2026-01-15T00:00:00.000Z"),
		sdo("indicator", 70, "Second version", green, second), sdo("indicator", 70, "Second version with other content", green, second),
		sdo("malware", 90, "After a hidden one", green, "2026-04-01T00:00:00.000Z", `"created_by_ref":"`+fixedID("identity", 1)+`"`),
		address("198.51.100.3", green), address("198.51.100.3", red), sdo("identity", 1, "The author is me", green, first),
		sdo("infrastructure", 800, "Names hidden things", green, first, `"created_by_ref":"`+fixedID("identity", 1)+`"`), relationship(801, fixedID("indicator", 1000), fixedID("malware", 3001), green),
	}
	for i, marking := range []string{fixedID("marking-definition", 61), fixedID("marking-definition", 901), fixedID("marking-definition", 900), fixedID("marking-definition", 999), fixedID("marking-definition", 902)} {
		out = append(out, sdo("tool", 810+i, "Marked", marking, first))
	}
	return append(out, sdo("tool", 820, "Broken", green, "yesterday"))
}

// redefined are definitions of the partner's own under the ids of hidden markings, for after it has used those.
func redefined() (out []string) {
	for i, n := range []int{61, 900, 901, 902} {
		out = append(out, fmt.Sprintf(`{"type":"marking-definition","spec_version":"2.1","id":%q,"created":%q,"definition_type":"statement","definition":{"statement":"mine %d"},"object_marking_refs":[%q]}`,
			fixedID("marking-definition", n), first, i, marked(label.Green)))
	}
	return out
}

func postScript(s *session) {
	post := func(collection string, objects ...string) {
		got := s.ask("POST", "/taxii2/"+collection+"/objects/", `{"objects":[`+strings.Join(objects, ",")+`]}`)
		if got.Code == 202 {
			id := firstID(got.Body.String())
			s.get("/taxii2/api/status/" + id + "/")
		}
	}
	post("api/collections/{open}", written()...)
	for _, o := range append(written(), redefined()...) { // again, one by one: duplicates and conflicts with the own ones now
		post("api/collections/open", o)
	}
	for _, c := range []string{"api/collections/vault", "api/collections/{vault}", "freedonia/collections/open", "freedonia/collections/{foreign}", "api/collections/shown", "api/collections/box", "api/collections/nowhere"} {
		post(c, written()[0], written()[5])
	}
	for _, body := range []string{"", "{", `{"objects":[]}`, `{"objects":[{}]}`, `{"objects":[{"id":"` + fixedID("indicator", 1000) + `"}]}`} {
		s.ask("POST", "/taxii2/api/collections/open/objects/", body)
		s.ask("POST", "/taxii2/api/collections/vault/objects/", body)
	}
}

// nodeScript asks what is neither TAXII nor the native interface.
func nodeScript(reading leakScript) {
	all := func(paths ...string) func(*session) {
		return func(s *session) {
			for _, p := range paths {
				for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
					s.ask(method, p, "")
				}
			}
		}
	}
	reading["node GET /metrics"] = all("/metrics")
	reading["node GET /healthz"] = all("/healthz")
	reading["node GET /readyz"] = all("/readyz")
	reading["console GET /{$}"] = all("/")
	reading["console GET /app/"] = all("/app/", "/app/search?q="+hiddenAccount+"0", "/app/objects/"+fixedID("indicator", 1000))
	reading["console GET /assets/{file}"] = all("/assets/index.js", "/assets/"+hiddenAccount+"0")
	reading["console GET /NOTICES.txt"] = all("/NOTICES.txt")
	reading["console GET /style.css"] = all("/style.css")
	reading["console GET /setup/{code}"] = all("/setup/AAAA", "/setup/"+hiddenAccount+"0")
	reading["console POST /setup/{code}"] = func(s *session) {
		s.ask("POST", "/setup/AAAA", url.Values{"name": {hiddenAccount + "0"}, "password": {leakPassword}, "again": {leakPassword}}.Encode())
	}
	reading["node /feeds/misp/"] = func(s *session) {
		for _, name := range []string{"all", "open", "{open}", "vault", "{vault}", "{foreign}", "box", "nowhere"} {
			for _, file := range []string{"manifest.json", "hashes.csv", "nothing", ""} {
				all("/feeds/misp/" + name + "/" + file)(s)
			}
			for _, n := range []int{110, 111, 112, 52, 2100, 777} {
				_, id, _ := strings.Cut(fixedID("report", n), "--")
				s.get("/feeds/misp/" + name + "/" + id + ".json")
			}
		}
		all("/feeds/misp/", "/feeds/misp/all", "/feeds/misp/all/../all/manifest.json", "/feeds/misp/all/manifest.json?x=1")(s)
	}
	reading["console /"] = all("/objects", "/"+hiddenAccount+"0", "/console/vault")
}
