package taxii

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// AddOptions bound what Add sends at once and how long it waits.
type AddOptions struct {
	MaxContentLength int64 // bytes of one envelope; 0: what the root states
	MaxObjects       int   // objects of one envelope; 0: no bound of our own
	MaxPolls         int   // looks at one pending status; 0: 60, which with growing pauses is about half an hour
}

const envelopeFrame = len(`{"objects":[]}`)

// Add sends objects, in as many envelopes as the server's limit demands, and then waits until no status is pending. It returns the
// status of every envelope that was taken, in order, also together with an error. A failed Add may be repeated: what the server has
// already is a success (section 5.5).
func (c *Client) Add(ctx context.Context, root, collection string, objects [][]byte, o AddOptions) ([]Status, error) {
	u, err := c.at(root, "collections", collection, "objects")
	if err != nil {
		return nil, err
	}
	if o.MaxContentLength <= 0 {
		r, err := c.Root(ctx, root)
		if err != nil {
			return nil, err
		}
		o.MaxContentLength = r.MaxContentLength
		setDefault(&o.MaxContentLength, 1<<20)
	}
	envelopes, err := split(objects, o)
	if err != nil {
		return nil, err
	}
	var done []Status
	for _, e := range envelopes {
		if done, err = c.sendEnvelope(ctx, u, e, done); err != nil {
			return done, err
		}
	}
	for i := range done {
		if done[i], err = c.Await(ctx, root, done[i], o.MaxPolls); err != nil {
			return done, err
		}
	}
	return done, nil
}

// split groups objects into envelopes that stay within the bounds. It checks everything before anything is sent.
func split(objects [][]byte, o AddOptions) ([][][]byte, error) {
	var out [][][]byte
	start, size := 0, int64(envelopeFrame)
	for i, raw := range objects {
		if v := jsontext.Value(raw); v.Kind() != '{' || !v.IsValid() {
			return nil, fmt.Errorf("taxii: object %d is not a JSON object", i)
		}
		n := int64(len(raw))
		if n+int64(envelopeFrame) > o.MaxContentLength {
			return nil, fmt.Errorf("object %d of %d bytes exceeds the server's max_content_length of %d: %w", i, n, o.MaxContentLength, ErrTooLarge)
		}
		if size+n > o.MaxContentLength || (o.MaxObjects > 0 && i-start == o.MaxObjects) {
			out = append(out, objects[start:i])
			start, size = i, int64(envelopeFrame)
		}
		size += n + 1 // a comma, or one to spare
	}
	if start < len(objects) {
		out = append(out, objects[start:])
	}
	return out, nil
}

// sendEnvelope posts one envelope, in halves where the server finds it too large although it is within its stated limit.
func (c *Client) sendEnvelope(ctx context.Context, u *url.URL, objects [][]byte, done []Status) ([]Status, error) {
	var b bytes.Buffer
	b.WriteString(`{"objects":[`)
	for i, raw := range objects {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(raw)
	}
	b.WriteString(`]}`)
	a, err := c.send(ctx, http.MethodPost, u, b.Bytes())
	if errors.Is(err, ErrTooLarge) && len(objects) > 1 {
		half := len(objects) / 2
		if done, err = c.sendEnvelope(ctx, u, objects[:half], done); err != nil {
			return done, err
		}
		return c.sendEnvelope(ctx, u, objects[half:], done)
	}
	if err != nil {
		return done, err
	}
	var st Status
	if err := decode(u, a, &st); err != nil {
		return done, err
	}
	return append(done, st), nil
}

// Await looks at a status with growing pauses until it is complete, at most maxPolls times (0: 60). A complete one is never looked
// at again (section 4.3). Without Client.Sleep a pending status is ErrPending at once.
func (c *Client) Await(ctx context.Context, root string, st Status, maxPolls int) (Status, error) {
	setDefault(&maxPolls, 60)
	pause := time.Second
	for range maxPolls {
		if st.Status == Complete {
			return st, nil
		}
		if c.Sleep == nil {
			break
		}
		if err := c.Sleep(ctx, pause); err != nil {
			return st, err
		}
		pause = min(pause*2, 30*time.Second)
		now, err := c.Status(ctx, root, st.ID)
		if err != nil {
			return st, err
		}
		st = now
	}
	if st.Status == Complete {
		return st, nil
	}
	return st, fmt.Errorf("status %s: %w", st.ID, ErrPending)
}
