package evtx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Velocidex/ordereddict"
	peer "www.velocidex.com/golang/evtx"

	"entente/internal/shareddata"
)

func logs(t testing.TB) (files []string) {
	t.Helper()
	dir := shareddata.Dir(t, "forensics", "evtx")
	for _, p := range []string{"*.evtx", "attack/*.evtx"} {
		m, err := filepath.Glob(filepath.Join(dir, p))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, m...)
	}
	return files
}

// read gives the lines of a log.
func read(t testing.TB, b []byte) (lines []map[string]any, c Counts) {
	t.Helper()
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for {
		line, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines, r.Counts
		}
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(line))
		d.UseNumber()
		var m map[string]any
		if err := d.Decode(&m); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		lines = append(lines, m)
	}
}

// texts writes a value so that the forms in which readers give numbers, times and identifiers compare.
func texts(v any) (out []string) {
	switch v := v.(type) {
	case nil:
	case []any:
		for _, x := range v {
			out = append(out, texts(x)...)
		}
	case []string:
		return v
	case *ordereddict.Dict:
		x, _ := v.Get("Value")
		return texts(x)
	case []byte:
		out = append(out, fmt.Sprintf("%X", v))
	default:
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// Every value that another reader finds stands in the line too.
func TestAgainstAnotherReader(t *testing.T) {
	if testing.Short() {
		t.Skip("the other reader is slow")
	}
	total, values, odd := 0, 0, uint64(0)
	for _, name := range logs(t) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		mine, counts := read(t, b)
		byID := map[string]map[string]any{}
		for _, m := range mine {
			byID[fmt.Sprint(m["EventRecordID"])] = m
		}
		chunks, err := peer.GetChunks(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		theirs := 0
		for _, c := range chunks {
			records, err := c.Parse(0)
			if err != nil {
				t.Log(name, err)
			}
			for _, rec := range records {
				theirs++
				root, _ := rec.Event.(*ordereddict.Dict)
				v, ok := root.Get("Event")
				e, isDict := v.(*ordereddict.Dict)
				if !ok || !isDict {
					continue
				}
				id, _ := dig(e, "System", "EventRecordID")
				m := byID[fmt.Sprint(id)]
				if m == nil && id == nil { // it reads damaged ones as empty
					continue
				}
				if m == nil {
					t.Errorf("%s: record %v is missing", filepath.Base(name), id)
					continue
				}
				data, _ := e.Get("EventData")
				members := map[string]any{}
				if d, ok := data.(*ordereddict.Dict); ok {
					for _, k := range d.Keys() {
						members[k], _ = d.Get(k)
					}
				}
				for k, path := range map[string][]string{"Channel": {"Channel"}, "Computer": {"Computer"}, "EventID": {"EventID", "Value"}, "Provider_Name": {"Provider", "Name"}} {
					members[k], _ = dig(e, append([]string{"System"}, path...)...)
				}
				for k, want := range members {
					if _, named := want.(*ordereddict.Dict); named && k == "Data" || k == "Name" { // a single one, with its name
						continue
					}
					got := texts(m[strings.ReplaceAll(k, " ", "")])
					for _, w := range texts(want) {
						values++
						if !among(got, w) && strings.TrimSpace(w) != "" && !unread(w) && total < 20 {
							total++
							t.Errorf("%s record %v (%v): %s is %q, want %q", filepath.Base(name), id, m["EventID"], k, got, w)
						}
					}
				}
			}
		}
		if theirs > len(mine) || counts.Damaged > 0 || counts.Chunks > 0 {
			t.Logf("%s: %d records, the other has %d; %+v", filepath.Base(name), len(mine), theirs, counts)
			odd += counts.Damaged + counts.Chunks
		}
		if theirs > len(mine) {
			t.Errorf("%s: %d records, the other has %d", filepath.Base(name), len(mine), theirs)
		}
	}
	if values < 90_000 || odd != 15 {
		t.Errorf("%d values compared, %d things could not be read; want 15, in a log that was damaged on purpose", values, odd)
	}
}

// unread says that the other reader gives bytes as they are, as it does with numbers of the size of a pointer.
func unread(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == '\ufffd' }) || len(s) <= 2
}

func dig(d *ordereddict.Dict, path ...string) (any, bool) {
	for i, p := range path {
		v, ok := d.Get(p)
		if !ok {
			return nil, false
		}
		if i == len(path)-1 {
			return v, true
		}
		inner, ok := v.(*ordereddict.Dict)
		if !ok {
			return v, true
		}
		d = inner
	}
	return nil, false
}

func among(got []string, want string) bool {
	for _, g := range got {
		if g == want || strings.Trim(g, "{}") == want {
			return true
		}
		if at, err := time.Parse(time.RFC3339Nano, g); err == nil {
			if f, err := strconv.ParseFloat(want, 64); err == nil && math.Abs(f-float64(at.UnixMicro())/1e6) < 0.001 {
				return true
			}
		}
		var x, y uint64
		if _, err := fmt.Sscanf(g, "0x%x", &x); err == nil {
			if _, err := fmt.Sscan(want, &y); err == nil && x == y {
				return true
			}
		}
	}
	return false
}

// A log whose bytes are changed, cut off or repeated gives what can be read, and never more than it has.
func FuzzReader(f *testing.F) {
	for _, name := range logs(f) {
		if b, err := os.ReadFile(name); err != nil {
			f.Fatal(err)
		} else if len(b) <= headerSize+2*chunkSize {
			f.Add(b, uint16(len(b)/3), uint16(7))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, at, step uint16) {
		if len(b) > headerSize+4*chunkSize {
			t.Skip()
		}
		for i := headerSize + int(at); i < len(b) && step > 0; i += 50 * int(step) {
			b[i] ^= byte(i)
		}
		r, err := NewReader(bytes.NewReader(b))
		if err != nil {
			var mine *Error
			if !errors.As(err, &mine) {
				t.Fatal(err)
			}
			return
		}
		for n := 0; ; n++ {
			line, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || !json.Valid(line) || len(line) > maxLine+1000 || n > len(b)/recordHead {
				t.Fatalf("%v %d %.300s", err, n, line)
			}
		}
	})
}

// What is no log, and what is one of another version, is refused.
func TestNoLog(t *testing.T) {
	for _, in := range []string{"", "ElfFile", "MZ" + strings.Repeat("x", 5000), Magic + strings.Repeat("\x09", 5000)} {
		var mine *Error
		if _, err := NewReader(strings.NewReader(in)); !errors.As(err, &mine) {
			t.Errorf("%.10q: %v", in, err)
		}
	}
	b := []byte(Magic + strings.Repeat("\x00", headerSize-8))
	b[38] = 3
	if lines, c := read(t, b); len(lines) != 0 || c != (Counts{}) {
		t.Error("an empty log", lines, c)
	}
	b[42] = 1
	if _, c := read(t, append(b, make([]byte, chunkSize)...)); c.Chunks != 1 {
		t.Error("a chunk that is not there is counted", c)
	}
}

// Read gives the same as Next, in whatever portions.
func TestLines(t *testing.T) {
	b, err := os.ReadFile(logs(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var want []byte
	for {
		line, err := r.Next()
		if err != nil {
			break
		}
		want = append(append(want, line...), '\n')
	}
	for _, size := range []int{1, 100, 1 << 20} {
		r, err := NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for p := make([]byte, size); ; {
			n, err := r.Read(p)
			got = append(got, p[:n]...)
			if err != nil {
				break
			}
		}
		if !bytes.Equal(got, want) || len(want) == 0 {
			t.Errorf("%d bytes, want %d", len(got), len(want))
		}
	}
}

func BenchmarkReader(b *testing.B) {
	var all [][]byte
	size := 0
	for _, name := range logs(b) {
		text, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, text)
		size += len(text)
	}
	b.SetBytes(int64(size))
	records := 0
	for b.Loop() {
		for _, text := range all {
			r, err := NewReader(bytes.NewReader(text))
			if err != nil {
				b.Fatal(err)
			}
			for {
				if _, err := r.Next(); err != nil {
					break
				}
				records++
			}
		}
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}
