package keylog

import (
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"entente/dsse"
)

// requestType is what the request for a key is signed as, by the key itself.
const requestType = "application/vnd.entente.keylog.request+json;v=1"

// Request is what the holder of a new key hands to whoever holds the root: the key, what it is to be for, and the proof that it is held. Without the
// proof a nation could name another's key as its own.
type Request struct {
	Nation string `json:"nation"`
	Realm  string `json:"realm"`
	Entry  Entry  `json:"entry"` // with its proof once it is signed
}

// payload is what the key signs: who and what for, not where it is reached nor for how long, which the root may change.
func (r Request) payload() ([]byte, error) {
	r.Entry = Entry{Org: r.Entry.Org, Node: r.Entry.Node, Holder: r.Entry.Holder, Key: r.Entry.Key, Roles: r.Entry.Roles}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, refuse("statement.form", "the request cannot be written: ", err.Error())
	}
	return b, nil
}

// Sign makes the request's entry with its proof.
func (r Request) Sign(s dsse.Signer) (Request, error) {
	r.Entry.Key, r.Entry.Proof = s.Key(), nil
	if err := checkNames(r.Nation, r.Realm); err != nil {
		return r, err
	}
	if err := r.Entry.check(); err != nil {
		return r, err
	}
	b, err := r.payload()
	if err != nil {
		return r, err
	}
	r.Entry.Proof, err = s.Sign(dsse.PAE(dsse.InRealm(requestType, r.Realm), b))
	return r, err
}

// MaxRequests bounds the requests of one file.
const MaxRequests = 16

type requestsFile struct {
	Requests []Request `json:"requests"`
}

// EncodeRequests writes requests as a file, for ParseRequests.
func EncodeRequests(requests []Request) ([]byte, error) {
	b, err := json.Marshal(requestsFile{requests}, jsontext.WithIndent("  "))
	if err != nil {
		return nil, refuse("statement.form", "the request cannot be written: ", err.Error())
	}
	return append(b, '\n'), nil
}

// ParseRequests reads a file of requests and checks the proof of each.
func ParseRequests(b []byte) ([]Request, error) {
	if len(b) > MaxRequests*MaxStatement {
		return nil, refuse("statement.form", "requests have at most 1 MiB")
	}
	var f requestsFile
	if err := json.Unmarshal(b, &f, json.RejectUnknownMembers(true)); err != nil {
		return nil, refuse("statement.form", "this is not a request for keys: ", strings.TrimPrefix(err.Error(), "json: "))
	}
	if len(f.Requests) == 0 || len(f.Requests) > MaxRequests {
		return nil, refuse("statement.form", "a file has 1 to 16 requests for keys")
	}
	for i := range f.Requests {
		q := &f.Requests[i]
		if err := checkNames(q.Nation, q.Realm); err != nil {
			return nil, err
		}
		if err := q.Entry.check(); err != nil {
			return nil, err
		}
		if err := q.Entry.checkProof(q.Nation, q.Realm); err != nil {
			return nil, err
		}
	}
	return f.Requests, nil
}

func (e *Entry) checkProof(nation, realm string) error {
	b, err := Request{nation, realm, *e}.payload()
	if err != nil {
		return err
	}
	one := dsse.Envelope{PayloadType: dsse.InRealm(requestType, realm), Payload: b, Signatures: []dsse.Signature{{KeyID: e.Key.ID(), Sig: e.Proof}}}
	if _, err := one.Verify(one.PayloadType, func(string) *dsse.Key { return e.Key }); err != nil {
		return refuse("statement.signature", "the key does not prove that its holder asked for it")
	}
	return nil
}
