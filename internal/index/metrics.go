package index

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	behind  prometheus.Gauge
	records prometheus.Gauge
	entries prometheus.Counter
	commits prometheus.Histogram
	queries *prometheus.HistogramVec
}

func newMetrics() metrics {
	return metrics{
		behind: prometheus.NewGauge(prometheus.GaugeOpts{Name: "entente_index_lag_seconds",
			Help: "Age of the oldest journal entry that is not indexed."}),
		records: prometheus.NewGauge(prometheus.GaugeOpts{Name: "entente_index_records", Help: "Records that can be found."}),
		entries: prometheus.NewCounter(prometheus.CounterOpts{Name: "entente_index_entries_total", Help: "Journal entries indexed."}),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "entente_index_commit_seconds",
			Help: "Time to index one batch of entries.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}),
		queries: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "entente_index_query_seconds",
			Help: "Time to answer, by what was asked.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12)}, []string{"kind"}),
	}
}

// Collectors are the index's metrics, for the node to register.
func (x *Index) Collectors() []prometheus.Collector {
	m := &x.metrics
	return []prometheus.Collector{m.behind, m.records, m.entries, m.commits, m.queries}
}

func (m *metrics) query(kind string, began time.Time) {
	m.queries.WithLabelValues(kind).Observe(time.Since(began).Seconds())
}
