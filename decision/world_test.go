package decision

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"entente/accord"
	"entente/dsse"
	"entente/keylog"
	"entente/peer"
)

const realm = "operational"

var (
	start    = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC) // key logs
	opens    = time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)
	deadline = opens.Add(24 * time.Hour)
	nations  = []string{"KWT", "MEX", "OMN", "USA"}
)

// keyed gives the same key for the same name.
func keyed(name string) *dsse.Private {
	a, b := sha256.Sum256([]byte(name)), sha256.Sum256([]byte("and "+name))
	p, err := dsse.FromSeed(append(a[:], b[:]...))
	if err != nil {
		panic(err)
	}
	return p
}

// party is a nation with its keys and its log.
type party struct {
	nation, org string
	node, seal  *dsse.Private
	voters      []*dsse.Private
	log         *keylog.Log

	origin string
	frames []peer.Frame
	edges  []peer.Edge // before each frame
	edge   peer.Edge
}

var parties = map[string]*party{}

// newParty gives a nation; its keys are made once.
func newParty(t testing.TB, nation, realm string) *party {
	t.Helper()
	made := parties[nation+realm]
	if made == nil {
		org := strings.ToLower(nation) + ".cert"
		made = &party{nation: nation, org: org, node: keyed(nation + " node"), seal: keyed(nation + " accord"), voters: []*dsse.Private{keyed(nation + " voter 1"), keyed(nation + " voter 2")}, log: keylog.New(nation, realm)}
		root := keyed(nation + " root")
		put := func(s keylog.Statement) {
			e, err := made.log.Draft(s)
			if err == nil {
				err = e.Add(root)
			}
			if err == nil {
				err = made.log.Append(e.Bytes())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		put(keylog.Statement{Kind: keylog.KindRoot, Time: start, Root: &keylog.Root{Need: 1, Keys: []*dsse.Key{root.Key()}}})
		add := func(k *dsse.Private, role keylog.Role, node string) {
			q, err := keylog.Request{Nation: nation, Realm: realm, Entry: keylog.Entry{Org: org, Node: node, Roles: []keylog.Role{role}}}.Sign(k)
			if err != nil {
				t.Fatal(err)
			}
			put(keylog.Statement{Kind: keylog.KindAdd, Time: start, Entry: &q.Entry})
		}
		add(made.node, keylog.RoleNode, "node-1")
		add(made.seal, keylog.RoleAccord, "")
		for _, v := range made.voters {
			add(v, keylog.RoleVote, "")
		}
		parties[nation+realm] = made
	}
	p := *made
	p.origin = peer.Origin([]byte("a secret of the log"), p.org, "a/decisions", []string{nation})
	return &p
}

// say puts an envelope into the party's log.
func (p *party) say(topic [16]byte, envelope []byte, at time.Time) int {
	var salt [16]byte
	binary.BigEndian.PutUint64(salt[8:], uint64(len(p.frames))+1)
	f := peer.Frame{Salt: salt, Envelope: envelope, Leaf: peer.Leaf{Kind: peer.Decision, Commit: peer.Commit(salt, envelope), Time: at, Bucket: peer.Padme(uint64(len(envelope))), Topic: topic}}
	return p.add(f)
}

func (p *party) add(f peer.Frame) int {
	p.edges = append(p.edges, peer.Edge{Size: p.edge.Size, Nodes: slices.Clone(p.edge.Nodes)})
	p.frames = append(p.frames, f)
	p.edge.Add(f.Leaf.Hash(), nil)
	return len(p.frames) - 1
}

// checkpoint signs the log as it stands.
func (p *party) checkpoint(t testing.TB, at time.Time) []byte {
	t.Helper()
	b, err := peer.SignCheckpoint(peer.Checkpoint{Origin: p.origin, Size: p.edge.Size, Root: p.edge.Root(), Time: at}, p.node)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// world is an accord between nations, one proposal under it, and what each has said.
type world struct {
	t        testing.TB
	parties  []*party
	bundle   *accord.Bundle
	weights  []byte
	proposal Proposal
	envelope []byte
	persons  int
}

func text(rule string, nations ...string) string {
	var b strings.Builder
	b.WriteString("accord \"a\" {\n version = 1\n mode = operational\n effective = \"2026-10-01\"\n expires = \"2028-10-01\"\n")
	for _, n := range nations {
		fmt.Fprintf(&b, " party %q {\n org = %q\n keys = \"keylog:%s\"\n }\n", n, strings.ToLower(n)+".cert", strings.ToLower(n))
	}
	b.WriteString(" purpose = [net-defence]\n give \"all\" {\n kind = [indicator]\n ceiling = GREEN\n }\n handle {\n default = AMBER\n onward = none\n }\n decide \"r\" {\n" + rule + "\n }\n}\n")
	return b.String()
}

// newWorld opens a proposal under a rule between nations; change may change it before it is signed.
func newWorld(t testing.TB, rule string, change func(*Proposal), who ...string) *world {
	t.Helper()
	w := &world{t: t, persons: 1}
	for _, n := range who {
		w.parties = append(w.parties, newParty(t, n, realm))
	}
	if !strings.Contains(rule, "propose") {
		rule += "\npropose = any"
	}
	if !strings.Contains(rule, "deadline") {
		rule += "\ndeadline = \"24h\""
	}
	var err error
	if w.bundle, err = accord.NewBundle([]byte(text(rule, who...)), realm); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(rule, "persons = 2") {
		w.persons = 2
	}
	w.proposal = Proposal{V: 1, ID: "p-1", Round: 1, Accord: sha256.Sum256([]byte(w.bundle.Text)), Rule: "r", Nation: w.parties[0].nation, Org: w.parties[0].org, Title: "Block what the campaign uses", Opens: opens, Deadline: deadline}
	if change != nil {
		change(&w.proposal)
	}
	w.envelope = w.propose(w.proposal, w.parties[0])
	return w
}

func (w *world) propose(p Proposal, by ...*party) []byte {
	w.t.Helper()
	var signers []dsse.Signer
	for _, x := range by {
		for _, v := range x.voters[:w.persons] {
			signers = append(signers, v)
		}
	}
	e, err := SignProposal(realm, p, signers...)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) party(nation string) *party {
	for _, p := range w.parties {
		if p.nation == nation {
			return p
		}
	}
	w.t.Fatalf("no party %s", nation)
	return nil
}

func (w *world) keys(nation string) *keylog.State {
	for _, p := range w.parties {
		if p.nation == nation {
			return p.log.State()
		}
	}
	return nil
}

func (w *world) opener() *Opener { return &Opener{Realm: realm, Keys: w.keys} }

func known(peer.Digest) bool { return true }

// position gives the party's word on the proposal.
func (w *world) position(nation string, c Choice, at time.Time) []byte {
	w.t.Helper()
	p := w.party(nation)
	e, err := SignPosition(realm, Position{Proposal: w.proposal.Digest(), Round: w.proposal.Round, Accord: w.proposal.Accord, Choice: c, Nation: nation, Org: p.org, Time: at}, signers(p.voters[:w.persons])...)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func signers(ps []*dsse.Private) (out []dsse.Signer) {
	for _, p := range ps {
		out = append(out, p)
	}
	return out
}

// ack puts the party's ack into its log, after some other entries.
func (w *world) ack(nation string, at time.Time) int {
	w.t.Helper()
	p := w.party(nation)
	e, err := SignAck(realm, Ack{Proposal: w.proposal.Digest(), Round: w.proposal.Round, Nation: nation, Org: p.org, Time: at}, p.node)
	if err != nil {
		w.t.Fatal(err)
	}
	return p.say(w.proposal.Topic(), e, at)
}

// silence is the proof from the party's log, from the leaf of its ack.
func (w *world) silence(nation string, ack int, head time.Time) *Silence {
	w.t.Helper()
	p := w.party(nation)
	s, err := NewSilence(nation, w.proposal.Topic(), p.edges[ack], p.frames[ack:], p.checkpoint(w.t, head))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// silent is a party that had notice and says nothing, with other things in its log before and after.
func (w *world) silent(nation string) *Silence {
	w.t.Helper()
	p := w.party(nation)
	for range 5 {
		p.say(Topic(peer.Digest{1}), []byte("{}"), opens)
	}
	i := w.ack(nation, opens.Add(time.Minute))
	p.say(Topic(peer.Digest{2}), []byte("{}"), opens.Add(time.Hour))
	return w.silence(nation, i, deadline)
}

func (w *world) combine(positions [][]byte, silences []*Silence) ([]byte, *Result) {
	w.t.Helper()
	c, r, err := w.opener().Combine(Parts{w.bundle, w.envelope, w.weights, positions, silences})
	if err != nil {
		w.t.Fatal(err)
	}
	if c != nil {
		again, err := Verify(c, w.keys, known)
		if err != nil {
			w.t.Fatalf("what was combined does not verify: %v", err)
		}
		if again.Outcome != r.Outcome || again.Proposal != w.proposal.Digest() {
			w.t.Fatalf("%+v, and %+v was combined", again, r)
		}
	}
	return c, r
}

func code(err error) string {
	if e, ok := err.(*Error); ok {
		return e.Code
	}
	if err == nil {
		return ""
	}
	return "?"
}
