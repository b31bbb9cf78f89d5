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

// allianceCollector reads how the links to partners are when it is asked for it.
type allianceCollector struct{ n *Node }

var (
	linkDesc    = prometheus.NewDesc("entente_federation_up", "1 while the link to a partner's node works.", []string{"nation"}, nil)
	alarmsDesc  = prometheus.NewDesc("entente_federation_alarms", "What a person must look at, by kind.", []string{"nation", "kind"}, nil)
	proofsDesc  = prometheus.NewDesc("entente_federation_proofs", "Proofs against a partner that are not settled.", []string{"nation"}, nil)
	behindDesc  = prometheus.NewDesc("entente_federation_behind_seconds", "For how long others have had more of a partner's logs than came here.", []string{"nation"}, nil)
	staleDesc   = prometheus.NewDesc("entente_federation_stale_seconds", "Age of the oldest signature under a partner's logs, once it is an alarm.", []string{"nation"}, nil)
	offsetDesc  = prometheus.NewDesc("entente_federation_clock_offset_seconds", "By how much a partner's clock is ahead.", []string{"nation"}, nil)
	refusedDesc = prometheus.NewDesc("entente_federation_refused_total", "Records and orders of a partner that were refused since the node started.", []string{"nation"}, nil)
)

func (c allianceCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{linkDesc, alarmsDesc, proofsDesc, behindDesc, staleDesc, offsetDesc, refusedDesc} {
		out <- d
	}
}

func (c allianceCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if c.n.federation == nil {
		return
	}
	links, err := c.n.federation.Links(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(linkDesc, err)
		return
	}
	now := c.n.cfg.Now()
	since := func(t time.Time) float64 {
		if t.IsZero() {
			return 0
		}
		return now.Sub(t).Seconds()
	}
	for i := range links {
		h := &links[i]
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{h.Nation}, labels...)...)
		}
		kinds, proofs := map[string]int{}, 0
		for _, a := range h.Alarms {
			kinds[a.Kind]++
			if a.Proof != "" {
				proofs++
			}
		}
		for kind, n := range kinds {
			gauge(alarmsDesc, float64(n), kind)
		}
		up := 0.0
		if h.Up {
			up = 1
		}
		gauge(linkDesc, up)
		gauge(proofsDesc, float64(proofs))
		gauge(behindDesc, since(h.Behind))
		gauge(staleDesc, since(h.Stale))
		gauge(offsetDesc, float64(h.Ahead))
		out <- prometheus.MustNewConstMetric(refusedDesc, prometheus.CounterValue, float64(h.Refused), h.Nation)
	}
}
