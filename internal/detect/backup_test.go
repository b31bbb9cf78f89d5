package detect

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"entente/internal/fault"
	"entente/internal/record"
	"entente/internal/store"
	"entente/sensor"
)

// reported is one source, a sensor, and reports of stretches of its telemetry.
type reported struct {
	t *testing.T
	h *house
	r *Room
	s *Sensor

	first time.Time // of all that is met
}

func reporting(t *testing.T) *reported {
	x := &reported{t: t, h: newHouse()}
	x.first = x.h.now
	x.r = open(t, t.TempDir(), x.h)
	x.s = enrol(t, x.r, "edge")
	x.h.put("indicator--a", "[ipv4-addr:value = '198.51.100.7']", "")
	work(t, x.r)
	return x
}

func (x *reported) report(block string, count int64) (taken int) {
	x.t.Helper()
	q := sensor.Report{ID: sensor.ReportID(block, "indicator--a", "", ""), Source: "indicator--a", First: x.first, Last: x.first, Count: count}
	got, err := x.r.Take(x.t.Context(), x.s, []sensor.Report{q})
	if err != nil {
		x.t.Fatal(err)
	}
	return got.Taken
}

// says lets an hour pass and holds the sighting in the store to a count.
func (x *reported) says(count int64) {
	x.t.Helper()
	x.h.now = x.h.now.Add(time.Hour)
	if _, err := x.r.say(x.t.Context()); err != nil {
		x.t.Fatal(err)
	}
	x.holds(count)
}

func (x *reported) holds(count int64) {
	x.t.Helper()
	for _, it := range x.h.said {
		var o sightingObject
		if err := json.Unmarshal(it.Record.Body, &o); err != nil || o.Count != count || len(x.h.said) != 1 {
			x.t.Fatalf("%d sightings, one says %d and not %d: %v", len(x.h.said), o.Count, count, err)
		}
	}
	if len(x.h.said) == 0 && count > 0 {
		x.t.Fatal("there is no sighting")
	}
}

func (x *reported) backup() []byte {
	x.t.Helper()
	var b bytes.Buffer
	if err := x.r.Backup(x.t.Context(), &b); err != nil {
		x.t.Fatal(err)
	}
	return b.Bytes()
}

// restore goes on from a backup with the store as it is.
func (x *reported) restore(b []byte, copied time.Time) {
	x.t.Helper()
	dir := x.t.TempDir()
	if err := Restore(x.t.Context(), bytes.NewReader(b), dir, copied); err != nil {
		x.t.Fatal(err)
	}
	x.r.Close()
	x.r = open(x.t, dir, x.h)
	work(x.t, x.r)
}

// A node that ends between storing a sighting and noting it does not say it twice, whether it is the first of its sum or not.
func TestASightingThatWasNotNotedIsSaidOnce(t *testing.T) {
	x := reporting(t)
	dir := x.r.o.Dir
	for i, block := range []string{"1", "2"} {
		x.report(block, 5)
		x.h.killed = func() { x.r.told.close() }
		x.h.now = x.h.now.Add(time.Hour)
		if _, err := x.r.say(t.Context()); err == nil {
			t.Fatal("it was not killed")
		}
		x.holds(int64(5 + 5*i))
		x.r.Close()
		x.r = open(t, dir, x.h)
		x.says(int64(5 + 5*i))
	}
	x.report("3", 1)
	x.says(11)
}

// What is restored knows every report of before, goes on from what sightings said since, and says of what time it knows nothing.
func TestARestoreKnowsTheReports(t *testing.T) {
	x := reporting(t)
	x.report("1", 5)
	x.says(5)
	copied := x.h.now
	b := x.backup()
	x.report("2", 3)
	x.says(8)
	x.restore(b, copied)
	if got := x.r.metrics.unknown; got != time.Hour {
		t.Errorf("%v are not known", got)
	}
	if x.report("1", 5) != 0 {
		t.Error("a report of before the backup counts again")
	}
	x.says(8) // the store was copied later, and nobody takes back what was said
	x.report("3", 1)
	x.says(9)

	again := newHouse() // a store of before everything
	again.items, again.docs, again.seq, again.lines = x.h.items, x.h.docs, x.h.seq, x.h.lines
	x.h = again
	x.restore(b, copied)
	x.says(5)
	if x.report("2", 3) != 1 {
		t.Error("a report of after the backup is known")
	}
	x.says(8)
}

// What was reported and never noted because all of it was lost, goes on from its sighting.
func TestLostSumsGoOnFromTheirSightings(t *testing.T) {
	x := reporting(t)
	x.report("1", 5)
	x.says(5)
	x.h.now = x.h.now.Add(time.Second)
	x.r.Close()
	x.r = open(t, t.TempDir(), x.h)
	work(t, x.r)
	x.report("2", 2)
	x.says(7)
	x.report("2", 3)
	x.says(8)
}

// What was purged is in no backup that is made afterwards, and in nothing that is restored from one of before.
func TestWhatWasPurgedIsInNoBackup(t *testing.T) {
	x := reporting(t)
	x.report("1", 5)
	x.says(5)
	before := x.backup()
	rec := x.h.items["indicator--a"].Rec
	delete(x.h.items, "indicator--a")
	x.h.seq += 10
	x.h.lines = append(x.h.lines, store.Entry{Seq: x.h.seq, Kind: store.EntryPurge, Recs: []record.Seq{rec}})
	done := make(chan []byte)
	go func() {
		var b bytes.Buffer
		for fault.Of(x.r.Backup(t.Context(), &b)) == fault.Unavailable { // it is told to begin again when what was purged is forgotten too slowly
			b.Reset()
		}
		done <- b.Bytes()
	}()
	work(t, x.r)
	if b := <-done; len(b) == 0 || bytes.Contains(b, []byte("indicator--a")) {
		t.Errorf("%d bytes hold what was purged", len(b))
	}
	x.restore(before, x.h.now)
	x.r.told.read(truncateLog)
	b, err := os.ReadFile(filepath.Join(x.r.o.Dir, toldFile))
	if err != nil || bytes.Contains(b, []byte("indicator--a")) {
		t.Errorf("what was restored holds what was purged: %v", err)
	}
}

// Only a sound file is restored, and over nothing.
func TestOnlyASoundBackupIsRestored(t *testing.T) {
	x := reporting(t)
	x.report("1", 5)
	good := x.backup()
	cut, turned := good[:len(good)/2], bytes.Clone(good)
	for i := range 512 {
		turned[4096+i] ^= 0xff
	}
	for name, b := range map[string][]byte{"empty": {}, "cut off": cut, "turned": turned, "something else": []byte("what is this?")} {
		dir := t.TempDir()
		if err := Restore(t.Context(), bytes.NewReader(b), dir, x.h.now); fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: it left %v", name, left)
		}
	}
	if err := Restore(t.Context(), bytes.NewReader(good), x.r.o.Dir, x.h.now); fault.Of(err) != fault.Conflict {
		t.Errorf("over another: %v", err)
	}
}
