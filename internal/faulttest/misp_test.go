package faulttest

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"testing"

	"entente/internal/testnode"
)

// eventOf is an event of n attributes as MISP writes it.
func eventOf(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"Event":{"uuid":"0a0a0a0a-0000-4000-8000-ffffffffffff","info":"large","date":"2026-01-01","timestamp":"1700000000","distribution":"3","published":true,"Tag":[{"name":"tlp:green"}],"Attribute":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"uuid":"0a0a0a0a-0000-4000-8000-%012x","type":"sha256","category":"Payload delivery","to_ids":true,"value":"%064x","timestamp":"1700000000","distribution":"5","comment":""}`, i, i)
	}
	b.WriteString("]}}")
	return b.Bytes()
}

// TestALargeMISPEventIsTakenInBoundedMemory pushes a large event to a node that is told to take little memory.
func TestALargeMISPEventIsTakenInBoundedMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("this system does not tell what memory a process takes")
	}
	n := served(t, "[limits]\nmemory_bytes = 100663296\n")
	c := client(t, n, testnode.Analyst)
	const attributes, bound = 60_000, 384 << 20
	raw := eventOf(attributes)
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}}
	a := must(c.Do(t.Context(), http.MethodPost, "/misp/events/add/metadata:1", header, bytes.NewReader(raw[:len(raw)-1])))(t)
	if a.Status != http.StatusBadRequest {
		t.Fatalf("an event that is cut off is answered %d %.300s", a.Status, a.Body)
	}
	a = must(c.Do(t.Context(), http.MethodPost, "/misp/events/add/metadata:1", header, bytes.NewReader(raw)))(t)
	if a.Status != http.StatusOK {
		t.Fatalf("a large event is answered %d %.300s", a.Status, a.Body)
	}
	body := must(c.Do(t.Context(), http.MethodGet, "/misp/events/view/0a0a0a0a-0000-4000-8000-ffffffffffff", header, nil))(t).Body
	if found := bytes.Count(body, []byte(`"type":"sha256"`)); found != attributes {
		t.Errorf("of %d attributes %d are there", attributes, found)
	}
	peak := must(n.Memory("VmHWM"))(t)
	t.Logf("an event of %d MiB: at most %d MiB", len(raw)>>20, peak>>20)
	if peak > bound {
		t.Errorf("the process took %d MiB", peak>>20)
	}
}
