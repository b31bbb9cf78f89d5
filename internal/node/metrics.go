package node

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"entente/internal/store"
)

// storeCollector reads the store's figures when it is asked for them.
type storeCollector struct{ store store.Store }

var (
	recordsDesc     = prometheus.NewDesc("entente_store_records", "Records stored.", nil, nil)
	heldDesc        = prometheus.NewDesc("entente_store_held", "Records in quarantine.", nil, nil)
	labelsDesc      = prometheus.NewDesc("entente_store_labels", "Different labels in use.", nil, nil)
	bytesDesc       = prometheus.NewDesc("entente_store_bytes", "Bytes of the store's files.", nil, nil)
	collectionsDesc = prometheus.NewDesc("entente_store_placements", "Records by collection.", []string{"collection"}, nil)
)

func (c storeCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{recordsDesc, heldDesc, labelsDesc, bytesDesc, collectionsDesc} {
		out <- d
	}
}

func (c storeCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s, err := c.store.Stats(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(recordsDesc, err)
		return
	}
	gauge := func(d *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	gauge(recordsDesc, s.Records)
	gauge(heldDesc, s.Held)
	gauge(labelsDesc, s.Labels)
	gauge(bytesDesc, s.Bytes)
	for name, n := range s.Collections {
		gauge(collectionsDesc, n, name)
	}
}
