package testnet_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"entente/accord"
	"entente/internal/ledger"
	"entente/internal/testnet"
	"entente/label"
	"entente/peer"
)

// routes are the routes of the peer server, each with what the observer asks there. A route without a row fails TestEveryRouteOfTheWire.
var routes = map[string]func(w *run, s *script){
	"GET /fed/v1/hello": func(w *run, _ *script) { w.ask("GET", "/fed/v1/hello", "", nil) },
	"GET /fed/v1/logs": func(w *run, _ *script) {
		w.ask("GET", "/fed/v1/logs", "", nil)
		w.ask("GET", "/fed/v1/logs?all=1", "", nil)
		for _, caller := range []string{"", "NOB"} { // nobody, and who is no partner
			w.write("logs as "+caller, ask(w.giver.Handler(caller), "GET", "/fed/v1/logs", "", nil))
		}
	},
	"GET /fed/v1/log/{name}": func(w *run, s *script) {
		for _, origin := range w.mine {
			name := strings.TrimPrefix(origin, peer.OriginPrefix)
			for _, q := range []string{"?limit=1", "?from=1&known=1&limit=2", "?from=99999", "?from=x", "?from=1&from=2"} {
				w.ask("GET", "/fed/v1/log/"+name+q, "", nil)
			}
			w.write("another's log", ask(w.giver.Handler("OTH"), "GET", "/fed/v1/log/"+name, "", nil))
		}
		for _, origin := range w.others[s.place] { // whoever heard the name of another's log learns nothing by it
			for _, q := range []string{"", "?from=1", "?from=99999"} {
				w.ask("GET", "/fed/v1/log/"+strings.TrimPrefix(origin, peer.OriginPrefix)+q, "", nil)
			}
		}
	},
	"GET /fed/v1/stream": func(w *run, _ *script) {
		w.ask("GET", "/fed/v1/stream?since=x", "", nil)
		w.ask("GET", "/fed/v1/stream?until=1", "", nil)
	},
	"GET /fed/v1/keylog": func(w *run, _ *script) {
		for _, q := range []string{"", "?nation=" + giver, "?nation=" + observer, "?nation=OTH", "?nation=THI", "?nation=NOB", "?from=1", "?from=99"} {
			w.ask("GET", "/fed/v1/keylog"+q, "", nil)
		}
	},
	"POST /fed/v1/ack": func(w *run, s *script) {
		w.ask("POST", "/fed/v1/ack", "application/json", []byte(`{"logs":[]}`))
		w.ask("POST", "/fed/v1/ack", "application/json", []byte(`{`))
		for _, origin := range append(slices.Clone(w.others[s.place]), peer.OriginPrefix+strings.Repeat("a", 20)) {
			w.ask("POST", "/fed/v1/ack", "application/json", fmt.Appendf(nil, `{"logs":[{"origin":%q}]}`, origin))
			w.ask("POST", "/fed/v1/ack", "application/json", fmt.Appendf(nil, `{"logs":[{"origin":%q,"receipts":["e30="]}]}`, origin))
		}
	},
	"POST /fed/v1/push": func(w *run, _ *script) {
		w.ask("POST", "/fed/v1/push", peer.BatchMedia, []byte("no batch"))
		w.ask("POST", "/fed/v1/push", "text/plain", nil)
	},
	"POST /fed/v1/heads": func(w *run, _ *script) {
		w.ask("POST", "/fed/v1/heads", "application/json", []byte(`{}`))
		w.ask("POST", "/fed/v1/heads", "application/json", []byte(`{"logs":["e30="],"keylogs":[{"origin":"keylog:THI","size":1,"root":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}`))
		w.ask("POST", "/fed/v1/heads", "application/json", []byte(`{`))
	},
	"POST /fed/v1/reconcile": askReconcile,
	"POST /fed/v1/{document}": func(w *run, s *script) {
		for _, document := range []peer.Offered{peer.OfferAccord, peer.OfferNotice, peer.OfferKeys, peer.OfferProof, "other"} {
			w.ask("POST", "/fed/v1/"+string(document), "application/octet-stream", []byte("{}"))
		}
		// An accord of the same name as one that the observer has no part in, and what it says of it.
		text := testnet.Treaty{Name: s.secret, Parties: []string{giver, observer}, Gives: []testnet.Give{{Kinds: []string{"malware"}, Ceiling: label.Green}}}.Text()
		b := testnet.Bundle(w.t, text, observer)
		w.ask("POST", "/fed/v1/accord", "application/octet-stream", b.Bytes())
		n := accord.Notice{Accord: b.Digest(), Verb: accord.Suspend, Party: observer, At: w.clock.Now()}
		e, err := n.Sign(testnet.Realm, testnet.Signer(w.t, observer))
		if err != nil {
			w.t.Error(err)
			return
		}
		w.ask("POST", "/fed/v1/notice", "application/octet-stream", e.Bytes())
	},
	"POST /fed/v1/relay/{name}": func(w *run, _ *script) {
		for _, q := range []string{"", "?to=org:OTH/x", "?to=x"} {
			w.ask("POST", "/fed/v1/relay/"+strings.Repeat("A", 20)+q, peer.SealedMedia, []byte("no batch"))
		}
	},
	"POST /fed/v1/relay/done/{name}": func(w *run, s *script) {
		for _, origin := range append(slices.Clone(w.others[s.place]), peer.OriginPrefix+strings.Repeat("A", 20)) {
			for _, q := range []string{"", "?before=9", "?before=x"} {
				w.ask("POST", "/fed/v1/relay/done/"+strings.TrimPrefix(origin, peer.OriginPrefix)+q, "application/octet-stream", nil)
			}
		}
	},
	"GET /fed/v1/relay/{name}": func(w *run, s *script) {
		for _, origin := range append(slices.Clone(w.others[s.place]), peer.OriginPrefix+strings.Repeat("A", 20)) {
			for _, of := range []string{giver, "OTH", "NOB", "x"} {
				w.ask("GET", "/fed/v1/relay/"+strings.TrimPrefix(origin, peer.OriginPrefix)+"?of="+of, "", nil)
			}
		}
	},
	"GET /fed/v1/relay/logs": func(w *run, _ *script) {
		for _, q := range []string{"", "?of=" + giver, "?of=OTH", "?of=x"} {
			w.ask("GET", "/fed/v1/relay/logs"+q, "", nil)
		}
	},
	"GET /fed/v1/relay/stream": func(w *run, _ *script) {
		for _, q := range []string{"", "?of=" + giver + "&since=x", "?of=OTH"} {
			w.ask("GET", "/fed/v1/relay/stream"+q, "", nil)
		}
	},
	"POST /fed/v1/relay/mail/{nation}": func(w *run, _ *script) {
		for _, nation := range []string{giver, "OTH", "NOB", "x"} {
			w.ask("POST", "/fed/v1/relay/mail/"+nation, "application/octet-stream", []byte("words"))
		}
	},
	"GET /fed/v1/relay/mail": func(w *run, _ *script) {
		for _, q := range []string{"", "?after=1", "?after=x"} {
			w.ask("GET", "/fed/v1/relay/mail"+q, "", nil)
		}
	},
	"POST /fed/v1/relay/keys": func(w *run, _ *script) {
		for _, q := range []string{"", "?to=OTH", "?to=x"} {
			w.ask("POST", "/fed/v1/relay/keys"+q, "application/octet-stream", []byte("{}"))
		}
	},
	"GET /fed/v1/relay/keys": func(w *run, _ *script) {
		for _, q := range []string{"", "?nation=" + giver, "?nation=OTH", "?nation=NOB"} {
			w.ask("GET", "/fed/v1/relay/keys"+q, "", nil)
		}
	},
	"/": func(w *run, _ *script) {
		for _, r := range []string{"GET /", "GET /fed/v1/", "GET /fed/v2/hello", "GET /fed/v1/object/x", "DELETE /fed/v1/logs", "PUT /fed/v1/push", "GET /fed/v1/accord"} {
			method, path, _ := strings.Cut(r, " ")
			w.ask(method, path, "", nil)
		}
	},
}

// askEverything has the observer ask at every route. What it asks is the same in both runs.
func (w *run) askEverything(s *script) {
	if w.hidden {
		logs, err := w.giver.Ledger.Logs(context.Background(), ledger.Filter{Own: true})
		if err != nil {
			w.t.Error(err)
		}
		var fresh []string
		for _, g := range logs {
			if !w.asked[g.Origin] {
				w.asked[g.Origin] = true
				fresh = append(fresh, g.Origin)
			}
		}
		slices.Sort(fresh)
		w.others = append(w.others, fresh)
	}
	for _, route := range slices.Sorted(maps.Keys(routes)) {
		fmt.Fprintf(&w.log, "-- %s\n", route)
		routes[route](w, s)
	}
}

// TestEveryRouteOfTheWire: a route that nobody asks in two runs is not there.
func TestEveryRouteOfTheWire(t *testing.T) {
	source, err := os.ReadFile("../../peer/server.go")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^\t\t"((?:[A-Z]+ )?/[^"]*)":`).FindAllStringSubmatch(string(source), -1)
	if len(found) < 9 {
		t.Fatalf("only %d routes were found", len(found))
	}
	for _, m := range found {
		if routes[m[1]] == nil {
			t.Errorf("%s has no row: say what the observer asks there", m[1])
		}
	}
	if len(found) != len(routes) {
		t.Errorf("there are %d rows for %d routes", len(routes), len(found))
	}
}
