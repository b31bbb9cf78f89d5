//go:build linux

package observation

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"entente/internal/event"
	"entente/stix/pattern"
)

// benchPatterns makes patterns about what stands in the events, and for the most part about what nearly does, as indicators are: half of one comparison, the others of LIKE, MATCHES,
// AND, FOLLOWEDBY, WITHIN and REPEATS.
func benchPatterns(b testing.TB, n int, values map[string][]string) []Pattern {
	r := rand.New(rand.NewPCG(3, 4))
	texts := []string{"ipv4-addr:value", "domain-name:value", "file:name", "file:hashes.'SHA-256'", "process:command_line", "url:value", "windows-registry-key:key", "network-traffic:dst_ref.value"}
	value := func(path string) string {
		v := values[path][r.IntN(len(values[path]))]
		if r.IntN(500) > 0 { // somewhere else
			v = v[:len(v)/2] + fmt.Sprintf("%x", r.Uint32()) + v[len(v)/2:]
		}
		return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v) + "'"
	}
	one := func() string {
		path := texts[r.IntN(len(texts))]
		return "[" + path + " = " + value(path) + "]"
	}
	like := func() string {
		path := texts[[]int{1, 2, 4, 6}[r.IntN(4)]]
		v := value(path)
		return "[" + path + " LIKE '%" + strings.NewReplacer("%", "", "_", "").Replace(v[1:len(v)-1]) + "%']"
	}
	var list []Pattern
	for i := 0; len(list) < n; i++ {
		src := ""
		switch i % 20 {
		case 0, 1, 2:
			src = like()
		case 3:
			src = "[process:command_line MATCHES '" + fmt.Sprintf("(?:cmd|powershell)\\\\.exe.{0,80}x%x", r.Uint32()) + "']"
		case 4, 5:
			src = "(" + one() + " FOLLOWEDBY " + like() + ") WITHIN 300 SECONDS"
		case 6:
			src = one() + " FOLLOWEDBY " + one()
		case 7:
			src = one() + " REPEATS 5 TIMES WITHIN 60 SECONDS"
		case 8:
			src = "(" + one() + " AND " + one() + ") WITHIN 600 SECONDS"
		case 9:
			src = fmt.Sprintf("[network-traffic:dst_port = %d AND network-traffic:dst_ref.value = %s]", 1+r.IntN(65535), value("network-traffic:dst_ref.value"))
		case 10:
			src = fmt.Sprintf("[ipv4-addr:value ISSUBSET '%d.%d.%d.0/24']", 11+r.IntN(100), r.IntN(256), r.IntN(256))
		case 11:
			if i%40 == 11 {
				src = one()
				break
			}
			src = fmt.Sprintf("([network-traffic:dst_port = %d] FOLLOWEDBY %s) WITHIN 300 SECONDS", []int{53, 443, 80, 445, 1024 + r.IntN(50000)}[r.IntN(5)], one())
		default:
			src = one()
		}
		p, err := pattern.Parse(src)
		if err != nil {
			continue
		}
		list = append(list, Pattern{ID: fmt.Sprint(i), Pattern: p})
	}
	return list
}

// recordedValues are the values of the events, by path.
func recordedValues(b testing.TB, each int) map[string][]string {
	var all []Pattern
	var list []string
	for i := range objects.props {
		p := pattern.Path{Type: objects.props[i].typ, Steps: objects.props[i].steps}
		list = append(list, p.String())
	}
	list = append(list, "network-traffic:dst_ref.value")
	for _, path := range list {
		all = append(all, Pattern{Pattern: parse(b, "[EXISTS "+path+"]")})
	}
	e, _ := New(all, Config{})
	plan := event.NewPlan()
	x := e.Events(plan)
	values := map[string][]string{}
	var ev event.Event
	recorded(b, each, func(line []byte) {
		if plan.Scan(line, &ev) != nil {
			return
		}
		o := x.Observation(&ev)
		for i, path := range list {
			o.Each(func(object map[string]any) {
				if test := all[i].Pattern.Root().Condition.Test; object["type"] == test.Path.Type {
					o.Values(object, test.Path.Steps, func(v any) bool {
						if s := fmt.Sprint(v); len(s) < 200 && !strings.ContainsRune(s, 0xfffd) {
							values[path] = append(values[path], s)
						}
						return true
					})
				}
			})
		}
	})
	return values
}

// BenchmarkPatterns puts recorded events to 10,000 patterns: scan is what reading the lines alone costs, all is that with the patterns.
func BenchmarkPatterns(b *testing.B) {
	list := benchPatterns(b, 10_000, recordedValues(b, 97))
	start := time.Now()
	e, left := New(list, Config{})
	if len(left) > 0 {
		b.Fatal(left)
	}
	plan := event.NewPlan()
	clock := plan.Clock()
	x := e.Events(plan)
	var lines [][]byte
	recorded(b, 13, func(line []byte) { lines = append(lines, bytes.Clone(line)) })
	b.Logf("%d patterns with %d conditions, ready in %s; %d events", e.Len(), len(e.conds), time.Since(start), len(lines))
	var ev event.Event
	b.Run("scan", func(b *testing.B) {
		stop := cpu(b)
		for i := range b.N {
			if plan.Scan(lines[i%len(lines)], &ev) == nil {
				clock.Of(&ev)
			}
		}
		stop()
	})
	b.Run("all", func(b *testing.B) {
		m, s := e.Matcher(), e.Stream()
		looked, met := 0, 0
		b.ReportAllocs()
		b.ResetTimer()
		stop := cpu(b)
		for i := range b.N {
			if plan.Scan(lines[i%len(lines)], &ev) != nil {
				continue
			}
			conds := m.Event(x, &ev)
			looked, met = looked+len(m.named), met+len(conds)
			if len(conds) > 0 {
				when := start.Add(time.Duration(i) * 10 * time.Millisecond) // the files are of different years
				s.Take(&Seen{First: when, Last: when, Count: 1, Ref: uint64(i), Met: conds}, when, func(Hit) {})
			}
		}
		stop()
		b.ReportMetric(float64(looked)/float64(b.N), "looked-at/event")
		b.ReportMetric(float64(met)/float64(b.N), "met/event")
		b.ReportMetric(float64(s.Stats().Hits)/float64(b.N), "hits/event")
		b.Logf("%+v", s.Stats())
	})
}
