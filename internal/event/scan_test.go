package event

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"entente/internal/shareddata"
)

// flat reads a line by the standard library's tokens, which keep order and names that stand twice.
func flat(line []byte) (map[string][]string, error) {
	out := map[string][]string{}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var value func(path string) error
	value = func(path string) error {
		t, err := d.Token()
		if err != nil {
			return err
		}
		switch v := t.(type) {
		case json.Delim:
			if v == '{' || !d.More() {
				out[path] = append(out[path], "empty")
			}
			for d.More() {
				inner := path
				if v == '{' {
					name, err := d.Token()
					if err != nil {
						return err
					}
					inner += "\x00" + squeeze(name.(string))
				}
				if err := value(inner); err != nil {
					return err
				}
			}
			_, err = d.Token()
			return err
		case nil:
			out[path] = append(out[path], "null")
		case string:
			out[path] = append(out[path], "text "+v)
		case json.Number:
			out[path] = append(out[path], "number "+v.String())
		case bool:
			out[path] = append(out[path], fmt.Sprint("bool ", v))
		}
		return nil
	}
	return out, value("")
}

func show(v Value) string {
	switch v.Kind {
	case Null:
		return "null"
	case Text:
		return "text " + string(bytes.ToValidUTF8(v.Text, []byte("\uFFFD")))
	case Number:
		return "number " + string(v.Text)
	case Bool:
		return "bool " + string(v.Text)
	case Empty:
		return "empty"
	}
	return "missing"
}

// agrees compares what a plan for half of the fields finds with what the standard library reads.
func agrees(t *testing.T, line []byte) {
	t.Helper()
	want, err := flat(line)
	if err != nil {
		return
	}
	p := NewPlan()
	slots := map[string]int{}
	n := 0
	delete(want, "")
	for path := range want {
		if n++; n%3 != 0 && path != "" {
			slots[path] = p.Slot(strings.Split(path[1:], "\x00")...)
		}
	}
	missing := p.Slot("no such field")
	var e Event
	if err := p.Scan(line, &e); err != nil {
		t.Fatalf("%v\n%s", err, line)
	}
	if e.Get(missing).Kind != Missing {
		t.Error("there is what is not there")
	}
	var every, each []string
	e.Every(func(v Value) bool { every = append(every, show(v)); return true })
	for _, vs := range want {
		for _, v := range vs {
			if v != "empty" && v != "null" {
				each = append(each, v)
			}
		}
	}
	slices.Sort(every)
	slices.Sort(each)
	if !slices.Equal(every, each) {
		t.Fatalf("every value: %q, want %q", every, each)
	}
	for path, slot := range slots {
		var got []string
		for v := range e.All(slot) {
			got = append(got, show(v))
		}
		inner := false // where something inside is asked for, that an object is there is not said
		for other := range slots {
			inner = inner || strings.HasPrefix(other, path+"\x00")
		}
		if inner {
			want[path] = slices.DeleteFunc(want[path], func(v string) bool { return v == "empty" })
			got = slices.DeleteFunc(got, func(v string) bool { return v == "empty" })
		}
		if !slices.Equal(got, want[path]) {
			t.Fatalf("%q: %q, want %q\n%s", path, got, want[path], line)
		}
	}
}

func lines(t testing.TB, most int, path ...string) (out [][]byte) {
	f, err := os.Open(filepath.Join(append([]string{shareddata.Dir(t, "telemetry")}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	if strings.HasSuffix(f.Name(), ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		s = bufio.NewScanner(z)
	}
	s.Buffer(nil, 16<<20)
	for len(out) < most && s.Scan() {
		out = append(out, bytes.Clone(s.Bytes()))
	}
	if s.Err() != nil || len(out) == 0 {
		t.Fatal(s.Err(), len(out))
	}
	return out
}

// real are files of real events, in the shared data.
var real = map[string][]string{
	"windows": {"windows-mordor.ndjson.gz"}, "winlogbeat": {"windows-mordor-winlogbeat.ndjson.gz"}, "attack": {"evtx-attack.flat.ndjson.gz"},
	"zeek": {"zeek-json", "dns.json.gz"}, "zeek-ssl": {"zeek-json", "ssl.json.gz"}, "eve": {"eve", "frankhassanabad-alerts.ndjson"}, "surevego": {"eve", "surevego.eve.ndjson"},
}

func TestScanAgreesWithTheStandardLibrary(t *testing.T) {
	for name, path := range real {
		t.Run(name, func(t *testing.T) {
			for _, l := range lines(t, 3000, path...) {
				agrees(t, l)
			}
		})
	}
}

func TestScan(t *testing.T) {
	p := NewPlan()
	a, b, c := p.Slot("a"), p.Slot("b", "c"), p.Slot("Threat Name")
	p.Also(a, "o", "a")
	if p.Slot("a") != a || p.Slot("ThreatName") != c || p.Slots() != 3 {
		t.Fatal("a path has one slot")
	}
	for _, x := range []struct {
		line    string
		a, b, c string
	}{
		{`{}`, "", "", ""},
		{` { "a" : 1 , "b" : { "c" : [ 1 , "x" , null , true ] } } `, "number 1", "number 1|text x|null|bool true", ""},
		{`{"b":[{"c":1},{"d":2},{"c":[2,[3]]},4]}`, "", "number 1|number 2|number 3", ""},
		{`{"a":"x","o":{"a":"y"},"a":"z"}`, "text x|text y|text z", "", ""},
		{`{"ThreatName":"\u00e4\ud83d\ude00\\\n\"","Threat Name":2}`, "", "", "text ä😀\\\n\"|number 2"},
		{`{"\u0061":"\ud800x","b":{}}`, "text \uFFFDx", "", ""},
		{`{"x":{"a":[{"b":"}"}]},"a":{"a":1}}`, "empty", "", ""},
		{`{"a":[],"b":{"c":[]}}`, "empty", "empty", ""},
		{`{"a":"C:\\Windows\\cmd.exe","x":"\\"}`, `text C:\Windows\cmd.exe`, "", ""},
		{`{"a":-1.5e+3}`, "number -1.5e+3", "", ""},
	} {
		var e Event
		if err := p.Scan([]byte(x.line), &e); err != nil {
			t.Errorf("%s: %v", x.line, err)
			continue
		}
		for i, want := range []string{x.a, x.b, x.c} {
			var got []string
			for v := range e.All([]int{a, b, c}[i]) {
				got = append(got, show(v))
			}
			if strings.Join(got, "|") != want {
				t.Errorf("%s: %d: %q, want %q", x.line, i, got, want)
			}
		}
	}
	for _, line := range []string{``, ` `, `[]`, `1`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{a:1}`, `{"a":"x`, `{"a":"x\"}`, `{"a":tru}`, `{"a":1}x`, `{"x":[1}`, `{"x":{"y":[}]}`, `{"a":1 2}`, `{"a":1x}`,
		`{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, `{"x":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, `{"b":` + strings.Repeat(`{"b":`, 70)} {
		var e Event
		var is *Error
		if err := p.Scan([]byte(line), &e); !errors.As(err, &is) || is.At < 0 || is.At > len(line) {
			t.Errorf("%.40s: %v", line, err)
		}
	}
}

// An event that is used again shows nothing of what it was before.
func TestAnEventIsUsedAgain(t *testing.T) {
	p := NewPlan()
	a := p.Slot("a")
	var e Event
	for _, line := range []string{`{"a":["x",2,3]}`, `{"b":1}`, `{"a":null}`} {
		if err := p.Scan([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		n := 0
		for range e.All(a) {
			n++
		}
		if want := map[string]int{`{"a":["x",2,3]}`: 3, `{"b":1}`: 0, `{"a":null}`: 1}[line]; n != want {
			t.Errorf("%s: %d values", line, n)
		}
	}
	if e.epoch = ^uint32(0); p.Scan([]byte(`{}`), &e) != nil || e.Get(a).Kind != Missing {
		t.Error("what was counted through begins anew")
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"a":"\u00e4","b":{"c":[1,null]}}`, `{"a b":"\\\""}`, `{"a":[[],{}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		p := NewPlan()
		a := p.Slot("a")
		p.Slot("b", "c")
		var e Event
		err := p.Scan(line, &e)
		for v := range e.All(a) {
			_ = len(v.Text)
		}
		if err == nil && !json.Valid(line) {
			return // what is skipped is not checked
		}
		if err != nil && json.Valid(line) && bytes.HasPrefix(bytes.TrimLeft(line, " \t\r\n"), []byte("{")) && !strings.Contains(err.Error(), "deep") {
			t.Errorf("%v: %q", err, line)
		}
		if json.Valid(line) && err == nil && utf8.Valid(line) && !bytes.Contains(line, []byte(`\u0000`)) { // the standard library mends names; zero joins them here
			agrees(t, line)
		}
	})
}

// BenchmarkScan reads a dozen fields of each line.
func BenchmarkScan(b *testing.B) {
	asked := map[string][]string{
		"windows": {"EventID", "Channel", "Image", "CommandLine", "ParentImage", "TargetObject", "Details", "User", "Hashes", "TargetFilename", "ImageLoaded", "@timestamp"},
		"zeek":    {"_path", "ts", "uid", "id.orig_h", "id.resp_h", "id.resp_p", "query", "qtype_name", "rcode_name", "answers", "proto", "rtt"},
		"eve":     {"timestamp", "event_type", "src_ip", "dest_ip", "dest_port", "proto", "dns.rrname", "http.hostname", "http.url", "alert.signature", "tls.sni", "flow_id"},
	}
	for name, fields := range asked {
		b.Run(name, func(b *testing.B) {
			all := lines(b, 20000, real[name]...)
			p := NewPlan()
			for _, f := range fields {
				if name == "eve" {
					p.Slot(strings.Split(f, ".")...)
				} else {
					p.Slot(f)
				}
			}
			bytes := 0
			var e Event
			i := 0
			for b.Loop() {
				l := all[i%len(all)]
				i++
				bytes += len(l)
				if err := p.Scan(l, &e); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// What an event says of its line, and of its slots.
func TestWhatALineIsLike(t *testing.T) {
	for _, c := range []struct {
		line         string
		plain, ascii bool
	}{
		{`{"a":"x\\y \"z\" \n"}`, true, true}, {`{"a":"\u0041"}`, false, true}, {`{"a":"b\/c"}`, false, true}, {`{"a":"é"}`, true, false}, {`{"é":1}`, true, false}, {`{"skipped":["é"]}`, true, false},
		{`{"skipped":{"b":"\u00e9"}}`, false, true}, {`{"a":"\\u0041"}`, true, true}, {`{"a":"12345678\u0041"}`, false, true}, {`{"a":"1234567é8"}`, true, false}, {`{}`, true, true}, {`{"a":"0123456é"}`, true, false},
	} {
		p := NewPlan()
		p.Slot("a")
		var e Event
		if err := p.Scan([]byte(c.line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Plain() != c.plain || e.ASCII() != c.ascii {
			t.Errorf("%s: %v, %v, want %v, %v", c.line, e.Plain(), e.ASCII(), c.plain, c.ascii)
		}
	}
	p := NewPlan()
	a, b, c, none := p.Slot("a"), p.Slot("b"), p.Slot("c", "d"), p.Slot("e")
	var e Event
	for range 2 {
		if err := p.Scan([]byte(`{"c":{"d":"x\ty"},"a":[1,"\u0041",null],"z":1}`), &e); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(e.Slots(), []int32{int32(c), int32(a)}) || e.Kind(b) != Missing || e.Kind(none) != Missing || e.Kind(a) != Number || e.Kind(-1) != Missing {
			t.Error(e.Slots(), e.Kind(a), e.Kind(b))
		}
		if v, one := e.Only(c); !one || string(v.Text) != "x\ty" {
			t.Errorf("%q, %v", v.Text, one)
		}
		if _, one := e.Only(a); one {
			t.Error("three values are one")
		}
		if _, one := e.Only(b); one {
			t.Error("no value is one")
		}
	}
}
