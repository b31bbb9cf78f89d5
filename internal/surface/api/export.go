package api

import (
	"bufio"
	"strconv"

	"github.com/google/uuid"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/label"
)

// fileName is what a file that is exported is called: one of an exercise says so.
func (c *call) fileName(name string) string {
	if exercise, ok := label.Mode(c.v.Realm).Exercise(); ok {
		return "EXERCISE-" + exercise + "-" + name
	}
	return name
}

// export streams everything that a query finds and that was there when it began.
func (a *API) export(c *call) error {
	q, err := a.filter(c)
	if err != nil {
		return err
	}
	format := c.q.get("format")
	if format == "misp" {
		return a.exportMISP(c, q)
	}
	media := map[string]string{"": bundleType, "bundle": bundleType, "ndjson": linesType}[format]
	if media == "" {
		return fault.New(fault.Invalid, "export.format", "%q is no format", clip(format)).At("format").Try("use bundle, ndjson or misp")
	}
	stats, err := a.ops.Stats(c.ctx())
	if err != nil {
		return err
	}
	q.Before = stats.Last + 1
	page, err := a.x.Read(c.ctx(), c.v, q)
	if err != nil {
		return err
	}
	headers(c.w, media)
	out := bufio.NewWriterSize(c.w, 256<<10)
	sep := ""
	if format != "ndjson" {
		out.WriteString(`{"type":"bundle","id":"bundle--` + uuid.NewString() + `"`)
		if name, ok := label.Mode(c.v.Realm).Exercise(); ok {
			out.WriteString(`,"` + exchange.ExerciseMark + `":` + strconv.Quote(name))
		}
		sep = `,"objects":[` + "\n"
	}
	for {
		for i := range page.Items {
			out.WriteString(sep)
			if body := exchange.Marked(page.Items[i].Record.Body, c.v.Realm); format == "ndjson" {
				out.Write(oneLine(body))
				sep = "\n"
			} else {
				out.Write(body)
				sep = ",\n"
			}
		}
		if !page.More {
			break
		}
		q.After = max(page.Next, q.After+1)
		if page, err = a.x.Read(c.ctx(), c.v, q); err != nil {
			return started(err)
		}
	}
	switch {
	case format == "ndjson" && sep != "":
		out.WriteString("\n")
	case format != "ndjson" && sep == ",\n":
		out.WriteString("\n]}\n")
	case format != "ndjson":
		out.WriteString("}\n")
	}
	return started(out.Flush())
}
