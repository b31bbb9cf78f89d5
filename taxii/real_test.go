package taxii

import (
	"bytes"
	"net/http/httptest"
	"os"
	"testing"

	"entente/internal/shareddata"
	"github.com/klauspost/compress/gzip"
)

// TestRealObjects serves a real collection to the client over a real connection, coded in gzip as the client asks: every object in order with
// its exact bytes.
func TestRealObjects(t *testing.T) {
	f, err := os.Open(shareddata.Dir(t, "stix", "attack", "ics-attack-18.1.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var bundle bytes.Buffer
	if _, err := bundle.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	want, fault := parseEnvelope(bundle.Bytes(), bounds{objects: 1 << 20, depth: 64})
	if fault != nil || len(want.Objects) < 1000 {
		t.Fatalf("%d objects, %v", len(want.Objects), fault)
	}
	page := &onePage{mem: newMem()}
	s := httptest.NewServer(NewHandler(page, Options{}))
	defer s.Close()
	c := &Client{URL: s.URL + "/taxii2/", Doer: s.Client(), AllowPlaintext: true}
	for start := 0; start < len(want.Objects); start += 500 {
		part := want.Objects[start:min(start+500, len(want.Objects))]
		page.page = Page{}
		for _, raw := range part {
			page.page.Objects = append(page.page.Objects, Object{Raw: raw})
		}
		for p, err := range c.Objects(ctx, s.URL+"/cti/", "a", Select{}) {
			if err != nil || len(p.Objects) != len(part) {
				t.Fatalf("%d of %d objects: %v", len(p.Objects), len(part), err)
			}
			for i := range part {
				if !bytes.Equal(p.Objects[i], part[i]) {
					t.Fatalf("object %d differs", start+i)
				}
			}
		}
	}
}
