package misp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

func TestShapesOfRealExports(t *testing.T) {
	for name, c := range map[string]struct {
		raw  string
		want int
	}{
		"wrapped":            {`{"Event":{"info":"a","Attribute":[]}}`, 1},
		"bare":               {`{"info":"a"}`, 1},
		"response list":      {`{"response":[{"Event":{"info":"a"}},{"Event":{"info":"b"}}]}`, 2},
		"response":           {`{"response":{"Event":{"info":"a"}}}`, 1},
		"list":               {`[{"Event":{"info":"a"}},{"Event":{"info":"b"}}]`, 2},
		"attributes":         {`{"response":{"Attribute":[{"type":"md5","value":"x"}]}}`, 1},
		"objects one by one": {`{"response":[{"Object":{"name":"file","Attribute":[]}},{"Object":{"name":"pe"}}]}`, 1},
		"members after":      {`{"Event":{"Attribute":[{"type":"md5","value":"x"}],"uuid":"y","info":"a"}}`, 1},
	} {
		list, err := Parse([]byte(c.raw))
		if err != nil || len(list) != c.want {
			t.Errorf("%s: %d events, %v", name, len(list), err)
		}
	}
	list, err := Parse([]byte(`{"Event":{"info":7,"date":"2026-01-01","threat_level_id":1,"published":"1","analysis":null,"distribution":3,"timestamp":1700000000,"Orgc":[],
		"Tag":{"1":{"name":"a","local":0},"3":{"name":"b","local":true}},"custom":{"x":[1.50,null]},
		"Attribute":{"0":{"type":"port","value":443,"to_ids":"0","SharingGroup":[],"Tag":null},"2":{"type":"text","value":"t","to_ids":1,"deleted":""}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	e := list[0]
	if e.Info != "7" || e.ThreatLevel != "1" || !e.Published.True() || e.Analysis != "" || e.Orgc != nil || len(e.Tags) != 2 || e.Tags[0].Local != False || !e.Tags[1].Local.True() {
		t.Errorf("%+v", e)
	}
	if len(e.Attributes) != 2 || e.Attributes[0].Value != "443" || e.Attributes[0].ToIDs != False || e.Attributes[0].SharingGroup != nil || !e.Attributes[1].ToIDs.True() || e.Attributes[1].Deleted != Unset {
		t.Errorf("%+v", e.Attributes)
	}
	written, err := Marshal(e)
	if err != nil || !bytes.Contains(written, []byte(`"custom":{"x":[1.50,null]}`)) || !bytes.Contains(written, []byte(`"threat_level_id":"1"`)) {
		t.Errorf("%s: %v", written, err)
	}
	if !bytes.HasPrefix(e.Raw(), []byte(`{"info":7,`)) || !bytes.HasSuffix(e.Raw(), []byte(`"deleted":""}}}`)) {
		t.Errorf("the exact bytes are %s", e.Raw())
	}
}

func TestRefusals(t *testing.T) {
	deep := strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100)
	for name, c := range map[string]struct {
		raw    string
		limits Limits
		code   string
	}{
		"empty":           {``, Limits{}, CodeSyntax},
		"no event":        {`{"a":1}`, Limits{}, CodeEmpty},
		"empty list":      {`[]`, Limits{}, CodeEmpty},
		"scalar":          {`3`, Limits{}, CodeEmpty},
		"cut":             {`{"Event":{"info":"a","Attribute":[{"type":"md5"`, Limits{}, CodeSyntax},
		"two documents":   {`{"Event":{"info":"a"}} {}`, Limits{}, CodeSyntax},
		"twice a member":  {`{"Event":{"info":"a","info":"b"}}`, Limits{}, CodeSyntax},
		"no boolean":      {`{"Event":{"info":"a","published":"maybe"}}`, Limits{}, CodeSyntax},
		"no attribute":    {`{"Event":{"info":"a","Attribute":[3]}}`, Limits{}, CodeSyntax},
		"not UTF-8":       {"{\"Event\":{\"info\":\"\xff\"}}", Limits{}, CodeSyntax},
		"deep":            {`{"Event":{"info":"a","x":` + deep + `}}`, Limits{}, CodeDepth},
		"deep attribute":  {`{"Event":{"info":"a","Attribute":[{"type":"a","value":"b","x":` + deep + `}]}}`, Limits{}, CodeDepth},
		"envelopes":       {strings.Repeat(`{"response":`, 20) + `{}` + strings.Repeat(`}`, 20), Limits{}, CodeDepth},
		"large":           {`{"Event":{"info":"aaaaaaaaaaaaaaa"}}`, Limits{Size: 20}, CodeSize},
		"large member":    {`{"Event":{"info":"aaaaaaaaaaaaaaa"}}`, Limits{Element: 10}, CodeSize},
		"large attribute": {`{"Event":{"Attribute":[{"value":"aaaaaaaaaaaaaaa"}]}}`, Limits{Element: 10}, CodeSize},
		"many attributes": {`{"Event":{"info":"a","Attribute":[{"value":"a"},{"value":"b"},{"value":"c"}]}}`, Limits{Attributes: 2}, CodeSize},
		"many events":     {`[{"Event":{"info":"a"}},{"Event":{"info":"b"}}]`, Limits{Events: 1}, CodeSize},
	} {
		_, err := ParseLimits([]byte(c.raw), c.limits)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Code != c.code || e.Error() == "" {
			t.Errorf("%s: %v", name, err)
		}
		err = Read(strings.NewReader(c.raw), c.limits, Handler{})
		if e, ok := errors.AsType[*Error](err); !ok || e.Code != c.code {
			t.Errorf("%s, streamed: %v", name, err)
		}
	}
}

// endless is an event with n attributes that is made while it is read.
type endless struct {
	n, at int
	buf   []byte
}

func (r *endless) Read(p []byte) (int, error) {
	for len(r.buf) == 0 {
		switch {
		case r.at == 0:
			r.buf = append(r.buf, `{"Event":{"uuid":"5e7d6a5e-0000-4000-8000-000000000001","info":"large","date":"2026-01-01","timestamp":"1767225600","Attribute":[`...)
		case r.at <= r.n:
			if r.at > 1 {
				r.buf = append(r.buf, ',')
			}
			r.buf = fmt.Appendf(r.buf, `{"id":"%d","type":"ip-dst","category":"Network activity","to_ids":true,"uuid":"5e7d6a5e-0000-4000-9000-%012d","event_id":"1","distribution":"5","timestamp":"1767225600","comment":"seen in the campaign","sharing_group_id":"0","deleted":false,"disable_correlation":false,"object_id":"0","object_relation":null,"first_seen":null,"last_seen":null,"value":"10.%d.%d.%d","Galaxy":[],"ShadowAttribute":[]}`,
				r.at, r.at, r.at>>16&255, r.at>>8&255, r.at&255)
		case r.at == r.n+1:
			r.buf = append(r.buf, `]}}`...)
		default:
			return 0, io.EOF
		}
		r.at++
	}
	n := copy(p, r.buf)
	r.buf = r.buf[:copy(r.buf, r.buf[n:])]
	return n, nil
}

func TestStreamedEventHoldsNothing(t *testing.T) {
	const many = 100_000 // 45 MB
	n, head := 0, ""
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	err := Read(&endless{n: many}, Limits{}, Handler{
		Attribute: func(a *Attribute) error {
			if n++; n%10_000 == 0 {
				runtime.GC()
				runtime.ReadMemStats(&now)
				if now.HeapAlloc > before.HeapAlloc+4<<20 {
					return fmt.Errorf("after %d attributes %d bytes are held", n, now.HeapAlloc-before.HeapAlloc)
				}
			}
			return nil
		},
		Event: func(e *Event) error { head = e.Info; return nil },
	})
	if err != nil || n != many || head != "large" {
		t.Errorf("%d attributes of %q: %v", n, head, err)
	}
	stop := errors.New("enough")
	if err := Read(&endless{n: 20_000}, Limits{}, Handler{Attribute: func(*Attribute) error { return stop }}); !errors.Is(err, stop) {
		t.Errorf("the handler's error came back as %v", err)
	}
}

func TestTypes(t *testing.T) {
	if len(Types()) != 194 || len(Categories()) != 16 {
		t.Errorf("%d types, %d categories", len(Types()), len(Categories()))
	}
	md5, ok := TypeByName("filename|md5")
	if !ok || md5.Category != "Payload delivery" || !md5.ToIDs || len(md5.Parts) != 2 || !md5.Fits("Artifacts dropped") || md5.Fits("Person") {
		t.Errorf("%+v", md5)
	}
	if sample, _ := TypeByName("malware-sample"); len(sample.Parts) != 2 {
		t.Errorf("%+v", sample)
	}
	for name := range mappings().attributes {
		if typ, ok := TypeByName(name); !ok || len(mappings().attributes[name]) != max(1, len(typ.Parts)) {
			t.Errorf("the mapping of %s does not fit its type", name)
		}
	}
}

func BenchmarkRead350000(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := Read(&endless{n: 350_000}, Limits{}, Handler{Attribute: func(*Attribute) error { n++; return nil }}); err != nil || n != 350_000 {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkToSTIX(b *testing.B) {
	raw, err := io.ReadAll(&endless{n: 5000})
	if err != nil {
		b.Fatal(err)
	}
	list, err := Parse(raw)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		ToSTIX(list[0], Options{})
	}
	b.ReportMetric(float64(b.N)*5000/b.Elapsed().Seconds(), "attributes/s")
}

func BenchmarkToSTIXObservables(b *testing.B) {
	raw, _ := io.ReadAll(&endless{n: 5000})
	list, err := Parse(raw)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		ToSTIX(list[0], Options{Observables: true})
	}
	b.ReportMetric(float64(b.N)*5000/b.Elapsed().Seconds(), "attributes/s")
}

func BenchmarkCorpusToSTIX(b *testing.B) {
	all := events(b)
	b.ReportAllocs()
	attributes := 0
	for b.Loop() {
		attributes = 0
		for _, list := range all {
			for _, e := range list {
				ToSTIX(e, Options{})
				attributes += len(e.Attributes)
				for i := range e.Objects {
					attributes += len(e.Objects[i].Attributes)
				}
			}
		}
	}
	b.ReportMetric(float64(b.N)*float64(attributes)/b.Elapsed().Seconds(), "attributes/s")
}
