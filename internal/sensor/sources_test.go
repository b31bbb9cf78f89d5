package sensor

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"entente/internal/input"
	wire "entente/sensor"
)

// feeding runs a sensor with inputs that are opened as a configuration has them.
func feeding(t *testing.T, dir string, change func(*Feed), tables ...input.Table) (stop func() error) {
	t.Helper()
	feeds, err := NewFeeds(dir, nil, tables)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range feeds {
		if change != nil {
			change(f)
		}
	}
	return running(t, dir, func(o *Options) { o.Feeds, o.Config.Limits.Reports = feeds, 1_000_000 })
}

// Syslog over TCP: an event of JSON in a message, and a message that a rule for a service of Linux is about.
func TestSyslogOverTCP(t *testing.T) {
	n := newFakeNode(t)
	n.share("indicator--a", domain("a.example"))
	n.collapse("one")
	n.rule(wire.Rule{Source: "indicator--sshd", Type: "sigma", Pattern: "title: Failed logins\nlogsource:\n  product: linux\n  service: sshd\ndetection:\n  words:\n    - 'Failed password'\n  condition: words\nlevel: low\n"})
	dir := enrolled(t, n)
	ready := make(chan net.Addr, 1)
	stop := feeding(t, dir, func(f *Feed) {
		if c, ok := f.Source.(*input.Connections); ok {
			c.Ready = func(a net.Addr) { ready <- a }
		}
	}, input.Table{"kind": "syslog", "protocol": "tcp", "listen": "127.0.0.1:0"})
	var at net.Addr
	select {
	case at = <-ready:
	case <-time.After(3 * time.Minute):
		t.Fatal("nothing listens")
	}
	conn, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	when := time.Now().UTC().Format(time.RFC3339)
	for range 20 {
		fmt.Fprintf(conn, "<13>1 %s border suricata 7 - - %s\n", when, query("a.example"))
		fmt.Fprintf(conn, "<38>1 %s border sshd 8 - - Failed password for root from 192.0.2.1 port 4 ssh2\n", when)
		fmt.Fprintf(conn, "<38>1 %s border sshd 8 - - Accepted password for root from 192.0.2.1 port 4 ssh2\n", when)
	}
	n.expect(map[string]int64{"indicator--a": 20, "indicator--sshd": 20})
	n.seen(dir, 60)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// stuck is a source that stands still after some batches, in the middle of its work.
type stuck struct {
	input.Source
	after   int
	reached chan struct{}
}

func (x *stuck) Run(ctx context.Context, take func(*input.Batch) error) error {
	var once sync.Once
	return x.Source.Run(ctx, func(b *input.Batch) error {
		if x.after--; x.after < 0 {
			once.Do(func() { close(x.reached) })
			<-ctx.Done()
			return ctx.Err()
		}
		return take(b)
	})
}

// share has two sensors of one group read a stream, of which the first ends in the middle of its work: what they meet counts once.
func share(t *testing.T, table input.Table, produce func(lines []string)) {
	n := newFakeNode(t)
	for i := range 5 {
		n.share(fmt.Sprintf("indicator--%d", i), domain(fmt.Sprintf("bad%d.example", i)))
	}
	n.collapse("one")
	events := func(many int) (lines []string) {
		for i := range many {
			lines = append(lines, query(fmt.Sprintf("bad%d.example", i%50)))
		}
		return lines
	}
	want := func(each int64) (m map[string]int64) {
		m = map[string]int64{}
		for i := range 5 {
			m[fmt.Sprintf("indicator--%d", i)] = each
		}
		return m
	}
	produce(events(25_000))
	one, two := enrolled(t, n), enrolled(t, n)
	reached := make(chan struct{})
	stopOne := feeding(t, one, func(f *Feed) { f.Source = &stuck{f.Source, 7, reached} }, table)
	select {
	case <-reached:
	case <-time.After(3 * time.Minute):
		t.Fatal("the first sensor is given nothing")
	}
	stopTwo := feeding(t, two, nil, table)
	if err := stopOne(); err != nil {
		t.Error(err)
	}
	n.expect(want(500))
	produce(events(5000))
	n.expect(want(600))
	n.until("the health", func() bool {
		st, err := ReadStatus(two)
		return err == nil && len(st.Health.Inputs) == 1 && st.Health.Inputs[0].Events > 0 && st.Health.Inputs[0].Lag == 0
	}, func() any { st, err := ReadStatus(two); return fmt.Sprint(st, err) })
	if err := stopTwo(); err != nil {
		t.Error(err)
	}
}

func TestNATSGroup(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not come up")
	}
	nc, err := nats.Connect(s.ClientURL(), nats.Timeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(2000), jetstream.WithDefaultTimeout(2*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "EVE", Subjects: []string{"eve.>"}}); err != nil {
		t.Fatal(err)
	}
	share(t, input.Table{"kind": "nats", "servers": []string{s.Addr().String()}, "stream": "EVE", "group": "sensors", "tls": "off"}, func(lines []string) {
		for _, l := range lines {
			if _, err := js.PublishAsync("eve.dns", []byte(l), jetstream.WithRetryAttempts(100), jetstream.WithStallWait(time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-js.PublishAsyncComplete():
		case <-time.After(3 * time.Minute):
			t.Fatal("publishing does not end")
		}
	})
}

func TestKafkaGroup(t *testing.T) {
	k, err := kfake.NewCluster(kfake.NumBrokers(2), kfake.SeedTopics(4, "eve"), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	share(t, input.Table{"kind": "kafka", "brokers": k.ListenAddrs(), "topics": []string{"eve"}, "group": "sensors", "tls": "off"}, func(lines []string) {
		var records []*kgo.Record
		for _, l := range lines {
			records = append(records, &kgo.Record{Topic: "eve", Value: []byte(l)})
		}
		if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	})
}
