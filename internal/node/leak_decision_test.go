package node

// decisionScript asks for joint decisions.
func decisionScript(reading, changing leakScript, plain func(method, body string, paths ...string) func(*session)) {
	const none = "/decisions/0123456789abcdef"
	const wish = `{"accord":"uto-rur","rule":"block","title":"x"}`
	reading["api GET /decisions"] = plain("GET", "", "/decisions")
	reading["api GET /decisions/{id}"] = plain("GET", "", none, "/decisions/0")
	reading["api GET /decisions/{id}/proposal"] = plain("GET", "", none+"/proposal")
	reading["api GET /decisions/{id}/ballot"] = plain("GET", "", none+"/ballot?choice=veto", none+"/ballot?choice=perhaps")
	reading["api GET /decisions/{id}/certificate"] = plain("GET", "", none+"/certificate", none+"/certificate?alone=true")
	reading["api POST /decisions/review"] = plain("POST", wish, "/decisions/review")
	reading["api POST /decisions/verify"] = plain("POST", "{}", "/decisions/verify")
	changing["api POST /decisions"] = plain("POST", wish, "/decisions")
	changing["api POST /decisions/envelopes"] = plain("POST", "{}", "/decisions/envelopes")
	changing["api POST /decisions/weights"] = plain("POST", "UTO = 1\n", "/decisions/weights")
	changing["api POST /decisions/{id}/position"] = plain("POST", `{"choice":"veto"}`, none+"/position")
	changing["api POST /decisions/{id}/second"] = plain("POST", "", none+"/second")
	changing["api POST /decisions/{id}/report"] = plain("POST", `{"did":"executed"}`, none+"/report")
}
