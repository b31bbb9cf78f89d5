package faulttest

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"entente/internal/detect"
	"entente/internal/surface/api"
	"entente/internal/testnode"
	"entente/sensor"
)

const sensorConfig = `
[detect]
renew_seconds = 1
`

// beside is a sensor as the program enrols it, whose reports a test makes up.
type beside struct {
	t    *testing.T
	n    *testnode.Node
	dir  string
	http *http.Client
	most map[string]sensor.Report // by id, as large as each was ever given
	took map[string]sensor.Report // the same, of what the node has acknowledged
	rnd  *rand.Rand
	mu   sync.Mutex
}

// watched are the indicators that it may meet.
const watched = 6

func watchedID(i int) string { return fmt.Sprintf("indicator--00000000-0000-4000-8000-%012d", i) }

func enrolled(t *testing.T, n *testnode.Node) *beside {
	t.Helper()
	s := &beside{t: t, n: n, dir: filepath.Join(t.TempDir(), "sensor"), most: map[string]sensor.Report{}, took: map[string]sensor.Report{}, rnd: rand.New(rand.NewPCG(17, uint64(time.Now().UnixNano())))}
	var b strings.Builder
	for i := range watched {
		fmt.Fprintf(&b, watchedIndicator+"\n", watchedID(i), fmt.Sprintf("198.51.100.%d", i+1))
	}
	if got := must((&rooms{n: n}).local().Import(t.Context(), strings.NewReader(b.String()), nil, func(api.Event) {}))(t); got.Added != watched {
		t.Fatalf("%+v", got)
	}
	s.enrol()
	return s
}

// enrol has the node vouch for the sensor, again where it did before.
func (s *beside) enrol() {
	s.t.Helper()
	var c detect.NewCode
	s.read(must(s.n.Run(s.t.Context(), "sensor", "add", "--data", s.n.Data, "--json", "edge"))(s.t), &c)
	must(s.n.Run(s.t.Context(), "sensor", "enrol", "--again", "--data", s.dir, s.n.URL, c.Code))(s.t)
	var me sensor.Enrolled
	b := must(os.ReadFile(filepath.Join(s.dir, "enrolled.json")))(s.t)
	s.read(b, &me)
	s.as(&me)
}

// request asks for another certificate, with the key that it has.
func (s *beside) request() string {
	s.t.Helper()
	block, _ := pem.Decode(must(os.ReadFile(filepath.Join(s.dir, "key.pem")))(s.t))
	key := must(x509.ParsePKCS8PrivateKey(block.Bytes))(s.t)
	der := must(x509.CreateCertificateRequest(crand.Reader, &x509.CertificateRequest{}, key))(s.t)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// as comes with a certificate from now on.
func (s *beside) as(me *sensor.Enrolled) {
	s.t.Helper()
	pair := must(tls.X509KeyPair([]byte(me.Certificate), must(os.ReadFile(filepath.Join(s.dir, "key.pem")))(s.t)))(s.t)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(me.Authority))
	s.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}}}
	s.t.Cleanup(s.http.CloseIdleConnections)
}

func (s *beside) read(b []byte, v any) {
	s.t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		s.t.Fatalf("%v: %.200s", err, b)
	}
}

// ask sends a request; 0 is no answer.
func (s *beside) ask(ctx context.Context, method, path string, body any) (int, []byte) {
	b, err := json.Marshal(body)
	if err != nil {
		return 0, nil
	}
	r, err := http.NewRequestWithContext(ctx, method, s.n.URL+path, bytes.NewReader(b))
	if err != nil {
		return 0, nil
	}
	res, err := s.http.Do(r)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	if b, err = io.ReadAll(res.Body); err != nil {
		return 0, nil
	}
	return res.StatusCode, b
}

// some are reports of stretches of telemetry that are new, or were told of and grew, or are told again as they were.
func (s *beside) some(n int) (out []sensor.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		i := s.rnd.IntN(watched)
		source, value := watchedID(i), fmt.Sprintf("198.51.100.%d", i+1)
		q := sensor.Report{ID: sensor.ReportID(fmt.Sprint(s.rnd.IntN(5000)), source, "ipv4", value), Source: source, Kind: "ipv4", Value: value, Input: "eve", Count: 1 + s.rnd.Int64N(9)}
		if was, ok := s.most[q.ID]; ok {
			q.First, q.Last = was.First, was.Last
			if s.rnd.IntN(3) == 0 {
				q.Count = was.Count
			}
		} else {
			q.First = time.Now().UTC().Add(-time.Duration(s.rnd.IntN(20*24)) * time.Hour).Truncate(time.Second)
			q.Last = q.First.Add(time.Minute)
		}
		if q.Count > s.most[q.ID].Count {
			s.most[q.ID] = q
		}
		out = append(out, q)
	}
	return out
}

// report gives reports until the context ends.
func (s *beside) report(ctx context.Context) error {
	for ctx.Err() == nil {
		some := s.some(1 + s.rnd.IntN(50))
		status, b := s.ask(ctx, http.MethodPost, sensor.PathReports, some)
		if status == http.StatusOK {
			s.mu.Lock()
			for _, q := range some {
				if q.Count > s.took[q.ID].Count {
					s.took[q.ID] = q
				}
			}
			s.mu.Unlock()
		}
		if status != 0 && status != http.StatusOK && status != http.StatusServiceUnavailable {
			return fmt.Errorf("reports are answered with %d: %.300s", status, b)
		}
	}
	return nil
}

// again gives everything once more, as large as it ever was, and says how much of it the node did not know.
func (s *beside) again() (taken int) { return s.give(s.most) }

// give gives some of it once more.
func (s *beside) give(some map[string]sensor.Report) (taken int) {
	s.t.Helper()
	all := slices.Collect(maps.Values(some))
	for len(all) > 0 {
		part := all[:min(len(all), sensor.MaxReports)]
		all = all[len(part):]
		status, b := s.ask(s.t.Context(), http.MethodPost, sensor.PathReports, part)
		if status != http.StatusOK {
			s.t.Fatalf("%d: %s", status, b)
		}
		var got sensor.Taken
		s.read(b, &got)
		taken += got.Taken
	}
	return taken
}

// said waits until the sightings in the store say of every indicator exactly what was reported of it.
func (s *beside) said() {
	s.t.Helper()
	want := map[string]int64{}
	for _, q := range s.most {
		want[q.Source] += q.Count
	}
	c := (&rooms{n: s.n}).local()
	var met, seen map[string]int64
	for over := time.Now().Add(3 * time.Minute); time.Now().Before(over); time.Sleep(200 * time.Millisecond) {
		met, seen = map[string]int64{}, map[string]int64{}
		err := c.Detections(s.t.Context(), nil, func(d detect.Detection) error { met[d.Source] += d.Count; return nil })
		if err == nil {
			err = c.Search(s.t.Context(), url.Values{"type": {"sighting"}}, func(o api.Object) error {
				var x struct {
					Of    string `json:"sighting_of_ref"`
					Count int64  `json:"count"`
				}
				s.read(o.Object, &x)
				seen[x.Of] += x.Count
				return nil
			})
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if !maps.Equal(met, want) {
			break // it is durable when it is taken
		}
		if maps.Equal(seen, want) {
			return
		}
	}
	s.t.Fatalf("reported was %v, the sums are %v and the sightings %v", want, met, seen)
}

// TestANodeThatIsKilledCountsReportsOnce kills the node while a sensor reports and sightings are made. Whatever is given again, in whatever order, everything counts once.
func TestANodeThatIsKilledCountsReportsOnce(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	n := served(t, sensorConfig)
	s := enrolled(t, n)
	for range rounds {
		ctx, stop := context.WithCancel(t.Context())
		var work sync.WaitGroup
		var failed error
		wait := time.Duration(200+s.rnd.IntN(1500)) * time.Millisecond
		work.Go(func() { failed = s.report(ctx) })
		time.Sleep(wait)
		n.Kill()
		stop()
		if work.Wait(); failed != nil {
			t.Fatal(failed)
		}
		start(t, n)
	}
	s.again()
	if more := s.again(); more != 0 {
		t.Errorf("%d reports counted again", more)
	}
	s.said()
}

// TestWhatSensorsReportedIsInABackup takes a backup while a sensor reports, goes on, and restores it: the sensor is known, what it gives again counts once, mutes stay, and the node says of what time
// it knows nothing.
func TestWhatSensorsReportedIsInABackup(t *testing.T) {
	n := served(t, sensorConfig)
	s := enrolled(t, n)
	muted := watchedID(0)
	must(n.Run(t.Context(), "sensor", "mute", "--data", n.Data, "--why", "our own scanner", muted))(t)
	ctx, stop := context.WithCancel(t.Context())
	var work sync.WaitGroup
	var failed error
	work.Go(func() { failed = s.report(ctx) })
	time.Sleep(time.Second)
	known := s.taken("something", func(took map[string]sensor.Report) bool { return len(took) > 0 })
	file := filepath.Join(t.TempDir(), "backup")
	must(n.Run(t.Context(), "backup", "--data", n.Data, file))(t)
	then := s.taken("", nil)
	s.taken("more than was known after the backup", func(took map[string]sensor.Report) bool { return !maps.EqualFunc(took, then, same) })
	stop()
	if work.Wait(); failed != nil {
		t.Fatal(failed)
	}
	var renewed sensor.Enrolled // the certificate that it has from now on is in no backup
	status, b := s.ask(t.Context(), http.MethodPost, sensor.PathRenew, sensor.Request{CSR: s.request()})
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, b)
	}
	s.read(b, &renewed)
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	n.Data = filepath.Join(t.TempDir(), "restored")
	must(n.Run(t.Context(), "restore", file, "--data", n.Data))(t)
	start(t, n)

	status, b = s.ask(t.Context(), http.MethodGet, sensor.PathState, nil)
	var st sensor.State
	if s.read(b, &st); status != http.StatusOK || len(st.Muted) != 1 || st.Muted[0] != muted {
		t.Fatalf("with the certificate of before the backup: %d %s", status, b)
	}
	if taken := s.give(known); taken != 0 {
		t.Errorf("of %d reports that were acknowledged before the backup %d are not in it", len(known), taken)
	}
	if taken := s.again(); taken == 0 {
		t.Errorf("the backup knows what was told after it: all of %d reports", len(s.most))
	}
	s.said()

	s.as(&renewed)
	if status, _ = s.ask(t.Context(), http.MethodGet, sensor.PathState, nil); status == http.StatusOK {
		t.Fatal("the node knows a certificate that it made after the backup")
	}
	must(n.Run(t.Context(), "sensor", "revoke", "--data", n.Data, "edge"))(t)
	s.enrol()
	if taken := s.again(); taken != 0 {
		t.Errorf("vouched for anew, %d reports counted again", taken)
	}
	log := must(os.ReadFile(n.Log))(t)
	if !strings.Contains(string(log), "the node was restored: what sensors reported between") {
		t.Error("the node does not say what it does not know")
	}
}

// same tells whether a report has not grown.
func same(a, b sensor.Report) bool { return a.Count == b.Count }

// taken waits until what the node has acknowledged is as it should be, and returns it as it is then.
func (s *beside) taken(what string, ok func(map[string]sensor.Report) bool) map[string]sensor.Report {
	s.t.Helper()
	return eventually(s.t, func() (map[string]sensor.Report, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if ok != nil && !ok(s.took) {
			return nil, fmt.Errorf("the node does not acknowledge %s", what)
		}
		return maps.Clone(s.took), nil
	})
}
