package stream

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// broker is a NATS server in this process, with a stream.
type broker struct {
	t testing.TB
	*server.Server
	opts   *server.Options
	js     jetstream.JetStream
	stream jetstream.Stream
}

func newBroker(t testing.TB, change func(*server.Options)) *broker {
	t.Helper()
	b := &broker{t: t, opts: &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true, MaxPayload: 8 << 20}}
	if change != nil {
		change(b.opts)
	}
	b.up()
	t.Cleanup(func() { b.down() })
	return b
}

func (b *broker) up() {
	b.t.Helper()
	s, err := server.NewServer(b.opts)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Server = s
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		b.t.Fatal("the server does not come up")
	}
	if a, ok := s.Addr().(*net.TCPAddr); ok {
		b.opts.Port = a.Port // if it comes again
	}
}

func (b *broker) down() {
	b.Shutdown()
	b.WaitForShutdown()
}

// produces connects a producer, and makes the stream.
func (b *broker) produces(opts ...nats.Option) *broker {
	b.t.Helper()
	nc, err := nats.Connect(b.ClientURL(), append(opts, nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(nc.Close)
	if b.js, err = jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(2000)); err != nil {
		b.t.Fatal(err)
	}
	if b.stream, err = b.js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "EVE", Subjects: []string{"eve.>"}}); err != nil {
		b.t.Fatal(err)
	}
	return b
}

func (b *broker) produce(subject string, lines ...string) {
	b.t.Helper()
	for _, l := range lines {
		if _, err := b.js.PublishAsync(subject, []byte(l), jetstream.WithRetryAttempts(100), jetstream.WithStallWait(time.Minute)); err != nil {
			b.t.Fatal(err)
		}
	}
	select {
	case <-b.js.PublishAsyncComplete():
	case <-time.After(patience):
		b.t.Fatal("publishing does not end")
	}
}

// unhurried is a configuration with which no claim goes to another, and no answer is missed, because the machine stands still for a while: for tests that count every line that is given.
func (b *broker) unhurried() NATSConfig {
	cfg := b.config()
	cfg.lease, cfg.patience = time.Minute, time.Minute
	return cfg
}

func (b *broker) config() NATSConfig {
	return NATSConfig{Servers: []string{b.Addr().String()}, Stream: "EVE", Group: "sensors", TLS: TLS{Mode: "off"}, lease: 600 * time.Millisecond}
}

func (b *broker) source() *NATSSource {
	b.t.Helper()
	s, err := NATS(b.config())
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func TestNATS(t *testing.T) {
	b := newBroker(t, nil).produces()
	lines, want := events(0, 25_500)
	b.produce("eve.a", lines...)
	n := newNode()
	unhurried := func() source {
		src, err := NATS(b.unhurried())
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	r := start(unhurried(), &sensor{report: n.report})
	n.exactly(t, want)
	until(t, "no lag", func() bool { return r.source.Counts().Lag == 0 })
	more, sums := events(25_500, 7000)
	b.produce("eve.b", more...)
	n.exactly(t, add(want, sums))
	r.end(t, nil)
	if c := r.source.Counts(); c.Messages != 32_500 || c.Errors != 0 {
		t.Errorf("%+v", c)
	}
	// Whole claims are acknowledged, and what comes after them is read again.
	again := newNode()
	r = start(unhurried(), &sensor{report: again.report})
	until(t, "the open claim", func() bool { return again.total() == 2501 })
	r.end(t, nil)
}
