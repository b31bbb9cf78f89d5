package federation

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"entente/dsse"
	"entente/internal/accords"
	"entente/internal/gate"
	"entente/internal/ledger"
	"entente/internal/rendition"
	"entente/internal/store"
	"entente/label"
	"entente/peer"
	"entente/stix"
)

// past is what own logs say of an object.
type past struct {
	places []ledger.Place // all of it
	live   []ledger.Place // the puts that stand
}

func (f *Federation) past(ctx context.Context, id string) (past, error) {
	places, err := f.cfg.Ledger.Out(ctx, id)
	return past{places, live(places)}, err
}

// group is the parties of one accord that are given the same.
type group struct {
	accord  *accords.Standing
	parties []string // org:NATION/ORG, sorted
	judged  []*Judged
	label   label.Label
	result  rendition.Result
	mark    mark
	due     due
	at      ledger.Place // what stands in their log, where the step is about it
}

// due is what a group calls for.
type due uint8

const (
	send    due = iota // it goes out
	keep               // it stands in the log as it is now
	relabel            // it stands there under another label
	barred             // it was taken back, and does not go out again
)

// plan is what one accord makes of one own record: what each other party may have, and why; and the copies that are made of it, each for all who are
// given the same, with what is to be done about it. What goes out and what the simulator shows both are this.
func (f *Federation) plan(ctx context.Context, s *accords.Standing, it *store.Item, went past, w *writing) ([]Judged, []group, error) {
	judged, err := f.judge(ctx, s, it, w)
	if err != nil {
		return nil, nil, err
	}
	var groups []group
	for _, together := range alike(judged) {
		verdicts := make([]gate.Verdict, len(together))
		for i, j := range together {
			verdicts[i] = j.verdict
		}
		apart := [][]*Judged{together}
		if _, ok := gate.Together(verdicts...); !ok { // some were released by an officer and some need none: they are given it one by one
			apart = apart[:0]
			for i := range together {
				apart = append(apart, together[i:i+1])
			}
		}
		for _, list := range apart {
			g, ok, err := f.group(s, it, list)
			if err == nil && ok {
				err = f.decide(ctx, &g, it, went, w)
				groups = append(groups, g)
			}
			if err != nil {
				return nil, nil, err
			}
		}
	}
	return judged, groups, nil
}

// alike are those whose copies are made by the same plan, in the order in which they were judged.
func alike(judged []Judged) (out [][]*Judged) {
	at := map[string]int{}
	for i := range judged {
		j := &judged[i]
		if !j.Permit {
			continue
		}
		n, ok := at[j.plan]
		if !ok {
			n = len(out)
			at[j.plan] = n
			out = append(out, nil)
		}
		out[n] = append(out[n], j)
	}
	return out
}

// group makes the one copy for some parties, and shows it to each of them. It is not ok when none can be made.
func (f *Federation) group(s *accords.Standing, it *store.Item, judged []*Judged) (g group, ok bool, err error) {
	g = group{accord: s, judged: judged, result: judged[0].result}
	verdicts := make([]gate.Verdict, len(judged))
	for i, j := range judged {
		g.parties = append(g.parties, orgOf(j.party))
		verdicts[i] = j.verdict
	}
	slices.Sort(g.parties)
	together, _ := gate.Together(verdicts...)
	if judged[0].word != nil { // what was signed is for this party alone
		together = judged[0].label()
	}
	g.label = whole(together)
	if g.result.Class == rendition.Reduced && len(g.parties) > 1 {
		if g.result, err = rendition.Make(it.Record.Body, f.recipe(s.Name, g.parties, judged[0].verdict.Needs(), judged[0].classes)); err != nil {
			return g, false, err
		}
	}
	ok = g.result.Class != rendition.Withheld && f.mapped(&g)
	for _, j := range judged {
		if !ok {
			j.withhold("it names an object of which a reduced copy went out to others than those whom this copy would be for")
			j.apart = true
			continue
		}
		l := g.label
		j.Class, j.Body, j.Removed, j.Label = g.result.Class.String(), g.result.Body, g.result.Removed, &l
	}
	return g, ok, nil
}

// withhold notes that the party is given nothing, though the clauses permit it.
func (j *Judged) withhold(why string) {
	j.Permit, j.Class, j.Body, j.Removed, j.Label, j.Why = false, rendition.Withheld.String(), nil, nil, nil, why
}

// whole has a retention end with a second: what goes out within one is under the same label, which is read and written once.
func whole(l label.Label) label.Label {
	l.NotAfter = l.NotAfter.Truncate(time.Second)
	return l
}

// mapped tells whether every reduced copy that is named was made for the same parties under the same accord: only then it has the id by which it is named.
func (f *Federation) mapped(g *group) bool {
	here := f.ids[identity(g.accord.Name, g.parties)]
	return !slices.ContainsFunc(g.judged[0].copies, func(origin string) bool { return origin != here })
}

// decide finds what a group calls for, by what went out of the object before.
func (f *Federation) decide(ctx context.Context, g *group, it *store.Item, went past, w *writing) error {
	timeless, err := g.label.Timeless().MarshalJSON()
	if err != nil {
		return err
	}
	g.mark = mark{version: or(it.Record.Version), class: g.result.Class, body: f.keyed(shown(&g.result)), label: short(timeless), rec: int64(it.Rec)}
	if takenBack(went.places, g.mark) {
		g.due = barred
		return nil
	}
	if gone, err := f.isTaken(ctx, it); err != nil || gone {
		g.due = barred
		return err
	}
	origin := f.ids[identity(g.accord.Name, g.parties)]
	var there []ledger.Place
	for _, p := range went.live {
		if p.Origin != origin || p.Refused && w.again {
			continue
		}
		there = append(there, p)
		old := parseMark(p.Version)
		if old.version != g.mark.version || old.class != g.mark.class || old.body != g.mark.body {
			continue
		}
		g.at, g.due = p, relabel
		if old.label == g.mark.label {
			g.due = keep
		}
		return nil
	}
	for i := range w.puts {
		if p := &w.puts[i]; p.origin == origin && p.item.Record.ID == it.Record.ID {
			there = append(there, ledger.Place{Origin: origin, Version: p.group.mark.String()})
		}
	}
	if i := g.mark.shown(there); i >= 0 {
		g.at, g.due = there[i], keep // nothing changed that this audience may see, and that something did is not for it to know
	}
	return nil
}

// shown is the place among those of a log where its parties see just what they would see in a reduced copy: in the one of the version before, or of a later one; -1: nowhere.
func (m mark) shown(there []ledger.Place) int {
	order, last := m.order(), ""
	for _, p := range there {
		if old := parseMark(p.Version); old.class == rendition.Reduced && old.order() < order {
			last = max(last, old.order())
		}
	}
	return slices.IndexFunc(there, func(p ledger.Place) bool {
		old := parseMark(p.Version)
		return m.class == rendition.Reduced && old.class == m.class && old.body == m.body && old.order() >= last
	})
}

// order is the version as it compares with others.
func (m mark) order() string {
	o, err := stix.Order(m.version)
	if err != nil {
		return ""
	}
	return o
}

// sent is what went out at a place; nil: it was destroyed.
func (f *Federation) sent(ctx context.Context, p ledger.Place) (*peer.Rendition, error) {
	payload, err := f.payload(ctx, p)
	if err != nil || payload == nil {
		return nil, err
	}
	return peer.ReadRendition(payload)
}

// labelOf is what the last order gave to what went out at a place, else what it went out with.
func (f *Federation) labelOf(ctx context.Context, p ledger.Place, places []ledger.Place, l label.Label) (label.Label, error) {
	for _, o := range places {
		if o.Origin != p.Origin || o.Leaf.Kind != peer.Relabel || o.Leaf.Target != p.Index+1 {
			continue
		}
		payload, err := f.payload(ctx, o)
		if err != nil || payload == nil {
			return l, err
		}
		var order peer.Order
		if err := json.Unmarshal(payload, &order); err != nil {
			return l, err
		}
		if order.Label != nil {
			l = *order.Label
		}
	}
	return l, nil
}

// payload is what stands in an envelope of an own log; nil: it was destroyed.
func (f *Federation) payload(ctx context.Context, p ledger.Place) ([]byte, error) {
	b, err := f.cfg.Ledger.Envelope(ctx, p.Origin, p.Index)
	if err != nil || b == nil {
		return nil, err
	}
	e, err := dsse.Parse(b)
	return e.Payload, err
}
