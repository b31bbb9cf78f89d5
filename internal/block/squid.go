package block

import (
	"regexp"
)

func squidName(p *page, x *Entry) {
	dot := ""
	if x.Beneath {
		dot = "."
	}
	p.put("# ", x.trace(), "\n", dot, x.Value, "\n")
}

func squidAddress(p *page, x *Entry) { p.put("# ", x.trace(), "\n", x.Value, "\n") }

// squidURL is an expression that meets this address of a page alone, whatever its port is called.
func squidURL(p *page, x *Entry) {
	host, rest := split(x.Value)
	p.put("# ", x.trace(), "\n^http://", regexp.QuoteMeta(host), "(:[0-9]+)?", regexp.QuoteMeta(rest), "$\n")
}
