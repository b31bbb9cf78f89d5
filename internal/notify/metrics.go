package notify

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"entente/internal/store"
)

type metrics struct {
	raised    *prometheus.CounterVec
	drafted   *prometheus.CounterVec
	delivered *prometheus.CounterVec
	dropped   prometheus.Counter
	behind    prometheus.Gauge
}

func newMetrics() metrics {
	return metrics{
		raised:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "entente_notify_alerts_total", Help: "Alerts that were raised, by severity."}, []string{"severity"}),
		drafted: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "entente_notify_drafts_total", Help: "Notifications that were drafted, by their first state."}, []string{"state"}),
		delivered: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "entente_notify_deliveries_total",
			Help: "Attempts to deliver notifications, by channel and by how they ended: sent, deferred or failed."}, []string{"channel", "result"}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "entente_notify_dropped_total", Help: "Alerts and drafts that were only counted, because there were too many."}),
		behind:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "entente_notify_behind_seconds", Help: "Age of the oldest entry of the journal that has not been looked at."}),
	}
}

// Collectors are the metrics, for the node to register.
func (d *Desk) Collectors() []prometheus.Collector {
	m := &d.metrics
	return []prometheus.Collector{m.raised, m.drafted, m.delivered, m.dropped, m.behind}
}

// note tells how far the desk is behind.
func (m *metrics) note(waiting []store.Entry, now time.Time) {
	behind := 0.0
	if len(waiting) > 0 {
		behind = max(now.Sub(waiting[0].Seq.Time()).Seconds(), 0)
	}
	m.behind.Set(behind)
}
