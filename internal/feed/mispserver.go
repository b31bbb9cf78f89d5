package feed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"entente/internal/fault"
)

// MISPServer pulls from a MISP 2.5 as another MISP does: the index of events, each event that is newer than what is here, then sightings,
// proposals, custom clusters and analyst data.
type MISPServer struct{}

func (MISPServer) Kind() string { return "misp-server" }

func (MISPServer) Check(c *Config) error {
	switch {
	case c.url == nil:
		return bad("url", "a MISP server is reached by the url of its start page")
	case c.TokenFile == "":
		return bad("token_file", "a MISP server wants an authentication key: write it into a file and name that")
	case c.Gone != "keep" || c.Expire != "":
		return bad("gone", "what a MISP server brought stays as its events say: say neither gone nor expire")
	}
	c.Header = cmp.Or(c.Header, "Authorization") // MISP takes the key alone, without "Bearer"
	return c.checkMISP()
}

// eventView is how an event is asked for: deleted elements too, nothing that is computed, nothing that stays on the instance.
const eventView = "events/view/%s/deleted[]:0/deleted[]:1/excludeGalaxy:1/includeEventCorrelations:0/includeFeedCorrelations:0/includeWarninglistHits:0/excludeLocalTags:1"

func (MISPServer) Pull(ctx context.Context, r *Run) error {
	if _, err := r.mispVersion(ctx); err != nil {
		return err
	}
	known, err := r.takenEvents(ctx)
	if err != nil {
		return err
	}
	index, etag, err := r.mispIndex(ctx)
	if err != nil {
		return err
	}
	left := 0
	if index != nil {
		if left, err = r.mispEvents(ctx, index, known); err != nil {
			return err
		}
	}
	for _, more := range []struct {
		word, what string
		take       func() error
	}{
		{"sightings", "sightings", func() error { return r.mispSightings(ctx, index, known) }},
		{"proposals", "proposals", func() error { return r.mispProposals(ctx, known) }},
		{"clusters", "galaxy clusters", func() error { return r.mispClusters(ctx) }},
		{"analyst", "analyst data", func() error { return r.mispAnalyst(ctx) }},
	} {
		if slices.Contains(r.c.MISP.Without, more.word) {
			continue
		}
		err := more.take()
		if err != nil && !r.tolerates(more.what, err) {
			return err
		}
		if err != nil && more.word == "sightings" {
			left++
		}
	}
	if index != nil && left == 0 && !r.report.DryRun {
		r.state.ETag = etag // else the next run looks again for what was missing
	}
	r.state.Read = r.now
	return nil
}

// tolerates tells whether the events can be taken although the server does not give something else.
func (r *Run) tolerates(what string, err error) bool {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Forbidden && f.Kind != fault.NotFound && f.Kind != fault.Unprocessable {
		return false
	}
	r.Note(fmt.Sprintf("the server gives no %s: %s", what, said(f)))
	return true
}

// mispEvents takes the events that are newer than what is here, the oldest first, and tells how many must be looked for again.
func (r *Run) mispEvents(ctx context.Context, index []indexed, known *taken) (int, error) {
	slices.SortFunc(index, func(a, b indexed) int {
		return cmp.Or(cmp.Compare(a.timestamp, b.timestamp), strings.Compare(string(a.id[:]), string(b.id[:])))
	})
	blocked := map[uuid.UUID]bool{}
	for _, id := range r.c.MISP.Block {
		blocked[uuid.MustParse(id)] = true
	}
	own, _ := uuid.Parse(r.c.MISP.Own)
	missing := 0
	for _, e := range index {
		if r.enough() {
			break
		}
		switch was := known.at(e.id); {
		case !e.published, blocked[e.id], own != uuid.Nil && e.orgc == own:
			continue
		case was.timestamp >= e.timestamp:
			r.report.Counts.Read++
			r.report.Counts.Present++
			continue
		}
		err := r.mispEvent(ctx, e, known)
		var f *fault.Error
		switch {
		case err == nil:
		case !errors.As(err, &f) || ctx.Err() != nil:
			return missing, err
		case f.Code == "misp.event" || f.Code == "misp.local" || f.Kind == fault.TooLarge: // it stays so until it changes
			r.Drop(f.Code, said(f), e.id.String())
			if err := r.keepTaken(ctx, known, e.id, takenEvent{timestamp: e.timestamp, bad: true}); err != nil {
				return missing, err
			}
		case f.Kind == fault.NotFound || f.Kind == fault.Forbidden && f.Code == "feed.refused":
			missing++
			r.Drop(f.Code, said(f), e.id.String())
		default:
			return missing, err
		}
	}
	return missing, nil
}

// permission is what a server says of a right of ours: older ones say nothing.
type permission int8

const (
	unsaid permission = iota
	granted
	refused
)

type mispAbout struct {
	Sync permission
	Gzip bool // it takes packed requests
}

// mispVersion asks who the server is, by which a wrong address or key shows at once.
func (r *Run) mispVersion(ctx context.Context) (mispAbout, error) {
	var v struct {
		Version  string   `json:"version"`
		Sync     *loose   `json:"perm_sync"`
		Encoding []string `json:"request_encoding"`
	}
	if err := r.mispJSON(ctx, http.MethodGet, "servers/getVersion", nil, &v); err != nil {
		return mispAbout{}, err
	}
	if v.Version == "" {
		return mispAbout{}, fault.New(fault.Unprocessable, "feed.format", "the server does not say which MISP it is; nothing of it was taken").Try("look at the feed's url: it is that of MISP's start page")
	}
	if !strings.HasPrefix(v.Version, "2.5.") {
		r.Note("the server is MISP " + cut(v.Version) + ", and this feed is made for 2.5")
	}
	about := mispAbout{Gzip: slices.Contains(v.Encoding, "gzip")}
	if v.Sync != nil {
		about.Sync = refused
		if v.Sync.n != 0 {
			about.Sync = granted
		}
	}
	return about, nil
}
