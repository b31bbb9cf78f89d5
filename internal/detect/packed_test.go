package detect

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
	zs "zombiezen.com/go/sqlite"

	"entente/internal/lite"
	"entente/sensor"
)

// What is packed comes back as it was, whatever it is.
func TestPackedComesBack(t *testing.T) {
	r := open(t, t.TempDir(), newHouse())
	rapid.Check(t, func(d *rapid.T) {
		id := rapid.OneOf(rapid.String(), rapid.StringMatching(`indicator--[0-9a-fA-F]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}`)).Draw(d, "id")
		if got := unpackSource(packSource(id)); got != id {
			d.Fatalf("%q came back as %q", id, got)
		}
		at := func(name string) time.Time {
			return rapid.SampledFrom([]time.Time{{}, time.Date(2026, 5, 1, 12, 0, 0, 123_000, time.UTC), time.Date(1970, 1, 1, 0, 0, 1, 0, time.UTC)}).Draw(d, name)
		}
		ch := sensor.Change{Source: id, Version: rapid.Int64().Draw(d, "version"), Label: rapid.String().Draw(d, "label"), Accord: rapid.String().Draw(d, "accord"), From: at("from"), Until: at("until"),
			Since: at("since"), Confidence: rapid.IntRange(-1, 100).Draw(d, "confidence")}
		for range rapid.IntRange(0, 3).Draw(d, "values") {
			ch.Values = append(ch.Values, sensor.Value{Kind: rapid.SampledFrom([]string{"ipv4", "domain", "sha256"}).Draw(d, "kind"), Text: rapid.String().Draw(d, "text")})
		}
		err := r.looked.do(func(c *zs.Conn) error {
			b, err := r.looked.words.pack(c, &ch)
			if err != nil {
				return err
			}
			for i := range b { // what is cut off is an error, or less of the same
				if _, err := r.looked.words.unpack(c, id, b[:i]); err != nil && err != errPacked {
					return err
				}
			}
			got, err := r.looked.words.unpack(c, id, b)
			if diff := cmp.Diff(ch, got); err != nil || diff != "" {
				return fmt.Errorf("%v: %s", err, diff)
			}
			return nil
		})
		if err != nil {
			d.Fatal(err)
		}
	})
}

// sound holds what is counted to what is there.
func sound(t interface{ Fatalf(string, ...any) }, r *Room) {
	count := func(c *zs.Conn, q string) int64 {
		n, err := lite.Number(c, q)
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		return n
	}
	err := r.looked.read(func(c *zs.Conn) error {
		for _, q := range [][2]string{
			{"SELECT sum(sources) FROM party", "SELECT count(*) FROM look JOIN party ON party.id = look.party WHERE change IS NOT NULL AND ended = 0"},
			{"SELECT sum(ruled) FROM party", "SELECT count(*) FROM look JOIN party ON party.id = look.party WHERE rule IS NOT NULL AND ended = 0"},
			{"SELECT sum(n) FROM leftsum", "SELECT count(*) FROM left"},
		} {
			if said, is := count(c, q[0]), count(c, q[1]); said != is {
				t.Fatalf("%s is %d, and %s %d", q[0], said, q[1], is)
			}
		}
		uses, is := map[int64]int64{}, map[int64]int64{}
		if err := lite.Exec(c, "SELECT change FROM look WHERE change IS NOT NULL", func(st *zs.Stmt) error {
			n, _, err := numbers(lite.Blob(st, 0))
			uses[n[0]], uses[n[1]] = uses[n[0]]+1, uses[n[1]]+1
			return err
		}); err != nil {
			return err
		}
		delete(uses, 0)
		if err := lite.Exec(c, "SELECT id, uses FROM word WHERE uses > 0", func(st *zs.Stmt) error { is[st.ColumnInt64(0)] = st.ColumnInt64(1); return nil }); err != nil {
			return err
		}
		if diff := cmp.Diff(uses, is); diff != "" {
			t.Fatalf("words are used otherwise than is counted: %s", diff)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
}

// What is counted is what is there, whatever comes, changes and goes, and of a table that ended nothing is left.
func TestCountsAreTrue(t *testing.T) {
	h := newHouse()
	r := open(t, t.TempDir(), h)
	s := enrol(t, r, "edge")
	h.put("indicator--a", "[ipv4-addr:value = '198.51.100.7']", `,"valid_until":"2026-05-02T00:00:00Z"`)
	h.put("indicator--b", "[process:command_line MATCHES 'x.*y']", "")
	h.put("indicator--c", "[ipv4-addr:value = '198.51.100.8'", "")
	h.put("indicator--d", "[domain-name:value = 'evil.example']", "")
	work(t, r)
	sound(t, r)
	tables, err := r.Tables(t.Context())
	if err != nil || len(tables) != 1 || tables[0].Sources != 2 || tables[0].Rules != 1 || len(tables[0].Left) != 1 {
		t.Fatalf("%+v %v", tables, err)
	}
	h.put("indicator--b", "[ipv4-addr:value = '198.51.100.9']", "")
	h.put("indicator--c", "[ipv4-addr:value = '198.51.100.8']", "")
	h.put("indicator--d", "", "")
	h.now = h.now.Add(48 * time.Hour)
	work(t, r)
	sound(t, r)
	if tables, err = r.Tables(t.Context()); err != nil || tables[0].Sources != 2 || tables[0].Rules != 0 || len(tables[0].Left) != 0 {
		t.Fatalf("%+v %v", tables, err)
	}
	if err := r.Revoke(t.Context(), "test", s.ID); err != nil {
		t.Fatal(err)
	}
	work(t, r)
	sound(t, r)
	if err := r.looked.read(func(c *zs.Conn) error {
		for _, name := range []string{"party", "look", "left", "leftsum", "word"} {
			if n, err := lite.Number(c, "SELECT count(*) FROM "+name); err != nil || n != 0 {
				t.Errorf("%d rows of %s are left: %v", n, name, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Reports that are too old, or too many, are forgotten little by little, and as many are counted as there are.
func TestOldReportsAreForgotten(t *testing.T) {
	x := reporting(t)
	for i := range 30 {
		x.report(fmt.Sprint(i), 1)
		x.h.now = x.h.now.Add(time.Second)
	}
	known := func() (n int64) {
		var said int64
		if err := x.r.told.read(func(c *zs.Conn) (err error) {
			if n, err = lite.Number(c, "SELECT count(*) FROM report"); err == nil {
				said, err = lite.Number(c, "SELECT n FROM many WHERE name = 'report'")
			}
			return err
		}); err != nil || said != n {
			t.Fatalf("%d are counted, and %d there: %v", said, n, err)
		}
		return n
	}
	if forgot, more, err := x.r.told.tidy(x.h.now, 20*time.Second, 1000); err != nil || forgot != 0 || more || known() != 20 {
		t.Errorf("%d forgotten, %d known, %v %v", forgot, known(), more, err)
	}
	if forgot, more, err := x.r.told.tidy(x.h.now, time.Hour, 5); err != nil || forgot != 15 || more || known() != 5 {
		t.Errorf("%d forgotten, %d known, %v %v", forgot, known(), more, err)
	}
	if x.report("29", 1) != 0 || x.report("0", 1) != 1 {
		t.Error("the oldest are not those that were forgotten")
	}
}
