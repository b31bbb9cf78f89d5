package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/fault"
	"entente/internal/outbound"
)

const hookRules = outbound.Rules("notify.webhook")

// hookAnswer is how much of an answer is read; what it says does not matter.
const hookAnswer = 64 << 10

// Headers of a webhook's request.
const (
	SignatureHeader = "Entente-Signature" // "t=SECONDS,v1=HEX": HMAC-SHA256 of "SECONDS.BODY" under the shared secret
	onceHeader      = "Idempotency-Key"   // the same for every attempt
)

// Hook delivers by a signed POST of JSON to one configured address. Constituents name the channel, and not the address.
type Hook struct {
	c    WebhookConfig
	line *outbound.Line
	now  func() time.Time
}

// NewHook makes the channel of a configuration.
func NewHook(c WebhookConfig, o Setting) (*Hook, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.base = o.Base
	h := &Hook{c: c, now: o.Now}
	ca := c.CA
	if ca != "" {
		ca = below(o.Base, ca)
	}
	var err error
	h.line, err = outbound.New(outbound.Config{Rules: hookRules, Origins: []*url.URL{c.url}, Networks: c.nets, CA: ca, Agent: o.Agent, Bytes: hookAnswer, Timeout: c.timeout})
	return h, err
}

// Name implements Channel.
func (h *Hook) Name() string { return h.c.Name }

// Kind implements Channel.
func (h *Hook) Kind() Route { return Webhook }

// Reaches implements Channel: the address is the channel's name.
func (h *Hook) Reaches(address string) bool { return address == h.c.Name }

// Compose implements Channel. The time in the signature is that of the attempt.
func (h *Hook) Compose(m *Message) (Parcel, error) {
	secret, err := h.c.secret()
	if err != nil {
		return Parcel{}, err
	}
	body, err := json.Marshal(m.Data)
	if err != nil {
		return Parcel{}, final("webhook.json", "the notification cannot be written as JSON").Because(err)
	}
	at := strconv.FormatInt(h.now().Unix(), 10)
	return Parcel{Encrypted: "tls", Body: string(body), Headers: map[string]string{"Content-Type": "application/json", onceHeader: m.ID,
		SignatureHeader: "t=" + at + ",v1=" + Sign(secret, at, body)}}, nil
}

// Sign is the signature of a webhook's body at a time, in seconds since 1970.
func Sign(secret []byte, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	io.WriteString(mac, at+".")
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

// Send implements Channel. Any 2xx is a success; 408, 425, 429 and 5xx are tried again; everything else, redirects too, is final.
func (h *Hook) Send(ctx context.Context, m *Message) error {
	p, err := h.Compose(m)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.c.URL, strings.NewReader(p.Body))
	if err != nil {
		return final("address", "%q is no URL", clip(h.c.URL, 200))
	}
	for name, value := range p.Headers {
		r.Header.Set(name, value)
	}
	resp, err := h.line.Client().Do(r)
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) {
			if f.Kind == fault.Forbidden {
				return final("webhook.host", "%s: %s", h.c.Name, f.Message).Because(err)
			}
			return temporary("webhook.answer", "%s: %s", h.c.Name, f.Message).Because(err)
		}
		return temporary("webhook.connection", "%s: the receiver cannot be reached", h.c.Name).Because(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, hookAnswer)) // the status is the answer
	switch s := resp.StatusCode; {
	case s >= 200 && s < 300:
		return nil
	case s >= 500 || s == http.StatusTooManyRequests || s == http.StatusRequestTimeout || s == http.StatusTooEarly:
		e := temporary("webhook.deferred", "%s: the receiver answered %d", h.c.Name, s)
		if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && after > 0 {
			e.RetryAfter = min(time.Duration(after)*time.Second, maxBackoff)
		}
		return e
	default:
		return final("webhook.refused", "%s: the receiver answered %d", h.c.Name, s)
	}
}

// Check implements Channel: the receiver is asked for its options, and any answer will do.
func (h *Hook) Check(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodOptions, h.c.URL, nil)
	if err != nil {
		return final("address", "%q is no URL", clip(h.c.URL, 200))
	}
	resp, err := h.line.Client().Do(r)
	if err != nil {
		return temporary("webhook.connection", "%s: the receiver cannot be reached", h.c.Name).Because(err)
	}
	return resp.Body.Close()
}
