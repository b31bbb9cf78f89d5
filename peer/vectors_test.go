package peer

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"entente/dsse"
	"entente/label"
)

// The specification's test vectors are what this package computes, and every one of them is there.
func TestVectorsOfTheSpecification(t *testing.T) {
	seed := make([]byte, 64)
	for i := range seed {
		seed[i] = byte(i)
	}
	key, err := dsse.FromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	f := Frame{Salt: [16]byte(seed), Envelope: []byte("envelope")}
	f.Leaf = Leaf{Kind: Put, Commit: Commit(f.Salt, f.Envelope), Order: 1, Time: at, Bucket: Padme(8)}
	for i := range f.Leaf.Accord {
		f.Leaf.Accord[i] = 0x11
	}
	var e Edge
	for range 3 {
		e.Add(f.Leaf.Hash(), nil)
	}
	c := Checkpoint{Origin([]byte("a secret of the log"), "us.cisa", "us-kw-cip", []string{"org:KWT/kw.ncsc", "org:USA/us.cisa"}), 3, e.Root(), at}
	signed, err := SignCheckpoint(c, key)
	if err != nil {
		t.Fatal(err)
	}
	n, _, err := openNote(signed)
	if err != nil {
		t.Fatal(err)
	}
	line, err := base64.StdEncoding.DecodeString(n.UnverifiedSigs[0].Base64)
	if err != nil {
		t.Fatal(err)
	}
	hash, root := f.Leaf.Hash(), e.Root()
	want := []string{"key id      " + key.Key().ID(), "commit      " + hex.EncodeToString(f.Leaf.Commit[:]), "leaf        " + hex.EncodeToString(f.Leaf.Append(nil)), "leaf hash   " + hex.EncodeToString(hash[:]),
		"frame       " + hex.EncodeToString(f.Append(nil)), "origin      " + c.Origin, "root        " + hex.EncodeToString(root[:]), "text        " + fmt.Sprintf("%q", c.Text()), "line        " + hex.EncodeToString(line),
		fmt.Sprintf("hash 0x06   %08x", keyHash(c.Origin, algMLDSA44, key.Key()))}
	want = append(want, fmt.Sprintf("signs 0x06  %x", tree(c.Origin, c, c.Time)))
	audience, err := label.NewAudience("org:KWT/kw.ncsc", "org:USA/us.cisa")
	if err != nil {
		t.Fatal(err)
	}
	l := label.For(label.Amber).To(audience)
	l.Mode, l.Purpose, l.Onward, l.NotAfter = label.OperationalMode, label.NetDefence|label.Training, label.OnwardNone, at.AddDate(1, 0, 0)
	r := Rendition{Accord: f.Leaf.Accord, Audience: []string{"org:KWT/kw.ncsc", "org:USA/us.cisa"}, Class: Full, Label: l, Nation: "USA", Org: "us.cisa",
		Object: []byte(`{"type":"ipv4-addr","spec_version":"2.1","id":"ipv4-addr--28bb3599-77cd-5a82-a950-b5bd3caf07c4","value":"198.51.100.3"}`)}
	payload, err := r.Payload()
	if err != nil {
		t.Fatal(err)
	}
	single, err := dsse.FromSeed(seed[:32])
	if err != nil {
		t.Fatal(err)
	}
	envelopes, err := SignRenditions(realm, [][]byte{payload}, single)
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, "payload     "+string(payload), "dsse        "+string(envelopes[0]))
	for _, n := range []uint64{9, 1000, 1189, 100_000} {
		want = append(want, fmt.Sprintf("padmé %-7d%d", n, Padme(n)))
	}
	page, err := os.ReadFile("../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, block, _ := strings.Cut(string(page), "## Test vectors"); !strings.Contains(block, "```\n"+strings.Join(want, "\n")+"\n```\n") {
		t.Errorf("docs/wire.md does not have these vectors:\n%s", strings.Join(want, "\n"))
	}
}
