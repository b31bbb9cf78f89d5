package taxii

import (
	"fmt"
	"testing"
)

// elsewhere lists the rows that a library cannot satisfy and who does; package node holds a whole node to them and to the others. The
// rows of the checklist are numbered 1 to 144.
var elsewhere = map[int]string{
	1:   "TLS versions: the listener",
	2:   "TLS early data: the listener",
	3:   "TLS cipher suites: the listener",
	27:  "wrong credentials: authentication stands before the handler",
	28:  "HTTP Basic: authentication stands before the handler; the client's half is row 135",
	29:  "client certificates: the listener and authentication",
	36:  "limits per client: the application; the handler renders its 429 and 503, see row 143",
	115: "a hostile object in a page: the store resolves versions; the handler never looks into an object again, see row 72",
	120: "who may post a new version: the application's policy",
	121: "durability: the store",
	131: "deletes that travel: the application's own feed",
}

// TestChecklist runs every row of the TAXII 2.1 checklist that a library can satisfy, and fails for a row that has no place.
func TestChecklist(t *testing.T) {
	tests := []map[int]func(*testing.T){transportRows, accessRows, rootRows, collectionRows, readRows, filterRows, pagingRows, addRows, deleteRows, clientRows}
	for row := 1; row <= 144; row++ {
		found := 0
		for _, group := range tests {
			if run := group[row]; run != nil {
				found++
				t.Run(fmt.Sprintf("row%03d", row), run)
			}
		}
		if elsewhere[row] != "" {
			found++
		}
		if found != 1 {
			t.Errorf("row %d has %d places, want one", row, found)
		}
	}
}
