package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
	"entente/internal/store"
	"entente/internal/surface"
)

// Idempotency keys (draft-ietf-httpapi-idempotency-key-header): who makes something under a key and asks again with the same key and
// the same request gets the first answer, and nothing more is made.
const (
	onceHeader   = "Idempotency-Key"
	onceReplayed = "Idempotency-Replayed" // true on an answer that is given again
	onceKind     = "once"
	onceLife     = 24 * time.Hour
	onceKept     = 32 << 10 // bytes of an answer that is kept
	maxOnceKey   = 255
	maxOnceKeys  = 1000 // of one caller at a time
)

// Docs keeps small documents.
type Docs interface {
	PutDocs(ctx context.Context, act store.Act, docs ...store.Doc) error
	Doc(ctx context.Context, kind, key string) (store.Doc, error)
	Docs(ctx context.Context, kind, after string, limit int) ([]store.Doc, error)
}

// once is a request under a key.
type once struct {
	key     string // of its document: who asks and the key, hashed
	request []byte // keyed hash of the whole request: bodies hold passwords
	status  int    // of the answer, once it was kept
}

// onceDoc is what is kept of it. Answers hold secrets that are told once, so they are sealed.
type onceDoc struct {
	Request []byte `json:"request"`
	Status  int    `json:"status,omitzero"` // 0: the request has not come to its end
	Answer  string `json:"answer,omitzero"`
}

// first tells whether the request is the first under its key: it is noted, and may go on. Of another one the answer is given here.
func (a *API) first(c *call) (bool, error) {
	keys := c.r.Header.Values(onceHeader)
	if len(keys) == 0 {
		return true, nil
	}
	if len(keys) > 1 || !goodKey(keys[0]) {
		return false, fault.New(fault.Invalid, "idempotency.key", "an idempotency key is one text of 1 to %d printable ASCII characters without spaces", maxOnceKey).At(onceHeader).
			By("draft-ietf-httpapi-idempotency-key-header")
	}
	body, err := readBody(c)
	if err != nil {
		return false, err
	}
	c.read = body
	o := &once{key: onceKey(who(c.v), keys[0]), request: a.requestHash(c, body)}
	switch doc, err := a.ops.Docs().Doc(c.ctx(), onceKind, o.key); {
	case err == nil:
		return false, a.again(c, o, doc)
	case fault.Of(err) != fault.NotFound:
		return false, err
	}
	if err := a.room(c.ctx(), o.key); err != nil {
		return false, err
	}
	if err := a.keep(c.ctx(), o, onceDoc{Request: o.request}, 0); err != nil {
		if fault.Of(err) == fault.Conflict {
			return false, unfinished()
		}
		return false, err
	}
	c.once = o
	return true, nil
}

// again answers a request whose key was used before.
func (a *API) again(c *call, o *once, doc store.Doc) error {
	var d onceDoc
	if err := json.Unmarshal(doc.Value, &d); err != nil {
		return fault.New(fault.Internal, "", "the answer under an idempotency key is damaged").Because(err)
	}
	if !hmac.Equal(d.Request, o.request) {
		return fault.New(fault.Unprocessable, "idempotency.reused", "this key was used for another request").At(onceHeader).Try("use a new key for every thing to make")
	}
	if d.Status == 0 {
		return unfinished()
	}
	answer, err := a.ring.Open(onceContext(o.key), d.Answer)
	if err != nil {
		return unfinished()
	}
	headers(c.w, jsonType)
	c.w.Header().Set(onceReplayed, "true")
	c.w.WriteHeader(d.Status)
	_, err = c.w.Write(answer)
	return started(err)
}

// unfinished is for a key whose first request is under way, was cut off by a stop of the node, or had an answer that is no longer to
// be had. To do it again could make a second thing.
func unfinished() error {
	return fault.New(fault.Conflict, "idempotency.unfinished", "the first request under this key is under way, or its answer is lost").At(onceHeader).
		Try("ask again in a moment; if this stays, look whether the thing was made, and use a new key if not")
}

// room refuses a caller who has too many keys.
func (a *API) room(ctx context.Context, key string) error {
	caller := key[:onceCaller]
	docs, err := a.ops.Docs().Docs(ctx, onceKind, caller, maxOnceKeys)
	if err != nil || len(docs) < maxOnceKeys || docs[len(docs)-1].Key[:onceCaller] != caller {
		return err
	}
	return fault.New(fault.Throttled, "idempotency.keys", "you have %d idempotency keys of the last %d hours", maxOnceKeys, onceLife/time.Hour).After(time.Hour).
		Try("make it without a key, or wait")
}

// keep writes what is known of a request. version is that of the document it replaces, 0: there is none.
func (a *API) keep(ctx context.Context, o *once, d onceDoc, version int64) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return a.ops.Docs().PutDocs(ctx, store.Act{}, store.Doc{Kind: onceKind, Key: o.key, Value: b, Version: version, Expires: time.Now().Add(onceLife)})
}

// settle keeps the answer before it is told. What was made is made: an answer that cannot be kept is told all the same.
func (a *API) settle(c *call, status int, answer []byte) {
	o := c.once
	o.status = status
	if len(answer) > onceKept {
		return
	}
	d := onceDoc{Request: o.request, Status: status, Answer: a.ring.Seal(onceContext(o.key), answer)}
	if err := a.keep(context.WithoutCancel(c.ctx()), o, d, 1); err != nil {
		a.log.Warn("an answer could not be kept under its idempotency key", "id", surface.RequestID(c.ctx()), "error", err)
	}
}

// release frees the key of a request that failed and certainly made nothing.
func (a *API) release(c *call, failed error) {
	if c.once == nil || c.once.status != 0 || fault.Of(failed) == fault.Internal || c.ctx().Err() != nil {
		return
	}
	err := a.ops.Docs().PutDocs(c.ctx(), store.Act{}, store.Doc{Kind: onceKind, Key: c.once.key, Version: 1})
	if err != nil {
		a.log.Warn("an idempotency key could not be freed", "id", surface.RequestID(c.ctx()), "error", err)
	}
}

// onceCaller is how much of a document's key is the caller's.
const onceCaller = 32

func onceKey(who, key string) string {
	caller, whole := sha256.Sum256([]byte(who)), sha256.Sum256([]byte(who+"\x00"+key))
	return hex.EncodeToString(caller[:])[:onceCaller] + hex.EncodeToString(whole[:])
}

func onceContext(key string) string { return "api/once\x00" + key }

func (a *API) requestHash(c *call, body []byte) []byte {
	h := hmac.New(sha256.New, a.ring.Secret("api.once"))
	io.WriteString(h, c.r.Method+" "+c.r.URL.Path+"?"+c.r.URL.RawQuery+"\n")
	h.Write(body)
	return h.Sum(nil)
}

func goodKey(key string) bool {
	if len(key) == 0 || len(key) > maxOnceKey {
		return false
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return false
		}
	}
	return true
}

// serveOnce does what a route does, once for each key.
func (a *API) serveOnce(c *call, route Route) error {
	first, err := a.first(c)
	if err != nil || !first {
		return err
	}
	if err = route.handle(a, c); err != nil {
		a.release(c, err)
	}
	return err
}
