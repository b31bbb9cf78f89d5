package event

import "testing"

func TestMapping(t *testing.T) {
	m, err := ParseMapping([]byte("\"id.orig_h\" = \"client.address\"\nImage = [\"proc.exe\", \"process_path\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	p := NewPlan()
	p.Map(m)
	host, image, other := p.Field("id.orig_h"), p.Field("Image"), p.Field("CommandLine")
	for _, line := range []string{`{"client":{"address":"192.0.2.1"},"proc":{"exe":"x"},"CommandLine":"c"}`, `{"client.address":"192.0.2.1","process_path":"x","CommandLine":"c"}`, `{"id.orig_h":"192.0.2.1","Image":"x","CommandLine":"c"}`} {
		var e Event
		if err := p.Scan([]byte(line), &e); err != nil || show(e.Get(host)) != "text 192.0.2.1" || show(e.Get(image)) != "text x" || show(e.Get(other)) != "text c" {
			t.Error(line, err, show(e.Get(host)), show(e.Get(image)))
		}
	}
	for _, bad := range []string{"a", "a = 1", "a = \"\"", "a = [1]", "a.b = \"c\"", "[a]\nb = \"c\""} {
		if m, err := ParseMapping([]byte(bad)); err == nil {
			t.Errorf("%q: %v", bad, m)
		}
	}
}
