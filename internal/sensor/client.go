package sensor

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"entente/internal/build"
	"entente/internal/fault"
	"entente/internal/outbound"
	wire "entente/sensor"
)

const rules outbound.Rules = "sensor"

// The bounds of what a node answers.
const (
	askTime      = 60 * time.Second
	fileTime     = 6 * time.Hour
	maxSnapshot  = 1 << 40
	snapshotHead = 1 << 20 // read and thrown away of an answer that is not wanted
)

// everywhere is where a sensor's node may stand: whoever enrols it says where, and that is often no public address.
var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// client speaks to one node.
type client struct {
	node *url.URL
	ask  *outbound.Line
	file *outbound.Line // for what is large
}

func newClient(node *url.URL, conf *tls.Config) (*client, error) {
	c := &client{node: node}
	cfg := outbound.Config{Rules: rules, Origins: []*url.URL{node}, Networks: everywhere, TLS: conf, Agent: "entente-sensor/" + build.Version(), Bytes: wire.MaxBody, Timeout: askTime}
	var err error
	if c.ask, err = outbound.New(cfg); err != nil {
		return nil, err
	}
	cfg.Bytes, cfg.Timeout = maxSnapshot, fileTime
	c.file, err = outbound.New(cfg)
	return c, err
}

func (c *client) close() {
	c.ask.Close()
	c.file.Close()
}

// do sends a request and hands back an answer of success; the caller closes its body.
func (c *client) do(ctx context.Context, line *outbound.Line, method, path, query string, head http.Header, body []byte) (*http.Response, error) {
	u := *c.node
	u.Path, u.RawQuery = path, query
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), content)
	if err != nil {
		return nil, fault.New(fault.Internal, "", "a request cannot be made").Because(err)
	}
	for k, v := range head {
		req.Header[k] = v
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := line.Client().Do(req)
	if err != nil {
		return nil, rules.Wire(err)
	}
	if resp.StatusCode/100 == 2 || resp.StatusCode == http.StatusNotModified {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refusal(resp)
}

// refusal is what a status other than success means. What the node says about it is passed on.
func refusal(resp *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var said struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
		Code   string `json:"code"`
	}
	if err := json.Unmarshal(b, &said); err != nil {
		said.Detail = ""
	}
	kind := fault.Unavailable
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
		kind = fault.Unprocessable
	case http.StatusUnauthorized, http.StatusForbidden:
		kind = fault.Forbidden
	case http.StatusNotFound, http.StatusGone:
		kind = fault.NotFound
	case http.StatusConflict:
		kind = fault.Conflict
	case http.StatusRequestedRangeNotSatisfiable:
		kind = fault.Conflict
	}
	why := strings.TrimSpace(said.Title + " " + said.Detail)
	err := fault.New(kind, "sensor.refused", "the node answers %s: %s", resp.Status, why)
	if why == "" {
		err = fault.New(kind, "sensor.refused", "the node answers %s", resp.Status)
	}
	var f *fault.Error
	if errors.As(rules.Status(resp), &f) && f.RetryAfter > 0 {
		err.After(f.RetryAfter)
	}
	return err
}

// get asks for a message. With an ETag, changed is false where the node has nothing else.
func get[T any](ctx context.Context, c *client, path, query, etag string) (m T, newTag string, changed bool, err error) {
	head := http.Header{}
	if etag != "" {
		head.Set("If-None-Match", etag)
	}
	resp, err := c.do(ctx, c.ask, http.MethodGet, path, query, head, nil)
	if err != nil {
		return m, "", false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified {
		return m, etag, false, nil
	}
	m, err = read[T](resp)
	return m, resp.Header.Get("ETag"), true, err
}

// post gives a message and reads the answer.
func post[T any](ctx context.Context, c *client, path string, message any) (m T, err error) {
	b, err := json.Marshal(message)
	if err != nil {
		return m, fault.New(fault.Internal, "", "a message cannot be written").Because(err)
	}
	resp, err := c.do(ctx, c.ask, http.MethodPost, path, "", nil, b)
	if err != nil {
		return m, err
	}
	defer resp.Body.Close()
	return read[T](resp)
}

// read reads a message. What is not known of it is passed over: the node may be newer than the sensor.
func read[T any](resp *http.Response) (m T, err error) {
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return m, rules.Wire(err)
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return m, fault.New(fault.Unavailable, "sensor.answer", "the node's answer cannot be read: %v", err)
	}
	return m, nil
}
