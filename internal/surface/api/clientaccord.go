package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/url"
	"strconv"

	"entente/accord"
	"entente/internal/accords"
	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/federation"
)

// Accords is every version of every accord of the node, without texts.
func (c *Client) Accords(ctx context.Context) ([]accords.View, error) {
	l, err := ask[List[accords.View]](ctx, c, get, "/accords", nil, nil)
	return l.Items, err
}

// versionQuery is the query for a version of an accord; 0 is the highest.
func versionQuery(version int) url.Values {
	q := url.Values{}
	if version > 0 {
		q.Set("version", strconv.Itoa(version))
	}
	return q
}

// Accord is one version of an accord, by its name or digest, with its text and its sentences in a language.
func (c *Client) Accord(ctx context.Context, name string, version int, lang string) (AccordPage, error) {
	q := versionQuery(version)
	if lang != "" {
		q.Set("lang", lang)
	}
	return ask[AccordPage](ctx, c, get, "/accords/"+seg(name), q, nil)
}

// AddAccord keeps an accord: its text, or its file with signatures.
func (c *Client) AddAccord(ctx context.Context, src []byte) (v accords.View, err error) {
	return v, c.upload(ctx, "/accords", nil, src, &v)
}

// ReviewAccord checks a text and says what it means.
func (c *Client) ReviewAccord(ctx context.Context, src []byte, lang string) (r AccordReview, err error) {
	q := url.Values{}
	if lang != "" {
		q.Set("lang", lang)
	}
	return r, c.upload(ctx, "/accords/review", q, src, &r)
}

// AccordFile writes the file of a version, for the other parties.
func (c *Client) AccordFile(ctx context.Context, name string, version int, w io.Writer) error {
	_, err := c.copy(ctx, "/accords/"+seg(name)+"/file", versionQuery(version), w)
	return err
}

// SignAccord signs a version for the own organisation.
func (c *Client) SignAccord(ctx context.Context, name string, version int) (accords.View, error) {
	return ask[accords.View](ctx, c, post, "/accords/"+seg(name)+"/sign", versionQuery(version), nil)
}

// NotifyAccord states that the own nation suspends, resumes or terminates an accord, or withdraws from it.
func (c *Client) NotifyAccord(ctx context.Context, name string, verb accord.Verb, reason string) (accords.View, error) {
	return ask[accords.View](ctx, c, post, "/accords/"+seg(name)+"/notice", nil, AccordNotice{verb, reason})
}

// Simulate says what each party of an accord, or of every accord, is or would be given of an own object, and why. Of a version that is named, or of an
// accord that is not in force, it says what it would be if that were in force now.
func (c *Client) Simulate(ctx context.Context, id, accord string, version int) ([]federation.Judged, error) {
	q := versionQuery(version)
	if accord != "" {
		q.Set("accord", accord)
	}
	l, err := ask[List[federation.Judged]](ctx, c, get, "/objects/"+seg(id)+"/simulation", q, nil)
	return l.Items, err
}

// Suppose says what each party of an accord would be given of an own object if a text, or the file of one with signatures, were in force now.
func (c *Client) Suppose(ctx context.Context, id string, src []byte) ([]federation.Judged, error) {
	var l List[federation.Judged]
	err := c.upload(ctx, "/objects/"+seg(id)+"/simulation", nil, src, &l)
	return l.Items, err
}

// Share names organisations in the audience of an own object, or names them no more.
func (c *Client) Share(ctx context.Context, id string, in SharingRequest) ([]exchange.Relabelled, error) {
	l, err := ask[List[exchange.Relabelled]](ctx, c, post, "/objects/"+seg(id)+"/share", nil, in)
	return l.Items, err
}

// Retract tells everybody who was given an own object that it was wrong, and says how many orders went out.
func (c *Client) Retract(ctx context.Context, id, reason string) (int, error) {
	o, err := ask[Orders](ctx, c, post, "/objects/"+seg(id)+"/retract", nil, Retraction{reason})
	return o.Orders, err
}

// Given is where an own object went, and what its receivers did with it.
func (c *Client) Given(ctx context.Context, id string) ([]federation.Given, error) {
	l, err := ask[List[federation.Given]](ctx, c, get, "/objects/"+seg(id)+"/given", nil, nil)
	return l.Items, err
}

// Releases is what waits for a release officer, or was decided.
func (c *Client) Releases(ctx context.Context) ([]federation.Release, error) {
	l, err := ask[List[federation.Release]](ctx, c, get, "/releases", nil, nil)
	return l.Items, err
}

// ReviewRelease is what would go out if a release officer signed now, and the statement to sign, to be used within some hours; 0 is a week.
func (c *Client) ReviewRelease(ctx context.Context, key string, hours int) (federation.ReleaseReview, error) {
	return ask[federation.ReleaseReview](ctx, c, post, "/releases/review", nil, ReleaseAsk{key, hours})
}

// ReleaseFile writes the file of a release that an officer signed with a key of its own.
func (c *Client) ReleaseFile(ctx context.Context, key string, w io.Writer) error {
	_, err := c.copy(ctx, "/releases/file", url.Values{"key": {key}}, w)
	return err
}

// DecideRelease signs or refuses a release.
func (c *Client) DecideRelease(ctx context.Context, in ReleaseDecision) (federation.Release, error) {
	return ask[federation.Release](ctx, c, post, "/releases/decide", nil, in)
}

// Links is how the connections to partners' nodes are.
func (c *Client) Links(ctx context.Context) ([]federation.Health, error) {
	l, err := ask[List[federation.Health]](ctx, c, get, "/links", nil, nil)
	return l.Items, err
}

// RetryLink has the node try now to reach a partner's node.
func (c *Client) RetryLink(ctx context.Context, nation string) error {
	_, err := ask[nothing](ctx, c, post, "/links/"+seg(nation)+"/retry", nil, nil)
	return err
}

// upload posts bytes and reads the answer.
func (c *Client) upload(ctx context.Context, path string, q url.Values, body []byte, into any) error {
	resp, err := c.send(ctx, post, path, q, bytesType, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return unreachable(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fault.New(fault.Internal, "server.answer", "the node's answer cannot be read").Because(err)
	}
	return nil
}
