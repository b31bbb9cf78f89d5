package taxii

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func (s *server) discovery(w http.ResponseWriter, r *http.Request, _ route) error {
	d, err := s.backend.Discovery(r.Context())
	if err != nil {
		return err
	}
	d.APIRoots = slices.Clone(d.APIRoots)
	for i, root := range d.APIRoots {
		d.APIRoots[i] = s.rootURL(root)
	}
	// A default that is not in the list would break section 4.1.1.
	if d.Default = s.rootURL(d.Default); !slices.Contains(d.APIRoots, d.Default) {
		d.Default = ""
	}
	return s.sendResource(w, r, http.StatusOK, d)
}

// rootURL is the path of a root given by name; URLs and paths stay.
func (s *server) rootURL(root string) string {
	if root == "" || strings.Contains(root, "/") {
		return root
	}
	return s.RootPrefix + url.PathEscape(root) + "/"
}

// theRoot returns a root with every property that section 4.2.1 requires.
func (s *server) theRoot(r *http.Request, name string) (Root, error) {
	root, err := s.backend.Root(r.Context(), name)
	if err != nil {
		return root, err
	}
	if len(root.Versions) == 0 {
		root.Versions = []string{MediaType}
	}
	if root.MaxContentLength <= 0 || root.MaxContentLength > s.MaxContentLength {
		root.MaxContentLength = s.MaxContentLength
	}
	return root, nil
}

func (s *server) root(w http.ResponseWriter, r *http.Request, rt route) error {
	root, err := s.theRoot(r, rt.root)
	if err != nil {
		return err
	}
	return s.sendResource(w, r, http.StatusOK, root)
}

func (s *server) status(w http.ResponseWriter, r *http.Request, rt route) error {
	st, err := s.backend.Status(r.Context(), rt.root, rt.status)
	if err != nil {
		return err
	}
	return s.sendResource(w, r, http.StatusOK, st.coherent())
}

func (s *server) collections(w http.ResponseWriter, r *http.Request, rt route) error {
	list, err := s.backend.Collections(r.Context(), rt.root)
	if err != nil {
		return err
	}
	list = slices.Clone(list)
	for i := range list {
		describe(&list[i])
	}
	return s.sendResource(w, r, http.StatusOK, collections{list})
}

func (s *server) collection(w http.ResponseWriter, r *http.Request, rt route) error {
	c, err := s.backend.Collection(r.Context(), rt.root, rt.collection)
	if err != nil {
		return err
	}
	describe(&c)
	return s.sendResource(w, r, http.StatusOK, c)
}

func describe(c *Collection) {
	if len(c.MediaTypes) == 0 {
		c.MediaTypes = []string{STIXMediaType}
	}
}

func forbidden(why string) error {
	return handlerError{&Error{HTTPStatus: http.StatusForbidden, Title: "Forbidden", ErrorCode: "forbidden", Description: why}}
}

// readable finds a collection that the caller may read. One that may be neither read nor written is not there.
func (s *server) readable(r *http.Request, rt route) (Collection, error) {
	c, err := s.backend.Collection(r.Context(), rt.root, rt.collection)
	switch {
	case err != nil:
		return c, err
	case c.CanRead:
		return c, nil
	case c.CanWrite:
		return c, forbidden("this collection may be written to and not read")
	}
	return c, handlerError{errNoSuchPath}
}

// reading is how one of the paged endpoints asks and answers.
type reading struct {
	name    string // part of a token's fingerprint
	fields  field
	headers bool
	all     bool // every version, whatever is asked
	list    list
}

var (
	readObjects  = reading{name: "objects", fields: objectsFields, list: objectsList}
	readManifest = reading{name: "manifest", fields: objectsFields, headers: true, list: manifestList}
	readObject   = reading{name: "object", fields: objectFields, list: objectsList}
	readVersions = reading{name: "versions", fields: versionsFields, headers: true, all: true, list: versionsList}
)

func (s *server) objects(w http.ResponseWriter, r *http.Request, rt route) error {
	return s.page(w, r, rt, &readObjects)
}

func (s *server) manifest(w http.ResponseWriter, r *http.Request, rt route) error {
	return s.page(w, r, rt, &readManifest)
}

func (s *server) object(w http.ResponseWriter, r *http.Request, rt route) error {
	return s.page(w, r, rt, &readObject)
}

func (s *server) versions(w http.ResponseWriter, r *http.Request, rt route) error {
	return s.page(w, r, rt, &readVersions)
}

func (s *server) page(w http.ResponseWriter, r *http.Request, rt route, rd *reading) error {
	asked, bad := parseQuery(r.URL.RawQuery, rd.fields, s.MaxFilterValues)
	if bad != nil {
		return handlerError{bad}
	}
	c, err := s.readable(r, rt)
	if err != nil {
		return err
	}
	q := Query{Filter: asked.Filter, Object: rt.object, Headers: rd.headers, Limit: s.PageLimit, MaxBytes: s.allowance()}
	if asked.limit > 0 {
		q.Limit = min(asked.limit, s.MaxLimit)
	}
	if rd.all {
		q.Versions = Versions{All: true}
	}
	mark := fingerprint(rd.name, rt.root, c.ID, rt.object, asked.Filter)
	if asked.next != "" {
		if q.Pos, err = s.Sealer.Open(r.Context(), asked.next, mark); err != nil {
			return handlerError{badQuery("next", "is not a position in this list: it belongs to one caller, collection and set of filters")}
		}
	}
	p, err := s.backend.Objects(r.Context(), rt.root, c.ID, q)
	if err != nil {
		return err
	}
	var next string
	if p.More {
		if next, err = s.Sealer.Seal(r.Context(), Cursor{Pos: p.Next, Fingerprint: mark}); err != nil {
			return err
		}
	}
	held := &share{of: &s.sending}
	defer held.release()
	for i := range p.Objects {
		held.take(int64(len(p.Objects[i].Raw)) + objectOverhead)
	}
	s.sendPage(w, r, rd.list, &p, next)
	return nil
}

const (
	// objectOverhead is about what an object on a page takes besides its bytes.
	objectOverhead = 1 << 10
	leastPage      = 1 << 20
)

// allowance is how many bytes a page may have: the less, the more is being sent to others, who may be slow to take it.
func (s *server) allowance() int {
	return int(min(int64(s.PageBytes), max(leastPage, (s.MaxBuffered-s.sending.Load())/4)))
}
