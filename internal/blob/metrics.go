package blob

import "github.com/prometheus/client_golang/prometheus"

// Collectors are the metrics of the blobs, for the node to register.
func (s *Store) Collectors() []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "entente_blob_files", Help: "Blobs that are kept."},
			func() float64 { n, _ := s.Usage(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "entente_blob_bytes", Help: "Bytes of all blobs, as they were sent."},
			func() float64 { _, n := s.Usage(); return float64(n) }),
	}
}
