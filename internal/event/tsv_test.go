package event

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

func TestTSV(t *testing.T) {
	p := NewPlan()
	path, query, answers, port, ok := p.Slot("_path"), p.Slot("query"), p.Slot("answers"), p.Slot("id.orig_p"), p.Slot("AA")
	r := NewTSV(p)
	var e Event
	if _, err := r.Scan([]byte("a\tb"), &e); err == nil {
		t.Error("columns without names")
	}
	for _, head := range []string{`#separator \x09`, "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", "#path\tdns", "#open\t2018", "#fields\tts\tid.orig_p\tquery\tAA\tanswers", "#types\ttime\tport\tstring\tbool\tvector[string]"} {
		if ok, err := r.Scan([]byte(head), &e); ok || err != nil {
			t.Fatal(head, ok, err)
		}
	}
	for line, want := range map[string]string{
		"1.5\t53\ta.example\tT\tx,y":      "text dns|text a.example|text x|text y|number 53|bool true",
		"1.5\t-\t\\x41\\xzz\tF\t(empty)":  `text dns|text A\xzz|empty|bool false`,
		"1.5\t-\t(empty)\t-\t-":           "text dns|text ",
		"1.5\t1\tmit\\x09tab\tmaybe\ta\\": "text dns|text mit\ttab|text a\\|number 1|text maybe",
	} {
		if ok, err := r.Scan([]byte(line), &e); !ok || err != nil {
			t.Fatal(line, err)
		}
		var got []string
		for _, slot := range []int{path, query, answers, port, ok} {
			for v := range e.All(slot) {
				got = append(got, show(v))
			}
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %q", line, got)
		}
	}
	for _, line := range []string{"", "1", "1\t2\t3\t4", "1\t2\t3\t4\t5\t6"} {
		if ok, err := r.Scan([]byte(line), &e); ok || err == nil {
			t.Errorf("%q is taken", line)
		}
	}
	if _, err := r.Scan([]byte(`#separator \x09\x09`), &e); err == nil {
		t.Error("two separators")
	}
}

// The same traffic in Zeek's two forms gives the same names asked, in the same order.
func TestTSVAgreesWithJSON(t *testing.T) {
	p := NewPlan()
	uid, query, rcode, answers := p.Slot("uid"), p.Slot("query"), p.Slot("rcode"), p.Slot("answers")
	all := func(e *Event) (out string) {
		for _, slot := range []int{query, rcode, answers} {
			for v := range e.All(slot) {
				out += show(v) + "|"
			}
		}
		return out
	}
	const n = 5000
	want := map[string][]string{}
	var e Event
	for _, l := range lines(t, 100*n, "zeek-json", "dns.json.gz") {
		if !json.Valid(l) {
			t.Fatal("no JSON")
		}
		if err := p.Scan(l, &e); err != nil {
			t.Fatal(err)
		}
		id := string(e.Get(uid).Text)
		want[id] = append(want[id], all(&e))
	}
	r, seen, same := NewTSV(p), 0, 0
	for _, l := range lines(t, n, "zeek-tsv", "dns.log.gz") {
		ok, err := r.Scan(l, &e)
		if err != nil {
			t.Fatal(err, strconv.Quote(string(l)))
		}
		if !ok {
			continue
		}
		seen++
		for _, w := range want[string(e.Get(uid).Text)] {
			if w == all(&e) {
				same++
				break
			}
		}
	}
	if seen < n/2 || same < seen*99/100 {
		t.Errorf("%d of %d lines say the same", same, seen)
	}
}

func FuzzTSV(f *testing.F) {
	f.Add("#separator \\x09\n#fields\ta\tb\n#types\tstring\tset[count]\nx\\x41\t1,2")
	f.Fuzz(func(t *testing.T, file string) {
		p := NewPlan()
		p.Slot("a")
		p.Slot("b")
		r := NewTSV(p)
		var e Event
		for line := range strings.SplitSeq(file, "\n") {
			if ok, err := r.Scan([]byte(line), &e); ok && err != nil {
				t.Error("an event and an error")
			}
		}
	})
}
