package api

import (
	"strings"

	"entente/internal/detect"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/gate"
	"entente/proof"
)

// ProofFinding is what a file proves, and whether it is about a nation as this node knows it.
type ProofFinding struct {
	proof.Finding
	Fingerprint string `json:"fingerprint"`
	Words       string `json:"words"`
	Known       bool   `json:"known"`
}

// ProofSettlement says why a proof does not weigh any more.
type ProofSettlement struct {
	Reason string `json:"reason"`
}

// maxReason bounds a reason, in bytes.
const maxReason = 500

var proofRoutes = []Route{
	{get, "/alarms", "What people must look at in the alliance: contradictions that were proved, logs that others have more of or that stand still, clocks, receipts, refusals; and sensors of this node that say nothing.", gate.AccordRead, nil, pages[federation.Alarm](), (*API).alarms},
	{get, "/links/{nation}/logs", "The logs that this node shares with a partner, and who else saw them as they are here.", gate.AccordRead, nil, pages[federation.LogView](), (*API).sharedLogs},
	{get, "/proofs", "What was proved against partners, the latest first.", gate.AccordRead, nil, pages[federation.Accusation](), (*API).proofs},
	{post, "/proofs/verify", "Say what a file proves, by the signatures in it alone. Nothing is stored.", gate.AccordRead, nil, gives(ProofFinding{}).upload(bytesType), (*API).verifyProof},
	{get, "/proofs/{id}", "One proof.", gate.AccordRead, nil, gives(federation.Accusation{}), (*API).proof},
	{get, "/proofs/{id}/file", "The file of a proof, which stands alone: who verifies it needs no node. That of a conflict holds objects: it is for who sees quarantine.", gate.AccordRead, nil, copies(jsonType), (*API).proofFile},
	{post, "/proofs/{id}/settlement", "Say that a proof does not weigh any more: what the nation gives is taken again.", gate.ProofSettle, nil,
		gives(federation.Accusation{}).of(ProofSettlement{}, "reason"), (*API).settleProof},
}

func (a *API) alarms(c *call) error {
	all, err := a.ops.Federation().Alarms(c.ctx())
	if err != nil {
		return err
	}
	silent, err := a.ops.Detection().Silent()
	if err != nil {
		return err
	}
	for _, s := range silent {
		all = append(all, federation.Alarm{Nation: a.us.Nation, Kind: detect.AlarmSilent, Since: s.Since, Sensor: s.Name, Text: s.Text})
	}
	return c.answer(list(all, ""))
}

func (a *API) sharedLogs(c *call) error {
	all, err := a.ops.Federation().Shared(c.ctx(), c.path("nation"))
	if err != nil {
		return err
	}
	return c.answer(list(all, ""))
}

func (a *API) proofs(c *call) error {
	all, err := a.ops.Federation().Proofs(c.ctx())
	if err != nil {
		return err
	}
	return c.answer(list(all, ""))
}

func (a *API) proof(c *call) error {
	p, err := a.ops.Federation().Proof(c.ctx(), c.path("id"))
	if err != nil {
		return err
	}
	return c.answer(p)
}

func (a *API) proofFile(c *call) error {
	p, err := a.ops.Federation().Proof(c.ctx(), c.path("id"))
	if err != nil {
		return err
	}
	if p.Found.Kind == proof.Conflict { // it holds what is in quarantine
		if err := a.may(c.v, gate.QuarantineRead); err != nil {
			return err
		}
	}
	if p.Gone {
		return fault.New(fault.NotFound, "proof.gone", "what the proof held was purged, and its file with it")
	}
	h := c.w.Header()
	h.Set("Content-Type", jsonType)
	h.Set("Content-Disposition", `attachment; filename="`+p.ID+`.proof"`)
	_, err = c.w.Write(p.File)
	return err
}

func (a *API) settleProof(c *call) error {
	var q ProofSettlement
	if err := c.body(&q); err != nil {
		return err
	}
	if q.Reason = strings.TrimSpace(q.Reason); q.Reason == "" || len(q.Reason) > maxReason {
		return fault.New(fault.Invalid, "proof.reason", "the reason has 1 to %d bytes", maxReason).At("reason")
	}
	id := c.path("id")
	if err := a.ops.Federation().SettleProof(c.ctx(), id, actor(c.v), q.Reason); err != nil {
		return err
	}
	return a.proof(c)
}

func (a *API) verifyProof(c *call) error {
	b, err := c.file(proof.MaxBytes)
	if err != nil {
		return err
	}
	f, err := proof.Verify(b)
	if err != nil {
		return fault.New(fault.Unprocessable, "proof.invalid", "%v", err)
	}
	v := ProofFinding{Finding: f, Fingerprint: f.Fingerprint.String(), Words: f.Fingerprint.Words()}
	if l, err := a.ops.Peers().Log(f.Nation); err == nil {
		v.Known = l.Fingerprint() == f.Fingerprint && l.Realm() == f.Realm
	}
	return c.answer(v)
}
