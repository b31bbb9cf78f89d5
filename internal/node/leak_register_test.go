package node

import (
	"net/url"
	"strings"

	"entente/register"
)

// hiddenConstituent is in the register of one world only.
const hiddenConstituent = register.Type + "--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"

// fillRegister gives the register what a partner may not know of.
func (w *leakWorld) fillRegister() {
	review, err := w.admin.ImportConstituents(w.t.Context(), strings.NewReader(`{"id":"`+hiddenConstituent+`","name":"`+hiddenAccount+` Harbour","sectors":["transportation"],`+
		`"networks":[{"range":"198.51.100.0/24"}],"domains":[{"name":"evil.example","include_subdomains":true}],"contacts":[{"name":"`+hiddenAccount+`","email":"desk@evil.example"}]}`),
		url.Values{"format": {"json"}})
	w.must(err)
	if review.Added != 1 {
		w.t.Fatalf("%+v", review)
	}
}

// registerScript asks the register of constituents, which is nobody's but the own organisation's.
func registerScript(reading, changing leakScript) {
	const base = "/api/v1/constituents"
	plain := func(method, body string, paths ...string) func(*session) {
		return func(s *session) {
			for _, p := range paths {
				s.ask(method, base+p, body)
			}
		}
	}
	one := func(suffix string) []string {
		return []string{"/" + hiddenConstituent + suffix, "/" + register.Type + "--8e2e2d2b-17d4-4cbf-938f-000000000000" + suffix, "/nonsense" + suffix}
	}
	reading["api GET /constituents"] = func(s *session) {
		for _, q := range []string{"", "q=harbour", "value=198.51.100.3", "value=www.evil.example", "sector=transportation", "sector=none", "all=true", "limit=0", "next=AAAA", "nonsense=1"} {
			s.get(base + "?" + q)
		}
		s.ask("HEAD", base, "")
		s.ask("PATCH", base, "")
		// The register is made of records: nothing of them is found by the doors of records.
		for _, q := range []string{"type=constituent&version=all", "type=extension-definition", "id=" + hiddenConstituent, "id=" + register.DefinitionID, "id=" + register.AuthorID, "ref=" + register.AuthorID,
			"name=" + hiddenAccount + "+harbour", "value=evil.example"} {
			s.page("/api/v1/objects?" + q)
		}
		for _, id := range []string{hiddenConstituent, register.DefinitionID, register.AuthorID} {
			for _, suffix := range []string{"", "/raw", "/versions", "/why"} {
				s.get("/api/v1/objects/" + id + suffix)
			}
		}
	}
	reading["api GET /constituents/match"] = plain("GET", "", "/match?value=198.51.100.3", "/match?value=evil.example&value=x", "/match")
	reading["api GET /constituents/verify"] = plain("GET", "", "/verify")
	reading["api GET /constituents/export"] = plain("GET", "", "/export", "/export?format=csv", "/export?format=xml")
	reading["api GET /constituents/{id}"] = plain("GET", "", one("")...)
	reading["api GET /constituents/{id}/versions"] = plain("GET", "", one("/versions")...)
	changing["api POST /constituents"] = plain("POST", `{"name":"`+hiddenAccount+` Harbour"}`, "", " Idempotency-Key: k", " Idempotency-Key: k")
	changing["api POST /constituents/import"] = plain("POST", "constituent,value\nx,198.51.100.0/24\n", "/import", "/import?format=csv&dry_run=true", "/import?format=none")
	changing["api PUT /constituents/{id}"] = plain("PUT", `{"name":"x","modified":"2026-01-01T00:00:00.000Z"}`, one("")...)
	changing["api DELETE /constituents/{id}"] = plain("DELETE", "", one("")...)
}
