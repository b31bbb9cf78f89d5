package peer

import (
	"context"
	"net/http"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"
)

// Reconcile asks what another node holds of logs: to compare it with what this one has (Set, Comparison), or to be given it.
type Reconcile struct {
	Origin  string `json:"origin,omitempty"`  // of a log that the caller gives or reads; empty: all of the caller's logs
	Compare []byte `json:"compare,omitempty"` // a message of a comparison
	Want    []Item `json:"want,omitempty"`    // to be given: of the caller's own logs only
	Notices bool   `json:"notices,omitempty"` // to be given what the caller's own nation stated about accords
}

// Reconciled is the answer.
type Reconciled struct {
	Compare []byte   `json:"compare,omitempty"`
	Held    []Known  `json:"held,omitempty"`    // as many as an answer holds; what is not held is not there
	Notices [][]byte `json:"notices,omitempty"` // of the caller's own nation, as many as an answer holds
}

// Known is a leaf of the caller's own log, as its reader has it.
type Known struct {
	Origin     string      `json:"origin"`
	Index      uint64      `json:"index"`
	Leaf       []byte      `json:"leaf"`
	Did        string      `json:"did"`                  // what the reader did with it
	Envelope   []byte      `json:"envelope,omitempty"`   // of a put, where the record is held still; of what was said in a decision; of an accord, with the signatures that the reader has
	Checkpoint []byte      `json:"checkpoint,omitempty"` // that the caller signed
	Proof      []tlog.Hash `json:"proof,omitempty"`      // that the leaf stands under it, as package tlog has it; with no other leaf it is empty
}

// CompareBytes is about how long a message of a comparison is at most.
const CompareBytes = 1 << 19

// Reconcile asks.
func (c *Client) Reconcile(ctx context.Context, q Reconcile) (out Reconciled, err error) {
	b, err := json.Marshal(q)
	if err != nil {
		return out, refuse(CodeForm, "the question cannot be written: %v", err)
	}
	r, err := c.request(ctx, http.MethodPost, "/fed/v1/reconcile", jsonMedia, b)
	if err != nil {
		return out, err
	}
	w, err := c.do(r, false)
	if err != nil {
		return out, err
	}
	defer w.Body.Close()
	if err := c.read(w, &out); err != nil {
		return out, err
	}
	if len(out.Held) > len(q.Want) {
		return out, refuse(CodeForm, "the node answers with more than was asked for")
	}
	return out, nil
}

// Differences compares a set with what the other node has of the logs that origin names: see Reconcile. It knows most differences at most.
func (c *Client) Differences(ctx context.Context, origin string, s *Set, most int) (*Comparison, error) {
	d, message := s.Compare(CompareBytes, most)
	for message != nil {
		answer, err := c.Reconcile(ctx, Reconcile{Origin: origin, Compare: message})
		if err == nil {
			message, err = d.Next(answer.Compare)
		}
		if err != nil {
			return nil, err
		}
	}
	return d, nil
}

// asks counts what is asked at once.
func asks(q Reconcile) (n int) {
	for _, asked := range []bool{len(q.Compare) > 0, len(q.Want) > 0, q.Notices} {
		if asked {
			n++
		}
	}
	return n
}

func (s *server) reconcile(w http.ResponseWriter, r *http.Request) error {
	b, err := body(w, r, jsonMedia, s.o.Limits.Body)
	if err != nil {
		return err
	}
	var q Reconcile
	if err := json.Unmarshal(b, &q, json.RejectUnknownMembers(true)); err != nil {
		return refuse(CodeForm, "the body is no reconciliation: %v", err)
	}
	switch {
	case q.Origin != "" && !IsOrigin(q.Origin):
		return errNotFound
	case asks(q) != 1:
		return refuse(CodeForm, "a reconciliation compares, or asks for leaves, or for notices")
	case len(q.Want) > s.o.Limits.Frames:
		return refuse(CodeSize, "more than %d leaves are asked for", s.o.Limits.Frames)
	}
	if len(q.Compare) > 0 { // what is no message is told before anything is looked up, so that the answer does not depend on it
		if _, err := parseSpans(q.Compare); err != nil {
			return err
		}
	}
	out, err := s.b.Reconcile(r.Context(), q)
	if err != nil {
		return err
	}
	return s.json(w, out)
}
