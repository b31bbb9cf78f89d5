package misp_test

import (
	"fmt"

	"entente/misp"
	"entente/stix"
)

// An event becomes STIX, and the STIX becomes the event again.
func Example() {
	events, err := misp.Parse([]byte(`{"Event":{"uuid":"5e7d6a5e-0000-4000-8000-000000000001","info":"Phishing","date":"2026-01-01","timestamp":1767225600,"published":true,
		"Tag":[{"name":"tlp:green"}],
		"Attribute":[{"uuid":"5e7d6a5e-0000-4000-8000-000000000002","type":"domain|ip","value":"login.example|192.0.2.7","to_ids":"1","timestamp":"1767225600"}]}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	items, losses := misp.ToSTIX(events[0], misp.Options{})
	var objects []*stix.Object
	for _, item := range items {
		o, err := stix.Parse(item.Raw)
		if err != nil {
			fmt.Println(err)
			return
		}
		objects = append(objects, o)
		if o.Type() == "indicator" {
			fmt.Println(o.Text("/pattern"), item.Label.TLP)
		}
	}
	again, more, err := misp.FromSTIX(objects)
	fmt.Println(again[0].Attributes[0].Value, len(losses), len(more), err)
	// Output:
	// [domain-name:value = 'login.example' AND domain-name:resolves_to_refs[*].value = '192.0.2.7'] TLP:GREEN
	// login.example|192.0.2.7 0 0 <nil>
}
