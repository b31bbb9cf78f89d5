package feed

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"entente/internal/exchange"
	"entente/internal/fault"
	"entente/internal/gate"
	"entente/internal/outbound"
	"entente/internal/store"
	"entente/outside"
)

// Feeds runs the feeds of a node, each by its schedule. Its methods are safe for concurrent use.
type Feeds struct {
	o       Options
	feeds   map[string]*feed
	metrics metrics
	slots   chan struct{} // who holds one runs
	desks   chan struct{} // who holds one works on what it has fetched

	patience time.Duration // how long a server may send nothing in the middle of an answer

	stop    context.CancelFunc
	workers sync.WaitGroup
}

// feed is one configured feed.
type feed struct {
	c       Config
	source  Source
	running chan struct{} // holds one token while it runs
	changed chan struct{} // wakes the schedule after a run that somebody asked for
}

// New checks the configuration and makes the feeds. Nothing runs before Start, but for what somebody asks for.
func New(o Options) (*Feeds, error) {
	if err := Validate(o.Feeds, o.Sources); err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	f := &Feeds{o: o, feeds: map[string]*feed{}, metrics: newMetrics(), slots: make(chan struct{}, maxRunning), desks: make(chan struct{}, maxWorking), patience: outbound.Stall}
	for _, c := range o.Feeds {
		c.base = o.Base
		if err := c.check(o.Sources); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(o.Sources, func(s Source) bool { return s.Kind() == c.Kind })
		f.feeds[c.Name] = &feed{c: c, source: o.Sources[i], running: make(chan struct{}, 1), changed: make(chan struct{}, 1)}
	}
	return f, nil
}

// Start begins to follow the schedules.
func (f *Feeds) Start() {
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	for _, one := range f.feeds {
		if one.c.times.schedule.every > 0 && !one.c.Disabled {
			f.workers.Go(func() { f.follow(ctx, one) })
		}
	}
}

// Close ends the schedules and the runs under way. What they have stored stays, and the next run goes on there.
func (f *Feeds) Close() {
	if f.stop != nil {
		f.stop()
	}
	f.workers.Wait()
}

// follow runs one feed whenever it is due.
func (f *Feeds) follow(ctx context.Context, one *feed) {
	for {
		due := f.o.Now().Add(firstPause)
		if s, err := f.load(ctx, &one.c); err == nil {
			// Neither a clock that went back nor a schedule that was changed keeps a feed from running.
			longest := one.c.times.schedule.every
			if s.Failures > 0 {
				longest = max(longest, maxAsked)
			}
			due = s.Next
			if latest := f.o.Now().Add(longest + one.c.times.jitter); due.After(latest) {
				due = latest
			}
			if due.IsZero() { // it never ran: soon, but not all feeds at once
				due = f.o.Now().Add(chance(min(one.c.times.jitter, 10*time.Second)))
			}
		}
		t := time.NewTimer(max(due.Sub(f.o.Now()), 0))
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-one.changed:
			t.Stop()
			continue
		case <-t.C:
		}
		select {
		case <-ctx.Done():
			return
		case f.slots <- struct{}{}:
		}
		_, err := f.run(ctx, one, "schedule", false)
		<-f.slots
		if err != nil && ctx.Err() == nil {
			f.o.Log.Error("a feed could not run", "feed", one.c.Name, "error", err)
			if sleep(ctx, firstPause) != nil {
				return
			}
		}
	}
}

// Ask runs a feed now and returns what it did. A dry run stores nothing.
func (f *Feeds) Ask(ctx context.Context, v gate.Viewer, name string, dry bool) (Report, error) {
	one, ok := f.feeds[name]
	if !ok {
		return Report{}, noFeed()
	}
	who := v.Org + "/" + v.Person
	if !dry {
		if err := f.o.Docs.PutDocs(ctx, store.Act{Actor: who, Verb: "feed.run", Target: name}, doc(docAsked, name, who)); err != nil {
			return Report{}, err
		}
	}
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return Report{}, ctx.Err()
	}
	report, err := f.run(ctx, one, who, dry)
	if !dry {
		select {
		case one.changed <- struct{}{}:
		default:
		}
	}
	return report, err
}

func noFeed() *fault.Error { return fault.New(fault.NotFound, "", "no such feed") }

// run runs a feed once. The error is about the node; what was wrong with the source stands in the report.
func (f *Feeds) run(ctx context.Context, one *feed, trigger string, dry bool) (Report, error) {
	select {
	case one.running <- struct{}{}:
		defer func() { <-one.running }()
	default:
		return Report{}, fault.New(fault.Conflict, "feed.running", "the feed %s runs already", one.c.Name).Try("wait until it has ended")
	}
	ctx, cancel := context.WithTimeout(ctx, maxRun)
	defer cancel()
	r, err := f.begin(ctx, one, trigger, dry)
	if err != nil {
		return Report{}, err
	}
	err = r.open()
	if err == nil {
		err = one.source.Pull(ctx, r)
		r.shut()
		r.stand()
	}
	r.report.Ended = f.o.Now().UTC()
	switch {
	case err != nil:
		r.report.Result = Failed
		e := fault.As(err)
		r.report.Error = &Failure{Code: e.MachineCode(), Message: said(e), Do: e.Do}
		if fault.Of(err) == fault.Internal {
			f.o.Log.Error("a feed failed", "feed", one.c.Name, "cause", err)
		}
	case r.report.Counts.idle():
		r.report.Result = Unchanged
	default:
		r.report.Result = Done
	}
	if dry {
		return r.report, nil
	}
	return r.report, f.finish(ctx, r, err)
}

// said is the message with its place and rule, and without the private cause.
func said(e *fault.Error) string {
	c := *e
	c.Err, c.Do = nil, ""
	return c.Error()
}

// begin makes a run with everything it needs of the node.
func (f *Feeds) begin(ctx context.Context, one *feed, trigger string, dry bool) (*Run, error) {
	c := &one.c
	state, err := f.load(ctx, c)
	if err != nil {
		return nil, err
	}
	now := f.o.Now().UTC().Truncate(time.Millisecond)
	r := &Run{f: f, c: c, state: state, now: now,
		viewer: gate.Viewer{Nation: f.o.Nation, Org: f.o.Org, Person: "feed:" + c.Name, Roles: []string{gate.RoleAnalyst, gate.RolePublisher}, Realm: f.o.Realm},
		space:  uuid.UUID(outside.UUID5(namespace, []byte(f.o.Nation+"/"+f.o.Org+"\n"+c.Name))),
		report: Report{Trigger: trigger, DryRun: dry, Started: now}}
	return r, nil
}

// open finds the collection and makes the way to the server.
func (r *Run) open() (err error) {
	if r.c.Collection != "" {
		col, err := r.f.o.Exchange.Collection(r.viewer, "", r.c.Collection)
		if err != nil {
			return fault.New(fault.NotFound, "feed.collection", "this node has no collection %q that a feed may use", r.c.Collection).At("collection").Because(err)
		}
		r.target = col.ID
	}
	if r.c.url != nil {
		r.line, err = newLine(r.c, r.f.o.Realm, cmp.Or(r.f.o.UserAgent, "entente"), r.f.patience)
	}
	return err
}

func (r *Run) shut() {
	if r.line != nil {
		r.line.Close()
	}
}

// finish writes down how a run went and when the next is due. After a failure the state is the last that was stored with its data.
func (f *Feeds) finish(ctx context.Context, r *Run, failed error) error {
	// A run that is ended by the end of the node still says what it did.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if failed != nil {
		stored, err := f.load(ctx, r.c)
		if err != nil {
			return err
		}
		r.state = stored
	}
	s := &r.state
	if failed != nil {
		s.Failures++
		s.Next = r.report.Ended.Add(backoff(s.Failures, fault.As(failed).RetryAfter))
	} else {
		s.Failures, s.Succeeded = 0, r.report.Ended
		s.Next = r.c.times.schedule.after(r.report.Ended)
	}
	if !s.Next.IsZero() {
		s.Next = s.Next.Add(chance(r.c.times.jitter))
	}
	s.Totals.add(r.report.Counts)
	s.Runs = append([]Report{r.report}, s.Runs[:min(len(s.Runs), keptRuns-1)]...)
	f.metrics.ran(r.c.Name, &r.report)
	if failed != nil {
		f.o.Log.Warn("a feed failed", "feed", r.c.Name, "failures", s.Failures, "next", s.Next, "reason", r.report.Error.Message)
	}
	_, err := f.o.Exchange.Accept(ctx, r.viewer, exchange.Submission{Also: func([]exchange.Outcome) []store.Doc {
		return []store.Doc{stateDoc(r.c.Name, *s), doc(docRuns, r.c.Name, s.Runs)}
	}})
	return err
}

// View is a feed as people see it.
type View struct {
	Name       string    `json:"name"`
	Kind       string    `json:"kind"`
	Address    string    `json:"address"` // URL without its query, or file
	Remote     string    `json:"remote,omitempty"`
	Collection string    `json:"collection,omitempty"`
	Label      string    `json:"label,omitempty"`
	To         string    `json:"to,omitempty"`
	Schedule   string    `json:"schedule"`
	Disabled   bool      `json:"disabled,omitempty"`
	Health     string    `json:"health"`             // "new", "ok", "failing" or "running"
	Failures   int       `json:"failures,omitempty"` // one after another
	Next       time.Time `json:"next,omitzero"`
	Succeeded  time.Time `json:"succeeded,omitzero"`
	Polled     time.Time `json:"polled,omitzero"` // date added of the newest object of a TAXII collection that is here
	Totals     Counts    `json:"totals"`
	Runs       []Report  `json:"runs"` // newest first
}

// List is every feed, by name, with its newest run only.
func (f *Feeds) List(ctx context.Context) ([]View, error) {
	var out []View
	for _, one := range f.feeds {
		v, err := f.view(ctx, one)
		if err != nil {
			return nil, err
		}
		v.Runs = v.Runs[:min(len(v.Runs), 1)]
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b View) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Show is one feed with its last runs.
func (f *Feeds) Show(ctx context.Context, name string) (View, error) {
	one, ok := f.feeds[name]
	if !ok {
		return View{}, noFeed()
	}
	return f.view(ctx, one)
}

func (f *Feeds) view(ctx context.Context, one *feed) (View, error) {
	s, err := f.load(ctx, &one.c)
	if err != nil {
		return View{}, err
	}
	c := &one.c
	v := View{Name: c.Name, Kind: c.Kind, Address: c.address(), Remote: c.Remote, Collection: c.Collection, Label: c.Label, To: c.To, Schedule: cmp.Or(c.Schedule, "1h"), Disabled: c.Disabled,
		Health: "ok", Failures: s.Failures, Next: s.Next, Succeeded: s.Succeeded, Polled: s.Checkpoint.Last, Totals: s.Totals, Runs: s.Runs}
	switch {
	case len(one.running) > 0:
		v.Health = "running"
	case s.Failures > 0:
		v.Health = "failing"
	case len(s.Runs) == 0:
		v.Health = "new"
	}
	if v.Runs == nil {
		v.Runs = []Report{}
	}
	if c.Disabled {
		v.Next = time.Time{}
	}
	return v, nil
}
