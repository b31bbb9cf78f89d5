package feed

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	runs    *prometheus.CounterVec
	objects *prometheus.CounterVec
	seconds *prometheus.GaugeVec
	success *prometheus.GaugeVec
}

func newMetrics() metrics {
	return metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "entente_feed_runs_total", Help: "Runs of feeds, by how they ended."}, []string{"feed", "result"}),
		objects: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "entente_feed_objects_total", Help: "What feeds brought, by what became of it."},
			[]string{"feed", "state"}),
		seconds: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "entente_feed_run_seconds", Help: "How long the last run took."}, []string{"feed"}),
		success: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "entente_feed_success_timestamp_seconds", Help: "When a run last succeeded, since 1970."}, []string{"feed"}),
	}
}

// Collectors are the metrics, for the node to register.
func (f *Feeds) Collectors() []prometheus.Collector {
	m := &f.metrics
	return []prometheus.Collector{m.runs, m.objects, m.seconds, m.success}
}

func (m *metrics) ran(name string, r *Report) {
	m.runs.WithLabelValues(name, string(r.Result)).Inc()
	for _, c := range []struct {
		state string
		n     int64
	}{{"added", r.Counts.Added}, {"present", r.Counts.Present}, {"held", r.Counts.Held}, {"refused", r.Counts.Refused}, {"different", r.Counts.Different},
		{"dropped", r.Counts.Dropped}, {"pushed", r.Counts.Pushed}, {"listed", r.Counts.Listed}} {
		m.objects.WithLabelValues(name, c.state).Add(float64(c.n))
	}
	m.seconds.WithLabelValues(name).Set(r.Ended.Sub(r.Started).Seconds())
	if r.Result != Failed {
		m.success.WithLabelValues(name).Set(float64(r.Ended.Unix()))
	}
}
