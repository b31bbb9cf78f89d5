package node

// blockScript asks for what enforcement points load: it is for the own organisation alone, and there for who has the right.
func blockScript(reading leakScript, plain func(method, body string, paths ...string) func(*session)) {
	reading["api GET /block"] = plain("GET", "", "/block")
	reading["api GET /block/{format}"] = plain("GET", "", "/block/list", "/block/json?since=", "/block/rpz?type=ipv4", "/block/odd")
	reading["api GET /block/{format}/signature"] = plain("GET", "", "/block/list/signature")
	reading["api GET /block/{format}/left"] = plain("GET", "", "/block/list/left", "/block/zeek/left?limit=1", "/block/list/left?value=198.51.100.7&code=reserved")
}
