package api

import (
	"bufio"
	"context"
	"io"
	"maps"
	"slices"

	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/store"
)

// Events are the published events of MISP, as a viewer may have them.
type Events interface {
	Published(ctx context.Context, v gate.Viewer, collection string) (map[string]int64, error)
	WriteEvent(ctx context.Context, v gate.Viewer, collection, uuid string, push bool, w io.Writer) error
}

// exportMISP writes the published events of a collection, one per line, in the order of their uuids.
func (a *API) exportMISP(c *call, q store.Query) error {
	for _, p := range filters {
		if p.Name != "collection" && len(c.q.all(p.Name)) > 0 {
			return fault.New(fault.Invalid, "export.filter", "events are chosen by their collection only").At(p.Name)
		}
	}
	events := a.ops.Events()
	known, err := events.Published(c.ctx(), c.v, q.Collection)
	if err != nil {
		return err
	}
	headers(c.w, linesType)
	out := bufio.NewWriterSize(c.w, 256<<10)
	for _, id := range slices.Sorted(maps.Keys(known)) {
		err := events.WriteEvent(c.ctx(), c.v, q.Collection, id, false, out)
		if err != nil && fault.Of(err) == fault.NotFound {
			continue // gone since
		}
		if err != nil {
			return started(err)
		}
		out.WriteByte('\n')
	}
	return started(out.Flush())
}
