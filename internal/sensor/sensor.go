// Package sensor runs beside telemetry, which never leaves it: it takes from its node what to look for, looks at what its inputs bring, and gives reports of what it met.
//
// Nothing is lost and nothing counts twice when it dies at any moment. A block of telemetry is read whole or not at all; what was met in it is in the spool before it is marked as
// read, and told under an id that is the same when it is read again. What was seen is remembered, so that an indicator that comes later is answered for the past.
//
// What several events make together, correlations and patterns, is exact as well. All that changes what was seen of them is put, in one order, into the engines and into a journal:
// what there is in the lines of a batch, up to which line of its block that is, and that a source is not waited for. Before anything that was found is told, and before a block is
// marked as read, the journal is made durable. So what was told follows from what is in the journal, whatever order inputs come in afterwards: a sensor that starts again takes its
// last cut, which is everything that was seen at a moment, and the journal since, finds the same under the same ids, and takes from blocks that are read again only the lines that
// are not in it. Another cut is made when the journal has become larger than the last, so that both are bounded by what is kept in memory, and when there is something else to look
// for: what is in a journal is for those alone that were there when it was written.
package sensor

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"entente/internal/fault"
	"entente/internal/lite"
	"entente/internal/recall"
	"entente/internal/spool"
)

// Options are what a sensor runs with.
type Options struct {
	Dir    string
	Config Config
	Feeds  []*Feed // its inputs
	Now    func() time.Time
	Log    *slog.Logger
}

// Sensor is one that runs.
type Sensor struct {
	o       Options
	id      *identity
	client  *client
	fit     fit
	tables  *tables
	mutes   *mutes
	memory  *recall.Memory
	spool   *spool.Spool
	look    atomic.Pointer[look]
	swap    sync.RWMutex // held for reading while a batch is looked at: what was found belongs to what was looked for
	workers chan *worker
	gate    *gate
	several several
	loose   loose
	index   atomic.Uint64 // of events
	jobs    chan job
	ready   chan struct{} // closed when it has something to look for
	started time.Time

	telling, keeping, changed chan struct{}

	untold   atomic.Int64 // sightings that were never told
	given    atomic.Int64
	refused  atomic.Int64
	seenNode atomic.Int64

	round    sync.Mutex // of telling
	settling sync.Mutex // of marking as read, and of looking back

	mu     sync.Mutex
	live   map[*block]struct{} // not marked as read
	ended  []*block            // of them those that were read whole, in that order
	held   int                 // values in their stages
	errors map[string]string
	dead   map[string]uint64 // indicators that were met and do not count, by why
}

// Run runs the sensor of a data directory until the context ends. It has the directory for itself.
func Run(ctx context.Context, o Options) (err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	lock, err := lite.Lock(filepath.Join(o.Dir, lockFile))
	if err != nil {
		return err
	}
	defer lock.Close()
	s, back, err := open(o)
	if err != nil {
		return err
	}
	return errors.Join(s.run(ctx, back), s.close())
}

// open opens what the sensor has on disk. What is still to be looked back for is handed back.
func open(o Options) (s *Sensor, back []fresh, err error) {
	if err := o.Config.Validate(); err != nil {
		return nil, nil, err
	}
	s = &Sensor{o: o, workers: make(chan *worker, o.Config.Workers), gate: newGate(), jobs: make(chan job, maxJobs), ready: make(chan struct{}), started: o.Now().UTC(),
		telling: make(chan struct{}, 1), keeping: make(chan struct{}, 1), changed: make(chan struct{}, 1), live: map[*block]struct{}{}, errors: map[string]string{}, dead: map[string]uint64{}}
	made := s
	defer func() {
		if err != nil {
			err = errors.Join(err, made.close())
		}
	}()
	s.several.s = s
	s.index.Store(uint64(o.Now().UnixNano())) // behind those of before
	for range o.Config.Workers {
		s.workers <- newWorker(s)
	}
	if s.id, err = openIdentity(o.Dir); err != nil {
		return nil, nil, err
	}
	if s.fit, err = loadFit(o.Dir, &o.Config); err != nil {
		return nil, nil, err
	}
	if s.mutes, err = openMutes(o.Dir, o.Config.Limits, o.Now); err != nil {
		return nil, nil, err
	}
	if s.spool, err = spool.Open(spool.Config{Dir: s.path("spool"), MaxBytes: o.Config.Spool.Size}); err != nil {
		return nil, nil, err
	}
	key, err := openRecallKey(o.Dir)
	if err != nil {
		return nil, nil, err
	}
	cfg := o.Config.Recall
	cfg.Dir, cfg.Hash, cfg.Now = s.path("recall"), recall.NewHash(key), o.Now
	if s.memory, err = recall.Open(cfg); err != nil {
		return nil, nil, err
	}
	if s.tables, back, err = openTables(o.Dir, o.Config.Table.Threshold); err != nil {
		return nil, nil, err
	}
	var kept keptRules
	hadRules, err := readJSON(s.path(rulesFile), &kept)
	if err != nil {
		return nil, nil, err
	}
	if hadRules {
		err = s.relook(compile(&kept, s.fit))
	} else {
		err = s.relook(nil)
	}
	if err != nil {
		return nil, nil, err
	}
	if table, _ := s.tables.at(); table != nil && hadRules {
		close(s.ready)
	}
	node, err := url.Parse(s.id.who.Load().Node)
	if err != nil {
		return nil, nil, fault.New(fault.Unprocessable, "sensor.node", "the node's address cannot be read").Because(err)
	}
	conf, err := s.id.tls()
	if err != nil {
		return nil, nil, err
	}
	s.client, err = newClient(node, conf)
	return s, back, err
}

func (s *Sensor) close() error {
	var errs []error
	if s.client != nil {
		s.client.close()
	}
	if s.tables != nil {
		errs = append(errs, s.tables.close())
	}
	if s.memory != nil {
		errs = append(errs, s.memory.Close())
	}
	if s.spool != nil {
		errs = append(errs, s.spool.Close())
	}
	return errors.Join(errs...)
}

// lastWords is how long a sensor that stops may take to give what it still has.
const lastWords = 2 * time.Second

func (s *Sensor) run(ctx context.Context, back []fresh) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	posting, quiet := context.WithCancel(context.WithoutCancel(ctx))
	defer quiet()
	var work, inputs, giving sync.WaitGroup
	_, at := s.tables.at()
	s.lookBack(ctx, job{epoch: at.Epoch, all: true})
	s.lookBack(ctx, job{epoch: at.Epoch, to: at.Seq, news: back})
	work.Go(func() {
		if err := s.follow(ctx); err != nil {
			stop(err)
		}
	})
	work.Go(func() { s.renew(ctx) })
	work.Go(func() { s.merge(ctx) })
	work.Go(func() { s.reportHealth(ctx) })
	work.Go(func() { s.back(ctx) })
	work.Go(func() {
		every(ctx, statusEvery, nil, func() { s.failed("status", s.keepStatus(true)) })
	})
	giving.Go(func() { s.post(posting) })
	inputs.Go(func() {
		select {
		case <-s.ready:
		case <-ctx.Done():
			return
		}
		for _, f := range s.o.Feeds {
			inputs.Go(func() { s.runFeed(ctx, f) })
		}
	})
	work.Go(func() {
		every(ctx, tellEvery, s.telling, func() {
			s.several.rest()
			s.failed("tell", s.tell(false))
			if changed, err := s.mutes.keep(); err != nil || changed {
				s.failed("mutes", err)
				s.poke()
			}
		})
	})
	work.Go(func() {
		every(ctx, keepEvery, s.keeping, func() { s.failed("keep", s.keepRound()) })
	})
	<-ctx.Done()
	inputs.Wait()
	work.Wait()
	err := errors.Join(s.tell(true), s.keepRound(), s.several.stop())
	s.lastWords(ctx)
	quiet()
	giving.Wait()
	_, muteErr := s.mutes.keep()
	err = errors.Join(err, muteErr, s.keepStatus(false))
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return err
}

// lastWords waits until what was met is with the node, but not long: the spool keeps it.
func (s *Sensor) lastWords(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
	defer stop()
	for ctx.Err() == nil && s.spool.Stats().Records > 0 {
		pause(ctx, 20*time.Millisecond)
	}
}
