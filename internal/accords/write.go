package accords

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"entente/accord"
	"entente/dsse"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

// Add takes an accord as a text or as a bundle with signatures; signatures join those that are there. The own nation is one of its parties.
func (a *Accords) Add(ctx context.Context, v gate.Viewer, src []byte) (View, error) {
	if err := a.may(v, gate.AccordWrite); err != nil {
		return View{}, err
	}
	b, err := a.read(src)
	if err != nil {
		return View{}, err
	}
	return a.take(ctx, b, store.Act{Actor: actor(v), Verb: "accord.add"})
}

// read takes what begins as JSON for a bundle, and everything else for a text.
func (a *Accords) read(src []byte) (*accord.Bundle, error) {
	if len(src) > 0 && src[0] == '{' {
		b, err := accord.ParseBundle(src)
		if err == nil && b.Realm != a.cfg.Realm {
			return nil, fault.New(fault.Unprocessable, "accord.realm", "the accord is of the realm %q, and this node of %q", b.Realm, a.cfg.Realm)
		}
		return b, asFault(err)
	}
	b, err := accord.NewBundle(src, a.cfg.Realm)
	return b, asFault(err)
}

// Offer takes a bundle from a partner's node. It is for parties: what another offers does not exist here.
func (a *Accords) Offer(ctx context.Context, nation string, src []byte) error {
	if done, err := a.again(ctx, nation, src); done || err != nil {
		return err
	}
	b, err := a.read(src)
	if err != nil {
		return err
	}
	v, err := newVersion(b)
	if err != nil {
		return err
	}
	if v.party(nation) < 0 {
		return none()
	}
	standing, err := a.worth(b)
	if err != nil {
		return asFault(err)
	}
	if !slices.ContainsFunc(standing, func(s accord.Standing) bool { return s.Nation == nation && s.Have > 0 }) {
		return fault.New(fault.Unprocessable, "accord.unsigned", "%s offers an accord that none of its organisations signed", nation)
	}
	if _, err = a.take(ctx, b, store.Act{Actor: "peer:" + nation, Verb: "accord.offer"}); err != nil {
		return err
	}
	if accord.Complete(standing) {
		return a.Held(ctx, b.Digest(), nation)
	}
	return nil
}

// again takes what is here to the byte, and is not even read once more: every partner shows its own at every meeting.
func (a *Accords) again(ctx context.Context, nation string, src []byte) (done bool, err error) {
	same := func(v *version) bool { return v.signed.bundle == v.bundle && bytes.Equal(v.signed.bytes, src) }
	a.mu.Lock()
	digest := ""
	for _, v := range a.versions {
		if !same(v) {
			continue
		}
		standing, err := a.standing(v)
		if err == nil && a.authorised(v) == nil && accord.Complete(standing) && v.party(nation) >= 0 {
			digest = v.digest
		}
		break
	}
	a.mu.Unlock()
	if digest == "" {
		return false, nil
	}
	return true, a.Held(ctx, digest, nation)
}

// worth is what the signatures of a bundle are worth. Of one that brings nothing new it is known.
func (a *Accords) worth(b *accord.Bundle) ([]accord.Standing, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.versions[b.Digest()]
	if old == nil || !slices.EqualFunc(b.Signatures, old.bundle.Signatures, func(x, y dsse.Signature) bool { return x.KeyID == y.KeyID && bytes.Equal(x.Sig, y.Sig) }) {
		return b.Signed(a.cfg.Keys)
	}
	return a.standing(old)
}

// take keeps a bundle.
func (a *Accords) take(ctx context.Context, b *accord.Bundle, act store.Act) (View, error) {
	v, err := newVersion(b)
	if err != nil {
		return View{}, err
	}
	if v.party(a.cfg.Nation) < 0 {
		return View{}, fault.New(fault.Unprocessable, "accord.party", "%s is no party of %s", a.cfg.Nation, v.accord.Name).Try("an accord is kept at the nodes of its parties")
	}
	if err := a.authorised(v); err != nil {
		return View{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if old := a.versions[v.digest]; old != nil {
		merged := *old.bundle
		merged.Signatures = slices.Clone(old.bundle.Signatures)
		if err := merged.Merge(b); err != nil {
			return View{}, asFault(err)
		}
		if len(merged.Signatures) == len(old.bundle.Signatures) {
			return a.view(old), nil
		}
		return a.put(ctx, old, &merged, act)
	}
	if from, ok := strings.CutPrefix(act.Actor, "peer:"); !ok || a.signedHere(v) {
		err = a.follows(v, "")
	} else {
		err = a.follows(v, from)
	}
	if err != nil {
		return View{}, err
	}
	if len(a.versions) >= maxAccords {
		return View{}, fault.New(fault.TooLarge, "accord.count", "this node has %d versions of accords, and keeps no more", maxAccords)
	}
	return a.put(ctx, v, b, act)
}

// authorised refuses an accord that is not of this realm, and one of an exercise that no accord of operations authorises.
func (a *Accords) authorised(v *version) error {
	if string(v.accord.Mode) != a.cfg.Realm {
		return fault.New(fault.Unprocessable, "accord.realm", "accord %s binds %s, and this node is of the realm %q", v.accord.Name, v.accord.Mode, a.cfg.Realm)
	}
	if a.cfg.Authorised == nil {
		return nil
	}
	return asFault(a.cfg.Authorised(v.accord))
}

// signedHere tells whether the own nation signed a text.
func (a *Accords) signedHere(v *version) bool {
	standing, err := a.standing(v)
	return err == nil && slices.ContainsFunc(standing, func(s accord.Standing) bool { return s.Nation == a.cfg.Nation && s.Have > 0 })
}

// follows refuses a version that does not follow from the one in force. What a partner offers is held against accords with it alone: that a name is taken by one
// between others is not for it to know. The caller holds mu.
func (a *Accords) follows(v *version, partner string) error {
	for _, old := range a.versions {
		if old == v || old.accord.Name != v.accord.Name || !a.complete(old) || partner != "" && old.party(partner) < 0 {
			continue
		}
		switch {
		case old.accord.Version == v.accord.Version:
			return fault.New(fault.Conflict, "accord.version", "%s version %d was signed by everybody with another text", v.accord.Name, v.accord.Version).Try("give the amendment the next number")
		case old.accord.Version == v.accord.Version-1 && v.accord.Supersedes != old.digest:
			return fault.New(fault.Conflict, "accord.supersedes", "version %d of %s does not follow the version %d that was signed: it is to supersede %s", v.accord.Version, v.accord.Name,
				old.accord.Version, old.digest)
		}
	}
	return nil
}

// put writes a bundle and makes it the version's. The caller holds mu.
func (a *Accords) put(ctx context.Context, v *version, b *accord.Bundle, act store.Act) (View, error) {
	act.Target, act.Detail = fmt.Sprintf("%s v%d", v.accord.Name, v.accord.Version), v.digest
	if err := a.cfg.Docs.PutDocs(ctx, act, store.Doc{Kind: docAccord, Key: v.digest, Value: b.Bytes(), Version: v.at}); err != nil {
		return View{}, fmt.Errorf("keeping an accord: %w", err)
	}
	v.at++
	v.bundle = b
	a.versions[v.digest] = v
	a.touch()
	return a.view(v), nil
}

// Sign puts the own organisation's signature under a text. It is irreversible: whoever has the signed text can show it.
func (a *Accords) Sign(ctx context.Context, v gate.Viewer, name string, number int) (View, error) {
	s, err := a.signer(ctx, v)
	if err != nil {
		return View{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	text, err := a.signable(name, number)
	if err != nil {
		return View{}, err
	}
	if n := a.view(text); n.Declined(a.cfg.Nation) != nil {
		return View{}, fault.New(fault.Conflict, "accord.declined", "%s has declined to sign version %d of %s", a.cfg.Nation, text.accord.Version, text.accord.Name).Try("sign a changed text: entente accord new, or an amendment")
	}
	signed := *text.bundle
	signed.Signatures = slices.Clone(text.bundle.Signatures)
	if err := signed.Sign(s); err != nil {
		return View{}, asFault(err)
	}
	return a.put(ctx, text, &signed, store.Act{Actor: actor(v), Verb: "accord.sign"})
}

// signer is the key of a viewer who may say for the own organisation whether it is bound, which it says once and for all. The caller does not hold mu.
func (a *Accords) signer(ctx context.Context, v gate.Viewer) (dsse.Signer, error) {
	if err := a.may(v, gate.AccordSign); err != nil {
		return nil, err
	}
	if a.cfg.Awaits != nil {
		if waits, err := a.cfg.Awaits(ctx); err != nil {
			return nil, err
		} else if waits {
			return nil, fault.New(fault.Unavailable, "accord.restored", "this node was restored from a backup, and asks its partners first what it had said since").After(time.Minute).
				Try("wait until the partners are reached: entente peer list")
		}
	}
	return a.cfg.Signer()
}

// signable is a version that the own organisation may sign. The caller holds mu.
func (a *Accords) signable(name string, number int) (*version, error) {
	v, err := a.find(name, number)
	if err == nil {
		err = a.mine(v)
	}
	return v, err
}

// mine says why the own organisation may not sign a version. The caller holds mu.
func (a *Accords) mine(v *version) error {
	if err := a.authorised(v); err != nil {
		return err
	}
	if p := v.accord.Parties[v.party(a.cfg.Nation)]; !signs(&p, a.cfg.Org) {
		return fault.New(fault.Forbidden, "accord.signer", "%s is none of the organisations that may sign %s for %s", a.cfg.Org, v.accord.Name, a.cfg.Nation)
	}
	return a.follows(v, "")
}

func signs(p *accord.Party, org string) bool {
	if len(p.Signers) == 0 {
		return p.Org == "" || p.Org == org
	}
	return slices.Contains(p.Signers, org)
}

// Say states that the own nation suspends, resumes or terminates an accord, or withdraws from it.
func (a *Accords) Say(ctx context.Context, v gate.Viewer, name string, verb accord.Verb, reason string) (View, error) {
	if verb == accord.Decline {
		return a.Decline(ctx, v, name, 0, reason)
	}
	if err := a.may(v, gate.AccordSuspend); err != nil {
		return View{}, err
	}
	s, err := a.cfg.Signer()
	if err != nil {
		return View{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	text, err := a.latest(name)
	if err != nil {
		return View{}, err
	}
	return a.notify(ctx, v, text, verb, reason, s)
}

// Decline states that the own nation does not sign a version. The other parties read why; a changed text is another one, which can be signed.
func (a *Accords) Decline(ctx context.Context, v gate.Viewer, name string, number int, reason string) (View, error) {
	s, err := a.signer(ctx, v)
	if err != nil {
		return View{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	text, err := a.signable(name, number)
	if err != nil {
		return View{}, err
	}
	switch now := a.view(text); {
	case now.Signed(a.cfg.Nation, a.cfg.Org):
		return View{}, fault.New(fault.Conflict, "accord.signed", "%s has signed version %d of %s, which cannot be taken back", a.cfg.Org, text.accord.Version, text.accord.Name).Try("what binds is suspended, terminated or withdrawn from")
	case now.Declined(a.cfg.Nation) != nil:
		return now, nil
	}
	return a.notify(ctx, v, text, accord.Decline, reason, s)
}

// notify signs what the own nation says about a version, and keeps it. The caller holds mu.
func (a *Accords) notify(ctx context.Context, v gate.Viewer, text *version, verb accord.Verb, reason string, s dsse.Signer) (View, error) {
	n := accord.Notice{Accord: text.digest, Verb: verb, Party: a.cfg.Nation, At: a.cfg.Now(), Reason: reason}
	if err := n.Fits(text.accord, text.digest); err != nil {
		return View{}, asFault(err)
	}
	e, err := n.Sign(a.cfg.Realm, s)
	if err != nil {
		return View{}, asFault(err)
	}
	return a.heard(ctx, text, e, store.Act{Actor: actor(v)})
}

// Hear takes a notice from a partner's node.
func (a *Accords) Hear(ctx context.Context, nation string, envelope []byte) error {
	e, err := dsse.Parse(envelope)
	if err != nil {
		return asFault(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range a.versions {
		if v.party(nation) < 0 {
			continue
		}
		if n, err := accord.ReadNotice(&e, a.cfg.Realm, v.accord, v.digest, a.cfg.Keys); err != nil || n.Party != nation {
			continue
		}
		_, err := a.heard(ctx, v, e, store.Act{Actor: "peer:" + nation})
		return err
	}
	return fault.New(fault.Unprocessable, "notice.unknown", "the notice is about no accord with %s that is here, or its signatures do not hold", nation)
}

// maxNotices bounds what is said about one version.
const maxNotices = 1000

// heard keeps a notice. The caller holds mu.
func (a *Accords) heard(ctx context.Context, v *version, e dsse.Envelope, act store.Act) (View, error) {
	b := e.Bytes()
	n, err := a.open(v, b)
	if err != nil {
		return View{}, err
	}
	for _, old := range v.notices {
		if old.Notice == n {
			return a.view(v), nil
		}
	}
	if len(v.notices) >= maxNotices {
		return View{}, fault.New(fault.TooLarge, "notice.count", "%d notices about %s are enough", maxNotices, v.accord.Name)
	}
	sum := sha256.Sum256(e.Payload)
	act.Verb, act.Target, act.Detail = "accord."+string(n.Verb), fmt.Sprintf("%s v%d", v.accord.Name, v.accord.Version), n.Party
	if err := a.cfg.Docs.PutDocs(ctx, act, store.Doc{Kind: docNotice, Key: v.digest + "/" + hex.EncodeToString(sum[:16]), Value: b, Version: -1}); err != nil {
		return View{}, fmt.Errorf("keeping a notice: %w", err)
	}
	v.add(notice{n, b})
	a.touch()
	return a.view(v), nil
}

// Decision is what the parties of an accord decided together about it, by a rule of its own. Who calls Decided has verified it.
type Decision struct {
	Proposal string      `json:"proposal"` // digest, in hex
	Accord   string      `json:"accord"`   // digest
	Verb     accord.Verb `json:"verb"`
	Nation   string      `json:"nation"` // that proposed it
	At       time.Time   `json:"at"`
}

// Decided takes a decision as the notice of each party: what would need the word of each has it. The same decision again changes nothing.
func (a *Accords) Decided(ctx context.Context, d Decision) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.versions[d.Accord]
	if v == nil || !a.complete(v) {
		return fault.New(fault.Conflict, "accord.decided", "the accord that was decided about does not bind this node")
	}
	if d.Verb != accord.Suspend && d.Verb != accord.Resume && d.Verb != accord.Terminate {
		return fault.New(fault.Unprocessable, "accord.decided", "about an accord is decided to suspend, resume or terminate it, not to %s it", d.Verb)
	}
	said := d.notices(v)
	for _, n := range said {
		if err := n.Fits(v.accord, v.digest); err != nil {
			return asFault(err)
		}
		for _, old := range v.notices { // at another time, too: a decision is carried out once
			if old.envelope == nil && old.Reason == n.Reason {
				return nil
			}
		}
	}
	if len(v.notices)+len(said) > maxNotices {
		return fault.New(fault.TooLarge, "notice.count", "%d notices about %s are enough", maxNotices, v.accord.Name)
	}
	b, err := json.Marshal(d)
	if err != nil {
		return fault.New(fault.Internal, "", "a decision cannot be written down").Because(err)
	}
	act := store.Act{Actor: "node", Verb: "accord." + string(d.Verb), Target: fmt.Sprintf("%s v%d", v.accord.Name, v.accord.Version), Detail: "decision=" + d.Proposal}
	if err := a.cfg.Docs.PutDocs(ctx, act, store.Doc{Kind: docDecided, Key: v.digest + "/" + d.Proposal, Value: b, Version: -1}); err != nil {
		return fmt.Errorf("keeping a decision: %w", err)
	}
	v.add(said...)
	a.touch()
	return nil
}

// notices are what a decision stands for: to end an accord takes one word, to suspend or resume it that of each party.
func (d *Decision) notices(v *version) (out []notice) {
	for _, p := range v.accord.Parties {
		if d.Verb != accord.Terminate || p.Nation == d.Nation {
			out = append(out, notice{Notice: accord.Notice{Accord: v.digest, Verb: d.Verb, Party: p.Nation, At: d.At, Reason: "decision " + d.Proposal}})
		}
	}
	return out
}

// add keeps notices in the order of their times.
func (v *version) add(said ...notice) {
	v.notices = append(v.notices, said...)
	slices.SortStableFunc(v.notices, func(x, y notice) int { return x.At.Compare(y.At) })
}

// Held notes that a party's node has a version with every signature: an amendment that widens counts for it only then.
func (a *Accords) Held(ctx context.Context, digest, nation string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.versions[digest]
	if v == nil || v.held[nation] || v.party(nation) < 0 {
		return nil
	}
	if err := a.cfg.Docs.PutDocs(ctx, store.Act{}, store.Doc{Kind: docHeld, Key: digest + "/" + nation, Value: []byte("{}"), Version: -1}); err != nil {
		return fmt.Errorf("noting who has an accord: %w", err)
	}
	v.held[nation] = true
	a.touch()
	return nil
}

func actor(v gate.Viewer) string { return v.Org + "/" + v.Person }
