package feed

import (
	"context"
	"errors"
	"time"

	"entente/internal/fault"
	"entente/taxii"
)

// TAXII polls a collection of a TAXII 2.1 server.
type TAXII struct{}

func (TAXII) Kind() string { return "taxii" }

func (TAXII) Check(c *Config) error {
	switch {
	case c.url == nil:
		return bad("url", "a TAXII feed needs the url of the server's discovery or of an API root")
	case c.Remote == "":
		return bad("remote", "nobody says which collection of the server is polled: write its id or alias")
	}
	return nil
}

// pageSize is how many objects are asked for at once.
const pageSize = 1000

func (TAXII) Pull(ctx context.Context, r *Run) error {
	client := r.client()
	root, err := apiRoot(ctx, client)
	if err != nil {
		return err
	}
	window := r.c.times.window
	// The whole run asks with the window of the checkpoint that it began with.
	ask := taxii.Select{Limit: pageSize}
	ask.AddedAfter = r.state.Checkpoint.After(window)
	for page, err := range client.Objects(ctx, root, r.c.Remote, ask) {
		if err != nil {
			return taxiiFault(err)
		}
		for _, t := range page.Tolerated {
			r.Note("the server departs from the standard: " + t)
		}
		for _, o := range page.Objects {
			r.report.Bytes += int64(len(o))
		}
		fresh, next := r.state.Checkpoint.Take(page, window)
		r.report.Counts.Present += int64(len(page.Objects) - len(fresh))
		r.report.Counts.Read += int64(len(page.Objects) - len(fresh))
		if len(fresh) == 0 && next.Last.Equal(r.state.Checkpoint.Last) {
			continue
		}
		objects := make([][]byte, 0, len(fresh))
		for _, raw := range fresh {
			objects = append(objects, r.current(raw)...)
		}
		if err := r.Objects(ctx, objects, func(s *State) { s.Checkpoint, s.Read = next, r.now }); err != nil {
			return err
		}
	}
	return nil
}

// apiRoot finds the API root: that of a discovery, else the URL is taken for one.
func apiRoot(ctx context.Context, client *taxii.Client) (string, error) {
	d, err := client.Discovery(ctx)
	switch {
	case err != nil && (errors.Is(err, taxii.ErrNotFound) || errors.Is(err, taxii.ErrProtocol)):
		return client.URL, nil // some servers say nothing about their roots
	case err != nil:
		return "", taxiiFault(err)
	case d.Default != "":
		return d.Default, nil
	case len(d.APIRoots) > 0:
		return d.APIRoots[0], nil
	}
	return client.URL, nil
}

// taxiiFault says in words what a server has answered.
func taxiiFault(err error) error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	var refused *taxii.ResponseError
	var after time.Duration
	if errors.As(err, &refused) {
		after = refused.RetryAfter
	}
	for _, k := range []struct {
		is   error
		kind fault.Kind
		code string
		do   string
	}{
		{taxii.ErrUnauthorized, fault.Forbidden, "feed.refused", "look at the feed's credential"},
		{taxii.ErrForbidden, fault.Forbidden, "feed.refused", "look at the feed's credential"},
		{taxii.ErrNotFound, fault.NotFound, "feed.missing", "look at the feed's url and remote"},
		{taxii.ErrThrottled, fault.Throttled, "feed.throttled", ""},
		{taxii.ErrUnavailable, fault.Throttled, "feed.throttled", ""},
		{taxii.ErrAddress, fault.Forbidden, "feed.redirect", "look at the feed's url"},
		{taxii.ErrStalled, fault.Unavailable, "feed.stalled", ""},
		{taxii.ErrPending, fault.Unavailable, "feed.pending", ""},
		{taxii.ErrProtocol, fault.Unprocessable, "feed.format", ""},
	} {
		if errors.Is(err, k.is) {
			return fault.New(k.kind, k.code, "%v", err).After(after).Try(k.do)
		}
	}
	return fault.New(fault.Unavailable, "feed.taxii", "%v", err)
}
