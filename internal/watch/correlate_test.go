package watch

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"entente/internal/correlation"
	"entente/internal/event"
	"entente/internal/shareddata"
	"entente/sigma"
)

// Correlations over real Windows events: logons, processes, and what they touch.
const realCorrelations = `
title: A failed logon
name: failed
logsource: {product: windows, service: security}
detection: {s: {EventID: 4625}, condition: s}
---
title: A logon
name: logon
logsource: {product: windows, service: security}
detection: {s: {EventID: 4624}, condition: s}
---
title: A process
name: process
logsource: {category: process_creation, product: windows}
detection: {s: {Image: '*'}, condition: s}
---
title: A script
name: script
logsource: {product: windows, category: ps_script}
detection: {s: {ScriptBlockText: '*'}, condition: s}
---
title: A connection
name: connection
logsource: {product: windows, category: network_connection}
detection: {s: {DestinationPort: '*'}, condition: s}
---
title: A failed logon, then one that did not fail
name: guessed
correlation: {type: temporal_ordered, rules: [failed, logon], group-by: [TargetUserName, Hostname], timespan: 1h}
---
title: Many kinds of logon
name: kinds
correlation: {type: value_count, rules: [logon], group-by: [Hostname], timespan: 10m, condition: {field: LogonType, gte: 3}}
---
title: Many processes of one parent
name: brood
correlation: {type: event_count, rules: [process], group-by: [Hostname, ParentImage], timespan: 1m, condition: {gte: 5}}
---
title: Many programs on one host
name: programs
correlation: {type: value_count, rules: [process], group-by: [Hostname], timespan: 5m, condition: {field: Image, gte: 10}}
---
title: Processes, scripts and connections
name: busy
correlation: {type: temporal, rules: [process, script, connection], group-by: [Hostname], timespan: 30s}
---
title: A script, and no connection
name: quiet
correlation: {type: temporal, group-by: [Hostname], timespan: 2m, condition: script and process and not connection}
---
title: High ports
name: ports
correlation: {type: value_median, rules: [connection], group-by: [Hostname], timespan: 5m, condition: {field: DestinationPort, gt: 1024}}
---
title: All ports
name: sum
correlation: {type: value_sum, rules: [connection], group-by: [Image], timespan: 5m, condition: {field: DestinationPort, gt: 5000}}
---
title: Broods on a busy host
name: both
correlation: {type: temporal, rules: [brood, busy], group-by: [Hostname], timespan: 10m}
`

// Over 153,048 real events an engine finds what the naive evaluation finds.
func TestCorrelationsOfRealEvents(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 307 MB of events")
	}
	file := shareddata.Files(t, "windows-mordor.ndjson.gz", "telemetry")
	all, err := sigma.Parse("real.yml", []byte(realCorrelations))
	if err != nil {
		t.Fatal(err)
	}
	rules := Compile(all)
	if len(rules.Left) > 0 || len(rules.Correlations) != 9 {
		t.Fatal(rules.Left)
	}
	set, err := New(rules, nil)
	if err != nil {
		t.Fatal(err)
	}
	said := func(h *sigma.Hit) string {
		return fmt.Sprintf("%s %d %v %q %s %v", h.Rule.Name, h.Index, h.Time.UnixNano(), h.Group, h.Value, h.Events)
	}
	var got, want []string
	engine := set.Correlations(correlation.Options{Lateness: -1, Shards: 3, Events: 1 << 20}, func(h *sigma.Hit) { got = append(got, said(h)) })
	var hits []sigma.Hit
	var ev event.Event
	w := set.Watcher()
	for _, content := range file {
		index := uint64(0)
		for line := range bytes.Lines(content) {
			if err := set.Plan().Scan(line, &ev); err != nil {
				t.Fatal(err)
			}
			ev.Index = index
			index++
			from := len(hits)
			for _, f := range w.Look(&ev) {
				if f.Hit != nil && !f.Hit.Time.IsZero() {
					hits = append(hits, *f.Hit)
				}
			}
			engine.Add("", hits[from:])
		}
	}
	engine.Flush()
	found := sigma.Correlate(rules.Correlations, hits)
	slices.SortStableFunc(found, func(a, b sigma.Hit) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return int(int64(a.Index) - int64(b.Index))
	})
	each := map[string]int{}
	for _, h := range found {
		if each[h.Rule.Name]++; !rules.Silent(h.Rule) {
			want = append(want, said(&h))
		}
	}
	t.Logf("%d hits of rules, %v", len(hits), each)
	if !slices.Equal(got, want) {
		t.Errorf("%d are found, of %d", len(got), len(want))
	}
	if len(each) != 9 {
		t.Error("not every correlation hits")
	}
}
