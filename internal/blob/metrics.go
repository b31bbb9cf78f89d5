package blob

import "github.com/prometheus/client_golang/prometheus"

// Collectors are the metrics of the blobs, for the node to register.
func (s *Store) Collectors() []prometheus.Collector {
	gauge := func(name, help string, read func() int64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(read()) })
	}
	return []prometheus.Collector{
		gauge("entente_blobs", "Blobs that are kept.", func() int64 { n, _ := s.Usage(); return n }),
		gauge("entente_blob_bytes", "Bytes of all blobs, as they were sent.", func() int64 { _, n := s.Usage(); return n }),
	}
}
