package testnet_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"entente/peer"
)

// askReconcile compares nothing with what the giver has, of every log that there is and of some that are not, and asks for leaves.
func askReconcile(w *run, s *script) {
	const nothing = `"compare":"Af8BAAAAAAAAAAAAAAAAAAAAAA=="` // a fingerprint that no set has: the answer shows what there is
	post := func(body string) { w.ask("POST", "/fed/v1/reconcile", "application/json", []byte(body)) }
	post(`{`)
	post(`{}`)
	post(`{` + nothing + `}`)
	post(`{"notices":true}`)
	post(`{"want":["` + strings.Repeat("A", 54) + `=="]}`)
	for _, origin := range slices.Sorted(maps.Keys(w.sizes)) {
		post(fmt.Sprintf(`{"origin":%q,%s}`, origin, nothing))
	}
	for _, origin := range append(slices.Clone(w.others[s.place]), peer.OriginPrefix+strings.Repeat("A", 20)) { // whoever heard the name of another's log learns nothing by it
		post(fmt.Sprintf(`{"origin":%q,%s}`, origin, nothing))
		post(fmt.Sprintf(`{"origin":%q,"compare":"Ag=="}`, origin))
		post(fmt.Sprintf(`{"origin":%q,"want":["%s"]}`, origin, strings.Repeat("A", 54)+"=="))
	}
}
