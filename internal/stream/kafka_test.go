package stream

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// kafka is a cluster in this process, with a topic of 4 partitions.
type kafka struct {
	t testing.TB
	*kfake.Cluster
	opts     []kfake.Opt
	producer *kgo.Client
}

func newKafka(t testing.TB, opts ...kfake.Opt) *kafka {
	t.Helper()
	k := &kafka{t: t, opts: append([]kfake.Opt{kfake.NumBrokers(2), kfake.SeedTopics(4, "eve"), kfake.GroupMinSessionTimeout(100 * time.Millisecond), kfake.DataDir(t.TempDir()),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0", "message.max.bytes": "8000000"})}, opts...)}
	k.up()
	t.Cleanup(func() { k.Close() })
	return k
}

func (k *kafka) up() {
	k.t.Helper()
	var err error
	if k.Cluster, err = kfake.NewCluster(k.opts...); err != nil {
		k.t.Fatal(err)
	}
}

// down ends it, so that it can come again as it was.
func (k *kafka) down() {
	k.t.Helper()
	var ports []int
	for _, a := range k.ListenAddrs() {
		_, port, err := net.SplitHostPort(a)
		if err != nil {
			k.t.Fatal(err)
		}
		n, err := strconv.Atoi(port)
		if err != nil {
			k.t.Fatal(err)
		}
		ports = append(ports, n)
	}
	k.Close()
	k.opts = append(k.opts, kfake.Ports(ports...))
}

// produces connects a producer.
func (k *kafka) produces(opts ...kgo.Opt) *kafka {
	k.t.Helper()
	var err error
	if k.producer, err = kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(k.ListenAddrs()...), kgo.DefaultProduceTopic("eve"), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.DisableClientMetrics(), kgo.ProducerBatchMaxBytes(8_000_000)}, opts...)...); err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(k.producer.Close)
	return k
}

func (k *kafka) produce(lines ...string) {
	k.t.Helper()
	records := make([]*kgo.Record, len(lines))
	for i, l := range lines {
		records[i] = &kgo.Record{Value: []byte(l)}
	}
	if err := k.producer.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		k.t.Fatal(err)
	}
}

// quick are the times of tests.
func quick() []kgo.Opt {
	return []kgo.Opt{kgo.SessionTimeout(time.Minute), kgo.HeartbeatInterval(50 * time.Millisecond), kgo.FetchMaxWait(50 * time.Millisecond), kgo.AutoCommitInterval(100 * time.Millisecond)}
}

func (k *kafka) config() KafkaConfig {
	return KafkaConfig{Brokers: k.ListenAddrs(), Topics: []string{"eve"}, Group: "sensors", TLS: TLS{Mode: "off"}, more: quick()}
}

func (k *kafka) source() *KafkaSource {
	k.t.Helper()
	s, err := Kafka(k.config())
	if err != nil {
		k.t.Fatal(err)
	}
	return s
}

func TestKafka(t *testing.T) {
	k := newKafka(t).produces()
	lines, want := events(0, 9500)
	k.produce(lines...)
	n := newNode()
	r := start(k.source(), &sensor{report: n.report})
	n.exactly(t, want)
	until(t, "no lag", func() bool { return r.source.Counts().Lag == 0 })
	more, sums := events(9500, 700)
	k.produce(more...)
	n.exactly(t, add(want, sums))
	r.end(t, nil)
	if c := r.source.Counts(); c.Messages != 10200 || c.Lines != 10200 || c.Errors != 0 {
		t.Errorf("%+v", c)
	}
	// Whole blocks are committed, and what comes after them is read again.
	again := newNode()
	r = start(k.source(), &sensor{report: again.report})
	until(t, "the open blocks", func() bool { return again.total() == 10200-8000 })
	r.end(t, nil)
	if r.sensor.lines != 2200 {
		t.Errorf("%d lines came again", r.sensor.lines)
	}
}
