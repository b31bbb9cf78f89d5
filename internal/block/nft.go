package block

import (
	"fmt"
	"strings"
	"time"
)

// NFTTable is the table that the sets stand in, of family inet.
const NFTTable = "entente"

// nftBegin makes the sets where they are not there, and empties them: nft takes the whole file or nothing of it.
func nftBegin(p *page) {
	remarks("#")(p)
	p.put("add table inet ", NFTTable, "\n")
	for _, family := range []string{"4", "6"} {
		p.put("add set inet ", NFTTable, " block", family, " { type ipv", family, "_addr; flags interval, timeout; }\nflush set inet ", NFTTable, " block", family, "\n")
	}
}

// nftLongest is the longest timeout that is written: nft refuses those that it cannot count.
const nftLongest = 365 * 24 * time.Hour

func nftEntry(p *page, x *Entry) {
	timeout := ""
	if !x.Until.IsZero() {
		left := x.Until.Sub(p.at)
		if left < time.Second {
			return
		}
		timeout = fmt.Sprintf(" timeout %ds", int64(min(left, nftLongest)/time.Second))
	}
	family := "4"
	if strings.Contains(x.Value, ":") {
		family = "6"
	}
	p.put("add element inet ", NFTTable, " block", family, " { ", x.Value, timeout, ` comment "`, x.trace(), "\" }\n")
}
