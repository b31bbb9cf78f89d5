package stream

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	childKind  = "ENTENTE_STREAM_CHILD"
	childAddrs = "ENTENTE_STREAM_ADDRS"
)

// child is a sensor in a process of its own, which tells its reports on its standard output until it is killed.
func child(kind string) {
	addrs := strings.Split(os.Getenv(childAddrs), ",")
	var src source
	var err error
	if kind == "kafka" {
		src, err = Kafka(KafkaConfig{Brokers: addrs, Topics: []string{"eve"}, Group: "sensors", TLS: TLS{Mode: "off"},
			more: append(quick(), kgo.SessionTimeout(time.Second), kgo.RebalanceTimeout(2*time.Second))})
	} else {
		src, err = NATS(NATSConfig{Servers: addrs, Stream: "EVE", Group: "sensors", TLS: TLS{Mode: "off"}, lease: time.Second})
	}
	if err != nil {
		panic(err)
	}
	s := &sensor{slow: 100 * time.Millisecond, late: 2, report: func(block, value string, count int) { fmt.Printf("%s %s %d\n", block, value, count) }}
	if err := src.Run(context.Background(), s.take); err != nil {
		panic(err)
	}
}

// sensors are children whose reports come to a node.
type sensors struct {
	t    *testing.T
	node *node
	all  []*exec.Cmd
	said []chan int // how many reports each gave so far
	wait sync.WaitGroup
}

func (s *sensors) begin(kind string, addrs []string) {
	s.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childKind+"="+kind, childAddrs+"="+strings.Join(addrs, ","))
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	said := make(chan int, 1)
	s.all, s.said = append(s.all, cmd), append(s.said, said)
	s.wait.Go(func() {
		lines := bufio.NewScanner(out)
		for n := 1; lines.Scan(); n++ {
			f := strings.Fields(lines.Text())
			if len(f) != 3 {
				continue
			}
			count, err := strconv.Atoi(f[2])
			if err != nil {
				continue
			}
			s.node.report(f[0], f[1], count)
			select {
			case <-said:
			default:
			}
			said <- n
		}
	})
}

// saying waits until one has given so many reports more.
func (s *sensors) saying(i, more int) {
	s.t.Helper()
	end := time.After(2 * time.Minute)
	for first := -1; ; {
		select {
		case n := <-s.said[i]:
			if first < 0 {
				first = n
			}
			if n >= first+more {
				return
			}
		case <-end:
			s.t.Fatal("a sensor says nothing")
		}
	}
}

func (s *sensors) signal(i int, what syscall.Signal) {
	s.t.Helper()
	if err := s.all[i].Process.Signal(what); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sensors) end() {
	for _, c := range s.all {
		c.Process.Kill()
	}
	s.wait.Wait()
	for _, c := range s.all {
		c.Wait()
	}
}

// each runs a test with both kinds of brokers: how to produce, and where they are.
func each(t *testing.T, f func(t *testing.T, kind string, addrs []string, produce func(...string), src func() source)) {
	t.Run("kafka", func(t *testing.T) {
		k := newKafka(t).produces()
		f(t, "kafka", k.ListenAddrs(), k.produce, func() source { return k.source() })
	})
	t.Run("nats", func(t *testing.T) {
		b := newBroker(t, nil).produces()
		f(t, "nats", []string{b.Addr().String()}, func(lines ...string) { b.produce("eve.x", lines...) }, func() source { return b.source() })
	})
}

// One of two processes that share a stream is killed while it is at work, and another one is stopped so long that its work is given to others, and goes on then: everything is counted once.
func TestASensorIsKilled(t *testing.T) {
	each(t, func(t *testing.T, kind string, addrs []string, produce func(...string), _ func() source) {
		s := &sensors{t: t, node: newNode()}
		defer s.end()
		s.begin(kind, addrs)
		s.begin(kind, addrs)
		lines, want := events(0, 60_000)
		produce(lines[:20_000]...)
		s.saying(0, 4)
		s.signal(0, syscall.SIGKILL)
		s.begin(kind, addrs)
		produce(lines[20_000:]...)
		s.saying(2, 4)
		s.signal(2, syscall.SIGSTOP)
		s.node.exactly(t, want)
		s.signal(2, syscall.SIGCONT)
		more, sums := events(60_000, 10_000)
		produce(more...)
		s.node.exactly(t, add(want, sums))
		s.end()
		s.node.exactly(t, add(want, sums))
	})
}
