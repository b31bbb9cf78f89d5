package peer_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/mldsa"
)

// What follows is written from the words of docs/wire.md alone, as somebody would who has nothing else, and uses nothing of this project.

func numbers(list ...uint64) (b []byte) {
	for _, n := range list {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func hash(parts ...[]byte) []byte {
	sum := sha256.Sum256(bytes.Join(parts, nil))
	return sum[:]
}

func padme(n uint64) uint64 {
	if n < 2 {
		return n
	}
	e := bits.Len64(n) - 1
	s := bits.Len64(uint64(e))
	step := uint64(1) << (e - s)
	return (n + step - 1) / step * step
}

// authenticated is the pre-authentication encoding of DSSE v1.
func authenticated(typ string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(typ), typ, len(payload), payload)
}

// described is what the document makes of the inputs of its test vectors.
func described(t *testing.T) [][2]string {
	seed := make([]byte, 64)
	for i := range seed {
		seed[i] = byte(i)
	}
	classical := ed25519.NewKeyFromSeed(seed[:32])
	hybrid, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed[32:])
	if err != nil {
		t.Fatal(err)
	}
	first, second := classical.Public().(ed25519.PublicKey), hybrid.PublicKey().Bytes()
	salt, envelope, digest := seed[:16], []byte("envelope"), bytes.Repeat([]byte{0x11}, 32)
	when := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

	commit := hash(salt, envelope)
	leaf := bytes.Join([][]byte{{1, 0, 0, 0, 0, 0, 0, 0}, commit, digest, numbers(1, uint64(when.UnixMicro()), 0, padme(uint64(len(envelope))), 0, 0, 0)}, nil)
	leafHash := hash([]byte{0}, leaf)
	frame := bytes.Join([][]byte{leaf, salt, {0, 0, 0, byte(len(envelope))}, envelope}, nil)

	recipients := []string{"org:KWT/kw.ncsc", "org:USA/us.cisa"}
	mac := hmac.New(sha256.New, []byte("a secret of the log"))
	for _, s := range append([]string{"us.cisa", "us-kw-cip"}, recipients...) {
		mac.Write([]byte(strconv.Itoa(len(s)) + ":" + s))
	}
	origin := "fed/v1/" + base32.StdEncoding.EncodeToString(mac.Sum(nil))[:20]

	node := func(left, right []byte) []byte { return hash([]byte{1}, left, right) }
	root := node(node(leafHash, leafHash), leafHash)
	text := origin + "\n3\n" + base64.StdEncoding.EncodeToString(root) + "\ntime " + strconv.FormatInt(when.Unix(), 10) + "\n"
	keyHash := func(typ byte, half []byte) []byte { return hash([]byte(origin), []byte{0x0a, typ}, half)[:4] }
	signed := bytes.Join([][]byte{[]byte("subtree/v1\n\x00"), {byte(len(origin))}, []byte(origin), numbers(uint64(when.Unix())), {byte(len(origin))}, []byte(origin), numbers(0, 3), root}, nil)

	label := `{"tlp":"TLP:AMBER","class":"unclassified","pap":"PAP:CLEAR","onward":"none","attrib":"may","purge":"none","mode":"operational","access":"copy","purpose":["net-defence","training"],` +
		`"aud":["org:KWT/kw.ncsc","org:USA/us.cisa"],"sector":"all","authority":[],"caveat":[],"named":true,"notafter":"2027-11-22T08:00:00.000000Z"}`
	object := `{"type":"ipv4-addr","spec_version":"2.1","id":"ipv4-addr--28bb3599-77cd-5a82-a950-b5bd3caf07c4","value":"198.51.100.3"}`
	payload := `{"accord":"sha256:` + hex.EncodeToString(digest) + `","audience":["org:KWT/kw.ncsc","org:USA/us.cisa"],"class":"full","label":` + label +
		`,"origin":{"nation":"USA","org":"us.cisa"},"v":1,"object":` + object + `}`
	typ := `application/vnd.entente.rendition+json;v=1;realm="operational"`
	quoted, err := json.Marshal(typ)
	if err != nil {
		t.Fatal(err)
	}
	dsse := fmt.Sprintf(`{"payloadType":%s,"payload":%q,"signatures":[{"keyid":"%x","sig":%q}]}`, quoted, base64.StdEncoding.EncodeToString([]byte(payload)), hash(first),
		base64.StdEncoding.EncodeToString(ed25519.Sign(classical, authenticated(typ, []byte(payload)))))

	lines := [][2]string{{"key id", hex.EncodeToString(hash(first, second))}, {"commit", hex.EncodeToString(commit)}, {"leaf", hex.EncodeToString(leaf)}, {"leaf hash", hex.EncodeToString(leafHash)},
		{"frame", hex.EncodeToString(frame)}, {"origin", origin}, {"root", hex.EncodeToString(root)}, {"text", strconv.Quote(text)},
		{"line", hex.EncodeToString(append(keyHash(1, first), ed25519.Sign(classical, []byte(text))...))}, {"hash 0x06", hex.EncodeToString(keyHash(6, second))}, {"signs 0x06", hex.EncodeToString(signed)},
		{"payload", payload}, {"dsse", dsse}}
	for _, n := range []uint64{9, 1000, 1189, 100_000} {
		lines = append(lines, [2]string{"padmé " + strconv.FormatUint(n, 10), strconv.FormatUint(padme(n), 10)})
	}
	return lines
}

// Whoever builds a node from the document alone computes its test vectors: leaf, frame, name and checkpoint of a log, label, rendition and envelope.
func TestTheDocumentIsEnough(t *testing.T) {
	page, err := os.ReadFile("../docs/wire.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "## Test vectors")
	_, rest, _ = strings.Cut(rest, "```\n")
	block, _, _ := strings.Cut(rest, "\n```")
	vectors := strings.Split(block, "\n")
	made := described(t)
	if len(made) != len(vectors) {
		t.Fatalf("%d vectors are made, %d are there", len(made), len(vectors))
	}
	for i, v := range vectors {
		value, ok := strings.CutPrefix(v, made[i][0])
		if !ok || strings.TrimSpace(value) != made[i][1] {
			t.Errorf("%s is\n%s, and there is\n%s", made[i][0], made[i][1], v)
		}
	}
}
