package feed

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"entente/internal/gate"
	"entente/internal/outbound"
	"entente/internal/record"
	"entente/internal/store"
	"entente/taxii"
)

// Push sends what another party may have to a collection of that party's TAXII 2.1 server.
type Push struct{}

func (Push) Kind() string { return "push" }

func (Push) Check(c *Config) error {
	switch {
	case c.url == nil:
		return bad("url", "a push needs the url of the server's discovery or of an API root")
	case c.Remote == "":
		return bad("remote", "nobody says to which collection of the server objects go: write its id or alias")
	}
	return c.checkParty()
}

// checkParty reads as whose viewer the gate decides what is pushed.
func (c *Config) checkParty() error {
	party, ok := gate.ParseParty(c.To)
	if !ok {
		return bad("to", "%q is no party: write NATION/organisation, as whose viewer the gate decides", c.To)
	}
	c.party = party
	return nil
}

// Pull sends what has become visible to the party since the last run. The door out judges it and writes down that it was released, before
// it leaves. What stands in the state is what the server has said to have taken.
func (Push) Pull(ctx context.Context, r *Run) error {
	client := r.client()
	root, err := apiRoot(ctx, client)
	if err != nil {
		return err
	}
	about, err := client.Root(ctx, root)
	if err != nil {
		return taxiiFault(err)
	}
	limit := about.MaxContentLength
	if limit <= 0 {
		limit = 1 << 20
	}
	viewer := r.receiver()
	q := store.Query{Collection: r.target, Versions: store.Versions{All: true}, Specs: []string{"2.1"}, Limit: batchObjects, Headers: true}
	for {
		q.After = r.state.Pushed
		page, err := r.f.o.Exchange.Read(ctx, viewer, q)
		if err != nil {
			return err
		}
		if len(page.Items) == 0 && !page.More {
			return nil
		}
		next := page.Next
		if !page.More {
			next = page.Items[len(page.Items)-1].Seq
		}
		if err := r.send(ctx, client, root, limit, viewer, q, r.wanted(page.Items)); err != nil {
			return err
		}
		r.state.Pushed = next
		if err := r.Objects(ctx, nil, nil); err != nil {
			return err
		}
		if !page.More {
			return nil
		}
	}
}

// wanted are the places of what is to be sent: not what the party has already, its own objects and what came from this very server.
func (r *Run) wanted(items []store.Item) []store.Item {
	return slices.DeleteFunc(items, func(it store.Item) bool {
		r.report.Counts.Read++
		o := &it.Record.Origin
		switch {
		case it.Held:
			return true
		case r.theirs(o):
			r.report.Counts.Present++
			return true
		}
		return false
	})
}

// send reads what is wanted with its bodies, by which it is written down as released, and sends it.
func (r *Run) send(ctx context.Context, client *taxii.Client, root string, limit int64, viewer gate.Viewer, q store.Query, wanted []store.Item) error {
	if r.report.DryRun {
		r.report.Counts.Pushed += int64(len(wanted))
		return nil
	}
	const some = 100
	var objects [][]byte
	for items := range slices.Chunk(wanted, some) {
		q := q
		q.Headers, q.IDs = false, nil
		places := map[record.Seq]bool{}
		for i := range items {
			places[items[i].Seq] = true
			q.IDs = append(q.IDs, items[i].Record.ID)
		}
		slices.Sort(q.IDs)
		q.IDs = slices.Compact(q.IDs)
		q.Before = items[len(items)-1].Seq + 1
		for {
			page, err := r.f.o.Exchange.Read(ctx, viewer, q)
			if err != nil {
				return err
			}
			for i := range page.Items {
				rec := &page.Items[i].Record
				switch {
				case !places[page.Items[i].Seq]:
				case int64(len(rec.Body))+64 > limit:
					r.Drop("push.size", fmt.Sprintf("the object is larger than the server's max_content_length of %d", limit), rec.ID)
				default:
					objects = append(objects, rec.Body)
				}
			}
			if q.After = page.Next; !page.More {
				break
			}
		}
	}
	if len(objects) == 0 {
		return nil
	}
	done, err := client.Add(ctx, root, r.c.Remote, objects, taxii.AddOptions{MaxContentLength: limit})
	for _, st := range done {
		r.report.Counts.Pushed += int64(st.SuccessCount)
		for _, f := range st.Failures {
			r.report.Counts.Refused++
			r.report.problem("refused", "push.refused", f.Message, f.ID)
		}
	}
	if err != nil {
		return taxiiFault(err)
	}
	return nil
}

// receiver is the party that is pushed to, as whose viewer the gate decides.
func (r *Run) receiver() gate.Viewer {
	return gate.Viewer{Nation: r.c.party.Nation, Org: r.c.party.Org, Person: "push:" + r.c.Name, Roles: []string{gate.RoleReader}, Realm: r.f.o.Realm}
}

// theirs tells whether the party that is pushed to has something already: it is its own, or came from the very server that is pushed to.
func (r *Run) theirs(o *record.Origin) bool {
	return o.Nation == r.c.party.Nation && o.Org == r.c.party.Org || r.f.echoes(r.c, o.Via)
}

// echoes tells whether what came that way came from the server that c sends to.
func (f *Feeds) echoes(c *Config, via string) bool {
	name, ok := strings.CutPrefix(via, "feed:")
	if !ok {
		return false
	}
	other := f.feeds[name]
	return other != nil && other.c.url != nil && outbound.SameOrigin(other.c.url, c.url)
}
