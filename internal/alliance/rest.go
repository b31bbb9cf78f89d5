package alliance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"entente/internal/accords"
	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/federation"
	"entente/internal/surface/api"
)

// rest asks a node's interface for what is about accords.
type rest struct{ over http.RoundTripper }

// ask makes a request whose body is JSON, or a text as it is.
func ask[T any](ctx context.Context, r rest, method, path string, q url.Values, body any) (out T, err error) {
	var in io.Reader
	contentType := "application/json"
	switch b := body.(type) {
	case nil:
	case []byte:
		in, contentType = bytes.NewReader(b), "application/octet-stream"
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return out, err
		}
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://node"+api.Prefix+path+"?"+q.Encode(), in)
	if err != nil {
		return out, err
	}
	if in != nil {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := (&http.Client{Transport: r.over}).Do(req)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return out, err
	}
	if resp.StatusCode/100 != 2 {
		kind := fault.Internal
		if resp.StatusCode == http.StatusNotFound {
			kind = fault.NotFound
		}
		return out, fault.New(kind, "demo.answer", "%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
	if len(answer) == 0 {
		return out, nil
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return out, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return out, nil
}

func (r rest) addAccord(ctx context.Context, text []byte) (accords.View, error) {
	return ask[accords.View](ctx, r, "POST", "/accords", nil, text)
}

func (r rest) signAccord(ctx context.Context, name string) (accords.View, error) {
	return ask[accords.View](ctx, r, "POST", "/accords/"+url.PathEscape(name)+"/sign", nil, nil)
}

func (r rest) accord(ctx context.Context, name string) (accords.View, error) {
	return ask[accords.View](ctx, r, "GET", "/accords/"+url.PathEscape(name), nil, nil)
}

func (r rest) notice(ctx context.Context, name string, n api.AccordNotice) error {
	_, err := ask[accords.View](ctx, r, "POST", "/accords/"+url.PathEscape(name)+"/notice", nil, n)
	return err
}

func (r rest) share(ctx context.Context, id string, s api.SharingRequest) error {
	_, err := ask[api.List[exchange.Relabelled]](ctx, r, "POST", "/objects/"+id+"/share", nil, s)
	return err
}

func (r rest) retract(ctx context.Context, id, reason string) error {
	_, err := ask[api.Orders](ctx, r, "POST", "/objects/"+id+"/retract", nil, api.Retraction{Reason: reason})
	return err
}

func (r rest) simulate(ctx context.Context, id string) ([]federation.Judged, error) {
	l, err := ask[api.List[federation.Judged]](ctx, r, "GET", "/objects/"+id+"/simulation", nil, nil)
	return l.Items, err
}

func (r rest) given(ctx context.Context, id string) ([]federation.Given, error) {
	l, err := ask[api.List[federation.Given]](ctx, r, "GET", "/objects/"+id+"/given", nil, nil)
	return l.Items, err
}

func (r rest) releases(ctx context.Context) ([]federation.Release, error) {
	l, err := ask[api.List[federation.Release]](ctx, r, "GET", "/releases", nil, nil)
	return l.Items, err
}

func (r rest) decide(ctx context.Context, d api.ReleaseDecision) error {
	_, err := ask[federation.Release](ctx, r, "POST", "/releases/decide", nil, d)
	return err
}

func (r rest) links(ctx context.Context) ([]federation.Health, error) {
	l, err := ask[api.List[federation.Health]](ctx, r, "GET", "/links", nil, nil)
	return l.Items, err
}

// unlessNotFound lets something be waited for that is not there yet.
func unlessNotFound(err error) error {
	if fault.Of(err) == fault.NotFound {
		return nil
	}
	return err
}
