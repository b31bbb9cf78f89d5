package federation

import (
	"context"
	"slices"
	"time"

	"entente/internal/ledger"
	"entente/peer"
)

// relayStream is the stream over which comes what a relay carries, of partners that are not met. What it brings is taken by the same rules as what is asked for; what it
// does not bring, or what is refused of it, is asked for in the relay's next turn. So nobody loses more by a stream than time.
type relayStream struct {
	stop context.CancelFunc // nil: there was none yet
	of   []string
	done chan struct{}

	// Under relaying.mu.
	heard   time.Time
	deaf    map[string]bool   // logs of which something was not taken: until they were asked for
	owner   map[string]string // of the logs that the relay showed: the nation
	unknown bool              // something came of another
}

func newRelayStream() relayStream {
	return relayStream{deaf: map[string]bool{}, owner: map[string]string{}}
}

// end ends the stream, and waits for it.
func (l *relayStream) end() {
	if l.stop != nil {
		l.stop()
		<-l.done
	}
}

// silent is how long nothing may come, not even a ping, before the stream is taken for dead.
const silent = 3 * pingEvery

// streams tells whether a log comes over the stream.
func (v *relayVisit) streams(nation, origin string) bool {
	l := &v.live
	if l.stop == nil || !slices.Contains(l.of, nation) {
		return false
	}
	select {
	case <-l.done:
		return false
	default:
	}
	v.f.over.mu.Lock()
	defer v.f.over.mu.Unlock()
	return !l.deaf[origin] && v.f.cfg.Now().Sub(l.heard).Abs() < silent
}

// lacks tells whether something came of a log that the relay did not show before: it is looked at again.
func (v *relayVisit) lacks() bool {
	v.f.over.mu.Lock()
	defer v.f.over.mu.Unlock()
	was := v.live.unknown
	v.live.unknown = false
	return was
}

// listen has a stream be open, of those partners that are not met.
func (v *relayVisit) listen(ctx context.Context) error {
	f, l := v.f, &v.live
	of := slices.DeleteFunc(v.bound(), f.meets)
	of = of[:min(len(of), peer.MaxReaders)]
	if len(of) > 0 && slices.Equal(of, l.of) && v.streams(of[0], "") {
		return nil
	}
	l.end()
	l.stop = nil
	var at []peer.Position
	for _, nation := range of {
		logs, err := f.cfg.Ledger.Logs(ctx, ledger.Filter{Nation: nation})
		if err != nil {
			return err
		}
		for _, g := range logs { // also those that ended, so that they do not come again
			at = append(at, peer.Position{Origin: g.Origin, Size: g.Size, Known: g.Signed.Size})
		}
	}
	if len(of) == 0 || len(at) > f.cfg.Limits.Logs {
		return nil
	}
	f.over.mu.Lock()
	l.heard = f.cfg.Now()
	clear(l.deaf)
	f.over.mu.Unlock()
	own, stop := context.WithCancel(v.life)
	l.of, l.stop, l.done = of, stop, make(chan struct{})
	client, relay := v.client, v.relay
	f.workers.Go(func() {
		defer close(l.done)
		defer stop()
		err := client.SealedStream(own, of, at, func(s *peer.SealedBatch) error { return v.came(own, relay, s) })
		if own.Err() == nil {
			f.cfg.Log.Info("a relay's stream ended; it is opened again", "relay", relay.Nation, "error", err)
		}
	})
	return nil
}

// came takes what the stream brought. It touches nothing of the visit that its turns change.
func (v *relayVisit) came(ctx context.Context, relay Partner, s *peer.SealedBatch) error {
	f, l := v.f, &v.live
	defer signal(v.sooner) // a message waits, or receipts are owed
	f.over.mu.Lock()
	l.heard = f.cfg.Now()
	var of string
	if s != nil {
		of = l.owner[s.Origin]
		l.unknown = l.unknown || of == ""
	}
	deaf := s != nil && l.deaf[s.Origin]
	f.over.mu.Unlock()
	if of == "" || deaf || f.meets(of) {
		return nil
	}
	g, err := f.cfg.Ledger.Log(ctx, s.Origin)
	if ignoreMissing(err) != nil {
		return err
	}
	if err == nil && (g.Own || g.Nation != of || g.Retired) {
		return nil
	}
	if err := f.trusted(relay.Nation); err != nil {
		return err
	}
	if err := f.takeSealed(ctx, &relay, of, s); err != nil {
		if ctx.Err() != nil {
			return err
		}
		f.cfg.Log.Info("what came over a relay's stream is not taken; it is asked for", "relay", relay.Nation, "log", s.Origin, "error", err)
		f.over.mu.Lock()
		l.deaf[s.Origin] = true
		f.over.mu.Unlock()
	}
	return nil
}
