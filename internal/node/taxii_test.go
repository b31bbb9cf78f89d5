package node

import (
	"fmt"
	"testing"
)

// rows are tests of one section of the checklist, by row.
type rows map[int]func(*bench)

// elsewhere lists the rows that are no server's, and where they are held.
var elsewhere = map[int]string{
	45:  "DNS SRV: the client looks it up (package taxii); the server's part is a record in the domain's zone, see docs/taxii.md",
	137: "the client: package taxii", 138: "the client: package taxii", 139: "the client: package taxii",
	140: "the client: package taxii, and over this node TestClientMeetsEverythingOnce", 141: "the client: package taxii",
	143: "the client: package taxii", 144: "the client: package taxii",
}

// TestTAXIIChecklist runs every row of the TAXII 2.1 checklist against the whole node, through its TLS listener, and fails for a row
// that has no place.
func TestTAXIIChecklist(t *testing.T) {
	w := newWorld(t, settings)
	groups := []rows{transportRows, accessRows, rootRows, readRows, filterRows, pagingRows, addRows, deleteRows, clientRows}
	for row := 1; row <= 144; row++ {
		places := 0
		for _, group := range groups {
			if run := group[row]; run != nil {
				places++
				t.Run(fmt.Sprintf("row%03d", row), func(t *testing.T) {
					w.t = t
					run(w.bench(t, row))
				})
			}
		}
		if elsewhere[row] != "" {
			places++
		}
		if places != 1 {
			t.Errorf("row %d has %d places, want one", row, places)
		}
	}
	w.t = t
}
