package testnet_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"entente/dsse"
	"entente/peer"
)

// askReconcile compares nothing with what the giver has, of every log that there is and of some that are not, and asks for leaves.
func askReconcile(w *run, s *script) {
	const nothing = `"compare":"Af8BAAAAAAAAAAAAAAAAAAAAAA=="` // a fingerprint that no set has: the answer shows what there is
	post := func(body string) { w.ask("POST", "/fed/v1/reconcile", "application/json", []byte(body)) }
	post(`{`)
	post(`{}`)
	post(`{` + nothing + `}`)
	askNotices(w)
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

// askNotices asks for what the giver keeps of the observer's own notices. Their signatures are drawn by chance, and so differ from run to run: they are counted.
func askNotices(w *run) {
	a := ask(w.giver.Handler(observer), "POST", "/fed/v1/reconcile", "application/json", []byte(`{"notices":true}`))
	var got peer.Reconciled
	if err := json.Unmarshal(a.Body.Bytes(), &got); err != nil {
		w.t.Error(err)
	}
	for i, n := range got.Notices {
		e, err := dsse.Parse(n)
		if err != nil {
			w.t.Error(err)
			continue
		}
		got.Notices[i] = fmt.Appendf(nil, "%s %s %d", e.PayloadType, e.Payload, len(e.Signatures))
	}
	b, err := json.Marshal(&got)
	if err != nil {
		w.t.Error(err)
	}
	a.Body = bytes.NewBuffer(b)
	w.write("POST /fed/v1/reconcile notices", a)
}
