package feed

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"entente/internal/fault"
	"entente/misp"
)

// mispCall asks the server; a body is sent as JSON. The answer has any status.
func (r *Run) mispCall(ctx context.Context, method, path string, body any, header ...string) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		stream, ok := body.(io.Reader)
		if !ok {
			b, err := json.Marshal(body, json.Deterministic(true))
			if err != nil {
				return nil, fault.New(fault.Internal, "", "a request cannot be written").Because(err)
			}
			stream = bytes.NewReader(b)
		}
		content = stream
	}
	base := *r.c.url
	base.Path, base.RawPath, base.RawQuery = strings.TrimSuffix(base.Path, "/")+"/"+path, "", ""
	req, err := http.NewRequestWithContext(ctx, method, base.String(), content)
	if err != nil {
		return nil, bad("url", "this is no URL")
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := r.line.Client().Do(req)
	if err != nil {
		return nil, rules.Wire(err)
	}
	return resp, nil
}

// mispDocument brings an answer into the spool, whole.
func (r *Run) mispDocument(ctx context.Context, method, path string, body any, header ...string) (*Document, error) {
	resp, err := r.mispCall(ctx, method, path, body, header...)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified {
		return nil, nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, rules.Status(resp)
	}
	d, err := spool(r.f.o.Spool, resp.Body, r.c.Limits.Bytes)
	if err != nil {
		return nil, err
	}
	d.ETag = resp.Header.Get("ETag")
	r.report.Bytes += d.Size
	if err := r.looks(d); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// mispBytes asks for something that fits into memory.
func (r *Run) mispBytes(ctx context.Context, method, path string, body any) ([]byte, error) {
	d, err := r.mispDocument(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if d == nil {
		return nil, fault.New(fault.Unavailable, "feed.status", "the server answers that nothing has changed, which was not asked")
	}
	defer d.Close()
	if d.Size > misp.MaxAnswer {
		return nil, fault.New(fault.TooLarge, "feed.size", "the answer to %s has more than %d bytes", path, misp.MaxAnswer)
	}
	raw, err := io.ReadAll(d)
	if err != nil {
		return nil, fault.New(fault.Full, "feed.spool", "the download cannot be read").Because(err)
	}
	return raw, nil
}

// mispJSON asks for something small.
func (r *Run) mispJSON(ctx context.Context, method, path string, body, into any) error {
	raw, err := r.mispBytes(ctx, method, path, body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fault.New(fault.Unprocessable, "feed.format", "the answer to %s is not what MISP gives", path).Because(err)
	}
	return nil
}

// loose is a number or boolean that may come as text; what is none is 0.
type loose struct{ n int64 }

func (l *loose) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	v, err := dec.ReadValue()
	if err != nil {
		return err
	}
	s := strings.Trim(string(v), `"`)
	if l.n, err = strconv.ParseInt(s, 10, 64); err != nil && s == "true" {
		l.n = 1
	}
	return nil
}

// indexed is what the index says of an event.
type indexed struct {
	id, orgc            uuid.UUID
	timestamp, sighting int64
	published           bool
}

// mispIndex asks which events there are, of those that the feed's rules choose. No index and no error: nothing has changed since the last.
func (r *Run) mispIndex(ctx context.Context) ([]indexed, string, error) {
	ask := map[string]any{"minimal": 1, "published": 1}
	if len(r.c.MISP.Orgs) > 0 {
		ask["org"] = r.c.MISP.Orgs
	}
	if len(r.c.MISP.Tags) > 0 {
		ask["tag"] = r.c.MISP.Tags
	}
	d, err := r.mispDocument(ctx, http.MethodPost, "events/index", ask, "If-None-Match", r.state.ETag)
	if err != nil || d == nil {
		return nil, "", err
	}
	defer d.Close()
	index := []indexed{}
	dec := jsontext.NewDecoder(d)
	if k := dec.PeekKind(); k != jsontext.KindBeginArray {
		return nil, "", fault.New(fault.Unprocessable, "feed.format", "the index of events is no list; nothing of it was taken")
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, "", mispForm(err)
	}
	for dec.PeekKind() == jsontext.KindBeginObject {
		var e struct {
			UUID      string `json:"uuid"`
			Orgc      string `json:"orgc_uuid"`
			Timestamp loose  `json:"timestamp"`
			Sighting  loose  `json:"sighting_timestamp"`
			Published *loose `json:"published"`
		}
		if err := json.UnmarshalDecode(dec, &e); err != nil {
			return nil, "", mispForm(err)
		}
		id, err := uuid.Parse(e.UUID)
		if err != nil || len(e.UUID) != 36 {
			r.Drop("misp.index", "the index names an event by what is no uuid", e.UUID)
			continue
		}
		orgc, _ := uuid.Parse(e.Orgc)
		index = append(index, indexed{id, orgc, e.Timestamp.n, e.Sighting.n, e.Published == nil || e.Published.n != 0})
		if len(index) > r.c.Limits.Entries {
			return nil, "", fault.New(fault.TooLarge, "feed.entries", "the index has more than %d events; nothing of it was taken", r.c.Limits.Entries).
				Try("raise the feed's limits.entries if that is right, or choose by misp.orgs and misp.tags")
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, "", mispForm(err)
	}
	return index, d.ETag, nil
}

func mispForm(err error) *fault.Error {
	return fault.New(fault.Unprocessable, "feed.format", "the index of events cannot be read; nothing of it was taken").Because(err)
}
