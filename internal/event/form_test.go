package event

import (
	"strings"
	"testing"
)

// One name finds the field in every form of a Windows event.
func TestFieldInEveryForm(t *testing.T) {
	p := NewPlan()
	id, image, channel, zeek, eve := p.Field("EventID"), p.Field("Image"), p.Field("Channel"), p.Field("id.orig_h"), p.Field("dns.rrname")
	if p.Field("Image") != image {
		t.Error("one name has one slot")
	}
	for _, line := range []string{
		`{"EventID":1,"Channel":"S","Image":"x"}`,
		`{"event_id":1,"log_name":"S","event_data":{"Image":"x"}}`,
		`{"winlog":{"event_id":1,"channel":"S","event_data":{"Image":"x"}}}`,
		`{"Event":{"System":{"EventID":1,"Channel":"S"},"EventData":{"Image":"x"}}}`,
		`{"Event":{"System":{"EventID":{"Value":1},"Channel":"S"},"EventData":{"Image":"x"}}}`,
		`{"System":{"EventID":{"Value":1},"Channel":"S"},"EventData":{"Image":"x"}}`,
	} {
		var e Event
		if err := p.Scan([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if show(e.Get(id)) != "number 1" || show(e.Get(channel)) != "text S" || show(e.Get(image)) != "text x" {
			t.Errorf("%s: %s %s %s", line, show(e.Get(id)), show(e.Get(channel)), show(e.Get(image)))
		}
	}
	var e Event
	if err := p.Scan([]byte(`{"id.orig_h":"1.2.3.4","dns":{"rrname":"a.example"}}`), &e); err != nil || show(e.Get(zeek)) != "text 1.2.3.4" || show(e.Get(eve)) != "text a.example" {
		t.Error(err, show(e.Get(zeek)), show(e.Get(eve)))
	}
}

func TestClock(t *testing.T) {
	for in, want := range map[string]string{
		"2020-06-10T02:50:56.537Z":         "2020-06-10T02:50:56.537Z",
		"2019-04-27T15:57:25.868864+02:00": "2019-04-27T13:57:25.868864Z",
		"2017-01-30T16:12:26.985026+0100":  "2017-01-30T15:12:26.985026Z",
		"2019-04-27 15:57:25.868":          "2019-04-27T15:57:25.868Z",
		"1521911720.865716":                "2018-03-24T17:15:20.865716Z",
		"1521911720":                       "2018-03-24T17:15:20Z",
		"1521911720865":                    "2018-03-24T17:15:20.865Z",
		"yesterday evening":                "",
		"":                                 "",
		"-1521911720":                      "",
		"1521911720.-65716":                "",
		"99999999999999999":                "",
		"2020-13-10T02:50:56.537Z":         "",
		strings.Repeat("1", 100):           "",
	} {
		got, ok := When(in)
		if ok != (want != "") || ok && got.Format("2006-01-02T15:04:05.999999999Z07:00") != want {
			t.Errorf("%s: %v %v", in, got, ok)
		}
	}
	p := NewPlan()
	c := p.Clock()
	for name, path := range real {
		var e Event
		for _, l := range lines(t, 1000, path...) {
			if err := p.Scan(l, &e); err != nil {
				t.Fatal(err)
			}
			if at, ok := c.Of(&e); !ok || at.Year() < 2010 || at.Year() > 2026 {
				t.Fatalf("%s: %v %v\n%.300s", name, at, ok, l)
			}
		}
	}
}

// A member that two names mean fills both: what one producer calls the source's name is the provider of another.
func TestOneMemberOfTwoNames(t *testing.T) {
	p := NewPlan()
	provider, source := p.Field("Provider_Name"), p.Field("SourceName")
	var e Event
	if err := p.Scan([]byte(`{"SourceName":"Real-Time Protection"}`), &e); err != nil {
		t.Fatal(err)
	}
	for _, slot := range []int{provider, source} {
		if got := string(e.Get(slot).Text); got != "Real-Time Protection" {
			t.Errorf("%d: %q", slot, got)
		}
	}
}

// What stands under two names of one field is told once, under the event's own name; another value of the same name is another thing.
func TestAddField(t *testing.T) {
	var list []Field
	for _, f := range []string{"Image=a", "Image=a", "process.executable=a", "Image=a", "Image=b", "=a", "dns.question.name=q", "QueryName=q"} {
		name, value, _ := strings.Cut(f, "=")
		list = AddField(list, Field{name, []byte(value)})
	}
	var got []string
	for _, f := range list {
		got = append(got, f.Name+"="+string(f.Value))
	}
	if s := strings.Join(got, " "); s != "process.executable=a Image=b =a dns.question.name=q" {
		t.Error(s)
	}
}
