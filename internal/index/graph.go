package index

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/record"
)

// Edge is one connection as seen from an object. It is there for a viewer only if the record that states it and both ends are.
//
// A relationship object connects its source with its target, and a sighting what saw with what was seen. Any other reference connects
// the object that makes it with what it names, by the name of the property without _ref or _refs.
type Edge struct {
	Type  string     `json:"type"`           // relationship_type, "sighting", or the property: "created_by", "object"
	Out   bool       `json:"out"`            // it leads from this object to the other
	Other string     `json:"other"`          // the object at the other end
	By    string     `json:"by"`             // the object that states it
	Rec   record.Seq `json:"-"`              // its record
	Kind  string     `json:"kind,omitempty"` // type of the other object
}

// Direction of edges, as seen from an object.
type Direction uint8

const (
	Both Direction = iota
	Out
	In
)

// NeighbourQuery selects edges of an object.
type NeighbourQuery struct {
	Types     []string // of the edge; empty: all
	Kinds     []string // types of the other object; empty: all
	Direction Direction
	Limit     int // 0: 100, at most 10,000
	After     int // edges to pass over
}

// Neighbours is one page of an object's edges, newest first.
type Neighbours struct {
	Edges []Edge
	Total int     // of all pages
	Types []Count // how many of each type, of all pages
	Kinds []Count
}

// MaxDepth is how many edges a path has at most.
const MaxDepth = 6

const (
	defaultEdges = 100
	maxEdges     = 10_000
	maxPaths     = 10
	pathBudget   = 500_000 // edges looked at for one question, of those that the viewer has
)

// link is an edge in numbers.
type link struct {
	typ, other, by uint32 // name of the type, object, record
	out            bool
}

// node is the object that the asker sees under an id.
func (s *session) node(id string) (uint32, error) {
	num, err := s.m.object(s.c, s.x.secret, id)
	if err != nil {
		return 0, err
	}
	if num == 0 || int(num) >= len(s.m.objs) || s.v.object(s.m, num) == 0 {
		return 0, fault.New(fault.NotFound, "", "no such object")
	}
	return num, nil
}

// roles are the names that the graph knows by themselves; 0: no record has them.
type roles struct{ relationship, sighting, source, target, of, where, observed uint32 }

func (m *columns) roles() roles {
	n := m.nameIDs
	return roles{n["relationship"], n["sighting"], n["source_ref"], n["target_ref"], n["sighting_of_ref"], n["where_sighted_refs"], n["observed_data_refs"]}
}

// links visits the edges of an object, those it states itself first, and then newest first, until visit says stop.
func (s *session) links(obj uint32, visit func(link) bool) {
	m, r := s.m, s.m.roles()
	more := true
	try := func(l link) {
		if more && l.other != obj && s.v.object(m, l.other) != 0 {
			more = visit(l)
		}
	}
	// joins visits what a relationship or sighting puts at the other end of one of its references.
	joins := func(by uint32, e edge) bool {
		d := &m.docs[by]
		switch {
		case d.typ == 0:
		case d.typ == r.relationship && (e.kind == r.source || e.kind == r.target):
			for _, o := range m.edgesOf(by) {
				if (o.kind == r.source || o.kind == r.target) && o.kind != e.kind {
					try(link{d.rel, o.to, by, e.kind == r.source})
				}
			}
			return true
		case d.typ == r.sighting && (e.kind == r.of || e.kind == r.where || e.kind == r.observed):
			for _, o := range m.edgesOf(by) {
				if e.kind == r.of && (o.kind == r.where || o.kind == r.observed) || e.kind != r.of && o.kind == r.of {
					try(link{r.sighting, o.to, by, e.kind != r.of})
				}
			}
		}
		return false
	}
	if n := s.v.object(m, obj); n != 0 {
		for _, e := range m.edgesOf(n) {
			try(link{e.kind, e.to, n, true})
		}
	}
	for at := m.objs[obj].in; at != 0 && more; at = m.edges[at-1].next {
		e := m.edges[at-1]
		if !s.v.is.has(e.doc) {
			continue
		}
		if !joins(e.doc, e) {
			try(link{e.kind, m.docs[e.doc].obj, e.doc, false})
		}
	}
}

// linkType is how an edge's type is told.
func (m *columns) linkType(l link) string {
	t := m.names[l.typ]
	if rest, ok := strings.CutSuffix(t, "_refs"); ok {
		return rest
	}
	return strings.TrimSuffix(t, "_ref")
}

func (s *session) edge(l link) (Edge, error) {
	m := s.m
	d := &m.docs[l.by]
	e := Edge{Type: m.linkType(l), Out: l.out, Rec: record.Seq(d.rec), Kind: m.names[m.docs[s.v.object(m, l.other)].typ]}
	var err error
	if e.Other, err = objectID(s.c, l.other); err != nil {
		return e, err
	}
	e.By, err = objectID(s.c, d.obj)
	return e, err
}

// Neighbours lists the edges of an object. An object that the viewer may not have is NotFound.
func (x *Index) Neighbours(ctx context.Context, scope gate.Scope, id string, q NeighbourQuery) (out Neighbours, err error) {
	if q.Limit <= 0 {
		q.Limit = defaultEdges
	}
	q.Limit = min(q.Limit, maxEdges)
	err = x.read(ctx, scope, "neighbours", func(s *session) error {
		obj, err := s.node(id)
		if err != nil {
			return err
		}
		types, kinds := map[string]int{}, map[string]int{}
		var page []link
		s.links(obj, func(l link) bool {
			kind := s.m.names[s.m.docs[s.v.object(s.m, l.other)].typ]
			typ := s.m.linkType(l)
			if q.Direction == Out && !l.out || q.Direction == In && l.out || len(q.Types) > 0 && !slices.Contains(q.Types, typ) ||
				len(q.Kinds) > 0 && !slices.Contains(q.Kinds, kind) {
				return true
			}
			types[typ]++
			kinds[kind]++
			if out.Total++; out.Total > q.After && len(page) < q.Limit {
				page = append(page, l)
			}
			return true
		})
		out.Types, out.Kinds = counts(types), counts(kinds)
		out.Edges = make([]Edge, 0, len(page))
		for _, l := range page {
			e, err := s.edge(l)
			if err != nil {
				return err
			}
			out.Edges = append(out.Edges, e)
		}
		return nil
	})
	return out, err
}

// Path is a way from one object to another: each edge begins where the one before ended.
type Path []Edge

// Paths are the shortest ways between two objects, and whether the search was given up before all were found.
type Paths struct {
	Paths  []Path
	GaveUp bool // more edges than can be looked at for one question
}

// hop is how an object was reached.
type hop struct {
	from uint32
	link link
}

// Paths finds the shortest ways from one object to another, at most ten, of at most depth edges, in either direction of each. Edges of
// the kinds that skip names, "created_by" for instance, are not walked.
func (x *Index) Paths(ctx context.Context, scope gate.Scope, from, to string, depth int, skip []string) (out Paths, err error) {
	if depth <= 0 || depth > MaxDepth {
		depth = MaxDepth
	}
	err = x.read(ctx, scope, "paths", func(s *session) error {
		a, err := s.node(from)
		if err != nil {
			return err
		}
		b, err := s.node(to)
		if err != nil || a == b {
			return err
		}
		reached, gaveUp, err := s.spread(a, b, depth, skip)
		out.GaveUp = gaveUp
		if err != nil || len(reached[b]) == 0 {
			return err
		}
		return s.trace(a, b, reached, nil, &out)
	})
	return out, err
}

// spread walks from a, level by level, until it reaches b. For every object met it keeps each way in from the level before.
func (s *session) spread(a, b uint32, depth int, skip []string) (reached map[uint32][]hop, gaveUp bool, err error) {
	level := map[uint32]int{a: 0}
	reached = map[uint32][]hop{}
	budget := pathBudget
	for front, d := []uint32{a}, 1; len(front) > 0 && d <= depth && len(reached[b]) == 0; d++ {
		var next []uint32
		for i, obj := range front {
			if i%64 == 0 && s.ctx.Err() != nil {
				return nil, false, fault.As(s.ctx.Err())
			}
			s.links(obj, func(l link) bool {
				if budget--; budget < 0 {
					return false
				}
				if len(skip) > 0 && slices.Contains(skip, s.m.linkType(l)) {
					return true
				}
				at, met := level[l.other]
				if !met {
					level[l.other] = d
					next = append(next, l.other)
				} else if at != d {
					return true
				}
				if hops := reached[l.other]; len(hops) < maxPaths {
					reached[l.other] = append(hops, hop{obj, l})
				}
				return true
			})
			if budget < 0 {
				return reached, true, nil
			}
		}
		front = next
	}
	return reached, false, nil
}

// trace writes the ways that lead back from an object to the beginning.
func (s *session) trace(a, at uint32, reached map[uint32][]hop, tail Path, out *Paths) error {
	if at == a {
		p := slices.Clone(tail)
		slices.Reverse(p)
		out.Paths = append(out.Paths, p)
		return nil
	}
	hops := slices.Clone(reached[at])
	slices.SortStableFunc(hops, func(x, y hop) int { return cmp.Compare(s.m.docs[y.link.by].rec, s.m.docs[x.link.by].rec) })
	for _, h := range hops {
		if len(out.Paths) == maxPaths {
			return nil
		}
		e, err := s.edge(h.link)
		if err != nil {
			return err
		}
		if err := s.trace(a, h.from, reached, append(tail, e), out); err != nil {
			return err
		}
	}
	return nil
}
