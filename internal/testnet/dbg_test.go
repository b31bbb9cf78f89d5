package testnet_test
import ("testing";"fmt";"context";"testing/synctest";"entente/internal/testnet";"entente/internal/ledger";"entente/peer";"encoding/json";"encoding/base64")
func TestDbg(t *testing.T) {
	const W=3
	var scripts []*script
	for i := range W+1 { s := draw(i, i); scripts=append(scripts,s); for _, a := range s.acts { fmt.Println(i, a.hidden, a.name) } }
	for i,a := range scripts[W].acts { if a.name=="an accord" { do:=a.do; scripts[W].acts=scripts[W].acts[:i+1]; scripts[W].acts[i].do=func(w *run){ dump(w); do(w); w.net.Settle(); fmt.Println("=== AFTER"); dump(w) }; break } }
	synctest.Test(t, func(t *testing.T) { play(t, testnet.Options{}, scripts, true, nil) })
}
func dump(w *run) {
	ctx:=context.Background()
	ls,_:=w.giver.Ledger.Logs(ctx, ledger.Filter{Own:true})
	for _,g:=range ls {
		if len(g.Parties)!=1 || g.Parties[0]!="org:OBS/obs.cert" {continue}
		b,err:=w.giver.Ledger.Frames(ctx,g.Origin,peer.Pull{})
		if err!=nil {fmt.Println(err);continue}
		fmt.Println(g.Accord,g.Parties,g.Origin,g.Size)
		for i,f:=range b.Frames {
			var e struct{Payload string; PayloadType string}
			json.Unmarshal(f.Envelope,&e)
			p,_:=base64.StdEncoding.DecodeString(e.Payload)
			fmt.Printf("   %d kind %v order %d target %d %.700s\n", i, f.Leaf.Kind, f.Leaf.Order, f.Leaf.Target, p)
		}
	}
}
