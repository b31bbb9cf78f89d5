package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	zs "zombiezen.com/go/sqlite"

	"entente/internal/fault"
	"entente/internal/lite"
)

// migration is one numbered step of the schema with its way back. compatible steps only add what older code may ignore.
type migration struct {
	up, down   string
	compatible bool
}

// migrations[i] leads from schema i to i+1.
var migrations = []migration{{up: schema1, down: drop1}, {up: schema2, down: "DROP TABLE former", compatible: true}}

// schema1: record.seq is record.Seq of a record's first place. Its home is the collection of that place (0: the whole store only); every
// other place, and every place of a record whose flagMoved is set, stands in placement. key and stream hold one row per place:
// d is seq minus the record's own seq, which is nearly always 0 and then takes no byte.
const schema1 = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE label(id INTEGER PRIMARY KEY, mark BLOB NOT NULL);
CREATE TABLE collection(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, n INTEGER NOT NULL);
CREATE TABLE record(
	seq INTEGER PRIMARY KEY,
	label INTEGER NOT NULL,
	flags INTEGER NOT NULL,
	notbefore INTEGER NOT NULL,
	notafter INTEGER NOT NULL,
	home INTEGER NOT NULL,
	head BLOB NOT NULL,
	lookups BLOB NOT NULL,
	salt BLOB NOT NULL,
	body BLOB NOT NULL,
	envelope BLOB
);
CREATE INDEX record_notbefore ON record(notbefore) WHERE notbefore > 0;
CREATE INDEX record_notafter ON record(notafter) WHERE notafter > 0;
CREATE TABLE placement(rec INTEGER NOT NULL, coll INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(rec, coll)) WITHOUT ROWID;
CREATE TABLE stream(h INTEGER NOT NULL, seq INTEGER NOT NULL, d INTEGER NOT NULL, PRIMARY KEY(h, seq)) WITHOUT ROWID;
CREATE TABLE key(h INTEGER NOT NULL, seq INTEGER NOT NULL, d INTEGER NOT NULL, PRIMARY KEY(h, seq)) WITHOUT ROWID;
CREATE TABLE run(id INTEGER PRIMARY KEY, keys BLOB NOT NULL);
CREATE TABLE quarantine(rec INTEGER PRIMARY KEY, hold BLOB NOT NULL);
CREATE TABLE awaits(h INTEGER NOT NULL, rec INTEGER NOT NULL, PRIMARY KEY(h, rec)) WITHOUT ROWID;
CREATE TABLE journal(seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, rec INTEGER NOT NULL, "commit" BLOB, act BLOB, recs BLOB);
CREATE INDEX journal_act ON journal(seq) WHERE act IS NOT NULL;
CREATE TABLE party(id INTEGER PRIMARY KEY, party TEXT NOT NULL, clause TEXT NOT NULL, UNIQUE(party, clause));
CREATE TABLE holding(party INTEGER NOT NULL, lo INTEGER NOT NULL, recs BLOB NOT NULL, PRIMARY KEY(party, lo)) WITHOUT ROWID;
CREATE TABLE doc(kind TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, expires INTEGER NOT NULL, value BLOB NOT NULL,
	PRIMARY KEY(kind, key)) WITHOUT ROWID;
CREATE INDEX doc_expires ON doc(expires) WHERE expires > 0;
INSERT INTO collection VALUES(0, '', 0);
`

const drop1 = `
DROP TABLE doc; DROP TABLE holding; DROP TABLE party; DROP TABLE journal; DROP TABLE awaits; DROP TABLE quarantine; DROP TABLE run;
DROP TABLE key; DROP TABLE stream; DROP TABLE placement; DROP TABLE record; DROP TABLE collection; DROP TABLE label; DROP TABLE meta;
`

// schema2 adds former: what is remembered of records that were released and then removed. h is the key of the id; version is empty
// for a record without one of its own.
const schema2 = `
CREATE TABLE former(h INTEGER NOT NULL, rec INTEGER NOT NULL, label INTEGER NOT NULL, notbefore INTEGER NOT NULL, version TEXT NOT NULL,
	PRIMARY KEY(h, rec)) WITHOUT ROWID;
`

// migrate brings the database to the schema that steps describe. A database one step ahead is taken as it is when that step is
// compatible: its number is kept in application_id, beside user_version, as the oldest schema whose code may open it.
func migrate(c *zs.Conn, steps []migration) (schema int, err error) {
	version, err := pragma(c, "user_version")
	if err != nil {
		return 0, err
	}
	floor, err := pragma(c, "application_id")
	if err != nil {
		return 0, err
	}
	have, want := int(version), len(steps)
	if have > want {
		if have == want+1 && int(floor) <= want {
			return have, nil
		}
		return 0, fault.New(fault.Conflict, "store.schema", "the store has schema %d and this program knows schemas up to %d", have, want).
			Try("run the newer program, or take the store back with it: entente downgrade --schema N")
	}
	for ; have < want; have++ {
		step := steps[have]
		if !step.compatible {
			floor = int64(have + 1)
		}
		if err := lite.Script(c, fmt.Sprintf("BEGIN IMMEDIATE;\n%s;\nPRAGMA user_version = %d; PRAGMA application_id = %d; COMMIT;", step.up, have+1, floor)); err != nil {
			_ = lite.Script(c, "ROLLBACK;")
			return 0, fmt.Errorf("migrate to schema %d: %w", have+1, err)
		}
	}
	return have, nil
}

// retreat takes the database back to an older schema.
func retreat(c *zs.Conn, steps []migration, to int) error {
	version, err := pragma(c, "user_version")
	if err != nil {
		return err
	}
	have := int(version)
	if have > len(steps) || to < 0 || to > have {
		return fault.New(fault.Invalid, "store.schema", "no way back from schema %d to %d with this program, which knows %d", have, to, len(steps))
	}
	for ; have > to; have-- {
		floor := 0
		for i, step := range steps[:have-1] {
			if !step.compatible {
				floor = i + 1
			}
		}
		if err := lite.Script(c, fmt.Sprintf("BEGIN IMMEDIATE;\n%s;\nPRAGMA user_version = %d; PRAGMA application_id = %d; COMMIT;", steps[have-1].down, have-1, floor)); err != nil {
			_ = lite.Script(c, "ROLLBACK;")
			return fmt.Errorf("migrate back to schema %d: %w", have-1, err)
		}
	}
	return nil
}

// Schema is the newest schema that this program knows.
func Schema() int { return len(migrations) }

// Downgrade takes the closed store in dir back to an older schema, so that an older program can open it. It loses only what that schema
// has no place for.
func Downgrade(dir string, schema int) (err error) {
	lock, err := lite.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return room.Wrap("downgrading the store", err)
	}
	defer lock.Close()
	path := filepath.Join(dir, fileName)
	if _, err := os.Stat(path); err != nil || schema < 1 {
		return fault.New(fault.Invalid, "store.schema", "no store, or no schema %d", schema).At(dir).Because(err)
	}
	c, err := openConn(path, true, 2048, 0)
	if err != nil {
		return room.Wrap("downgrading the store", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return room.Wrap("downgrading the store", retreat(c, migrations, schema))
}
