package node

import (
	"net/url"
	"strings"
)

// apiScript asks the native interface.
func apiScript(reading, changing leakScript) {
	const base = "/api/v1"
	plain := func(method, body string, paths ...string) func(*session) {
		return func(s *session) {
			for _, p := range paths {
				s.ask(method, base+p, body)
			}
		}
	}
	collections := []string{"", "collection=open", "collection={open}", "collection=vault", "collection={vault}", "collection={foreign}", "collection=box", "collection=nowhere"}
	filters := []string{"type=indicator", "type=report,relationship,grouping&version=all", "version=all", "version=first", "version=" + third, "tlp=red", "tlp=amber,amber%2Bstrict", "spec=2.0", "added_after=2020-01-01",
		"ref=" + fixedID("indicator", 1000), "ref=" + fixedID("indicator", 2), "ref=" + fixedID("identity", 1), "value=198.51.100.3", "name=shared+1", "name=withheld", "name=second+version", "external=nothing:1",
		"id=" + strings.Join(probed()[:14], ","), "id=" + strings.Join(probed()[14:], ",") + "&version=all", "value=198.51.100.3&tlp=green", "ref=" + fixedID("indicator", 2) + "&ref=" + fixedID("indicator", 1000)}
	reading["api GET /objects"] = func(s *session) {
		for _, c := range collections {
			s.page(base + "/objects?" + c)
		}
		for _, f := range filters {
			s.page(base + "/objects?" + f)
			s.get(base + "/objects?headers=true&collection=open&" + f)
		}
		for _, bad := range []string{"limit=0", "next=AAAA", "version=x", "tlp=blue", "headers=perhaps", "nonsense=1", "added_after=x"} {
			s.get(base + "/objects?" + bad)
		}
		s.ask("HEAD", base+"/objects", "")
		s.ask("PUT", base+"/objects", "")
	}
	reading["api GET /export"] = func(s *session) {
		for _, format := range []string{"format=bundle", "format=ndjson", "format=misp", "format=csv"} {
			for _, c := range collections {
				s.get(base + "/export?" + format + "&" + c)
			}
			for _, f := range filters {
				s.get(base + "/export?" + format + "&" + f)
			}
		}
	}
	each := func(suffix string, queries ...string) func(*session) {
		return func(s *session) {
			for _, id := range probed() {
				for _, q := range queries {
					s.get(base + "/objects/" + id + suffix + "?" + q)
				}
			}
		}
	}
	one := append([]string{"version=first", "version=all", "version=" + second, "version=" + third}, collections[:5]...)
	reading["api GET /objects/{id}"] = each("", one...)
	reading["api GET /objects/{id}/raw"] = each("/raw", one...)
	reading["api GET /objects/{id}/versions"] = func(s *session) {
		for _, id := range probed() {
			s.page(base + "/objects/" + id + "/versions")
		}
	}
	reading["api GET /objects/{id}/why"] = each("/why", "", "org="+url.QueryEscape(freedonia), "org="+url.QueryEscape(ruritania)+"&nation=RUR")
	reading["api GET /objects/{id}/holders"] = each("/holders", "")

	reading["api GET /blobs"] = func(s *session) {
		s.page(base + "/blobs")
		for _, bad := range []string{"limit=0", "next=AAAA", "nonsense=1"} {
			s.get(base + "/blobs?" + bad)
		}
		s.ask("HEAD", base+"/blobs", "")
		s.ask("PATCH", base+"/blobs", "")
	}
	blobs := []string{"/blobs/{openblob}", "/blobs/{ownblob}", "/blobs/{otherblob}", "/blobs/nothing", "/blobs/" + fixedID("indicator", 1000)}
	ofBlobs := func(suffix string) (out []string) {
		for _, b := range blobs {
			out = append(out, b+suffix)
		}
		return out
	}
	reading["api GET /blobs/{id}"] = plain("GET", "", blobs...)
	reading["api GET /blobs/{id}/content"] = plain("GET", "", append(ofBlobs("/content"), ofBlobs("/content?zip=perhaps")...)...)
	reading["api GET /blobs/{id}/holders"] = plain("GET", "", ofBlobs("/holders")...)
	changing["api POST /blobs/{id}/purge"] = plain("POST", "", ofBlobs("/purge")...)
	changing["api DELETE /blobs/{id}"] = plain("DELETE", "", blobs[1:]...)
	changing["api POST /blobs"] = func(s *session) {
		for _, q := range []string{"", "name=mine&label=tlp:red", "name=mine&label=tlp:red", "label=tlp:clear&sample=true", "label=blue", "sample=perhaps"} {
			s.ask("POST", base+"/blobs?"+q, hiddenContent)
			s.w.tick()
		}
	}

	reading["api GET /objects/{id}/blobs"] = each("/blobs", one...)
	reading["api GET /me"] = plain("GET", "", "/me")
	reading["api GET /version"] = plain("GET", "", "/version")
	reading["api GET /openapi.json"] = plain("GET", "", "/openapi.json", "/openapi.json?all=true")
	reading["api GET /stats"] = plain("GET", "", "/stats")
	reading["api GET /config"] = plain("GET", "", "/config")
	reading["api GET /journal"] = plain("GET", "", "/journal", "/journal?limit=1", "/journal?sort=newest&limit=1", "/journal?actor=local&verb=object,user&until=2999-01-01", "/journal?next=AAAA")
	reading["api GET /backup"] = plain("GET", "", "/backup")
	reading["api GET /collections"] = plain("GET", "", "/collections", "/collections?all=true", "/collections?root=api", "/collections?root=freedonia", "/collections?root=nowhere")
	names := []string{"/open", "/{open}", "/vault", "/{vault}", "/{foreign}", "/box", "/nowhere"}
	named := func(prefix string) (out []string) {
		for _, n := range names {
			out = append(out, prefix+n)
		}
		return out
	}
	reading["api GET /collections/{name}"] = plain("GET", "", named("/collections")...)
	reading["api GET /roots"] = plain("GET", "", "/roots", "/roots?all=true")
	reading["api GET /users"] = plain("GET", "", "/users", "/users?limit=1")
	reading["api GET /tokens"] = plain("GET", "", "/tokens", "/tokens?limit=1")
	reading["api GET /certificates"] = plain("GET", "", "/certificates", "/certificates?limit=1")
	reading["api GET /orgs"] = plain("GET", "", "/orgs")
	reading["api GET /communities"] = plain("GET", "", "/communities")
	reading["api GET /feeds"] = plain("GET", "", "/feeds")
	reading["api GET /feeds/{name}"] = plain("GET", "", "/feeds/vault", "/feeds/none")
	reading["api GET /quarantine"] = func(s *session) { s.page(base + "/quarantine") }
	reading["api GET /quarantine/{id}"] = func(s *session) {
		for _, id := range append(probed(), "AAAA") {
			s.get(base + "/quarantine/" + id)
		}
	}

	// What a partner may not do at all is refused before anything is looked for.
	changing["api POST /collections"] = plain("POST", `{"title":"x","alias":"vault","read":[],"write":[]}`, "/collections")
	changing["api PUT /collections/{name}"] = plain("PUT", `{"title":"x","read":[],"write":[]}`, named("/collections")...)
	changing["api DELETE /collections/{name}"] = plain("DELETE", "", named("/collections")...)
	changing["api POST /roots"] = plain("POST", `{"path":"freedonia","title":"x"}`, "/roots")
	changing["api POST /users"] = plain("POST", `{"name":"`+hiddenAccount+`0","roles":["reader"],"password":"`+leakPassword+`"}`, "/users")
	changing["api PATCH /users/{name}"] = plain("PATCH", `{"disabled":true}`, "/users/"+hiddenAccount+"0", "/users/nobody")
	changing["api DELETE /users/{name}"] = plain("DELETE", "", "/users/"+hiddenAccount+"0", "/users/nobody")
	changing["api POST /tokens"] = plain("POST", `{"name":"mine","roles":["reader"]}`, "/tokens", "/tokens Idempotency-Key: k", "/tokens Idempotency-Key: k")
	changing["api DELETE /tokens/{id}"] = plain("DELETE", "", "/tokens/AAAAAAAAAAAAAAAA")
	changing["api POST /certificates"] = plain("POST", `{"name":"mine","roles":["reader"]}`, "/certificates")
	changing["api DELETE /certificates/{id}"] = plain("DELETE", "", "/certificates/AAAA")
	changing["api POST /orgs"] = plain("POST", `{"name":"`+freedonia+`"}`, "/orgs")
	changing["api PUT /orgs/{name}"] = plain("PUT", `{"nation":"FRE"}`, "/orgs/"+url.PathEscape(freedonia), "/orgs/none")
	changing["api DELETE /orgs/{name}"] = plain("DELETE", "", "/orgs/"+url.PathEscape(freedonia), "/orgs/none")
	changing["api PUT /communities/{name}"] = plain("PUT", `{"members":[]}`, "/communities/allies", "/communities/none")
	changing["api DELETE /communities/{name}"] = plain("DELETE", "", "/communities/allies", "/communities/none")
	changing["api POST /feeds/{name}/run"] = plain("POST", "", "/feeds/vault/run?dry_run=true", "/feeds/vault/run", "/feeds/none/run")
	decide := func(verb string) func(*session) {
		return func(s *session) {
			for _, id := range append(probed(), "AAAA") {
				s.ask("POST", base+"/quarantine/"+id+"/"+verb, `{}`)
			}
		}
	}
	changing["api POST /quarantine/{id}/release"] = decide("release")
	changing["api POST /quarantine/{id}/refuse"] = decide("refuse")
	changing["api POST /objects/{id}/purge"] = func(s *session) {
		for _, id := range probed() {
			s.ask("POST", base+"/objects/"+id+"/purge", "")
			s.ask("POST", base+"/objects/"+id+"/purge?dry_run=true", "")
		}
	}
	changing["api DELETE /objects/{id}"] = func(s *session) {
		for _, id := range probed() {
			for _, q := range []string{"", "collection=vault", "collection={foreign}", "collection=box", "collection=shown", "collection=open&version=" + third, "collection=open&version=first", "collection=open"} {
				s.ask("DELETE", base+"/objects/"+id+"?"+q, "")
			}
		}
	}
	// The keys of two nodes are random and never alike: they are asked for in a way that whoever may see them is told what is wrong with it.
	reading["api GET /keys"] = plain("GET", "", "/keys?x=1")
	reading["api GET /keys/log"] = plain("GET", "", "/keys/log?x=1")
	reading["api GET /card"] = plain("GET", "", "/card?address=x")
	reading["api GET /peers"] = plain("GET", "", "/peers")
	reading["api GET /peers/{nation}"] = plain("GET", "", "/peers/FRE", "/peers/NONE")
	changing["api POST /keys/rotate"] = plain("POST", `{"role":"node"}`, "/keys/rotate")
	changing["api POST /keys/{id}/revoke"] = plain("POST", `{"reason":"r"}`, "/keys/x/revoke")
	changing["api POST /keys/{id}/compromise"] = plain("POST", `{"from":"2026-01-01T00:00:00Z","reason":"r"}`, "/keys/x/compromise")
	changing["api PUT /keys/{id}/address"] = plain("PUT", `{"address":"x:1"}`, "/keys/x/address")
	reading["api GET /keys/qr"] = plain("GET", "", "/keys/qr?x=1")
	changing["api POST /keys/requests"] = plain("POST", "", "/keys/requests?x=1")
	changing["api POST /keys/requests/review"] = plain("POST", "{}", "/keys/requests/review")
	changing["api POST /keys/admit"] = plain("POST", "{}", "/keys/admit")
	changing["api POST /keys/join"] = plain("POST", "{}", "/keys/join")
	changing["api POST /keys/drafts"] = plain("POST", `{"role":"node","hours":-1}`, "/keys/drafts")
	changing["api POST /peers"] = plain("POST", "{}", "/peers?nation=FRE&fingerprint=x")
	changing["api POST /peers/review"] = plain("POST", "{}", "/peers/review")
	changing["api DELETE /peers/{nation}"] = plain("DELETE", "", "/peers/FRE", "/peers/NONE")
	reading["api GET /bundles"] = plain("GET", "", "/bundles?x=1")
	reading["api GET /bundles/key"] = plain("GET", "", "/bundles/key?x=1")
	reading["api GET /bundles/{nation}/file"] = plain("GET", "", "/bundles/FRE/file", "/bundles/NONE/file")
	reading["api POST /bundles/verify"] = plain("POST", "x", "/bundles/verify")
	changing["api POST /bundles"] = plain("POST", `{"nation":"NON"}`, "/bundles")
	changing["api POST /bundles/key"] = plain("POST", "x", "/bundles/key")
	changing["api POST /bundles/import"] = plain("POST", "x", "/bundles/import?x=1")
	changing["api POST /bundles/ack"] = plain("POST", `{"words":"x"}`, "/bundles/ack")
	reading["api GET /accords"] = plain("GET", "", "/accords")
	reading["api GET /accords/{name}"] = plain("GET", "", "/accords/uto-rur", "/accords/none?version=1&lang=de")
	reading["api GET /accords/{name}/file"] = plain("GET", "", "/accords/uto-rur/file", "/accords/none/file")
	reading["api GET /releases"] = plain("GET", "", "/releases")
	reading["api POST /releases/review"] = plain("POST", `{"key":"none"}`, "/releases/review")
	reading["api GET /releases/file"] = plain("GET", "", "/releases/file?key=none")
	reading["api GET /relay"] = plain("GET", "", "/relay")
	reading["api GET /links"] = plain("GET", "", "/links")
	reading["api GET /alarms"] = plain("GET", "", "/alarms")
	reading["api GET /links/{nation}/logs"] = plain("GET", "", "/links/RUR/logs", "/links/NONE/logs")
	reading["api GET /proofs"] = plain("GET", "", "/proofs")
	reading["api GET /proofs/{id}"] = plain("GET", "", "/proofs/none")
	reading["api GET /proofs/{id}/file"] = plain("GET", "", "/proofs/none/file")
	reading["api POST /proofs/verify"] = plain("POST", "{}", "/proofs/verify")
	changing["api POST /proofs/{id}/settlement"] = plain("POST", `{"reason":"r"}`, "/proofs/none/settlement")
	changing["api POST /links/{nation}/retry"] = plain("POST", "", "/links/FRE/retry", "/links/NONE/retry")
	reading["api GET /objects/{id}/simulation"] = each("/simulation", "", "accord=uto-rur", "accord=none", "accord=uto-rur&version=1")
	reading["api POST /objects/{id}/simulation"] = func(s *session) {
		for _, id := range probed() {
			s.ask("POST", base+"/objects/"+id+"/simulation", "accord")
		}
	}
	reading["api GET /objects/{id}/given"] = each("/given", "")
	changing["api POST /accords"] = plain("POST", "accord", "/accords")
	changing["api POST /accords/review"] = plain("POST", "accord", "/accords/review")
	changing["api POST /accords/new"] = plain("POST", `{"kind":"bilateral","name":"uto-rur","parties":["UTO","RUR"],"from":"2026-01-01"}`, "/accords/new")
	changing["api POST /accords/{name}/sign"] = plain("POST", "", "/accords/uto-rur/sign", "/accords/none/sign")
	changing["api POST /accords/{name}/notice"] = plain("POST", `{"verb":"suspend"}`, "/accords/uto-rur/notice", "/accords/none/notice")
	changing["api POST /releases/decide"] = plain("POST", `{"key":"none","sign":true}`, "/releases/decide")
	changing["api POST /objects/{id}/share"] = func(s *session) {
		for _, id := range probed() {
			s.ask("POST", base+"/objects/"+id+"/share", `{"accord":"uto-rur","dry_run":true}`)
			s.ask("POST", base+"/objects/"+id+"/share", `{"with":["RUR"]}`)
		}
	}
	changing["api POST /objects/{id}/retract"] = func(s *session) {
		for _, id := range probed() {
			s.ask("POST", base+"/objects/"+id+"/retract", `{"reason":"r"}`)
		}
	}
	decisionScript(reading, changing, plain)
	blockScript(reading, plain)
	reading["api GET /lists"] = plain("GET", "", "/lists")
	changing["api POST /lists/reload"] = plain("POST", "", "/lists/reload")
	reading["api GET /lists/check"] = plain("GET", "", "/lists/check?value=198.51.100.3", "/lists/check?value=8.8.8.8&type=any", "/lists/check")
	reading["api GET /lists/taxonomies"] = plain("GET", "", "/lists/taxonomies", "/lists/taxonomies?q=tlp")
	reading["api GET /lists/galaxies"] = plain("GET", "", "/lists/galaxies", "/lists/galaxies?q=shared&limit=1")
	reading["api GET /objects/{id}/warnings"] = each("/warnings", one...)
	changing["api POST /objects/{id}/label"] = func(s *session) {
		for _, id := range probed() {
			s.ask("POST", base+"/objects/"+id+"/label?dry_run=true", `{"label":"tlp:clear"}`)
			s.ask("POST", base+"/objects/"+id+"/label", `{"label":"tlp:red"}`)
		}
	}
	reading["api POST /review"] = func(s *session) {
		for _, value := range []string{"198.51.100.3", "198.51.100[.]4", "evil.example", "CVE-2024-3400"} {
			s.ask("POST", base+"/review", "it beacons to "+value)
		}
		s.ask("POST", base+"/review", "["+strings.Join(redefined(), ",")+"]")
	}
	changing["api POST /objects"] = func(s *session) {
		all := "[" + strings.Join(written(), ",") + "]"
		for _, q := range []string{"collection=open", "", "collection={open}&default=tlp:green", "collection=vault", "collection={vault}", "collection={foreign}", "collection=shown", "collection=box", "label=tlp:red", "label=blue", "via=Nonsense"} {
			s.ask("POST", base+"/objects?"+q, all)
		}
		s.ask("POST", base+"/objects?collection=open", "["+strings.Join(redefined(), ",")+"]")
		for _, body := range []string{"", "{", `[{"id":"` + fixedID("indicator", 1000) + `"}]`} {
			s.ask("POST", base+"/objects?collection=open", body)
		}
	}
}
