package exchange

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what passes the two doors.
type Metrics struct {
	objects  *prometheus.CounterVec
	seconds  prometheus.Histogram
	served   prometheus.Counter
	released prometheus.Counter
}

func newMetrics() Metrics {
	return Metrics{
		objects: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "entente_exchange_objects_total",
			Help: "Objects handed in, by what became of them."}, []string{"state"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "entente_exchange_accept_seconds",
			Help: "Time from a submission's arrival until it is durable.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}),
		served: prometheus.NewCounter(prometheus.CounterOpts{Name: "entente_exchange_served_total", Help: "Records handed out."}),
		released: prometheus.NewCounter(prometheus.CounterOpts{Name: "entente_exchange_released_total",
			Help: "Records let out of quarantine."}),
	}
}

// Collectors are the exchange's metrics, for the node to register.
func (x *Exchange) Collectors() []prometheus.Collector {
	return []prometheus.Collector{x.metrics.objects, x.metrics.seconds, x.metrics.served, x.metrics.released}
}

func (m *Metrics) accepted(outcomes []Outcome, started time.Time) {
	counts := map[State]int{}
	for i := range outcomes {
		counts[outcomes[i].State]++
	}
	for state, n := range counts {
		m.objects.WithLabelValues(string(state)).Add(float64(n))
	}
	m.seconds.Observe(time.Since(started).Seconds())
}

func (m *Metrics) read(n int) { m.served.Add(float64(n)) }
