package lite

import (
	"context"
	"errors"
	"testing"
	"time"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
)

func open(t *testing.T) *zs.Conn {
	t.Helper()
	c, err := zs.OpenConn(t.TempDir() + "/x.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestStatements(t *testing.T) {
	c := open(t)
	if err := Script(c, " CREATE TABLE a(n INTEGER, s TEXT, b BLOB); INSERT INTO a VALUES(1, 'x', x'00');\n\n"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []any{2, int64(3), uint32(4), nil} {
		if err := Exec(c, "INSERT INTO a VALUES(?,?,?)", nil, n, "y", []byte{1, 2}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := Number(c, "SELECT sum(n) FROM a WHERE s <> ?", "none"); err != nil || n != 10 {
		t.Errorf("%d %v", n, err)
	}
	if n, err := Number(c, "SELECT n FROM a WHERE s = 'none'"); err != nil || n != 0 {
		t.Errorf("%d %v", n, err)
	}
	var got [][]byte
	if err := Exec(c, "SELECT b FROM a ORDER BY rowid LIMIT 2", func(st *zs.Stmt) error { got = append(got, Blob(st, 0)); return nil }); err != nil || len(got) != 2 || string(got[1]) != "\x01\x02" {
		t.Errorf("%q %v", got, err)
	}
	enough := errors.New("enough")
	for range 2 { // a statement that was left in the middle can be run again
		if err := Exec(c, "SELECT n FROM a", func(*zs.Stmt) error { return enough }); !errors.Is(err, enough) {
			t.Error(err)
		}
	}
	for _, bad := range []func() error{
		func() error { return Exec(c, "SELECT nothing", nil) },
		func() error { return Exec(c, "SELECT ?", nil, 1.5) },
		func() error { return Script(c, "CREATE TABLE b(n); nonsense") },
	} {
		if bad() == nil {
			t.Error("no error")
		}
	}
}

func TestTimes(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	for _, x := range []time.Time{{}, at, at.In(time.FixedZone("", 3600))} {
		if got := UnpackTime(PackTime(x)); !got.Equal(x) || !x.IsZero() && got.Location() != time.UTC {
			t.Errorf("%v became %v", x, got)
		}
	}
}

// A room's faults have its name, say what callers can act on, and keep what SQLite said to themselves.
func TestFaults(t *testing.T) {
	const room = Room("shed")
	c := open(t)
	if err := Script(c, "CREATE TABLE a(b BLOB); PRAGMA max_page_count=4"); err != nil {
		t.Fatal(err)
	}
	full := Exec(c, "INSERT INTO a VALUES(?)", nil, make([]byte, 100_000))
	other := open(t)
	other.SetInterrupt(closed())
	for _, is := range []struct {
		err  error
		kind fault.Kind
		code string
	}{
		{full, fault.Full, "shed.full"},
		{Exec(other, "SELECT 1", nil), fault.Unavailable, "shed.busy"},
		{Exec(c, "SELECT nothing", nil), fault.Internal, "shed"},
		{fault.New(fault.NotFound, "own", "own"), fault.NotFound, "own"},
		{room.Closed(), fault.Unavailable, "shed.closing"},
	} {
		var f *fault.Error
		if err := room.Wrap("doing", is.err); !errors.As(err, &f) || f.Kind != is.kind || f.Code != is.code {
			t.Errorf("%v is %v, want %v %s", is.err, err, is.kind, is.code)
		}
	}
	if err := room.Wrap("doing", nil); err != nil {
		t.Error(err)
	}
	if err := room.Wrap("doing", context.Canceled); fault.Of(err) != fault.Of(context.Canceled) {
		t.Error(err)
	}
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
