package node

// personScript asks what is for people with a browser: a partner has neither a session nor a right over others'.
func personScript(reading, changing leakScript) {
	const base = "/api/v1"
	plain := func(method, body string, paths ...string) func(*session) {
		return func(s *session) {
			for _, p := range paths {
				s.ask(method, p, body)
			}
		}
	}
	json := func(path string, bodies ...string) func(*session) {
		return func(s *session) {
			for _, body := range bodies {
				s.ask("POST", path+" Content-Type: application/json", body)
				s.ask("POST", path, body)
			}
			s.ask("GET", path, "")
		}
	}
	ghost := hiddenAccount + "~AAAAAAAAAAAAAAAA"
	reading["auth GET /auth/options"] = plain("GET", "", "/auth/options", "/auth/none", "/auth/")
	changing["auth POST /auth/password"] = json("/auth/password", `{"name":"`+hiddenAccount+`","password":"not the password"}`, `{"name":"nobody","password":"not the password"}`, `{}`, `{`, "")
	changing["auth POST /auth/totp"] = json("/auth/totp", `{"ticket":"AAAA","code":"123456"}`, `{"code":7}`)
	changing["auth POST /auth/change"] = json("/auth/change", `{"ticket":"AAAA","password":"not the password"}`, `[]`)
	changing["auth POST /auth/out"] = json("/auth/out", "", "{}")

	changing["auth POST /auth/passkey/begin"] = json("/auth/passkey/begin", "{}")
	changing["auth POST /auth/passkey/finish"] = json("/auth/passkey/finish", `{"ticket":"AAAA","credential":{"id":"AAAA"}}`, `{"credential":7}`)

	reading["auth GET /auth/oidc/{id}"] = plain("GET", "", "/auth/oidc/none")
	reading["auth GET /auth/oidc/{id}/callback"] = plain("GET", "", "/auth/oidc/none/callback?code=x&state=y", "/auth/oidc/none/callback")

	reading["api GET /me/passkeys"] = plain("GET", "", base+"/me/passkeys")
	changing["api POST /me/passkeys/begin"] = plain("POST", "", base+"/me/passkeys/begin")
	changing["api POST /me/passkeys"] = plain("POST", `{"ticket":"AAAA","name":"x","credential":{}}`, base+"/me/passkeys")
	changing["api DELETE /me/passkeys/{id}"] = plain("DELETE", "", base+"/me/passkeys/AAAA")
	reading["api GET /me/sessions"] = plain("GET", "", base+"/me/sessions")
	reading["api GET /sessions"] = plain("GET", "", base+"/sessions", base+"/sessions?user="+hiddenAccount, base+"/sessions?user=nobody", base+"/sessions?limit=1")
	changing["api POST /me/password"] = plain("POST", `{"present":"x","next":"y"}`, base+"/me/password")
	changing["api POST /me/totp"] = plain("POST", "", base+"/me/totp")
	changing["api POST /me/totp/confirm"] = plain("POST", `{"code":"123456"}`, base+"/me/totp/confirm")
	changing["api DELETE /me/totp"] = plain("DELETE", "", base+"/me/totp")
	changing["api DELETE /me/sessions/{id}"] = plain("DELETE", "", base+"/me/sessions/"+ghost, base+"/me/sessions/x")
	changing["api DELETE /sessions/{id}"] = plain("DELETE", "", base+"/sessions/"+ghost, base+"/sessions/x")
	changing["api DELETE /users/{name}/factors"] = plain("DELETE", "", base+"/users/"+hiddenAccount+"/factors", base+"/users/nobody/factors")
}
