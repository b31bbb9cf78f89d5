package federation_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"entente/accord"
	"entente/internal/gate"
	"entente/internal/store"
	"entente/label"
	"entente/peer"
)

func id(kind string, n int) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %d", kind, n)) // ids that begin alike would be found as pieces of each other
	return fmt.Sprintf("%s--%x-%x-4%.3x-8%.3x-%x", kind, h[:4], h[4:6], int(h[6])<<4, int(h[8])<<4, h[10:16])
}

func malware(n int, version string) string {
	return fmt.Sprintf(`{"type":"malware","spec_version":"2.1","id":%q,"created":"2026-11-01T00:00:00.000Z","modified":%q,"name":"m%d","is_family":false}`, id("malware", n), version, n)
}

const v1, v2 = "2026-11-01T00:00:00.000Z", "2026-11-02T00:00:00.000Z"

func relation(n, from, to int) string {
	return fmt.Sprintf(`{"type":"relationship","spec_version":"2.1","id":%q,"created":"2026-11-01T00:00:00.000Z","modified":"2026-11-01T00:00:00.000Z","relationship_type":"related-to","source_ref":%q,"target_ref":%q}`,
		id("relationship", n), id("malware", from), id("malware", to))
}

// between is an accord under which its parties give each other some kinds up to AMBER.
func between(name string, kinds string, codes ...string) string {
	var parties strings.Builder
	for _, c := range codes {
		fmt.Fprintf(&parties, "  party %q {\n    org  = %q\n    keys = %q\n  }\n", c, org(c), "keylog:"+strings.ToLower(c))
	}
	return fmt.Sprintf(`accord %q {
  version   = 1
  mode      = operational
  effective = "2026-01-01"
  expires   = "2036-01-01"
%s
  scope {
    organization = receiving-org
    clients      = none
    community    = parties
  }
  purpose = [net-defence]
  give "all" {
    from    = [%s]
    kind    = [%s]
    ceiling = AMBER
  }
  handle {
    default = AMBER
    retain  = "365d"
    pap     = GREEN
    onward  = none
    access  = copy
  }
  suspend { by = any-party }
  terminate {
    notice   = "30d"
    purge    = "30d"
    receipts = required
  }
}
`, name, parties.String(), strings.Join(codes, ", "), kinds)
}

// What is shared under an accord comes to its parties and to nobody else; what is amended, retracted or purged follows it there.
func TestAnAllianceShares(t *testing.T) {
	t.Parallel()
	net := ally(t, "UTO", "RUR", "FRE")
	uto, rur, fre := net.nodes["UTO"], net.nodes["RUR"], net.nodes["FRE"]
	net.agree(between("ut-ru", "malware, relationship", "UTO", "RUR"), "UTO", "RUR")
	net.agree(between("all", "malware, relationship", "UTO", "RUR", "FRE"), "UTO", "RUR", "FRE")

	uto.push(malware(1, v1), to(label.Amber, "UTO", "RUR"))
	uto.push(malware(2, v1), to(label.Amber, "UTO", "RUR", "FRE"))
	uto.push(malware(3, v1), to(label.Amber, "UTO"))
	uto.push(malware(4, v1), label.For(label.Green))
	uto.push(relation(12, 1, 2), to(label.Amber, "UTO", "RUR", "FRE"))
	uto.push(relation(13, 1, 3), to(label.Amber, "UTO", "RUR"))
	net.eventually("what is shared arrives", func() bool {
		return rur.sees(id("malware", 1)) && rur.sees(id("malware", 2)) && fre.sees(id("malware", 2)) && rur.sees(id("malware", 4)) && fre.sees(id("malware", 4)) && rur.sees(id("relationship", 12))
	})
	time.Sleep(100 * time.Millisecond)
	for n, present := range map[string][]bool{id("malware", 1): {true, false}, id("malware", 3): {false, false}, id("relationship", 12): {true, false}, id("relationship", 13): {false, false}} {
		if rur.sees(n) != present[0] || fre.sees(n) != present[1] {
			t.Errorf("%s: RUR %v, FRE %v, want %v", n, rur.sees(n), fre.sees(n), present)
		}
	}

	uto.push(malware(1, v2), to(label.Amber, "UTO", "RUR"))
	net.eventually("a new version arrives", func() bool { return rur.version(id("malware", 1)) == v2 })

	if n, err := uto.TakeBack(context.Background(), id("malware", 2), peer.Retract, "wrong"); err != nil || n == 0 {
		t.Fatalf("%d %v", n, err)
	}
	net.eventually("a retraction arrives", func() bool {
		return !rur.sees(id("malware", 2)) && !fre.sees(id("malware", 2)) && !rur.sees(id("relationship", 12))
	})
	if n, err := uto.TakeBack(context.Background(), id("malware", 1), peer.Purge, ""); err != nil || n != 4 { // two versions under two accords
		t.Fatalf("%d %v", n, err)
	}
	net.eventually("a purge arrives, and its receipt comes back", func() bool {
		return !rur.sees(id("malware", 1)) && uto.receipts(id("malware", 1), peer.DidPurge) == 4
	})

	// An accord that is suspended lets nothing new pass, and takes nothing back.
	if _, err := rur.accords.Say(context.Background(), rur.as(gate.RoleOfficer), "ut-ru", accord.Suspend, ""); err != nil {
		t.Fatal(err)
	}
	net.eventually("the suspension is heard", func() bool {
		for _, s := range uto.accords.Standings() {
			if s.Name == "ut-ru" {
				v, _ := uto.accords.Get(uto.as(gate.RoleAnalyst), "ut-ru", 0)
				return v.Phase == "suspended"
			}
		}
		return false
	})
	uto.push(malware(5, v1), to(label.Amber, "UTO", "RUR"))
	net.eventually("it goes under the other accord", func() bool { return rur.sees(id("malware", 5)) })
}

// What happened while a line was cut arrives when it is healed, once; and a node that was stopped goes on where it was.
func TestAPartitionHeals(t *testing.T) {
	t.Parallel()
	net, uto, rur := bound(t)
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.eventually("the first arrives", func() bool { return rur.sees(id("malware", 1)) })
	net.part("UTO", "RUR", true)
	for n := 2; n < 40; n++ {
		uto.push(malware(n, v1), to(label.Amber, "RUR"))
	}
	time.Sleep(200 * time.Millisecond)
	if rur.sees(id("malware", 2)) {
		t.Fatal("the line was not cut")
	}
	net.part("UTO", "RUR", false)
	net.eventually("the rest arrives", func() bool { return rur.sees(id("malware", 39)) })
	net.eventually("every record is receipted once", func() bool {
		for n := 1; n < 40; n++ {
			if uto.receipts(id("malware", n), peer.DidStore) != 1 {
				return false
			}
		}
		return true
	})
	rur.close()
	rur.open()
	rur.Start()
	uto.push(malware(50, v1), to(label.Amber, "RUR"))
	net.eventually("a node that was stopped goes on", func() bool { return rur.sees(id("malware", 50)) })
}

// A purge reaches whoever was away when it was ordered: the order outlives what it is about, here and on the disk, and so does the receipt.
func TestAPurgeReachesWhoWasAway(t *testing.T) {
	net, uto, rur := bound(t)
	uto.push(malware(1, v1), to(label.Amber, "RUR"))
	net.eventually("it arrives", func() bool { return rur.sees(id("malware", 1)) })
	net.part("UTO", "RUR", true)
	if _, err := uto.exchange.Purge(context.Background(), uto.as(gate.RoleOfficer), id("malware", 1), false); err != nil {
		t.Fatal(err)
	}
	if uto.sees(id("malware", 1)) || !rur.sees(id("malware", 1)) {
		t.Fatal("the line was not cut, or nothing was purged")
	}
	net.part("UTO", "RUR", false)
	net.eventually("the order arrives, and its receipt comes back", func() bool {
		return !rur.sees(id("malware", 1)) && uto.receipts(id("malware", 1), peer.DidPurge) == 1
	})
	for _, n := range net.nodes {
		for _, token := range []string{id("malware", 1), "00000000-0000-4000-8000-000000000001"} {
			if found := n.onDisk(token); found != "" {
				t.Errorf("%s has %s in %s", n.code, token, found)
			}
		}
	}
}

// onDisk names a file of the nation's node that holds a text.
func (n *nation) onDisk(text string) (found string) {
	must(n.net.t, filepath.WalkDir(n.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && bytes.Contains(b, []byte(text)) {
			found = path
		}
		return nil
	}))
	return found
}

func (n *nation) version(id string) string {
	it, err := n.exchange.Get(context.Background(), n.as(gate.RoleAnalyst), "", id, store.Versions{})
	if err != nil {
		return ""
	}
	return it.Record.Version
}

// receipts counts what partners say they did with what went out of an object.
func (n *nation) receipts(id, did string) (count int) {
	places, err := n.ledger.Out(context.Background(), id)
	must(n.net.t, err)
	for _, p := range places {
		acts, err := n.ledger.Receipts(context.Background(), p.Origin, p.Index)
		must(n.net.t, err)
		for _, a := range acts {
			if a.Did == did {
				count++
			}
		}
	}
	return count
}
