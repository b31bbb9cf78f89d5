package index

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"entente/internal/fault"
	"entente/internal/gate"
)

// around is an object's neighbours: direction, type and other end, in order.
func (w *world) around(v gate.Viewer, of string, q NeighbourQuery) string {
	w.t.Helper()
	n, err := w.x.Neighbours(context.Background(), w.scope(v), of, q)
	if err != nil {
		if fault.Of(err) != fault.NotFound {
			w.t.Fatal(err)
		}
		return "none"
	}
	var s []string
	for _, e := range n.Edges {
		arrow := "<"
		if e.Out {
			arrow = ">"
		}
		s = append(s, arrow+e.Type+" "+short(e.Other))
	}
	return strings.Join(s, ", ")
}

// ways are the paths between two objects.
func (w *world) ways(v gate.Viewer, from, to string, depth int, skip ...string) string {
	w.t.Helper()
	p, err := w.x.Paths(context.Background(), w.scope(v), from, to, depth, skip)
	if err != nil {
		if fault.Of(err) != fault.NotFound {
			w.t.Fatal(err)
		}
		return "none"
	}
	var s []string
	for _, path := range p.Paths {
		at := ""
		for _, e := range path {
			at += " " + short(e.Other)
		}
		s = append(s, at[1:])
	}
	return strings.Join(s, ", ")
}

func TestGraph(t *testing.T) {
	w := newWorld(t)
	a, b, c, d := id("malware", 1), id("malware", 2), id("malware", 3), id("identity", 4)
	w.take(us, malware(1, "clear", "a", ""), malware(2, "clear", "b", "", `"created_by_ref":"`+d+`"`), malware(3, "green", "c", ""),
		sdo("identity", 4, "clear", `"name":"d","identity_class":"group"`))
	w.take(us, relation(10, "clear", "related-to", a, b), relation(11, "red", "variant-of", b, c), relation(12, "clear", "related-to", a, c),
		sdo("sighting", 13, "clear", `"sighting_of_ref":"`+a+`","where_sighted_refs":["`+d+`"]`),
		sdo("grouping", 14, "clear", `"context":"suspicious-activity","object_refs":["`+a+`","`+b+`"]`))
	for _, x := range []struct {
		v    gate.Viewer
		of   string
		q    NeighbourQuery
		want string
	}{
		{us, a, NeighbourQuery{}, "<object gro14, <sighting ide4, <sighting_of sig13, >related-to mal3, >related-to mal2"},
		{us, b, NeighbourQuery{}, ">created_by ide4, <object gro14, >variant-of mal3, <related-to mal1"},
		{us, a, NeighbourQuery{Direction: Out}, ">related-to mal3, >related-to mal2"},
		{us, a, NeighbourQuery{Types: []string{"sighting", "object"}}, "<object gro14, <sighting ide4"},
		{us, a, NeighbourQuery{Kinds: []string{"malware"}, Limit: 1, After: 1}, ">related-to mal2"},
		{us, d, NeighbourQuery{}, ">sighting mal1, <where_sighted sig13, <created_by mal2"},
		{us, id("relationship", 10), NeighbourQuery{}, ">source mal1, >target mal2"},
		{us, id("malware", 99), NeighbourQuery{}, "none"},
		{outside, a, NeighbourQuery{}, "<object gro14, <sighting ide4, <sighting_of sig13, >related-to mal2"}, // c is green: neither it nor what names it
		{outside, c, NeighbourQuery{}, "none"},
		{member, b, NeighbourQuery{}, ">created_by ide4, <object gro14, <related-to mal1"}, // the relationship is red
	} {
		if got := w.around(x.v, x.of, x.q); got != x.want {
			t.Errorf("%s %s: got %q, want %q", x.v.Org, short(x.of), got, x.want)
		}
	}
	for _, x := range []struct {
		v        gate.Viewer
		from, to string
		depth    int
		skip     []string
		want     string
	}{
		{us, b, c, 6, nil, "mal3"},
		{member, b, c, 6, nil, "mal1 mal3"}, // the red shortcut is not there
		{member, b, c, 1, nil, ""},
		{outside, b, c, 6, nil, "none"},
		{outside, a, d, 6, nil, "ide4"},
		{outside, a, d, 6, []string{"sighting"}, "sig13 ide4, mal2 ide4"},
		{us, a, a, 6, nil, ""},
	} {
		if got := w.ways(x.v, x.from, x.to, x.depth, x.skip...); got != x.want {
			t.Errorf("%s %s to %s: got %q, want %q", x.v.Org, short(x.from), short(x.to), got, x.want)
		}
	}
}

func TestManyNeighbours(t *testing.T) {
	w := newWorld(t)
	hub := id("malware", 1)
	objects := []string{malware(1, "clear", "hub", "")}
	for i := range 3000 {
		objects = append(objects, malware(i+2, "clear", fmt.Sprint("spoke", i), ""), relation(i+2, "clear", "related-to", id("malware", i+2), hub))
	}
	w.take(us, objects...)
	n, err := w.x.Neighbours(t.Context(), w.scope(outside), hub, NeighbourQuery{Limit: 10_000})
	w.must(err)
	if n.Total != 3000 || len(n.Edges) != 3000 || len(n.Types) != 1 || n.Types[0] != (Count{"related-to", 3000}) {
		t.Fatalf("%d %d %v", n.Total, len(n.Edges), n.Types)
	}
}

// BenchmarkNeighbours opens all neighbours of an object that has 10,000.
func BenchmarkNeighbours(b *testing.B) {
	w := newWorld(b)
	hub := id("malware", 1)
	objects := []string{malware(1, "clear", "hub", "")}
	for i := range 10_000 {
		objects = append(objects, malware(i+2, "clear", fmt.Sprint("spoke", i), ""), relation(i+2, "clear", "related-to", id("malware", i+2), hub))
	}
	w.take(us, objects...)
	for b.Loop() {
		n, err := w.x.Neighbours(b.Context(), w.scope(outside), hub, NeighbourQuery{Limit: 10_000})
		w.must(err)
		if len(n.Edges) != 10_000 {
			b.Fatal(len(n.Edges))
		}
	}
}

// BenchmarkPaths looks for a way through an object that has 10,000 neighbours.
func BenchmarkPaths(b *testing.B) {
	w := newWorld(b)
	objects := []string{malware(1, "clear", "hub", ""), malware(2, "clear", "end", ""), malware(3, "clear", "lone", ""), relation(3, "clear", "related-to", id("malware", 10), id("malware", 2))}
	for i := range 10_000 {
		objects = append(objects, malware(i+10, "clear", fmt.Sprint("spoke", i), ""), relation(i+10, "clear", "related-to", id("malware", i+10), id("malware", 1)))
	}
	w.take(us, objects...)
	for b.Loop() {
		p, err := w.x.Paths(b.Context(), w.scope(outside), id("malware", 20), id("malware", 2), 6, nil)
		w.must(err)
		if len(p.Paths) != 1 || len(p.Paths[0]) != 3 {
			b.Fatal(p)
		}
	}
}
