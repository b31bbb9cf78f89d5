package api

import (
	"crypto/sha256"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"entente/internal/blob"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
	"entente/label"
	"entente/stix"
)

// Blob is what a caller is told of a blob.
type Blob struct {
	ID      string         `json:"id"`
	SHA256  string         `json:"sha256"`
	Size    int64          `json:"size"`
	Name    string         `json:"name"`
	Claimed string         `json:"media_type,omitempty"` // what its sender says it is
	Sniffed string         `json:"sniffed"`              // what its first bytes look like
	Sample  bool           `json:"sample"`
	Label   label.Label    `json:"label"`
	Origin  *record.Origin `json:"origin,omitempty"`
	Added   time.Time      `json:"added"`
}

// AddedBlob is the answer to a blob that was sent.
type AddedBlob struct {
	State string `json:"state"` // "added", or "present" when the same organisation has sent it before under the same label
	Blob  Blob   `json:"blob"`
}

func (a *API) blobScope(c *call) gate.Scope { return a.x.Gate().Scope(c.v, a.blobs.Now()) }

func (a *API) blobView(v gate.Viewer, b *blob.Blob) Blob {
	return Blob{ID: b.ID, SHA256: b.SHA256, Size: b.Size, Name: b.Name, Claimed: b.Claimed, Sniffed: b.Sniffed, Sample: b.Sample, Label: b.Label,
		Origin: a.originOf(v, b.Origin, &b.Label), Added: b.Added}
}

func (a *API) listBlobs(c *call) error {
	limit, err := c.q.limit()
	if err != nil {
		return err
	}
	after, err := a.afterKey(c)
	if err != nil {
		return err
	}
	page, place, err := a.blobs.List(c.ctx(), a.blobScope(c), after, limit)
	if err != nil {
		return err
	}
	out := make([]Blob, len(page))
	for i := range page {
		out[i] = a.blobView(c.v, &page[i])
	}
	next := ""
	if place != "" {
		next = a.nextKey(c, place)
	}
	return c.answer(list(out, next))
}

// mostFiles bounds the files of one object.
const mostFiles = 100

// objectBlobs finds the files whose SHA-256 the object has: an artifact's or a file's own, or one that a pattern compares with.
func (a *API) objectBlobs(c *call) error {
	it, err := a.one(c)
	if err != nil {
		return err
	}
	out, asked := []Blob{}, map[string]bool{}
	o, err := stix.Parse(it.Record.Body)
	if err != nil {
		return c.answer(list(out, ""))
	}
	for _, v := range o.Values() {
		digest := strings.ToLower(v)
		if len(digest) != 2*sha256.Size || asked[digest] {
			continue
		}
		asked[digest] = true
		found, err := a.blobs.Having(c.ctx(), a.blobScope(c), digest, mostFiles-len(out))
		if err != nil {
			return err
		}
		for i := range found {
			out = append(out, a.blobView(c.v, &found[i]))
		}
	}
	return c.answer(list(out, ""))
}

func (a *API) addBlob(c *call) error {
	l, err := ParseLabel(c.q.get("label"), true)
	if err != nil {
		return at(err, "label")
	}
	sample, err := c.q.flag("sample")
	if err != nil {
		return err
	}
	if most := a.blobs.MaxBytes(); c.r.ContentLength > most {
		return fault.New(fault.TooLarge, "blob.size", "a blob has at most %d bytes", most)
	}
	u := blob.Upload{Name: c.q.get("name"), MediaType: c.q.get("media_type"), Label: l, Sample: sample, Via: "api"}
	b, added, err := a.blobs.Add(c.ctx(), a.blobScope(c), u, c.r.Body)
	if err != nil {
		return err
	}
	if added {
		return c.answerStatus(http.StatusCreated, AddedBlob{"added", a.blobView(c.v, &b)})
	}
	return c.answer(AddedBlob{"present", a.blobView(c.v, &b)})
}

func (a *API) blob(c *call) error {
	b, err := a.blobs.Get(c.ctx(), a.blobScope(c), c.path("id"))
	if err != nil {
		return err
	}
	return c.answer(a.blobView(c.v, &b))
}

// blobContent sends the bytes of a blob as something to save and never as something to show: nobody's browser takes it for a page, and a
// sample leaves only wrapped.
func (a *API) blobContent(c *call) error {
	wrap, err := c.q.flag("zip")
	if err != nil {
		return err
	}
	b, err := a.blobs.Open(c.ctx(), a.blobScope(c), c.path("id"))
	if err != nil {
		return err
	}
	defer b.Close()
	name, media, size := b.Name, "application/octet-stream", b.Size
	if wrap = wrap || b.Sample; wrap {
		name, media, size = b.SHA256+".zip", "application/zip", b.InfectedSize()
	}
	headers(c.w, media)
	h := c.w.Header()
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": c.fileName(name)}))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Accept-Ranges", "none")
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	if c.r.Method == http.MethodHead {
		return nil
	}
	if wrap {
		return started(b.Infected(c.w))
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{c.w}, struct{ io.Reader }{b}, make([]byte, 64<<10))
	return started(err)
}

func (a *API) blobHolders(c *call) error {
	held, err := a.blobs.Holders(c.ctx(), a.blobScope(c), c.path("id"))
	if err != nil {
		return err
	}
	return c.answer(list(held, ""))
}

func (a *API) removeBlob(c *call) error {
	if err := a.blobs.Remove(c.ctx(), a.blobScope(c), c.path("id")); err != nil {
		return err
	}
	return c.done()
}

func (a *API) purgeBlob(c *call) error {
	report, err := a.blobs.Purge(c.ctx(), a.blobScope(c), c.path("id"))
	if err != nil {
		return err
	}
	return c.answer(report)
}
