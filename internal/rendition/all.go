package rendition

import "entente/stix"

// All is Make for objects that go together, one version of each: a reference to one of them leads to what the audience has of it, and to nothing where
// that is nothing. Sees judges each of them by itself, and what else the audience has. The results are in the order of the objects.
//
// It is the greatest fixed point: at first every object is taken to be had as Sees says, and whatever turns out to be had less is, and so is what
// depends on it, until nothing changes.
func All(bodies [][]byte, p Plan) ([]Result, error) {
	results := make([]Result, len(bodies))
	known := make(map[string]Class, len(bodies))
	asked := map[string][]int{} // who asked for an id
	sees := func(i int) func(string) Class {
		return func(id string) Class {
			if who := asked[id]; len(who) == 0 || who[len(who)-1] != i {
				asked[id] = append(who, i)
			}
			if class, ok := known[id]; ok {
				return class
			}
			if p.Sees == nil {
				return Withheld
			}
			return p.Sees(id)
		}
	}
	own := make([]string, len(bodies))
	todo := make([]int, len(bodies))
	queued := make([]bool, len(bodies))
	for i, body := range bodies {
		o, err := stix.Parse(body)
		if err != nil {
			return nil, err
		}
		own[i], todo[i], queued[i] = o.ID(), i, true
	}
	for len(todo) > 0 {
		i := todo[0]
		todo, queued[i] = todo[1:], false
		plan := p
		plan.Sees = sees(i)
		r, err := Make(bodies[i], plan)
		if err != nil {
			return nil, err
		}
		results[i] = r
		before := plan.Sees(own[i])
		known[own[i]] = r.Class
		if before == r.Class {
			continue
		}
		for _, j := range asked[own[i]] {
			if !queued[j] && j != i && known[own[j]] != Withheld {
				todo, queued[j] = append(todo, j), true
			}
		}
	}
	return results, nil
}
