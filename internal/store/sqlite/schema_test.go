//go:build unix

package sqlite

import (
	"context"
	"testing"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
)

// schemaOf is the text of every table and index.
func schemaOf(t *testing.T, c *zs.Conn) (text string) {
	t.Helper()
	err := lite.Exec(c, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name", func(st *zs.Stmt) error { text += st.ColumnText(0) + "\n"; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Every step and its way back lead to the schema they came from.
func TestMigrationsThereAndBack(t *testing.T) {
	c, err := openConn(t.TempDir()+"/x.db", true, 1024, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for n := range migrations {
		before := schemaOf(t, c)
		for range 2 {
			if _, err := migrate(c, migrations[:n+1]); err != nil {
				t.Fatal(err)
			}
			if after := schemaOf(t, c); after == before {
				t.Fatalf("step %d changes nothing", n+1)
			}
			if err := retreat(c, migrations[:n+1], n); err != nil {
				t.Fatal(err)
			}
			if after := schemaOf(t, c); after != before {
				t.Fatalf("back from %d:\n%s\nand before:\n%s", n+1, after, before)
			}
		}
		if _, err := migrate(c, migrations[:n+1]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSchemaOfAnotherProgram(t *testing.T) {
	step := func(name string, compatible bool) migration {
		return migration{up: "CREATE TABLE " + name + "(x)", down: "DROP TABLE " + name, compatible: compatible}
	}
	steps := func(more ...migration) []migration { return append(append([]migration{}, migrations...), more...) }
	for name, c := range map[string]struct {
		newer []migration
		opens bool
	}{
		"one compatible step ahead": {steps(step("a", true)), true},
		"one breaking step ahead":   {steps(step("a", false)), false},
		"two steps ahead":           {steps(step("a", true), step("b", true)), false},
		"breaking, then compatible": {steps(step("a", false), step("b", true)), false},
		"the same":                  {steps(), true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s, err := open(context.Background(), Config{Dir: dir}.withDefaults(), c.newer)
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			s, err = Open(context.Background(), Config{Dir: dir})
			if (err == nil) != c.opens || err != nil && fault.Of(err) != fault.Conflict {
				t.Fatalf("opened: %v", err)
			}
			if s != nil {
				s.Close()
			}
			rw, err := openConn(dir+"/"+fileName, true, 1024, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer rw.Close()
			if err := retreat(rw, c.newer, len(migrations)); err != nil {
				t.Fatal(err)
			}
			if _, err := migrate(rw, migrations); err != nil {
				t.Fatalf("after the way back: %v", err)
			}
		})
	}
}

func TestFailedMigrationChangesNothing(t *testing.T) {
	dir := t.TempDir()
	openTemp(t, dir).Close()
	bad := append(append([]migration{}, migrations...), migration{up: "CREATE TABLE a(x); CREATE TABLE label(x)", down: "DROP TABLE a"})
	if _, err := open(context.Background(), Config{Dir: dir}.withDefaults(), bad); err == nil {
		t.Fatal("a table was made twice")
	}
	s := openTemp(t, dir)
	if s.schema != len(migrations) {
		t.Fatalf("schema %d", s.schema)
	}
}

func TestDowngrade(t *testing.T) {
	dir := t.TempDir()
	s := openTemp(t, dir)
	if err := Downgrade(dir, len(migrations)); fault.Of(err) != fault.Conflict {
		t.Fatalf("an open store: %v", err)
	}
	s.Close()
	for schema, want := range map[int]fault.Kind{0: fault.Invalid, len(migrations) + 1: fault.Invalid} {
		if err := Downgrade(dir, schema); fault.Of(err) != want {
			t.Errorf("to %d: %v", schema, err)
		}
	}
	if err := Downgrade(dir, len(migrations)); err != nil {
		t.Error(err)
	}
	if err := Downgrade(t.TempDir(), 1); fault.Of(err) != fault.Invalid {
		t.Errorf("no store: %v", err)
	}
}
