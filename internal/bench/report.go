package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// report prints every figure as it is known.
type report struct {
	out    io.Writer
	asJSON bool
	missed int
}

// figure is one line of the report. Target is empty for what is only told.
type figure struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Target string  `json:"target,omitempty"`
	State  string  `json:"state,omitempty"` // ok, MISSED
	Note   string  `json:"note,omitempty"`
}

func (r *report) head(text string) {
	if !r.asJSON {
		fmt.Fprintln(r.out, "#", text)
	}
}

func (r *report) atLeast(name string, value float64, unit string, target float64) {
	r.judge(name, value, unit, "≥"+short(target), value >= target)
}

func (r *report) atMost(name string, value float64, unit string, target float64) {
	r.judge(name, value, unit, "≤"+short(target), value <= target)
}

func (r *report) judge(name string, value float64, unit, target string, ok bool) {
	f := figure{Name: name, Value: value, Unit: unit, Target: target, State: "ok"}
	if !ok {
		f.State = "MISSED"
		r.missed++
	}
	r.put(f)
}

func (r *report) note(name string, value float64, unit string) {
	r.put(figure{Name: name, Value: value, Unit: unit})
}

func (r *report) skip(name, why string) { r.put(figure{Name: name, State: "skipped", Note: why}) }

func (r *report) put(f figure) {
	if r.asJSON {
		f.Value = math.Round(f.Value*1000) / 1000
		json.NewEncoder(r.out).Encode(f)
		return
	}
	if f.Note != "" {
		fmt.Fprintf(r.out, "%-44s %s: %s\n", f.Name, f.State, f.Note)
		return
	}
	fmt.Fprintf(r.out, "%-44s %10s %-10s %-8s %s\n", f.Name, short(f.Value), f.Unit, f.Target, f.State)
}

// short writes a number with as many digits as mean something.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// times are how long requests took.
type times []time.Duration

// at is the quantile q in milliseconds, for example 0.99.
func (t times) at(q float64) float64 {
	if len(t) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(t))
	return float64(s[min(len(s)-1, int(q*float64(len(s))))]) / float64(time.Millisecond)
}
