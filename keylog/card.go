package keylog

import (
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/dsse"
)

// cardType is what a card's envelope says it is, with the realm added.
const cardType = "application/vnd.entente.card+json;v=1"

// Card is the file of a first contact: who a node is, and the whole key log of its nation. Nothing in it is to be believed before two people have compared
// the log's fingerprint.
type Card struct {
	Org     string
	Node    string
	Address string // host:port; empty: the node cannot be reached, it calls
	Time    time.Time
	Log     *Log
}

type cardFile struct {
	Nation     string           `json:"nation"`
	Realm      string           `json:"realm"`
	Org        string           `json:"org"`
	Node       string           `json:"node"`
	Address    string           `json:"address,omitempty"`
	Time       time.Time        `json:"time"`
	Statements []jsontext.Value `json:"statements"`
}

// Sign writes the card under the node's key, which must count in the log at the card's time.
func (c Card) Sign(node dsse.Signer) ([]byte, error) {
	c.Time = c.Time.UTC().Truncate(time.Microsecond)
	if err := c.check(node.Key().ID()); err != nil {
		return nil, err
	}
	f := cardFile{c.Log.Nation(), c.Log.Realm(), c.Org, c.Node, c.Address, c.Time, c.Log.statements}
	payload, err := json.Marshal(f)
	if err != nil {
		return nil, refuse("card.form", "the card cannot be written: ", err.Error())
	}
	e, err := dsse.Sign(dsse.InRealm(cardType, c.Log.Realm()), payload, node)
	if err != nil {
		return nil, err
	}
	b := e.Bytes()
	if len(b) > dsse.MaxEnvelope {
		return nil, refuse("card.form", "the key log is too long for a card, which has at most 16 MiB")
	}
	return b, nil
}

// ParseCard reads a card and verifies all that can be verified without knowing the nation: its key log, and that a node of it signed the card.
func ParseCard(b []byte) (Card, error) {
	e, err := dsse.Parse(b)
	if err != nil {
		return Card{}, refuse("card.form", "this is not a card: ", err.Error())
	}
	var f cardFile
	if err := json.Unmarshal(e.Payload, &f, json.RejectUnknownMembers(true)); err != nil {
		return Card{}, refuse("card.form", "this is not a card: ", strings.TrimPrefix(err.Error(), "json: "))
	}
	log, err := (&file{f.Nation, f.Realm, f.Statements}).open()
	if err != nil {
		return Card{}, err
	}
	c := Card{Org: f.Org, Node: f.Node, Address: f.Address, Time: f.Time, Log: log}
	held, err := e.Verify(dsse.InRealm(cardType, f.Realm), func(id string) *dsse.Key {
		k, _ := log.State().Find(id)
		return k.Key
	})
	if err != nil {
		return Card{}, refuse("card.form", "no key of the card's own log signed it: ", err.Error())
	}
	for _, k := range held {
		if err = c.check(k.ID()); err == nil {
			return c, nil
		}
	}
	return Card{}, err
}

// check holds a card to the log: the key is that of the named node.
func (c *Card) check(id string) error {
	if c.Log == nil || c.Log.Size() == 0 {
		return refuse("card.form", "a card holds a key log")
	}
	if err := checkTime("the time of a card", c.Time); err != nil {
		return err
	}
	state := c.Log.State()
	if err := state.Valid(id, RoleNode, c.Time); err != nil {
		return err
	}
	k, _ := state.Find(id)
	if k.Org != c.Org || k.Node != c.Node || c.Address != "" && k.Address != "" && c.Address != k.Address {
		return refuse("card.form", "the key log names another organisation, node or address for the key that signed the card")
	}
	if c.Address != "" {
		return CheckAddress(c.Address)
	}
	return nil
}
