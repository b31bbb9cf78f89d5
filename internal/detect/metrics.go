package detect

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	zs "zombiezen.com/go/sqlite"

	"entente/internal/lite"
)

// metrics counts what detection does.
type metrics struct {
	changes, reports, again, strange, sightings, versions, failed, forgotten prometheus.Counter
	unknown                                                                  time.Duration // of which it is not known what sensors reported
	standing                                                                 standing
}

func newMetrics(r *Room) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &metrics{
		changes:   counter("entente_detection_changes_total", "Changes of what sensors look for."),
		reports:   counter("entente_detection_reports_total", "Reports of sensors that were new or larger than before."),
		again:     counter("entente_detection_reports_again_total", "Reports of sensors that were known already."),
		strange:   counter("entente_detection_reports_strange_total", "Reports of sensors that name nothing that they were given."),
		sightings: counter("entente_detection_sightings_total", "Sightings made of reports."),
		versions:  counter("entente_detection_sighting_versions_total", "Versions of sightings made of reports."),
		failed:    counter("entente_detection_failures_total", "Failures to follow the journal or to say what was met."),
		forgotten: counter("entente_detection_reports_forgotten_total", "Reports that are not known again because there were too many."),
		standing:  standing{r},
	}
}

// Collectors are the metrics, for the node to register.
func (r *Room) Collectors() []prometheus.Collector {
	m := r.metrics
	return []prometheus.Collector{m.changes, m.reports, m.again, m.strange, m.sightings, m.versions, m.failed, m.forgotten, m.standing}
}

var (
	aboutSensors = prometheus.NewDesc("entente_detection_sensors", "Sensors that are enrolled, by whether they say how they are.", []string{"state"}, nil)
	aboutSources = prometheus.NewDesc("entente_detection_sources", "Sources that sensors look for, of all organisations.", nil, nil)
	aboutLeft    = prometheus.NewDesc("entente_detection_left", "Values and sources that are not looked for, by reason.", []string{"code"}, nil)
	aboutWaiting = prometheus.NewDesc("entente_detection_sums_waiting", "Sums that are not in their sightings yet.", nil, nil)
	aboutUnknown = prometheus.NewDesc("entente_detection_unknown_seconds", "Time between backups and the restores from them, of which it is not known what sensors reported, in the last report_days.", nil, nil)
	aboutDropped = prometheus.NewDesc("entente_sensor_dropped_total", "Events that the inputs of a sensor lost since it started, and reports that found no room.", []string{"sensor", "what"}, nil)
	aboutLag     = prometheus.NewDesc("entente_sensor_lag", "What waits at an input of a sensor: bytes of files, messages of streams.", []string{"sensor", "input"}, nil)
)

// standing is what is there when somebody asks.
type standing struct{ r *Room }

func (s standing) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{aboutSensors, aboutSources, aboutLeft, aboutWaiting, aboutUnknown, aboutDropped, aboutLag} {
		out <- d
	}
}

func (s standing) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, labels...)
	}
	var well, silent float64
	now := s.r.o.Now()
	for _, x := range s.r.sensors.all() {
		if !x.Revoked.IsZero() {
			continue
		}
		at, h, err := s.r.told.health(x.ID)
		if err != nil {
			continue
		}
		if now.Sub(at) >= s.r.o.Config.silent() {
			silent++
		} else {
			well++
		}
		var dropped, unread float64
		for i := range h.Inputs {
			in := &h.Inputs[i]
			dropped, unread = dropped+float64(in.Dropped), unread+float64(in.Unread)
			if in.Lag >= 0 && i < 20 {
				gauge(aboutLag, float64(in.Lag), x.Name, in.Name)
			}
		}
		for _, c := range []struct {
			what string
			n    float64
		}{{"events", dropped}, {"unread", unread}, {"reports", float64(h.Refused)}} {
			out <- prometheus.MustNewConstMetric(aboutDropped, prometheus.CounterValue, c.n, x.Name, c.what)
		}
	}
	gauge(aboutSensors, well, "well")
	gauge(aboutSensors, silent, "silent")
	gauge(aboutUnknown, s.r.metrics.unknown.Seconds())
	_ = s.r.looked.read(func(c *zs.Conn) error {
		n, err := lite.Number(c, "SELECT sum(sources + ruled) FROM party WHERE ended = 0")
		if err != nil {
			return err
		}
		gauge(aboutSources, float64(n))
		return lite.Exec(c, "SELECT code, sum(n) FROM leftsum GROUP BY code", func(st *zs.Stmt) error {
			gauge(aboutLeft, float64(st.ColumnInt64(1)), st.ColumnText(0))
			return nil
		})
	})
	_ = s.r.told.read(func(c *zs.Conn) error {
		n, err := lite.Number(c, "SELECT count(*) FROM sum WHERE dirty = 1")
		if err == nil {
			gauge(aboutWaiting, float64(n))
		}
		return err
	})
}
