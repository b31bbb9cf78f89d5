package peer

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// Heads is what a node has seen of others' logs. Two who were shown the same log compare what they saw: whoever showed them two different ones is
// caught by his own signatures.
type Heads struct {
	KeyLogs []Head   `json:"keylogs,omitempty"` // of nations, the origin being KeyLogPrefix and the nation
	Logs    [][]byte `json:"logs,omitempty"`    // newest checkpoints, as their logs signed them
	Custody [][]byte `json:"custody,omitempty"` // what relays said that they have of logs that the other reads
	// Witnessed are checkpoints of logs of who tells them, each cosigned by another recipient of the log than who is told; at most MaxWitnessed.
	Witnessed [][]byte `json:"witnessed,omitempty"`
}

// MaxWitnessed bounds the cosigned checkpoints that are told at once.
const MaxWitnessed = 64

// KeyLogPrefix begins what stands for the origin of a nation's key log.
const KeyLogPrefix = "keylog:"

// Heads tells what this node has seen of logs that the other has part in, and gives what the other has seen of the same logs.
func (c *Client) Heads(ctx context.Context, h Heads) (seen Heads, err error) {
	b, err := json.Marshal(h)
	if err != nil {
		return seen, refuse(CodeForm, "the heads cannot be written: %v", err)
	}
	r, err := c.request(ctx, http.MethodPost, "/fed/v1/heads", jsonMedia, b)
	if err != nil {
		return seen, err
	}
	w, err := c.do(r, false)
	if err != nil {
		return seen, err
	}
	defer w.Body.Close()
	if err := c.read(w, &seen); err != nil {
		return seen, err
	}
	return seen, seen.check(c.Limits.Values().Logs)
}

func (h *Heads) check(logs int) error {
	if len(h.KeyLogs) > logs || len(h.Logs) > logs || len(h.Custody) > logs {
		return refuse(CodeSize, "more than %d heads are told at once", logs)
	}
	for _, k := range h.KeyLogs {
		if !strings.HasPrefix(k.Origin, KeyLogPrefix) || len(k.Origin) > maxName || k.Size > maxSize {
			return refuse(CodeForm, "the head of a key log is named %sNATION", KeyLogPrefix)
		}
	}
	if len(h.Witnessed) > MaxWitnessed {
		return refuse(CodeSize, "more than %d cosigned checkpoints are told at once", MaxWitnessed)
	}
	for _, n := range slices.Concat(h.Logs, h.Custody, h.Witnessed) {
		if len(n) > maxCheckpoint {
			return refuse(CodeSize, "a checkpoint has more than %d bytes", maxCheckpoint)
		}
	}
	return nil
}

func (s *server) heads(w http.ResponseWriter, r *http.Request) error {
	b, err := body(w, r, jsonMedia, s.o.Limits.Body)
	if err != nil {
		return err
	}
	var h Heads
	if err := json.Unmarshal(b, &h, json.RejectUnknownMembers(true)); err != nil {
		return refuse(CodeForm, "the body is no list of heads: %v", err)
	}
	if err := h.check(s.o.Limits.Logs); err != nil {
		return err
	}
	seen, err := s.b.Heads(r.Context(), h)
	if err != nil {
		return err
	}
	return s.json(w, seen)
}
